"""The learning roles of a stage with all that changes in training: optimisers, the moving average, counters.

Owns one update, the average, and the state as named tensors for a checkpoint. Knows nothing of files, clocks
or data.
Names: weights.ROLE.KEY, ema.KEY, optim.ROLE.KEY.MOMENT, KEY as in the role's state_dict.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from ...common.state_dict import state_problems
from ..muon import BatchedMuon
from .optim import MuonAdamW, is_matrix
from .sharding import Processes, place
from .stage import Draws, Stage, TrainConfig

MUON_LEAVES = (
    "patch_embedding",
    "place_embedding",
    "head",
    "text_embedding",
    "time_",
    "words",
    "modulation",
    "coder_skip",
)  # to AdamW, though matrices


class Learner:
    """Made after the modules have been moved and divided."""

    def __init__(self, stage: Stage, config: TrainConfig, world: Processes):
        self.stage, self.config, self.world = stage, config, world
        self.optimizers = {role: _optimizer(stage.modules[role], role, config) for role in stage.trainable}
        self.updates = dict.fromkeys(stage.trainable, 0)
        self.average = {name: p.detach().clone() for name, p in self._learned(stage.ema).items()}

    def _learned(self, role: str) -> dict[str, nn.Parameter]:
        return {name: p for name, p in self.stage.modules[role].named_parameters() if p.requires_grad}

    def update(
        self,
        role: str,
        parts: Iterable[tuple[dict[str, Tensor], Draws]],
        count: int,
        lr_factor: float,
    ) -> dict[str, float]:
        """One update of `role` from the `count` micro-batches of this process -> loss, norm of the gradient
        and the loss's own figures, the means over all processes. Where loss or gradient is not finite nothing
        is changed.
        """
        optimizer = self.optimizers[role]
        optimizer.zero_grad(set_to_none=True)
        rows: list[dict[str, float]] = []
        for batch, draws in parts:
            with self.world.precision():
                loss, figures = self.stage.loss(role, batch, draws)
            (loss / count).backward()
            rows.append({"loss": float(loss.detach()), **figures})
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        self.world.average_gradients(parameters)
        norm = torch.nn.utils.clip_grad_norm_(parameters, self.config.clip)
        row = self.world.mean({key: sum(r[key] for r in rows) / len(rows) for key in rows[0]})
        row["gradient_norm"] = float(self.world.full_tensor(norm))
        if all(torch.isfinite(torch.tensor([row["loss"], row["gradient_norm"]]))):
            for group in optimizer.param_groups:
                group["lr"] = group["base_lr"] * lr_factor
            optimizer.step()
            self.updates[role] += 1
            if role == self.stage.ema:
                self._average()
        optimizer.zero_grad(set_to_none=True)
        return row

    @torch.no_grad()
    def _average(self) -> None:
        """The decay grows to its full value, so that a young average is not made of the first weights."""
        made = self.updates[self.stage.ema]
        keep = min(self.config.ema_decay, (1 + made) / (10 + made))
        for name, p in self._learned(self.stage.ema).items():
            self.average[name].lerp_(p.detach(), 1 - keep)

    @contextlib.contextmanager
    def averaged(self) -> Iterator[dict[str, nn.Module]]:
        """The stage's modules, the averaged role with its averaged weights. Afterwards its own are back, bit
        for bit.
        """
        self._swap()
        try:
            yield self.stage.modules
        finally:
            self._swap()

    @torch.no_grad()
    def _swap(self) -> None:
        for name, p in self._learned(self.stage.ema).items():
            own = p.detach().clone()
            p.copy_(self.average[name])
            self.average[name].copy_(own)

    def tensors(self) -> list[tuple[str, Tensor]]:
        """Everything that training changes, in one order."""
        out = [
            (f"weights.{role}.{key}", value)
            for role in self.stage.trainable
            for key, value in self.stage.modules[role].state_dict().items()
        ]
        out += [(f"ema.{key}", value) for key, value in self.average.items()]
        out += [
            (f"optim.{role}.{key}.{name}", value)
            for role, key, name, value in self._moments()
            if isinstance(value, Tensor)
        ]
        return out

    def numbers(self) -> dict[str, Any]:
        """What belongs to `tensors` and is no tensor."""
        return {
            "updates": self.updates,
            "moments": [
                [role, key, name, value]
                for role, key, name, value in self._moments()
                if not isinstance(value, Tensor)
            ],
        }

    def _moments(self) -> Iterator[tuple[str, str, str, Any]]:
        for role in self.stage.trainable:
            state = self.optimizers[role].state
            for key, p in self._learned(role).items():
                for name, value in sorted(state.get(p, {}).items()):
                    yield role, key, name, value

    def check(self, shapes: dict[str, Tensor], source: str) -> None:
        """ValueError where the weights of a checkpoint (on the meta device) do not fit."""
        for role in self.stage.trainable:
            got = _below(shapes, f"weights.{role}.")
            problems = state_problems(self.stage.modules[role].state_dict(), got)
            if problems:
                raise ValueError(f"{source}: {role} does not fit this preset: {'; '.join(problems)}")
        missing = self.average.keys() ^ _below(shapes, "ema.").keys()
        if missing:
            raise ValueError(
                f"{source}: expected an average of {self.stage.ema} with the same learned parts, got "
                f"another one: {', '.join(sorted(missing)[:5])}"
            )

    @torch.no_grad()
    def load(self, tensors: Iterable[tuple[str, Tensor]], numbers: dict[str, Any]) -> None:
        """The state that `tensors` and `numbers` gave, of any number of processes."""
        states = {role: self.stage.modules[role].state_dict() for role in self.stage.trainable}
        learned = {role: self._learned(role) for role in self.stage.trainable}
        for full, value in tensors:
            kind, _, rest = full.partition(".")
            if kind == "ema":
                place(self.average[rest], value)
                continue
            role, _, key = rest.partition(".")
            if kind == "weights":
                place(states[role][key], value)
            else:
                key, _, name = key.rpartition(".")
                p = learned[role][key]
                self.optimizers[role].state[p][name] = (
                    place(torch.empty_like(p.detach()), value)
                    if value.shape == p.shape and value.ndim
                    else value
                )
        for role, key, name, value in numbers["moments"]:
            self.optimizers[role].state[learned[role][key]][name] = value
        self.updates = dict(numbers["updates"])


def _below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name[len(prefix) :]: value for name, value in tensors.items() if name.startswith(prefix)}


def _optimizer(module: nn.Module, role: str, config: TrainConfig) -> torch.optim.Optimizer:
    if role not in config.lr:
        raise ValueError(f"lr: expected one for the role {role!r}, got {dict(config.lr)}")
    lr, learned = config.lr[role], [p for p in module.parameters() if p.requires_grad]
    if not learned:
        raise ValueError(f"{role}: expected a role with something to learn, got one that is frozen")
    if config.optimizer == "muon":
        return MuonAdamW(
            module, lr=lr, adam_lr=config.adam_lr, weight_decay=config.weight_decay, adam_names=MUON_LEAVES
        )
    if config.optimizer == "muon-bf16":
        if config.weight_decay:
            raise ValueError(f"weight_decay: expected 0 with muon-bf16, got {config.weight_decay}")
        return BatchedMuon(
            [(name, p) for name, p in module.named_parameters() if p.requires_grad],
            lr,
            config.adam_lr,
            is_matrix=lambda name, p: is_matrix(name, p, MUON_LEAVES),
            dtype=torch.bfloat16,
        )
    return torch.optim.AdamW(
        [{"params": learned, "lr": lr, "base_lr": lr}], betas=config.betas, weight_decay=config.weight_decay
    )
