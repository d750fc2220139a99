"""Trains the cartoon network: single latents first, then buffers of eight.

Owns the loop, the loss's weights and the held-out figures. Everything is drawn from the number of the step,
so that a run that was stopped goes on as if it had not been.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..buffer import (
    PARTITIONS,
    UNIFORM,
    draw_levels,
    draw_partition,
    draw_single,
    slot_levels,
    weighted_error,
)
from ..muon import BatchedMuon
from .clips import Clips
from .network import Cartoon
from .run import Figure, Run, warm_then_fall
from .vocabulary import VOCABULARY

BUFFER = 8
THINGS = 3.0  # weight of the cells of things
NO_TEXT = 0.1
LEVELS = (0.1, 0.3, 0.5, 0.7, 0.9)
HEARD_AT = (0.7, 0.9)  # levels at which left and right are swapped in the prompt
ADAM_LEAVES = (
    "patch_embedding",
    "place_embedding",
    "head.head",
    "text_embedding",
    "time_",
    "words",
    "modulation",
)


@dataclass(frozen=True)
class Levels:
    """How noise levels are drawn: the shares of the partitions, of whole clips the share of even levels
    and the shift of these towards noise.
    """

    partitions: Mapping[int, float] = field(default_factory=lambda: PARTITIONS)
    uniform: float = UNIFORM
    shift: float = 1.0


# Where a thing stands and which way it goes is decided above 0.8 when a clip starts from noise. The paper's
# draws spend one clip in fifty there.
COLD_START = Levels({8: 0.50, 2: 0.32, 4: 0.10, 1: 0.08}, uniform=0.6, shift=3.0)


def optimizer(net: Cartoon, lr: float, adam_lr: float, dtype: torch.dtype = torch.float32) -> BatchedMuon:
    def is_matrix(name: str, p: Tensor) -> bool:
        return p.ndim == 2 and not any(leaf in name for leaf in ADAM_LEAVES)

    return BatchedMuon(list(net.named_parameters()), lr, adam_lr, is_matrix=is_matrix, dtype=dtype)


def loss_of(
    net: Cartoon, x0: Tensor, mask: Tensor, ids: Tensor, levels: Tensor, rng: torch.Generator
) -> Tensor:
    """The weighted error of the velocity on one batch. A tenth of the prompts is left out."""
    noise = torch.randn(x0.shape, generator=rng)
    at = levels[:, None, :, None, None]
    kept = torch.rand(len(ids), 1, generator=rng) >= NO_TEXT
    velocity = net((1 - at) * x0 + at * noise, levels, ids * kept)
    return weighted_error(velocity, noise - x0, 1 + (THINGS - 1) * mask)


@torch.no_grad()
def held_out(net: Cartoon, clips: Clips, frames: int, count: int = 16) -> dict[str, Figure]:
    """Errors on held-out clips: one level for all (mean of five), and for buffers the levels of four
    chunks of two.
    """
    x0, mask, ids = clips.windows(
        np.arange(count), np.arange(count) % 5 if frames > 1 else np.arange(count) % 12, frames
    )
    noise = torch.randn(x0.shape, generator=torch.Generator().manual_seed(1))
    cases = {f"u{level}": torch.full((count, frames), level) for level in LEVELS}
    if frames > 1:
        cases["buffer"] = slot_levels(frames, 2).expand(count, frames)
    rows: dict[str, tuple[float, float]] = {}
    slots = []
    for name, levels in cases.items():
        at = levels[:, None, :, None, None]
        x = (1 - at) * x0 + at * noise
        velocity = torch.cat(
            [net(*(part[i : i + 8] for part in (x, levels, ids))) for i in range(0, count, 8)]
        )
        error = (velocity - (noise - x0)).square().mean(1, keepdim=True)
        rows[name] = float(error.mean()), float((error * mask).sum() / mask.sum())
        if name == "buffer":
            slots = [round(float(v), 4) for v in error.mean((0, 1, 3, 4)).view(-1, 2).mean(1)]
    even = [rows[f"u{level}"] for level in LEVELS]
    out: dict[str, Figure] = {
        "uniform": float(np.mean([r[0] for r in even])),
        "uniform_things": float(np.mean([r[1] for r in even])),
    }
    out["levels"] = [round(r[0], 4) for r in even]
    if frames > 1:
        out |= {"buffer": rows["buffer"][0], "buffer_things": rows["buffer"][1], "slots": slots}
        out |= heard(net, clips, frames)
    return out


def swapped(ids: Tensor) -> Tensor:
    """The prompts with left and right in each other's place."""
    left, right = VOCABULARY.index("left"), VOCABULARY.index("right")
    return torch.where(ids == left, right, torch.where(ids == right, left, ids))


