"""The Track Editor's document, version 1: parsing, checking and sampling. The rules are docs/track-document.md.

Owns the way from control points to tracks; the browser's geometry.js mirrors it and both meet tests/golden/spline.json. Knows nothing of the
editor's drawing. Shapes: control points and polylines (P, 2) float64 pixels; positions (T, 2).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from .types import MAX_POSITIONS, Tracks, require_on_canvas

VERSION = 1
KINDS = ("path", "freehand", "pin")
INTERPOLATIONS = ("linear", "spline")
MAX_TEXT = 2**20
MAX_POINTS = 4096
MAX_TRACKS = 10_000
MAX_SIDE = 16_384
MAX_COORDINATE = 1e6
SEGMENTS = 32
SAME = 1e-6
INSET = 4
PIN_STEP = 16


@dataclass(frozen=True)
class Brush:
    """A square grid of points, `spacing` px apart, within `radius` px round the moving point."""

    radius: float
    spacing: float


@dataclass(frozen=True)
class Stroke:
    """One track of the document: control points and how they are travelled. `end` None is the last frame."""

    points: tuple[tuple[float, float], ...]
    kind: str = "path"
    interpolation: str = "linear"
    start: float = 0
    end: float | None = None
    visible: bool = True
    brush: Brush | None = None


@dataclass(frozen=True)
class Document:
    width: int
    height: int
    frames: int
    fps: float
    tracks: tuple[Stroke, ...]
    pin_border: bool = False


def is_document(value: Any) -> bool:
    """Whether parsed JSON means to be a track document."""
    return isinstance(value, Mapping) and "tracks" in value


def parse_document(text: str) -> Document:
    """The document in a JSON text; ValueError names the place, what was expected there and what was got."""
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"track document: expected JSON with tracks, got {'an empty text' if isinstance(text, str) else type(text).__name__}")
    if len(text) > MAX_TEXT:
        raise ValueError(f"track document: expected at most {MAX_TEXT} characters, got {len(text)}")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"track document: expected JSON, got {text[:40]!r} ({error})") from None
    if not isinstance(value, Mapping):
        raise ValueError(f"track document: expected an object, got {type(value).__name__}")
    if value.get("version") != VERSION or isinstance(value.get("version"), bool):
        raise ValueError(f"track document: expected version {VERSION}, got {value.get('version')!r}")
    tracks = _get(value, "tracks", list, "track document")
    if len(tracks) > MAX_TRACKS:
        raise ValueError(f"track document: expected at most {MAX_TRACKS} tracks, got {len(tracks)}")
    return Document(
        width=_whole(value, "width", MAX_SIDE),
        height=_whole(value, "height", MAX_SIDE),
        frames=_whole(value, "frames", MAX_POSITIONS),
        fps=_rate(value),
        tracks=tuple(_stroke(track, f"track {index}") for index, track in enumerate(tracks)),
        pin_border=_get(value, "pin_border", bool, "track document", False),
    )


def document_to_tracks(document: Document, frames: int | None = None) -> Tracks:
    """All points of the document through `frames` frames, its own by default: the strokes in order, the border pins last, all visible.

    Raises ValueError when there is no point, when none is ever on the canvas, or when there are too many.
    """
    frames = document.frames if frames is None else frames
    if frames < 1:
        raise ValueError(f"frames: expected at least 1, got {frames}")
    drawn = [stroke for stroke in document.tracks if stroke.visible and stroke.points]
    grids = [brush_offsets(stroke.brush) for stroke in drawn]
    pins = border_pins(document.width, document.height) if document.pin_border else np.zeros((0, 2))
    count = sum(len(grid) for grid in grids) + len(pins)
    if not count:
        raise ValueError(f"track document: expected at least one visible track with points, got none in {len(document.tracks)} tracks")
    if count > MAX_TRACKS or count * frames > MAX_POSITIONS:
        raise ValueError(f"track document: expected at most {MAX_TRACKS} points and {MAX_POSITIONS} positions, got {count} points in {frames} frames")
    parts = [positions(stroke, frames)[:, None] + grid for stroke, grid in zip(drawn, grids)]
    xy = np.concatenate([*parts, np.broadcast_to(pins, (frames, *pins.shape))], axis=1)
    xy = torch.from_numpy(xy.astype(np.float32))
    return require_on_canvas(Tracks(xy, torch.ones(xy.shape[:2], dtype=torch.bool), document.width, document.height, document.fps))


def positions(stroke: Stroke, frames: int) -> np.ndarray:
    """(frames, 2): the control point at every frame, at constant speed between start and end, at rest outside."""
    if stroke.kind == "pin":
        return np.tile(np.array(stroke.points[0]), (frames, 1))
    line = polyline(stroke.points, stroke.interpolation if stroke.kind == "path" else "linear")
    end = frames - 1 if stroke.end is None else stroke.end
    share = np.clip((np.arange(frames) - stroke.start) / max(1, end - stroke.start), 0, 1)
    lengths = np.linalg.norm(np.diff(line, axis=0), axis=1)
    gone = np.concatenate([[0.0], np.cumsum(lengths)])
    return np.stack([np.interp(share * gone[-1], gone, line[:, axis]) for axis in (0, 1)], axis=1)


def polyline(points: tuple[tuple[float, float], ...], interpolation: str) -> np.ndarray:
    """The curve through the points as straight segments; "spline" is centripetal Catmull-Rom (knot distances |ΔP|^0.5)."""
    kept = [points[0]]
    for point in points[1:]:
        if math.dist(kept[-1], point) > SAME:
            kept.append(point)
    p = np.array(kept, dtype=np.float64)
    if interpolation != "spline" or len(p) < 2:
        return p
    p = np.concatenate([2 * p[:1] - p[1:2], p, 2 * p[-1:] - p[-2:-1]])
    return np.concatenate([*(_span(p[i : i + 4]) for i in range(len(p) - 3)), p[-2:-1]])


def _span(p: np.ndarray) -> np.ndarray:
    """Barry and Goldman's pyramid between the inner two of four points, its end point left out -> (SEGMENTS, 2)."""
    t = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(p, axis=0), axis=1) ** 0.5)])
    now = (t[1] + np.arange(SEGMENTS) / SEGMENTS * (t[2] - t[1]))[:, None]

    def mix(left: np.ndarray, right: np.ndarray, i: int, j: int) -> np.ndarray:
        return ((t[j] - now) * left + (now - t[i]) * right) / (t[j] - t[i])

    a = [mix(p[i], p[i + 1], i, i + 1) for i in range(3)]
    b = [mix(a[i], a[i + 1], i, i + 2) for i in range(2)]
    return mix(b[0], b[1], 1, 2)


