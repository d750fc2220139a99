"""Checkpoints of other people's trackers, read without running code in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from .trackers import TrackerKind


def read_weights(kind: TrackerKind, path: Path) -> dict[str, Tensor]:
    """A checkpoint's tensors by name. Nothing in the file is executed. ValueError for another file."""
    try:
        found: Any
        if path.suffix == ".safetensors":
            found = load_file(path)
        else:
            found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ValueError(
            f"tracker: {kind.name}: expected a checkpoint of tensors in {path.name}, got a file that "
            f"cannot be read as one ({error})"
        ) from None
    for key in ("model", "state_dict"):
        found = found[key] if isinstance(found, dict) and isinstance(found.get(key), dict) else found
    if not isinstance(found, dict) or not found:
        raise ValueError(
            f"tracker: {kind.name}: expected a checkpoint of named tensors in {path.name}, got "
            f"{type(found).__name__}"
        )
    return {name.removeprefix("tapnext."): value for name, value in found.items()}


def load_weights(kind: TrackerKind, module: torch.nn.Module, path: Path, device: str) -> torch.nn.Module:
    """The module with the file's weights, on the device. ValueError for weights of another network."""
    return fill(kind, module, read_weights(kind, path), path.name).to(device).eval()


def fill(
    kind: TrackerKind, module: torch.nn.Module, weights: dict[str, Tensor], name: str
) -> torch.nn.Module:
    """The module with these weights. ValueError, which names the file, for weights of another network."""
    try:
        module.load_state_dict(weights)
    except RuntimeError as error:
        raise ValueError(
            f"tracker: {kind.name}: expected weights of this network in {name}, got others "
            f"({str(error)[:200]})"
        ) from None
    return module
