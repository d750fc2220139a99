"""Where the pictures of a running stream go besides the preview: to people who watch, and to devices.

Owns the pace at which made frames are shown, since the sampler makes them in bursts, and the rule that nobody
who takes them slows the sampler or each other. Knows nothing of the host, of sockets or of what a device is.

A sink gets a picture when it is shown. It keeps the newest one and drops what it had no time for.
Shapes: pixels (H, W, 3) uint8.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

import numpy as np

QUEUE = 24  # frames: two chunks of twelve
BURST = 14  # frames that may wait at the stream's own rate. With more, it is made up for
FASTER = 0.8
SLOWEST = 1.0  # frames a second: whatever waits is shown at least this often
SINKS = 16


class Picture(Protocol):
    """One frame that was made, shared by everybody who shows it. `fps` frames a second are made."""

    pixels: np.ndarray
    fps: float
    epoch: int

    def jpeg(self) -> bytes:
        """The frame as a JPEG, encoded once."""
        ...


class FrameSink(Protocol):
    """Somewhere frames go. `open` comes first and `close` last, each once."""

    def open(self, width: int, height: int, fps: float):
        """Pictures of this size will come. Raises OSError or RuntimeError where there is no such device."""
        ...

    def write(self, picture: Picture, at: float):
        """Shows a picture. `at` is time.monotonic()."""
        ...

    def close(self):
        """Lets go of everything."""
        ...


class Outlet:
    """Shows the frames of one run to its sinks, at the rate they are made at and at most at the video's.

    A thread of its own writes to them, for as long as there are any. `write` of a sink must not block: see
    SinkThread.
    """

    def __init__(self, width: int, height: int, fps: float):
        self.width, self.height, self.fps = width, height, fps
        self._wake = threading.Condition()
        self._waiting: deque[Picture] = deque(maxlen=QUEUE)
        self._sinks: list[FrameSink] = []
        self._latest: Picture | None = None
        self._thread: threading.Thread | None = None
        self._ended = False

    @property
    def watched(self) -> bool:
        return bool(self._sinks)

    @property
    def count(self) -> int:
        """How many sinks there are."""
        return len(self._sinks)

    def add(self, sink: FrameSink):
        """Opens a sink, and shows it the newest picture. ValueError beyond SINKS and once the run has ended.
        What `open` raises gets through.
        """
        with self._wake:
            self._check_room()
        # Outside of the lock: a device may take its time, and `offer` must not wait for it.
        sink.open(self.width, self.height, self.fps)
        try:
            with self._wake:
                self._check_room()
                self._sinks.append(sink)
                if self._latest is not None:
                    sink.write(self._latest, time.monotonic())
                if self._thread is None:
                    self._thread = threading.Thread(
                        target=self._show, name="motionstream-outlet", daemon=True
                    )
                    self._thread.start()
        except ValueError:
            sink.close()
            raise

    def _check_room(self):
        if len(self._sinks) >= SINKS:
            raise ValueError(f"expected at most {SINKS} sinks of one run, got one more")
        if self._ended:
            raise ValueError("expected a run that goes on, got one that has ended")

    def remove(self, sink: FrameSink):
        """Closes a sink. One that is gone already is left alone."""
        with self._wake:
            if sink not in self._sinks:
                return
            self._sinks.remove(sink)
            self._wake.notify_all()
        sink.close()

    def offer(self, picture: Picture):
        """Hands a frame over. Never waits. What waits of an older epoch is stale, and goes."""
        with self._wake:
            self._latest = picture
            if not self._sinks:
                return
            if self._waiting and self._waiting[0].epoch != picture.epoch:
                self._waiting.clear()
            self._waiting.append(picture)
            self._wake.notify_all()

    def end(self, show_rest: bool = True):
        """Nothing new will come. The sinks are closed once they were shown what waits. Never waits itself."""
        with self._wake:
            self._ended = True
            if not show_rest:
                self._waiting.clear()
            self._wake.notify_all()

    def join(self, seconds: float):
        """Waits until the thread has ended."""
        thread = self._thread
        if thread is not None:
            thread.join(seconds)

    def _show(self):
        due = time.monotonic()
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._waiting or self._ended or not self._sinks)
                if not self._sinks or not self._waiting:
                    sinks, self._sinks = self._sinks, []
                    self._waiting.clear()
                    self._thread = None
                    break
                picture, behind, sinks = self._waiting.popleft(), len(self._waiting), list(self._sinks)
            for sink in sinks:
                sink.write(picture, time.monotonic())
            due = max(due, time.monotonic() - 1 / self.fps) + self._pause(picture, behind)
            with self._wake:
                wait = due - time.monotonic()
                self._wake.wait_for(lambda: not self._sinks or (self._ended and not self._waiting), wait)
        for sink in sinks:
            sink.close()

    def _pause(self, picture: Picture, behind: int) -> float:
        """Seconds until the next picture."""
        rate = self.fps if self._ended else min(self.fps, max(SLOWEST, picture.fps or self.fps))
        return (FASTER if behind > BURST else 1.0) / rate


class SinkThread:
    """A sink that may block, on a thread of its own: it gets the newest picture whenever it is ready for one.

    A device that fails is closed, and `failed` is called with what it said. Itself a FrameSink, whose `write`
    never waits.
    """

    def __init__(self, device: FrameSink, failed: Callable[[Exception], None] = lambda error: None):
        self.device = device
        self.dropped = 0
        self._failed = failed
        self._wake = threading.Condition()
        self._next: tuple[Picture, float] | None = None
        self._closed = False
        self._thread: threading.Thread | None = None

    def open(self, width: int, height: int, fps: float):
        self.device.open(width, height, fps)
        self._thread = threading.Thread(target=self._write_all, name="motionstream-sink", daemon=True)
        self._thread.start()

    def write(self, picture: Picture, at: float):
        with self._wake:
            self.dropped += self._next is not None
            self._next = (picture, at)
            self._wake.notify_all()

    def close(self):
        """The device is closed by its own thread, after the picture in work."""
        with self._wake:
            self._closed = True
            self._wake.notify_all()

    def join(self, seconds: float):
        if self._thread is not None:
            self._thread.join(seconds)

    def _write_all(self):
        try:
            while True:
                with self._wake:
                    self._wake.wait_for(lambda: self._next is not None or self._closed)
                    if self._closed:
                        return
                    taken, self._next = self._next, None
                if taken is not None:
                    self.device.write(*taken)
        except Exception as error:  # noqa: BLE001  a driver may raise anything
            self._failed(error)
        finally:
            self.device.close()
