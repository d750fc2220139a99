"""What a sampler asks of a network, whoever built it.

Owns the protocol alone. WanDiT, HostDiT, FastDiT and the training's MotionModel are denoisers.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from .cache import CacheShape, KVCache
from .config import NetworkConfig
from .context import AttentionContext
from .dit import TextContext


class Denoiser(Protocol):
    """A network on noisy latents. It knows no noise schedule and keeps nothing between two calls."""

    @property
    def config(self) -> NetworkConfig: ...

    @property
    def device(self) -> torch.device: ...

    def __call__(
        self, x: Tensor, timestep: Tensor, text: TextContext, context: AttentionContext, /
    ) -> Tensor:
        """x (B, C_in, T, H, W) and timestep (B, T) in 0..1000 -> (B, C_out, T, H, W)."""
        ...


class StreamDenoiser(Denoiser, Protocol):
    """A denoiser that a stream runs on: it also encodes texts and allocates its cache."""

    @property
    def dtype(self) -> torch.dtype: ...

    def encode_text(self, embeds: Tensor) -> TextContext:
        """Embeddings (B, L, text_dim) -> the keys and values of every block."""
        ...

    def make_cache(
        self, height: int, width: int, *, batch: int = 1, shape: CacheShape | None = None
    ) -> KVCache:
        """An empty rolling cache for latents of height x width cells."""
        ...
