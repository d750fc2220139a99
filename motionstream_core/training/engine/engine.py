"""The engine every stage is trained by: the loop, its cadence, its ends.

    train(stage, data, config, out, provenance)

Owns a run's folder: checkpoints/ (everything to go on to the same state, `checkpoints`), curve.jsonl,
tensorboard/ and samples/ (`records`), ROLE.safetensors (the averaged weights, with where they come from). A
run that is started again goes on from its last checkpoint.
What a step draws is decided by (seed, step, micro-batch) alone, so a run that was broken off ends in the same
weights, bit for bit, as one that was not, and a step is the same on one process and on several.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ...common.devices import show_progress
from . import checkpoints
from .interrupt import Interrupt
from .learner import Learner
from .records import Records
from .sharding import Processes, join, prepare
from .stage import (
    FIXED,
    Data,
    Draws,
    Finalizable,
    Refreshable,
    Resumable,
    SharedDraws,
    Stage,
    TrainConfig,
    seed_of,
)

VERSION = 1
VALIDATION = 7  # seed: every validation of every run draws the same


def train(
    stage: Stage,
    data: Data,
    config: TrainConfig,
    out: Path,
    provenance: Mapping[str, Any],
    progress: Callable[[str], None] = show_progress,
) -> dict[str, Any]:
    """Trains until the config's length is reached or someone interrupts -> what the last line of the curve
    says, and the files' paths.

    FloatingPointError where a loss is no number, OSError where a checkpoint cannot be written. The
    checkpoints written before stay as they are.

    Args:
        stage: who learns, and the loss.
        data: the batches.
        config: length, learning rates and processes.
        out: folder of the run.
        provenance: JSON values. "preset" says whose checkpoints fit.
        progress: told a line now and then.
    """
    if config.threads:
        torch.set_num_threads(config.threads)
    world = join(config)
    run = _Run(
        stage, data, config, Path(out), dict(provenance), world, progress if world.is_main else _no_progress
    )
    run.resume()
    with Interrupt() as interrupt:
        while run.remains() and not interrupt.asked(world):
            run.advance()
        return run.end(bool(interrupt))


def _no_progress(line: str) -> None:
    """Progress callback of the processes that are not the main one."""


class _Run:
    """One sitting of a run."""

    def __init__(
        self,
        stage: Stage,
        data: Data,
        config: TrainConfig,
        out: Path,
        provenance: dict[str, Any],
        world: Processes,
        tell: Callable[[str], None],
    ):
        self.stage = stage
        self.data = data
        self.config = config
        self.out = out
        self.world = world
        self.tell = tell
        self.frozen = {
            role: weights_fingerprint(module)
            for role, module in stage.modules.items()
            if role not in stage.trainable
        }
        self.about = {
            "version": VERSION,
            "stage": stage.name,
            "preset": provenance.get("preset"),
            "config": asdict(config),
            "frozen": self.frozen,
            "provenance": provenance,
        }
        prepare(stage.modules, config, world)
        self.learner = Learner(stage, config, world)
        self.folder = self.out / "checkpoints"
        self.step = 0
        self.seconds = 0.0
        self.saved = -1  # step of the newest checkpoint
        self.broken: set[str] = set()
        self.row: dict[str, float] = {}
        self.sums: dict[str, list[float]] = {}

    # going on

    def resume(self) -> None:
        """Takes up the newest checkpoint, if there is one."""
        found = checkpoints.newest(self.folder, self.tell)
        if found is not None:
            path, about = found
            self._check(path, about)
            shapes = {
                name: torch.empty(shape, device="meta") for name, shape in checkpoints.shapes(path).items()
            }
            self.learner.check(shapes, path.name)
            self._check_frozen(path, about)
            self.learner.load(checkpoints.read_tensors(path), about["numbers"])
            if isinstance(self.data, Resumable) and about["data"] is not None:
                self.data.load_state_dict(about["data"])
            self.step = self.saved = about["step"]
            self.seconds = about["seconds"]
            self.tell(f"{self.stage.name}: goes on from step {self.step} ({path.name})")
        self.records = (
            Records(self.out, self.step, self.config.fps, self.tell) if self.world.is_main else None
        )
        self.began = self.last_save = time.monotonic()
        self.before = self.seconds

    def _check(self, path: Path, about: dict[str, Any]) -> None:
        """ValueError for a checkpoint of another stage, preset or kind of step."""
        wanted = {"version": VERSION, "stage": self.stage.name, "preset": self.about["preset"]}
        for name, value in wanted.items():
            if about[name] != value:
                raise ValueError(
                    f"{path}: expected a checkpoint of {name} {value!r}, got one of {name} "
                    f"{about[name]!r}: train into another folder"
                )
        begun, now = (
            sorted((about["provenance"].get("parents") or {}).values()) for about in (about, self.about)
        )
        if begun != now:
            raise ValueError(
                f"{path}: expected the weights that this run began with, got others: name the same files, "
                "or train into another folder"
            )
        for name in FIXED:
            if about["config"][name] != self.about["config"][name]:
                raise ValueError(
                    f"{name}: expected {about['config'][name]!r}, as {path.name} was trained with, got "
                    f"{self.about['config'][name]!r}"
                )

    def _check_frozen(self, path: Path, about: dict[str, Any]) -> None:
        """ValueError where the roles that stand beside are not those of before: another teacher is another
        run.
        """
        for role in about["frozen"].keys() | self.frozen.keys():
            if about["frozen"].get(role) != self.frozen.get(role):
                raise ValueError(
                    f"{role}: expected the frozen weights that {path.name} was trained beside, got others"
                )

    # a step

    def remains(self) -> bool:
        return self.config.progress(self.step, self.world.all_reduce_max(self._elapsed())[0]) < 1

    def _elapsed(self) -> float:
        return self.before + time.monotonic() - self.began

    def advance(self) -> None:
        """One step, and what is due after it."""
        started = time.monotonic()
        role = self.stage.role_at(self.step)
        count = self.config.accumulate // self.world.size
        (self.seconds,) = self.world.all_reduce_max(self._elapsed())
        row = self.learner.update(
            role, self._parts(count), count, self.config.lr_factor(self.step, self.seconds)
        )
        if not math.isfinite(row["loss"]) or not math.isfinite(row["gradient_norm"]):
            raise FloatingPointError(self._words_for_nan(role, row))
        self.step += 1
        self._log(role, row, time.monotonic() - started)
        (due,) = self.world.all_reduce_max(time.monotonic() - self.last_save >= self.config.save_seconds)
        if due or self._every(self.config.save_every):
            self.save()
        last = not self.remains()  # then `end` shows the result
        if self._every(self.config.validate_every) and not last:
            self.validate()
        if self._every(self.config.sample_every) and not last:
            self.sample()

    def _every(self, steps: int) -> bool:
        return bool(steps) and self.step % steps == 0

    def _parts(self, count: int) -> Iterator[tuple[dict[str, Tensor], Draws]]:
        """This process's micro-batches of the step. Number n of all is process n % size's."""
        config = self.config
        step = self.step
        self.broken = set()
        for turn in range(count):
            number = turn * self.world.size + self.world.rank
            batch = self.data.batch(np.random.default_rng([config.seed, step, number]), config.batch)
            self.broken |= {
                name
                for name, value in batch.items()
                if value.is_floating_point() and not value.isfinite().all()
            }
            batch = {name: value.to(self.world.device, non_blocking=True) for name, value in batch.items()}
            rng = torch.Generator().manual_seed(seed_of(config.seed, step, number))
            yield batch, Draws(rng, SharedDraws(seed_of(config.seed, step) >> 1))

    def _words_for_nan(self, role: str, row: dict[str, float]) -> str:
        kept = (
            f"the last good state is step {self.saved} in {self.folder}"
            if self.saved >= 0
            else "no checkpoint had been written yet"
        )
        data = (
            f"; the data of this step are no numbers themselves: {', '.join(sorted(self.broken))}"
            if self.broken
            else ""
        )
        return (
            f"{self.stage.name}: expected a finite loss, got {row['loss']} (gradient norm "
            f"{row['gradient_norm']}) at step {self.step} of role {role}{data}; {kept}"
        )

    # what is left to look at

    def _log(self, role: str, row: dict[str, float], seconds: float) -> None:
        for key, value in [*row.items(), ("seconds_a_step", seconds)]:
            self.sums.setdefault(f"{role}/{key}", []).append(value)
        if self.step % self.config.log_every and self.config.progress(self.step, self._elapsed()) < 1:
            return
        means = {key: sum(values) / len(values) for key, values in self.sums.items()}
        self.sums = {}
        self._record(means)
        length = f"/{self.config.steps}" if self.config.steps is not None else ""
        losses = ", ".join(
            f"{key.removesuffix('/loss')} {value:.4g}"
            for key, value in means.items()
            if key.endswith("/loss")
        )
        done = self.config.progress(self.step, self._elapsed())
        self.tell(
            f"{self.stage.name} step {self.step}{length} ({done:.0%}), loss {losses}, {seconds:.2f} s a step"
        )

    def _record(self, values: Mapping[str, float]) -> None:
        self.row |= values
        if self.records is not None:
            self.records.row(self.step, minutes=self._elapsed() / 60, **values)

    def validate(self) -> None:
        with self.learner.averaged() as modules, self.world.precision():
            row = self.stage.validate(modules, torch.Generator().manual_seed(VALIDATION))
        if row:
            self._record({f"validation/{key}": float(value) for key, value in row.items()})

    def sample(self) -> None:
        with self.learner.averaged() as modules, self.world.precision():
            made = self.stage.sample(modules)
        if self.records is not None:
            self.records.samples(self.step, made)

    # files

    def save(self) -> None:
        """Writes a checkpoint. All processes learn of a failure and raise it."""
        self.seconds = self._elapsed()
        (self.seconds,) = self.world.all_reduce_max(self.seconds)
        state = self.data.state_dict() if isinstance(self.data, Resumable) else None
        about = self.about | {
            "step": self.step,
            "seconds": self.seconds,
            "processes": self.world.size,
            "numbers": self.learner.numbers(),
            "data": state,
        }
        self._write(checkpoints.step_path(self.folder, self.step), self.learner.tensors(), about)
        if self.world.is_main:
            checkpoints.prune(self.folder)
        if isinstance(self.data, Refreshable):
            self.data.refresh()
        self.saved, self.last_save = self.step, time.monotonic()

    def _write(self, path: Path, entries: checkpoints.Entries, about: dict[str, Any]) -> None:
        failed = ""
        try:
            checkpoints.write(
                path, entries, about, full_tensor=self.world.full_tensor, writer=self.world.is_main
            )
        except OSError as error:
            kept = (
                f"step {self.saved} in {self.folder} is intact"
                if self.saved >= 0
                else "no checkpoint had been written before"
            )
            failed = f"{path}: could not be written at step {self.step} ({error.strerror or error}); {kept}"
        failed = self.world.broadcast_error(failed)
        if failed:
            raise OSError(failed)

    def export(self) -> Path:
        """The averaged weights of role `ema` as ROLE.safetensors, with where they come from in the
        metadata.
        """
        path = self.out / f"{self.stage.ema}.safetensors"
        about = self.about | {
            "step": self.step,
            "seconds": self.seconds,
            "processes": self.world.size,
            "torch": torch.__version__,
            "device": str(self.world.device),
        }
        with self.learner.averaged() as modules:
            if isinstance(self.stage, Finalizable):
                self.stage.finalize(modules)
            self._write(path, list(modules[self.stage.ema].state_dict().items()), about)
        return path

    def end(self, interrupted: bool) -> dict[str, Any]:
        """Saves what is not saved yet, exports, and shows the result unless interrupted."""
        if self.saved != self.step:
            self.save()
        path = self.export()
        if not interrupted:
            self.validate()
            self.sample()
        if self.records is not None:
            self.records.close()
        self.tell(
            f"{self.stage.name}: {'interrupted' if interrupted else 'done'} at step {self.step} after "
            f"{self.seconds / 60:.1f} minutes, saved in {self.out}"
        )
        return {
            "step": self.step,
            "seconds": self.seconds,
            "interrupted": interrupted,
            "weights": path,
            "checkpoint": checkpoints.step_path(self.folder, self.step),
            **self.row,
        }


def weights_fingerprint(module: nn.Module) -> str:
    """A hash of a few dozen numbers of every tensor: tells other weights apart without reading all of
    them.
    """
    digest = hashlib.sha256()
    for name, value in module.state_dict().items():
        flat = value.detach().reshape(-1)
        digest.update(name.encode() + str(tuple(value.shape)).encode())
        digest.update(flat[:: max(1, flat.numel() // 64)].float().cpu().numpy().tobytes())
    return digest.hexdigest()[:32]
