"""A performance: the controls that made a stream, as one JSON document (docs/live.md). Writing, checking and
reading it back.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..common.checked import excerpt
from .controls import MAX_NUMBER, SESSION_CONTROLS, Control, parse_control
from .performance_log import PerformanceLog

KIND = "motionstream-performance"
VERSION = 1
MAX_FACT = 2**64  # of the numbers beside the controls: a seed is the largest


@dataclass(frozen=True)
class Performance:
    """controls: (chunk, control) in the order in which they took effect. about: seed, width, height, fps,
    chunk_frames, frames where known.
    """

    controls: tuple[tuple[int, Control], ...]
    about: Mapping[str, float]


def write_performance(performed: PerformanceLog, **about: float) -> str:
    """The JSON text. `about` are numbers such as seed, width, height, fps, chunk_frames, frames."""
    head = json.dumps({"kind": KIND, "version": VERSION, **about}, separators=(",", ":"))
    controls = ",".join(performed.texts())
    return f'{head[:-1]},"controls":[{controls}]}}'


def read_performance(text: str) -> Performance:
    """The performance in a JSON text. An empty text is one without controls.

    As long as the text may be: every performance that was written can be read. Raises ValueError, which names
    what was expected and what came.
    """
    if not isinstance(text, str):
        raise ValueError(f"performance: expected a text, got {type(text).__name__}")
    if not text.strip():
        return Performance((), {})
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"performance: expected JSON, got {text[:40]!r} ({error})") from None
    if not isinstance(value, Mapping):
        raise ValueError(f"performance: expected a document, got {type(value).__name__}")
    if value.get("kind") != KIND or value.get("version") != VERSION:
        got = f"{excerpt(value.get('kind'))} version {excerpt(value.get('version'), 10)}"
        raise ValueError(f"performance: expected a document of kind {KIND!r}, version {VERSION}, got {got}")
    controls = value.get("controls")
    if not isinstance(controls, list):
        raise ValueError(f"performance: expected a list of controls, got {type(controls).__name__}")
    about = {key: _fact(number, key) for key, number in value.items() if _is_number(number)}
    return Performance(tuple(_entry(entry, number) for number, entry in enumerate(controls)), about)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _fact(value: float, key: str) -> float:
    # Compared as it is: a whole number of hundreds of digits is no float.
    if not (-MAX_FACT <= value <= MAX_FACT):
        raise ValueError(f"performance: expected {excerpt(key)} to be a number, got {excerpt(value)}")
    return value


def _entry(entry: Any, number: int) -> tuple[int, Control]:
    chunk = entry.get("chunk") if isinstance(entry, Mapping) else None
    if isinstance(chunk, bool) or not isinstance(chunk, int) or not 0 <= chunk <= MAX_NUMBER:
        raise ValueError(
            f"performance: expected control {number} to have a chunk of 0 or more, got {excerpt(entry, 60)}"
        )
    try:
        control = parse_control(entry)
    except ValueError as error:
        raise ValueError(f"performance: control {number}: {error}") from None
    if control.type in SESSION_CONTROLS:
        raise ValueError(f"performance: expected no {control.type} in it (control {number})")
    return chunk, control
