"""One denoising step, for samplers, teachers, trajectories and causal training alike.

Owns how a network is asked: the motion channels behind the noisy latent, the timesteps, what its output
stands for. Knows nothing of schedules, chunks or caches: what the frames attend to is the context's business.

Shapes: latents (B, C, T, H, W), their motion (B, C_m, T, H, W). A sigma is a float, a tensor (T,) or (B, T)
with one level a frame, or a tensor (B or 1, 1, T, H, W) with one a cell.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..model.context import AttentionContext
from ..model.denoiser import Denoiser
from ..model.dit import TextContext
from .flow import over_latents, to_timestep, to_x0


def predict_x0(
    net: Denoiser,
    x: Tensor,
    sigma: float | Tensor,
    motion: Tensor | None,
    text: TextContext,
    context: AttentionContext,
    timestep: float | None = None,
) -> Tensor:
    """The clean latents that the network predicts from noisy ones.

    Args:
        net: the network.
        x: noisy latents.
        sigma: their noise levels.
        motion: their motion channels. None for a model without.
        text: of the whole chunk.
        context: what the frames attend to.
        timestep: what the network is told. By default 1000 sigma.
    """
    config = net.config
    if isinstance(sigma, Tensor) and sigma.ndim == 1:
        sigma = sigma.expand(x.shape[0], -1)
    told = sigma if timestep is None else timestep / 1000
    out = net(_with_motion(x, motion), to_timestep(told, x.shape[0], x.shape[2], x.device), text, context)
    warp = None
    if config.prediction == "gated_x0":
        assert motion is not None
        warp = motion[:, config.require_motion.parts["warp"]]
    return to_x0(out, x, sigma, config.prediction, warp)


def write_context(
    net: Denoiser, latents: Tensor, motion: Tensor | None, text: TextContext, context: AttentionContext
) -> None:
    """The clean-context pass: clean latents at timestep 0, whose keys and values the context keeps.

    Args:
        net: the network.
        latents: (B, C, T, H, W), clean.
        motion: their motion channels, None for a model without.
        text: of the chunk.
        context: what they attend to and are written to.
    """
    net(
        _with_motion(latents, motion),
        to_timestep(0.0, latents.shape[0], latents.shape[2], latents.device),
        text,
        context,
    )


def euler_step(x: Tensor, x0: Tensor, sigma: float | Tensor, sigma_next: float | Tensor) -> Tensor:
    """One step of the probability-flow ODE, dx / d sigma = (x - x0) / sigma, down to sigma_next."""
    return x0 + (x - x0) * over_latents(sigma_next / sigma)


def _with_motion(latents: Tensor, motion: Tensor | None) -> Tensor:
    return latents if motion is None else torch.cat([latents, motion], dim=1)
