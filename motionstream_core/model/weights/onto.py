"""Weights files that hold what another file's weights lack: low-rank additions to its matrices, and numbers
in the place of its own.

Owns how the two become one. A file with settings["onto"] = {"file": NAME, "sha256": HEX} belongs to the file
NAME in its own folder, byte for byte. In its components KEY.up (rows, rank) and KEY.down (rank, columns) add
up @ down to the matrix KEY. Any other key takes the place of the base's, or is new. What it does not name is
the base's.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...common.digests import file_sha256
from ...common.state_dict import State

UP, DOWN = ".up", ".down"


def reference_to(base: Path) -> dict[str, str]:
    """What stands under settings["onto"]."""
    return {"file": base.name, "sha256": file_sha256(base)}


def base_of(path: Path, reference: Any) -> Path:
    """The file that `path` belongs to. ValueError where it is not there or is another one."""
    if (
        not isinstance(reference, dict)
        or set(reference) != {"file", "sha256"}
        or not isinstance(reference["file"], str)
        or Path(reference["file"]).name != reference["file"]
    ):
        raise ValueError(
            f"{path.name}: expected the name of a file beside it and its sha256, got {reference!r:.120}"
        )
    base = path.parent / reference["file"]
    if not base.is_file():
        raise ValueError(f"{path.name}: expected {base.name} beside it, which it is an addition to, got none")
    found = file_sha256(base)
    if found != reference["sha256"]:
        raise ValueError(
            f"{path.name}: expected the {base.name} that it is an addition to (sha256 "
            f"{str(reference['sha256'])[:12]}…), got another one ({found[:12]}…)"
        )
    return base


def join_components(base: Mapping[str, State], own: Mapping[str, State], name: str) -> dict[str, State]:
    """The components of both. `name` is for errors."""
    out = {component: dict(state) for component, state in base.items()}
    for component, state in own.items():
        out[component] = _join_states(out.get(component, {}), state, f"{name}: {component}")
    return out


def _join_states(base: State, own: State, name: str) -> State:
    out = dict(base)
    for key, value in own.items():
        if key.endswith(DOWN) and key.removesuffix(DOWN) + UP in own:
            continue
        if not key.endswith(UP):
            out[key] = value
            continue
        whole = key.removesuffix(UP)
        down = own.get(whole + DOWN)
        matrix = out.get(whole)
        if down is None or matrix is None or not _fits(matrix, value, down):
            raise ValueError(
                f"{name}.{whole}: expected a matrix in the base and factors (rows, rank) and (rank, columns) "
                f"for it, got {[None if t is None else tuple(t.shape) for t in (matrix, value, down)]}"
            )
        out[whole] = torch.addmm(matrix, value, down)
    return out


def _fits(matrix: Tensor, up: Tensor, down: Tensor) -> bool:
    if matrix.ndim != 2 or up.ndim != 2 or down.ndim != 2 or up.shape[1] != down.shape[0]:
        return False
    return matrix.shape == (up.shape[0], down.shape[1])
