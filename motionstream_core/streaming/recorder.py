"""What a run keeps of what it made: the newest chunks within a budget of bytes, and a video file of all of it
when asked for.

Owns the dropping of what a rewind undid, the order in which frames become final, and the joining at the end.
Knows nothing of hosts.
Shapes: frames (T, H, W, 3); latents (B, C, t, h, w); xy (T, N, 2), visible (T, N).
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ..codec.video import VideoWriter
from ..tracks.types import Tracks
from .stream import Chunk


@dataclass(frozen=True)
class StreamResult:
    """frames (T, H, W, 3); latents (1, C, t, h, w) of the same frames, the last chunk's cut to those they
    need; tracks: where the points were told to be in them; first_frame: the number of the first of them,
    above 0 once the budget was spent.
    """

    frames: Tensor
    latents: Tensor
    tracks: Tracks
    first_frame: int


class StreamRecorder:
    """budget: most bytes of frames and latents held for the result; at least the newest chunk is always kept.

    path: a video file that gets every frame once no rewind can reach it any more. Use as a context manager:
    leaving it, in whatever way, writes what is still due and closes the file.
    """

    def __init__(self, fps: float, stride: int, budget: int, path: Path | None = None):
        self.fps, self.stride, self.budget, self.path = fps, stride, budget, path
        self.nbytes = 0
        self._chunks: deque[Chunk] = deque()
        self._due: deque[Chunk] = deque()
        self._writer = None if path is None else VideoWriter(path, fps)

    # Self is of Python 3.11
    def __enter__(self) -> StreamRecorder:
        return self

    def __exit__(self, *exception):
        if self._writer is not None:
            try:
                self.settle()
            finally:
                self._writer.close()
                self._writer = None

    @property
    def last(self) -> Chunk | None:
        return self._chunks[-1] if self._chunks else None

    def add(self, chunk: Chunk, oldest: int | None = None):
        """A chunk as it came. oldest: the first chunk that a rewind can still reach (None: none)."""
        self.back(chunk.index)
        self._chunks.append(chunk)
        self.nbytes += _size(chunk)
        while self.nbytes > self.budget and len(self._chunks) > 1:
            self.nbytes -= _size(self._chunks.popleft())
        if self._writer is not None:
            self._due.append(chunk)
            self.settle(chunk.index + 1 if oldest is None else oldest)

    def back(self, index: int):
        """The chunks from `index` on were undone."""
        while self._chunks and self._chunks[-1].index >= index:
            self.nbytes -= _size(self._chunks.pop())
        while self._due and self._due[-1].index >= index:
            self._due.pop()

    def settle(self, before: int | None = None):
        """Writes the frames of the chunks before `before` (None: all) to the file."""
        while self._writer is not None and self._due and (before is None or self._due[0].index < before):
            self._writer.write(self._due.popleft().frames)

    def take(self, width: int, height: int) -> StreamResult:
        """Everything kept, joined; the chunks are let go while they are copied, so that a long video is not
        held twice.
        """
        chunks, self._chunks, self.nbytes = list(self._chunks), deque(), 0
        first, count = chunks[0].start, sum(len(chunk.frames) for chunk in chunks)
        lead = 1 if first == 0 else 0
        tracks = _tracks(chunks, width, height, self.fps)
        frames, latents = [chunk.frames for chunk in chunks], [chunk.latents for chunk in chunks]
        del chunks
        return StreamResult(
            joined(frames, 0),
            joined(latents, 2)[:, :, : lead + math.ceil((count - lead) / self.stride)],
            tracks,
            first,
        )


def _tracks(chunks: list[Chunk], width: int, height: int, fps: float) -> Tracks:
    """A point added live is hidden, at its first place, before it was there."""
    most = max(chunk.xy.shape[1] for chunk in chunks)
    pad, lacking = torch.nn.functional.pad, [most - chunk.xy.shape[1] for chunk in chunks]
    xy = torch.cat([pad(chunk.xy, (0, 0, 0, few), value=math.nan) for chunk, few in zip(chunks, lacking)])
    visible = torch.cat([pad(chunk.visible, (0, few)) for chunk, few in zip(chunks, lacking)])
    known = ~xy.isnan().any(-1)
    start = xy[known.int().argmax(0), torch.arange(most)]
    return Tracks(torch.where(known[..., None], xy, start), visible, width, height, fps)


def _size(chunk: Chunk) -> int:
    return chunk.frames.nbytes + chunk.latents.nbytes + chunk.xy.nbytes + chunk.visible.nbytes


def joined(pieces: list[Tensor], dim: int) -> Tensor:
    """The pieces as one tensor. Empties the list while it copies."""
    shape = list(pieces[0].shape)
    shape[dim] = sum(piece.shape[dim] for piece in pieces)
    whole, start = pieces[0].new_empty(shape), 0
    pieces.reverse()
    while pieces:
        piece = pieces.pop()
        whole.narrow(dim, start, piece.shape[dim]).copy_(piece)
        start += piece.shape[dim]
    return whole