@torch.no_grad()
def heard(net: Cartoon, clips: Clips, frames: int, count: int = 16) -> dict[str, list[float]]:
    """How much worse the cells of things get on held-out clips that go left or right when the prompt says
    the other way, at each of HEARD_AT.
    """
    sideways = [i for i, ids in enumerate(clips.ids) if not torch.equal(ids, swapped(ids))][:count]
    x0, mask, ids = clips.windows(np.array(sideways), np.arange(len(sideways)) % 5, frames)
    noise = torch.randn(x0.shape, generator=torch.Generator().manual_seed(3))
    gaps = []
    for level in HEARD_AT:
        levels = torch.full((len(ids), frames), level)
        x = (1 - level) * x0 + level * noise
        right, wrong = (
            ((net(x, levels, said) - (noise - x0)).square().mean(1, keepdim=True) * mask).sum() / mask.sum()
            for said in (ids, swapped(ids))
        )
        gaps.append(round(float(wrong - right), 4))
    return {"heard": gaps}


def train(
    folder: Path,
    cache: Path,
    net: Cartoon,
    seconds: float,
    *,
    video: bool,
    batch: int,
    lr: float,
    adam_lr: float,
    fall: float = 0.3,
    drawn: Levels = Levels(),
    bf16: bool = False,
    every: float | None = None,
) -> Run:
    """Trains for so many CPU seconds, and measures every so many. Video mixes a tenth of single-latent steps
    in.

    bf16: matrix products in bfloat16, which is the faster type on CPUs that multiply it.
    """
    run = Run(folder, net, optimizer(net, lr, adam_lr, torch.bfloat16 if bf16 else torch.float32), 0.998)
    net.bf16 = bf16
    clips, held = Clips(cache), Clips(cache, held_out=True)
    told = run.seconds if run.step else -1e9
    every = every or (330 if video else 150)
    recent: list[float] = []
    while run.seconds < seconds:
        if run.seconds - told > every:
            clips.refresh()
            with run.averaged():
                mean = float(np.mean(recent)) if recent else 0.0
                run.log(train=mean, clips=len(clips), **held_out(net, held, BUFFER if video else 1))
            told, recent = run.seconds, []
        draws, rng = np.random.default_rng([5, video, run.step]), torch.Generator().manual_seed(run.step)
        single = not video or draws.random() < 0.1
        frames, many = (1, batch * 5 if video else batch) if single else (BUFFER, batch)
        x0, mask, ids = clips.draw(draws, many, frames)
        levels = (
            draw_single(many, rng, drawn.uniform, shift=drawn.shift)[:, None]
            if single
            else draw_levels(
                many,
                frames,
                draw_partition(rng, drawn.partitions),
                rng,
                uniform=drawn.uniform,
                shift=drawn.shift,
            )
        )
        loss = loss_of(net, x0, mask, ids, levels, rng)
        run.update(loss, warm_then_fall(run.seconds / seconds, fall=fall), many)
        recent.append(float(loss.detach()))
    with run.averaged():
        run.log(final=True, **held_out(net, held, BUFFER if video else 1))
    run.save()
    return run
