"""Segment distillation of the moving buffer: several guided steps of the teacher become one step of the
student (StreamDiT, section 3).

Owns the states at the start of the segments, the teacher's way through them and the student's target. Pure
functions.
A buffer of N chunks stands at sigma = (j + 1) / N in chunk j. In one emission every chunk goes down by 1 / N,
the teacher in s micro-steps.
All N segments move in one pass, so that one way of the teacher teaches all of them.
Shapes: latents (B, C, T, H, W), levels (T,) or (B, T).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Velocity = Callable[[Tensor, Tensor], Tensor]  # of x and its levels (B, T)


def starts(chunks: int, size: int) -> Tensor:
    """The levels (T,) at which the segments start."""
    return ((torch.arange(chunks) + 1) / chunks).repeat_interleave(size)


def start_states(x0: Tensor, noise: Tensor, chunks: int) -> Tensor:
    """Clean latents noised to the starts of the segments. The newest chunk is noise alone."""
    at = starts(chunks, x0.shape[2] // chunks)[:, None, None]
    return (1 - at) * x0 + at * noise


@torch.no_grad()
def teacher_way(
    velocity: Velocity, x: Tensor, chunks: int, micro: int, levels: Tensor | None = None
) -> Tensor:
    """The buffer after `micro` Euler steps through one segment.

    Args:
        velocity: (x, levels) -> the velocity.
        x: (B, C, T, H, W).
        chunks: of the buffer.
        micro: Euler steps.
        levels: (B, T) at its start, those of the slots unless told.
    """
    levels = starts(chunks, x.shape[2] // chunks) if levels is None else levels
    for m in range(micro):
        at = (levels - m / (micro * chunks)).expand(x.shape[0], -1)
        x = x - velocity(x, at) / (micro * chunks)
    return x


def student_target(start: Tensor, end: Tensor, chunks: int) -> Tensor:
    """The velocity whose one step over the segment goes from start to end."""
    return (start - end) * chunks


def one_step(velocity: Tensor, x: Tensor, chunks: int) -> Tensor:
    """The student's step over the segment."""
    return x - velocity / chunks
