"""Findings that take a training: what the motion is shown as, the rolling window in training, augmented
tracks, refreshed sinks.

Owns the small trainings and what is compared after them. A setting is handed out as soon as it is done, and
left out where it was `done` before. All are short and equal in length, so they compare settings with each
other, not with a finished model. Shapes as in `training.roles`.

Laboratory, not product (see this package's docstring).
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...codec.tiny import TinyCodec
from ...model.dit import WanDiT
from ...model.presets import PRESETS, ModelConfig, with_unspecified
from ...model.weights.networks import Networks
from ...training.data.pool import Pool
from ...training.data.shards import imperfect_sample, write_shards
from ...training.engine.engine import TrainConfig, train
from ...training.methods.causal import CausalRecipe, CausalStage
from ...training.methods.distill import DistillRecipe, DistillStage
from ...training.methods.guidance import Guidance
from ...training.methods.initial import HEAD, widened_head
from ...training.methods.refresh import SinkRefresh
from ...training.methods.roles import Batch, MotionModel, clone, load_into
from ...training.methods.steps import rollout_clip
from ..heldout import HeldOut, heldout_set, long_set
from ..measure import measure_drift
from .findings import (
    CLIP,
    Row,
    Say,
    as_batch,
    batch_of,
    clip_figures,
    decode_frames,
    median_ms,
    streamed_method,
)

Done = Collection[str]  # names of settings
DRAWN_RADIUS = 2.0  # px of a drawn point
AUGMENTATION_SHARDS = 6
MILD = Guidance(
    0.5,
    0.5,
    # The paper's weights over-saturate a teacher that was trained for minutes, which would drown what is
    # compared
)
ROLLING_BATCH, ROLLING_CRITIC = 4, 2  # so that minutes hold more than a handful of the student's updates
LONG = 2  # streams of 253 frames
CONTINUED = {"student": 3e-3}  # of a student that has learned already
REFRESHED_CLIP, REFRESHES = 61, (2, 4)  # of five chunks


@dataclass(frozen=True)
class Short:
    """How long and on what the small trainings run."""

    data: Path | None  # shards
    train_media: Path | None  # pictures and sprites to write shards of
    media: Path  # held out
    minutes: float
    clips: int
    seeds: int
    batch: int = 8
    steps: int | None = (
        None  # in the place of minutes: arms of equal length on a machine that does other work too
    )
    work: Path | None = (
        None  # where trainings lie until their setting is done, to be gone on with; none: nothing is kept
    )


def model_of(networks: Networks) -> MotionModel:
    """The trainable parts of loaded networks, as copies."""
    model = MotionModel(networks.config)
    dit = networks.dit
    head = networks.track_head
    words = networks.text_encoder
    if not isinstance(dit, WanDiT) or head is None or words is None or model.words is None:
        raise ValueError("findings: expected the pack's own model, with a track head and a vocabulary")
    model.dit.load_state_dict(dit.state_dict())
    model.track_head.load_state_dict(head.state_dict())
    model.words.load_state_dict(words.state_dict())
    return model


class HeadOff(MotionModel):
    """The warp alone: the track head is told of no track."""

    def motion(self, batch: Batch, rng: torch.Generator, ids: Tensor | None = None) -> Tensor:
        return super().motion({**batch, "visible": torch.zeros_like(batch["visible"])}, rng, ids)


class Drawn(MotionModel):
    """Tracks drawn as coloured points on a black canvas and encoded by the codec, in the place of the track
    head's channels.
    """

    codec: TinyCodec

    def motion(self, batch: Batch, rng: torch.Generator, ids: Tensor | None = None) -> Tensor:
        made = super().motion(batch, rng, ids)
        part = self.config.require_motion.parts["head"]
        made = made.clone()
        made[:, part] = drawn_latents(self.codec, batch, rng)
        return made


@torch.no_grad()
def drawn_latents(codec: TinyCodec, batch: Batch, rng: torch.Generator) -> Tensor:
    """Each track a colour of its own, a soft disc a frame -> latents (B, 16, t, h, w)."""
    stride = 8
    height, width = batch["latents"].shape[-2] * stride, batch["latents"].shape[-1] * stride
    size, frames, tracks = batch["visible"].shape
    colours = torch.rand(tracks, 3, generator=rng)
    canvas = torch.zeros(size, frames, 3, height * width)
    reach = int(np.ceil(DRAWN_RADIUS))
    for dy in range(-reach, reach + 1):
        for dx in range(-reach, reach + 1):
            if dx * dx + dy * dy > DRAWN_RADIUS**2:
                continue
            cell = torch.floor(batch["xy"] + torch.tensor([dx, dy]))
            inside = (
                batch["visible"]
                & (cell[..., 0] >= 0)
                & (cell[..., 0] < width)
                & (cell[..., 1] >= 0)
                & (cell[..., 1] < height)
            )
            index = torch.where(inside, cell[..., 1] * width + cell[..., 0], 0).long()
            value = colours.T[None, None] * inside[:, :, None]
            canvas.scatter_reduce_(-1, index[:, :, None].expand(-1, -1, 3, -1), value, "amax")
    return codec.encode(canvas.unflatten(-1, (height, width)))


def representations(codec: TinyCodec, short: Short, say: Say, done: Done = ()) -> Iterator[Row]:
    """Track head alone, warp alone, both, drawn tracks: trained alike from fresh weights. Errors and the time
    to encode a clip's tracks.
    """
    kinds: dict[str, tuple[type[MotionModel], ModelConfig]] = {
        "track head (ids) alone": (MotionModel, PRESETS["tiny-ids"]),
        "warp alone": (HeadOff, PRESETS["tiny"]),
        "both": (MotionModel, PRESETS["tiny"]),
        "tracks drawn in RGB": (Drawn, PRESETS["tiny-ids"]),
    }
    for name, (kind, config) in _open(kinds, done):
        values: dict[str, list[float]] = {}
        for seed in range(short.seeds):
            say(f"representation: {name}, seed {seed}")
            torch.manual_seed(seed)
            model = kind(config)
            if isinstance(model, Drawn):
                object.__setattr__(model, "codec", codec)
            model = _train_setting(name, CausalStage(model, CausalRecipe()), "student", short, seed, values)
            _measure(values, model, codec, short, seed)
        batch = as_batch(codec, heldout_set(short.media, 1, frames=CLIP)[0])
        encoded = {"warp alone": "warp", "both": "warp"}.get(name)
        values["encode_ms"] = [_encode_ms(codec, model, batch, encoded == "warp", short)]
        yield Row("representation", name, values)


def _encode_ms(codec: TinyCodec, model: MotionModel, batch: Batch, warp: bool, short: Short) -> float:
    """Milliseconds for the tracks of one clip. For the warp its carrying and encoding too."""
    rng = torch.Generator().manual_seed(0)
    item = heldout_set(short.media, 1, frames=CLIP)[0]
    with torch.no_grad():
        own = median_ms(lambda: model.motion(batch, rng))
        return own + (
            median_ms(lambda: as_batch(codec, item))
            - median_ms(lambda: codec.encode(torch.from_numpy(item.frames).permute(0, 3, 1, 2)[None]))
            if warp
            else 0.0
        )


def rolling(
    student: MotionModel, teacher: MotionModel, codec: TinyCodec, short: Short, say: Say, done: Done = ()
) -> Iterator[Row]:
    """Distillation with and without the rolling window in training, measured on streams that roll: clips, and
    seven times as long.

    Args:
        student: where both trainings begin.
        teacher: whose scores it is distilled from.
        codec: encodes and decodes.
        short: how long and on what is trained.
        say: told a line after each setting.
        done: names of settings that are measured already.
    """
    short, long = replace(short, batch=ROLLING_BATCH), long_set(short.media, LONG)
    for name, roll in _open(
        {"before distillation": None, "rolling in training": True, "whole clip in the cache": False}, done
    ):
        values: dict[str, list[float]] = {}
        for seed in range(short.seeds):
            say(f"{name}, seed {seed}")
            model = student
            if roll is not None:
                stage = DistillStage(
                    clone(student), clone(teacher), DistillRecipe(MILD, ROLLING_CRITIC, rolling=roll)
                )
                model = _train_setting(
                    name, stage, "student", short, seed, values, lr={"student": 1e-3, "fake_score": 2e-4}
                )
            _measure(values, model, codec, short, seed)
            networks = Networks(model.dit, model.track_head, codec, model.words)
            for key, value in measure_drift(
                long, streamed_method(networks, seed, None, None, []), lambda _: None
            ).items():
                values.setdefault(key, []).append(value)
        yield Row("rolling", name, values)


def augmentation(
    student: MotionModel, codec: TinyCodec, short: Short, say: Say, done: Done = ()
) -> Iterator[Row]:
    """Training on imperfect tracks, without and with a channel for tracks that say nothing, measured on clean
    and on imperfect tracks. All shards show the same scenes.

    Args:
        student: where both trainings begin.
        codec: encodes and decodes.
        short: how long and on what is trained.
        say: told a line after each setting.
        done: names of settings that are measured already.
    """
    if short.train_media is None:
        raise ValueError("augmentation: expected --train-media FILE, got none")
    arms = {
        0.0: {"clean tracks in training": False},
        0.5: {"half of them imperfect": False, "half imperfect, unspecified said": True},
    }
    for share, arm in arms.items():
        kinds = _open(arm, done)
        if not kinds:
            continue
        with tempfile.TemporaryDirectory() as folder:
            say(f"augmentation: shards, {share:.0%} imperfect")
            write_shards(
                codec,
                short.train_media,
                Path(folder),
                77,
                AUGMENTATION_SHARDS,
                imperfect_share=share,
                unspecified=True,
            )
            for name, said in kinds:
                values: dict[str, list[float]] = {}
                for seed in range(short.seeds):
                    say(f"augmentation: {name}, seed {seed}")
                    stage = CausalStage(saying_nothing(student) if said else clone(student), CausalRecipe())
                    model = _train_setting(
                        name, stage, "student", replace(short, data=Path(folder)), seed, values, lr=CONTINUED
                    )
                    _measure(values, model, codec, short, seed, ("", "imperfect_"))
                yield Row("augmentation", name, values)


def saying_nothing(student: MotionModel) -> MotionModel:
    """A copy whose track head also hears of tracks that say nothing. At first it does as before."""
    model = MotionModel(with_unspecified(student.config))
    state = student.state_dict()
    load_into(model, {**state, HEAD: widened_head(state[HEAD], model.config.require_motion)}, "student")
    return model


def refreshed(
    student: MotionModel, codec: TinyCodec, short: Short, say: Say, done: Done = ()
) -> Iterator[Row]:
    """Sinks refreshed in training or not, measured on clips of 61 frames with none and with one behind every
    second chunk.

    Args:
        student: where both trainings begin.
        codec: encodes and decodes.
        short: how long and on what is trained.
        say: told a line after each setting.
        done: names of settings that are measured already.
    """
    for name, share in _open({"before": None, "none in training": 0.0, "in half of the steps": 0.5}, done):
        values: dict[str, list[float]] = {}
        for seed in range(short.seeds):
            say(f"refresh: {name}, seed {seed}")
            model = student
            if share is not None:
                model = _train_setting(
                    name,
                    CausalStage(clone(student), CausalRecipe(), refresh=SinkRefresh(share, codec)),
                    "student",
                    short,
                    seed,
                    values,
                    lr=CONTINUED,
                )
            items = heldout_set(short.media, short.clips, frames=REFRESHED_CLIP)
            for prefix, after in (("", ()), ("refreshed_", REFRESHES)):
                found = clip_figures(
                    items, (_make_clip(model, codec, item, seed, False, after) for item in items)
                )
                for key, value in found.items():
                    values.setdefault(prefix + key, []).append(value)
        yield Row("refresh", name, values)


def _open(settings: Mapping[str, Any], done: Done) -> list[tuple[str, Any]]:
    """The settings that are still to be compared."""
    return [(name, value) for name, value in settings.items() if name not in done]


def _train_setting(
    name: str,
    stage,
    role: str,
    short: Short,
    seed: int,
    values: dict[str, list[float]],
    lr: dict[str, float] | None = None,
) -> MotionModel:
    """The role after the short training of a setting. How many steps that was goes into `values`."""
    if short.data is None:
        raise ValueError(f"{name}: expected --data FOLDER, got none")
    config = TrainConfig(
        steps=short.steps,
        minutes=short.minutes if short.steps is None else None,
        batch=short.batch,
        lr=lr or {role: 1e-2},
        optimizer="muon",
        seed=seed,
        decay=0.5,
    )
    with contextlib.ExitStack() as stack:
        out = (
            short.work / f"{name.replace(' ', '-').replace(',', '')}-{seed}"
            if short.work is not None
            else Path(stack.enter_context(tempfile.TemporaryDirectory()))
        )
        ended = train(stage, Pool(short.data), config, out, {"stage": "findings", "setting": name})
    if ended["interrupted"]:
        raise KeyboardInterrupt
    values.setdefault("train_steps", []).append(ended["step"])
    return stage.modules[role].eval()


@torch.no_grad()
def _measure(
    values: dict[str, list[float]],
    model: MotionModel,
    codec: TinyCodec,
    short: Short,
    seed: int,
    kinds: tuple[str, ...] = ("",),
) -> None:
    items = heldout_set(short.media, short.clips, frames=CLIP)
    for prefix in kinds:
        found = clip_figures(items, (_make_clip(model, codec, item, seed, bool(prefix)) for item in items))
        for key, value in found.items():
            values.setdefault(prefix + key, []).append(value)


@torch.no_grad()
def _make_clip(
    model: MotionModel,
    codec: TinyCodec,
    item: HeldOut,
    seed: int,
    spoiled: bool,
    refresh_after: tuple[int, ...] = (),
) -> np.ndarray:
    """The model's own clip. With `spoiled` it is told imperfect tracks and still measured against the true
    ones.
    """
    batch = (
        batch_of(imperfect_sample(codec, item.clip, item.chosen, seed, unspecified=True))
        if spoiled
        else as_batch(codec, item)
    )
    return decode_frames(
        codec,
        rollout_clip(
            model, batch, torch.Generator().manual_seed(seed), refresh_after=refresh_after, codec=codec
        ),
    )
