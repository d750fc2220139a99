"""The latents (and their motion) of what a rolling cache keeps, so that its keys and values can be made
again.

Owns which latent frames those are and the pieces in which they are committed anew. Knows nothing of networks.
Latents (B, C, T, H, W).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..model.cache import CacheShape


@dataclass
class CachedLatents:
    """Sink and recent frames, each frame alone. most: how many beyond the sink, the window's by default."""

    shape: CacheShape
    most: int = -1
    sink: list[tuple[Tensor, Tensor | None]] = field(default_factory=list)  # one latent frame each
    recent: list[tuple[Tensor, Tensor | None]] = field(default_factory=list)

    def __post_init__(self):
        self.most = self.shape.window if self.most < 0 else self.most

    def copy(self) -> CachedLatents:
        return CachedLatents(self.shape, self.most, list(self.sink), list(self.recent))

    def add(self, latents: Tensor, motion: Tensor | None):
        for frame in range(latents.shape[2]):
            part = slice(frame, frame + 1)
            entry = (latents[:, :, part], None if motion is None else motion[:, :, part])
            (self.sink if len(self.sink) < self.shape.sink else self.recent).append(entry)
        del self.recent[: max(0, len(self.recent) - max(self.most, self.shape.sink))]

    def refresh(self, as_start: Callable[[Tensor, Tensor], Tensor] | None) -> bool:
        """The newest frames become the sink; False where there is none to refresh or nothing new."""
        count = len(self.sink)
        newest = self.recent[-count:] if count else []
        if len(newest) < count or not count:
            return False
        if as_start is not None:
            newest = [
                (latents, as_start(motion, latents) if motion is not None and number == 0 else motion)
                for number, (latents, motion) in enumerate(newest)
            ]
        self.sink = newest
        return True

    def pieces(self, most: int, sink: bool = True) -> Iterator[tuple[Tensor, Tensor | None]]:
        """Sink, if asked for, then what came last, each in pieces of at most so many frames."""
        for part in (self.sink if sink else [], self._last()):
            for begin in range(0, len(part), most):
                yield _joined(part[begin : begin + most])

    def whole(self) -> tuple[Tensor, Tensor | None]:
        """Sink and what came last in one piece."""
        return _joined([*self.sink, *self._last()])

    def _last(self) -> list[tuple[Tensor, Tensor | None]]:
        return self.recent[max(0, len(self.recent) - self.most) :] if self.most else []


def _joined(entries: list[tuple[Tensor, Tensor | None]]) -> tuple[Tensor, Tensor | None]:
    latents, motions = zip(*entries)
    return torch.cat(latents, dim=2), None if motions[0] is None else torch.cat(
        [m for m in motions if m is not None], dim=2
    )
