"""Shard files: training samples side by side in one uncompressed .npz, written sample by sample and read
sample by sample.

Owns the file format. An .npz is a zip of .npy members. Stored uncompressed, row i of a member lies at a known
place of the file, so one sample is read without the rest and the memory in use does not depend on the size of
a shard. A file appears complete or not at all.

Not safetensors, whose slices would do the same: shards of many hours are .npz files and must stay readable,
so the reader below would stay beside a second one.
"""

from __future__ import annotations

import os
import struct
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

Sample = Mapping[str, np.ndarray]
LOCAL_HEADER = 30  # bytes of a zip member's header before its name


@dataclass(frozen=True)
class Field:
    """Where the rows of one member lie: `offset` of row 0 in the file, and what a row is."""

    offset: int
    dtype: np.dtype
    shape: tuple[int, ...]

    @property
    def row_bytes(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize


class ShardFile:
    """One shard, opened for single rows. `rows` samples of the fields in `fields`. ValueError for a file that
    is not a shard.
    """

    def __init__(self, path: Path):
        self.path = path
        try:
            with zipfile.ZipFile(path) as archive, path.open("rb") as raw:
                found = {
                    info.filename.removesuffix(".npy"): _locate(archive, info, raw, path)
                    for info in archive.infolist()
                }
        except (zipfile.BadZipFile, struct.error, EOFError) as error:
            raise ValueError(
                f"{path.name}: expected a shard (.npz), got a file that cannot be read ({error})"
            ) from None
        counts = {rows for rows, _ in found.values()}
        if len(counts) != 1 or 0 in counts:
            raise ValueError(
                f"{path.name}: expected fields with the same number of samples, at least one, got "
                f"{ ({k: v[0] for k, v in found.items()}) }"
            )
        self.rows = counts.pop()
        self.fields = {name: field for name, (_, field) in found.items()}

    def row(self, index: int, names: Iterable[str] | None = None) -> dict[str, np.ndarray]:
        """Sample `index`, of all fields or of those named."""
        if not 0 <= index < self.rows:
            raise ValueError(f"{self.path.name}: expected a sample of 0 .. {self.rows - 1}, got {index}")
        with self.path.open("rb", buffering=0) as file:
            return {
                name: _read(file, self.fields[name], index, self.path)
                for name in (self.fields if names is None else names)
            }

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of every field of a sample."""
        return {name: field.shape for name, field in self.fields.items()}


def _locate(archive: zipfile.ZipFile, info: zipfile.ZipInfo, raw, path: Path) -> tuple[int, Field]:
    """Number of rows and place of one member."""
    if info.compress_type != zipfile.ZIP_STORED:
        raise ValueError(
            f"{path.name}: expected a shard stored uncompressed (np.savez), got a compressed one"
        )
    with archive.open(info) as member:
        version = np.lib.format.read_magic(member)
        read = (
            np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        )
        shape, fortran, dtype = read(member)
        header = member.tell()
    if fortran or dtype.hasobject or not shape:
        raise ValueError(
            f"{path.name}: expected plain arrays of rows, got {dtype} {shape} in {info.filename}"
        )
    raw.seek(info.header_offset)
    name, extra = struct.unpack("<HH", raw.read(LOCAL_HEADER)[26:30])
    return shape[0], Field(info.header_offset + LOCAL_HEADER + name + extra + header, dtype, tuple(shape[1:]))


def _read(file, field: Field, index: int, path: Path) -> np.ndarray:
    file.seek(field.offset + index * field.row_bytes)
    out = np.empty(field.shape, field.dtype)
    view, got = out.reshape(-1).view(np.uint8).data, 0
    while got < len(view):
        read = file.readinto(view[got:])
        if not read:
            raise ValueError(
                f"{path.name}: expected {field.row_bytes} bytes of sample {index}, got {got}: the file was "
                "cut off"
            )
        got += read
    return out


def write_shard(path: Path, samples: Sequence[Sample]) -> None:
    """Samples of the same fields and shapes as one shard."""
    _write(path, [(lambda name, sample=sample: np.asarray(sample[name])) for sample in samples], samples[0])


def join_shards(path: Path, parts: Sequence[Path]) -> None:
    """The samples of several shards as one, one sample in memory at a time."""
    opened = [ShardFile(part) for part in parts]
    for other in opened[1:]:
        if other.shapes != opened[0].shapes:
            raise ValueError(
                f"{other.path.name}: expected the fields of {opened[0].path.name}, {opened[0].shapes}, got "
                f"{other.shapes}"
            )
    readers = [
        (lambda name, file=file, row=row: file.row(row, [name])[name])
        for file in opened
        for row in range(file.rows)
    ]
    _write(path, readers, opened[0].row(0))


def _write(path: Path, readers: Sequence, like: Sample) -> None:
    partial = path.with_name(path.name + ".partial")
    try:
        with partial.open("wb") as file:
            _put(file, path, readers, like)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _put(file, path: Path, readers: Sequence, like: Sample) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, first in like.items():
            first = np.asarray(first)
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                shape = (len(readers), *first.shape)
                np.lib.format.write_array_header_1_0(
                    member, {"descr": first.dtype.str, "fortran_order": False, "shape": shape}
                )
                for read in readers:
                    value = read(name)
                    if value.shape != first.shape or value.dtype != first.dtype:
                        raise ValueError(
                            f"{path.name}: expected {name} {first.shape} {first.dtype} in every sample, "
                            f"got {value.shape} {value.dtype}"
                        )
                    member.write(np.ascontiguousarray(value).tobytes())
    file.flush()
    os.fsync(file.fileno())
