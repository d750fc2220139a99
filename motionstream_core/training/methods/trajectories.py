"""Where noise goes: the paths along which a guided teacher turns noise into video, kept on disk for the ODE
regression.

Owns the sampler of a teacher and the trajectory files. A trajectory is kept at the student's own few noise
levels and at its end. Two kinds:
- of the bidirectional teacher: the whole clip at once under joint guidance (MotionStream, section 3.2, after
CausVid).
- of an autoregressive teacher (Causal Forcing): chunk by chunk behind the clean chunks of the real clip, so
that each chunk's end is a function
  of its noise and its past, which the former's is not.

File (safetensors, one per batch): the fields of a shard, "states" (B, K, C, t, h, w) float16 at `sigmas`,
"latents" the clean context: the trajectory's own end, or the real clip. States of latent frame 0 are the
start image.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ...model.context import rolling_context
from ...sampling.flow import schedule_of, sigma_schedule
from ...sampling.step import euler_step, predict_x0, write_context
from ..engine.engine import weights_fingerprint
from .clips import attention_of, first_of
from .guidance import Guidance, guided_clip
from .initial import read_tensors
from .roles import Batch, MotionModel, move_batch
from .steps import randn_like

ODE_STEPS, PATHS = 50, 4000  # the paper's (section 3.2)
PASSED = ("xy", "visible", "warp", "masks", "tokens", "text", "unspecified", "grey", "picture")


def teacher_schedule(steps: int, shift: float, through: tuple[float, ...]) -> tuple[float, ...]:
    """About `steps` shifted noise levels from 1 down to 0 that meet every level in `through`."""
    return (*sorted({*sigma_schedule(steps, shift), *through}, reverse=True), 0.0)


@torch.no_grad()
def sample_clip(
    teacher: MotionModel,
    batch: Batch,
    rng: torch.Generator,
    guidance: Guidance,
    levels: tuple[float, ...],
    keep: tuple[float, ...] = (),
) -> tuple[Tensor, Tensor]:
    """The bidirectional teacher's own video by Euler steps -> (end (B, C, t, h, w), states (B, len(keep), C,
    t, h, w)).

    Args:
        teacher: a bidirectional model.
        batch: conditions.
        rng: of noise and ids.
        guidance: weights of text and motion.
        levels: noise levels, highest first.
        keep: levels whose states are handed out.
    """
    first, rest = batch["latents"][:, :, :1], batch["latents"][:, :, 1:]
    motion, text = (
        (teacher.motion(batch, rng), teacher.no_motion(batch)),
        (teacher.text(batch), teacher.text(batch, torch.zeros(len(first), dtype=torch.bool))),
    )
    x, states = randn_like(rest, rng), []
    for sigma, to in zip(levels, levels[1:]):
        if sigma in keep:
            states.append(torch.cat([first, x], dim=2))
        level = torch.full((len(first),), sigma, device=first.device)
        # Every path begins from the start image: a model that wants it noised is given it noised.
        front = first_of(teacher, first, level, rng)
        x0 = guided_clip(teacher, front, x, level, motion, text, guidance)
        x = euler_step(x, x0, sigma, to)
    end = torch.cat([first, x], dim=2)
    return end, torch.stack(states, dim=1) if states else end[:, None, :0]


@torch.no_grad()
def sample_chunks(
    teacher: MotionModel,
    batch: Batch,
    rng: torch.Generator,
    levels: tuple[float, ...],
    keep: tuple[float, ...],
) -> tuple[Tensor, Tensor]:
    """An autoregressive teacher's chunks, each behind the real clip's past -> the same pair as `sample_clip`.

    Args:
        teacher: an autoregressive model.
        batch: latents and conditions.
        rng: of noise and ids.
        levels: noise levels, highest first.
        keep: levels whose states are handed out.
    """
    x0, frames = batch["latents"], teacher.config.rolling.cache_shape.chunk
    motion, text, size = teacher.motion(batch, rng), teacher.text(batch), batch["latents"].shape[0]
    cache = teacher.dit.make_grad_cache(*x0.shape[-2:], detached=True)
    first = x0[:, :, :1]
    ends, states = [first], [torch.stack([first] * len(keep), dim=1)]
    write_clean_chunk(teacher, first, motion[:, :, :1], text, cache)
    for start in range(1, x0.shape[2] - frames + 1, frames):
        part = slice(start, start + frames)
        x, kept = randn_like(x0[:, :, part], rng), []
        for sigma, to in zip(levels, levels[1:]):
            if sigma in keep:
                kept.append(x)
            x = euler_step(
                x,
                predict_chunk(
                    teacher, x, torch.full((size,), sigma, device=x.device), motion[:, :, part], text, cache
                ),
                sigma,
                to,
            )
        ends.append(x)
        states.append(torch.stack(kept, dim=1))
        write_clean_chunk(teacher, x0[:, :, part], motion[:, :, part], text, cache)
    return torch.cat(ends, dim=2), torch.cat(states, dim=3)


def predict_chunk(model: MotionModel, x: Tensor, sigma: Tensor, motion: Tensor, text, cache) -> Tensor:
    """The clean latents of one chunk behind a cache.

    Args:
        model: a causal model.
        x: (B, C, c, h, w) noisy latents.
        sigma: (B,).
        motion: (B, C_m, c, h, w).
        text: of the batch.
        cache: keys and values of the past.
    """
    levels = sigma[:, None].expand(-1, x.shape[2])
    context = rolling_context(cache, backend=attention_of(model.config))
    return predict_x0(model, x, levels, motion, text, context)


def write_clean_chunk(model: MotionModel, latents: Tensor, motion: Tensor, text, cache):
    """The clean-context pass of a chunk.

    Args:
        model: a causal model.
        latents: (B, C, c, h, w), clean.
        motion: (B, C_m, c, h, w).
        text: of the batch.
        cache: which they are written to.
    """
    context = rolling_context(cache, write=True, backend=attention_of(model.config))
    write_context(model, latents, motion, text, context)


def write_trajectories(
    teacher: MotionModel,
    data,
    out: Path,
    count: int,
    *,
    batch: int,
    steps: int,
    shift: float,
    guidance: Guidance,
    causal: bool,
    seed: int,
    progress: Callable[[str], None] = print,
) -> Path:
    """Writes `count` files of `batch` trajectories. Those there already are kept, so a broken run goes on.

    Each appears whole or not at all. ValueError where the folder has those of another kind.

    Args:
        teacher: whose paths they are, frozen.
        data: gives the clips.
        out: folder of the files.
        count: how many files.
        batch: trajectories of a file.
        steps: evaluations of a path, about.
        shift: of the path's noise levels, that of the teacher's training.
        guidance: of a bidirectional teacher.
        causal: chunk by chunk, of an autoregressive teacher.
        seed: of the clips and the noise.
        progress: told of every file.
    """
    out.mkdir(parents=True, exist_ok=True)
    config = teacher.config
    keep = schedule_of(config)
    levels = teacher_schedule(steps, shift, keep)
    kind = "autoregressive" if causal else "bidirectional"
    about = {
        "sigmas": list(keep),
        "steps": len(levels) - 1,
        "shift": shift,
        "guidance": [guidance.text, guidance.motion],
        "kind": kind,
        "teacher": weights_fingerprint(teacher),
    }
    _check_same(out, about)
    for number in range(count):
        path = out / f"{seed:04d}_{number:05d}.safetensors"
        if path.exists():
            continue
        rng = torch.Generator().manual_seed(seed * 100003 + number)
        drawn = move_batch(data.batch(np.random.default_rng([seed, number]), batch), teacher)
        if causal:
            end, states = sample_chunks(teacher, drawn, rng, levels, keep)
        else:
            end, states = sample_clip(teacher, drawn, rng, guidance, levels, keep)
        tensors = _tensors_of(drawn, end, states, causal)
        try:
            _write_whole(path, tensors, about)
        except SafetensorError as error:
            raise OSError(
                f"{path}: could not be written ({error}); {number} of {count} files are there, run it "
                "again to go on"
            ) from None
        progress(f"trajectories {number + 1}/{count}")
    return out


def _tensors_of(drawn: Batch, end: Tensor, states: Tensor, causal: bool) -> dict[str, Tensor]:
    """What a file of trajectories holds: the path, where it ends, and what its stage is told."""
    tensors = {
        "states": states.half(),
        "ends": end.half(),
        "latents": (drawn["latents"] if causal else end).half(),
    }
    tensors |= {key: _storable(drawn[key]) for key in PASSED if key in drawn}
    tensors["xy"] = drawn["xy"]  # half precision is too coarse beyond 256 px
    return tensors


def _write_whole(path: Path, tensors: dict[str, Tensor], about: dict) -> None:
    """Writes a file of trajectories, which appears whole or not at all."""
    partial = path.with_suffix(".part")
    try:
        save_file(
            {key: value.cpu().contiguous() for key, value in tensors.items()},
            partial,
            metadata={"trajectories": json.dumps(about)},
        )
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def read_provenance(path: Path) -> dict:
    """How the trajectories of a file were made. ValueError for another file."""
    try:
        with safe_open(path, "pt") as file:
            return json.loads((file.metadata() or {}).get("trajectories", "{}"))
    except SafetensorError as error:
        raise ValueError(
            f"{path.name}: expected trajectories (safetensors), got a file that cannot be read ({error})"
        ) from None


def _check_same(folder: Path, about: dict) -> None:
    for path in sorted(folder.glob("*.safetensors"))[:1]:
        got = read_provenance(path)
        other = sorted(key for key in about if got.get(key) != about[key])
        if other:
            raise ValueError(
                f"trajectories: expected another folder, got {folder}, whose files are of other "
                f"{', '.join(other)}"
            )


def _storable(value: Tensor) -> Tensor:
    return (
        value.half()
        if value.is_floating_point()
        else value.to(torch.int16)
        if value.dtype == torch.int64
        else value
    )


class Trajectories:
    """The files of a folder, one read at a time: `batch` gives samples of one random file."""

    def __init__(self, folder: Path, sigmas: tuple[float, ...]):
        self.paths = sorted(Path(folder).glob("*.safetensors"))
        if not self.paths:
            raise ValueError(
                f"trajectories: expected files in {folder}, got none: run `train trajectories` first"
            )
        self.about = read_provenance(self.paths[0])
        levels = self.about.get("sigmas", [])
        if len(levels) != len(sigmas) or not np.allclose(levels, sigmas):
            raise ValueError(
                f"trajectories: expected states at the student's levels {sigmas}, got "
                f"{self.about.get('sigmas')}"
            )

    def batch(self, rng: np.random.Generator, size: int) -> dict[str, Tensor]:
        data = read_tensors(self.paths[int(rng.integers(len(self.paths)))])
        picks = torch.from_numpy(rng.integers(len(data["states"]), size=size))
        out = {key: value[picks] for key, value in data.items()}
        return {
            key: value.float()
            if value.is_floating_point()
            else value.long()
            if value.dtype == torch.int16
            else value
            for key, value in out.items()
        }
