"""Weights of others as files: tensors out of pickled and safetensors files, in one piece or in several, and
one safetensors file written.

Owns opening (for tensors alone: nothing in a file is run) and writing (tensor by tensor). Tensors read lie on
the file until they are computed with, and are written one at a time, so a file of any size needs the memory
of its largest tensor. Knows nothing of networks.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from ...common.state_dict import State
from .bundle import read_header

SAFE_ENDINGS = (".safetensors", ".sft")
INDEX = ".safetensors.index.json"
PART_OF = re.compile(r"-\d+-of-\d+\.")
WRAPPERS = (
    "generator_ema",
    "generator",
    "ema_model",
    "ema",
    "student",
    "model",
    "state_dict",
    "module",
    "transformer",
)
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
    torch.float8_e4m3fn: "F8_E4M3",
    torch.float8_e5m2: "F8_E5M2",
}


def read_weights(path: Path, wrappers: Iterable[str] = WRAPPERS) -> tuple[State, dict[str, str]]:
    """The tensors of a file, out of their wrappers, and its header's metadata (none in a pickled file).

    A folder, or the index file in it, stands for the safetensors files that its one index names, or for its
    one file. Of the folder of a whole pipeline (with model_index.json) the transformer's is taken.
    """
    path = _index_in(path) if path.is_dir() else path
    if path.name.endswith(INDEX):
        return _of_several(path), {}
    if not path.is_file():
        raise ValueError(f"weights: expected a file, got {path}")
    if path.suffix in SAFE_ENDINGS:
        return _tensors(path), dict(read_header(path).get("__metadata__") or {})
    return unwrap_state(_unpickle(path), path.name, wrappers), {}


def _tensors(path: Path) -> State:
    read_header(path)
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path.name}: expected a readable safetensors file, got: {error}") from error


def _unpickle(path: Path) -> Any:
    """What is in a .pt file. ValueError where it is damaged or holds more than tensors and plain values."""
    try:
        try:
            return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        except RuntimeError as error:
            if "mmap" not in str(error):
                raise
            return torch.load(
                path, map_location="cpu", weights_only=True
            )  # of before torch 1.6: it cannot lie on the file
    except Exception as error:  # torch raises a dozen kinds for damaged and for unsafe files
        found = re.search(r"Unsupported (?:global|class|operand)[^:]*:? ?(?:GLOBAL )?([\w.]+)", str(error))
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        words = f"it would have to run {found[1]}" if found else first
        raise ValueError(
            f"{path.name}: expected tensors alone in a .pt or .safetensors file, got one that cannot be "
            f"read safely: {words}"
        ) from error


def _index_in(folder: Path) -> Path:
    """The one index of a folder, of its `transformer` where it is a whole pipeline's, or the one weights file
    without an index. ValueError where there is none, or several.
    """
    if (folder / "model_index.json").is_file() and (folder / "transformer").is_dir():
        folder = folder / "transformer"
    found = sorted(folder.glob(f"*{INDEX}"))
    alone = sorted(file for file in folder.iterdir() if file.suffix in SAFE_ENDINGS)
    if not found and len(alone) == 1 and PART_OF.search(alone[0].name) is None:
        return alone[0]
    if len(found) != 1:
        parts = [file.name for file in alone if PART_OF.search(file.name)]
        kind = " (parts of a larger file, whose index is not there: download it too)" if parts else ""
        names = ", ".join(file.name for file in alone[:4]) or "none"
        raise ValueError(
            f"{folder.name}: expected one *{INDEX} in the folder, got {len(found)}; its safetensors files: "
            f"{names}{kind}. Without an index a folder holds one weights file"
        )
    return found[0]


def _of_several(index: Path) -> State:
    """The tensors of all files that an index names. Files outside its folder are refused."""
    try:
        places = json.loads(index.read_text())["weight_map"]
        names = sorted(set(places.values()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{index.name}: expected JSON with a weight_map of file names, got: {error!r}"
        ) from error
    state: State = {}
    for name in names:
        file = index.parent / str(name)
        if Path(str(name)).name != name or not file.is_file():
            raise ValueError(f"{index.name}: expected all files of its weight_map beside it, got no {name}")
        state |= _tensors(file)
    missing = sorted(places.keys() - state.keys())
    if missing:
        raise ValueError(
            f"{index.name}: expected every tensor of its weight_map in the files, missing "
            f"{', '.join(missing[:8])}"
        )
    return {key: state[key] for key in places}


def size_of(path: Path) -> int:
    """Bytes of a file, or of all of a folder's."""
    return sum(file.stat().st_size for file in weights_files(path))


