"""Plain data parallelism over processes: gradients are averaged, everything else is each process's own.
Alone, nothing is done.
"""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor


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
