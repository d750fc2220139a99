"""Stage "teacher": the bidirectional motion teacher, by flow matching (MotionStream, section 3.1).

Owns what a training sample of the teacher is: noise level, which text and which motion is hidden. The engine
owns everything else.
Phase 1 shows every track. Phase 2 freezes the track head and hides random chunks of the motion in the middle
of a clip (p_mask), so that a track that ends is no object that vanishes.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ...sampling.flow import add_noise, shift_sigma
from ..engine.stage import Data, Draws
from .clips import first_of, predict_clip
from .guidance import Guidance
from .losses import bell_weight, flow_loss, most_weight, per_sample
from .options import (
    Setup,
    add_common,
    add_keep_tracks,
    add_validation,
    file_digests,
    open_model,
    open_pool,
    open_samples,
    open_validation,
    setup,
)
from .roles import Batch, MotionModel, move_batch, set_trainable
from .samples import Sample, Samples, of_teachers
from .steps import cell_weights, check_whole_chunks, rand, randn_like

NAME = "teacher"
HELP = "the bidirectional motion teacher"
LR = 1e-2
PHASES = (1, 2)
WEIGHTINGS = ("uniform", "bell")
SPARSE = (0.03, 0.16)  # share of the tracks where few are told: 4 to 20 of the cartoon's 128


@dataclass(frozen=True)
class TeacherRecipe:
    """The paper's numbers where it has them. Dropout of text and motion is ours (both guidance terms need a
    model that has met them).
    """

    phase: int = 1
    shift: float = 6.0
    text_dropout: float = 0.1
    motion_dropout: float = 0.1
    mask_share: float = 0.2  # p_mask, phase 2 only
    mask_last: bool = False  # also the last chunk, which the paper leaves alone
    weighting: str = "uniform"  # or "bell", Wan's weight over noise levels
    most_weight: float = 5.0  # cap of 1 / sigma^2 for networks that predict x0
    keep_tracks: tuple[float, float] = (
        0.4,
        1.0,
    )  # share of the tracks that a sample is told of (1,000-2,500 of 2,500)
    sparse_share: float = 0.0  # of the samples, told of few tracks
    things_weight: float = 1.0  # of cells that the data say a thing touches

    def __post_init__(self):
        if self.phase not in PHASES:
            raise ValueError(f"phase: expected 1 or 2, got {self.phase}")
        if self.weighting not in WEIGHTINGS:
            raise ValueError(f"weighting: expected 'uniform' or 'bell', got {self.weighting!r}")


class TeacherStage:
    """A stage for `engine.train`: one role, "teacher"."""

    name = NAME
    trainable = ("teacher",)
    ema = "teacher"

    def __init__(
        self,
        model: MotionModel,
        recipe: TeacherRecipe,
        validation_data: Data | None = None,
        samples: Samples | None = None,
    ):
        self.teacher = set_trainable(model, frozen=("track_head",) if recipe.phase == 2 else ())
        self.modules: dict[str, nn.Module] = {"teacher": self.teacher}
        self.config = model.config
        self.recipe = recipe
        self.validation_data = validation_data
        self.samples = samples

    def role_at(self, step: int) -> str:
        return "teacher"

    def loss(self, role: str, batch: Batch, draws: Draws) -> tuple[Tensor, dict[str, float]]:
        model = self.teacher
        recipe = self.recipe
        rng = draws.rng
        x0 = batch["latents"]
        size = len(x0)
        check_whole_chunks(x0.shape[2], self.config.rolling.cache_shape.chunk)
        if "warp" not in self.config.require_motion.parts:
            batch = drop_tracks(batch, recipe.keep_tracks, rng, recipe.sparse_share)
        motion = mask_motion(model, batch, model.motion(batch, rng), recipe, rng)
        text = model.text(batch, keep=rand(size, rng) >= recipe.text_dropout)
        sigma = shift_sigma(rand(size, rng), recipe.shift).clamp(min=0.02).to(x0.device)
        noisy = add_noise(
            x0[:, :, 1:], randn_like(x0[:, :, 1:], rng), sigma[:, None].expand(-1, x0.shape[2] - 1)
        )
        made = predict_clip(model, first_of(model, x0[:, :, :1], sigma, rng), noisy, sigma, motion, text)
        most = most_weight(self.config.prediction, recipe.most_weight)
        weight = bell_weight(sigma) if recipe.weighting == "bell" else None
        cells = cell_weights(batch, recipe.things_weight)
        cells = None if cells is None else cells[:, :, 1:]
        return flow_loss(made, x0[:, :, 1:], sigma, most, weight, cells), {}

    @torch.no_grad()
    def validate(self, modules: dict[str, nn.Module], rng: torch.Generator) -> dict[str, float]:
        """Error of x0 at three noise levels on held-out clips, also as a share of the error of copying the
        start image.
        """
        if self.validation_data is None:
            return {}
        model = self.teacher
        batch = move_batch(self.validation_data.batch(np.random.default_rng(1), 16), model)
        x0 = batch["latents"]
        motion, text = model.motion(batch, rng), model.text(batch)
        rows = {}
        for level in (0.3, 0.7, 0.98):
            sigma = torch.full((x0.shape[0],), level, device=x0.device)
            noisy = add_noise(
                x0[:, :, 1:], randn_like(x0[:, :, 1:], rng), sigma[:, None].expand(-1, x0.shape[2] - 1)
            )
            first = first_of(model, x0[:, :, :1], sigma, rng)
            made = predict_clip(model, first, noisy, sigma, motion, text)
            rows[f"x0_mse_{level}"] = float(per_sample((made - x0[:, :, 1:]).square()).mean())
        rows["ratio_copy"] = rows["x0_mse_0.98"] / float((x0[:, :, :1] - x0[:, :, 1:]).square().mean())
        return rows

    def sample(self, modules: dict[str, nn.Module]) -> list[Sample]:
        return self.samples(self.teacher) if self.samples else []


def drop_tracks(batch: Batch, share: tuple[float, float], rng: torch.Generator, sparse: float = 0.0) -> Batch:
    """Random tracks of each sample are not told of: a share of `share` stays, in a share `sparse` of the
    samples one of `SPARSE`. Only for models without the warp, which was made of all tracks.
    """
    size, _, tracks = batch["visible"].shape
    keep = share[0] + (share[1] - share[0]) * rand(size, rng)
    if sparse:
        few = SPARSE[0] + (SPARSE[1] - SPARSE[0]) * rand(size, rng)
        keep = torch.where(rand(size, rng) < sparse, few, keep)
    told = torch.rand(size, tracks, generator=rng, device=rng.device) < keep[:, None]
    return {**batch, "visible": batch["visible"] & told[:, None].to(batch["visible"].device)}


def told_less(batch: Batch, share: tuple[float, float], rng: torch.Generator, sparse: float = 0.0) -> Batch:
    """`drop_tracks` where a recipe drops some. Nothing is drawn where it drops none."""
    return batch if share == (1.0, 1.0) and not sparse else drop_tracks(batch, share, rng, sparse)


def mask_motion(
    model: MotionModel, batch: Batch, motion: Tensor, recipe: TeacherRecipe, rng: torch.Generator
) -> Tensor:
    """The motion with what training hides of it: all of it for some samples, in phase 2 also random chunks of
    latent frames behind the first chunk.

    Args:
        model: whose null motion is used.
        batch: latents and tracks.
        motion: (B, C_m, t, h, w).
        recipe: the shares of what is hidden.
        rng: of the draws.
    """
    size, _, frames = motion.shape[:3]
    chunk = model.config.rolling.cache_shape.chunk
    hide = (rand(size, rng) < recipe.motion_dropout)[:, None].expand(-1, frames).clone()
    if recipe.phase == 2:
        end = frames if recipe.mask_last else frames - chunk
        for start in range(1 + chunk, end, chunk):
            hide[:, start : start + chunk] |= (rand(size, rng) < recipe.mask_share)[:, None]
    return torch.where(hide[:, None, :, None, None].to(motion.device), model.no_motion(batch), motion)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `train teacher`."""
    parser.add_argument(
        "--init",
        type=Path,
        help="weights to begin with: an earlier stage, a Wan model or a control model (safetensors)",
    )
    parser.add_argument(
        "--phase",
        type=int,
        default=TeacherRecipe.phase,
        choices=PHASES,
        help="2: frozen track head, chunks of the motion hidden at random",
    )
    parser.add_argument(
        "--text-dropout",
        type=float,
        default=TeacherRecipe.text_dropout,
        help="share of the samples whose text is hidden",
    )
    parser.add_argument(
        "--motion-dropout",
        type=float,
        default=TeacherRecipe.motion_dropout,
        help="share of the samples whose tracks are all hidden",
    )
    parser.add_argument(
        "--additions",
        type=int,
        metavar="RANK",
        help="learn additions of this rank to self attention and feed-forward matrices, for a small file",
    )
    parser.add_argument(
        "--shift",
        type=float,
        default=TeacherRecipe.shift,
        help="of the noise levels, %(default)s by default; 1 is even levels",
    )
    add_keep_tracks(parser, TeacherRecipe.keep_tracks)
    parser.add_argument(
        "--things-weight",
        type=float,
        default=TeacherRecipe.things_weight,
        help="weight in the loss of cells that the data say a thing touches",
    )
    parser.add_argument(
        "--weighting",
        default=TeacherRecipe.weighting,
        choices=WEIGHTINGS,
        help="of the noise levels in the loss; bell: Wan's own weight, most in the middle",
    )
    add_common(parser)
    add_validation(parser)


def build(args: argparse.Namespace) -> Setup:
    """The teacher of the parsed options."""
    stage = TeacherStage(
        open_model(args, args.init, quick=True),
        TeacherRecipe(
            phase=args.phase,
            shift=args.shift,
            text_dropout=args.text_dropout,
            motion_dropout=args.motion_dropout,
            weighting=args.weighting,
            keep_tracks=tuple(args.keep_tracks),
            sparse_share=args.sparse_share,
            things_weight=args.things_weight,
        ),
        open_validation(args),
        open_samples(args, partial(of_teachers, guidance=Guidance())),
    )
    return setup(args, stage, open_pool(args, args.data), file_digests(args.init))
