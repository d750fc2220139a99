"""What the engine and a stage agree on: `Stage`, `Data`, `Draws`, `TrainConfig`.

A stage says who learns and what a loss is. The data gives batches. The config says how long, how fast and how
it is kept.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from ...tracks.types import Tracks

Batch = Mapping[str, Tensor]

OPTIMIZERS = ("adamw", "muon", "muon-bf16")
PRECISIONS = ("fp32", "bf16")
PARALLEL = ("fsdp", "replicas")


class SharedDraws:
    """Draws that are the same in all micro-batches and processes of a step.

    What decides how many forwards are made, or which of them gradients reach, must be drawn here: processes
    that share parameters wait for each other at every forward.
    """

    def __init__(self, seed: int):
        self.seed = seed

    def choice(self, count: int) -> int:
        """One of 0 .. count - 1."""
        generator = torch.Generator().manual_seed(self.seed)
        self.seed += 1  # the next choice in the same loss is another one
        return int(torch.randint(count, (1,), generator=generator))

    def chance(self, share: float) -> bool:
        """True for `share` of the steps."""
        return self.choice(2**24) < share * 2**24


@dataclass(frozen=True)
class Draws:
    """The random draws of one micro-batch: `rng` is its own, `shared` the same in the whole step."""

    rng: torch.Generator
    shared: SharedDraws

    @classmethod
    def of_seed(cls, seed: int) -> Draws:
        """Draws of a loss that is taken without an engine."""
        return cls(torch.Generator().manual_seed(seed), SharedDraws(seed))


class Stage(Protocol):
    """One stage of training. The engine never looks into its modules but to train, average and save them."""

    modules: dict[str, nn.Module]

    @property
    def name(self) -> str: ...

    @property
    def trainable(self) -> tuple[str, ...]: ...  # roles that learn

    @property
    def ema(self) -> str: ...  # the role whose average is exported

    def role_at(self, step: int) -> str: ...

    def loss(self, role: str, batch: Batch, draws: Draws) -> tuple[Tensor, dict[str, float]]: ...

    def validate(self, modules: dict[str, nn.Module], rng: torch.Generator) -> dict[str, float]: ...

    def sample(self, modules: dict[str, nn.Module]) -> list[tuple[Tensor, Tracks]]: ...


class Data(Protocol):
    """Where batches come from. `rng` alone decides which, or the data's own position (see `Resumable`)."""

    def batch(self, rng: np.random.Generator, size: int) -> dict[str, Tensor]: ...


@runtime_checkable
class Resumable(Protocol):
    """Data with a place in an order, which a checkpoint keeps (`pool.Epochs`)."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any]) -> None: ...


@runtime_checkable
class Refreshable(Protocol):
    """Data that others still write (`pool.Pool`): asked for what is new after every checkpoint."""

    def refresh(self) -> int: ...


@runtime_checkable
class Finalizable(Protocol):
    """A stage with something to set in the averaged weights before they are written (`codec.CodecStage`)."""

    def finalize(self, modules: dict[str, nn.Module]) -> None: ...


@dataclass(frozen=True)
class TrainConfig:
    """How a stage is run. Everything that a checkpoint must agree on is in `FIXED`. The rest may change when
    a run goes on.

    A step is `accumulate` micro-batches of `batch` samples, dealt out to the processes: the same step on any
    number of processes that divides `accumulate`.
    """

    lr: Mapping[str, float]  # by role
    steps: int | None = None  # of the whole run; or
    minutes: float | None = None  # of the whole run, all its sittings together
    batch: int = 4
    accumulate: int = 1
    warmup: int = 0  # steps until the learning rate is full
    decay: float = 0.0  # last share of the run over which the learning rate falls to zero
    weight_decay: float = 0.0
    betas: tuple[float, float] = (0.9, 0.999)
    clip: float = 1.0  # most norm of a step's gradient; inf: any
    ema_decay: float = 0.99
    optimizer: str = "adamw"
    adam_lr: float = 1e-3  # with "muon" and "muon-bf16", of what is no matrix
    precision: str = "fp32"
    checkpointing: bool = False  # of activations: computed again in the backward pass instead of kept
    parallel: str = "fsdp"  # several processes: parameters divided, or a whole replica in each
    save_every: int = 0  # steps; 0: by time alone
    save_seconds: float = 300.0
    log_every: int = 10
    validate_every: int = 0  # steps; 0: at the end alone
    sample_every: int = 0  # steps; 0: at the end alone
    seed: int = 0
    threads: int = 0  # 0: as they are
    device: str = "auto"
    fps: float = field(default=16.0)  # of the sample videos

    def __post_init__(self):
        if (self.steps is None) == (self.minutes is None):
            raise ValueError(
                f"length: expected either steps or minutes, got steps {self.steps} and minutes {self.minutes}"
            )
        least: dict[str, float] = dict.fromkeys(("batch", "accumulate", "log_every"), 1)
        least |= dict.fromkeys(
            (
                "warmup",
                "weight_decay",
                "clip",
                "adam_lr",
                "save_every",
                "save_seconds",
                "validate_every",
                "sample_every",
                "threads",
            ),
            0,
        )
        values: dict[str, float] = {name: getattr(self, name) for name in least}
        values["length"] = self.steps or self.minutes or 0
        for name, value in (values | {f"lr of {role}": rate for role, rate in self.lr.items()}).items():
            if not value >= least.get(name, 0):
                raise ValueError(f"{name}: expected {least.get(name, 0)} or more, got {value}")
        for name, known in (("optimizer", OPTIMIZERS), ("precision", PRECISIONS), ("parallel", PARALLEL)):
            if getattr(self, name) not in known:
                raise ValueError(f"{name}: expected one of {known}, got {getattr(self, name)!r}")
        for name in ("ema_decay", "decay"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name}: expected a share of 0..1, got {getattr(self, name)}")

    def progress(self, step: int, seconds: float) -> float:
        """How much of the run is done, 0..1."""
        total = self.steps if self.steps is not None else 60 * (self.minutes or 0)
        return 1.0 if not total else min(1.0, (step if self.steps is not None else seconds) / total)

    def lr_factor(self, step: int, seconds: float) -> float:
        """What the learning rates are multiplied with at a step: linear warm-up, plateau, linear fall over
        the last `decay` of the run.
        """
        rise = min(1.0, (step + 1) / self.warmup) if self.warmup else 1.0
        fall = min(1.0, (1 - self.progress(step, seconds)) / self.decay) if self.decay else 1.0
        return rise * fall


FIXED = ("batch", "accumulate", "optimizer", "seed")


def seed_of(*numbers: int) -> int:
    """A seed for torch's generators out of counters: step and micro-batch decide a draw, so that no
    generator's state need be kept.
    """
    return int(
        np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] & np.uint64(math.ldexp(1, 63) - 1)
    )
