"""Sampled points in lists, as JSON has them: every spelling of a point, and lists of lists around them.

Owns the way from such lists to arrays, in time and memory that follow the length of the text.
Shapes: xy (T, N, 2) float32 px. visible (T, N) bool.
"""

from __future__ import annotations

import json
from itertools import chain
from typing import Any

import numpy as np

HIDDEN = (-100.0, -100.0)  # as CoTracker's nodes write it
# For ATI, which takes the mean place of four frames: beyond the canvas even where one of the four alone is
# hidden.
FAR = (-10_000.0, -10_000.0)
MAX_DEPTH = 16
MAX_COORDINATE = 1e9
MAX_LISTED = 5_000_000  # tracks × frames: the same as the editor's
NUMBERS = {int, float}
PLAIN = ({"x", "y"},)


def parse_json(text: str) -> Any:
    """JSON, with single quotes allowed as people paste them from Python."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("tracks: expected JSON, got lists nested too deeply") from None
    except ValueError as error:
        if "'" not in text:
            raise ValueError(f"tracks: expected JSON, got {text[:40]!r} ({error})") from None
    try:
        return json.loads(text.replace("'", '"'))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"tracks: expected JSON, got {text[:40]!r} ({error})") from None


def is_point(value: Any) -> bool:
    """Whether a value is spelled as a point: null, an object, or a list of 2 or 3 numbers."""
    if isinstance(value, list):
        return len(value) in (2, 3) and all(isinstance(part, (int, float)) for part in value)
    return value is None or isinstance(value, dict)


def track_lists(value: Any, depth: int = 0) -> list[list]:
    """All lists of points within nested lists and strings, in order."""
    if depth > MAX_DEPTH:
        raise ValueError(f"tracks: expected lists nested at most {MAX_DEPTH} deep, got more")
    if isinstance(value, str):
        value = parse_json(value)
    if not isinstance(value, list):
        raise ValueError(f"tracks: expected a list of points, got {value!r:.40}")
    if depth and not value:
        raise ValueError("tracks: expected points in every track, got an empty list")
    points = _count_points(value)
    if value and points == len(value):
        return [value]
    if points:
        odd = next(index for index, item in enumerate(value) if not is_point(item))
        raise ValueError(
            f"tracks: expected points alone or tracks alone in one list, got {value[odd]!r:.40} at {odd} "
            "among points"
        )
    return [track for item in value for track in track_lists(item, depth + 1)]


def fields_of(lists: list[list]) -> set[str]:
    """The keys under which points say things."""
    found: set[str] = set()
    for points in lists:
        for point in points:
            if type(point) is dict and point.keys() not in PLAIN:
                found.update(map(str, point))
    return found


def filled_tracks(lists: list[list]) -> tuple[np.ndarray, np.ndarray]:
    """Points of each track -> xy (T, N, 2) float32 with every place filled, visible (T, N).

    A hidden point without a place waits at its last known one, before its first at that. A track shorter than
    the longest is hidden at its end. Empties the list.
    """
    frames = max(map(len, lists))
    require_listed(frames, len(lists))
    xy = np.zeros((frames, len(lists), 2), dtype=np.float32)
    visible = np.zeros((frames, len(lists)), dtype=bool)
    for n, points in enumerate(lists):
        places, known, seen = _track(points, n)
        lists[n] = []
        count = len(places)
        last = np.maximum.accumulate(np.where(known, np.arange(count), -1))
        first = int(known.argmax()) if known.any() else -1
        at: np.ndarray = np.where(last < 0, first, last)
        xy[:count, n] = places[at] if first >= 0 else 0.0
        xy[count:, n] = xy[count - 1, n]
        visible[:count, n] = seen
    return xy, visible


def require_listed(frames: int, tracks: int):
    """ValueError, before anything is made, for more positions than a text may ask for."""
    if frames * tracks > MAX_LISTED:
        raise ValueError(
            f"tracks: expected at most {MAX_LISTED} positions, got {tracks} tracks of up to {frames} frames"
        )


def _count_points(value: list) -> int:
    """How many of the items are spelled as points: all or none are looked at together."""
    kinds = set(map(type, value))
    if kinds <= {dict, type(None)}:
        return len(value)
    if kinds == {list} and set(map(len, value)) <= {2, 3}:
        if set(map(type, chain.from_iterable(value))) <= {int, float, bool}:
            return len(value)
    return sum(map(is_point, value))


def _track(points: list, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A track's places (T, 2), where they are known (T,), where they are seen (T,)."""
    rows = _plain_points(points)
    if rows is None:
        parsed = [_point(point, n, t) for t, point in enumerate(points)]
        places = np.array([place or (0.0, 0.0) for place, _ in parsed], dtype=np.float64)
        return places, np.array([place is not None for place, _ in parsed]), np.array([s for _, s in parsed])
    places = rows[:, :2]
    bad = ~(np.abs(places) <= MAX_COORDINATE).all(1)
    if rows.shape[1] == 3:
        bad |= ~((rows[:, 2] >= 0) & (rows[:, 2] <= 1))
    if bad.any():
        at = int(bad.argmax())
        _point(points[at], n, at)  # says what is wrong
    known = ~((places == HIDDEN).all(1) | (places == FAR).all(1))
    return places, known, known & (rows[:, 2] > 0.5) if rows.shape[1] == 3 else known


