"""Tracks that are found while the stream runs: an endless or ending source of positions, asked for chunk by
chunk.

Owns the pull of one frame's positions after another, what is remembered for a rewind, and what comes after
the source's last frame. Knows nothing of videos or trackers. Shapes: xy (T, N, 2) pixels of the canvas,
visible (T, N).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ..tracks.types import Tracks

AT_END = ("loop", "hold", "end")
MEMORY = 64 * 2**20  # bytes of positions remembered, so that a rewind need not track again

Positions = tuple[Tensor, Tensor]  # (N, 2), (N,)


@dataclass(frozen=True)
class TrackStream:
    """What a stream takes in place of Tracks. first: its one first frame, with canvas and rate. static (N,):
    points that rest by design. open() begins the source anew and gives the positions of frame 0, 1, 2, … at
    that rate. at_end: after the last, "loop" begins anew, "hold" rests there, "end" ends the stream.
    """

    first: Tracks
    static: Tensor
    open: Callable[[], Iterator[Positions]]
    at_end: str = "loop"

    def __post_init__(self):
        if self.at_end not in AT_END:
            raise ValueError(f"at_end: expected one of {', '.join(AT_END)}, got {self.at_end!r}")
        if self.static.shape != (self.first.count,):
            raise ValueError(
                f"static: expected one for each of {self.first.count} points, got {tuple(self.static.shape)}"
            )

    @property
    def width(self) -> int:
        return self.first.width

    @property
    def height(self) -> int:
        return self.first.height

    @property
    def fps(self) -> float:
        return self.first.fps

    @property
    def count(self) -> int:
        return self.first.count

    def source(self, memory: int = MEMORY) -> TrackStreamReader:
        return TrackStreamReader(self, memory)


class TrackStreamReader:
    """One run of a feed: source(start, count) -> xy (count, N, 2), visible (count, N).

    Never more than one frame beyond what was asked for has been pulled. `length` is known once the source has
    ended in a feed that ends.
    Frames older than what is remembered are found by beginning anew.
    """

    def __init__(self, feed: TrackStream, memory: int = MEMORY):
        self.feed, self.length = feed, None
        self._kept = max(64, memory // (9 * feed.count))
        self._begin()

    def _begin(self):
        self._frames: deque[Positions] = deque(maxlen=self._kept)
        self._next = 0  # number of the frame pulled next
        self._round = 0  # frames since the source was begun
        self._positions = self.feed.open()
        self._over = False

    def __call__(self, start: int, count: int) -> Positions:
        if start < self._next - len(self._frames):
            self._begin()
        while self._next <= start + count:
            self._pull()
        oldest = self._next - len(self._frames)
        if start < oldest:
            raise ValueError(f"feed: expected at most {self._kept - 1} frames at a time, got {count}")
        wanted = [self._frames[number - oldest] for number in range(start, start + count)]
        return torch.stack([xy for xy, _ in wanted]), torch.stack([visible for _, visible in wanted])

    def _pull(self):
        found = None if self._over else next(self._positions, None)
        if found is None and not self._over and self.feed.at_end == "loop" and self._round > 1:
            self._positions, self._round = self.feed.open(), 0
            found = next(self._positions, None)
        if found is None:
            if not self._frames:
                raise ValueError("feed: expected at least one frame, got none")
            self._over = True
            if self.feed.at_end == "end" and self.length is None:
                self.length = self._next
            found = self._frames[-1]
        elif found[0].shape != self.feed.first.xy.shape[1:]:
            raise ValueError(
                f"feed: expected {self.feed.count} points in every frame, got {tuple(found[0].shape)}"
            )
        self._frames.append(found)
        self._next += 1
        self._round += 1
