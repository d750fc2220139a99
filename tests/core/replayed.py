"""A stand-in for CUDA graphs on the CPU, with their one hard property: what was captured is computed again on
the same memory, and Python is not asked again.

A capture is the list of the kernels that ran in it, each with the tensors it was given and the tensor it
filled; a replay fills those again.
"""

from __future__ import annotations

from contextlib import contextmanager

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten


class Recorder(TorchDispatchMode):
    def __init__(self, graph: Graph):
        super().__init__()
        self.graph = graph

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        view = any(r.alias_info is not None and not r.alias_info.is_write for r in func._schema.returns)
        if not view:
            self.graph.kernels.append((func, args, kwargs or {}, out))
        return out


class Graph:
    """What torch.cuda.CUDAGraph is. fails: how many captures end with an error."""

    made = 0

    def __init__(self):
        self.kernels, self.replays = [], 0
        Graph.made += 1

    def replay(self):
        self.replays += 1
        with torch.no_grad():
            for func, args, kwargs, out in self.kernels:
                again = func(*args, **kwargs)
                for kept, new in zip(tree_flatten(out)[0], tree_flatten(again)[0]):
                    if isinstance(kept, Tensor) and kept is not new:
                        kept.copy_(new)


class Queue:
    """All is done at once."""

    def __init__(self, device=None):
        pass

    def wait_stream(self, other):
        pass


@contextmanager
def graph(made: Graph, capture_error_mode: str = "global"):
    assert capture_error_mode == "thread_local", "a host's other threads would end the capture"
    with Recorder(made):
        yield


@contextmanager
def stream(queue):
    yield


def patch(monkeypatch):
    monkeypatch.setattr(Graph, "made", 0)
    for name, value in {
        "CUDAGraph": Graph,
        "graph": graph,
        "Stream": Queue,
        "stream": stream,
        "current_stream": lambda device=None: Queue(),
    }.items():
        monkeypatch.setattr(torch.cuda, name, value)
