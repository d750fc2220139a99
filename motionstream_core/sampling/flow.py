"""The rectified flow: noise levels, noising, and what a prediction says about the clean latent.

Owns the schedule and its shift. x = (1 - sigma) x0 + sigma noise, velocity = noise - x0, sigma in 0..1. The
timestep 1000 sigma exists only at the network's embedding. Latents (B, C, T, H, W). A sigma is a float, a
tensor (B, T) with one level a frame, or a tensor (B, 1, T, H, W) with one a cell.
"""

import torch
from torch import Tensor

from ..model.config import ModelConfig, RollingConfig
from ..model.skip import velocity_of

UNIPC_TOP = 0.999  # the deterministic solver needs some signal in its first level
GATE_BIAS = 3.0  # an untrained head (zeros) opens the gate to sigmoid(3) = 0.95: the warp is copied


def shift_sigma(sigma, shift: float):
    """s sigma / (1 + (s - 1) sigma), for a float or a tensor."""
    return shift * sigma / (1 + (shift - 1) * sigma)


def sigma_schedule(steps: int, shift: float, top: float = 1.0) -> tuple[float, ...]:
    """The noise levels of a few-step rollout: `top` k / steps for k = steps..1, shifted."""
    if steps < 1 or shift <= 0:
        raise ValueError(f"schedule: expected steps >= 1 and shift > 0, got {steps} and {shift}")
    return tuple(shift_sigma(top * k / steps, shift) for k in range(steps, 0, -1))


def rolling_sigmas(sampler: RollingConfig) -> tuple[float, ...]:
    """The noise levels of a chunk: the sampler's own list, or shifted ones."""
    if sampler.sigmas is not None:
        return sampler.sigmas
    return sigma_schedule(sampler.steps, sampler.shift, UNIPC_TOP if sampler.solver == "unipc" else 1.0)


def schedule_of(config: ModelConfig, steps: int | None = None) -> tuple[float, ...]:
    """The noise levels of a model of the rolling sampler, with another number of steps where one is given."""
    sampler = config.rolling
    return rolling_sigmas(sampler if steps is None else sampler.with_steps(steps))


def model_timesteps(sampler: RollingConfig, sigmas: tuple[float, ...]) -> tuple[float, ...]:
    """The model timesteps of these noise levels: 1000 sigma unless the checkpoint has its own."""
    if sampler.timesteps is not None and sigmas == sampler.sigmas:
        return sampler.timesteps
    timesteps = tuple(1000.0 * sigma for sigma in sigmas)
    # Students of the multistep solver were trained on whole timesteps.
    return tuple(map(float, map(int, timesteps))) if sampler.solver == "unipc" else timesteps


def to_timestep(sigma: float | Tensor, batch: int, frames: int, device: torch.device | str) -> Tensor:
    """The network's timesteps (B, T) of one noise level, of levels (B, T) of frames, or of levels (B or 1, 1,
    T, H, W) of cells by their mean in each frame.
    """
    if isinstance(sigma, Tensor) and sigma.ndim == 2:
        return 1000.0 * sigma
    if isinstance(sigma, Tensor):
        return 1000.0 * sigma.mean((1, 3, 4)).expand(batch, frames).to(device)
    return torch.full((batch, frames), 1000.0 * sigma, device=device)


def add_noise(x0: Tensor, noise: Tensor, sigma: float | Tensor) -> Tensor:
    """(1 - sigma) x0 + sigma noise."""
    sigma = over_latents(sigma)
    return (1 - sigma) * x0 + sigma * noise


def to_x0(
    prediction: Tensor, x: Tensor, sigma: float | Tensor, kind: str, warp: Tensor | None = None
) -> Tensor:
    """The clean latent a network's output stands for.

    velocity: x - sigma v. velocity_skip: the same, with v by `velocity_of`. gated_x0: the output is [F, g]
    along the channels and x0 = sigmoid(g + 3) warp + F.

    Args:
        prediction: what the network gave.
        x: (B, C, T, H, W) noisy latents.
        sigma: their noise levels.
        kind: one of the three.
        warp: the start image's latent moved along the tracks, for gated_x0.
    """
    if kind == "velocity_skip":
        prediction, kind = velocity_of(prediction, x, sigma), "velocity"
    if kind == "velocity":
        return x - over_latents(sigma) * prediction
    if kind != "gated_x0":
        raise ValueError(f"prediction: expected 'velocity' or 'gated_x0', got {kind!r}")
    if warp is None:
        raise ValueError("prediction gated_x0: expected a warp latent, got none")
    residual, gate = prediction.chunk(2, dim=1)
    return torch.sigmoid(gate + GATE_BIAS) * warp + residual


def over_latents(sigma: float | Tensor) -> float | Tensor:
    """A level that multiplies latents (B, C, T, H, W): levels (T,) or (B, T) of frames are given their
    dimensions.
    """
    if isinstance(sigma, Tensor) and sigma.ndim in (1, 2):
        return sigma.reshape(-1 if sigma.ndim == 2 else 1, 1, sigma.shape[-1], 1, 1)
    return sigma
