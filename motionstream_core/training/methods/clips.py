"""A bidirectional model on a whole clip: the start image clean in front, every other latent frame at one
noise level. TrackWan's teacher has its first latent frame at that level too.

Owns that layout. Latents (B, C, t, h, w): first has one latent frame, noisy the t - 1 behind it. sigma (B,).
"""

from __future__ import annotations

import torch
from torch import Tensor

from ...model.attention import Backend
from ...model.config import ModelConfig
from ...model.context import bidirectional_context
from ...model.dit import TextContext
from ...model.windows import plain_attention
from ...sampling.flow import add_noise
from ...sampling.step import predict_x0
from .roles import MotionModel


def predict_clip(
    model: MotionModel, first: Tensor, noisy: Tensor, sigma: Tensor, motion: Tensor, text: TextContext
) -> Tensor:
    """The clean latents of `noisy` as the model predicts them -> (B, C, t - 1, h, w).

    Args:
        model: a bidirectional model.
        first: the start image as `first_of` gives it.
        noisy: (B, C, t - 1, h, w) behind it.
        sigma: (B,).
        motion: (B, C_m, t, h, w), of the start image too.
        text: of the batch.
    """
    before = sigma if noises_first(model.config) else torch.zeros_like(sigma)
    levels = torch.cat([before[:, None], sigma[:, None].expand(-1, noisy.shape[2])], dim=1)
    x = torch.cat([first, noisy], dim=2)
    return predict_x0(
        model, x, levels, motion, text, bidirectional_context(model.config, attention_of(model.config))
    )[:, :, 1:]


def noises_first(config: ModelConfig) -> bool:
    """Whether latent frame 0 is noised as all others are: it is told of the start image beside it."""
    return config.motion is not None and config.motion.known


def first_of(model: MotionModel, first: Tensor, sigma: Tensor, rng: torch.Generator) -> Tensor:
    """The start image's latent as a clip has it in front: clean, or noised for a model that knows it so."""
    if not noises_first(model.config):
        return first
    noise = torch.randn(first.shape, generator=rng, device=rng.device).to(first.device)
    return add_noise(first, noise, sigma[:, None].expand(-1, 1))


def attention_of(config: ModelConfig) -> Backend:
    """The attention to train with: plain products for the cartoon's networks, which see few keys."""
    return plain_attention if config.prediction == "velocity_skip" else "sdpa"
