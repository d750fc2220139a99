"""Guided denoising: any few-step student is led along tracks by where its schedule begins.

Each chunk starts from the guide's latents, noised less inside the moved region than outside.
At every step but the last the prediction inside is set back to the guide, at the last one by `keep` only.
This is region-wise SDEdit with two clocks, as in Time-to-Move (arXiv 2511.08633).

Shapes: latents (B, C, t, h, w). mask (1, 1, t, h, w) 0..1, 1 where the guide holds. levels (1, 1, t, h, w).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from .flow import add_noise

INSIDE = 0.5
KEEP = 0.5

Predict = Callable[[Tensor, Tensor], Tensor]  # noisy latents and their levels -> clean latents


@dataclass(frozen=True)
class GuideStrength:
    """How strongly a guide leads.

    Args:
        inside: noise level inside the moved region, as a share of the one outside.
        keep: how far the last prediction goes back to the guide. 0 leaves it to the model, 1 is the guide.
    """

    inside: float = INSIDE
    keep: float = KEEP

    def __post_init__(self):
        if not (0 < self.inside <= 1 and 0 <= self.keep <= 1):
            raise ValueError(
                f"guide: expected 0 < inside <= 1 and 0 <= keep <= 1, got {self.inside} and {self.keep}"
            )


@dataclass(frozen=True)
class LatentGuide:
    """Where a chunk should be, and where that is known."""

    latents: Tensor
    mask: Tensor
    strength: GuideStrength = GuideStrength()

    def levels(self, sigma: float) -> Tensor:
        """The noise level of every cell when it is `sigma` outside."""
        return sigma * (1 - (1 - self.strength.inside) * self.mask)

    def hold(self, x0: Tensor, share: float) -> Tensor:
        """A prediction with `share` of the way back to the guide, inside."""
        return torch.lerp(x0, self.latents.expand_as(x0), share * self.mask)


def denoise_guided(
    predict: Predict,
    noise: Callable[[], Tensor],
    sigmas: tuple[float, ...],
    guide: LatentGuide,
    on_step: Callable[[int], None] | None = None,
) -> Tensor:
    """Few-step denoising that begins at the guide -> the chunk (B, C, t, h, w).

    Args:
        predict: (x, levels), as many calls as there are noise levels, the same as without a guide.
        noise: draws noise of the chunk's shape.
        sigmas: noise levels, highest first.
        guide: latents, mask and strength.
        on_step: called with the number of a step behind it.
    """
    x0 = guide.latents
    for step, sigma in enumerate(sigmas):
        levels = guide.levels(sigma)
        x0 = predict(add_noise(x0, noise(), levels), levels)
        x0 = guide.hold(x0, guide.strength.keep if step == len(sigmas) - 1 else 1.0)
        if on_step is not None:
            on_step(step)
    return x0
