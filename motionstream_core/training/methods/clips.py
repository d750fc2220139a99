"""A bidirectional model on a whole clip: the start image clean in front, every other latent frame at one
noise level.

Owns that layout. Latents (B, C, t, h, w): first has one latent frame, noisy the t - 1 behind it; sigma (B,).
"""

from __future__ import annotations

import torch
from torch import Tensor

from ...model.attention import Backend
from ...model.config import ModelConfig
from ...model.context import bidirectional_context
from ...model.dit import TextContext
from ...model.windows import plain
from ...sampling.step import predict_x0
from .roles import MotionModel


def predict_clip(
    model: MotionModel, first: Tensor, noisy: Tensor, sigma: Tensor, motion: Tensor, text: TextContext
) -> Tensor:
    """The clean latents of `noisy` as the model predicts them, (B, C, t - 1, h, w); motion (B, C_m, t, h, w)
    covers the start image too.
    """
    levels = torch.cat([torch.zeros_like(sigma)[:, None], sigma[:, None].expand(-1, noisy.shape[2])], dim=1)
    x = torch.cat([first, noisy], dim=2)
    return predict_x0(
        model, x, levels, motion, text, bidirectional_context(model.config, attention_of(model.config))
    )[:, :, 1:]


def attention_of(config: ModelConfig) -> Backend:
    """The attention to train with: plain products for the cartoon's networks, which see few keys."""
    return plain if config.prediction == "velocity_skip" else "sdpa"