def brush_offsets(brush: Brush | None) -> np.ndarray:
    """(N, 2): the centre, then the other points of the brush row by row."""
    centre = np.zeros((1, 2))
    if brush is None or brush.radius <= 0 or brush.spacing <= 0:
        return centre
    reach = int(brush.radius / brush.spacing) + 1
    if (2 * reach - 1) ** 2 > 2 * MAX_TRACKS:
        raise ValueError(f"brush: expected at most {MAX_TRACKS} points, got a radius of {brush.radius:g} with a spacing of {brush.spacing:g}")
    iy, ix = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    grid = np.stack([ix, iy], axis=-1).reshape(-1, 2)
    grid = grid[grid.any(axis=1)] * brush.spacing
    return np.concatenate([centre, grid[(grid**2).sum(axis=1) <= brush.radius**2 + 1e-6]])


def border_pins(width: int, height: int) -> np.ndarray:
    """(N, 2): points along the border, 4 px inside it and about 16 px apart, clockwise from the top left corner."""
    right, bottom = width - 1 - INSET, height - 1 - INSET
    nx, ny = (max(1, math.floor((side - INSET) / PIN_STEP + 0.5)) for side in (right, bottom))
    xs, ys = np.linspace(INSET, right, nx + 1), np.linspace(INSET, bottom, ny + 1)
    top = [(x, INSET) for x in xs[:-1]]
    down = [(right, y) for y in ys[:-1]]
    back = [(x, bottom) for x in xs[:0:-1]]
    up = [(INSET, y) for y in ys[:0:-1]]
    return np.array([*top, *down, *back, *up], dtype=np.float64)


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
        brush=None if brush is None else Brush(*(_number(brush.get(key), f"{where}: brush {key}") for key in ("radius", "spacing"))),
    )


def _point(value: Any, where: str) -> tuple[float, float]:
    if not isinstance(value, Mapping):
        raise ValueError(f"{where}: expected an object with x and y, got {value!r:.40}")
    return _number(value.get("x"), f"{where}: x"), _number(value.get("y"), f"{where}: y")


def _number(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= MAX_COORDINATE:
        raise ValueError(f"{where}: expected a number within ±{MAX_COORDINATE:,.0f}, got {value!r:.40}")
    return float(value)


def _whole(value: Mapping, key: str, most: int) -> int:
    number = value.get(key)
    if isinstance(number, bool) or not isinstance(number, (int, float)) or not 1 <= number <= most or number != int(number):
        raise ValueError(f"track document: expected {key} to be a whole number from 1 to {most}, got {number!r:.40}")
    return int(number)


def _rate(value: Mapping) -> float:
    fps = value.get("fps")
    if isinstance(fps, bool) or not isinstance(fps, (int, float)) or not 0 < fps <= 1000:
        raise ValueError(f"track document: expected fps above 0 and at most 1000, got {fps!r:.40}")
    return float(fps)


def _choice(value: Mapping, key: str, choices: tuple[str, ...], where: str) -> str:
    chosen = value.get(key, choices[0])
    if chosen not in choices:
        raise ValueError(f"{where}: expected {key} to be one of {', '.join(choices)}, got {chosen!r:.40}")
    return chosen


_REQUIRED = object()


def _get(value: Mapping, key: str, kind: type, where: str, default: Any = _REQUIRED) -> Any:
    """value[key], which must be of the kind; an absent key, or null where the default is None, gives the default."""
    found = value.get(key, default)
    if found is default and default is not _REQUIRED:
        return default
    if not isinstance(found, kind):
        got = "nothing" if found is _REQUIRED else f"{found!r:.40}"
        raise ValueError(f"{where}: expected {key} to be of type {kind.__name__.lower()}, got {got}")
    return found
