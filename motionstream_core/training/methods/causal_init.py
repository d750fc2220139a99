"""Stage "causal-init": the teacher's weights become a causal few-step student (MotionStream, section 3.2).

Owns two starts, to be compared: `ode`, regression of a trajectory's end from its states, each chunk behind
the clean chunks before it, and `ar`, the autoregressive diffusion model of Causal Forcing (flow matching
behind clean chunks), whose own trajectories `ode` may then be run on.
Both draw another sink and window for every batch, so that one model serves them all.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from ...model.cache import CacheShape
from ...sampling.flow import add_noise, schedule_of, shift_sigma
from ..engine.stage import Data, Draws
from .losses import flow_loss, most_weight, regression_loss
from .options import (
    Setup,
    add_common,
    add_keep_tracks,
    add_validation,
    file_digests,
    open_config,
    open_model,
    open_pool,
    open_samples,
    open_validation,
    setup,
)
from .roles import Batch, MotionModel, set_trainable
from .samples import Sample, Samples, of_students
from .steps import cell_weights, check_whole_chunks, rand, randn_like, rollout_errors
from .teacher import told_less
from .trajectories import Trajectories, predict_chunk, write_clean_chunk

NAME = "causal-init"
HELP = "the teacher's weights become a causal few-step student"
LR = 4e-3
STARTS = ("ode", "ar")


@dataclass(frozen=True)
class CausalInitRecipe:
    start: str = "ode"  # "ode" or "ar"
    sinks: tuple[int, ...] = (0, 1, 3)  # latent frames; one is drawn for every batch
    windows: tuple[int, ...] = (3, 3, 6)
    text_dropout: float = 0.0  # of "ar", whose guidance a later stage may want
    context_noise: float = 0.0  # most noise on a committed chunk
    shift: float = 5.0  # of "ar"
    most_weight: float = 5.0
    things_weight: float = 1.0  # of cells that the data say a thing touches
    keep_tracks: tuple[float, float] = (1.0, 1.0)  # share of the tracks that a sample is told of
    sparse_share: float = 0.0  # of the samples, told of few tracks

    def __post_init__(self):
        if self.start not in STARTS:
            raise ValueError(f"start: expected 'ode' or 'ar', got {self.start!r}")


class CausalInitStage:
    """A stage for `engine.train`: one role, "student". Its batches are `Trajectories` for "ode", clips for
    "ar".
    """

    name = NAME
    trainable = ("student",)
    ema = "student"

    def __init__(
        self,
        model: MotionModel,
        recipe: CausalInitRecipe,
        validation_data: Data | None = None,
        samples: Samples | None = None,
    ):
        self.student = set_trainable(model, frozen=("track_head",))
        self.modules: dict[str, nn.Module] = {"student": self.student}
        self.config = model.config
        self.recipe = recipe
        self.validation_data = validation_data
        self.samples = samples
        self.sigmas = schedule_of(model.config)

    def role_at(self, step: int) -> str:
        return "student"

    def loss(self, role: str, batch: Batch, draws: Draws) -> tuple[Tensor, dict[str, float]]:
        model = self.student
        recipe = self.recipe
        rng = draws.rng
        batch = told_less(batch, recipe.keep_tracks, rng, recipe.sparse_share)
        context = batch["latents"]
        frames = self.config.rolling.cache_shape.chunk
        check_whole_chunks(context.shape[2], frames)
        shape = CacheShape(
            frames,
            recipe.sinks[draws.shared.choice(len(recipe.sinks))],
            recipe.windows[draws.shared.choice(len(recipe.windows))],
        )
        cache = model.dit.make_grad_cache(*context.shape[-2:], shape=shape)
        motion = model.motion(batch, rng)
        text = model.text(batch, keep=rand(context.shape[0], rng) >= recipe.text_dropout)
        write_clean_chunk(model, context[:, :, :1], motion[:, :, :1], text, cache)
        cells = cell_weights(batch, recipe.things_weight)
        losses = []
        for start in range(1, context.shape[2] - frames + 1, frames):
            part = slice(start, start + frames)
            weights = None if cells is None else cells[:, :, part]
            losses.append(self._chunk(model, batch, part, motion[:, :, part], text, cache, rng, weights))
            if part.stop == context.shape[2]:
                break  # nothing looks back at the last chunk
            noise = (
                recipe.context_noise
                * rand(context.shape[0], rng).view(-1, 1, 1, 1, 1).to(context)
                * randn_like(context[:, :, part], rng)
            )
            write_clean_chunk(model, context[:, :, part] + noise, motion[:, :, part], text, cache)
        return torch.stack(losses).mean(), {}

    def _chunk(
        self,
        model: MotionModel,
        batch: Batch,
        part: slice,
        motion: Tensor,
        text,
        cache,
        rng: torch.Generator,
        cells: Tensor | None,
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
            return regression_loss(made, batch["ends"][:, :, part], cells)
        x0 = batch["latents"][:, :, part]
        sigma = shift_sigma(rand(size, rng), self.recipe.shift).clamp(min=0.02).to(x0)
        made = predict_chunk(
            model,
            add_noise(x0, randn_like(x0, rng), sigma[:, None].expand(-1, x0.shape[2])),
            sigma,
            motion,
            text,
            cache,
        )
        most = most_weight(self.config.prediction, self.recipe.most_weight)
        return flow_loss(made, x0, sigma, most, cells=cells)

    @torch.no_grad()
    def validate(self, modules: dict[str, nn.Module], rng: torch.Generator) -> dict[str, float]:
        if self.validation_data is None:
            return {}
        return rollout_errors(self.student, self.validation_data, rng)

    def sample(self, modules: dict[str, nn.Module]) -> list[Sample]:
        return self.samples(self.student) if self.samples else []


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `train causal-init`."""
    parser.add_argument("--init", type=Path, required=True, help="the teacher's weights")
    parser.add_argument(
        "--start",
        choices=STARTS,
        default=CausalInitRecipe.start,
        help="ode: regression on trajectories; ar: flow matching behind clean chunks",
    )
    for name, usual in (("sinks", CausalInitRecipe.sinks), ("windows", CausalInitRecipe.windows)):
        parser.add_argument(
            f"--{name}",
            type=int,
            nargs="+",
            default=usual,
            metavar="FRAMES",
            help=f"latent frames of the {name[:-1]}; one is drawn for every batch",
        )
    add_keep_tracks(parser, CausalInitRecipe.keep_tracks)
    parser.add_argument(
        "--shift", type=float, default=CausalInitRecipe.shift, help="of the noise levels of ar"
    )
    parser.add_argument(
        "--context-noise",
        type=float,
        default=CausalInitRecipe.context_noise,
        help="most noise on a chunk once it is context, against errors that grow in a stream",
    )
    parser.add_argument(
        "--things-weight",
        type=float,
        default=CausalInitRecipe.things_weight,
        help="weight in the loss of cells that the data say a thing touches",
    )
    add_common(parser)
    add_validation(parser)


def build(args: argparse.Namespace) -> Setup:
    """The student of the parsed options."""
    stage = CausalInitStage(
        open_model(args, args.init, quick=True),
        CausalInitRecipe(
            start=args.start,
            sinks=tuple(args.sinks),
            windows=tuple(args.windows),
            context_noise=args.context_noise,
            shift=args.shift,
            things_weight=args.things_weight,
            keep_tracks=tuple(args.keep_tracks),
            sparse_share=args.sparse_share,
        ),
        open_validation(args),
        open_samples(args, of_students),
    )
    if args.start == "ode":
        data = Trajectories(args.data, schedule_of(open_config(args)))
    else:
        data = open_pool(args, args.data)
    return setup(args, stage, data, file_digests(args.init))
