"""Stage "distill": Self Forcing with distribution matching (MotionStream, section 3.2, DMD2, Self Forcing,
algorithm 1).

Owns who plays which part and in which order. The student makes its own video by the one rollout, sinks and
rolling window included, and lets gradients through one random step of every chunk. The frozen teacher under
joint guidance is the real score, a trained copy of it the fake one, which sees five updates for each of the
student's. Both judge the whole clip at once.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from ...sampling.flow import add_noise
from ..engine.stage import Data, Draws
from .clips import first_of, predict_clip
from .guidance import Guidance, guided_clip
from .losses import dmd_gradient, dmd_loss, flow_loss, most_weight, score_sigma
from .options import (
    Setup,
    add_common,
    add_guidance,
    add_keep_tracks,
    add_refresh,
    add_teacher_sees,
    add_validation,
    file_digests,
    open_model,
    open_pool,
    open_refresh,
    open_samples,
    open_teacher,
    open_validation,
    setup,
)
from .refresh import NEVER, SinkRefresh, draw_refresh_chunk
from .roles import (
    Batch,
    MotionModel,
    check_compatible,
    check_no_shared_memory,
    clone,
    freeze,
    set_trainable,
)
from .samples import Sample, Samples, of_students
from .steps import randn_like, rollout_clip, rollout_errors
from .teacher import told_less

NAME = "distill"
HELP = "Self Forcing with distribution matching"
LR = 1e-3
CRITIC_LR = 0.2  # share of the student's learning rate, as in the paper


@dataclass(frozen=True)
class DistillRecipe:
    guidance: Guidance = Guidance()
    critic_steps: int = 5  # updates of the fake score for each of the student's
    shift: float = 5.0  # of the noise levels at which scores meet
    rolling: bool = True  # False: the cache keeps all of the clip in training (an ablation)
    anchor: float = 0.0  # weight of a regression to the real clip, where there is one; 0 as in the paper
    most_weight: float = 5.0
    keep_tracks: tuple[float, float] = (1.0, 1.0)  # share of the tracks that a sample is told of
    sparse_share: float = 0.0  # of the samples, told of few tracks

    def __post_init__(self):
        if self.critic_steps < 0:
            raise ValueError(f"critic_steps: expected >= 0, got {self.critic_steps}")


class DistillStage:
    """A stage for `engine.train`: roles "student" and "fake_score" learn, "teacher" is frozen."""

    name = NAME
    trainable = ("student", "fake_score")
    ema = "student"

    def __init__(
        self,
        student: MotionModel,
        teacher: MotionModel,
        recipe: DistillRecipe,
        validation_data: Data | None = None,
        samples: Samples | None = None,
        refresh: SinkRefresh = NEVER,
    ):
        check_compatible(teacher, student)
        refresh.check(student.config)
        self.student = set_trainable(student, frozen=("track_head",))
        self.fake_score = set_trainable(clone(teacher), frozen=("track_head",))
        self.teacher = freeze(teacher)
        self.modules: dict[str, nn.Module] = {
            "student": self.student,
            "fake_score": self.fake_score,
            "teacher": self.teacher,
        }
        check_no_shared_memory(*self.modules.values())
        self.config = student.config
        self.recipe = recipe
        self.validation_data = validation_data
        self.samples = samples
        self.refresh = refresh

    def role_at(self, step: int) -> str:
        """The fake score's updates come first, then the student's one."""
        period = self.recipe.critic_steps + 1
        return "student" if step % period == self.recipe.critic_steps else "fake_score"

    def loss(self, role: str, batch: Batch, draws: Draws) -> tuple[Tensor, dict[str, float]]:
        batch = told_less(batch, self.recipe.keep_tracks, draws.rng, self.recipe.sparse_share)
        return self._student(batch, draws) if role == "student" else self._critic(batch, draws)

    def _generate(self, batch: Batch, draws: Draws, grad: bool) -> Tensor:
        """The student's clip, ended at one random step, the same for all chunks and in all processes. In some
        of them the sink is refreshed midway.
        """
        exit_step = draws.shared.choice(self.config.sampler.steps)
        context = self.config.rolling.cache_shape
        refresh_after: tuple[int, ...] = ()
        if self.refresh.drawn(draws):
            chunks = (batch["latents"].shape[2] - 1) // context.chunk
            refresh_after = (draw_refresh_chunk(draws, context, chunks),)
        return rollout_clip(
            self.student,
            batch,
            draws.rng,
            grad=grad,
            exit_step=exit_step,
            rolling=self.recipe.rolling,
            refresh_after=refresh_after,
            codec=self.refresh.codec,
        )

    def _student(self, batch: Batch, draws: Draws) -> tuple[Tensor, dict[str, float]]:
        made = self._generate(batch, draws, grad=True)
        gradient = self.gradient(made.detach(), batch, draws.rng)
        loss = dmd_loss(made[:, :, 1:], gradient)
        figures = {"gradient": float(gradient.abs().mean())}
        if self.recipe.anchor:
            truth = (made[:, :, 1:] - batch["latents"][:, :, 1:]).square().mean()
            loss = loss + self.recipe.anchor * truth
            figures["anchor"] = truth.item()
        return loss, figures

    @torch.no_grad()
    def gradient(self, made: Tensor, batch: Batch, rng: torch.Generator) -> Tensor:
        """The distribution matching gradient at the student's clip, of the frames behind the start image."""
        teacher = self.teacher
        fake = self.fake_score
        first = made[:, :, :1]
        rest = made[:, :, 1:]
        sigma = score_sigma(len(made), self.recipe.shift, rng).to(made.device)
        noisy = add_noise(rest, randn_like(rest, rng), sigma[:, None].expand(-1, rest.shape[2]))
        ids = teacher.draw_ids(batch, rng)  # the same track ids for both scores
        motion = teacher.motion(batch, rng, ids)
        empty = torch.zeros(len(made), dtype=torch.bool)
        # One draw for both scores: they judge the same noisy clip.
        front = first_of(teacher, first, sigma, rng)
        real_x0 = guided_clip(
            teacher,
            front,
            noisy,
            sigma,
            (motion, teacher.no_motion(batch)),
            (teacher.text(batch), teacher.text(batch, empty)),
            self.recipe.guidance,
        )
        fake_x0 = predict_clip(fake, front, noisy, sigma, fake.motion(batch, rng, ids), fake.text(batch))
        return dmd_gradient(rest, real_x0, fake_x0)

    def _critic(self, batch: Batch, draws: Draws) -> tuple[Tensor, dict[str, float]]:
        fake = self.fake_score
        rng = draws.rng
        with torch.no_grad():
            made = self._generate(batch, draws, grad=False)
        rest = made[:, :, 1:]
        sigma = score_sigma(len(made), self.recipe.shift, rng).to(made.device)
        noisy = add_noise(rest, randn_like(rest, rng), sigma[:, None].expand(-1, rest.shape[2]))
        front = first_of(fake, made[:, :, :1], sigma, rng)
        x0 = predict_clip(fake, front, noisy, sigma, fake.motion(batch, rng), fake.text(batch))
        most = most_weight(self.config.prediction, self.recipe.most_weight)
        return flow_loss(x0, rest, sigma, most), {}

    @torch.no_grad()
    def validate(self, modules: dict[str, nn.Module], rng: torch.Generator) -> dict[str, float]:
        if self.validation_data is None:
            return {}
        return rollout_errors(self.student, self.validation_data, rng)

    def sample(self, modules: dict[str, nn.Module]) -> list[Sample]:
        return self.samples(self.student) if self.samples else []


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `train distill`."""
    parser.add_argument("--student", type=Path, required=True, help="student.safetensors of causal-init")
    parser.add_argument(
        "--teacher",
        type=Path,
        required=True,
        help="teacher.safetensors: the real score, and the fake one's beginning",
    )
    parser.add_argument(
        "--critic-steps",
        type=int,
        default=DistillRecipe.critic_steps,
        help="updates of the fake score for each of the student's",
    )
    parser.add_argument(
        "--critic-lr", type=float, help="of the fake score; a fifth of --lr by default, as in the paper"
    )
    parser.add_argument(
        "--shift",
        type=float,
        default=DistillRecipe.shift,
        help="of the noise levels at which scores meet, %(default)s by default",
    )
    parser.add_argument(
        "--no-rolling", action="store_true", help="the cache keeps the whole clip in training (an ablation)"
    )
    parser.add_argument(
        "--anchor",
        type=float,
        default=DistillRecipe.anchor,
        help="weight of a regression to the real clip beside the distribution matching",
    )
    add_keep_tracks(parser, DistillRecipe.keep_tracks)
    add_refresh(parser)
    add_teacher_sees(parser)
    add_guidance(parser)
    add_common(parser)
    add_validation(parser)


def build(args: argparse.Namespace) -> Setup:
    """Student, teacher and fake score of the parsed options."""
    recipe = DistillRecipe(
        Guidance(text=args.text_weight, motion=args.motion_weight),
        args.critic_steps,
        args.shift,
        rolling=not args.no_rolling,
        anchor=args.anchor,
        keep_tracks=tuple(args.keep_tracks),
        sparse_share=args.sparse_share,
    )
    stage = DistillStage(
        open_model(args, args.student),
        open_teacher(args),
        recipe,
        open_validation(args),
        open_samples(args, of_students),
        open_refresh(args),
    )
    critic_lr = CRITIC_LR * args.lr if args.critic_lr is None else args.critic_lr
    lr = {"student": args.lr, "fake_score": critic_lr}
    return setup(args, stage, open_pool(args, args.data), file_digests(args.student, args.teacher), lr)
