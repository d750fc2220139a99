"""What can be asked of a running stream: the messages of docs/live.md as values.

Owns the controls, their fields and ranges, and `parse_control`, the only way from a message to a control.
Knows nothing of when a control takes effect or of what it does. A control holds plain numbers and tuples, so
that it can be logged, written to a performance and read back without a change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from ..common.checked import Point, choice, excerpt, number, point, whole_number
from ..tracks.document.model import Brush
from ..tracks.document.offsets import brush_count

RELEASE_MODES = ("keep", "pin", "fade")
ADDED_KINDS = ("pin", "path", "grid", "object")
HANDS = 10
MAX_MOVES = 64
MAX_ADDED = 1024
MAX_POINTS = 10_000  # that a stream moves at once, and so that one control may add
MAX_PROMPT = 2000
MAX_FADE = 1000  # pixel frames
MAX_COORDINATE = 1e5
MAX_BRUSH = 4096.0
MAX_NUMBER = 10**9
MIN_RADIUS = 0.5
PATH_SECONDS = (0.05, 3600.0)
CAMERA_LIMITS = {"zoom": 8.0, "roll": 720.0, "orbit": 360.0}


class RefusedControl(ValueError):
    """A control that was not taken. `code` says why to a program, the text to a person."""

    code: ClassVar[str] = "bad_control"


@dataclass(frozen=True)
class Message:
    """The base of all controls. `type` is its name in a message."""

    type: ClassVar[str]

    def message(self) -> dict[str, Any]:
        """The control as it can be written to JSON and parsed again."""
        return {"type": self.type, **{field.name: getattr(self, field.name) for field in fields(self)}}


# ---- the session ----


@dataclass(frozen=True)
class Pause(Message):
    type = "pause"


@dataclass(frozen=True)
class Resume(Message):
    type = "resume"


@dataclass(frozen=True)
class Stop(Message):
    type = "stop"


@dataclass(frozen=True)
class Step(Message):
    """Makes one chunk, then pauses."""

    type = "step"


@dataclass(frozen=True)
class Rewind(Message):
    """Goes back to the boundary before a chunk."""

    type = "rewind"
    chunk: int


# ---- what the model is told beside the motion ----


@dataclass(frozen=True)
class ChangeScene(Message):
    type = "scene"


@dataclass(frozen=True)
class SetPrompt(Message):
    """Another text from now on. `fade`: pixel frames over which its embeddings take the place of the old."""

    type = "prompt"
    text: str
    fade: int = 0

    def message(self) -> dict[str, Any]:
        """See Message. A prompt without a fade is written as it always was."""
        written = super().message()
        if not self.fade:
            del written["fade"]
        return written


@dataclass(frozen=True)
class SetStrength(Message):
    """The noise level, 0..1, at which a source video enters from now on."""

    type = "strength"
    value: float


# ---- the motion ----


@dataclass(frozen=True)
class SetCamera(Message):
    """Speeds of the camera: pan px/s, zoom octaves/s, roll and orbit degrees/s."""

    type = "camera"
    pan: Point = (0.0, 0.0)
    zoom: float = 0.0
    roll: float = 0.0
    orbit: float = 0.0

    @property
    def turns(self) -> bool:
        """Whether it does more than pan."""
        return bool(self.zoom or self.roll or self.orbit)


@dataclass(frozen=True)
class Handle:
    """The points that have this handle."""

    number: int


@dataclass(frozen=True)
class Circle:
    """The points within a radius of a place on the screen."""

    center: Point
    radius: float


@dataclass(frozen=True)
class Grab(Message):
    type = "grab"
    hand: int
    target: Handle | Circle

    def message(self) -> dict[str, Any]:
        match self.target:
            case Handle(handle):
                return {"type": self.type, "hand": self.hand, "handle": handle}
            case Circle(center, radius):
                return {"type": self.type, "hand": self.hand, "at": center, "radius": radius}


@dataclass(frozen=True)
class Move(Message):
    """A hand goes along these places, oldest first."""

    type = "move"
    hand: int
    to: tuple[Point, ...]


@dataclass(frozen=True)
class Release(Message):
    type = "release"
    hand: int
    mode: str


@dataclass(frozen=True)
class AddTracks(Message):
    """New points with one handle. Those of kind "path" travel it in `seconds`. Those of kind "object" are
    of the thing that is cut out at one place, or in the box between two corners.
    """

    type = "add"
    kind: str
    points: tuple[Point, ...]
    brush: Brush | None = None
    seconds: float | None = None

    def message(self) -> dict[str, Any]:
        made: dict[str, Any] = {"type": self.type, "kind": self.kind, "points": self.points}
        if self.brush is not None:
            made["brush"] = {"radius": self.brush.radius, "spacing": self.brush.spacing}
        if self.seconds is not None:
            made["seconds"] = self.seconds
        return made


@dataclass(frozen=True)
class RemoveHandle(Message):
    type = "remove"
    handle: int


@dataclass(frozen=True)
class PinEdges(Message):
    """Resting points along the edges of the picture."""

    type = "pin_border"


SessionControl = Pause | Resume | Stop | Step | Rewind
MotionControl = SetCamera | Grab | Move | Release | AddTracks | RemoveHandle | PinEdges
Control = SessionControl | ChangeScene | SetPrompt | SetStrength | MotionControl

SESSION_CONTROLS = ("pause", "resume", "stop", "step", "rewind")
MOTION_CONTROLS = ("camera", "grab", "move", "release", "add", "remove", "pin_border")
CONTROLS = (*SESSION_CONTROLS, "scene", "prompt", "strength", *MOTION_CONTROLS)


def parse_control(message: Any) -> Control:
    """A message such as {"type": "move", "hand": 0, "to": [[10, 20]]} -> its control.

    Fields that it does not know are left out. What is accepted can be done in a stream with room for it.
    Raises RefusedControl, which names what was expected and what came.
    """
    if not isinstance(message, Mapping):
        raise RefusedControl(f"control: expected an object with a type, got {type(message).__name__}")
    kind = message.get("type")
    if not isinstance(kind, str) or kind not in CONTROLS:
        names = ", ".join(CONTROLS)
        raise RefusedControl(f"control: expected type to be one of {names}, got {excerpt(kind)}")
    try:
        return _PARSERS[kind](message)
    except ValueError as error:
        raise RefusedControl(str(error)) from None


def _parse_camera(message: Mapping) -> SetCamera:
    pan = point(message.get("pan", (0, 0)), "camera: pan", MAX_COORDINATE)
    zoom, roll, orbit = (
        number(message.get(axis, 0), f"camera: {axis}", -most, most) for axis, most in CAMERA_LIMITS.items()
    )
    return SetCamera(pan, zoom, roll, orbit)


def _parse_grab(message: Mapping) -> Grab:
    hand = _hand(message, "grab")
    if message.get("handle") is not None:
        return Grab(hand, Handle(whole_number(message["handle"], "grab: handle", 0, MAX_NUMBER)))
    center = point(message.get("at"), "grab: handle, or at", MAX_COORDINATE)
    radius = number(message.get("radius"), "grab: radius", MIN_RADIUS, MAX_COORDINATE)
    return Grab(hand, Circle(center, radius))


def _parse_move(message: Mapping) -> Move:
    return Move(_hand(message, "move"), _points(message.get("to"), "move: to", MAX_MOVES))


def _parse_release(message: Mapping) -> Release:
    mode = choice(message.get("mode", "pin"), "release: mode", RELEASE_MODES)
    return Release(_hand(message, "release"), mode)


def _parse_add(message: Mapping) -> AddTracks:
    kind = choice(message.get("kind"), "add: kind", ADDED_KINDS)
    points = _points(message.get("points"), "add: points", MAX_ADDED)
    if kind == "path" and len(points) < 2:
        raise ValueError(f"add: expected a path of at least 2 points, got {len(points)}")
    if kind == "object" and len(points) > 2:
        raise ValueError(f"add: expected a place or two corners for an object, got {len(points)} points")
    brush = None if kind == "object" else _brush(message.get("brush"))
    # The points are counted here, so that no control that was accepted can be too many for a whole stream.
    count = brush_count(brush) * (1 if kind == "path" else len(points))
    if count > MAX_POINTS:
        raise ValueError(f"add: expected at most {MAX_POINTS} points with those of the brush, got {count}")
    seconds = number(message.get("seconds", 2.0), "add: seconds", *PATH_SECONDS) if kind == "path" else None
    return AddTracks(kind, points, brush, seconds)


def _parse_prompt(message: Mapping) -> SetPrompt:
    text = message.get("text")
    if not isinstance(text, str) or len(text) > MAX_PROMPT:
        got = f"{len(text)} of them" if isinstance(text, str) else type(text).__name__
        raise ValueError(f"prompt: expected a text of at most {MAX_PROMPT} characters, got {got}")
    return SetPrompt(text, whole_number(message.get("fade", 0), "prompt: fade", 0, MAX_FADE))


_PARSERS: dict[str, Callable[[Mapping], Control]] = {
    "pause": lambda message: Pause(),
    "resume": lambda message: Resume(),
    "stop": lambda message: Stop(),
    "step": lambda message: Step(),
    "rewind": lambda message: Rewind(whole_number(message.get("chunk"), "rewind: chunk", 1, MAX_NUMBER)),
    "scene": lambda message: ChangeScene(),
    "prompt": _parse_prompt,
    "strength": lambda message: SetStrength(number(message.get("value"), "strength: value", 0, 1)),
    "camera": _parse_camera,
    "grab": _parse_grab,
    "move": _parse_move,
    "release": _parse_release,
    "add": _parse_add,
    "remove": lambda message: RemoveHandle(
        whole_number(message.get("handle"), "remove: handle", 0, MAX_NUMBER)
    ),
    "pin_border": lambda message: PinEdges(),
}


def _hand(message: Mapping, where: str) -> int:
    return whole_number(message.get("hand"), f"{where}: hand", 0, HANDS - 1)


def _brush(value: Any) -> Brush | None:
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise ValueError(f"add: expected a brush with radius and spacing, got {type(value).__name__}")
    radius, spacing = (
        number(value.get(key), f"add: brush {key}", 0, MAX_BRUSH) for key in ("radius", "spacing")
    )
    return Brush(radius, spacing)


def _points(value: Any, where: str, most: int) -> tuple[Point, ...]:
    if not isinstance(value, (list, tuple)) or not 1 <= len(value) <= most:
        got = f"{len(value)} of them" if isinstance(value, (list, tuple)) else excerpt(value)
        raise ValueError(f"{where}: expected 1 to {most} points, got {got}")
    return tuple(point(each, where, MAX_COORDINATE) for each in value)
