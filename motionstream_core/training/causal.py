"""Stage "causal": the streaming student, trained directly on what it will meet when it streams.

Owns the loss and the loop of the built-in model. A training sample is a short stream: the start image is committed to the cache, then each
chunk is denoised from a random noise level against that cache and committed in turn, as the clean truth or as the network's own
prediction (so that it meets its own mistakes in training). The cache is the rolling one of the rollout in its differentiable form:
same slots, same eviction.

Shapes: latents (B, 16, t, h, w), t = 1 + 3k; xy (B, T, N, 2), visible (B, T, N), T = 4t - 3; tokens (B, 16).
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ..model.presets import PRESETS, ModelConfig
from ..streaming.flow import add_noise, sigma_schedule, to_x0
from .optim import MuonAdamW, lr_shape
from .parallel import average_weighted, start
from .roles import Batch, MotionModel, learn
from .shards import Pool

SYNC_SECONDS = 20.0  # between two averagings of the processes' weights (local SGD)
ADAM_NAMES = ("patch_embedding", "head", "text_embedding", "time_", "words", "modulation")


@dataclass(frozen=True)
class CausalRecipe:
    """What a training stream looks like."""

    batch: int = 12
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


def train_causal(out: Path, shards: Path, held: Path, minutes: float, preset: str = "tiny", seed: int = 0, lr: float = 0.01, recipe: CausalRecipe | None = None,
                 decay: float = 0.35) -> None:
    """Trains for `minutes` and keeps the averaged weights in out/student.safetensors and a curve in out/student.jsonl; continues what is there."""
    recipe = recipe or CausalRecipe()
    out.mkdir(parents=True, exist_ok=True)
    rank, world = start()
    torch.manual_seed(seed)
    student = MotionModel(PRESETS[preset])
    if (out / "student.safetensors").exists():
        student.load_state_dict(load_file(out / "student.safetensors"))
    average = {k: v.clone() for k, v in student.state_dict().items()}
    optim = MuonAdamW(student, lr=lr, adam_lr=1e-3, adam_names=ADAM_NAMES)
    parameters = [p for p in student.parameters() if p.requires_grad]
    salt = int(time.time()) % 100000
    rng, nrng = torch.Generator().manual_seed(seed + salt + rank), np.random.default_rng([seed, salt, rank])
    pool, held_pool = Pool(shards), Pool(held)
    began = last = refreshed = time.time()
    step, since, running, syncs = 0, 0, 0.0, max(1, round(minutes * 60 / SYNC_SECONDS))
    for sync in range(1, syncs + 1):
        while since == 0 or time.time() < began + sync * SYNC_SECONDS:
            optim.scale_lr(lr_shape((time.time() - began) / (60 * minutes), 0.02, decay))
            loss = stream_loss(student, pool.batch(nrng, recipe.batch), rng, recipe)
            if not torch.isfinite(loss):
                raise FloatingPointError(f"expected a finite loss, got {loss.item()} at step {step}; the last good weights are in {out}")
            optim.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optim.step()
            step, since = step + 1, since + 1
            running = loss.item() if step == 1 else 0.98 * running + 0.02 * loss.item()
            _average(average, student, step)
        average_weighted([*parameters, *average.values(), *optim.moments()], since)
        since = 0
        if time.time() - refreshed > 45:
            refreshed = time.time()
            pool.refresh()
        if rank == 0 and (time.time() - last > 150 or sync == syncs):
            last = time.time()
            row = validate_average(student, average, held_pool)
            _log(out, step=step, minutes=(last - began) / 60, clips=pool.clips, loss=running, processes=world, **row)
            _save(out, average)


def validate_average(student: MotionModel, average: dict[str, Tensor], pool: Pool) -> dict[str, float]:
    """`validate` of the averaged weights; the student's own are put back."""
    own = {k: v.clone() for k, v in student.state_dict().items()}
    student.load_state_dict(average)
    row = validate(student, pool)
    student.load_state_dict(own)
    return row


@torch.no_grad()
def _average(average: dict[str, Tensor], student: MotionModel, step: int, decay: float = 0.99) -> None:
    keep = min(decay, (1 + step) / (10 + step))
    for key, value in student.state_dict().items():
        average[key].lerp_(value, 1 - keep)


def _save(out: Path, state: dict[str, Tensor]) -> None:
    partial = out / "student.partial"
    save_file(state, partial)
    partial.replace(out / "student.safetensors")


def _log(out: Path, **row) -> None:
    with (out / "student.jsonl").open("a") as file:
        file.write(json.dumps({k: round(v, 5) if isinstance(v, float) else v for k, v in row.items()}) + "\n")
