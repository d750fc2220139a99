"""The paper's findings at the built-in model's scale: which context, how many steps, which guidance, which
representation, which training.

Owns the settings that are compared and the table. What needs only weights is here. What must be trained to be
compared is in `findings_trained.py`. Every figure is a mean over seeds with its spread (standard deviation).
Positions in px at 128×128.

A context is written as in the paper, cXsYwZ in chunks. A chunk is three latent frames (one for c1), and the
sink's first chunk is the start image.

Laboratory, not product (see this package's docstring).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from time import perf_counter

import numpy as np
import torch

from ...model.cache import CacheShape
from ...model.weights.networks import Networks
from ...streaming.stream import StreamOptions, stream
from ...training.data.pool import collate
from ...training.data.shards import make_sample
from ...training.methods.guidance import Guidance
from ...training.methods.roles import MotionModel
from ...training.methods.trajectories import sample_clip, teacher_schedule
from .. import metrics
from ..heldout import HeldOut, heldout_set, long_set
from ..measure import measure_drift, point_errors
from ..methods import tracks_of
from ..results import markdown_table

CONTEXTS = {
    "c3s1w1": CacheShape(3, 1, 3),
    "c3s0w1": CacheShape(3, 0, 3),
    "c1s1w1": CacheShape(1, 1, 1),
    "c3s0w6": CacheShape(3, 0, 18),
}
STEPS = (1, 2, 3, 4)
GUIDANCES = ((0.0, 0.0), (0.0, 1.5), (3.0, 0.0), (3.0, 1.5), (1.0, 1.5), (3.0, 3.0))
CLIP = 37  # frames of a training clip
Say = Callable[[str], None]


@dataclass(frozen=True)
class Row:
    """One setting's figures: name -> one value a seed."""

    group: str
    setting: str
    values: dict[str, list[float]]

    def cell(self, key: str) -> str:
        values = [v for v in self.values.get(key, []) if v == v]
        if not values:
            return ""
        return f"{mean(values):.3f}" + (f" ± {stdev(values):.3f}" if len(values) > 1 else "")


def clip_figures(items: list[HeldOut], made: Iterable[np.ndarray]) -> dict[str, float]:
    """Generated clips against the truth: mean errors of commanded points, PSNR."""
    sprite, background, noise = [], [], []
    for item, frames in zip(items, made, strict=True):
        errors = point_errors(item, frames)
        sprite.append(errors["sprite"])
        background.append(errors["background"])
        noise.append(metrics.psnr(frames[1:], item.frames[1:]))
    return {"epe_sprite": _mean(sprite), "epe_background": _mean(background), "psnr": float(np.mean(noise))}


def _mean(errors: list[np.ndarray]) -> float:
    known = np.concatenate(errors)
    known = known[np.isfinite(known)]
    return float(known.mean()) if known.size else float("nan")


def contexts(networks: Networks, media: Path, clips: int, seeds: int, say: Say) -> list[Row]:
    """Sink, window and chunk of one model: drift over 253 frames, errors, and the time of a chunk once the
    window rolls.

    Args:
        networks: the model that is measured.
        media: folder of pictures and sprites.
        clips: held-out clips of a setting.
        seeds: repetitions of a setting.
        say: told a line after each setting.
    """
    items, long = heldout_set(media, clips), long_set(media, 2)
    rows = []
    for name, shape in CONTEXTS.items():
        values: dict[str, list[float]] = {}
        for seed in range(seeds):
            say(f"context {name}, seed {seed}")
            times: list[float] = []
            run = streamed_method(networks, seed, None, shape, times)
            _add(values, clip_figures(items, (run(item, item.chosen) for item in items)))
            times.clear()
            _add(values, measure_drift(long, run, lambda _: None))
            _add(
                values,
                {
                    "chunk_ms": 1000 * float(np.median(times)),
                    "frame_ms": 1000 * float(np.median(times)) / (4 * shape.chunk),
                },
            )
        rows.append(Row("context", name, values))
    return rows


