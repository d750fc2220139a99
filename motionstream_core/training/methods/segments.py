"""Stage "segments": multistep distillation of the moving buffer (StreamDiT, section 3.5).

Owns who teaches whom and from which states. The teacher's s guided micro-steps through a segment become one
step of the student, in all N segments at once. The formulas are `training/segments.py`'s.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ...model.config import BufferConfig, Partition
from ...sampling.buffer import MovingBuffer
from ..engine.stage import Batch, Data, Draws
from ..segments import start_states, starts, student_target, teacher_way
from .buffer import cut_window
from .buffer_options import add_buffer_common, buffer_setup, open_clips, open_of
from .options import Setup
from .roles import check_no_shared_memory, freeze, move_batch, set_trainable
from .samples import Sample
from .steps import randn_like
from .video_model import VideoModel, check_buffer, velocity_at, with_motion

NAME = "segments"
HELP = "segment distillation of the moving buffer: one unguided step a chunk"
LR = 3e-3
STATES = ("data", "rollout")
EMISSIONS = 3  # chunks that the teacher may have let go before a state of its own rollout is taken


@dataclass(frozen=True)
class SegmentsRecipe:
    """How the teacher teaches.

    Args:
        chunk_frames: of the student's one partition (c). None: the preset's own.
        micro_steps: the teacher's steps through a segment (s).
        guidance: of the teacher's text, folded into the student.
        states: where the segments start. "data": clips noised to the levels. "rollout": the teacher's own
            buffer, some chunks after its beginning.
        first: as in BufferRecipe.
    """

    chunk_frames: int | None = None
    micro_steps: int = 16
    guidance: float = 2.5
    states: str = "data"
    first: int = 1

    def __post_init__(self):
        if self.micro_steps < 1:
            raise ValueError(f"micro_steps: expected at least 1, got {self.micro_steps}")
        if not self.guidance >= 1:
            raise ValueError(f"guidance: expected at least 1, got {self.guidance}")
        if self.states not in STATES:
            raise ValueError(f"states: expected one of {STATES}, got {self.states!r}")

    def sampler(self, config: BufferConfig) -> BufferConfig:
        """The teacher's settings: its partition and its micro-steps."""
        if config.gamma != 1 or config.reference_frames:
            raise ValueError(
                "segments: expected linear levels and no reference frames, got gamma "
                f"{config.gamma} and {config.reference_frames} reference frames"
            )
        chunk = self.chunk_frames or config.chunk_frames
        steps = self.micro_steps * (config.queue_frames // max(1, chunk))
        made = BufferConfig.partition(config.queue_frames, chunk, steps)
        return replace(made, guidance=self.guidance)

    def student(self, config: BufferConfig) -> BufferConfig:
        """The settings of the student's weights: one step a slot, no guidance, this partition alone."""
        teacher = self.sampler(config)
        known = Partition(teacher.chunk_frames, teacher.chunks, micro_steps=1)
        return replace(teacher, micro_steps=1, guidance=1.0, trained=(known,))


class SegmentsStage:
    """A stage for `engine.train`: "student" learns, "teacher" is frozen."""

    name = NAME
    trainable = ("student",)
    ema = "student"

    def __init__(
        self,
        student: VideoModel,
        teacher: VideoModel,
        recipe: SegmentsRecipe,
        validation_data: Data | None = None,
    ):
        for model in (student, teacher):
            check_buffer(model.config, NAME)
        assert isinstance(student.config.sampler, BufferConfig)
        self.sampler = recipe.sampler(student.config.sampler)
        self.student = set_trainable(student)
        self.teacher = freeze(teacher)
        self.modules: dict[str, nn.Module] = {"student": self.student, "teacher": self.teacher}
        check_no_shared_memory(*self.modules.values())
        self.recipe = recipe
        self.validation_data = validation_data

    def role_at(self, step: int) -> str:
        return "student"

    def loss(self, role: str, batch: Batch, draws: Draws) -> tuple[Tensor, dict[str, float]]:
        batch = self.cut(batch, draws)
        start, target = self.lesson(batch, draws)
        made = self.student_velocity(batch, start)
        return (made - target).square().mean(), {}

    def cut(self, batch: Batch, draws: Draws) -> dict[str, Tensor]:
        """A window of the clips, with the motion that each of the two is told under the same track ids."""
        seed = int(torch.randint(2**31, (1,), generator=draws.rng))
        for name, model in (("motion", self.student), ("teacher_motion", self.teacher)):
            batch = with_motion(model, batch, torch.Generator().manual_seed(seed), name)
        return cut_window(batch, self.sampler.queue_frames, self.recipe.first, draws)

    def lesson(self, batch: Batch, draws: Draws) -> tuple[Tensor, Tensor]:
        """A buffer at the start of its segments, and the student's target velocity there."""
        guided = self.guided_velocity(batch)
        start = self.start(batch, draws, guided)
        chunks = self.sampler.chunks
        end = teacher_way(guided, start, chunks, self.sampler.micro_steps)
        return start, student_target(start, end, chunks)

    def start(self, batch: Batch, draws: Draws, guided) -> Tensor:
        """The states that the segments start from."""
        x0 = batch["latents"].to(self.teacher.device)
        if self.recipe.states == "data":
            return start_states(x0, randn_like(x0, draws.rng), self.sampler.chunks)

        def predict(x: Tensor, sigma: Tensor, frames: range) -> Tensor:
            at = sigma.to(x).expand(len(x), -1)
            return x - at[:, None, :, None, None] * guided(x, at)

        size = (x0.shape[0], x0.shape[1], x0.shape[3], x0.shape[4])
        buffer = MovingBuffer(self.sampler, predict, size, draws.rng, device=x0.device)
        for _ in range(draws.shared.choice(EMISSIONS + 1)):
            next(buffer)
        return buffer.ready()

    def guided_velocity(self, batch: Batch):
        """The teacher's velocity of (x, levels) under guidance against the empty text."""
        teacher = self.teacher
        motion = batch.get("teacher_motion")
        text = teacher.text(batch)
        empty = teacher.text(batch, torch.zeros(len(batch["latents"]), dtype=torch.bool))
        scale = self.recipe.guidance

        @torch.no_grad()
        def velocity(x: Tensor, levels: Tensor) -> Tensor:
            levels = levels.to(x)
            both = velocity_at(teacher, x, levels, motion, text)
            if scale == 1:
                return both
            none = velocity_at(teacher, x, levels, motion, empty)
            return none + scale * (both - none)

        return velocity

    def student_velocity(self, batch: Batch, start: Tensor) -> Tensor:
        """The student's velocity at the start of the segments, in one evaluation without guidance."""
        student = self.student
        levels = starts(self.sampler.chunks, self.sampler.chunk_frames).to(start).expand(len(start), -1)
        return velocity_at(student, start, levels, batch.get("motion"), student.text(batch))

    @torch.no_grad()
    def validate(self, modules: dict[str, nn.Module], rng: torch.Generator) -> dict[str, float]:
        """Errors on held-out clips: the student's, and that of one guided step of the teacher beside it."""
        if self.validation_data is None:
            return {}
        batch = move_batch(self.validation_data.batch(np.random.default_rng(1), 16), self.student)
        draws = Draws.of_seed(1)
        batch = self.cut(batch, draws)
        start, target = self.lesson(batch, draws)
        levels = starts(self.sampler.chunks, self.sampler.chunk_frames).to(start).expand(len(start), -1)
        one = self.guided_velocity(batch)(start, levels)
        return {
            "target_mse": float((self.student_velocity(batch, start) - target).square().mean()),
            "one_guided_step_mse": float((one - target).square().mean()),
        }

    def sample(self, modules: dict[str, nn.Module]) -> list[Sample]:
        return []


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `train segments`."""
    recipe = SegmentsRecipe()
    parser.add_argument("--teacher", type=Path, required=True, help="teacher.safetensors of `train buffer`")
    parser.add_argument("--student", type=Path, help="weights to begin with; the teacher's by default")
    parser.add_argument("--chunk-frames", type=int, help="c of the student; the preset's by default")
    parser.add_argument(
        "--micro-steps", type=int, default=recipe.micro_steps, help="the teacher's steps through a segment"
    )
    parser.add_argument("--guidance", type=float, default=recipe.guidance, help="folded into the student")
    parser.add_argument(
        "--states",
        default=recipe.states,
        choices=STATES,
        help="segments start from noised clips, or from the teacher's own buffer",
    )
    add_buffer_common(parser)


def build(args: argparse.Namespace) -> Setup:
    """Student and teacher of the parsed options."""
    recipe = SegmentsRecipe(args.chunk_frames, args.micro_steps, args.guidance, args.states)
    begin = args.student or args.teacher
    student = open_of(args, begin)
    stage = SegmentsStage(
        student,
        open_of(args, args.teacher),
        recipe,
        open_clips(args, args.held) if args.held is not None else None,
    )
    assert isinstance(student.config.sampler, BufferConfig)
    sampler = recipe.student(student.config.sampler)
    data = open_clips(args, args.data)
    about = {"states": recipe.states, "teacher_guidance": recipe.guidance}
    return buffer_setup(args, stage, data, [args.teacher, args.student], sampler, about)
