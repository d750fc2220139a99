"""A performance: the controls that made a stream, as one JSON document (docs/live.md). Writing, checking and
reading it back.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .controls import STATE_CONTROLS, Control, parse_control
from .session import Applied

KIND = "motionstream-performance"
VERSION = 1
MAX_TEXT = 16 * 2**20
MAX_CONTROLS = 200_000


@dataclass(frozen=True)
class Performance:
    """controls: (chunk, control) in the order in which they took effect. about: seed, width, height, fps,
    chunk_frames, frames where known.
    """

    controls: tuple[tuple[int, Control], ...]
    about: Mapping[str, float]


def write_performance(applied: Iterable[Applied], **about: float) -> str:
    """The JSON text; `about` are numbers such as seed, width, height, fps, chunk_frames, frames."""
    controls = [
        {"chunk": each.chunk, **each.control.message()}
        for each in applied
        if each.control.type not in STATE_CONTROLS
    ]
    return json.dumps(
        {"kind": KIND, "version": VERSION, **about, "controls": controls}, separators=(",", ":")
    )


def read_performance(text: str) -> Performance:
    """The performance in a JSON text; an empty text is one without controls. ValueError names what was
    expected and what came.
    """
    if not isinstance(text, str) or len(text) > MAX_TEXT:
        raise ValueError(
            f"performance: expected a text of at most {MAX_TEXT} characters, got "
            f"{f'{len(text)}' if isinstance(text, str) else type(text).__name__}"
        )
    if not text.strip():
        return Performance((), {})
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"performance: expected JSON, got {text[:40]!r} ({error})") from None
    if not isinstance(value, Mapping) or value.get("kind") != KIND or value.get("version") != VERSION:
        got = (
            f"{value.get('kind')!r:.40} version {value.get('version')!r:.10}"
            if isinstance(value, Mapping)
            else type(value).__name__
        )
        raise ValueError(f"performance: expected a document of kind {KIND!r}, version {VERSION}, got {got}")
    controls = value.get("controls")
    if not isinstance(controls, list) or len(controls) > MAX_CONTROLS:
        raise ValueError(
            f"performance: expected at most {MAX_CONTROLS} controls, got "
            f"{len(controls) if isinstance(controls, list) else type(controls).__name__}"
        )
    about = {
        key: number
        for key, number in value.items()
        if isinstance(number, (int, float)) and not isinstance(number, bool)
    }
    return Performance(tuple(_control(entry, number) for number, entry in enumerate(controls)), about)


def _control(entry: object, number: int) -> tuple[int, Control]:
    chunk = entry.get("chunk") if isinstance(entry, Mapping) else None
    if isinstance(chunk, bool) or not isinstance(chunk, int) or chunk < 0:
        raise ValueError(
            f"performance: expected control {number} to have a chunk of 0 or more, got {entry!r:.60}"
        )
    control = parse_control(entry)
    if control.type in STATE_CONTROLS:
        raise ValueError(f"performance: expected no {control.type} in it (control {number})")
    return chunk, control