def weights_files(path: Path) -> list[Path]:
    """The files that `read_weights` takes tensors from: a file, or all of a folder's."""
    path = _index_in(path) if path.is_dir() else path
    return sorted(path.parent.glob("*.safetensors")) if path.name.endswith(INDEX) else [path]


def unwrap_state(loaded: Any, name: str, wrappers: Iterable[str] = WRAPPERS) -> State:
    """The innermost dictionary of tensors. An averaged copy (EMA) is preferred to the plain one."""
    while isinstance(loaded, Mapping):
        inside = next((key for key in wrappers if isinstance(loaded.get(key), Mapping)), None)
        if inside is None:
            break
        loaded = loaded[inside]
    if isinstance(loaded, Mapping) and not any(isinstance(value, Tensor) for value in loaded.values()):
        raise ValueError(
            f"{name}: expected tensors, or one of {', '.join(wrappers)}, got {sorted(map(str, loaded))[:8]}"
        )
    if not isinstance(loaded, Mapping):
        # A user's file
        raise ValueError(f"{name}: expected a dictionary of tensors, got {type(loaded).__name__}")
    return {str(key): value for key, value in loaded.items() if isinstance(value, Tensor)}


@dataclass(frozen=True)
class TensorEntry:
    """A tensor to be written: its form, and how it is made when its turn comes."""

    dtype: torch.dtype
    shape: tuple[int, ...]
    make: Callable[[], Tensor]

    @property
    def nbytes(self) -> int:
        return self.dtype.itemsize * torch.Size(self.shape).numel()


def write_safetensors(
    path: Path,
    entries: Mapping[str, TensorEntry],
    metadata: Mapping[str, str],
    on_bytes: Callable[[int, int], None] = lambda done, total: None,
):
    """One file, whole or not at all, with one of the tensors in memory at a time.

    on_bytes: called before every tensor with the bytes written and those there will be. May raise to stop.
    """
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    order = sorted(
        entries, key=lambda key: (-entries[key].dtype.itemsize, key)
    )  # the wider first: every tensor begins at a multiple of its width
    end = 0
    for key in order:
        entry = entries[key]
        if entry.dtype not in DTYPES:
            raise ValueError(f"{key}: expected a dtype that safetensors files hold, got {entry.dtype}")
        header[key] = {
            "dtype": DTYPES[entry.dtype],
            "shape": list(entry.shape),
            "data_offsets": [end, end + entry.nbytes],
        }
        end += entry.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.parent.mkdir(parents=True, exist_ok=True)
    needed, free = 8 + len(text) + end, free_bytes(path.parent)
    if needed > free:
        wanted, got = (f"{size / 2**20:,.1f} MiB" for size in (needed, free))
        raise ValueError(
            f"{path.name}: expected room for {wanted} on the disk, got {got}: nothing was written"
        )
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with open(part, "wb") as file:
            file.write(len(text).to_bytes(8, "little") + text)
            for key in order:
                on_bytes(header[key]["data_offsets"][0], end)
                file.write(_bytes_of(key, entries[key]))
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def free_bytes(folder: Path) -> int:
    """What the disk of a folder has room for."""
    return shutil.disk_usage(folder).free


def _bytes_of(key: str, entry: TensorEntry) -> memoryview:
    value = entry.make().detach().cpu().contiguous()
    if value.dtype != entry.dtype or tuple(value.shape) != entry.shape:
        raise ValueError(
            f"{key}: expected {entry.dtype} of {entry.shape}, got {value.dtype} of {tuple(value.shape)}"
        )
    return value.reshape(-1).view(torch.uint8).numpy().data if value.numel() else memoryview(b"")
