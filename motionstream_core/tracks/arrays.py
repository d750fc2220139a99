"""Arrays from files: NumPy's .npy and .npz, and the bytes that ATI pickles into a .pth.

Owns reading them without running what is in them and without believing what they say: a header's shape must
fit the bytes that are there before room is made for it. Every failure is a ValueError that names the file.
"""

from __future__ import annotations

import io
import math
import pickletools
import zipfile
from collections.abc import Collection
from pathlib import Path
from typing import IO, Any, BinaryIO

import numpy as np

MAX_FILE = 2**29
MAX_UNPACKED = 2**28  # of the arrays of an archive, however small it is: one of 1 MB may hold 1 GB
MAX_HEADER = 10_000
MAX_MEMBERS = 1024
BARE = "array"  # the name of the one array of an .npy
PICKLED = (".pth", ".pt")
NUMBERS = "biuf"  # kinds of dtypes
# What `torch.save(bytes)` writes is one of these programs. No other one is looked at.
MEMO = ("PROTO", "FRAME", "PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE")
ENCODED = ("GLOBAL", "BINUNICODE", "BINUNICODE", "TUPLE2", "REDUCE", "STOP")
RAW = (("BINBYTES", "STOP"), ("SHORT_BINBYTES", "STOP"), ("BINBYTES8", "STOP"))


def read_arrays(path: Path, words: Collection[str] = ()) -> dict[str, np.ndarray]:
    """The arrays of an .npz, of an .npy (under the name BARE) or of a .pth that holds an .npz.

    They hold numbers, but for those named in `words`, which may be text.
    """
    what = "a .pth with an .npz inside" if path.suffix.lower() in PICKLED else "an .npz or .npy with numbers"
    try:
        size = path.stat().st_size
        if size > MAX_FILE:
            raise ValueError(f"{size} bytes, more than {MAX_FILE}")
        with path.open("rb") as file:
            if path.suffix.lower() in PICKLED:
                arrays = _members(io.BytesIO(pickled_bytes(file)), words)
            elif zipfile.is_zipfile(file):
                arrays = _members(file, words)
            else:
                file.seek(0)
                arrays = {BARE: _array(file, size, words)}
    except FileNotFoundError:
        raise
    except Exception as error:  # damaged archives raise of every kind: zlib's, lzma's, struct's, tokenize's
        raise ValueError(f"{path.name}: expected {what}, got {str(error)[:120] or 'none'}") from None
    return arrays


def pickled_bytes(file: BinaryIO) -> bytes:
    """The one byte string in what torch.save wrote, read off its pickle's program, which is not run."""
    with zipfile.ZipFile(file) as archive:
        item = next((item for item in archive.infolist() if item.filename.endswith("data.pkl")), None)
        if item is None or item.file_size > MAX_UNPACKED:
            raise ValueError("a file that torch.save has not written")
        program = archive.read(item)
    steps = [(step.name, given) for step, given, _ in pickletools.genops(program) if step.name not in MEMO]
    names = tuple(name for name, _ in steps)
    if names in RAW:
        return _as_bytes(steps[0][1])
    if names == ENCODED and (steps[0][1], steps[2][1]) == ("_codecs encode", "latin1"):
        return str(steps[1][1]).encode("latin1")
    raise ValueError("a pickle of something else (save the tensors as an .npz)")


def _as_bytes(value: object) -> bytes:
    """pickletools gives bytes as text of latin-1 in some of its versions."""
    return value if isinstance(value, bytes) else str(value).encode("latin1")


def _members(file: BinaryIO, words: Collection[str]) -> dict[str, np.ndarray]:
    """The arrays of an .npz."""
    arrays = {}
    with zipfile.ZipFile(file) as archive:
        items = archive.infolist()
        size = sum(item.file_size for item in items)
        if size > MAX_UNPACKED or len(items) > MAX_MEMBERS:
            raise ValueError(f"{len(items)} arrays of {size} bytes, more than {MAX_UNPACKED}")
        for item in items:
            if not item.filename.endswith(".npy"):
                raise ValueError(f"{item.filename!r} among its arrays")
            name = item.filename.removesuffix(".npy")
            with archive.open(item) as member:
                try:
                    arrays[name] = _array(member, item.file_size, words, name)
                except ValueError as error:
                    raise ValueError(f"{name}: {error}") from None
    return arrays


def _array(file: IO[bytes], size: int, words: Collection[str], name: str = BARE) -> np.ndarray:
    """One array in NumPy's format, of which `size` bytes are there."""
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        head = np.lib.format.read_array_header_1_0(file, max_header_size=MAX_HEADER)
    elif version == (2, 0):
        head = np.lib.format.read_array_header_2_0(file, max_header_size=MAX_HEADER)
    else:
        raise ValueError(f"version {version} of the format")
    shape, fortran, dtype = head
    if dtype.kind not in (NUMBERS + "U" if name in words else NUMBERS):
        raise ValueError(f"{dtype} in {name}")
    wanted = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or wanted > size:
        raise ValueError(f"a header of {wanted} bytes, {str(shape)[:60]}, over {size} bytes")
    data = bytearray(wanted)
    there = memoryview(data)
    source: Any = file  # files and members of archives have `readinto`, which IO does not declare
    while there and (count := source.readinto(there)):
        there = there[count:]
    if there:
        raise ValueError(f"{wanted - len(there)} of {wanted} bytes")
    flat = np.frombuffer(data, dtype=dtype)
    return flat.reshape(shape[::-1]).T.copy() if fortran else flat.reshape(shape)
