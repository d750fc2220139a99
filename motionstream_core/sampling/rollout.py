"""The rollout as a call: a RollingSampler on a cache that the caller brings.

Owns the checks. Training, benches and tests call it. A stream opens its sampler by settings (`open.py`).
Latents (B, C, T, H, W) float32. T counts latent frames.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..model.attention import Backend
from ..model.cache import GradKVCache, KVCache
from ..model.config import ModelConfig
from ..model.dit import TextContext, WanDiT
from .rolling import RollingSampler
from .sampler import FunctionMotion, Motion, OnStep, SamplerRun, TextSource

Text = TextContext | TextSource


def rollout(
    model: WanDiT,
    *,
    first_latent: Tensor | None,
    motion: Motion | None,
    text: Text,
    shape: tuple[int, int],
    sigmas: tuple[float, ...],
    cache: KVCache | GradKVCache,
    rng: torch.Generator,
    chunks: int | None = None,
    on_step: OnStep | None = None,
    grad: bool = False,
    exit_step: int | None = None,
    attention: Backend = "sdpa",
    first_alone: bool = False,
) -> RollingSampler:
    """An iterator: the start image's latent as chunk 0, then `chunks` denoised chunks (None: endless).

    The same arguments and state of `rng` give the same latents.

    Args:
        model: the network, whose config says how it is sampled.
        first_latent: (B, C, 1, H, W). None for a model without a start image, whose first denoised chunk is
            chunk 0.
        motion: (start, count) -> (B or 1, C_m, count, H, W), asked once at each chunk's boundary, so it may
            change live. None for a model without motion channels.
        text: one context, or (chunk index) -> context, asked at the same moment.
        shape: latent height and width.
        sigmas: noise levels of a chunk.
        cache: emptied first, then the rollout's until the iterator is dropped.
        rng: draws the noise.
        chunks: how many chunks are denoised.
        on_step: (chunk index, step), called after every denoising step. May raise to stop.
        grad: lets gradients flow, with a GradKVCache.
        exit_step: see RollingSampler.
        attention: the attention backend.
        first_alone: see RollingSampler.
    """
    batch = first_latent.shape[0] if first_latent is not None else _text_batch(text)
    _check_shapes(model.config, first_latent, batch, shape, cache)
    if (motion is None) != (model.config.motion is None):
        wanted, got = ("a function", "none") if motion is None else ("none", "a function")
        raise ValueError(f"motion: expected {wanted} for this model, got {got}")
    if not sigmas:
        raise ValueError("sigmas: expected at least one noise level, got none")
    return RollingSampler(
        model.config.rolling,
        model,
        cache=cache,
        motion=None if motion is None else FunctionMotion(motion),
        text=text if callable(text) else lambda index: text,
        first=first_latent,
        run=SamplerRun((batch, *shape), rng, chunks, on_step, attention),
        sigmas=tuple(sigmas),
        grad=grad,
        exit_step=exit_step,
        first_alone=first_alone,
    )


def _check_shapes(
    config: ModelConfig,
    first_latent: Tensor | None,
    batch: int,
    shape: tuple[int, int],
    cache: KVCache | GradKVCache,
) -> None:
    grid = config.token_grid(*shape)
    expected = (batch, config.latent_channels, 1, *shape)
    if first_latent is not None and first_latent.shape != expected:
        raise ValueError(f"first latent: expected {expected}, got {tuple(first_latent.shape)}")
    if cache.rope.grid != grid:
        raise ValueError(f"cache: expected one for a token grid of {grid}, got {cache.rope.grid}")


def _text_batch(text: Text) -> int:
    return (text(0) if callable(text) else text).values[0].shape[0]
