"""How well a motion model of the cartoon moves things along tracks, by closed form.

Owns where a thing is found in a clip, what the clip is compared with, and the cases: all tracks, few, none,
and tracks whose ids are exchanged between two things. A thing is found by its colour, and its true place is
found in the drawn clip in the same way, so that what hides it counts in both.
Shapes: clips (B, T, H, W, 3) uint8. places (B, T, things, 2) pixels, NaN where nothing is found.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from ...codec.tiny import TinyCodec
from ...sampling.flow import add_noise, sigma_schedule
from ...training.cartoon.motion_clips import POINTS, drawn, sample_of
from ...training.cartoon.roaming import PAIRS, roaming_scene
from ...training.cartoon.sampling import decoded
from ...training.cartoon.scene import REDUCED, Scene
from ...training.data.pool import collate
from ...training.methods.clips import predict_clip
from ...training.methods.guidance import NO_GUIDANCE, Guidance
from ...training.methods.roles import Batch, MotionModel
from ...training.methods.steps import cell_weights, randn_like, rollout_clip
from ...training.methods.trajectories import sample_clip
from .counters import of_colour

FIRST = 30_000  # the number of the first scene: beyond the held-out clips that losses are measured on
LEAST_MASS = 0.15  # of the thing's true pixels of its colour: less is not found
LEAST_SEEN = 24  # true pixels of its colour: with fewer it cannot be judged
LEAST_MOVE = 3.0  # pixels that a thing must go at least to be counted
LEVELS = (0.9, 0.7, 0.4)
EVERY = 4  # frames are looked at
Maker = Callable[[MotionModel, Batch, torch.Generator], Tensor]


@dataclass(frozen=True)
class Lot:
    """Scenes with their samples and their drawn clips."""

    scenes: list[Scene]
    batch: Batch
    clips: np.ndarray

    @cached_property
    def truth(self) -> tuple[np.ndarray, np.ndarray]:
        """`places` of the drawn clips."""
        return places(self.clips, self.scenes)

    @property
    def pairs(self) -> list[int]:
        """The scenes with two things."""
        return [i for i, scene in enumerate(self.scenes) if len(scene.things) == 2]

    def of(self, chosen: list[int]) -> Lot:
        return Lot(
            [self.scenes[i] for i in chosen],
            {name: value[chosen] for name, value in self.batch.items()},
            self.clips[chosen],
        )


def lot(codec: TinyCodec, count: int, latents: int, first: int = FIRST, pairs: float = PAIRS) -> Lot:
    """Held-out scenes by number.

    Args:
        codec: makes the latents.
        count: how many scenes.
        latents: latent frames of a clip.
        first: number of the first scene.
        pairs: share of them with a second thing.
    """
    scenes = [roaming_scene(first + i, held_out=True, seconds=latents / 4, pairs=pairs) for i in range(count)]
    samples = [
        sample_of(codec, scene, np.random.default_rng([9, first + i]), latents)
        for i, scene in enumerate(scenes)
    ]
    return Lot(scenes, collate(samples), np.stack([drawn(scene, 4 * latents - 3) for scene in scenes]))


def places(clips: np.ndarray, scenes: list[Scene]) -> tuple[np.ndarray, np.ndarray]:
    """Centroids of the things' colours (B, t, 2, 2) in every EVERY-th frame, NaN for what is not there, and
    their pixels (B, t, 2).

    What a scene shows of a colour without its things is left out.
    """
    length, clips = clips.shape[1], clips[:, ::EVERY]
    where = np.full((*clips.shape[:2], 2, 2), np.nan)
    mass = np.zeros(where.shape[:3])
    grid = np.stack(np.meshgrid(*[np.arange(clips.shape[2]) + 0.5] * 2), -1)
    for b, scene in enumerate(scenes):
        classes = of_colour(clips[b], scene.place, scene.time)
        empty = of_colour(drawn(replace(scene, things=()), length)[::EVERY], scene.place, scene.time)
        for k, thing in enumerate(scene.things):
            number = REDUCED.colours.index(thing.colour)
            for t in range(clips.shape[1]):
                mask = (classes[t] == number) & (empty[t] != number)
                mass[b, t, k] = mask.sum()
                if mask.any():
                    where[b, t, k] = grid[mask].mean(0)
    return where, mass


def errors(clips: np.ndarray, lot: Lot) -> dict[str, float]:
    """Mean distances in pixels from where things were told to be, of things that move.

    The start image is not counted.

    epe counts frames in which a thing is found. epe_all also the others, as if it had stayed where it was.
    static_epe is that of the start image alone.
    """
    there, full = lot.truth
    got, mass = places(clips, lot.scenes)
    start = there[:, :1]
    counted = (full >= LEAST_SEEN)[:, 1:] & (full[:, :1] >= LEAST_SEEN)
    moved = np.nanmax(np.where(counted, np.linalg.norm(there - start, axis=-1)[:, 1:], 0), 1) >= LEAST_MOVE
    counted &= moved[:, None]
    found = counted & (mass >= LEAST_MASS * full)[:, 1:]
    off = np.linalg.norm(got - there, axis=-1)[:, 1:]
    static = np.linalg.norm(start - there, axis=-1)[:, 1:]
    last = slice(-1, None)
    return {
        "epe": _mean(off[found]),
        "epe_last": _mean(off[:, last][found[:, last]]),
        "epe_all": _mean(np.where(found, off, static)[counted]),
        "static_epe": _mean(static[counted]),
        "found": float(found.sum() / max(counted.sum(), 1)),
        "things": int(moved.sum()),
    }


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if values.size else float("nan")


def sparse(batch: Batch, on_things: int = 2, on_land: int = 5) -> Batch:
    """The batch told of the first few points of each thing and of the land."""
    seen = batch["visible"].clone()
    kept = torch.zeros(seen.shape[-1], dtype=torch.bool)
    things = _things_of(batch)
    out = torch.zeros_like(seen)
    for b, count in enumerate(things):
        kept[:] = False
        for k in range(count):
            kept[k * POINTS.on_things : k * POINTS.on_things + on_things] = True
        land = count * POINTS.on_things
        kept[land : land + on_land] = True
        out[b] = seen[b] & kept
    return {**batch, "visible": out}


def untold(batch: Batch) -> Batch:
    return {**batch, "visible": torch.zeros_like(batch["visible"])}


def exchanged(batch: Batch) -> Batch:
    """From the second frame on the points of two things have changed ids: only they tell which thing is
    where.
    """
    order = torch.arange(batch["xy"].shape[2])
    both = 2 * POINTS.on_things
    order[:both] = order[:both].roll(POINTS.on_things)
    out = dict(batch)
    for name in ("xy", "visible"):
        out[name] = torch.cat([batch[name][:, :1], batch[name][:, 1:, order]], 1)
    return out


def _things_of(batch: Batch) -> list[int]:
    """Two things have both halves of the points of things and all those of the land."""
    told = batch["xy"].abs().sum((1, 3)) > 0
    return [2 if row[-1] else 1 for row in told]


def follows_ids(clips: np.ndarray, lot: Lot) -> dict[str, float]:
    """Of clips of exchanged tracks: in how many of the last frames each thing is nearer to where the other
    one would have gone.
    """
    there, _ = lot.truth
    got, mass = places(clips, lot.scenes)
    own = np.linalg.norm(got - there, axis=-1)[:, -2:]
    other = np.linalg.norm(got - there[:, :, ::-1], axis=-1)[:, -2:]
    apart = np.linalg.norm(there[:, :, 0] - there[:, :, 1], axis=-1)[:, -2:, None] > 24
    counted = apart & (mass[:, -2:] >= LEAST_SEEN) & np.isfinite(own) & np.isfinite(other)
    return {"swapped": _mean((other < own)[counted].astype(float)), "swapped_frames": int(counted.sum())}


def of_teacher(steps: int = 16, guidance: Guidance = NO_GUIDANCE, shift: float = 1.0) -> Maker:
    """The bidirectional model's clips, by Euler's method down even levels."""
    levels = (*sigma_schedule(steps, shift), 0.0)
    return lambda model, batch, rng: sample_clip(model, batch, rng, guidance, levels)[0]


def of_student() -> Maker:
    """The causal model's clips, by the one rollout."""
    return lambda model, batch, rng: rollout_clip(model, batch, rng)


