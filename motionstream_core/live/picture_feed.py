"""Pictures that somebody sends while a stream runs, of a camera or a screen: the newest wins, and the stream
never waits long.

Owns the checks of what comes, the few pictures that wait, and the choice of one for every frame of the
stream. Knows nothing of sockets, hosts or devices.

A stream that is made in real time takes the pictures as they come. One that is made more slowly spreads what
it takes over the time that has passed, so what is shown keeps up with the camera. Shapes: a picture
(H, W, 3) uint8.
"""

from __future__ import annotations

import io
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass

import numpy as np
from PIL import Image

PICTURE_BYTES = 512 * 1024
MOST_SIDE = 1280  # px
LEAST_SIDE = 16
RATE = 120  # pictures a second. More are dropped
WAITING = 96  # pictures that wait, encoded: more than a second of a camera's 60
FIRST_S = 60.0  # a person may have to allow the camera first
GRACE_S = 0.25  # a picture that is due may be so late before the last one is shown again
LEAD = 8.0  # of a backlog, this share of it is made up for in one frame of the stream
POLL_S = 0.1
TOLERANCE = 1e-3

TimedPictures = Generator[tuple[np.ndarray, float], None, None]


class NoPictures(ValueError):
    """Nothing comes, and why."""


@dataclass(frozen=True)
class FeedFigures:
    """received: pictures that came. used: those that became a frame. held: frames that had to show the last
    picture again. refused: pictures beyond RATE. lost: whether nothing comes at the moment.
    """

    received: int
    used: int
    held: int
    refused: int
    lost: bool


@dataclass(frozen=True)
class _Sent:
    data: bytes
    moment: float


class PictureFeed:
    """A source of pictures. `put`, `fail` and `close` are thread-safe."""

    def __init__(self):
        self._wake = threading.Condition()
        self._waiting: deque[_Sent] = deque(maxlen=WAITING)
        self._arrivals: deque[float] = deque(maxlen=RATE)
        self._newest = -math.inf
        self._received = self._used = self._held = self._refused = 0
        self._problem: str | None = None
        self._closed = self._lost = False

    @property
    def figures(self) -> FeedFigures:
        with self._wake:
            return FeedFigures(self._received, self._used, self._held, self._refused, self._lost)

    @property
    def closed(self) -> bool:
        return self._closed

    def put(self, data: bytes, moment: float) -> bool:
        """A JPEG or WebP and its moment in seconds of the sender's clock. False where too many come.

        Raises ValueError for what is no such picture, and for a moment that is not later than the last one.
        """
        if isinstance(moment, bool) or not isinstance(moment, (int, float)) or not math.isfinite(moment):
            raise ValueError(f"picture: expected a moment in seconds, got {str(moment)[:40]}")
        check_picture(data)
        now = time.monotonic()
        with self._wake:
            if moment <= self._newest:
                raise ValueError(f"picture: expected a moment after {self._newest:.3f} s, got {moment:.3f}")
            if len(self._arrivals) == RATE and now - self._arrivals[0] < 1.0:
                self._refused += 1
                return False
            self._arrivals.append(now)
            self._newest = moment
            self._received += 1
            self._problem = None
            self._waiting.append(_Sent(data, moment))
            self._wake.notify_all()
        return True

    def fail(self, problem: str):
        """The sender has no pictures (any more). Whoever waits for the first one is told so."""
        with self._wake:
            self._problem = problem
            self._wake.notify_all()

    def close(self):
        """Nothing comes any more: `pictures` ends."""
        with self._wake:
            self._closed = True
            self._waiting.clear()
            self._wake.notify_all()

    def pictures(
        self, fps: float, check: Callable[[], None] = lambda: None, patience: float = FIRST_S
    ) -> TimedPictures:
        """One picture for every frame of a stream, with its moment in the stream, from now on.

        Raises NoPictures where not even the first one comes. `check` is called while it waits, and may raise.
        """
        picture, at = self._first(check, patience)
        size = (picture.shape[1], picture.shape[0])
        number = 0
        while not self._closed:
            yield picture, number / fps
            number += 1
            sent, at = self._due(at, 1 / fps, check)
            fresh = None if sent is None else decoded(sent.data, size)
            with self._wake:
                self._used += fresh is not None
                self._held += fresh is None
            picture = picture if fresh is None else fresh

    def _first(self, check: Callable[[], None], patience: float) -> tuple[np.ndarray, float]:
        end = time.monotonic() + patience
        while True:
            check()
            with self._wake:
                self._wake.wait_for(lambda: self._waiting or self._problem or self._closed, POLL_S)
                if self._closed:
                    raise NoPictures("camera: expected pictures, got the end of them")
                sent = self._waiting[-1] if self._waiting else None
                problem = self._problem
            picture = None if sent is None else decoded(sent.data)
            if picture is not None and sent is not None:
                with self._wake:
                    self._used += 1
                return picture, sent.moment
            if problem:
                raise NoPictures(f"camera: expected pictures, got none: {problem}")
            if time.monotonic() > end:
                raise NoPictures(f"camera: expected a picture within {patience:.0f} s, got none")

    def _due(self, at: float, step: float, check: Callable[[], None]) -> tuple[_Sent | None, float]:
        """The picture of the frame after the one at `at`, None where the last one is shown again, and the
        moment that it is of.
        """
        end = time.monotonic() + GRACE_S
        while True:
            check()
            with self._wake:
                if self._lost and self._newest > at:
                    self._lost = False
                    return self._taken(self._newest), self._newest
                due = at + max(step, (self._newest - at) / LEAD)
                if self._newest >= due - TOLERANCE:
                    return self._taken(due + TOLERANCE), due
                left = end - time.monotonic()
                if self._lost or self._closed or left <= 0:
                    self._lost = not self._closed
                    return None, max(at, self._newest)
                self._wake.wait(min(left, POLL_S))

    def _taken(self, moment: float) -> _Sent | None:
        """The newest picture up to a moment. It and those before it wait no longer."""
        found = None
        while self._waiting and self._waiting[0].moment <= moment:
            found = self._waiting.popleft()
        return found


def check_picture(data: bytes):
    """Raises ValueError for anything but a JPEG or WebP of a size that a camera may send."""
    if len(data) > PICTURE_BYTES:
        raise ValueError(f"picture: expected at most {PICTURE_BYTES} bytes, got {len(data)}")
    is_jpeg, is_webp = data[:2] == b"\xff\xd8", data[:4] == b"RIFF" and data[8:12] == b"WEBP"
    if not is_jpeg and not is_webp:
        raise ValueError(f"picture: expected a JPEG or WebP, got {data[:4].hex() or 'nothing'}")
    try:
        with Image.open(io.BytesIO(data), formats=["JPEG", "WEBP"]) as found:
            size = found.size
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError("picture: expected a JPEG or WebP, got a broken one") from error
    if max(size) > MOST_SIDE or min(size) < LEAST_SIDE:
        raise ValueError(f"picture: expected sides of {LEAST_SIDE} … {MOST_SIDE} px, got {size}")


def decoded(data: bytes, size: tuple[int, int] | None = None) -> np.ndarray | None:
    """The picture, scaled to a size where it has another one. None for one that cannot be read."""
    try:
        with Image.open(io.BytesIO(data), formats=["JPEG", "WEBP"]) as found:
            picture = found.convert("RGB")
        if size is not None and picture.size != size:
            picture = picture.resize(size, Image.Resampling.BILINEAR)
        return np.asarray(picture)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None
