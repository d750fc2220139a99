"""UniPC for the rectified flow: from one noise level to the next without fresh noise, by the predictions so
far.

Owns the order-2 predictor and corrector in their B(h) = e^h - 1 form (Zhao et al., "UniPC", 2023, with data
prediction): the clean signal's share is alpha = 1 - sigma and time is lambda = log(alpha / sigma). Made for
students that were distilled on this solver. Knows nothing of networks.
"""

from __future__ import annotations

from math import expm1, log

from torch import Tensor


def time_of(sigma: float) -> float:
    return log((1 - sigma) / sigma)


class UniPC:
    """The steps of one chunk. sigmas: falling, between 0 and 1."""

    def __init__(self, sigmas: tuple[float, ...]):
        if (
            not all(0 < later < earlier < 1 for earlier, later in zip(sigmas, sigmas[1:]))
            or not 0 < sigmas[0] < 1
        ):
            raise ValueError(f"sigmas: expected falling levels between 0 and 1 for this solver, got {sigmas}")
        self.sigmas = sigmas
        self.made: list[Tensor] = []  # the clean latents predicted at each level
        self.x: Tensor | None = None  # the noisy latents of the last level, corrected

    def step(self, x: Tensor, x0: Tensor) -> Tensor:
        """The noisy latents of a level and the clean ones predicted from them -> the noisy latents of the
        next level.
        """
        if self.x is not None:
            x = self._corrected(x0)
        self.made.append(x0)
        self.x = x
        return self._predicted(x)

    def _predicted(self, x: Tensor) -> Tensor:
        number = len(self.made) - 1
        now = self.made[-1]
        moved, weight, span = self._moved(x, now, number)
        if number == 0:
            return moved
        past = (self.made[-2] - now) * (
            span / (time_of(self.sigmas[number - 1]) - time_of(self.sigmas[number]))
        )
        return moved - 0.5 * weight * past

    def _corrected(self, x0: Tensor) -> Tensor:
        """The latents of the last step's end, now that the prediction there is known."""
        number = len(self.made) - 1
        assert self.x is not None
        before = self.made[-1]
        moved, weight, span = self._moved(self.x, before, number)
        if number == 0:
            return moved - 0.5 * weight * (x0 - before)
        ratio = (time_of(self.sigmas[number - 1]) - time_of(self.sigmas[number])) / span
        first = (expm1(-span) / -span - 1) / expm1(-span)
        second = 2 * ((expm1(-span) / -span - 1) / -span - 0.5) / expm1(-span)
        share = (first - second) / (1 - ratio)  # of the past difference; the two shares sum to `first`
        return moved - weight * (share * (self.made[-2] - before) / ratio + (first - share) * (x0 - before))

    def _moved(self, x: Tensor, x0: Tensor, number: int) -> tuple[Tensor, float, float]:
        """The first-order step from a level to the next, the weight of what is added to it, and how long it
        is.
        """
        now, then = self.sigmas[number], self.sigmas[number + 1]
        span = time_of(then) - time_of(now)
        weight = (1 - then) * expm1(-span)
        return then / now * x - weight * x0, weight, span