@torch.no_grad()
def made(model: MotionModel, codec: TinyCodec, batch: Batch, make: Maker, *, text: bool = True) -> np.ndarray:
    """Clips (B, T, H, W, 3) uint8 of a batch, eight at a time, without `text` of the empty prompt."""
    batch = batch if text else {**batch, "tokens": torch.zeros_like(batch["tokens"])}
    out = []
    for start in range(0, len(batch["latents"]), 8):
        part = {name: value[start : start + 8] for name, value in batch.items()}
        latents = make(model, part, torch.Generator().manual_seed(start))
        out.append(decoded(codec, latents)[:, 3:].numpy())
    return np.concatenate(out)


@torch.no_grad()
def losses(model: MotionModel, batch: Batch) -> dict[str, float]:
    """The velocity's squared error in the tokens of things, without text, told of the right tracks, of none
    and of another clip's: the means over `LEVELS`, and at the first of them.
    """
    x0 = batch["latents"]
    things = cell_weights(batch, 2.0)
    assert things is not None
    mask = (things - 1)[:, :, 1:]
    empty = model.text(batch, torch.zeros(len(x0), dtype=torch.bool))
    motion = model.motion(batch, torch.Generator().manual_seed(3))
    told = {"right": motion, "none": model.no_motion(batch), "other": motion.roll(len(motion) // 2, 0)}
    rows: dict[str, list[float]] = {name: [] for name in told}
    for level in LEVELS:
        sigma = torch.full((len(x0),), level)
        noise = randn_like(x0[:, :, 1:], torch.Generator().manual_seed(4))
        noisy = add_noise(x0[:, :, 1:], noise, sigma[:, None].expand(-1, x0.shape[2] - 1))
        for name, what in told.items():
            guess = predict_clip(model, x0[:, :, :1], noisy, sigma, what, empty)
            error = ((guess - x0[:, :, 1:]) / level).square().mean(1, keepdim=True)
            rows[name].append(float((error * mask).sum() / mask.sum()))
    out = {name: float(np.mean(values)) for name, values in rows.items()}
    return out | {f"{name}_noisy": values[0] for name, values in rows.items()}
