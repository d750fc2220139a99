"""A video that a stream makes into another one (SDEdit): its pictures become latents chunk by chunk.

Owns the reading at the stream's rate, what comes after the last picture, and the encoder's state. Knows
nothing of levels, networks or files.
Shapes: a picture (H, W, 3) uint8 of any size, which may change from one to the next. latents (1, C, t, h, w).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from einops import rearrange
from torch import Tensor

from ..codec.base import TIME_STRIDE, Codec, CodecState
from ..common.pictures import cover
from ..sampling.buffer import QueueEntry

LOG = logging.getLogger("motionstream")
AT_END = ("end", "loop", "hold")
STRENGTH = 0.7

Pictures = Iterator[np.ndarray]


@dataclass(frozen=True)
class SourceVideo:
    """What a stream is made from.

    Args:
        open: begins the video anew -> its pictures at the stream's rate.
        strength: the noise level at which it enters, 0..1. A live control changes it.
        at_end: after the last picture, "end" ends the stream, "loop" begins anew, "hold" rests there.
        frames: how many pictures there are at the stream's rate, where somebody knows.
        live: it cannot be begun anew. After a rewind it goes on with what comes now.
    """

    open: Callable[[], Pictures]
    strength: float = STRENGTH
    at_end: str = "end"
    frames: int | None = None
    live: bool = False

    def __post_init__(self):
        if not 0 <= self.strength <= 1:
            raise ValueError(f"strength: expected 0..1, got {self.strength}")
        if self.at_end not in AT_END:
            raise ValueError(f"at_end: expected one of {', '.join(AT_END)}, got {self.at_end!r}")

    def note(self, in_work: int) -> str | None:
        """What a person should know of a video that is shorter than the frames in work at once."""
        if self.frames is None or self.frames >= in_work:
            return None
        how = "begun anew" if self.at_end == "loop" else "held on its last frame"
        return f"Source video: {self.frames} frames, fewer than the {in_work} in work at once: it is {how}"


@dataclass(frozen=True)
class SourceSnapshot:
    """A reader between two chunks."""

    read: int
    state: CodecState
    strength: float


def reference_latents(
    frames: Tensor, count: int, codec: Codec, device: torch.device | str, running: bool = False
) -> Tensor:
    """The last `count` latent frames (1, C, count, h, w) of pictures that stand before a stream. A start
    image alone, or a clip that is too short, begins with its first picture held.

    Args:
        frames: (T, H, W, 3) 0..1.
        count: latent frames.
        codec: encodes them.
        device: where the latents are made.
        running: whether the model's latents continue the clip, the first frame not standing alone.
    """
    pictures = (255 * frames.clamp(0, 1)).round().byte().cpu().numpy()
    held = max(0, 1 + TIME_STRIDE * (count - 1) - len(pictures))
    whole = [pictures[0]] * held + list(pictures)
    # Whole latent frames, so that the last picture is the end of the last one.
    whole = whole[(len(whole) - 1) % TIME_STRIDE :]
    height, width = frames.shape[1:3]
    reader = SourceReader(SourceVideo(lambda: iter(whole)), codec, (width, height), device, running)
    return reader(range(1 + (len(whole) - 1) // TIME_STRIDE)).latents[:, :, -count:]


class SourceReader:
    """One run of a source video: the entries of a moving buffer, in order.

    `length` is the stream's length in frames, once a video that ends the stream has ended. `broken` says why
    it ended before its time.

    Args:
        video: the source.
        codec: encodes its pictures.
        size: width and height of the stream.
        device: of the codec.
        running: latents of a running stream, none of which holds a single frame.
    """

    def __init__(
        self,
        video: SourceVideo,
        codec: Codec,
        size: tuple[int, int],
        device: torch.device | str,
        running: bool = False,
    ):
        self.strength = video.strength
        self.length: int | None = None
        self.broken: str | None = None
        self._video = video
        self._codec = codec
        self._size = size
        self._device = torch.device(device)
        self._running = running
        self._begin()

    def _begin(self) -> None:
        self._pictures = self._video.open()
        self._read = 0  # pictures of the stream so far
        self._round = 0  # of this round of the video
        self._last: Tensor | None = None
        self._over = False
        self._state = self._codec.start_encode()

    def __call__(self, frames: range) -> QueueEntry:
        """The latents of the next chunk at the strength of now."""
        parts = []
        for number in frames:
            if number == 0:
                parts.append(self._first())
                continue
            parts.append(self._encoded(torch.stack([self._next() for _ in range(TIME_STRIDE)])))
        return QueueEntry(torch.cat(parts, 2), self.strength)

    def _first(self) -> Tensor:
        """Latent frame 0, which holds picture 0 alone."""
        picture = self._next()[None]
        latent = self._encoded(picture)
        if not self._running:
            return latent
        # A running stream has no beginning: its encoder has seen the first picture for a while.
        still = picture.expand(TIME_STRIDE, -1, -1, -1)
        self._encoded(still)
        return self._encoded(still)

    def _encoded(self, pictures: Tensor) -> Tensor:
        frames = rearrange(pictures, "t h w c -> 1 t c h w").to(self._device)
        with torch.no_grad():
            latents, self._state = self._codec.encode_chunk(frames, self._state)
        return latents

    def _next(self) -> Tensor:
        """The next picture (H, W, 3) 0..1 of the stream's size."""
        picture = self._pulled()
        if picture is None and not self._over and self._video.at_end == "loop" and self._round:
            self._pictures = self._video.open()
            self._round = 0
            picture = self._pulled()
        if picture is None:
            if self._last is None:
                raise ValueError(f"source video: expected at least one frame, got none{self._why()}")
            self._over = True
            if self._video.at_end == "end" and self.length is None:
                self.length = self._read
        else:
            shown = torch.from_numpy(np.ascontiguousarray(picture)).float() / 255
            self._last = cover(shown, *self._size)
            self._round += 1
        self._read += 1
        assert self._last is not None
        return self._last

    def _pulled(self) -> np.ndarray | None:
        """A picture. None after the last one, and where the video cannot be read any further."""
        if self._over:
            return None
        try:
            return next(self._pictures, None)
        except (ValueError, OSError) as error:
            self.broken = str(error)
            LOG.warning("MotionStream: the source video ends after %d frames: %s", self._read, error)
            return None

    def _why(self) -> str:
        return f" ({self.broken})" if self.broken else ""

    def snapshot(self) -> SourceSnapshot:
        return SourceSnapshot(
            self._read, CodecState(list(self._state.memory), self._state.started), self.strength
        )

    def restore(self, snapshot: SourceSnapshot) -> None:
        """Reads the video again up to there, unless it is live. The encoder goes on from its state."""
        if self._video.live:
            self._read = snapshot.read
        else:
            self._begin()
            for _ in range(snapshot.read):
                self._next()
        self._state = CodecState(list(snapshot.state.memory), snapshot.state.started)
        self.strength = snapshot.strength
