"""Frames kept in one piece of memory: a ring that grows, and is handed on as it is."""

import mmap
import random

import pytest
import torch

from motionstream_core.streaming import frame_store
from motionstream_core.streaming.frame_store import FrameStore


def numbered(first: int, count: int) -> torch.Tensor:
    return torch.arange(first, first + count).float()[:, None, None, None].expand(count, 4, 6, 3)


@pytest.mark.parametrize("grows", [True, False], ids=["system grows", "copied"])
@pytest.mark.parametrize("seed", range(6))
def test_it_holds_what_a_list_would_hold(seed, grows, monkeypatch):
    monkeypatch.setattr(frame_store, "STEP", 4 * 4 * 6 * 3 * 7)  # seven frames: it grows and turns often
    if not grows:

        class Rigid(mmap.mmap):
            def resize(self, size):
                raise SystemError("mmap: resizing not available--no mremap()")

        monkeypatch.setattr(frame_store.mmap, "mmap", Rigid)
    rng, store, known, first = random.Random(seed), FrameStore(), [], 0
    for _ in range(60):
        drop = rng.random()
        if known and drop < 0.3:
            count = rng.randint(1, len(known))
            store.drop_oldest(count)
            known = known[count:]
        elif known and drop < 0.4:
            count = rng.randint(1, len(known))
            store.drop_newest(count)
            known = known[: len(known) - count]
        count = rng.randint(1, 9)
        store.add(numbered(first, count))
        known += list(range(first, first + count))
        first += count
    made = store.take()
    assert made[:, 0, 0, 0].tolist() == known and made.shape[1:] == (4, 6, 3)
    assert store.count == 0
    with pytest.raises(ValueError, match="expected at least one"):
        store.take()


def test_memory_that_ends_is_said_and_loses_nothing(monkeypatch):
    store = FrameStore()
    store.add(numbered(0, 5))

    class Full(mmap.mmap):
        def resize(self, size):
            raise OSError(12, "Cannot allocate memory")

    whole = Full(-1, len(store._memory), **frame_store.FLAGS)
    whole[:] = store._memory[:]
    store._memory = whole
    with pytest.raises(MemoryError, match="Cannot allocate memory"):
        store.add(numbered(5, 10**6))
    assert store.take()[:, 0, 0, 0].tolist() == [0, 1, 2, 3, 4]
