"""Weights that stand on another file's: matrices as differences of low rank, everything else whole.

Owns the two halves of that and which file is meant. A NAME that is a difference has NAME.up (rows, rank) and
NAME.down (rank, columns) in its place. The file that it stands on lies beside it and is told by its hash, so
that a network is never put together from parts that do not belong together.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

UP, DOWN = ".up", ".down"


def digest(path: Path) -> str:
    """The SHA-256 of a file, its metadata and its tensors."""
    found = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            found.update(block)
    return found.hexdigest()


def differences(state: Mapping[str, Tensor], base: Mapping[str, Tensor], rank: int) -> dict[str, Tensor]:
    """The state as it stands on `base`: the best differences of this rank for matrices where that is less.

    What the base does not have, or has in another shape, is whole.
    """
    out: dict[str, Tensor] = {}
    for name, value in state.items():
        other = base.get(name)
        rows, columns = value.shape[0] if value.ndim else 1, value[0].numel() if value.ndim else 1
        whole = other is None or other.shape != value.shape or value.ndim != 2
        if other is None or whole or rank * (rows + columns) >= value.numel():
            out[name] = value
            continue
        u, s, v = torch.linalg.svd(value.float() - other.float(), full_matrices=False)
        root = s[:rank].sqrt()
        out[name + UP], out[name + DOWN] = u[:, :rank] * root, root[:, None] * v[:rank]
    return out


def restored(state: Mapping[str, Tensor], base: Mapping[str, Tensor], file: str) -> dict[str, Tensor]:
    """The inverse of `differences`; ValueError names the file whose differences do not fit the base."""
    out = {name: value for name, value in state.items() if not name.endswith((UP, DOWN))}
    for key, up in state.items():
        if not key.endswith(UP):
            continue
        name = key.removesuffix(UP)
        down, other = state.get(name + DOWN), base.get(name)
        if down is None or other is None or other.shape != (up.shape[0], down.shape[-1]):
            raise ValueError(f"{file}: expected a difference of {name} that fits its base, got another shape")
        out[name] = other.float() + up.float() @ down.float()
    return out


def base_of(path: Path, settings: Mapping[str, Any]) -> Path | None:
    """The file that a weights file stands on, by its settings; ValueError for one that is absent or
    another.
    """
    about = settings.get("base")
    if about is None:
        return None
    if not isinstance(about, dict) or set(about) != {"file", "sha256"} or not isinstance(about["file"], str):
        raise ValueError(f"{path.name}: expected the base's file and sha256, got {about!r:.80}")
    base = path.with_name(Path(about["file"]).name)
    if not base.is_file():
        raise ValueError(
            f"{path.name}: expected the weights that it stands on, {base.name}, beside it, got none"
        )
    if digest(base) != about["sha256"]:
        raise ValueError(f"{path.name}: expected the {base.name} that it was made on, got another one")
    return base
