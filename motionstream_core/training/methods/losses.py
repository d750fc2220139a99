"""The losses of the stages, as pure functions of predictions: flow matching, ODE regression, distribution
matching.

Owns the formulas. Knows nothing of networks, noise schedules or files. Latents (B, C, T, H, W). sigma (B,) in
0..1.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ...sampling.flow import shift_sigma

SCORE_LOW, SCORE_HIGH = (
    0.02,
    0.98,
)  # noise levels at which scores are compared, as in Self Forcing's [20, 980] of 1000


def per_sample(error: Tensor, cells: Tensor | None = None) -> Tensor:
    """Mean over everything but the batch: (B,). cells: weights (B, 1, T, H, W) of latent cells."""
    if cells is None:
        return error.flatten(1).mean(1)
    return (error * cells).flatten(1).mean(1) / cells.flatten(1).mean(1)


def most_weight(prediction: str, most: float) -> float:
    """The most that a noise level counts in `flow_loss`: `most` for networks that predict x0 themselves,
    else any.
    """
    return most if prediction == "gated_x0" else float("inf")


def bell_weight(sigma: Tensor) -> Tensor:
    """Wan's weight over noise levels, exp(-2 (sigma - 1/2)^2), scaled to a mean of 1 over uniform levels."""
    return torch.exp(-2 * (sigma - 0.5) ** 2) / 0.8556


def flow_loss(
    x0_hat: Tensor,
    x0: Tensor,
    sigma: Tensor,
    most: float = float("inf"),
    weight: Tensor | None = None,
    cells: Tensor | None = None,
) -> Tensor:
    """Flow matching: the squared error of the velocity, |x0_hat - x0|^2 / sigma^2 (section 3.1).

    Args:
        x0_hat: (B, C, T, H, W), predicted.
        x0: the truth.
        sigma: (B,) in 0..1.
        most: cap of a level's factor. It is for networks that predict x0 themselves: near sigma 0 their
            velocity error is a division by nothing.
        weight: (B,) a further factor of the samples.
        cells: (B, 1, T, H, W) weights within a sample.
    """
    factor = (1 / sigma.square()).clamp(max=most)
    if weight is not None:
        factor = factor * weight
    return (factor * per_sample((x0_hat - x0).square(), cells)).mean()


def score_sigma(size: int, shift: float, rng: torch.Generator) -> Tensor:
    """(B,) noise levels at which real and fake scores meet: uniform, shifted, then held within .02 and .98.
    One level for all frames of a clip.
    """
    return shift_sigma(torch.rand(size, generator=rng, device=rng.device), shift).clamp(SCORE_LOW, SCORE_HIGH)


def dmd_gradient(x0: Tensor, real_x0: Tensor, fake_x0: Tensor) -> Tensor:
    """Direction from the real score to the fake one, in clean latents: (fake - real) / mean|x0 - real| of
    each clip (DMD2's normalisation).

    x0 - gradient is a step towards what the teacher would have made of the student's own video. Exactly zero
    where the scores agree, also where x0 is the real score's. A score that is no number makes a gradient that
    is none, so that training stops instead of standing still.
    """
    scale = per_sample((x0 - real_x0).abs()).view(-1, *[1] * (x0.ndim - 1))
    return (fake_x0 - real_x0) / scale.clamp(min=1e-8)


def dmd_loss(x0: Tensor, gradient: Tensor) -> Tensor:
    """A loss whose gradient in x0 is `gradient` / number of elements: 0.5 |x0 - stop(x0 - gradient)|^2, in
    float64 as in the reference.
    """
    target = (x0.double() - gradient.double()).detach()
    return 0.5 * (x0.double() - target).square().mean()


def regression_loss(x0_hat: Tensor, x0: Tensor, cells: Tensor | None = None) -> Tensor:
    """ODE regression: the trajectory's end from one of its states. cells as in `flow_loss`."""
    error = (x0_hat - x0).square()
    return error.mean() if cells is None else per_sample(error, cells).mean()
