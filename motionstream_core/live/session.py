"""The live session of one running stream: people post controls to it from any thread, the stream takes them
at chunk boundaries.

Owns the mailbox, the running/paused/stopping state, the pace, and the log of what took effect in which chunk.
Knows nothing of the network, of tensors or of what a control of motion does.

`post` and all properties are thread-safe. The methods that say "streaming thread" must be called from the one
thread that makes the chunks.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..common.checked import excerpt
from .boundary import Applied, Boundary, Ignored, MailboxFull, Repeated, SessionEnded
from .controls import (
    CONTROLS,
    MAX_MOVES,
    AddTracks,
    Control,
    Move,
    Pause,
    RefusedControl,
    Release,
    Resume,
    Rewind,
    SessionControl,
    Step,
    Stop,
    parse_control,
)
from .performance_log import PerformanceLog

MAILBOX = 512  # controls that wait for a boundary
MAILBOX_POINTS = 2**16  # points in the controls that wait
RATE = 120  # controls a second
REMEMBERED_IDS = 4096
REMEMBERED_CONTROLS = 1000  # of the log
MAX_REASON = 200  # characters
MAX_REPORTED = 64  # ignored controls that people are told of at one boundary
POLL_S = 0.05
ENDINGS = ("done", "stopped", "interrupted", "error")
# What a control may raise that fails. The host's own interrupts are of other types, and get through.
FAILURES = (ArithmeticError, AttributeError, LookupError, OSError, RuntimeError, TypeError, ValueError)
NO_TARGET = "what it names does not exist (any more)"

Apply = Callable[[Control], bool]


@dataclass(frozen=True)
class _Mail:
    control: Control
    id: str | None = None

    @property
    def points(self) -> int:
        match self.control:
            case AddTracks(points=points) | Move(to=points):
                return len(points)
        return 0


class LiveSession:
    """Mailbox and state of one stream.

    Args:
        on_change: called when anything in `state` has changed, outside the lock.
        on_ignored: called with a chunk and the controls that did nothing before it, outside the lock.
        on_rewind: called with the chunk that a stream goes back to, while the performance still has what is
            cut off.
        lets_go: whether hands that held something then let go after a rewind. For hands of people, who hold
            nothing there now.
        takes: the types of controls that this stream can follow.
        script: controls of a performance, (chunk, control), which take effect as if posted then.
        rate: most controls a second.
    """

    def __init__(
        self,
        *,
        on_change: Callable[[], None] | None = None,
        on_ignored: Callable[[int, Sequence[Ignored]], None] | None = None,
        on_rewind: Callable[[int], None] | None = None,
        lets_go: bool = False,
        takes: Collection[str] = CONTROLS,
        script: Iterable[tuple[int, Control]] = (),
        rate: int = RATE,
    ):
        self.token = secrets.token_urlsafe(16)
        self.takes = tuple(kind for kind in CONTROLS if kind in takes)
        self._began = time.monotonic()
        self._wake = threading.Condition()
        self._mail: deque[_Mail] = deque()
        self._taken: list[_Mail] = []  # at the boundary that the stream waits at
        self._script: dict[int, list[_Mail]] = {}
        for chunk, control in script:
            self._script.setdefault(chunk, []).append(_Mail(control))
        self._log: deque[Applied] = deque(maxlen=REMEMBERED_CONTROLS)
        self._performance = PerformanceLog()
        self._current_ids: dict[int, str | None] = {}  # of the controls of this boundary, by identity
        self._status = "running"
        self._stopped = False
        self._steered = False
        self._pause_next = False
        self._chunk = 0
        self._epoch = 0
        self._facts: dict[str, Any] = {}
        self._on_change = on_change or (lambda: None)
        self._on_ignored = on_ignored or (lambda chunk, ignored: None)
        self._on_rewind = on_rewind or (lambda chunk: None)
        self._lets_go = lets_go
        self._notified: dict | None = None
        self._paused_s = 0.0
        self._posts: deque[float] = deque(maxlen=rate)
        self._ids: OrderedDict[str, None] = OrderedDict()

    # ---- for everybody: thread-safe ----

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
        """Rises with every boundary at which something took effect: what was made before is another
        epoch's.
        """
        return self._epoch

    @property
    def state(self) -> dict:
        """status, chunk, epoch and what the stream reports of itself."""
        with self._wake:
            return {"status": self._status, "chunk": self._chunk, "epoch": self._epoch, **self._facts}

    @property
    def log(self) -> tuple[Applied, ...]:
        """The last REMEMBERED_CONTROLS that were taken, in order, with those that a rewind undid or that did
        nothing.
        """
        with self._wake:
            return tuple(self._log)

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
        return self._stopped

    def post(self, message: Mapping) -> int:
        """Puts a control into the mailbox -> the index of the chunk in work. Thread-safe.

        Raises RefusedControl (malformed, or not possible in this stream) or one of its kinds: SessionEnded
        (late), Repeated (its `id` came before) or MailboxFull.
        """
        now = time.monotonic()
        control = parse_control(message)
        if control.type not in self.takes:
            names = ", ".join(self.takes)
            raise RefusedControl(f"control: expected one that this run takes ({names}), got {control.type!r}")
        name = message.get("id")
        if name is not None and (not isinstance(name, str) or not 1 <= len(name) <= 64):
            raise RefusedControl(f"control: expected an id of 1 to 64 characters, got {excerpt(name)}")
        mail = _Mail(control, name)
        with self._wake:
            if self._status in ENDINGS:
                raise SessionEnded(f"expected a running stream, got one that has ended ({self._status})")
            if name is not None and name in self._ids:
                raise Repeated(f"expected a new control, got one that was taken before (id {excerpt(name)})")
            if len(self._posts) == self._posts.maxlen and now - self._posts[0] < 1.0:
                raise MailboxFull(f"expected at most {self._posts.maxlen} controls a second, got more")
            if not self._merge_move(mail):
                self._check_room(mail)
                self._mail.append(mail)
            self._posts.append(now)
            if name is not None:
                self._ids[name] = None
                while len(self._ids) > REMEMBERED_IDS:
                    self._ids.popitem(last=False)
            self._wake.notify_all()
            return self._chunk

    # ---- for the streaming thread alone ----

    @property
    def performance(self) -> PerformanceLog:
        """The controls that made what has been kept. Streaming thread, or any once the stream has ended."""
        return self._performance

    def try_boundary(self, chunk: int, not_before: float = 0.0) -> Boundary | None:
        """`wait_at_boundary` where it would neither wait nor go back nor end. Streaming thread.

        Otherwise None, and nothing has happened.
        """
        with self._wake:
            if (
                self._status != "running"
                or self._pause_next
                or time.monotonic() < not_before
                or any(isinstance(mail.control, SessionControl) for mail in self._mail)
            ):
                return None
            self._arrive(chunk)
            self._read_mail()
        return self._decide()

    def wait_at_boundary(
        self, chunk: int, check_interrupt: Callable[[], None] | None = None, not_before: float = 0.0
    ) -> Boundary:
        """Before chunk `chunk` is made: waits out a pause, and until `not_before` (time.monotonic), and takes
        the waiting controls. Streaming thread.

        Waits in polls of POLL_S and calls `check_interrupt` in each, so that whatever that raises gets
        through. After a rewind the stream goes back, says so by `rewound` and asks again at the chunk it went
        back to.
        """
        self._arrive(chunk)
        rewind = self._read_mail()
        began = time.monotonic()
        while rewind is None and (
            self._status == "paused" or (self._status == "running" and time.monotonic() < not_before)
        ):
            self._notify()
            if check_interrupt is not None:
                check_interrupt()
            with self._wake:
                if not self._mail:
                    left = max(0.0, not_before - time.monotonic())
                    self._wake.wait(POLL_S if self._status == "paused" else min(POLL_S, left))
            rewind = self._read_mail()
        self._paused_s += time.monotonic() - began
        if rewind is None:
            return self._decide()
        with self._wake:
            undone, self._taken = self._taken, []
        why = f"a rewind to chunk {rewind} came after it"
        self._report_ignored([Ignored(mail.control.type, mail.id, "undone", why) for mail in undone])
        return Boundary(self._status != "stopping", rewind)

    def carry_out(
        self, controls: Sequence[Control], apply: Apply, check_interrupt: Callable[[], None] | None = None
    ):
        """Lets the controls of a boundary take effect in order. Streaming thread.

        A control for which `apply` gives False, or that fails, is ignored: it is no part of the performance,
        its sender is told, and the stream goes on.
        """
        ignored = []
        for control in controls:
            if check_interrupt is not None:
                check_interrupt()
            found = _try_control(control, apply)
            if found is not None:
                code, reason = found
                self._ignore(control, reason)
                ignored.append(Ignored(control.type, self._current_ids.get(id(control)), code, reason))
        self._report_ignored(ignored)

    def rewound(self, chunk: int, held: Sequence[int] = ()):
        """The stream has gone back to the boundary before `chunk`: what took effect from there on has not
        happened. Streaming thread.

        held: the hands that held something then. Where hands let go, that is the first thing done.
        """
        self._on_rewind(chunk)
        with self._wake:
            if self._lets_go:
                self._mail.extendleft(_Mail(Release(hand, "pin")) for hand in reversed(held))
            self._chunk = chunk
            self._epoch += 1
            self._performance.cut(chunk)
        self._notify()

    def report(self, **facts):
        """What people are told about the stream beside its state: prompt, camera, oldest_chunk … Streaming
        thread.
        """
        with self._wake:
            self._facts.update(facts)
        self._notify()

    def close(self, status: str):
        """The stream has ended. From now on every control is late. The first call counts. Thread-safe."""
        if status not in ENDINGS:
            raise ValueError(f"status: expected one of {', '.join(ENDINGS)}, got {status!r}")
        with self._wake:
            if self._status in ENDINGS:
                return
            self._status = status
            self._mail.clear()
            self._wake.notify_all()
        self._notify()

    # ---- the mailbox; under the lock ----

    def _check_room(self, mail: _Mail):
        """Raises MailboxFull. Controls of the session have room of their own: a pause that is full of others
        can still be ended.
        """
        own = isinstance(mail.control, SessionControl)
        waiting = [each for each in self._waiting() if isinstance(each.control, SessionControl) == own]
        if len(waiting) >= MAILBOX:
            raise MailboxFull(f"expected at most {MAILBOX} waiting controls, got one more")
        if sum(each.points for each in waiting) + mail.points > MAILBOX_POINTS:
            raise MailboxFull(f"expected at most {MAILBOX_POINTS} points in waiting controls, got more")

    def _merge_move(self, mail: _Mail) -> bool:
        """Whether a move was joined to the last one of its hand: done where half of the mailbox is taken, so
        that who drags in a long pause can still let go.
        """
        move = mail.control
        if not isinstance(move, Move) or len(self._taken) + len(self._mail) < MAILBOX // 2:
            return False
        for box in (self._mail, self._taken):
            for at in reversed(range(len(box))):
                before = box[at].control
                if getattr(before, "hand", None) != move.hand:
                    continue
                if not isinstance(before, Move):
                    return False
                box[at] = replace(box[at], control=Move(move.hand, _thin_out(before.to + move.to)))
                return True
        return False

    def _waiting(self) -> list[_Mail]:
        return [*self._taken, *self._mail]

    # ---- a boundary ----

    def _arrive(self, chunk: int):
        """Comes to the boundary before `chunk`."""
        with self._wake:
            self._chunk = chunk
            if self._pause_next and self._status == "running":
                self._status = "paused"
            self._pause_next = False
            self._taken = list(self._script.get(chunk, ()))

    def _read_mail(self) -> int | None:
        """Takes what waits in the mailbox, in order. After a stop nothing else counts.

        A rewind ends it: gives the chunk that it goes to.
        """
        with self._wake:
            while self._mail and self._status != "stopping":
                mail = self._mail.popleft()
                control = mail.control
                if not isinstance(control, (Pause, Resume, Step)):
                    self._steered = True
                if not isinstance(control, SessionControl):
                    self._taken.append(mail)
                    continue
                self._log.append(self._applied(control))
                self._pause_next = isinstance(control, Step)
                match control:
                    case Rewind(chunk):
                        return chunk
                    case Pause():
                        self._status = "paused"
                    case Stop():
                        self._status = "stopping"
                        self._stopped = True
                    case Resume() | Step():
                        self._status = "running"
        return None

    def _decide(self) -> Boundary:
        with self._wake:
            go = self._status != "stopping"
            taken, self._taken = self._taken, []
            controls = tuple(mail.control for mail in taken) if go else ()
            self._current_ids = {id(mail.control): mail.id for mail in taken}
            if controls:
                self._epoch += 1
                self._log.extend(self._applied(control) for control in controls)
                self._performance.add(self._chunk, list(controls))
        self._notify()
        return Boundary(go, None, controls)

    def _applied(self, control: Control) -> Applied:
        return Applied(control, self._chunk, time.monotonic() - self._began)

    def _ignore(self, control: Control, reason: str):
        with self._wake:
            self._performance.take_back(control)
            for at in reversed(range(len(self._log))):
                if self._log[at].control is control:
                    self._log[at] = replace(self._log[at], ignored=reason)
                    return

    # ---- telling people ----

    def _report_ignored(self, ignored: Sequence[Ignored]):
        if ignored:
            self._on_ignored(self._chunk, ignored[:MAX_REPORTED])

    def _notify(self):
        """Tells the watcher what it has not been told."""
        state = self.state
        if state != self._notified:
            self._notified = state
            self._on_change()


def _try_control(control: Control, apply: Apply) -> tuple[str, str] | None:
    """Code and reason where the control did nothing."""
    try:
        return None if apply(control) else ("no_target", NO_TARGET)
    except FAILURES as error:
        text = f"{error}" if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        return getattr(error, "code", "failed"), text[:MAX_REASON]


def _thin_out(points: tuple) -> tuple:
    """At most MAX_MOVES of these, evenly, the first and the last always."""
    if len(points) <= MAX_MOVES:
        return points
    last = len(points) - 1
    return tuple(points[round(number * last / (MAX_MOVES - 1))] for number in range(MAX_MOVES))
