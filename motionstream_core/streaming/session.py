"""The live session of one running stream: people post controls to it from any thread, the stream takes them at chunk borders.

Owns the mailbox, the running/paused/stopping state and the log of what took effect in which chunk. Knows nothing of the network, of
tensors or of what the stream makes.

`post` belongs to the threads of the people who watch, `border` and `close` to the one thread that streams.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

CONTROLS = ("pause", "resume", "stop")
MAILBOX = 64
POLL_S = 0.05
ENDINGS = ("done", "stopped", "interrupted", "error")


class SessionEnded(ValueError):
    """A control came after the stream had ended."""


class MailboxFull(ValueError):
    """More controls are waiting than the mailbox holds."""


@dataclass(frozen=True)
class Control:
    """One validated message: `type` is one of CONTROLS, `posted_s` seconds since the session began."""

    type: str
    posted_s: float


@dataclass(frozen=True)
class Applied:
    """A control and the chunk (its index) before which it took effect."""

    control: Control
    chunk: int
    applied_s: float


def parse_control(message: Mapping, posted_s: float = 0.0) -> Control:
    """A message such as {"type": "pause"} -> Control; ValueError names what was expected."""
    if not isinstance(message, Mapping):
        raise ValueError(f"control: expected an object with a type, got {type(message).__name__}")  # noqa: TRY004
    kind = message.get("type")
    if not isinstance(kind, str) or kind not in CONTROLS:
        raise ValueError(f"control: expected type to be one of {', '.join(CONTROLS)}, got {str(kind)[:40]!r}")
    return Control(kind, posted_s)


class LiveSession:
    """Mailbox and state of one stream. `on_change(status, chunk)` is called, outside the lock, whenever either changes."""

    def __init__(self, *, on_change: Callable[[str, int], None] | None = None):
        self.token = secrets.token_urlsafe(16)
        self._began = time.monotonic()
        self._mail: deque[Control] = deque()
        self._log: list[Applied] = []
        self._wake = threading.Condition()
        self._status = "running"
        self._chunk = 0
        self._on_change = on_change or (lambda status, chunk: None)
        self._told: tuple[str, int] | None = None
        self._paused_s = 0.0

    @property
    def status(self) -> str:
        """running, paused, stopping, or one of ENDINGS."""
        return self._status

    @property
    def chunk(self) -> int:
        """Index of the chunk in work."""
        return self._chunk

    @property
    def log(self) -> tuple[Applied, ...]:
        """Every control that took effect, in order."""
        with self._wake:
            return tuple(self._log)

    @property
    def paused_s(self) -> float:
        """Seconds spent waiting in pauses so far."""
        return self._paused_s

    @property
    def stopped(self) -> bool:
        """True once a stop has taken effect."""
        return any(applied.control.type == "stop" for applied in self.log)

    def post(self, message: Mapping) -> int:
        """Puts a control into the mailbox and returns the index of the chunk in work.

        Raises ValueError (malformed), SessionEnded (late) or MailboxFull.
        """
        control = parse_control(message, time.monotonic() - self._began)
        with self._wake:
            if self._status in ENDINGS:
                raise SessionEnded(f"expected a running stream, got one that has ended ({self._status})")
            if len(self._mail) >= MAILBOX:
                raise MailboxFull(f"expected at most {MAILBOX} waiting controls, got one more")
            self._mail.append(control)
            self._wake.notify_all()
            return self._chunk

    def border(self, chunk: int, check_interrupt: Callable[[], None] | None = None) -> bool:
        """Called before chunk `chunk` is made: applies the waiting controls, waits out a pause; False means stop here.

        A pause waits in polls of POLL_S and calls `check_interrupt` in each, so that whatever that raises gets through.
        """
        with self._wake:
            self._chunk = chunk
        self._apply()
        paused_at = time.monotonic()
        while self._status == "paused":
            if check_interrupt is not None:
                check_interrupt()
            with self._wake:
                if not self._mail:
                    self._wake.wait(POLL_S)
            self._apply()
            self._paused_s += time.monotonic() - paused_at
            paused_at = time.monotonic()
        self._tell()
        return self._status != "stopping"

    def close(self, status: str):
        """The stream has ended; from now on every control is late. The first call counts."""
        if status not in ENDINGS:
            raise ValueError(f"status: expected one of {', '.join(ENDINGS)}, got {status!r}")
        with self._wake:
            if self._status in ENDINGS:
                return
            self._status = status
            self._mail.clear()
            self._wake.notify_all()
        self._tell()

    def _apply(self):
        """Empties the mailbox in order. After a stop nothing else counts."""
        with self._wake:
            while self._mail and self._status != "stopping":
                control = self._mail.popleft()
                self._log.append(Applied(control, self._chunk, time.monotonic() - self._began))
                self._status = {"pause": "paused", "resume": "running", "stop": "stopping"}[control.type]
        if self._status == "paused":
            self._tell()

    def _tell(self):
        """Tells the watcher what it has not been told."""
        news = (self._status, self._chunk)
        if news != self._told:
            self._told = news
            self._on_change(*news)
