"""Distils the buffer's guided teacher into a student of one evaluation a chunk.

Owns the loop, the lots of start states, and the two measures: the student's error on held-out clips, and that
of one guided step of the teacher beside it.
Start states are noised clips, or where a conveyor has come by itself ("teacher", "student"): a state that one
of the two has moved on, its oldest chunk gone and a new one of noise behind it. What the teacher makes of a
state is kept in a pool and learned from several times, as its way is four guided evaluations. A run that is
resumed fills its pool again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from ..buffer import weighted_error
from ..segments import one_step, start_states, starts, student_target, teacher_way
from .clips import Clips
from .flow_stage import BUFFER, THINGS, optimizer
from .low_rank import with_additions
from .network import Cartoon
from .run import Run, warm_then_fall

CHUNKS, MICRO = 4, 4
SIZE = BUFFER // CHUNKS
Rollout = Literal["none", "teacher", "student"]
LONGEST = 24  # emissions after which a conveyor begins again from a clip


def target_of(teacher: Cartoon, start: Tensor, ids: Tensor, scale: float) -> Tensor:
    """The velocity of the student's step: the teacher's guided way through the segment."""
    end = teacher_way(lambda x, levels: teacher.guided(x, levels, ids, scale), start, CHUNKS, MICRO)
    return student_target(start, end, CHUNKS)


def moved_on(end: Tensor, fresh: Tensor) -> Tensor:
    """The state at the start of the next emission: the oldest chunk is gone, the newest one is noise."""
    return torch.cat([end[:, :, SIZE:], fresh], 2)


@dataclass
class Lesson:
    """States (B, C, 8, H, W) at the segments' starts, the velocity there, the cells' weights, and the
    prompts.
    """

    start: Tensor
    target: Tensor
    weight: Tensor
    ids: Tensor


class Lessons:
    """A pool of the last `size` states with what the teacher makes of them."""

    def __init__(self, clips: Clips, teacher: Cartoon, scale: float, rollout: Rollout, size: int = 256):
        self.clips, self.teacher, self.scale, self.rollout, self.size = clips, teacher, scale, rollout, size
        self.pool: list[Lesson] = []
        self._running: list[tuple[int, Lesson]] = []  # conveyors: emissions so far, and where they stand

    @torch.no_grad()
    def learn(self, count: int, step: int, student: Callable[[Tensor, Tensor, Tensor], Tensor]) -> None:
        """Adds `count` lessons: half of them where conveyors have come to, unless there are none yet."""
        draws, rng = np.random.default_rng([6, step]), torch.Generator().manual_seed(step)
        going = [] if self.rollout == "none" else self._running[: count // 2]
        x0, mask, ids = self.clips.draw(draws, count - len(going), BUFFER)
        start = start_states(x0, torch.randn(x0.shape, generator=rng), CHUNKS)
        weight = 1 + (THINGS - 1) * mask
        if going:
            start = torch.cat([start, *(one.start for _, one in going)])
            weight = torch.cat([weight, *(one.weight for _, one in going)])
            ids = torch.cat([ids, *(one.ids for _, one in going)])
        target = target_of(self.teacher, start, ids, self.scale)
        parts = zip(*(part.split(1) for part in (start, target, weight, ids)))
        made = [Lesson(*part) for part in parts]
        self.pool = (self.pool + made)[-self.size :]
        if self.rollout == "none":
            return
        ages = [0] * (count - len(going)) + [age for age, _ in going]
        levels = starts(CHUNKS, SIZE).expand(count, -1)
        step_of = student(start, levels, ids) if self.rollout == "student" else target
        after = moved_on(
            one_step(step_of, start, CHUNKS), torch.randn(start[:, :, :SIZE].shape, generator=rng)
        )
        even = torch.ones_like(weight[:1])  # nobody knows where the thing is by now
        waiting = self._running[len(going) :]
        for age, at, said in zip(ages, after.split(1), ids.split(1)):
            if age + 1 < LONGEST:
                waiting.append((age + 1, Lesson(at, at, even, said)))
        draws.shuffle(waiting)  # pyright: ignore[reportArgumentType]  a list is a sequence
        self._running = waiting[:32]

    def draw(self, count: int, step: int) -> Lesson:
        """The newest lessons and others by lot."""
        draws = np.random.default_rng([7, step])
        others = draws.integers(len(self.pool), size=count - count // 3)
        chosen = self.pool[-(count // 3) :] + [self.pool[i] for i in others]
        return Lesson(
            *(
                torch.cat([getattr(one, name) for one in chosen])
                for name in ("start", "target", "weight", "ids")
            )
        )


class HeldOut:
    """The student's error on held-out clips, and that of one guided step of the teacher."""

    def __init__(self, teacher: Cartoon, clips: Clips, scale: float, count: int = 16):
        x0, _, self.ids = clips.windows(np.arange(count), np.arange(count) % 5, BUFFER)
        rng = torch.Generator().manual_seed(2)
        self.start = start_states(x0, torch.randn(x0.shape, generator=rng), CHUNKS)
        self.levels = starts(CHUNKS, SIZE).expand(count, -1)
        with torch.no_grad():
            self.target = target_of(teacher, self.start, self.ids, scale)
            big = teacher.guided(self.start, self.levels, self.ids, scale) - self.target
        self.one_guided_step = by_slot(big)

    @torch.no_grad()
    def of(self, student: Cartoon) -> dict[str, float | list[float]]:
        error = by_slot(student(self.start, self.levels, self.ids) - self.target)
        return {
            "error": float(np.mean(error)),
            "one_guided_step": float(np.mean(self.one_guided_step)),
            "slots": error,
            "slots_guided_step": self.one_guided_step,
        }


def by_slot(error: Tensor) -> list[float]:
    return [round(float(v), 4) for v in error.square().mean((0, 1, 3, 4)).view(CHUNKS, -1).mean(1)]


def train(
    folder: Path,
    cache: Path,
    teacher: Cartoon,
    student: Cartoon,
    seconds: float,
    *,
    batch: int = 12,
    fresh: int = 4,
    lr: float = 0.003,
    scale: float = 2.5,
    rollout: Rollout = "none",
    every: float = 150,
) -> Run:
    """Trains the student for so many CPU seconds; it must start as the teacher, which does not learn.

    batch: states of a step, of which `fresh` are new.
    """
    teacher.eval().requires_grad_(False)
    run = Run(folder, student, optimizer(student, lr, lr / 6), 0.99)
    clips = Clips(cache)
    lessons = Lessons(clips, teacher, scale, rollout)
    held = HeldOut(teacher, Clips(cache, held_out=True), scale)
    levels = starts(CHUNKS, SIZE).expand(batch, -1)
    told = run.seconds if run.step else -1e9
    while run.seconds < seconds:
        if run.seconds - told > every:
            with run.averaged():
                run.log(**held.of(student))
            told = run.seconds
        new = fresh if lessons.pool else batch
        lessons.learn(new, run.step, student)
        part = lessons.draw(batch, run.step)
        loss = weighted_error(student(part.start, levels, part.ids), part.target, part.weight)
        run.update(loss, warm_then_fall(run.seconds / seconds, fall=0.5), new)
    with run.averaged():
        run.log(final=True, **held.of(student))
    run.save()
    return run


def student_of(teacher: Cartoon, rank: int | None) -> Cartoon:
    """A network with the teacher's weights; rank: it learns additions of that rank alone."""
    student = Cartoon(teacher.config)
    student.load_state_dict(teacher.state_dict())
    return student if rank is None else with_additions(student, rank)
