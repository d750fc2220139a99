"""Stage "buffer": flow matching on StreamDiT's moving buffer (arXiv 2507.03745, section 3.3).

Owns which partitions a run meets and how often, and the windows of clips that a buffer sees. The draws of
levels and the formulas are `training/buffer.py`'s.
A step has one partition: chunks of c latent frames, each at a level drawn in its own segment, and K clean
reference frames before them. Slot 0 is the oldest and cleanest.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ...model.config import BufferConfig, ModelConfig, Partition
from ..buffer import SHARED, draw_levels, slot_levels
from ..engine.stage import Batch, Data, Draws
from .buffer_options import add_buffer_common, buffer_setup, open_clips, open_of
from .options import Setup
from .roles import move_batch, set_trainable
from .samples import Sample
from .steps import rand, randn_like
from .video_model import VideoModel, check_buffer, velocity_at, with_motion

NAME = "buffer"
HELP = "flow matching on the moving buffer, with mixed partitions"
LR = 1e-2
WHOLE_SHARE = 0.3  # of the draws with one chunk, the paper's best of .1, .3 and .5


def usual_shares(frames: int) -> dict[int, float]:
    """Frames of a chunk and their shares for a queue of so many: the whole queue in one chunk for
    WHOLE_SHARE, and 1, 2, 4 and 8 that divide it for equal parts of the rest.
    """
    small = [c for c in (1, 2, 4, 8) if c < frames and frames % c == 0]
    shares = {c: (1 - WHOLE_SHARE) / len(small) for c in small}
    return {**shares, frames: WHOLE_SHARE if small else 1.0}


@dataclass(frozen=True)
class BufferRecipe:
    """What a training step meets.

    Args:
        shares: frames of a chunk and how often. Empty: `usual_shares`.
        shared: share of the samples whose chunks stand at one place of their segments, as when streaming.
            The others are drawn apart (eq. 8).
        reference_frames: numbers of clean frames before the queue, drawn evenly.
        text_dropout: share of the samples whose text is hidden.
        first: latent frames at a clip's beginning that no window takes: the one that holds a single frame.
    """

    shares: Mapping[int, float] = field(default_factory=dict)
    shared: float = SHARED
    reference_frames: tuple[int, ...] = (0,)
    text_dropout: float = 0.1
    first: int = 1

    def __post_init__(self):
        if any(share < 0 for share in self.shares.values()):
            raise ValueError(f"partitions: expected shares from 0, got {dict(self.shares)}")
        if self.shares and not sum(self.shares.values()) > 0:
            raise ValueError(f"partitions: expected a share above 0, got {dict(self.shares)}")
        if not 0 <= self.shared <= 1:
            raise ValueError(f"shared: expected a share of 0..1, got {self.shared}")
        if not self.reference_frames or min(self.reference_frames) < 0:
            raise ValueError(f"reference_frames: expected numbers from 0, got {self.reference_frames}")

    def shares_of(self, config: BufferConfig) -> dict[int, float]:
        """The shares for this queue, their sum 1. ValueError for chunks that do not divide it."""
        frames = config.queue_frames
        given = dict(self.shares) or usual_shares(frames)
        for chunk in given:
            if chunk < 1 or frames % chunk:
                raise ValueError(f"partitions: expected divisors of {frames} latent frames, got {chunk}")
        total = sum(given.values())
        return {chunk: share / total for chunk, share in given.items() if share}

    def trained(self, config: BufferConfig) -> tuple[Partition, ...]:
        """The partitions that weights of this recipe know. Their micro-steps are free: every level of a
        segment is met.
        """
        frames = config.queue_frames
        return tuple(
            Partition(chunk, frames // chunk, reference)
            for reference in sorted(set(self.reference_frames))
            for chunk in sorted(self.shares_of(config))
        )


class BufferStage:
    """A stage for `engine.train`: one role, "teacher"."""

    name = NAME
    trainable = ("teacher",)
    ema = "teacher"

    def __init__(self, model: VideoModel, recipe: BufferRecipe, validation_data: Data | None = None):
        check_buffer(model.config, NAME)
        self.config = model.config
        sampler = model.config.sampler
        assert isinstance(sampler, BufferConfig)
        self.sampler = sampler
        self.shares = recipe.shares_of(sampler)
        self.teacher = set_trainable(model)
        self.modules: dict[str, nn.Module] = {"teacher": self.teacher}
        self.recipe = recipe
        self.validation_data = validation_data

    def role_at(self, step: int) -> str:
        return "teacher"

    def loss(self, role: str, batch: Batch, draws: Draws) -> tuple[Tensor, dict[str, float]]:
        # 1. The partition, the same in all processes of a step: it decides the frames of a forward.
        chunk = draw_chunk_frames(self.shares, draws)
        known = self.recipe.reference_frames
        reference = known[draws.shared.choice(len(known))]
        # 2. A window of the clip, and its levels.
        rng = draws.rng
        frames = reference + self.sampler.queue_frames
        batch = with_motion(self.teacher, batch, rng)
        batch = cut_window(batch, frames, self.recipe.first, draws)
        levels = buffer_levels(self.sampler, len(batch["latents"]), chunk, reference, rng, self.recipe.shared)
        # 3. The squared error of the velocity, of the frames that are denoised.
        keep = rand(len(levels), rng) >= self.recipe.text_dropout
        return buffer_loss(self.teacher, batch, levels, reference, rng, keep), {"chunk": float(chunk)}

    @torch.no_grad()
    def validate(self, modules: dict[str, nn.Module], rng: torch.Generator) -> dict[str, float]:
        """Errors of the velocity on held-out clips, by partition, in the middle of the segments."""
        if self.validation_data is None:
            return {}
        batch = move_batch(self.validation_data.batch(np.random.default_rng(1), 16), self.teacher)
        batch = with_motion(self.teacher, batch, rng)
        batch = cut_window(batch, self.sampler.queue_frames, self.recipe.first, Draws.of_seed(1))
        rows = {}
        for chunk in self.shares:
            levels = slot_levels(self.sampler.queue_frames, chunk).expand(len(batch["latents"]), -1)
            error = buffer_loss(self.teacher, batch, levels, 0, torch.Generator().manual_seed(1))
            rows[f"velocity_mse_c{chunk}"] = float(error)
        return rows

    def sample(self, modules: dict[str, nn.Module]) -> list[Sample]:
        return []


def draw_chunk_frames(shares: Mapping[int, float], draws: Draws) -> int:
    """The frames of a chunk by lot, the same in the whole step."""
    place = draws.shared.choice(2**24) / 2**24
    for chunk, share in shares.items():
        place -= share
        if place < 0:
            return chunk
    return next(iter(shares))


def cut_window(batch: Batch, frames: int, first: int, draws: Draws) -> dict[str, Tensor]:
    """So many latent frames of each clip from a random place, the same for a whole batch, with their motion.
    ValueError for clips that are too short.
    """
    total = batch["latents"].shape[2]
    if total < first + frames:
        raise ValueError(
            f"clips: expected at least {first + frames} latent frames for a buffer of {frames}, got {total}"
        )
    start = first + int(torch.randint(total - first - frames + 1, (1,), generator=draws.rng))
    cut = dict(batch)
    for name in cut:
        if name == "latents" or name.endswith("motion"):
            cut[name] = batch[name][:, :, start : start + frames]
    return cut


def buffer_levels(
    sampler: BufferConfig, batch: int, chunk: int, reference: int, rng: torch.Generator, shared: float
) -> Tensor:
    """Levels (batch, K + N c): zeros of the reference frames, and a draw in each chunk's own segment under
    the sampler's level function.

    Args:
        sampler: the partition and its level function.
        batch: samples.
        chunk: latent frames of a chunk.
        reference: latent frames before the queue.
        rng: of the draws.
        shared: share of the samples whose place within the segment is the same in all chunks.
    """
    drawn_levels = draw_levels(batch, sampler.queue_frames, chunk, rng, shared)
    if sampler.gamma != 1:
        drawn_levels = 1 - (1 - drawn_levels) ** sampler.gamma
    return torch.cat([torch.zeros(batch, reference), drawn_levels], 1)


def buffer_loss(
    model: VideoModel,
    batch: Batch,
    levels: Tensor,
    reference: int,
    rng: torch.Generator,
    keep: Tensor | None = None,
) -> Tensor:
    """Mean squared error of the velocity of one batch, of all frames behind the reference frames.

    Args:
        model: whose velocity is compared.
        batch: latents and conditions.
        levels: (B, T).
        reference: latent frames before the queue.
        rng: of the noise.
        keep: (B,) bool, which samples keep their text.
    """
    x0 = batch["latents"].to(model.device)
    noise = randn_like(x0, rng)
    levels = levels.to(x0)
    at = levels[:, None, :, None, None]
    x = (1 - at) * x0 + at * noise
    text = model.text(batch, keep)
    made = velocity_at(model, x, levels, batch.get("motion"), text)
    error = made - (noise - x0)
    return error[:, :, reference:].square().mean()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `train buffer`."""
    parser.add_argument("--init", type=Path, help="weights to begin with: an earlier phase of this method")
    parser.add_argument(
        "--partitions",
        type=shares_in,
        default={},
        metavar="C:SHARE,…",
        help="frames of a chunk and how often, such as 1:.2,2:.3,4:.2,8:.3; by default 1, 2, 4 and 8 that "
        f"divide the queue evenly and the whole queue for {WHOLE_SHARE}",
    )
    parser.add_argument(
        "--shared-offset",
        type=float,
        default=SHARED,
        metavar="P",
        help="share of the samples whose chunks stand at one place of their segments; 0: all apart (eq. 8)",
    )
    parser.add_argument(
        "--reference-frames",
        type=int,
        nargs="+",
        default=[0],
        metavar="K",
        help="clean frames before the queue; several are drawn evenly",
    )
    add_buffer_common(parser)


def shares_in(text: str) -> dict[int, float]:
    """ "1:.2,2:.3" -> {1: .2, 2: .3}."""
    try:
        pairs = [part.split(":") for part in text.split(",")]
        return {int(chunk): float(share) for chunk, share in pairs}
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected C:SHARE,C:SHARE …, got {text!r}") from None


def build(args: argparse.Namespace) -> Setup:
    """The teacher of the parsed options."""
    recipe = BufferRecipe(args.partitions, args.shared_offset, tuple(args.reference_frames))
    model = open_of(args, args.init)
    data = open_clips(args, args.data)
    held = open_clips(args, args.held) if args.held is not None else None
    stage = BufferStage(model, recipe, held)
    sampler = trained_sampler(model.config, recipe)
    return buffer_setup(args, stage, data, [args.init], sampler, {"shares": stage.shares})


def trained_sampler(config: ModelConfig, recipe: BufferRecipe) -> BufferConfig:
    """The sampler's settings as the weights file names them: with the partitions of the recipe."""
    sampler = config.sampler
    assert isinstance(sampler, BufferConfig)
    return replace(sampler, trained=recipe.trained(sampler))
