"""Distils the buffer's guided teacher into a student of one evaluation a chunk.

Owns the loop, the lots of start states, and the two measures: the student's error on held-out clips, and that
of one guided step of the teacher beside it.
Start states are noised clips, or where a stream has come by itself: a state that the teacher or the student
has moved on. Some states are whole clips at one level, as a stream begins from noise with them. What the
teacher makes of a state is kept in a pool and learned from several times, as its way is four guided
evaluations. A run that is resumed fills its pool again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
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
WHOLE = 1 / 3  # of the new states whose frames share one level: how a stream begins from noise


def target_of(
    teacher: Cartoon, start: Tensor, ids: Tensor, scale: float, levels: Tensor | None = None
) -> Tensor:
    """The velocity of the student's step: the teacher's guided way through the segment."""
    end = teacher_way(lambda x, at: teacher.guided(x, at, ids, scale), start, CHUNKS, MICRO, levels)
    return student_target(start, end, CHUNKS)


@dataclass
class Lesson:
    """States (B, C, 8, H, W) at levels (B, 8) where segments start, the velocity there, the cells' weights,
    and the prompts.
    """

    start: Tensor
    levels: Tensor
    target: Tensor
    weight: Tensor
    ids: Tensor

    @staticmethod
    def of(parts: list[Lesson]) -> Lesson:
        return Lesson(*(torch.cat([getattr(one, f.name) for one in parts]) for f in fields(Lesson)))

    def split(self) -> list[Lesson]:
        return [Lesson(*one) for one in zip(*(getattr(self, f.name).split(1) for f in fields(self)))]


@dataclass
class Stream:
    """A stream that goes on by itself: where it is, its emissions, and the slots that a whole clip has left
    behind on its way from noise, newest first. None once it is a conveyor.
    """

    at: Lesson
    emissions: int = 0
    slots: list[Tensor] | None = None

    def after(self, end: Tensor, fresh: Tensor) -> Stream | None:
        """The stream after a step to `end`. fresh: the noise of a chunk. None where it ends."""
        even = torch.ones_like(self.at.weight)  # nobody knows where the thing is by now
        levels = starts(CHUNKS, SIZE)[None]
        if self.slots is None:
            end = torch.cat([end[:, :, SIZE:], fresh], 2)
            at = Lesson(end, levels, end, even, self.at.ids)
            return Stream(at, self.emissions + 1) if self.emissions + 1 < LONGEST else None
        chunk = CHUNKS - 1 - len(self.slots)
        slots = [*self.slots, end[:, :, chunk * SIZE : (chunk + 1) * SIZE]]
        if chunk:
            down = self.at.levels - 1 / CHUNKS
            return Stream(Lesson(end, down, end, even, self.at.ids), 0, slots)
        queue = torch.cat(slots[::-1], 2)
        return Stream(Lesson(queue, levels, queue, even, self.at.ids))


class Lessons:
    """A pool of the last `size` states with what the teacher makes of them."""

    def __init__(self, clips: Clips, teacher: Cartoon, scale: float, rollout: Rollout, size: int = 256):
        self.clips, self.teacher, self.scale, self.rollout, self.size = clips, teacher, scale, rollout, size
        self.pool: list[Lesson] = []
        self._streams: list[Stream] = []

    @torch.no_grad()
    def learn(self, count: int, step: int, student: Callable[[Tensor, Tensor, Tensor], Tensor]) -> None:
        """Adds `count` lessons: half of them where streams have come to, unless there are none yet."""
        draws, rng = np.random.default_rng([6, step]), torch.Generator().manual_seed(step)
        going = self._streams[: count // 2]
        going += self._begun(count - len(going), draws, rng)
        part = Lesson.of([one.at for one in going])
        part.target = target_of(self.teacher, part.start, part.ids, self.scale, part.levels)
        self.pool = (self.pool + part.split())[-self.size :]
        if self.rollout == "none":
            return
        move = student(part.start, part.levels, part.ids) if self.rollout == "student" else part.target
        ends = one_step(move, part.start, CHUNKS).split(1)
        fresh = torch.randn(part.start[:, :, :SIZE].shape, generator=rng).split(1)
        after = [one.after(end, noise) for one, end, noise in zip(going, ends, fresh)]
        waiting = self._streams[count // 2 :] + [one for one in after if one is not None]
        self._streams = [waiting[i] for i in draws.permutation(len(waiting))][:32]

    def _begun(self, count: int, draws: np.random.Generator, rng: torch.Generator) -> list[Stream]:
        """New streams from clips: buffers, and whole clips at one level, some of them pure noise."""
        x0, mask, ids = self.clips.draw(draws, count, BUFFER)
        noise, weight = torch.randn(x0.shape, generator=rng), 1 + (THINGS - 1) * mask
        buffer = start_states(x0, noise, CHUNKS)
        out = []
        for i in range(count):
            one, levels = slice(i, i + 1), starts(CHUNKS, SIZE)[None]
            start, emissions, slots = buffer[one], 0, None
            if draws.random() < WHOLE:
                level = (1 + int(draws.integers(CHUNKS))) / CHUNKS
                levels = torch.full((1, BUFFER), level)
                start = (1 - level) * x0[one] + level * noise[one]
                slots = [start[:, :, -SIZE:]] if level == 1 else None
                emissions = 0 if level == 1 else LONGEST  # half a way from noise begins no stream
            out.append(Stream(Lesson(start, levels, start, weight[one], ids[one]), emissions, slots))
        return out

    def draw(self, count: int, step: int) -> Lesson:
        """The newest lessons and others by lot."""
        draws = np.random.default_rng([7, step])
        others = draws.integers(len(self.pool), size=count - count // 3)
        return Lesson.of(self.pool[-(count // 3) :] + [self.pool[i] for i in others])


class HeldOutBuffers:
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
    """Trains the student for so many CPU seconds. It must start as the teacher, which does not learn.

    batch: states of a step, of which `fresh` are new.
    """
    teacher.eval().requires_grad_(False)
    run = Run(folder, student, optimizer(student, lr, lr / 6), 0.99)
    clips = Clips(cache)
    lessons = Lessons(clips, teacher, scale, rollout)
    held = HeldOutBuffers(teacher, Clips(cache, held_out=True), scale)
    told = run.seconds if run.step else -1e9
    while run.seconds < seconds:
        if run.seconds - told > every:
            with run.averaged():
                run.log(**held.of(student))
            told = run.seconds
        new = fresh if lessons.pool else batch
        lessons.learn(new, run.step, student)
        part = lessons.draw(batch, run.step)
        loss = weighted_error(student(part.start, part.levels, part.ids), part.target, part.weight)
        run.update(loss, warm_then_fall(run.seconds / seconds, fall=0.5), new)
    with run.averaged():
        run.log(final=True, **held.of(student))
    run.save()
    return run


def student_of(teacher: Cartoon, rank: int | None) -> Cartoon:
    """A network with the teacher's weights. rank: it learns additions of that rank alone."""
    student = Cartoon(teacher.config)
    student.load_state_dict(teacher.state_dict())
    return student if rank is None else with_additions(student, rank)
