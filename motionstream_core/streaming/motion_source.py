"""Where a stream's motion comes from: the protocol, the tracks behind it, and what its kinds share.

Owns the order of asking and releasing. A sampler asks for the motion of latent frames as often as it likes,
until it releases them: a rolling sampler asks once a chunk, one with frames in flight asks again at every
step, so that a control bends all that has not left yet. What the frames look like is up to the kinds:
`motion_conditioner.py` (track head), `guided_motion.py` (no track head) and `null_motion.py` (nothing).

Shapes: the motion channels are (1, C_m, t, h, w). Latent frame 0 covers pixel frame 0, latent frame k > 0
covers pixel frames 4k-3 … 4k.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from torch import Tensor

from ..codec.base import CodecState
from ..model.config import MotionConfig
from ..sampling.sampler import MotionCondition
from ..tracks.types import TrackChunk, TrackSource
from .start_image import StartImage
from .warped_image import Carrier, Objects, WarpedImage


@dataclass(frozen=True)
class MotionSnapshot:
    """A motion source between two chunks. `start`: what it shows of the picture that it begins with, shared
    by all snapshots of a scene. `still`: the points that have not moved so far. `told`: those that the model
    is told of, None: all.
    """

    released: int
    tracks: TrackChunk | None
    image: Tensor
    carrier: Carrier | None
    codec: CodecState
    ids: Tensor | None
    start: StartImage | None = None
    still: Tensor | None = None
    told: Tensor | None = None

    @property
    def nbytes(self) -> int:
        return sum(x.nbytes for x in self.codec.memory if isinstance(x, Tensor))


class MotionSource(MotionCondition, Protocol):
    """The motion of one stream: what its sampler asks for, and what people are shown."""

    @property
    def image_latent(self) -> Tensor:
        """The start image's latent (1, C, 1, h, w)."""
        ...

    @property
    def grid(self) -> tuple[int, int]:
        """Latent height and width."""
        ...

    def tracks(self, frames: range) -> TrackChunk:
        """Where the points were told to be in these latent frames, which were released last."""
        ...

    def warped(self) -> WarpedImage | None:
        """The picture moved along the tracks in the frames released last. None where nothing moves one."""
        ...

    def to_reference(self, places: Tensor) -> Tensor:
        """Where in the picture that motion is taken from the things are that stand at `places` (K, 2) in the
        last frame released -> (K, 2).
        """
        ...

    def picture(self) -> Tensor:
        """The picture (3, H, W) that motion is taken from."""
        ...

    def objects(self) -> Objects:
        """The masks (H, W) of cut out objects where the last frame released shows them, by handle."""
        ...

    def set_reference(self, image: Tensor) -> None:
        """From now on motion is taken from another picture (3, H, W), in which the tracks' anchors must then
        be.
        """
        ...

    def snapshot(self) -> MotionSnapshot:
        """Where the source is between two chunks."""
        ...

    def restore(self, snapshot: MotionSnapshot) -> None: ...


@runtime_checkable
class LiveSource(Protocol):
    """Tracks that controls bend until their frames are final (`live.live_tracks.LiveTracks`)."""

    def tracks_at(self, frames: range) -> TrackChunk:
        """The tracks of these pixel frames, as things stand."""
        ...

    def advance(self, before: int) -> None:
        """The pixel frames before this one are final."""
        ...


def pixel_span(start: int, count: int, stride: int = 4) -> tuple[int, int]:
    """First pixel frame and number of pixel frames of `count` latent frames from `start` on."""
    first = 0 if start == 0 else stride * (start - 1) + 1
    return first, stride * (start + count - 1) + 1 - first


class TrackCursor:
    """The tracks of latent frames, which may be asked for again until they are released.

    Args:
        source: tracks by pixel frame. One that goes on as it is asked must be a LiveSource.
        stride: pixel frames of a latent frame.
    """

    def __init__(self, source: TrackSource, stride: int):
        self.released = 0
        self.shown: TrackChunk | None = None
        self._source = source
        self._live = source if isinstance(source, LiveSource) else None
        self._stride = stride
        self._shown_frames = range(0)
        self._asked: tuple[range, TrackChunk] | None = None

    def at(self, frames: range) -> TrackChunk:
        """The tracks of latent frames that begin at the first one not released yet."""
        if frames.start != self.released:
            raise ValueError(f"motion: expected latent frames from {self.released} on, got {frames.start}")
        tracks = self._tracks_at(frames)
        self._asked = (frames, tracks)
        return tracks

    def release(self, before: int) -> None:
        """Frames before this one are final, and the source stands behind them."""
        if self._asked is None:
            raise ValueError(f"motion: expected frames to be asked for before {before} is released")
        frames, tracks = self._asked
        if before not in range(frames.start + 1, frames.stop + 1):
            raise ValueError(
                f"motion: expected a release of {frames.start + 1} to {frames.stop}, got {before}"
            )
        final = range(frames.start, before)
        if before < frames.stop:
            tracks = self._tracks_at(final)
        if self._live is not None:
            start, count = self.span(final)
            self._live.advance(start + count)
        self.shown = tracks
        self._shown_frames = range(frames.start, before)
        self.released = before
        self._asked = None

    def released_tracks(self, frames: range) -> TrackChunk:
        """The tracks of the frames released last."""
        if self.shown is None or frames != self._shown_frames:
            raise ValueError(f"tracks: expected latent frames {self._shown_frames}, got {frames}")
        return self.shown

    def _tracks_at(self, frames: range) -> TrackChunk:
        start, count = self.span(frames)
        if self._live is not None:
            return self._live.tracks_at(range(start, start + count))
        return self._source(start, count)

    def span(self, frames: range) -> tuple[int, int]:
        """First pixel frame and number of pixel frames of these latent frames."""
        return pixel_span(frames.start, len(frames), self._stride)

    def restore(self, released: int, tracks: TrackChunk | None) -> None:
        """The frames before this one have been released. The source goes back by itself."""
        self.released = released
        self.shown = tracks
        self._asked = None


def with_first_frame(config: MotionConfig | None, motion: Tensor, latents: Tensor) -> Tensor:
    """The motion channels (B, C_m, t, h, w) of these latents, as if the first of them were the start
    image.
    """
    parts = {} if config is None else config.parts
    if "image" not in parts:
        return motion
    motion = motion.clone()
    motion[:, parts["image"]] = 0
    motion[:, parts["image"], :1] = latents[:, :, :1].to(motion)
    if "known" in parts:
        motion[:, parts["known"]] = 0
        motion[:, parts["known"], :1] = 1
    return motion
