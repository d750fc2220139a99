"""Frames that a run keeps for its result, in one piece of memory that grows and is handed on without a copy.

Owns that memory: how it grows, and where the oldest frames go from. Knows nothing of chunks.
Shapes: frames (T, H, W, 3) float32.
"""

from __future__ import annotations

import mmap
from math import prod

import torch
from torch import Tensor

STEP = 64 * 2**20  # bytes by which the memory grows: the system gives what is used of them
BLOCK = 32  # frames that are moved at once
# Private, or what it grows by would belong to nobody. Windows has no such flag.
FLAGS = {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS} if hasattr(mmap, "MAP_PRIVATE") else {}


class FrameStore:
    """The newest frames, in a ring.

    `add` raises MemoryError where the machine has no room: call `drop_oldest` and try again.
    """

    def __init__(self):
        self.count = 0
        self._shape: tuple[int, ...] = ()  # of a frame
        self._memory: mmap.mmap | None = None
        self._capacity = 0
        self._first = 0  # where the oldest is

    def add(self, frames: Tensor):
        """Keeps these too (T, H, W, 3)."""
        if not self._shape:
            self._shape = tuple(frames.shape[1:])
        if self.count + len(frames) > self._capacity:
            self._grow(self.count + len(frames))
        ring = self._ring()
        at = (self._first + self.count) % self._capacity
        fits = min(len(frames), self._capacity - at)
        ring[at : at + fits] = frames[:fits]
        ring[: len(frames) - fits] = frames[fits:]
        self.count += len(frames)

    def drop_newest(self, count: int):
        self.count -= count

    def drop_oldest(self, count: int):
        self._first = (self._first + count) % max(1, self._capacity)
        self.count -= count

    def take(self) -> Tensor:
        """All frames, oldest first. The memory is theirs from now on, and the store is empty."""
        if not self.count:
            raise ValueError("frames: expected at least one, got none")
        if self._first + self.count > self._capacity:
            self._turn()
        made = self._ring()[self._first : self._first + self.count]
        self._memory = None
        self._capacity = self._first = self.count = 0
        return made

    def _ring(self) -> Tensor:
        assert self._memory is not None
        numbers = self._capacity * prod(self._shape)
        return torch.frombuffer(self._memory, dtype=torch.float32, count=numbers).view(-1, *self._shape)

    def _grow(self, count: int):
        """Room for `count` frames. What is there stays, and only moves where the system cannot grow it."""
        if self._first:
            self._turn()
        size = 4 * prod(self._shape)
        wanted = -(-(count * size) // STEP) * STEP
        try:
            if self._memory is None:
                self._memory = mmap.mmap(-1, wanted, **FLAGS)
            else:
                self._memory = _grow(self._memory, wanted)
        except (OSError, ValueError) as error:
            raise MemoryError(f"kept frames: expected {wanted} bytes, got {error}") from None
        self._capacity = wanted // size

    def _turn(self):
        """Moves the oldest frame to the beginning, within the memory."""
        ring = self._ring()
        _reverse(ring[: self._first])
        _reverse(ring[self._first :])
        _reverse(ring)
        self._first = 0


def _grow(memory: mmap.mmap, size: int) -> mmap.mmap:
    try:
        memory.resize(size)
        return memory
    except SystemError:  # a system that cannot: a copy it is
        larger = mmap.mmap(-1, size, **FLAGS)
        larger[: len(memory)] = memory[:]
        return larger


def _reverse(rows: Tensor):
    """The last row first, in place."""
    left, right = 0, len(rows)
    while right - left > 1:
        count = min(BLOCK, (right - left) // 2)
        first = rows[left : left + count].flip(0)
        rows[left : left + count] = rows[right - count : right].flip(0)
        rows[right - count : right] = first
        left += count
        right -= count
