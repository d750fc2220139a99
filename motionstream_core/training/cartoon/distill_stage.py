"""Distils the buffer's guided teacher into a student of one evaluation a chunk.

Owns the loop and the two measures: the student's error on held-out clips, and that of one guided step of the
teacher beside it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..buffer import weighted_error
from ..segments import start_states, starts, student_target, teacher_way
from .clips import Clips
from .flow_stage import BUFFER, THINGS, optimizer
from .network import Cartoon
from .run import Figure, Run, warm_then_fall

CHUNKS, MICRO = 4, 4


def target_of(teacher: Cartoon, start: Tensor, ids: Tensor, scale: float) -> Tensor:
    """The velocity of the student's step: the teacher's guided way through the segment."""
    end = teacher_way(lambda x, levels: teacher.guided(x, levels, ids, scale), start, CHUNKS, MICRO)
    return student_target(start, end, CHUNKS)


@torch.no_grad()
def held_out(
    student: Cartoon, teacher: Cartoon, clips: Clips, scale: float, count: int = 16
) -> dict[str, Figure]:
    x0, _, ids = clips.windows(np.arange(count), np.arange(count) % 5, BUFFER)
    start = start_states(x0, torch.randn(x0.shape, generator=torch.Generator().manual_seed(2)), CHUNKS)
    levels = starts(CHUNKS, BUFFER // CHUNKS).expand(count, -1)
    target = target_of(teacher, start, ids, scale)
    error = (student(start, levels, ids) - target).square()
    big = (teacher.guided(start, levels, ids, scale) - target).square()
    slots = [round(float(v), 4) for v in error.mean((0, 1, 3, 4)).view(CHUNKS, -1).mean(1)]
    return {"error": float(error.mean()), "one_guided_step": float(big.mean()), "slots": slots}


def train(
    folder: Path,
    cache: Path,
    teacher: Cartoon,
    seconds: float,
    *,
    batch: int = 8,
    lr: float = 0.003,
    scale: float = 2.5,
) -> Run:
    """The student starts as the teacher; the teacher does not learn."""
    teacher.eval().requires_grad_(False)
    student = Cartoon(teacher.config)
    student.load_state_dict(teacher.state_dict())
    run = Run(folder, student, optimizer(student, lr, lr / 6), 0.99)
    clips, held = Clips(cache), Clips(cache, held_out=True)
    levels = starts(CHUNKS, BUFFER // CHUNKS).expand(batch, -1)
    told = run.seconds if run.step else -1e9
    while run.seconds < seconds:
        if run.seconds - told > 200:
            with run.averaged():
                run.log(**held_out(student, teacher, held, scale))
            told = run.seconds
        draws, rng = np.random.default_rng([6, run.step]), torch.Generator().manual_seed(run.step)
        x0, mask, ids = clips.draw(draws, batch, BUFFER)
        start = start_states(x0, torch.randn(x0.shape, generator=rng), CHUNKS)
        target = target_of(teacher, start, ids, scale)
        loss = weighted_error(student(start, levels, ids), target, 1 + (THINGS - 1) * mask)
        run.update(loss, warm_then_fall(run.seconds / seconds, fall=0.5), batch)
    with run.averaged():
        run.log(final=True, **held_out(student, teacher, held, scale))
    run.save()
    return run
