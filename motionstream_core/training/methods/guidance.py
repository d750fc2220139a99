"""Joint text and motion guidance (MotionStream, equation 2).

Owns the arithmetic and the three evaluations of a step. A clean-latent prediction is linear in the velocity
and the coefficients sum to 1, so the same weights hold for both; everything here speaks of x0.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ...model.dit import TextContext
from .clips import predict_clip
from .roles import MotionModel, stacked


@dataclass(frozen=True)
class Guidance:
    """w_t and w_m of equation 2; 3.0 and 1.5 in the paper. Both 0 is no guidance at all: one evaluation."""

    text: float = 3.0
    motion: float = 1.5

    def __post_init__(self):
        if self.text < 0 or self.motion < 0:
            raise ValueError(f"guidance: expected weights >= 0, got text {self.text}, motion {self.motion}")

    @property
    def active(self) -> bool:
        return self.text + self.motion > 0

    def coefficients(self) -> tuple[float, float, float]:
        """Of the predictions with (text and motion, motion alone, text alone); their sum is 1.

        v_base + w_t (v - v(0, c_m)) + w_m (v - v(c_t, 0)) with v_base = a v(0, c_m) + (1 - a) v(c_t, 0), a =
        w_t / (w_t + w_m).
        """
        if not self.active:
            return 1.0, 0.0, 0.0
        share = self.text / (self.text + self.motion)
        return self.text + self.motion, share - self.text, 1 - share - self.motion


NO_GUIDANCE = Guidance(0.0, 0.0)


def combined(both: Tensor, no_text: Tensor, no_motion: Tensor, guidance: Guidance) -> Tensor:
    a, b, c = guidance.coefficients()
    return a * both + b * no_text + c * no_motion


def guided_clip(
    model: MotionModel,
    first: Tensor,
    noisy: Tensor,
    sigma: Tensor,
    motion: tuple[Tensor, Tensor],
    text: tuple[TextContext, TextContext],
    guidance: Guidance,
) -> Tensor:
    """The clean latents a bidirectional model predicts under guidance: `predict_clip`, three evaluations in
    one batch.

    motion: (the tracks', none); text: (the prompt's, the empty one).
    """
    if not guidance.active:
        return predict_clip(model, first, noisy, sigma, motion[0], text[0])
    all_three = predict_clip(
        model,
        torch.cat([first] * 3),
        torch.cat([noisy] * 3),
        torch.cat([sigma] * 3),
        torch.cat([motion[0], motion[0], motion[1]]),
        stacked(text[0], text[1], text[0]),
    )
    both, no_text, no_motion = all_three.chunk(3)
    return combined(both, no_text, no_motion, guidance)
