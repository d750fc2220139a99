"""The controls that made a stream so far, as JSON texts: however many they are, they take little memory.

Owns their order, what a rewind takes back, and the temporary file that they go to when they are many. Knows
nothing of documents or sessions.
"""

from __future__ import annotations

import json
import tempfile
from array import array
from bisect import bisect_left
from collections.abc import Iterator
from io import BytesIO
from typing import IO

from .controls import Control, parse_control

SPOOLED = 4 * 2**20  # bytes that stay in memory; more go to a file


class PerformanceLog:
    """Controls with the chunk before which each took effect, in order. One thread uses it at a time."""

    def __init__(self):
        self._file: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=SPOOLED)
        # Where in the file the entries of a chunk begin, for the chunks that have any.
        self._chunks = array("q")
        self._offsets = array("q")
        self._size = 0
        self._newest: list[tuple[int, Control]] = []  # not in the file yet, so that one can be taken back

    def __iter__(self) -> Iterator[tuple[int, Control]]:
        """(chunk, control)."""
        for text in self.texts():
            entry = json.loads(text)
            yield entry["chunk"], parse_control(entry)

    def texts(self) -> Iterator[str]:
        """Every entry as a JSON object: the control's message with its chunk."""
        self._file.seek(0)
        for line in self._file:
            yield line[:-1].decode()
        for chunk, control in self._newest:
            yield _text(chunk, control)

    @property
    def last_chunk(self) -> int:
        """The chunk before which the last of them took effect. −1 where there is none."""
        if self._newest:
            return self._newest[-1][0]
        return self._chunks[-1] if self._chunks else -1

    def add(self, chunk: int, controls: list[Control]):
        """The controls that take effect before a chunk, which is none before the last one's."""
        self._write_newest()
        self._newest = [(chunk, control) for control in controls]

    def take_back(self, control: Control):
        """One of those that were added last is no part of it."""
        self._newest = [entry for entry in self._newest if entry[1] is not control]

    def cut(self, chunk: int):
        """What took effect from before `chunk` on has not happened."""
        self._newest = [entry for entry in self._newest if entry[0] < chunk]
        first = bisect_left(self._chunks, chunk)
        if first == len(self._chunks):
            return
        self._size = self._offsets[first]
        del self._chunks[first:]
        del self._offsets[first:]
        self._file.truncate(self._size)

    def _write_newest(self):
        if not self._newest:
            return
        chunk = self._newest[0][0]
        lines = b"".join(_text(chunk, control).encode() + b"\n" for _, control in self._newest)
        if not self._chunks or self._chunks[-1] < chunk:
            self._chunks.append(chunk)
            self._offsets.append(self._size)
        try:
            self._file.seek(self._size)
            self._file.write(lines)
            self._file.flush()
        except OSError:  # the disk is full: memory it is
            self._file.seek(0)
            self._file = BytesIO(self._file.read(self._size) + lines)
        self._size += len(lines)
        self._newest = []


def _text(chunk: int, control: Control) -> str:
    return json.dumps({"chunk": chunk, **control.message()}, separators=(",", ":"))
