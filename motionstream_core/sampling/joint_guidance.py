"""Joint text and motion guidance (MotionStream, equation 2).

Owns the arithmetic. A clean-latent prediction is linear in the velocity and the coefficients sum to 1, so the
same weights hold for both.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Guidance:
    """w_t and w_m of equation 2. 3.0 and 1.5 in the paper. Both 0 is no guidance at all: one evaluation."""

    text: float = 3.0
    motion: float = 1.5

    def __post_init__(self):
        if self.text < 0 or self.motion < 0:
            raise ValueError(f"guidance: expected weights >= 0, got text {self.text}, motion {self.motion}")

    @property
    def active(self) -> bool:
        return self.text + self.motion > 0

    def coefficients(self) -> tuple[float, float, float]:
        """Of the predictions with (text and motion, motion alone, text alone). Their sum is 1.

        v_base + w_t (v - v(0, c_m)) + w_m (v - v(c_t, 0)) with v_base = a v(0, c_m) + (1 - a) v(c_t, 0), a =
        w_t / (w_t + w_m).
        """
        if not self.active:
            return 1.0, 0.0, 0.0
        share = self.text / (self.text + self.motion)
        return self.text + self.motion, share - self.text, 1 - share - self.motion


NO_GUIDANCE = Guidance(0.0, 0.0)


def combine_guidance(both: Tensor, no_text: Tensor, no_motion: Tensor, guidance: Guidance) -> Tensor:
    """The guided prediction of the three predictions."""
    a, b, c = guidance.coefficients()
    return a * both + b * no_text + c * no_motion
