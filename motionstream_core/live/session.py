"""The live session of one running stream: people post controls to it from any thread, the stream takes them
at chunk borders.

Owns the mailbox, the running/paused/stopping state, the pace, and the log of what took effect in which chunk.
Knows nothing of the network, of tensors or of what a control of motion does.

`post` belongs to the threads of the people who watch; `border`, `rewound`, `ignore`, `say` and `close` to the
one thread that streams.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .controls import CONTROLS, STATE_CONTROLS, Control, parse_control

MAILBOX = 512
RATE = 120  # controls a second
REMEMBERED_IDS = 512
POLL_S = 0.05
ENDINGS = ("done", "stopped", "interrupted", "error")


class SessionEnded(ValueError):
    """A control came after the stream had ended."""


class MailboxFull(ValueError):
    """More controls are waiting than the mailbox holds, or they come too fast."""


class Repeated(ValueError):
    """A control with an id that has been taken before."""


@dataclass(frozen=True)
class Applied:
    """A control and the chunk (its index) before which it took effect."""

    control: Control
    chunk: int
    applied_s: float


@dataclass(frozen=True)
class Boundary:
    """What a chunk border decided: go on or stop; or go back to the border before chunk `rewind`; the
    controls that take effect here.
    """

    go: bool
    rewind: int | None = None
    controls: tuple[Control, ...] = ()


class LiveSession:
    """Mailbox and state of one stream.

    takes: the types of controls this stream can follow. script: controls of a performance, (chunk, control),
    which take effect as if posted then. rate: most controls a second. `on_change()` is called, outside the
    lock, when anything in `state` has changed.
    """

    def __init__(
        self,
        *,
        on_change: Callable[[], None] | None = None,
        takes: Collection[str] = CONTROLS,
        script: Iterable[tuple[int, Control]] = (),
        rate: int = RATE,
    ):
        self.token = secrets.token_urlsafe(16)
        self.takes = tuple(kind for kind in CONTROLS if kind in takes)
        self._began = time.monotonic()
        self._mail: deque[Control] = deque()
        self._log: list[Applied] = []
        self._effective: list[Applied] = []
        self._script: dict[int, list[Control]] = {}
        for chunk, control in script:
            self._script.setdefault(chunk, []).append(control)
        self._wake = threading.Condition()
        self._status = "running"
        self._chunk = self._epoch = 0
        self._pause_next = self._steered = False
        self._facts: dict[str, Any] = {}
        self._on_change = on_change or (lambda: None)
        self._told: dict | None = None
        self._paused_s = 0.0
        self._posts: deque[float] = deque(maxlen=rate)
        self._ids: deque[str] = deque(maxlen=REMEMBERED_IDS)

    @property
    def status(self) -> str:
        """running, paused, stopping, or one of ENDINGS."""
        return self._status

    @property
    def chunk(self) -> int:
        """Index of the chunk in work."""
        return self._chunk

    @property
    def epoch(self) -> int:
        """Rises with every border at which something took effect: what was made before is another epoch's."""
        return self._epoch

    @property
    def state(self) -> dict:
        """status, chunk, epoch and what the stream says about itself."""
        with self._wake:
            return {"status": self._status, "chunk": self._chunk, "epoch": self._epoch, **self._facts}

    @property
    def log(self) -> tuple[Applied, ...]:
        """Every control that was taken, in order, those included that a rewind undid or that did nothing."""
        with self._wake:
            return tuple(self._log)

    @property
    def performance(self) -> tuple[Applied, ...]:
        """The controls that made what has been kept, in order."""
        with self._wake:
            return tuple(self._effective)

    @property
    def paused_s(self) -> float:
        """Seconds spent waiting so far, in pauses and for the pace."""
        return self._paused_s

    @property
    def steered(self) -> bool:
        """True once a control was taken that changes what is made: the run is no longer the answer to its
        inputs alone.
        """
        return self._steered

    @property
    def stopped(self) -> bool:
        """True once a stop has taken effect."""
        return any(applied.control.type == "stop" for applied in self.log)

    def post(self, message: Mapping) -> int:
        """Puts a control into the mailbox and returns the index of the chunk in work.

        Raises ValueError (malformed, or not possible in this stream), SessionEnded (late), Repeated (its `id`
        came before) or MailboxFull.
        """
        now = time.monotonic()
        control = parse_control(message, now - self._began)
        if control.type not in self.takes:
            raise ValueError(
                f"control: expected one that this run takes ({', '.join(self.takes)}), got {control.type!r}"
            )
        name = message.get("id")
        if name is not None and (not isinstance(name, str) or not 1 <= len(name) <= 64):
            raise ValueError(f"control: expected an id of 1 to 64 characters, got {name!r:.40}")
        with self._wake:
            if self._status in ENDINGS:
                raise SessionEnded(f"expected a running stream, got one that has ended ({self._status})")
            if name is not None and name in self._ids:
                raise Repeated(f"expected a new control, got one that was taken before (id {name!r:.40})")
            if len(self._mail) >= MAILBOX:
                raise MailboxFull(f"expected at most {MAILBOX} waiting controls, got one more")
            if len(self._posts) == self._posts.maxlen and now - self._posts[0] < 1.0:
                raise MailboxFull(f"expected at most {self._posts.maxlen} controls a second, got more")
            self._posts.append(now)
            if name is not None:
                self._ids.append(name)
            self._mail.append(control)
            self._wake.notify_all()
            return self._chunk

    def try_boundary(self, chunk: int, not_before: float = 0.0) -> Boundary | None:
        """`border` where it would neither wait nor go back nor end; otherwise None, and nothing has
        happened.
        """
        with self._wake:
            waiting = [*self._script.get(chunk, ()), *self._mail]
            if (
                self._status != "running"
                or self._pause_next
                or time.monotonic() < not_before
                or any(control.type in STATE_CONTROLS for control in waiting)
            ):
                return None
            taken, _ = self._open(chunk)
        return self._decided(taken)

    def border(
        self, chunk: int, check_interrupt: Callable[[], None] | None = None, not_before: float = 0.0
    ) -> Boundary:
        """Called before chunk `chunk` is made: waits out a pause, and until `not_before` (time.monotonic),
        and takes the waiting controls.

        Waits in polls of POLL_S and calls `check_interrupt` in each, so that whatever that raises gets
        through. After a rewind the stream goes back, says so by `rewound` and asks again at the chunk it went
        back to.
        """
        taken, rewind = self._open(chunk)
        began = time.monotonic()
        while rewind is None and (
            self._status == "paused" or (self._status == "running" and time.monotonic() < not_before)
        ):
            self._tell()
            if check_interrupt is not None:
                check_interrupt()
            with self._wake:
                if not self._mail:
                    self._wake.wait(
                        POLL_S
                        if self._status == "paused"
                        else min(POLL_S, max(0.0, not_before - time.monotonic()))
                    )
            rewind = self._take(taken)
        self._paused_s += time.monotonic() - began
        return self._decided(taken) if rewind is None else Boundary(self._status != "stopping", rewind)

    def rewound(self, chunk: int):
        """The stream has gone back to the border before `chunk`: what took effect from there on has not
        happened.
        """
        with self._wake:
            self._chunk = chunk
            self._epoch += 1
            self._effective = [applied for applied in self._effective if applied.chunk < chunk]
        self._tell()

    def ignore(self, control: Control):
        """`control` took no effect: it is no part of the performance."""
        with self._wake:
            self._effective = [applied for applied in self._effective if applied.control is not control]

    def say(self, **facts):
        """What people are told about the stream beside its state: prompt, camera, oldest_chunk …"""
        with self._wake:
            self._facts.update(facts)
        self._tell()

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

    def _open(self, chunk: int) -> tuple[list[Control], int | None]:
        """Comes to the border before `chunk`: the controls waiting there, and where a rewind among them
        goes.
        """
        with self._wake:
            self._chunk = chunk
            if self._pause_next and self._status == "running":
                self._status = "paused"
            self._pause_next = False
            taken = list(self._script.get(chunk, ()))
            return taken, self._take(taken)

    def _decided(self, taken: list[Control]) -> Boundary:
        go = self._status != "stopping"
        if taken and go:
            self._enter(taken)
        self._tell()
        return Boundary(go, None, tuple(taken) if go else ())

    def _take(self, taken: list[Control]) -> int | None:
        """Empties the mailbox in order into `taken`; after a stop nothing else counts. A rewind ends it:
        gives its chunk.
        """
        with self._wake:
            while self._mail and self._status != "stopping":
                control = self._mail.popleft()
                self._steered |= control.type not in ("pause", "resume", "step")
                if control.type not in STATE_CONTROLS:
                    taken.append(control)
                    continue
                self._log.append(Applied(control, self._chunk, time.monotonic() - self._began))
                if control.type == "rewind":
                    return control.fields["chunk"]
                self._pause_next = control.type == "step"
                self._status = {"pause": "paused", "stop": "stopping"}.get(control.type, "running")
        return None

    def _enter(self, taken: list[Control]):
        with self._wake:
            self._epoch += 1
            entries = [Applied(control, self._chunk, time.monotonic() - self._began) for control in taken]
            self._log += entries
            self._effective += entries

    def _tell(self):
        """Tells the watcher what it has not been told."""
        state = self.state
        if state != self._told:
            self._told = state
            self._on_change()
