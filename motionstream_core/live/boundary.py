"""What comes of posted controls: refused at once, taken at a boundary, or ignored there.

Owns the values that a session hands to a stream and to people. Knows nothing of threads.
"""

from __future__ import annotations

from dataclasses import dataclass

from .controls import Control, RefusedControl


class SessionEnded(RefusedControl):
    """A control came after the stream had ended."""

    code = "run_ended"


class MailboxFull(RefusedControl):
    """More controls are waiting than the mailbox holds, or they come too fast."""

    code = "too_many"


class Repeated(RefusedControl):
    """A control with an id that has been taken before."""

    code = "id_taken"


@dataclass(frozen=True)
class Ignored:
    """A control that was accepted and did nothing.

    id: the one it was posted with. code: "no_target" (what it names does not exist), "no_room" (there would
    be too many points), "undone" (a rewind came after it) or "failed". reason: the same for a person.
    """

    type: str
    id: str | None
    code: str
    reason: str


@dataclass(frozen=True)
class Applied:
    """A control and the chunk (its index) before which it took effect. ignored: why it did nothing."""

    control: Control
    chunk: int
    applied_s: float
    ignored: str | None = None


@dataclass(frozen=True)
class Boundary:
    """What was decided between two chunks: go on or stop, or go back to the boundary before chunk `rewind`,
    and the controls that take effect here.
    """

    go: bool
    rewind: int | None = None
    controls: tuple[Control, ...] = ()
