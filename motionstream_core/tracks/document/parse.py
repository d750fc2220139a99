"""The Track Editor's document, versions 1 and 2: reading and checking. The rules are docs/track-document.md.

Owns the way from text to a Document. document_sampling.py owns the way on to tracks, document_model.py the
values. Those who use documents import from here. Knows nothing of the editor's drawing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ...common.checked import Point, choice, excerpt, number, point, whole_number
from .model import (
    EASES,
    INTERPOLATIONS,
    KINDS,
    MAX_FRAMES,
    MAX_TRACKS,
    VERSIONS,
    Brush,
    CutOut,
    Document,
    Grid,
    Key,
    Region,
    Stroke,
)
from .offsets import border_pins, brush_offsets, stroke_offsets
from .sampling import document_to_tracks, sample_curve

__all__ = [
    "Brush",
    "Document",
    "Stroke",
    "border_pins",
    "brush_offsets",
    "document_to_tracks",
    "is_document",
    "parse_document",
    "sample_curve",
    "stroke_offsets",
]
MAX_TEXT = 2**20
MAX_POINTS = 4096
MAX_REGION_POINTS = 1024
MAX_OUTLINE_POINTS = 8192  # of one object
MAX_KEYS = 256
MAX_SIDE = 16_384
MAX_COORDINATE = 1e6
MAX_TURN = 36_000.0
SCALES = (0.01, 100.0)


def is_document(value: Any) -> bool:
    """Whether parsed JSON means to be a track document."""
    return isinstance(value, Mapping) and "tracks" in value


def parse_document(text: str) -> Document:
    """The document in a JSON text. ValueError names the place, what was expected there and what was got."""
    if not isinstance(text, str) or not text.strip():
        raise ValueError(
            "track document: expected JSON with tracks, got "
            f"{'an empty text' if isinstance(text, str) else type(text).__name__}"
        )
    if len(text) > MAX_TEXT:
        raise ValueError(f"track document: expected at most {MAX_TEXT} characters, got {len(text)}")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"track document: expected JSON, got {text[:40]!r} ({error})") from None
    if not isinstance(value, Mapping):
        raise ValueError(f"track document: expected an object, got {type(value).__name__}")
    if value.get("version") not in VERSIONS or isinstance(value.get("version"), bool):
        raise ValueError(f"track document: expected version 1 or 2, got {value.get('version')!r}")
    tracks = _get(value, "tracks", list, "track document")
    if len(tracks) > MAX_TRACKS:
        raise ValueError(f"track document: expected at most {MAX_TRACKS} tracks, got {len(tracks)}")
    return Document(
        width=_whole(value, "width", MAX_SIDE),
        height=_whole(value, "height", MAX_SIDE),
        frames=_whole(value, "frames", MAX_FRAMES),
        fps=_rate(value),
        tracks=tuple(_stroke(track, f"track {index}") for index, track in enumerate(tracks)),
        pin_border=_get(value, "pin_border", bool, "track document", False),
    )


def _stroke(value: Any, where: str) -> Stroke:
    if not isinstance(value, Mapping):
        raise ValueError(f"{where}: expected an object, got {type(value).__name__}")
    points = _get(value, "points", list, where)
    if len(points) > MAX_POINTS:
        raise ValueError(f"{where}: expected at most {MAX_POINTS} points, got {len(points)}")
    brush = _get(value, "brush", Mapping, where, None)
    return Stroke(
        points=tuple(_point(point, f"{where}, point {index}") for index, point in enumerate(points)),
        kind=_choice(value, "kind", KINDS, where),
        interpolation=_choice(value, "interpolation", INTERPOLATIONS, where),
        start=_number(value.get("start", 0), f"{where}: start"),
        end=None if value.get("end") is None else _number(value["end"], f"{where}: end"),
        visible=_get(value, "visible", bool, where, True),
        brush=None
        if brush is None
        else Brush(*(_number(brush.get(key), f"{where}: brush {key}") for key in ("radius", "spacing"))),
        tension=_number_between(value, "tension", 0.0, 1.0, where, 0.0),
        speed=_speed(_get(value, "speed", list, where, None), f"{where}: speed"),
        shown=_shown_ranges(_get(value, "shown", list, where, None), f"{where}: shown"),
        turn=_number_between(value, "turn", -MAX_TURN, MAX_TURN, where, 0.0),
        scale=_number_between(value, "scale", *SCALES, where, 1.0),
        grid=_grid(_get(value, "grid", Mapping, where, None), f"{where}: grid", value.get("kind")),
        region=_region(_get(value, "region", Mapping, where, None), f"{where}: region", value.get("kind")),
        cut_out=_cut_out(_get(value, "object", Mapping, where, None), f"{where}: object", value.get("kind")),
        carries=_get(value, "carries", bool, where, False),
    )


def _speed(value: list | None, where: str) -> tuple[Key, ...]:
    """Keys of strictly rising t and never falling s, both from 0 to 1."""
    if value is None:
        return ()
    if not 1 <= len(value) <= MAX_KEYS or not all(isinstance(key, Mapping) for key in value):
        raise ValueError(f"{where}: expected 1 to {MAX_KEYS} keys with t and s, got {excerpt(value)}")
    keys = tuple(
        Key(
            _number_between(key, "t", 0.0, 1.0, where),
            _number_between(key, "s", 0.0, 1.0, where),
            _choice(key, "ease", EASES, where),
        )
        for key in value
    )
    for before, key in zip(keys, keys[1:]):
        if key.t - before.t < 1e-6 or key.s < before.s:
            raise ValueError(
                f"{where}: expected keys of rising t and of s that never falls, got ({key.t:g}, {key.s:g}) "
                f"after ({before.t:g}, {before.s:g})"
            )
    return keys


def _shown_ranges(value: list | None, where: str) -> tuple[Point, ...] | None:
    """Ranges [first frame, last frame]."""
    if value is None:
        return None
    if not 1 <= len(value) <= MAX_KEYS or not all(
        isinstance(pair, list) and len(pair) == 2 for pair in value
    ):
        raise ValueError(
            f"{where}: expected 1 to {MAX_KEYS} ranges [first frame, last frame], got {excerpt(value)}"
        )
    return tuple((_number(first, where), _number(last, where)) for first, last in value)


def _grid(value: Mapping | None, where: str, kind: Any) -> Grid | None:
    if value is None:
        if kind in ("grid", "camera"):
            raise ValueError(
                f"{where}: expected width, height, columns and rows for a track of kind {kind}, got nothing"
            )
        return None
    columns, rows = (_whole(value, key, MAX_TRACKS, where) for key in ("columns", "rows"))
    if columns * rows > MAX_TRACKS:
        raise ValueError(f"{where}: expected at most {MAX_TRACKS} points, got {columns} x {rows}")
    width, height = (_number_between(value, key, 0.0, MAX_COORDINATE, where) for key in ("width", "height"))
    return Grid(width, height, columns, rows)


def _region(value: Mapping | None, where: str, kind: Any) -> Region | None:
    if value is None:
        if kind == "region":
            raise ValueError(
                f"{where}: expected lines, radius and spacing for a track of kind region, got nothing"
            )
        return None
    lines = _get(value, "lines", list, where)
    if (
        not lines
        or not all(isinstance(line, list) and line for line in lines)
        or sum(map(len, lines)) > MAX_REGION_POINTS
    ):
        raise ValueError(
            f"{where}: expected lines of 1 to {MAX_REGION_POINTS} points in all, got {excerpt(lines)}"
        )
    radius, spacing = (
        _number_between(value, key, 0.01, MAX_COORDINATE, where) for key in ("radius", "spacing")
    )
    return Region(tuple(tuple(_point(point, where) for point in line) for line in lines), radius, spacing)


def _cut_out(value: Mapping | None, where: str, kind: Any) -> CutOut | None:
    if value is None:
        if kind == "object":
            raise ValueError(
                f"{where}: expected outlines and spacing for a track of kind object, got nothing"
            )
        return None
    outlines = _get(value, "outlines", list, where)
    if (
        not outlines
        or not all(isinstance(line, list) and len(line) > 2 for line in outlines)
        or sum(map(len, outlines)) > MAX_OUTLINE_POINTS
    ):
        raise ValueError(
            f"{where}: expected outlines of 3 to {MAX_OUTLINE_POINTS} points in all, got {excerpt(outlines)}"
        )
    spacing = _number_between(value, "spacing", 0.01, MAX_COORDINATE, where)
    return CutOut(tuple(tuple(_point(point, where) for point in line) for line in outlines), spacing)


def _point(value: Any, where: str) -> Point:
    if not isinstance(value, Mapping):
        raise ValueError(f"{where}: expected an object with x and y, got {excerpt(value)}")
    return point((value.get("x"), value.get("y")), where, MAX_COORDINATE)


def _number(value: Any, where: str) -> float:
    return number(value, where, -MAX_COORDINATE, MAX_COORDINATE)


_REQUIRED = object()


def _number_between(
    value: Mapping, key: str, least: float, most: float, where: str, default: Any = _REQUIRED
) -> float:
    """value[key], a number from `least` to `most`. Absent or null gives the default where there is one."""
    found = value.get(key)
    if found is None and default is not _REQUIRED:
        return default
    return number(found, where, least, most, key)


def _whole(value: Mapping, key: str, most: int, where: str = "track document") -> int:
    return whole_number(value.get(key), where, 1, most, key)


def _rate(value: Mapping) -> float:
    fps = value.get("fps")
    if isinstance(fps, bool) or not isinstance(fps, (int, float)) or not 0 < fps <= 1000:
        raise ValueError(f"track document: expected fps above 0 and at most 1000, got {excerpt(fps)}")
    return float(fps)


def _choice(value: Mapping, key: str, choices: tuple[str, ...], where: str) -> str:
    return choice(value.get(key, choices[0]), where, choices, key)


def _get(value: Mapping, key: str, kind: type, where: str, default: Any = _REQUIRED) -> Any:
    """value[key], which must be of the kind. An absent key, or null where the default is None, gives the
    default.
    """
    found = value.get(key, default)
    if found is default and default is not _REQUIRED:
        return default
    if not isinstance(found, kind):
        got = "nothing" if found is _REQUIRED else excerpt(found)
        raise ValueError(f"{where}: expected {key} to be of type {kind.__name__.lower()}, got {got}")
    return found
