"""Stage "causal": the streaming student, trained directly on what it will meet when it streams.

Owns the loss of the built-in model. A training sample is a short stream: the start image is committed to the
cache, then each chunk is denoised from a random noise level against that cache and committed in turn, as the
clean truth or as the network's own prediction (so that it meets its own mistakes in training). The cache is
the rolling one of the rollout in its differentiable form: same slots, same eviction.

Shapes: latents (B, 16, t, h, w), t = 1 + 3k. xy (B, T, N, 2), visible (B, T, N), T = 4t - 3. tokens (B, 16).
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ...model.context import rolling_context
from ...model.dit import TextContext
from ...model.presets import ModelConfig
from ...sampling.cached_latents import CachedLatents
from ...sampling.flow import add_noise, schedule_of
from ...sampling.step import predict_x0, write_context
from ..engine.stage import Data, Draws
from .options import (
    Setup,
    add_common,
    add_refresh,
    add_validation,
    file_digests,
    open_model,
    open_pool,
    open_refresh,
    open_samples,
    open_validation,
    setup,
)
from .refresh import NEVER, MotionTimeline, SinkRefresh, draw_refresh_chunk, least_chunks
from .roles import Batch, MotionModel, move_batch, set_trainable
from .samples import Sample, Samples, of_students
from .steps import check_whole_chunks, rand, randn_like

NAME = "causal"
HELP = "the streaming student without a teacher: on real chunks and its own"
LR = 1e-2


@dataclass(frozen=True)
class CausalRecipe:
    """What a training stream looks like."""

    own_context: float = 0.5  # share of samples whose committed chunks are the network's own prediction
    context_noise: float = 0.06  # most noise added to a committed chunk
    text_dropout: float = 0.1
    first_step_share: float = (
        0.6  # share of chunks trained at the few noise levels of the rollout, the rest in lowest_sigma..1
    )
    lowest_sigma: float = 0.6  # the few-step rollout never meets less
    # Share of committed chunks whose keys and values carry no gradient, which saves a third of their cost
    cut_share: float = 0.5
    long_share: float = 0.25  # share of steps with three chunks, so that the window rolls


class CausalStage:
    """The stage for `engine.train`: one role, "student"."""

    name = NAME
    trainable = ("student",)
    ema = "student"

    def __init__(
        self,
        model: MotionModel,
        recipe: CausalRecipe,
        validation_data: Data | None = None,
        samples: Samples | None = None,
        refresh: SinkRefresh = NEVER,
    ):
        refresh.check(model.config)
        self.student = set_trainable(model)
        self.modules: dict[str, nn.Module] = {"student": self.student}
        self.recipe = recipe
        self.validation_data = validation_data
        self.samples = samples
        self.refresh = refresh

    def role_at(self, step: int) -> str:
        return "student"

    def loss(self, role: str, batch: Batch, draws: Draws) -> tuple[Tensor, dict[str, float]]:
        return stream_loss(self.student, batch, draws, self.recipe, refresh=self.refresh), {}

    def validate(self, modules: dict[str, nn.Module], rng: torch.Generator) -> dict[str, float]:
        return validate(self.student, self.validation_data) if self.validation_data is not None else {}

    def sample(self, modules: dict[str, nn.Module]) -> list[Sample]:
        return self.samples(self.student) if self.samples else []


def draw_sigma(
    rng: torch.Generator, size: int, config: ModelConfig, few_step_share: float, lowest: float = 0.6
) -> Tensor:
    """(B,) noise levels: the rollout's own few, or anything in lowest..1.

    Args:
        rng: of the draws.
        size: samples.
        config: whose rollout is meant.
        few_step_share: share of the samples at the rollout's own levels.
        lowest: least of the other levels.
    """
    free = lowest + (1 - lowest) * rand(size, rng)
    few = torch.tensor(schedule_of(config))[torch.randint(config.sampler.steps, (size,), generator=rng)]
    return torch.where(rand(size, rng) < few_step_share, few, free)


def stream_loss(
    student: MotionModel,
    batch: Batch,
    draws: Draws,
    recipe: CausalRecipe,
    sigma: float | None = None,
    own: float | None = None,
    refresh: SinkRefresh = NEVER,
) -> Tensor:
    """Mean x0 error of every chunk of a training stream (see the module's text).

    Args:
        student: who learns.
        batch: latents and tracks of clips.
        draws: of noise, ids and chunks.
        recipe: the numbers of the method.
        sigma: fixes the noise level, which is drawn otherwise.
        own: fixes the share of own context, which is drawn otherwise.
        refresh: how often the sink is refreshed.
    """
    config = student.config
    rng = draws.rng
    x0 = batch["latents"]
    size = len(x0)
    frames = config.rolling.cache_shape.chunk
    check_whole_chunks(x0.shape[2], frames)
    scenes = MotionTimeline(student, batch, student.motion(batch, rng), refresh.codec)
    keep = rand(size, rng) >= recipe.text_dropout if sigma is None else None
    context = _Context(student, scenes, student.text(batch, keep), *x0.shape[-2:])
    own_share = recipe.own_context if own is None else own
    context.commit(0, x0[:, :, :1])
    losses = []
    refreshed = refresh.drawn(draws)
    starts = _chunk_starts(
        x0.shape[2],
        frames,
        draws,
        recipe,
        sigma is not None,
        1 + least_chunks(config.rolling.cache_shape) if refreshed else 2,
    )
    last = draw_refresh_chunk(draws, config.rolling.cache_shape, len(starts)) if refreshed else 0
    for number, begin in enumerate(starts):
        truth, condition = x0[:, :, begin : begin + frames], scenes(begin, frames)
        level = (
            torch.full((size,), sigma).to(x0)
            if sigma is not None
            else draw_sigma(rng, size, config, recipe.first_step_share, recipe.lowest_sigma).to(x0)
        )
        predicted = _predict(student, context.cache, truth, condition, context.text, level, rng)
        losses.append((predicted - truth).square().mean())
        if number + 1 < len(starts):
            noise = recipe.context_noise if sigma is None else None
            chunk = _context_of(truth, predicted.detach(), own_share, noise, rng)
            cut = sigma is None and draws.shared.chance(recipe.cut_share)
            with torch.set_grad_enabled(torch.is_grad_enabled() and not cut):
                context.commit(begin, chunk)
                if number + 1 == last:
                    context.refresh(begin + frames)
    return torch.stack(losses).mean()


def _context_of(
    truth: Tensor, predicted: Tensor, own_share: float, noise: float | None, rng: torch.Generator
) -> Tensor:
    """A chunk as later ones see it: its own in a share of the samples, else the truth, with noise.

    Args:
        truth: (B, C, c, H, W).
        predicted: the same by the student.
        own_share: share of the samples with the student's own.
        noise: most noise, of which each sample has an even part. None draws none.
        rng: of the draws.
    """
    size = len(truth)
    keep = (rand(size, rng) < own_share).view(-1, 1, 1, 1, 1).to(truth)
    chunk = torch.lerp(truth, predicted, keep)
    if noise is None:
        return chunk
    return chunk + noise * rand(size, rng).view(-1, 1, 1, 1, 1).to(truth) * randn_like(chunk, rng)


class _Context:
    """What a training stream's chunks see: the cache, and what it was made of, so that its sink can be
    refreshed as `Rollout.change_scene` does it.
    """

    def __init__(
        self, student: MotionModel, scenes: MotionTimeline, text: TextContext, height: int, width: int
    ):
        self.student, self.scenes, self.text = student, scenes, text
        self.cache = student.dit.make_grad_cache(height, width)
        self.kept = CachedLatents(self.cache.shape)
        self.made: list[Tensor] = []

    def commit(self, start: int, latents: Tensor):
        motion = self.scenes(start, latents.shape[2])
        self._write_context(latents, motion)
        self.kept.add(latents, motion)
        self.made.append(latents)

    def refresh(self, start: int):
        """The newest frames become the sink. From latent frame `start` on motion is taken from the last of
        them. Nothing where they are too few.
        """
        if not self.kept.refresh(self.scenes.as_first_frame):
            return
        total = self.cache.total
        self.cache.reset()
        with self.cache.rewriting(total):
            for latents, motion in self.kept.pieces(self.cache.shape.chunk):
                self._write_context(latents, motion)
        self.scenes.set_reference(start, torch.cat(self.made, dim=2))

    def _write_context(self, latents: Tensor, motion: Tensor | None):
        write_context(self.student.dit, latents, motion, self.text, rolling_context(self.cache, write=True))


def _chunk_starts(
    total: int,
    frames: int,
    draws: Draws,
    recipe: CausalRecipe,
    every: bool,
    few: int = 2,
) -> list[int]:
    """First latent frames of the chunks of this step: `few` in a row from a random place, or all of them."""
    starts = list(range(1, total - frames + 1, frames))
    if every or draws.shared.chance(recipe.long_share) or len(starts) <= few:
        return starts
    first = draws.shared.choice(len(starts) - few + 1)
    return starts[first : first + few]


def _predict(
    student: MotionModel, cache, truth: Tensor, motion: Tensor, text, level: Tensor, rng: torch.Generator
) -> Tensor:
    levels = level[:, None].expand(-1, truth.shape[2])
    x = add_noise(truth, randn_like(truth, rng), levels)
    return predict_x0(student.dit, x, levels, motion, text, rolling_context(cache))


@torch.no_grad()
def validate(student: MotionModel, pool: Data, clips: int = 32) -> dict[str, float]:
    """x0 error at sigma 1 on own context, as a share of the error of copying frame 0 (`copy`) and of the
    encoded warp (`warp`).
    """
    draws = Draws.of_seed(1)
    batch = move_batch(pool.batch(np.random.default_rng(1), clips), student)
    truth = batch["latents"][:, :, 1:]
    error = float(stream_loss(student, batch, draws, CausalRecipe(), sigma=1.0, own=1.0))
    copy = float((batch["latents"][:, :, :1] - truth).square().mean())
    rows = {"x0_mse": error, "ratio_copy": error / copy}
    return (
        rows | {"ratio_warp": error / float((batch["warp"][:, :, 1:] - truth).square().mean())}
        if "warp" in batch
        else rows
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `train causal`."""
    parser.add_argument("--init", type=Path, help="weights to begin with")
    add_refresh(parser)
    add_common(parser)
    add_validation(parser)


def build(args: argparse.Namespace) -> Setup:
    """The student of the parsed options."""
    stage = CausalStage(
        open_model(args, args.init),
        CausalRecipe(),
        open_validation(args),
        open_samples(args, of_students),
        open_refresh(args),
    )
    return setup(args, stage, open_pool(args, args.data), file_digests(args.init))
