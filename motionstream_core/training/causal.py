"""Stage "causal": the streaming student, trained directly on what it will meet when it streams.

Owns the loss of the built-in model. A training sample is a short stream: the start image is committed to the cache, then each
chunk is denoised from a random noise level against that cache and committed in turn, as the clean truth or as the network's own
prediction (so that it meets its own mistakes in training). The cache is the rolling one of the rollout in its differentiable form:
same slots, same eviction.

Shapes: latents (B, 16, t, h, w), t = 1 + 3k; xy (B, T, N, 2), visible (B, T, N), T = 4t - 3; tokens (B, 16).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ..model.presets import ModelConfig
from ..streaming.flow import add_noise, sigma_schedule, to_x0
from .roles import Batch, MotionModel, learn
from .shards import Pool


@dataclass(frozen=True)
class CausalRecipe:
    """What a training stream looks like."""

    own_context: float = 0.5  # share of samples whose committed chunks are the network's own prediction
    context_noise: float = 0.06  # most noise added to a committed chunk
    text_dropout: float = 0.1
    first_step_share: float = 0.6  # share of chunks trained at the few noise levels of the rollout, the rest in lowest_sigma..1
    lowest_sigma: float = 0.6  # the few-step rollout never meets less
    cut_share: float = 0.5  # share of committed chunks whose keys and values carry no gradient, which saves a third of their cost
    long_share: float = 0.25  # share of batches with three chunks, so that the window rolls


class CausalStage:
    """The stage for `engine.train`: one role, "student"."""

    name = "causal"
    learning = ("student",)
    ema = "student"

    def __init__(self, model: MotionModel, recipe: CausalRecipe, held=None, samples=None):
        self.modules: dict[str, nn.Module] = {"student": learn(model)}
        self.recipe, self.held, self.samples = recipe, held, samples

    def turn(self, step: int) -> str:
        return "student"

    def loss(self, role: str, batch: Batch, rng: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        return stream_loss(self.modules["student"], batch, rng, self.recipe), {}

    def validate(self, modules: dict[str, nn.Module], rng: torch.Generator) -> dict[str, float]:
        return validate(modules["student"], self.held) if self.held is not None else {}

    def sample(self, modules: dict[str, nn.Module]):
        return self.samples(modules["student"]) if self.samples else []


def draw_sigma(rng: torch.Generator, size: int, config: ModelConfig, few_step_share: float, lowest: float = 0.6) -> Tensor:
    """(B,) noise levels: the rollout's own few, or anything in lowest..1."""
    free = lowest + (1 - lowest) * torch.rand(size, generator=rng)
    few = torch.tensor(sigma_schedule(config.steps, config.shift))[torch.randint(config.steps, (size,), generator=rng)]
    return torch.where(torch.rand(size, generator=rng) < few_step_share, few, free)


def stream_loss(student: MotionModel, batch: dict[str, Tensor], rng: torch.Generator, recipe: CausalRecipe, sigma: float | None = None, own: float | None = None) -> Tensor:
    """Mean x0 error of every chunk of a training stream (see the module's text). `sigma`, `own` fix what is otherwise drawn."""
    config, x0 = student.config, batch["latents"]
    size, frames = x0.shape[0], config.context.chunk
    motion = student.motion(batch, rng)
    keep = torch.rand(size, generator=rng) >= recipe.text_dropout if sigma is None else None
    text = student.text(batch, keep)
    cache = student.dit.make_grad_cache(*x0.shape[-2:])
    own_share = recipe.own_context if own is None else own
    _commit(student, cache, x0[:, :, :1], motion[:, :, :1], text)
    losses = []
    starts = _chunk_starts(x0.shape[2], frames, rng, recipe, sigma is not None)
    for number, begin in enumerate(starts):
        part = slice(begin, begin + frames)
        truth, condition = x0[:, :, part], motion[:, :, part]
        level = torch.full((size,), sigma) if sigma is not None else draw_sigma(rng, size, config, recipe.first_step_share, recipe.lowest_sigma)
        predicted = _predict(student, cache, truth, condition, text, level, rng)
        losses.append((predicted - truth).square().mean())
        if number + 1 < len(starts):
            keep = (torch.rand(size, 1, 1, 1, 1, generator=rng) < own_share).float()
            context = torch.lerp(truth, predicted.detach(), keep)
            if sigma is None:
                context = context + recipe.context_noise * torch.rand(size, 1, 1, 1, 1, generator=rng) * torch.randn(context.shape, generator=rng)
            cut = sigma is None and float(torch.rand(1, generator=rng)) < recipe.cut_share
            with torch.set_grad_enabled(torch.is_grad_enabled() and not cut):
                _commit(student, cache, context, condition, text)
    return torch.stack(losses).mean()


def _chunk_starts(total: int, frames: int, rng: torch.Generator, recipe: CausalRecipe, every: bool) -> list[int]:
    """First latent frames of the chunks of this batch: two in a row from a random place, or all of them."""
    starts = list(range(1, total - frames + 1, frames))
    if every or float(torch.rand(1, generator=rng)) < recipe.long_share or len(starts) <= 2:
        return starts
    first = int(torch.randint(len(starts) - 1, (1,), generator=rng))
    return starts[first : first + 2]


def _commit(student: MotionModel, cache, latents: Tensor, motion: Tensor, text) -> None:
    student.dit(torch.cat([latents, motion], 1), torch.zeros(latents.shape[0], latents.shape[2]), text, cache, commit=True)


def _predict(student: MotionModel, cache, truth: Tensor, motion: Tensor, text, level: Tensor, rng: torch.Generator) -> Tensor:
    levels = level[:, None].expand(-1, truth.shape[2])
    x = add_noise(truth, torch.randn(truth.shape, generator=rng), levels)
    out = student.dit(torch.cat([x, motion], 1), 1000 * levels, text, cache)
    warp = motion[:, student.config.motion.parts["warp"]] if student.config.prediction == "gated_x0" else None
    return to_x0(out, x, levels, student.config.prediction, warp)


@torch.no_grad()
def validate(student: MotionModel, pool: Pool, clips: int = 32) -> dict[str, float]:
    """x0 error at sigma 1 on own context, as a share of the error of copying frame 0 (`copy`) and of the encoded warp (`warp`)."""
    rng, nrng, recipe = torch.Generator().manual_seed(1), np.random.default_rng(1), CausalRecipe()
    batch = pool.batch(nrng, clips)
    truth = batch["latents"][:, :, 1:]
    error = float(stream_loss(student, batch, rng, recipe, sigma=1.0, own=1.0))
    copy = float((batch["latents"][:, :, :1] - truth).square().mean())
    warp = float((batch["warp"][:, :, 1:] - truth).square().mean())
    return {"x0_mse": error, "ratio_copy": error / copy, "ratio_warp": error / warp}