def _plain_points(points: list) -> np.ndarray | None:
    """Points that are all pairs, all triples or all {"x", "y"} of numbers, as (T, 2 or 3), or None."""
    kinds = set(map(type, points))
    if kinds == {list} and len(set(map(len, points))) == 1:
        flat = list(chain.from_iterable(points))
        width = len(points[0])
    elif kinds == {dict} and all(point.keys() in PLAIN for point in points):
        flat = [point[key] for point in points for key in "xy"]
        width = 2
    else:
        return None
    if not set(map(type, flat)) <= NUMBERS:
        return None
    try:
        return np.array(flat, dtype=np.float64).reshape(-1, width)
    except OverflowError:  # a whole number of hundreds of digits
        return None


def _point(value: Any, track: int, frame: int) -> tuple[tuple[float, float] | None, bool]:
    """One spelled point -> (place, visible). The place of a hidden one may be None."""
    if value is None:
        return None, False
    parts = _point_parts(value) if isinstance(value, dict) else [*value, True][:3]
    numbers = all(isinstance(part, (int, float)) for part in parts) and not any(
        isinstance(part, bool) for part in parts[:2]
    )
    if not numbers or not all(abs(part) <= MAX_COORDINATE for part in parts):
        raise ValueError(
            f"tracks: expected x and y to be finite numbers, got {_excerpt(value)} in track {track} at frame "
            f"{frame}"
        )
    if not 0 <= parts[2] <= 1:
        raise ValueError(
            "tracks: expected the third number of a point, its visibility, to be from 0 to 1, got "
            f"{_excerpt(value)} in track {track} at frame {frame}"
        )
    place = (float(parts[0]), float(parts[1]))
    return (None, False) if place in (HIDDEN, FAR) else (place, parts[2] > 0.5)


def _point_parts(value: dict[str, Any]) -> list[Any]:
    """x, y and visibility of a point, which may also be spelled as hidden or occluded."""
    seen = next((value[key] for key in ("visible", "v", "visibility") if key in value), None)
    gone = next((value[key] for key in ("occluded", "hidden") if key in value), None)
    if seen is None and isinstance(gone, (int, float)):
        seen = 1 - gone
    return [value.get("x"), value.get("y"), True if seen is None and gone is None else seen]


def _excerpt(value: Any) -> str:
    try:
        return f"{value!r:.60}"
    except (ValueError, RecursionError):
        return f"a {type(value).__name__} too long to show"
