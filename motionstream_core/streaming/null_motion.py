"""A stream whose model is told nothing of motion: the tracks are read, so that they can be shown and handed
on, but nothing follows them.

Owns what a course asks of a Conditioner, without one. Shapes as in `condition.py`.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..codec.tiny import CodecState
from ..model.config import ModelConfig
from ..tracks.types import TrackChunk, TrackSource
from .motion_conditioner import MotionSnapshot, pixel_span


class NullMotion:
    """The start image's latent, and the piece of the tracks that belongs to the chunk in work."""

    def __init__(self, config: ModelConfig, codec: Any, image: Tensor, source: TrackSource):
        self.source = source
        self.parts = None if config.motion is None else config.motion.parts
        self.stride = config.vae_stride
        self.grid = (image.shape[-2] // config.vae_stride[1], image.shape[-1] // config.vae_stride[2])
        self.image = image
        self.image_latent = codec.encode(image[None, None])
        self.piece: TrackChunk | None = None
        self.carried = None  # nothing that a detail head could take texture from
        self.next = 0

    def follow(self, count: int):
        """The chunk of the next `count` latent frames is about to be made."""
        self.piece = self.source(*pixel_span(self.next, count, self.stride[0]))
        self.next += count

    def origin(self, places: Tensor) -> Tensor:
        return places

    def rebase(self, image: Tensor):
        self.image = image.to(self.image)

    def as_start(self, motion: Tensor, latents: Tensor) -> Tensor:
        if self.parts is None or "image" not in self.parts:
            return motion
        motion = motion.clone()
        motion[:, self.parts["image"], :1] = latents[:, :, :1].to(motion)
        return motion

    def snapshot(self) -> MotionSnapshot:
        return MotionSnapshot(
            torch.empty(0), self.next > 0, self.image, None, CodecState([]), self.next, self.piece
        )

    def restore(self, kept: MotionSnapshot):
        self.image, self.next, self.piece = kept.image, kept.next, kept.piece
