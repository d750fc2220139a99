"""Stage "causal-init": the teacher's weights become a causal few-step student (MotionStream, section 3.2).

Owns two starts, to be compared: `ode`, regression of a trajectory's end from its states, each chunk behind
the clean chunks before it; and `ar`, the autoregressive diffusion model of Causal Forcing (flow matching
behind clean chunks), whose own trajectories `ode` may then be run on.
Both draw another sink and window for every batch, so that one model serves them all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ...codec.tiny import TinyCodec
from ...model.cache import CacheShape
from ...sampling.flow import add_noise, schedule_of, shifted
from ...sampling.rollout import rollout
from ..engine.stage import shared_choice
from .losses import flow_loss, per_sample, regression_loss
from .refresh import MotionTimeline
from .roles import Batch, MotionModel, learn, moved
from .teacher import draw, randn_like
from .trajectories import commit, predict_chunk


@dataclass(frozen=True)
class CausalInitRecipe:
    start: str = "ode"  # "ode" or "ar"
    sinks: tuple[int, ...] = (0, 1, 3)  # latent frames; one is drawn for every batch
    windows: tuple[int, ...] = (3, 3, 6)
    text_dropout: float = 0.0  # of "ar", whose guidance a later stage may want
    context_noise: float = 0.0  # most noise on a committed chunk
    shift: float = 5.0  # of "ar"
    most_weight: float = 5.0

    def __post_init__(self):
        if self.start not in ("ode", "ar"):
            raise ValueError(f"start: expected 'ode' or 'ar', got {self.start!r}")


class CausalInitStage:
    """A stage for `engine.train`: one role, "student". Its batches are `Trajectories` for "ode", clips for
    "ar".
    """

    name = "causal-init"
    learning = ("student",)
    ema = "student"

    def __init__(self, model: MotionModel, recipe: CausalInitRecipe, held=None, samples=None):
        self.modules: dict[str, nn.Module] = {"student": learn(model, frozen=("track_head",))}
        self.config, self.recipe, self.held, self.samples = model.config, recipe, held, samples
        self.sigmas = schedule_of(model.config)

    def turn(self, step: int) -> str:
        return "student"

    def loss(self, role: str, batch: Batch, rng: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        model, recipe = self.modules["student"], self.recipe
        context, frames = batch["latents"], self.config.context.chunk
        shape = CacheShape(
            frames,
            recipe.sinks[shared_choice(batch, rng, len(recipe.sinks))],
            recipe.windows[shared_choice(batch, rng, len(recipe.windows))],
        )
        cache = model.dit.make_grad_cache(*context.shape[-2:], shape=shape)
        motion = model.motion(batch, rng)
        text = model.text(batch, keep=draw(context.shape[0], rng) >= recipe.text_dropout)
        commit(model, context[:, :, :1], motion[:, :, :1], text, cache)
        losses = []
        for start in range(1, context.shape[2] - frames + 1, frames):
            part = slice(start, start + frames)
            losses.append(self._chunk(model, batch, part, motion[:, :, part], text, cache, rng))
            noise = (
                recipe.context_noise
                * draw(context.shape[0], rng).view(-1, 1, 1, 1, 1).to(context)
                * randn_like(context[:, :, part], rng)
            )
            commit(model, context[:, :, part] + noise, motion[:, :, part], text, cache)
        return torch.stack(losses).mean(), {}

    def _chunk(
        self, model: MotionModel, batch: Batch, part: slice, motion: Tensor, text, cache, rng: torch.Generator
    ) -> Tensor:
        size = batch["latents"].shape[0]
        if self.recipe.start == "ode":
            level = torch.randint(len(self.sigmas), (size,), generator=rng)
            state = torch.stack([states[number] for states, number in zip(batch["states"], level.tolist())])[
                :, :, part
            ]
            made = predict_chunk(
                model, state, torch.tensor(self.sigmas)[level].to(state), motion, text, cache
            )
            return regression_loss(made, batch["ends"][:, :, part])
        x0 = batch["latents"][:, :, part]
        sigma = shifted(draw(size, rng), self.recipe.shift).clamp(min=0.02).to(x0)
        made = predict_chunk(
            model,
            add_noise(x0, randn_like(x0, rng), sigma[:, None].expand(-1, x0.shape[2])),
            sigma,
            motion,
            text,
            cache,
        )
        return flow_loss(
            made, x0, sigma, float("inf") if self.config.prediction == "velocity" else self.recipe.most_weight
        )

    @torch.no_grad()
    def validate(self, modules: dict[str, nn.Module], rng: torch.Generator) -> dict[str, float]:
        return rollout_errors(modules["student"], self.held, rng) if self.held is not None else {}

    def sample(self, modules: dict[str, nn.Module]):
        return self.samples(modules["student"]) if self.samples else []


def rollout_clip(
    model: MotionModel,
    batch: Batch,
    rng: torch.Generator,
    *,
    grad: bool = False,
    exit_step: int | None = None,
    rolling: bool = True,
    on_step=None,
    refresh_after: tuple[int, ...] = (),
    codec: TinyCodec | None = None,
) -> Tensor:
    """The student's own clip by the one rollout, from the batch's start image, tracks and text -> latents (B,
    C, t, h, w), start image included.

    With rolling=False nothing ever leaves the cache: the ablation of training without the window. Behind the
    chunks in `refresh_after` (1, 2, …) the sink is refreshed, where there is one and it can be filled;
    `codec` as in `SinkRefresh`.
    """
    latents, chunk = batch["latents"], model.config.context.chunk
    chunks = (latents.shape[2] - 1) // chunk
    shape = model.config.context if rolling else CacheShape(chunk, model.config.context.sink, chunks * chunk)
    cache = model.dit.make_grad_cache(*latents.shape[-2:], shape=shape, detached=True)
    scenes = MotionTimeline(model, batch, model.motion(batch, rng), codec)
    made = rollout(
        model.dit,
        first_latent=latents[:, :, :1],
        motion=scenes,
        text=model.text(batch),
        shape=(latents.shape[-2], latents.shape[-1]),
        sigmas=schedule_of(model.config),
        cache=cache,
        rng=rng,
        chunks=chunks,
        grad=grad,
        exit_step=exit_step,
        on_step=on_step,
    )
    clip: list[Tensor] = []
    for piece in made:
        clip.append(piece.latents)
        if piece.index in refresh_after and made.change_scene(scenes.as_start):
            scenes.rebase(piece.start + piece.latents.shape[2], torch.cat(clip, dim=2).detach())
    return torch.cat(clip, dim=2)


@torch.no_grad()
def rollout_errors(model: MotionModel, held, rng: torch.Generator, clips: int = 16) -> dict[str, float]:
    """Error of the student's own clips against the held-out truth, also as a share of the error of copying
    the start image and of the warp's.
    """
    batch = moved(held.batch(np.random.default_rng(1), clips), model)
    truth = batch["latents"][:, :, 1:]
    error = float(per_sample((rollout_clip(model, batch, rng)[:, :, 1:] - truth).square()).mean())
    rows = {
        "rollout_mse": error,
        "ratio_copy": error / float((batch["latents"][:, :, :1] - truth).square().mean()),
    }
    if "warp" in batch:
        rows["ratio_warp"] = error / float((batch["warp"][:, :, 1:] - truth).square().mean())
    return rows
