"""Plain data parallelism over processes (gloo on CPU): gradients are averaged, everything else is each process's own.

One process is the special case in which every call does nothing. `python -m torch.distributed.run --nproc-per-node N -m motionstream_core train …`
sets the environment that `start` reads.
"""

from __future__ import annotations

import os

import torch
import torch.distributed as dist
from torch import Tensor


def start() -> tuple[int, int]:
    """Joins the process group named by the environment, if any -> (rank, world size)."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 and not dist.is_initialized():
        dist.init_process_group("gloo")
        cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
        if len(cores) >= dist.get_world_size():
            os.sched_setaffinity(0, {cores[dist.get_rank()]})
            torch.set_num_threads(1)
    return (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)


def average_gradients(parameters: list[Tensor]) -> None:
    """Replaces each gradient by its mean over the processes, in one message."""
    if not dist.is_initialized():
        return
    grads = [p.grad if p.grad is not None else torch.zeros_like(p) for p in parameters]
    flat = torch.cat([g.reshape(-1) for g in grads])
    dist.all_reduce(flat)
    flat /= dist.get_world_size()
    for p, piece in zip(parameters, flat.split([g.numel() for g in grads]), strict=True):
        p.grad = piece.view_as(p)


def agree(value: float) -> float:
    """The largest of the processes' values, so that all leave a time-bounded loop at the same step."""
    if not dist.is_initialized():
        return value
    t = torch.tensor([value], dtype=torch.float64)
    dist.all_reduce(t, op=dist.ReduceOp.MAX)
    return float(t)
