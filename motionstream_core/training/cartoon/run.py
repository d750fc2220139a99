"""One resumable training run of the cartoon: its folder, its clock, its curve and its checkpoints.

Owns `state.safetensors` (weights, average, moments, counters in the metadata) and `curve.jsonl`. A checkpoint
is whole or not there.
Time is CPU seconds of the process, all sittings together, so that a busy machine does not shorten a run.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

Figure = float | list[float]  # of a curve
SAVE_SECONDS = 120.0


class Run:
    """The training of one module. `average` is the moving average of its weights."""

    def __init__(
        self, folder: Path, module: nn.Module, optimizer: torch.optim.Optimizer, decay: float = 0.999
    ):
        self.folder, self.module, self.optimizer, self.decay = folder, module, optimizer, decay
        self.learned = {name: p for name, p in module.named_parameters() if p.requires_grad}
        self.average = {name: p.detach().clone() for name, p in self.learned.items()}
        self.step, self.samples, self.spent = 0, 0, 0.0
        self._started, self._saved = time.process_time(), time.monotonic()
        folder.mkdir(parents=True, exist_ok=True)
        if self.path.exists():
            self.load()

    @property
    def path(self) -> Path:
        return self.folder / "state.safetensors"

    @property
    def seconds(self) -> float:
        """CPU seconds of all sittings."""
        return self.spent + time.process_time() - self._started

    def update(self, loss: Tensor, factor: float, samples: int, clip: float = 1.0) -> float:
        """One step of the optimiser. What is not finite changes nothing."""
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.learned.values(), clip)
        if torch.isfinite(loss) and torch.isfinite(norm):
            for group in self.optimizer.param_groups:
                group["lr"] = group["base_lr"] * factor
            self.optimizer.step()
            self.step += 1
            self.samples += samples
            keep = min(self.decay, (1 + self.step) / (10 + self.step))
            with torch.no_grad():
                torch._foreach_lerp_(  # pyright: ignore[reportPrivateImportUsage]  of no public name
                    list(self.average.values()), [p.detach() for p in self.learned.values()], 1 - keep
                )
        if time.monotonic() - self._saved > SAVE_SECONDS:
            self.save()
        return float(norm)

    @contextmanager
    def averaged(self) -> Iterator[nn.Module]:
        """The module with its averaged weights, in evaluation mode."""
        own = {name: p.detach().clone() for name, p in self.learned.items()}
        self._set(self.average)
        self.module.eval()
        try:
            yield self.module
        finally:
            self._set(own)
            self.module.train()

    @torch.no_grad()
    def _set(self, values: dict[str, Tensor]) -> None:
        for name, p in self.learned.items():
            p.copy_(values[name])

    def log(self, **figures: Any) -> None:
        """One line of the curve, on the screen too."""
        row = {
            "step": self.step,
            "samples": self.samples,
            "cpu_s": round(self.seconds, 1),
            "wall": round(time.time()),
        }
        row |= {k: round(v, 5) if isinstance(v, float) else v for k, v in figures.items()}
        with (self.folder / "curve.jsonl").open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(json.dumps(row), flush=True)

    def save(self) -> None:
        tensors = {f"weights.{k}": v for k, v in self.module.state_dict().items()}
        tensors |= {f"average.{k}": v for k, v in self.average.items()}
        for name, p in self.learned.items():
            tensors |= {f"moments.{name}:{k}": v for k, v in self.optimizer.state.get(p, {}).items()}
        numbers = {"step": self.step, "samples": self.samples, "spent": self.seconds}
        part = self.path.with_suffix(".part")
        save_file(
            {k: v.detach().contiguous() for k, v in tensors.items()}, part, {"run": json.dumps(numbers)}
        )
        os.replace(part, self.path)
        self._saved = time.monotonic()

    def load(self) -> None:
        weights: dict[str, Tensor] = {}
        with safe_open(self.path, "pt") as file:
            numbers = json.loads(file.metadata()["run"])
            for key in file.keys():
                kind, _, name = key.partition(".")
                value = file.get_tensor(key)
                if kind == "weights":
                    weights[name] = value
                elif kind == "average":
                    self.average[name] = value
                else:
                    parameter, _, moment = name.rpartition(":")
                    self.optimizer.state[self.learned[parameter]][moment] = value
        self.module.load_state_dict(weights)
        self.step, self.samples, self.spent = numbers["step"], numbers["samples"], numbers["spent"]


def warm_then_fall(share: float, fall: float = 0.3, warm: float = 0.01, least: float = 0.03) -> float:
    """The factor of the learning rate at a share of the run: a short rise, a plateau, a straight fall over
    the last `fall`.
    """
    return min(1.0, (share + 1e-3) / warm) * min(1.0, max(least, (1 - share) / fall))


def averages(path: Path) -> dict[str, Tensor]:
    """A checkpoint's weights, averaged where they are learned."""
    with safe_open(path, "pt") as file:
        keys = list(file.keys())
        own = {k.removeprefix("weights."): file.get_tensor(k) for k in keys if k.startswith("weights.")}
        return own | {
            k.removeprefix("average."): file.get_tensor(k) for k in keys if k.startswith("average.")
        }
