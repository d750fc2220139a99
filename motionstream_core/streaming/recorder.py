"""What a run keeps of what it made: the newest chunks within a budget of bytes, and a video file of all of it
when asked for.

Owns the dropping of what a rewind undid, what happens when memory or disk end, and the joining at the end.
Knows nothing of hosts.
Shapes: frames (T, H, W, 3). latents (B, C, t, h, w). xy (T, N, 2), visible (T, N).
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ..codec.recording_thread import RecordingThread
from ..tracks.types import Tracks
from .frame_store import FrameStore
from .stream import Chunk


@dataclass(frozen=True)
class StreamResult:
    """frames (T, H, W, 3). latents (1, C, t, h, w) of the same frames, the last chunk's cut to those they
    need. tracks: where the points were told to be in them. first_frame: the number of the first of them,
    above 0 once the budget was spent.
    """

    frames: Tensor
    latents: Tensor
    tracks: Tracks
    first_frame: int


@dataclass(frozen=True)
class _Kept:
    """A chunk of the result. Its `count` frames are in the store."""

    index: int
    start: int
    count: int
    latents: Tensor
    xy: Tensor
    visible: Tensor
    nbytes: int


class StreamRecorder:
    """What a run made, in memory and in a file. Use as a context manager: leaving it, in whatever way, closes
    the file.

    Args:
        fps: frames a second.
        stride: frames of a latent frame.
        budget: most bytes held for the result. At least the newest chunk is always kept.
        path: a video file that gets every frame at once, and loses what a rewind undoes.

    `failure` is what the disk said when the file ended before the run: it holds the frames before that.
    `short` is True once the machine had less memory than the budget.
    """

    def __init__(self, fps: float, stride: int, budget: int, path: Path | None = None):
        self.fps, self.stride, self.budget, self.path = fps, stride, budget, path
        self.nbytes = 0
        self.short = False
        self._frames = FrameStore()
        self._chunks: deque[_Kept] = deque()
        self._recording = None if path is None else RecordingThread(path, fps)

    @property
    def failure(self) -> OSError | None:
        return None if self._recording is None else self._recording.failure

    # Self is of Python 3.11
    def __enter__(self) -> StreamRecorder:
        return self

    def __exit__(self, *exception):
        if self._recording is not None:
            self._recording.close()

    def wait(self):
        """Waits until the file has all frames, or has failed: it is written by a thread of its own."""
        if self._recording is not None:
            self._recording.wait()

    def add(self, chunk: Chunk):
        """A chunk as it came. It takes the place of one of its index, and of all that were made behind that.

        Raises MemoryError where the machine has no room for it alone, and what the file's thread met.
        """
        while self._chunks and self._chunks[-1].index >= chunk.index:
            self._drop_newest()
        if self._recording is not None:
            self._recording.write(chunk.start, chunk.as_bytes)
        kept = _Kept(
            chunk.index,
            chunk.start,
            len(chunk.frames),
            chunk.latents,
            chunk.xy,
            chunk.visible,
            chunk.frames.nbytes + chunk.latents.nbytes + chunk.xy.nbytes + chunk.visible.nbytes,
        )
        while self._chunks and self.nbytes + kept.nbytes > self.budget:
            self._drop_oldest()
        while True:
            try:
                self._frames.add(chunk.frames.float().cpu())
                break
            except MemoryError:
                if not self._chunks:
                    raise
                self.short = True
                self._drop_oldest()
        self._chunks.append(kept)
        self.nbytes += kept.nbytes

    def take(self, width: int, height: int) -> StreamResult:
        """Everything kept, joined. The frames are not copied, and no longer the recorder's."""
        chunks, self._chunks, self.nbytes = list(self._chunks), deque(), 0
        first, count = chunks[0].start, self._frames.count
        lead = 1 if first == 0 else 0
        latents = torch.cat([chunk.latents for chunk in chunks], 2)
        return StreamResult(
            self._frames.take(),
            latents[:, :, : lead + math.ceil((count - lead) / self.stride)],
            _tracks(chunks, width, height, self.fps),
            first,
        )

    def _drop_newest(self):
        dropped = self._chunks.pop()
        self._frames.drop_newest(dropped.count)
        self.nbytes -= dropped.nbytes

    def _drop_oldest(self):
        dropped = self._chunks.popleft()
        self._frames.drop_oldest(dropped.count)
        self.nbytes -= dropped.nbytes


def _tracks(chunks: list[_Kept], width: int, height: int, fps: float) -> Tracks:
    """A point added live is hidden, at its first place, before it was there."""
    most = max(chunk.xy.shape[1] for chunk in chunks)
    pad, lacking = torch.nn.functional.pad, [most - chunk.xy.shape[1] for chunk in chunks]
    xy = torch.cat([pad(chunk.xy, (0, 0, 0, few), value=math.nan) for chunk, few in zip(chunks, lacking)])
    visible = torch.cat([pad(chunk.visible, (0, few)) for chunk, few in zip(chunks, lacking)])
    known = ~xy.isnan().any(-1)
    start = xy[known.int().argmax(0), torch.arange(most)]
    return Tracks(torch.where(known[..., None], xy, start), visible, width, height, fps)