def steps(networks: Networks, media: Path, clips: int, seeds: int, say: Say) -> list[Row]:
    """Denoising steps of one model.

    Args:
        networks: the model that is measured.
        media: folder of pictures and sprites.
        clips: held-out clips of a setting.
        seeds: repetitions of a setting.
        say: told a line after each setting.
    """
    items, rows = heldout_set(media, clips), []
    for count in STEPS:
        values: dict[str, list[float]] = {}
        for seed in range(seeds):
            say(f"{count} steps, seed {seed}")
            times: list[float] = []
            run = streamed_method(networks, seed, count, None, times)
            _add(values, clip_figures(items, (run(item, item.chosen) for item in items)))
            _add(values, {"chunk_ms": 1000 * float(np.median(times))})
        rows.append(Row("steps", f"{count}", values))
    return rows


def guidances(
    teacher: MotionModel, codec, media: Path, clips: int, seeds: int, say: Say, ode_steps: int = 12
) -> list[Row]:
    """Guidance weights of the bidirectional teacher.

    Args:
        teacher: the bidirectional teacher.
        codec: decodes its latents.
        media: folder of pictures and sprites.
        clips: held-out clips of a setting.
        seeds: repetitions of a setting.
        say: told a line after each setting.
        ode_steps: Euler steps of a clip.
    """
    items = heldout_set(media, clips, frames=CLIP)
    batches = [as_batch(codec, item) for item in items]
    rows = []
    for text, motion in GUIDANCES:
        guidance, values = Guidance(text, motion), {}
        for seed in range(seeds):
            say(f"guidance w_t {text}, w_m {motion}, seed {seed}")
            levels = teacher_schedule(ode_steps, teacher.config.rolling.shift, ())
            made = (
                sample_clip(teacher, batch, torch.Generator().manual_seed(seed), guidance, levels)[0]
                for batch in batches
            )
            _add(values, clip_figures(items, (decode_frames(codec, latents) for latents in made)))
        rows.append(Row("guidance", f"w_t {text}, w_m {motion}", values))
    return rows


@torch.no_grad()
def decode_frames(codec, latents: torch.Tensor) -> np.ndarray:
    """(1, C, t, h, w) -> (T, H, W, 3)."""
    return codec.decode(latents)[0].permute(0, 2, 3, 1).clamp(0, 1).numpy()


def as_batch(codec, item: HeldOut) -> dict[str, torch.Tensor]:
    """A held-out clip as a training batch of one."""
    return batch_of(make_sample(codec, item.clip, item.chosen))


def batch_of(sample: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
    return collate([sample])


def streamed_method(
    networks: Networks, seed: int, count: int | None, shape: CacheShape | None, times: list[float]
):
    """The streamed model as `report.Generate`.

    Args:
        networks: the model.
        seed: of the noise.
        count: denoising steps, None for the model's own.
        shape: chunk, sink and window, None for the model's own.
        times: is given the seconds of every chunk behind the first.
    """

    def run(item: HeldOut, chosen: np.ndarray) -> np.ndarray:
        chunks = stream(
            networks,
            torch.from_numpy(item.frames[0]),
            tracks_of(item, chosen),
            item.clip.caption,
            StreamOptions(len(item.clip.frames), seed, count, context=shape, fit="hold"),
        )
        frames = []
        for chunk in chunks:
            frames.append(chunk.frames.numpy())
            if chunk.index > 0:
                times.append(chunk.timings["denoise_s"] + chunk.timings["cache_s"])
        return np.concatenate(frames)

    return run


def _add(values: dict[str, list[float]], found: dict[str, float]) -> None:
    for key, value in found.items():
        values.setdefault(key, []).append(value)


def median_ms(function: Callable[[], object], repeats: int = 5) -> float:
    """Median milliseconds of a call, the first left out."""
    function()
    times = []
    for _ in range(repeats):
        began = perf_counter()
        function()
        times.append(1000 * (perf_counter() - began))
    return float(np.median(times))


def table(rows: list[Row]) -> str:
    """One Markdown table a group of settings."""
    out = []
    for group in dict.fromkeys(row.group for row in rows):
        members = [row for row in rows if row.group == group]
        keys = list(dict.fromkeys(key for row in members for key in row.values))
        cells = [(row.setting, *(row.cell(key) for key in keys)) for row in members]
        out += [f"### {group}", "", markdown_table(("setting", *keys), cells), ""]
    return "\n".join(out)


def document(rows: list[Row]) -> list[dict]:
    """JSON-ready."""
    return [
        {
            "group": row.group,
            "setting": row.setting,
            **{key: [round(v, 4) for v in values] for key, values in row.values.items()},
        }
        for row in rows
    ]
