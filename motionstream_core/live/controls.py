"""What can be asked of a running stream: the messages of docs/live.md, checked.

Owns the types of controls, their fields and ranges. Knows nothing of when they take effect or of what they
do. A checked control holds plain numbers and tuples, so that it can be logged, written to a performance and
read back without a change.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

STATE_CONTROLS = ("pause", "resume", "stop", "step", "rewind")
MOTION_CONTROLS = ("camera", "grab", "move", "release", "add", "remove", "pin_border")
CONTROLS = (*STATE_CONTROLS, "scene", "prompt", *MOTION_CONTROLS)

RELEASES = ("keep", "pin", "fade")
KINDS = ("pin", "path", "grid")
HANDS = 10
MAX_MOVES = 64
MAX_ADDED = 1024
MAX_PROMPT = 2000
MAX_PLACE = 1e5
MAX_CHUNK = 10**9
CAMERA_LIMITS = {"zoom": 8.0, "roll": 720.0, "orbit": 360.0}
CAMERA_AXES = ("pan", *CAMERA_LIMITS)

Place = tuple[float, float]


@dataclass(frozen=True)
class Control:
    """One checked message: `type` is one of CONTROLS, `fields` what that type takes, `posted_s` seconds since
    the session began.
    """

    type: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    posted_s: float = 0.0

    def message(self) -> dict:
        """The control as it can be written to JSON and checked again."""
        return {"type": self.type, **self.fields}


def parse_control(message: Any, posted_s: float = 0.0) -> Control:
    """A message such as {"type": "move", "hand": 0, "to": [[10, 20]]} -> Control. Fields it does not know are
    left out.

    Raises ValueError, which names what was expected and what came.
    """
    if not isinstance(message, Mapping):
        raise ValueError(f"control: expected an object with a type, got {type(message).__name__}")  # noqa: TRY004
    kind = message.get("type")
    if not isinstance(kind, str) or kind not in CONTROLS:
        raise ValueError(f"control: expected type to be one of {', '.join(CONTROLS)}, got {str(kind)[:40]!r}")
    read = _READERS.get(kind)
    return Control(kind, MappingProxyType(read(message) if read is not None else {}), posted_s)


def _camera(message: Mapping) -> dict:
    pan = _place(message.get("pan", (0, 0)), "camera: pan")
    return {
        "pan": pan,
        **{
            axis: _number(message.get(axis, 0), f"camera: {axis}", -most, most)
            for axis, most in CAMERA_LIMITS.items()
        },
    }


def _grab(message: Mapping) -> dict:
    hand = {"hand": _hand(message, "grab")}
    if message.get("handle") is not None:
        return {**hand, "handle": _whole(message["handle"], "grab: handle", 0, MAX_CHUNK)}
    return {
        **hand,
        "at": _place(message.get("at"), "grab: handle, or at"),
        "radius": _number(message.get("radius"), "grab: radius", 0.5, MAX_PLACE),
    }


def _move(message: Mapping) -> dict:
    return {"hand": _hand(message, "move"), "to": _places(message.get("to"), "move: to", MAX_MOVES)}


def _release(message: Mapping) -> dict:
    return {
        "hand": _hand(message, "release"),
        "mode": _choice(message.get("mode", "pin"), "release: mode", RELEASES),
    }


def _add(message: Mapping) -> dict:
    kind = _choice(message.get("kind"), "add: kind", KINDS)
    points = _places(message.get("points"), "add: points", MAX_ADDED)
    if kind == "path" and len(points) < 2:
        raise ValueError(f"add: expected a path of at least 2 points, got {len(points)}")
    read = {"kind": kind, "points": points}
    if message.get("brush") is not None:
        brush = message["brush"]
        if not isinstance(brush, Mapping):
            raise ValueError(f"add: expected a brush with radius and spacing, got {type(brush).__name__}")
        read["brush"] = {
            key: _number(brush.get(key), f"add: brush {key}", 0, 4096) for key in ("radius", "spacing")
        }
    if kind == "path":
        read["seconds"] = _number(message.get("seconds", 2.0), "add: seconds", 0.05, 3600)
    return read


def _prompt(message: Mapping) -> dict:
    text = message.get("text")
    if not isinstance(text, str) or len(text) > MAX_PROMPT:
        raise ValueError(
            f"prompt: expected a text of at most {MAX_PROMPT} characters, got "
            f"{f'{len(text)} of them' if isinstance(text, str) else type(text).__name__}"
        )
    return {"text": text}


_READERS: dict[str, Callable[[Mapping], dict]] = {
    "rewind": lambda message: {"chunk": _whole(message.get("chunk"), "rewind: chunk", 1, MAX_CHUNK)},
    "prompt": _prompt,
    "camera": _camera,
    "grab": _grab,
    "move": _move,
    "release": _release,
    "add": _add,
    "remove": lambda message: {"handle": _whole(message.get("handle"), "remove: handle", 0, MAX_CHUNK)},
}


def _hand(message: Mapping, where: str) -> int:
    return _whole(message.get("hand"), f"{where}: hand", 0, HANDS - 1)


def _number(value: Any, where: str, least: float, most: float) -> float:
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float))
        or not math.isfinite(value)
        or not least <= value <= most
    ):
        raise ValueError(f"{where}: expected a number from {least:g} to {most:g}, got {value!r:.40}")
    return float(value)


def _whole(value: Any, where: str, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ValueError(f"{where}: expected a whole number from {least} to {most}, got {value!r:.40}")
    return value


def _choice(value: Any, where: str, choices: tuple[str, ...]) -> str:
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{where}: expected one of {', '.join(choices)}, got {value!r:.40}")
    return value


def _place(value: Any, where: str) -> Place:
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        raise ValueError(f"{where}: expected [x, y], got {value!r:.40}")
    return _number(value[0], f"{where}: x", -MAX_PLACE, MAX_PLACE), _number(
        value[1], f"{where}: y", -MAX_PLACE, MAX_PLACE
    )


def _places(value: Any, where: str, most: int) -> tuple[Place, ...]:
    if not isinstance(value, (list, tuple)) or not 1 <= len(value) <= most:
        got = f"{len(value)} of them" if isinstance(value, (list, tuple)) else repr(value)[:40]
        raise ValueError(f"{where}: expected 1 to {most} places, got {got}")
    return tuple(_place(place, where) for place in value)
