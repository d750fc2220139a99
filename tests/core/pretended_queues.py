"""The queues, marks, memory and graphs of a pretended device (`pretended.py`): who waits for whom, as counts
of kernels a queue.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import torch


@dataclass
class Memory:
    """A piece of device memory. uses: the newest use by each queue, as that queue's count."""

    size: int
    home: Queue
    made_by: str
    written: tuple[Queue, int] | None = None
    uses: dict[Queue, int] = field(default_factory=dict)
    kept_for: set = field(default_factory=set)
    graph: Graph | None = None
    freed: bool = False


@dataclass(frozen=True)
class Kernel:
    name: str
    queue: str
    types: tuple[torch.dtype, ...]
    new_bytes: tuple[int, ...]
    flops: int


class Queue:
    """What torch.cuda.Stream is."""

    def __init__(self, device: Any, name: str):
        self.device, self.name, self.count = device, name, 0
        self.seen: Counter[Queue] = Counter()

    def launch(self) -> int:
        self.seen |= self.device.host
        self.count += 1
        self.seen[self] = self.count
        return self.count

    def wait_stream(self, other: Queue):
        self.seen |= other.seen | self.device.host

    def wait_event(self, mark: Mark):
        self.seen |= mark.seen | self.device.host

    def record_event(self, mark: Mark | None = None) -> Mark:
        mark = mark or Mark(self.device)
        mark.record(self)
        return mark

    def synchronize(self):
        self.device.wait("a queue", self.seen)

    def query(self) -> bool:
        return all(self.device.host[queue] >= count for queue, count in self.seen.items())


class Mark:
    """What torch.cuda.Event is."""

    def __init__(self, device: Any, **options):
        self.device, self.seen, self.recorded = device, Counter(), False

    def record(self, queue: Queue | None = None):
        self.seen, self.recorded = Counter((queue or self.device.now).seen), True

    def wait(self, queue: Queue | None = None):
        (queue or self.device.now).wait_event(self)

    def synchronize(self):
        self.device.wait("a mark", self.seen)

    def query(self) -> bool:
        return all(self.device.host[queue] >= count for queue, count in self.seen.items())

    def elapsed_time(self, other: Mark) -> float:
        assert self.recorded and other.recorded and self.query() and other.query(), (
            "a time was asked for before the work was done"
        )
        return 1.0


class Graph:
    """What torch.cuda.CUDAGraph is: memory from outside that it reads or writes, and its own."""

    def __init__(self, device: Any):
        self.device, self.reads, self.writes, self.kernels = device, [], [], 0

    def replay(self):
        freed = [memory.made_by for memory in (*self.reads, *self.writes) if memory.freed]
        self.device.say(not freed, f"a graph was replayed whose memory is gone: {sorted(set(freed))}")
        self.device.use("graph", self.reads, self.writes)
        self.device.kernels.append(Kernel("graph", self.device.now.name, (), (), 0))
