"""A chunk of a stream, from the moment its latents are made until its frames are shown.

Owns that one value. Knows nothing of how either is made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from .decoders import DecodeFuture

STAGES = ("motion_s", "denoise_s", "cache_s", "decode_s")
NO_FRAMES = torch.empty(0, 0, 0, 3)


class NotFinite(ValueError):
    """What a network made holds NaN or infinity."""


@dataclass
class LastFrame:
    """The last frame (H, W, 3) of a chunk, once it is there. Snapshots share it with the chunk."""

    picture: Tensor | None = None


@dataclass
class Pending:
    """What belongs to a chunk while it is decoded.

    Args:
        decode: the decode in flight.
        count: frames to show of what is decoded.
        boundary: when the chunk's boundary was, where controls and tracks are read.
        timings: seconds of the sampler's stages. May wait for the latents.
        held: what the decode reads, kept until it has.
    """

    decode: DecodeFuture
    count: int
    boundary: float
    timings: Callable[[], dict[str, float]]
    held: object = None


@dataclass
class Chunk:
    """Frames start .. start + T - 1, and what they cost.

    A chunk whose index is not above the last one's follows a rewind: it replaces what was made from that
    index on.

    Args:
        index: number of the chunk.
        start: number of its first frame.
        frames: (T, H, W, 3) 0..1. Empty while the decode is pending.
        latents: (1, C, t, h, w).
        timings: seconds of this chunk, by STAGES.
        first_frame_s: from the call of `stream` to the first decoded frame.
        fps: frames a second since that first frame, waiting left out. 0 in chunk 0.
        cache_bytes: memory of the sampler, constant for the whole stream.
        xy: (T, N, 2) where the points were told to be. N grows when points are added live.
        visible: (T, N).
        epoch: the session's.
        handles: of a live stream, for every frame (id, x, y, kind).
        latency_s: from the chunk's boundary to its decoded frames. The clean-context pass of the chunk before
            (cache_s) was made before that boundary.
        pending: the decode, until `StreamPipeline.finish` has waited for it.
        last: its last frame, once it is there.
        pixels: the frames as uint8, where the device has made them. Views and files take `as_bytes`.
    """

    index: int
    start: int
    frames: Tensor
    latents: Tensor
    timings: dict[str, float]
    first_frame_s: float
    fps: float
    cache_bytes: int
    xy: Tensor
    visible: Tensor
    epoch: int = 0
    handles: tuple = ()
    latency_s: float = 0.0
    pending: Pending | None = None
    last: LastFrame = field(default_factory=LastFrame)
    pixels: Tensor | None = None

    @property
    def as_bytes(self) -> Tensor:
        """What a viewer or a file makes bytes of: those of the device, else the frames as they are."""
        return self.frames if self.pixels is None else self.pixels

    def check_finite(self):
        """Raises NotFinite for latents or frames with NaN or infinity: they would be shown as black.

        Latents on another device are left out, since that would wait for its queue: a decoder passes NaN on.
        """
        for name, made in (("latents", self.latents), ("frames", self.frames)):
            # A sum reads once and makes nothing: a thirtieth of the time of a test number by number.
            if made.device.type == "cpu" and not bool(made.sum(dtype=torch.float32).isfinite()):
                raise NotFinite(f"chunk {self.index}: expected finite numbers, got NaN in its {name}")
