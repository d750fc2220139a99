"""A start image and tracks in, a whole clip out, by a bidirectional network such as TrackWan's teacher.

Owns what such a network is told of picture, tracks and text, and the decode piece by piece. How its latents
are made is `sampling/whole_clip.py`'s. It is no stream: every frame waits for all others.
Shapes: image (H, W, 3) 0..1. frames (T, H, W, 3) 0..1. latents (1, C, t, h, w).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from einops import rearrange
from torch import Tensor

from ..codec.base import TIME_STRIDE
from ..model.attention import Backend
from ..model.compiled import FastDiT
from ..model.dit import TextContext
from ..model.weights.networks import Networks, Transformer, check_size
from ..sampling.joint_guidance import Guidance
from ..sampling.whole_clip import ClipConditions, clip_levels, sample_whole_clip
from ..tracks.types import TrackChunk, Tracks
from .motion_conditioner import MotionConditioner
from .null_motion import NullMotion

DECODED = 3  # latent frames of a piece: a decoder's memory is that of one piece


@dataclass(frozen=True)
class ClipOptions:
    """What is asked of a clip.

    Args:
        frames: of the video.
        seed: of the noise.
        steps: None: as many as the model was made for.
        guidance: the weights of text and motion.
        id_seed: of the random id that each track gets.
        see: a picture (H, W, 3) to its features (1, tokens, width), for a network that looks at one.
        text_as_picture: the first text tokens go through the picture's projections in the place of
            features: how TrackWan's teacher was probably trained.
        backend: attention.
        on_step: called with the number of a step behind it. May raise to stop.
    """

    frames: int
    seed: int = 0
    steps: int | None = None
    guidance: Guidance = Guidance()
    id_seed: int = 0
    see: Callable[[Tensor], Tensor] | None = None
    text_as_picture: bool = False
    backend: Backend = "sdpa"
    on_step: Callable[[int], None] | None = None

    @property
    def latent_frames(self) -> int:
        """Latent frames that hold the video's frames. The last may hold more."""
        return 1 + -(-(self.frames - 1) // TIME_STRIDE)

    def levels(self, networks: Networks) -> tuple[float, ...]:
        """The noise levels of the steps, 0 behind them."""
        config = networks.config
        return clip_levels(self.steps or config.sampler.steps, config.rolling.shift)


@dataclass(frozen=True)
class WholeClip:
    """What came out: frames, latents, and the tracks that were told."""

    frames: Tensor
    latents: Tensor
    tracks: Tracks


@torch.no_grad()
def make_whole_clip(
    networks: Networks, image: Tensor, tracks: Tracks, embeds: Tensor, options: ClipOptions
) -> WholeClip:
    """The clip of a start image, tracks of the video's length on a canvas of its size, and a text.

    Args:
        networks: the model.
        image: (H, W, 3) 0..1.
        tracks: of the video's length, on a canvas of the image's size.
        embeds: (1, L, text_dim) of the text.
        options: length, steps and guidance.
    """
    dit, config = networks.dit, networks.config
    height, width = image.shape[:2]
    check_size(config, width, height)
    if (tracks.width, tracks.height, tracks.frames) != (width, height, options.frames):
        raise ValueError(
            f"tracks: expected {options.frames} frames on {width}x{height}, got {tracks.frames} on "
            f"{tracks.width}x{tracks.height}"
        )
    levels = options.levels(networks)
    conditions = ClipConditions(
        *motion_of_clip(networks, image, tracks, options),
        *texts_of_clip(dit, image, embeds, options),
    )
    rng = torch.Generator().manual_seed(options.seed)
    size = (1, config.latent_channels, *conditions.motion.shape[2:])
    latents = sample_whole_clip(
        dit,
        torch.randn(size, generator=rng).to(dit.device),
        conditions,
        options.guidance,
        levels,
        backend=options.backend,
        on_step=options.on_step,
    )
    return WholeClip(decoded(networks, latents)[: options.frames], latents, tracks)


def motion_of_clip(
    networks: Networks, image: Tensor, tracks: Tracks, options: ClipOptions
) -> tuple[Tensor, Tensor]:
    """The motion channels of all latent frames, and those that say nothing of any track: a map of zeros,
    beside the same picture.
    """
    config, head = networks.config, networks.track_head
    if head is None:
        raise ValueError("model: expected one with a track head, got one without")
    picture = rearrange(image, "h w c -> c h w").float().to(networks.dit.device)
    frames = range(options.latent_frames)

    def source(start: int, count: int) -> TrackChunk:
        held = tracks.at(start, count, "hold")
        return TrackChunk(held.xy, held.visible, held.visible, tracks.xy[0])

    rng = torch.Generator().manual_seed(options.id_seed)
    still = (tracks.xy == tracks.xy[:1]).all(-1).all(0)
    told = MotionConditioner(config, head, networks.codec, picture, source, rng, still=still)
    silent = NullMotion(config, networks.codec, picture, source).at(frames)
    assert silent is not None
    return told.at(frames), silent


def texts_of_clip(
    dit: Transformer, image: Tensor, embeds: Tensor, options: ClipOptions
) -> tuple[TextContext, TextContext]:
    """The text, and none: embeddings of zeros, with the same picture beside them."""
    nothing = torch.zeros_like(embeds)
    if isinstance(dit, FastDiT):
        raise ValueError("model: expected the network as it is for a whole clip, got a compiled one")
    if options.text_as_picture:
        return dit.text_as_picture(embeds), dit.text_as_picture(nothing)
    if options.see is None:
        return dit.encode_text(embeds), dit.encode_text(nothing)
    features = options.see(image)
    return dit.encode_text(embeds, features), dit.encode_text(nothing, features)


def decoded(networks: Networks, latents: Tensor) -> Tensor:
    """The frames (T, H, W, 3) on the CPU, decoded piece by piece."""
    codec = networks.codec
    state, made = codec.start_decode(), []
    for piece in (latents[:, :, :1], *latents[:, :, 1:].split(DECODED, dim=2)):
        if piece.shape[2]:
            frames, state = codec.decode_chunk(piece, state)
            made.append(rearrange(frames[0], "t c h w -> t h w c").float().cpu())
    return torch.cat(made)
