"""A refreshed sink in training: in mid-clip the newest latent frames become the beginning, as in a scene
change of a stream.

Owns when that happens to a batch, and what the student is told of the motion afterwards: a start-image latent
in the frame that is now the first, and for presets with a warped start image, motion taken from the last
frame made, with every track anchored where it is there. The order of things is `Rollout.change_scene`'s and
the warped start image `MotionConditioner`'s. Both are called, not repeated.

Shapes as in `roles`. pictures (B, 3, H, W) 0..1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ...codec.tiny import TinyCodec
from ...model.cache import CacheShape
from ...model.motion import TrackHead
from ...model.presets import ModelConfig
from ...streaming.motion_conditioner import MotionConditioner
from ...tracks.types import TrackChunk
from ..engine.stage import Draws
from .roles import Batch, MotionModel


@dataclass(frozen=True)
class SinkRefresh:
    """How often training meets a refreshed sink. `codec` makes the picture that motion is taken from
    afterwards, for presets that carry one.
    """

    share: float = 0.0
    codec: TinyCodec | None = None

    def __post_init__(self):
        if not 0 <= self.share <= 1:
            raise ValueError(f"refresh: expected a share of 0..1, got {self.share}")

    def check(self, config: ModelConfig):
        """ValueError where this preset cannot meet one."""
        if not self.share:
            return
        if "warp" in config.require_motion.parts and self.codec is None:
            raise ValueError(
                "refresh: expected a codec (--codec FILE, the one that the latents were made with) for a "
                "preset with a warped start image, got none"
            )
        if not config.rolling.cache_shape.sink:
            raise ValueError(
                f"refresh: expected a context with a sink, got {config.rolling.cache_shape.label}"
            )

    def drawn(self, draws: Draws) -> bool:
        """Whether this step meets one: the same in all its micro-batches and processes, because it decides
        which forwards are made.
        """
        return self.share > 0 and draws.shared.chance(self.share)


def least_chunks(context: CacheShape) -> int:
    """How many chunks behind a start image fill a sink anew: before that `Rollout.change_scene` does
    nothing.
    """
    return max(1, math.ceil((2 * context.sink - 1) / context.chunk))


def draw_refresh_chunk(draws: Draws, context: CacheShape, chunks: int) -> int:
    """Behind which of a clip's chunks (1, 2, …, but the last) the sink is refreshed. 0 where the clip is too
    short for it.
    """
    least = least_chunks(context)
    return least + draws.shared.choice(chunks - least) if chunks > least else 0


NEVER = SinkRefresh()


class MotionTimeline:
    """The rollout's `motion` of a training clip, `motion` (B, C_m, t, h, w) of its tracks, until the picture
    that it is taken from changes.
    """

    def __init__(self, model: MotionModel, batch: Batch, motion: Tensor, codec: TinyCodec | None):
        self.model, self.batch, self.motion, self.codec = model, batch, motion, codec
        self.pictures: list[tuple[int, Tensor]] = []

    def __call__(self, start: int, count: int) -> Tensor:
        return self.motion[:, :, start : start + count]

    def as_first_frame(self, motion: Tensor, latents: Tensor) -> Tensor:
        """`MotionConditioner.as_first_frame`, of a whole batch."""
        return as_first_frame(self.model.config, motion, latents)

    @torch.no_grad()
    def set_reference(self, start: int, latents: Tensor):
        """From latent frame `start` on, motion is taken from the last frame that `latents` (B, C, t, h, w),
        start image first, are decoded to.
        """
        if "warp" not in self.model.config.require_motion.parts:
            return
        assert self.codec is not None, "Refresh.check"
        codec = self.codec.to(latents.device)
        if not self.pictures:
            self.pictures.append((0, codec.decode(latents[:, :, :1])[:, 0]))
        self.pictures.append((start, codec.decode(latents)[:, -1]))
        parts = self.model.config.require_motion.parts
        told = slice(parts["warp"].start, parts["mask"].stop)
        self.motion = self.motion.clone()
        made = encode_warp(self.model, codec, self.batch, self.pictures)
        self.motion[:, told, start:] = made[:, :, start:].to(self.motion)


def as_first_frame(config: ModelConfig, motion: Tensor, latents: Tensor) -> Tensor:
    """The condition (B, C_m, t, h, w) of these latents, as if the first of them were the start image's."""
    part = config.require_motion.parts.get("image")
    if part is None:
        return motion
    image = torch.zeros_like(motion[:, part])
    image[:, :, :1] = latents[:, :, :1].to(motion)
    return torch.cat([motion[:, : part.start], image, motion[:, part.stop :]], dim=1)


@torch.no_grad()
def encode_warp(
    model: MotionModel, codec: TinyCodec, batch: Batch, pictures: Sequence[tuple[int, Tensor]]
) -> Tensor:
    """Latents and masks (B, C_w, t, h, w) of the warped start image, which is another one from each (latent
    frame, picture) on.
    """
    return torch.cat(
        [
            _encode_clip_warp(
                model, codec, batch, row, [(start, picture[row]) for start, picture in pictures]
            )
            for row in range(len(batch["xy"]))
        ]
    )


def _encode_clip_warp(
    model: MotionModel, codec: TinyCodec, batch: Batch, row: int, pictures: list[tuple[int, Tensor]]
) -> Tensor:
    """Of one clip, by the Conditioner of inference."""
    config = model.config
    motion = config.require_motion
    latents = batch["latents"]
    xy = batch["xy"][row]
    told = batch["visible"][row]
    moving = told | batch["unspecified"][row] if "unspecified" in batch else told
    given = moving.any(0)
    given[0] |= not given.any()
    xy, told, moving = xy[:, given].float(), told[:, given], moving[:, given]
    anchors = xy[0]

    def source(first: int, count: int) -> TrackChunk:
        part = slice(first, first + count)
        return TrackChunk(xy[part], told[part], moving[part], anchors)

    # A head of its own, whose part is not used: the model's may be divided over processes.
    with torch.random.fork_rng(devices=[]):
        head = TrackHead(motion.map_channels, motion.head_channels).to(latents.device)
    place = MotionConditioner(config, head, codec, pictures[0][1], source, torch.Generator().manual_seed(0))
    later, made = dict(pictures[1:]), []
    for start, count in _pieces(latents.shape[2], config.rolling.cache_shape.chunk):
        if start in later:
            place.set_reference(later[start])
            anchors = xy[config.vae_stride[0] * (start - 1)]
        made.append(place.take(range(start, start + count)))
    parts = motion.parts
    return torch.cat(made, dim=2)[:, parts["warp"].start : parts["mask"].stop]


def _pieces(frames: int, chunk: int) -> list[tuple[int, int]]:
    """(start, count) of the start image and of every chunk."""
    return [(0, 1), *((start, min(chunk, frames - start)) for start in range(1, frames, chunk))]
