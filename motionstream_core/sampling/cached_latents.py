"""The latents behind a rolling cache, with their motion, so that its keys and values can be made again.

Owns which latent frames those are and the pieces in which they are written. Knows nothing of networks.
Latents (B, C, T, H, W).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..model.cache import CacheShape

CachedFrame = tuple[Tensor, Tensor | None]  # one latent frame and its motion


@dataclass
class CachedLatents:
    """Sink and recent frames, each frame alone.

    Args:
        shape: of the cache.
        most: how many frames beyond the sink are kept. The window's by default.
        sink: the frames of the sink.
        recent: the frames behind it, at least as many as the sink holds, so that it can be refreshed.
    """

    shape: CacheShape
    most: int = -1
    sink: list[CachedFrame] = field(default_factory=list)
    recent: list[CachedFrame] = field(default_factory=list)

    def __post_init__(self):
        self.most = self.shape.window if self.most < 0 else self.most

    @property
    def nbytes(self) -> int:
        """Of the latents and their motion."""
        parts = (part for entry in (*self.sink, *self.recent) for part in entry)
        return sum(part.nbytes for part in parts if part is not None)

    def copy(self) -> CachedLatents:
        return CachedLatents(self.shape, self.most, list(self.sink), list(self.recent))

    def add(self, latents: Tensor, motion: Tensor | None):
        for frame in range(latents.shape[2]):
            part = slice(frame, frame + 1)
            entry = (latents[:, :, part], None if motion is None else motion[:, :, part])
            (self.sink if len(self.sink) < self.shape.sink else self.recent).append(entry)
        del self.recent[: max(0, len(self.recent) - max(self.most, self.shape.sink))]

    def refresh(self, as_first_frame: Callable[[Tensor, Tensor], Tensor] | None) -> bool:
        """The newest frames become the sink. False where there is no sink or too little new.

        as_first_frame(motion, latents) -> the motion of latents that are now the beginning.
        """
        count = len(self.sink)
        newest = self.recent[-count:] if count else []
        if len(newest) < count or not count:
            return False
        latents, motion = newest[0]
        if as_first_frame is not None and motion is not None:
            newest[0] = (latents, as_first_frame(motion, latents))
        self.sink = newest
        return True

    def pieces(self, most: int, sink: bool = True) -> Iterator[CachedFrame]:
        """Sink, if asked for, then what came last, each in pieces of at most so many frames."""
        for part in (self.sink if sink else [], self._last()):
            for begin in range(0, len(part), most):
                yield _join_entries(part[begin : begin + most])

    def whole(self) -> CachedFrame:
        """Sink and what came last in one piece."""
        return _join_entries([*self.sink, *self._last()])

    def newest(self) -> Tensor | None:
        """The latents that came last, one behind the other. Without any, the sink's."""
        entries = self.recent or self.sink
        return _join_entries(entries)[0] if entries else None

    def _last(self) -> list[CachedFrame]:
        return self.recent[max(0, len(self.recent) - self.most) :] if self.most else []


def _join_entries(entries: list[CachedFrame]) -> CachedFrame:
    latents = torch.cat([entry[0] for entry in entries], dim=2)
    motions = [entry[1] for entry in entries if entry[1] is not None]
    return latents, torch.cat(motions, dim=2) if motions else None
