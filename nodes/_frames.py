"""Frames on their way to the people who watch: encoding, the wire format, and a bounded queue with credits
for each viewer.

Owns the binary message of the live preview: u32 little-endian length of the header, the header as JSON, a
JPEG. Knows nothing of the host, of sockets or of the network.

A viewer has CREDITS: each frame sent takes one, each acknowledgement gives it back. Frames wait in a queue of
QUEUE frames whose oldest falls out, so a slow or vanished viewer costs the sampler one append a frame and
nothing more.
Shapes: pixels (H, W, 3) uint8.
"""

from __future__ import annotations

import io
import json
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

CREDITS = 2
QUEUE = 24  # two chunks of twelve frames: the sampler makes them in bursts
QUALITY = 80
ADDRESSES = 64  # of OSC, whose numbers wait at once


@dataclass
class Frame:
    """One decoded frame and what is said about it. The JPEG is made once, when the first viewer needs it.
    handles: [[id, x, y, kind], …].
    """

    index: int
    chunk: int
    fps: float
    latency_ms: float
    pixels: np.ndarray
    epoch: int = 0
    handles: Sequence = ()
    made_ms: float = field(default_factory=lambda: time.time() * 1000)

    def __post_init__(self):
        self._jpeg: bytes | None = None
        self._lock = threading.Lock()

    def jpeg(self) -> bytes:
        with self._lock:
            if self._jpeg is None:
                buffer = io.BytesIO()
                Image.fromarray(self.pixels).save(buffer, "JPEG", quality=QUALITY)
                self._jpeg = buffer.getvalue()
            return self._jpeg

    def message(self, queued: int) -> bytes:
        """The binary message. `queued` frames wait behind this one."""
        header = {
            "frame": self.index,
            "chunk": self.chunk,
            "fps": round(self.fps, 2),
            "t_made": round(self.made_ms, 1),
            "latency_ms": round(self.latency_ms, 1),
            "queued": queued,
            "epoch": self.epoch,
            "handles": self.handles,
        }
        return pack(header, self.jpeg())


def pack(header: dict, payload: bytes) -> bytes:
    """header and payload -> one binary message."""
    text = json.dumps(header, separators=(",", ":")).encode()
    return struct.pack("<I", len(text)) + text + payload


class Viewer:
    """What one watching client still has to get. `wake` is called, from any thread, when there is something
    new.
    """

    def __init__(self, wake: Callable[[], None]):
        self._wake = wake
        self._lock = threading.Lock()
        self._frames: deque[Frame] = deque(maxlen=QUEUE)
        self._states: deque[dict] = deque(maxlen=QUEUE)
        self._heard_values: dict[str, list[float]] = {}
        self._credits = CREDITS
        self._sent = -1
        self._heard = time.monotonic()
        self.ended = False

    @property
    def silent_s(self) -> float:
        """Seconds since it last answered, while frames that it was sent wait for an answer. Else 0."""
        with self._lock:
            return 0.0 if self._credits else time.monotonic() - self._heard

    def offer(self, frame: Frame):
        """Frames of an older epoch that still wait are stale: they go."""
        with self._lock:
            if self._frames and self._frames[0].epoch != frame.epoch:
                self._frames.clear()
            self._frames.append(frame)
        self._wake()

    def tell(self, state: dict):
        with self._lock:
            self._states.append(state)
        self._wake()

    def hear(self, values: dict[str, list[float]]):
        """Numbers of OSC addresses: the newest of each wait, of at most ADDRESSES."""
        with self._lock:
            for address, numbers in values.items():
                if address in self._heard_values or len(self._heard_values) < ADDRESSES:
                    self._heard_values[address] = numbers
        self._wake()

    def end(self):
        """Nothing new will come."""
        self.ended = True
        self._wake()

    def acknowledge(self, index: int):
        """The client has drawn frame `index`. Only frames that were sent count, and no more credits than
        CREDITS exist.
        """
        with self._lock:
            self._heard = time.monotonic()
            if 0 <= index <= self._sent:
                self._credits = min(CREDITS, self._credits + 1)
        self._wake()

    def take_frame(self) -> tuple[Frame, int] | None:
        """The oldest waiting frame and how many wait behind it. None without a frame or a credit."""
        with self._lock:
            if not self._frames or not self._credits:
                return None
            self._credits -= 1
            frame = self._frames.popleft()
            self._sent = max(self._sent, frame.index)
            return frame, len(self._frames)

    def take_states(self) -> list[dict]:
        with self._lock:
            states = list(self._states)
            self._states.clear()
            if self._heard_values:
                states.append({"type": "osc", "values": self._heard_values})
                self._heard_values = {}
            return states

    @property
    def drained(self) -> bool:
        with self._lock:
            return self.ended and not self._frames and not self._states
