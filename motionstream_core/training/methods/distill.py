"""Stage "distill": Self Forcing with distribution matching (MotionStream, section 3.2; DMD2; Self Forcing,
algorithm 1).

Owns who plays which part and in which order. The student makes its own video by the one rollout, sinks and
rolling window included, and lets gradients through one random step of every chunk; the frozen teacher under
joint guidance is the real score, a trained copy of it the fake one, which sees five updates for each of the
student's. Both judge the whole clip at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ...sampling.flow import add_noise
from ..engine.stage import shared_choice
from .causal_init import rollout_clip, rollout_errors
from .clips import predict_clip
from .guidance import Guidance, guided_clip
from .losses import dmd_gradient, dmd_loss, flow_loss, score_sigma
from .refresh import NEVER, SinkRefresh, border
from .roles import Batch, MotionModel, check_compatible, check_no_shared_memory, freeze, learn, twin
from .teacher import randn_like


@dataclass(frozen=True)
class DistillRecipe:
    guidance: Guidance = Guidance()
    critic_steps: int = 5  # updates of the fake score for each of the student's
    shift: float = 5.0  # of the noise levels at which scores meet
    rolling: bool = True  # False: the cache keeps all of the clip in training (an ablation)
    anchor: float = 0.0  # weight of a regression to the real clip, where there is one; 0 as in the paper
    most_weight: float = 5.0

    def __post_init__(self):
        if self.critic_steps < 0:
            raise ValueError(f"critic_steps: expected >= 0, got {self.critic_steps}")


class DistillStage:
    """A stage for `engine.train`: roles "student" and "fake_score" learn, "teacher" is frozen."""

    name = "distill"
    learning = ("student", "fake_score")
    ema = "student"

    def __init__(
        self,
        student: MotionModel,
        teacher: MotionModel,
        recipe: DistillRecipe,
        held=None,
        samples=None,
        refresh: SinkRefresh = NEVER,
    ):
        check_compatible(teacher, student)
        refresh.check(student.config)
        self.modules: dict[str, nn.Module] = {
            "student": learn(student, frozen=("track_head",)),
            "fake_score": learn(twin(teacher), frozen=("track_head",)),
            "teacher": freeze(teacher),
        }
        check_no_shared_memory(*self.modules.values())
        self.config, self.recipe, self.held, self.samples, self.refresh = (
            student.config,
            recipe,
            held,
            samples,
            refresh,
        )

    def turn(self, step: int) -> str:
        return (
            "student" if step % (self.recipe.critic_steps + 1) == self.recipe.critic_steps else "fake_score"
        )

    def loss(self, role: str, batch: Batch, rng: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        return self._student(batch, rng) if role == "student" else self._critic(batch, rng)

    def _generate(self, batch: Batch, rng: torch.Generator, grad: bool) -> Tensor:
        """The student's clip, ended at one random step, the same for all chunks and in all processes; in some
        of them the sink is refreshed midway.
        """
        exit_step = shared_choice(batch, rng, self.config.steps)
        context = self.config.context
        after = (
            (border(batch, rng, context, (batch["latents"].shape[2] - 1) // context.chunk),)
            if self.refresh.drawn(batch, rng)
            else ()
        )
        return rollout_clip(
            self.modules["student"],
            batch,
            rng,
            grad=grad,
            exit_step=exit_step,
            rolling=self.recipe.rolling,
            refresh_after=after,
            codec=self.refresh.codec,
        )

    def _student(self, batch: Batch, rng: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        made = self._generate(batch, rng, grad=True)
        gradient = self.gradient(made.detach(), batch, rng)
        loss = dmd_loss(made[:, :, 1:], gradient)
        figures = {"gradient": float(gradient.abs().mean())}
        if self.recipe.anchor:
            truth = (made[:, :, 1:] - batch["latents"][:, :, 1:]).square().mean()
            loss, figures["anchor"] = loss + self.recipe.anchor * truth, truth.item()
        return loss, figures

    @torch.no_grad()
    def gradient(self, made: Tensor, batch: Batch, rng: torch.Generator) -> Tensor:
        """The distribution matching gradient at the student's clip, of the frames behind the start image."""
        teacher, fake = self.modules["teacher"], self.modules["fake_score"]
        first, rest = made[:, :, :1], made[:, :, 1:]
        sigma = score_sigma(len(made), self.recipe.shift, rng).to(made.device)
        noisy = add_noise(rest, randn_like(rest, rng), sigma[:, None].expand(-1, rest.shape[2]))
        ids = rng.get_state()
        motion = teacher.motion(batch, rng)
        empty = torch.zeros(len(made), dtype=torch.bool)
        real_x0 = guided_clip(
            teacher,
            first,
            noisy,
            sigma,
            (motion, teacher.no_motion(batch)),
            (teacher.text(batch), teacher.text(batch, empty)),
            self.recipe.guidance,
        )
        rng.set_state(ids)  # the same track ids for both
        fake_x0 = predict_clip(fake, first, noisy, sigma, fake.motion(batch, rng), fake.text(batch))
        return dmd_gradient(rest, real_x0, fake_x0)

    def _critic(self, batch: Batch, rng: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        fake = self.modules["fake_score"]
        with torch.no_grad():
            made = self._generate(batch, rng, grad=False)
        rest = made[:, :, 1:]
        sigma = score_sigma(len(made), self.recipe.shift, rng).to(made.device)
        noisy = add_noise(rest, randn_like(rest, rng), sigma[:, None].expand(-1, rest.shape[2]))
        x0 = predict_clip(fake, made[:, :, :1], noisy, sigma, fake.motion(batch, rng), fake.text(batch))
        most = float("inf") if self.config.prediction == "velocity" else self.recipe.most_weight
        return flow_loss(x0, rest, sigma, most), {}

    @torch.no_grad()
    def validate(self, modules: dict[str, nn.Module], rng: torch.Generator) -> dict[str, float]:
        return rollout_errors(modules["student"], self.held, rng) if self.held is not None else {}

    def sample(self, modules: dict[str, nn.Module]):
        return self.samples(modules["student"]) if self.samples else []
