"""Checkpoints on disk: one safetensors file each, complete or not there at all, the last two kept.

Owns the files of a folder and how they are written: tensor by tensor (so that a state divided over processes
is never whole in memory), to a temporary name, flushed to the disk, then renamed. Knows nothing of what the
tensors are.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ...model.weights.bundle import read_header

FORMAT = "motionstream-training"
KEPT = 2
DTYPES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}

Entries = list[tuple[str, Tensor]]


def step_path(folder: Path, step: int) -> Path:
    return folder / f"step-{step:08d}.safetensors"


def complete(folder: Path) -> list[Path]:
    """The checkpoints of a folder, oldest first."""
    return sorted(
        path
        for path in folder.glob("step-*.safetensors")
        if re.fullmatch(r"step-\d{8,}\.safetensors", path.name)
    )


def write(
    path: Path,
    entries: Entries,
    about: Mapping[str, Any],
    *,
    full_tensor: Callable[[Tensor], Tensor] = torch.Tensor.detach,
    writer: bool = True,
) -> None:
    """Writes a file whole or not at all. A failed write leaves nothing behind and is raised after the last
    tensor, so that no process waits for another.

    Args:
        path: of the file.
        entries: tensors by name.
        about: JSON values for the header.
        full_tensor: gathers a tensor that is divided over processes. Every process calls it for every tensor.
        writer: whether this process writes.
    """
    failure: OSError | None = None
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with contextlib.ExitStack() as stack:
            file = None
            try:
                if writer:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    file = stack.enter_context(part.open("wb", buffering=0))
                    _put(file, _header(entries, about))
            except OSError as error:
                failure = error
            for _, tensor in entries:
                value = full_tensor(tensor)
                if file is not None and failure is None:
                    try:
                        flat = value.detach().cpu().contiguous().reshape(-1)
                        _put(file, flat.view(torch.uint8).numpy().data)
                    except OSError as error:
                        failure = error
            if file is not None and failure is None:
                os.fsync(file.fileno())
        if failure is not None:
            raise failure
        if writer:
            os.replace(part, path)
            _flush_folder(path.parent)
    finally:
        if writer:
            part.unlink(missing_ok=True)


def _put(file, data: bytes | memoryview) -> None:
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]


def _header(entries: Entries, about: Mapping[str, Any]) -> bytes:
    header: dict[str, Any] = {"__metadata__": {"format": "pt", FORMAT: json.dumps(about, sort_keys=True)}}
    start = 0
    for name, tensor in entries:
        end = start + tensor.numel() * tensor.element_size()
        header[name] = {
            "dtype": DTYPES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [start, end],
        }
        start = end
    if len(header) != len(entries) + 1:
        raise ValueError("checkpoint: expected tensors with names of their own, got two of the same name")
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def _flush_folder(folder: Path) -> None:
    """So that the new name too survives a power failure. A system that cannot open folders has no such
    call.
    """
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def prune(folder: Path, keep: int = KEPT) -> None:
    """Only the newest checkpoints stay. What a killed process left half written goes."""
    for path in [*complete(folder)[:-keep], *folder.glob("*.part")]:
        path.unlink(missing_ok=True)


def read_about(path: Path) -> dict[str, Any]:
    """What a file says of itself. ValueError for one that is damaged or no file of this engine."""
    text = (read_header(path).get("__metadata__") or {}).get(FORMAT)
    if text is None:
        raise ValueError(
            f"{path.name}: expected a file written by training, got a safetensors file of another kind"
        )
    return json.loads(text)


def newest(folder: Path, tell: Callable[[str], None]) -> tuple[Path, dict[str, Any]] | None:
    """The newest checkpoint that can be read. One that cannot is told of, and the one before is taken."""
    damaged: ValueError | None = None
    for path in reversed(complete(folder)):
        try:
            return path, read_about(path)
        except ValueError as error:
            damaged = error
            tell(f"checkpoint: {error}; trying the one before")
    if damaged is not None:
        raise ValueError(
            f"{folder}: expected a checkpoint that can be read, got none; the last problem: {damaged}"
        )
    return None


def read_tensors(path: Path, names: Iterable[str] | None = None) -> Iterable[tuple[str, Tensor]]:
    """The tensors of a file one by one."""
    try:
        with safe_open(path, "pt") as file:
            for name in file.keys() if names is None else names:
                yield name, file.get_tensor(name)
    except SafetensorError as error:
        raise ValueError(f"{path.name}: expected a readable safetensors file, got: {error}") from error


def shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """The shape of every tensor of a file."""
    return {
        name: tuple(entry["shape"]) for name, entry in read_header(path).items() if name != "__metadata__"
    }
