"""What is asked of a stream: one value, which the node, the command line and the benches build.

Owns the checks that need no network, and what follows from the options and a model together.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

from torch import Tensor

from ..model.attention import Backend
from ..model.cache import CacheShape
from ..model.config import CARRIES, ModelConfig, SamplerConfig
from ..sampling.guided import GuideStrength
from ..tracks.types import MODES
from .prompt_schedule import PromptSchedule
from .source_video import SourceVideo

TRACK_CONTROLS = ("track head", "guided", "none")
FIRST_LATENTS = ("prefilled", "denoised")
HISTORY_BYTES = 512 * 2**20


@dataclass(frozen=True)
class StreamOptions:
    """How one stream is made. The same options, image, tracks and prompt give the same frames.

    Args:
        frames: length of the video in frames. None goes on until a stop.
        seed: of the noise.
        steps: denoising steps. None is the model's own number.
        buffer: other settings of the moving buffer, by the names of `BufferConfig.divided`.
        context: chunk, sink and window in the place of the model's.
        track_control: what makes the frames follow the tracks, one of TRACK_CONTROLS. None: the track head
            where the model has one, nothing where it has none.
        guide_strength: of the track control "guided".
        fit: what to do when tracks and frames differ in length, one of MODES. A track stream is as long as
            it is.
        id_seed: of the tracks' ids.
        groups: (N,) which handle each track belongs to. By default one handle a track.
        objects: masks (H, W) bool of handles whose pixels in the start image are known.
        carry: how the start image is moved along the tracks for the model, one of CARRIES. None: as the
            weights say.
        detail: show the start image's texture where the networks have a head for it.
        overlap_decode: decode in a queue or a thread of its own while the next chunk is made. None: on a CUDA
            device, and for the built-in model on a CPU where torch has more than one thread.
        paced: with a session, make frames no faster than they play.
        history_bytes: most memory for the moments a rewind can go back to.
        backend: attention.
        first_latent: latent frame 0 of a rolling sampler from a start image, one of FIRST_LATENTS.
            "prefilled": the start image's own latent. "denoised": made like any other, where the model is
            shown the image by its motion channels alone.
        see: picture (H, W, 3) -> its features (1, tokens, width), for a model whose cross attention looks at
            one. A scene change asks again.
        prompts: the text by frame, in the place of the prompt.
        video: what is made into another video, for a moving buffer.
        reference: pictures (T, H, W, 3) 0..1 before the stream, for a moving buffer with reference frames: a
            start image, or the end of a video.
        encode: how a live prompt becomes embeddings. By default the networks' own text encoder.
        check_interrupt: called after every denoising step and while waiting. May raise to stop.
    """

    frames: int | None
    seed: int = 0
    steps: int | None = None
    _: KW_ONLY
    buffer: Mapping[str, Any] | None = None
    context: CacheShape | None = None
    track_control: str | None = None
    guide_strength: GuideStrength | None = None
    fit: str = "error"
    id_seed: int = 0
    groups: Tensor | None = field(default=None, compare=False)
    objects: Mapping[int, Tensor] | None = field(default=None, compare=False)
    carry: str | None = None
    detail: bool = True
    overlap_decode: bool | None = None
    paced: bool = False
    history_bytes: int = HISTORY_BYTES
    backend: Backend = "sdpa"
    first_latent: str = FIRST_LATENTS[0]
    see: Callable[[Tensor], Tensor] | None = field(default=None, compare=False)
    prompts: PromptSchedule | None = field(default=None, compare=False)
    video: SourceVideo | None = None
    reference: Tensor | None = field(default=None, compare=False)
    encode: Callable[[str], Tensor] | None = None
    check_interrupt: Callable[[], None] | None = None

    def __post_init__(self):
        if self.frames is not None and self.frames < 1:
            raise ValueError(f"frames: expected at least 1, got {self.frames}")
        if self.steps is not None and self.steps < 1:
            raise ValueError(f"schedule: expected steps >= 1, got {self.steps}")
        if self.fit not in MODES:
            raise ValueError(f"fit: expected one of {', '.join(MODES)}, got {self.fit!r}")
        if self.track_control is not None and self.track_control not in TRACK_CONTROLS:
            raise ValueError(
                f"control: expected one of {', '.join(TRACK_CONTROLS)}, got {self.track_control!r}"
            )
        if self.carry is not None and self.carry not in CARRIES:
            raise ValueError(f"carry: expected one of {', '.join(CARRIES)}, got {self.carry!r}")
        if self.first_latent not in FIRST_LATENTS:
            raise ValueError(
                f"first_latent: expected one of {', '.join(FIRST_LATENTS)}, got {self.first_latent!r}"
            )
        if self.history_bytes < 0:
            raise ValueError(f"history_bytes: expected at least 0, got {self.history_bytes}")

    def sampler(self, config: ModelConfig) -> SamplerConfig:
        """The model's sampler with the steps and the context that are asked for."""
        sampler = config.sampler
        if self.context is not None:
            sampler = config.rolling.with_cache_shape(self.context)
        if self.video is not None and not sampler.takes_video:
            raise ValueError(
                "model: expected one that runs on a moving buffer for a source video, got one with a rolling "
                "cache"
            )
        return sampler.adjusted(self.steps, self.buffer)

    def chunks(self, config: ModelConfig) -> int | None:
        """Chunks of the whole video, the start image's included. None for an endless stream."""
        if self.frames is None:
            return None
        sampler = self.sampler(config)
        latents = 1 + math.ceil((self.frames - 1) / config.vae_stride[0])
        if not sampler.from_image:
            return math.ceil(latents / sampler.chunk_frames)
        return 1 + math.ceil((latents - 1) / sampler.chunk_frames)

    def first_frames(self, config: ModelConfig) -> int:
        """Pixel frames of chunk 0: the start image alone, or a whole chunk whose first latent frame holds
        one.
        """
        sampler = self.sampler(config)
        return 1 if sampler.from_image else config.vae_stride[0] * (sampler.chunk_frames - 1) + 1

    def denoised_chunks(self, config: ModelConfig) -> int | None:
        """The chunks that are not known from the start image."""
        chunks = self.chunks(config)
        known = config.sampler.from_image and not self.denoises_first(config)
        return chunks - 1 if chunks is not None and known else chunks

    def denoises_first(self, config: ModelConfig) -> bool:
        """Whether latent frame 0 is denoised. ValueError for a model that cannot be shown the image then."""
        if self.first_latent != "denoised":
            return False
        if config.motion is None or not config.motion.image_latent:
            raise ValueError(
                "first_latent: expected prefilled for this model, which is shown the start image by nothing "
                "else, got 'denoised'"
            )
        return config.sampler.from_image


def check_track_control(config: ModelConfig, track_control: str | None) -> str:
    """One of TRACK_CONTROLS that this model can follow. ValueError for another."""
    there = {"track head": config.motion is not None, "guided": config.sampler.guides}
    usable = [name for name in TRACK_CONTROLS if there.get(name, True)]
    chosen = track_control
    if chosen is None:
        chosen = "track head" if "track head" in usable else "none"
    if chosen not in usable:
        wanted = f"one of {', '.join(usable)}" if len(usable) > 1 else usable[0]
        raise ValueError(f"control: expected {wanted} for this model, got {chosen!r}")
    return chosen
