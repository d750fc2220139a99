"""From a track document to tracks: curves, time, the points a track carries, cameras. The rules, number by
number, are docs/track-document.md.

The browser's geometry.js mirrors it and both meet tests/golden/spline.json. Knows nothing of JSON.
Shapes: control points and polylines (P, 2) float64 pixels; offsets (N, 2); positions (T, N, 2); shares of
time and way (T,).
"""

from __future__ import annotations

import math

import numpy as np
import torch

from ..types import MAX_POSITIONS, Tracks, require_on_canvas
from .model import MAX_TRACKS, Brush, Document, Grid, Key, Region, Stroke

SEGMENTS = 32
SAME = 1e-6
INSET = 4
PIN_STEP = 16
AREA_SLACK = 1e-6


def document_to_tracks(document: Document, frames: int | None = None) -> Tracks:
    """All points of the document through `frames` frames, its own by default: the strokes in order, the
    border pins last.

    Raises ValueError when there is no point, when none is ever on the canvas, or when there are too many.
    """
    frames = document.frames if frames is None else frames
    if frames < 1:
        raise ValueError(f"frames: expected at least 1, got {frames}")
    offsets = [stroke_offsets(stroke) for stroke in document.drawn]
    pins = border_pins(document.width, document.height) if document.pin_border else np.zeros((0, 2))
    count = sum(map(len, offsets)) + len(pins)
    if not count:
        raise ValueError(
            "track document: expected at least one visible track with points, got none in "
            f"{len(document.tracks)} tracks"
        )
    if count > MAX_TRACKS or count * frames > MAX_POSITIONS:
        raise ValueError(
            f"track document: expected at most {MAX_TRACKS} points and {MAX_POSITIONS} positions, got "
            f"{count} points in {frames} frames"
        )
    parts = [np.broadcast_to(pins, (frames, *pins.shape))]
    seen = [np.ones((frames, len(pins)), dtype=bool)]
    cameras = [stroke for stroke in document.drawn if stroke.kind == "camera" and stroke.carries]
    for stroke, offset in reversed(list(zip(document.drawn, offsets))):
        parts.insert(0, carry_points(sample_positions(stroke, offset, frames), stroke, cameras, frames))
        seen.insert(0, np.repeat(sample_visibility(stroke, frames)[:, None], len(offset), axis=1))
    xy = torch.from_numpy(np.concatenate(parts, axis=1).astype(np.float32))
    visible = torch.from_numpy(np.concatenate(seen, axis=1))
    return require_on_canvas(Tracks(xy, visible, document.width, document.height, document.fps))


# ---- where a track's points are ----


def sample_positions(stroke: Stroke, offsets: np.ndarray, frames: int) -> np.ndarray:
    """(frames, N, 2): the points round the moving centre, turned and scaled as far as the way is gone."""
    share, centre = path_fractions(stroke, frames), sample_centres(stroke, frames)
    if stroke.kind == "pin" or (stroke.turn == 0 and stroke.scale == 1):
        return centre[:, None] + offsets
    return centre[:, None] + np.einsum("tij,nj->tni", sample_turns(stroke, share), offsets)


def sample_centres(stroke: Stroke, frames: int) -> np.ndarray:
    """(frames, 2): the moving point itself."""
    if stroke.kind == "pin":
        return np.tile(np.array(stroke.points[0]), (frames, 1))
    line = stroke_line(stroke)
    gone = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    share = path_fractions(stroke, frames)
    return np.stack([np.interp(share * gone[-1], gone, line[:, axis]) for axis in (0, 1)], axis=1)


def sample_turns(stroke: Stroke, share: np.ndarray) -> np.ndarray:
    """(frames, 2, 2): the turn and growth of what the point carries."""
    angle = np.radians(stroke.turn) * share
    cos, sin = np.cos(angle), np.sin(angle)
    return (
        np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)], -2)
        * (stroke.scale**share)[:, None, None]
    )


def carry_points(xy: np.ndarray, stroke: Stroke, cameras: list[Stroke], frames: int) -> np.ndarray:
    """The places under the cameras that move the other tracks too, one after the other; a camera is not moved
    by any.
    """
    if stroke.kind == "camera":
        return xy
    for camera in cameras:
        pivot, share = np.array(camera.points[0]), path_fractions(camera, frames)
        xy = sample_centres(camera, frames)[:, None] + np.einsum(
            "tij,tnj->tni", sample_turns(camera, share), xy - pivot
        )
    return xy


# ---- time ----


def path_fractions(stroke: Stroke, frames: int) -> np.ndarray:
    """(frames,): the share of the way gone, 0 before `start` and 1 after `end`, unless the speed keys say
    other.
    """
    end = frames - 1 if stroke.end is None else stroke.end
    time = np.clip((np.arange(frames) - stroke.start) / max(1, end - stroke.start), 0, 1)
    return eased_fractions(stroke.speed, time) if stroke.speed else time


def eased_fractions(keys: tuple[Key, ...], time: np.ndarray) -> np.ndarray:
    """Shares of the time -> shares of the way, along keys of rising t and s that never falls."""
    if len(keys) == 1:
        return np.full_like(time, keys[0].s)
    t, s = np.array([key.t for key in keys]), np.array([key.s for key in keys])
    piece = np.clip(np.searchsorted(t, time, side="right") - 1, 0, len(keys) - 2)
    run = t[piece + 1] - t[piece]
    w = np.clip((time - t[piece]) / run, 0, 1)
    slope = fit_slopes(t, s)
    h = (2 * w**3 - 3 * w**2 + 1, 3 * w**2 - 2 * w**3, w**3 - 2 * w**2 + w, w**3 - w**2)
    low, high = s[piece], s[piece + 1]
    smooth = h[0] * low + h[1] * high + run * (h[2] * slope[piece] + h[3] * slope[piece + 1])
    eased = {
        "linear": w,
        "in": w**2,
        "out": 1 - (1 - w) ** 2,
        "in-out": w**2 * (3 - 2 * w),
        "hold": (w >= 1) * 1.0,
    }
    names = np.array([key.ease for key in keys])[piece]
    straight = low + (high - low) * np.select([names == name for name in eased], list(eased.values()), 0.0)
    return np.where(names == "smooth", smooth, straight)


def fit_slopes(t: np.ndarray, s: np.ndarray) -> np.ndarray:
    """Slopes at the keys that keep a cubic Hermite from ever falling (Fritsch and Butland 1984); at both ends
    that of the piece there.
    """
    run, rise = np.diff(t), np.diff(s)
    slope = rise / run
    inner = np.zeros(len(t) - 2)
    rising = (slope[:-1] > 0) & (slope[1:] > 0)
    one, two = 2 * run[1:] + run[:-1], run[1:] + 2 * run[:-1]
    inner[rising] = ((one + two)[rising]) / (
        one[rising] / slope[:-1][rising] + two[rising] / slope[1:][rising]
    )
    return np.concatenate([slope[:1], inner, slope[-1:]])


def sample_visibility(stroke: Stroke, frames: int) -> np.ndarray:
    """(frames,) bool: whether the track is seen."""
    if stroke.shown is None:
        return np.ones(frames, dtype=bool)
    now = np.arange(frames)
    return np.any([(now >= first) & (now <= last) for first, last in stroke.shown], axis=0)


# ---- curves ----


def stroke_line(stroke: Stroke) -> np.ndarray:
    """The way of the moving point as straight segments."""
    curved = stroke.kind in ("path", "region", "grid", "camera")
    return sample_curve(stroke.points, stroke.interpolation if curved else "linear", stroke.tension)


def sample_curve(
    points: tuple[tuple[float, float], ...], interpolation: str, tension: float = 0.0
) -> np.ndarray:
    """The curve of the points as straight segments, SEGMENTS a span."""
    kept = [points[0]]
    for point in points[1:]:
        if math.dist(kept[-1], point) > SAME:
            kept.append(point)
    p = np.array(kept, dtype=np.float64)
    if interpolation == "linear" or len(p) < 2:
        return p
    p = np.concatenate([2 * p[:1] - p[1:2], p, 2 * p[-1:] - p[-2:-1]])
    spans = {"spline": _catmull_rom, "cardinal": lambda q: _cardinal(q, tension), "bspline": _bspline}
    return np.concatenate([*(spans[interpolation](p[i : i + 4]) for i in range(len(p) - 3)), p[-2:-1]])


def _catmull_rom(p: np.ndarray) -> np.ndarray:
    """Centripetal: Barry and Goldman's pyramid between the inner two of four points, its end point left out
    -> (SEGMENTS, 2).
    """
    t = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(p, axis=0), axis=1) ** 0.5)])
    now = (t[1] + np.arange(SEGMENTS) / SEGMENTS * (t[2] - t[1]))[:, None]

    def mix(left: np.ndarray, right: np.ndarray, i: int, j: int) -> np.ndarray:
        return ((t[j] - now) * left + (now - t[i]) * right) / (t[j] - t[i])

    a = [mix(p[i], p[i + 1], i, i + 1) for i in range(3)]
    b = [mix(a[i], a[i + 1], i, i + 2) for i in range(2)]
    return mix(b[0], b[1], 1, 2)


def _cardinal(p: np.ndarray, tension: float) -> np.ndarray:
    """Cubic Hermite with the tangents (1 − tension)/2 · (next − previous)."""
    w = (np.arange(SEGMENTS) / SEGMENTS)[:, None]
    one, two = ((1 - tension) / 2 * (p[i + 2] - p[i]) for i in range(2))
    return (
        (2 * w**3 - 3 * w**2 + 1) * p[1]
        + (3 * w**2 - 2 * w**3) * p[2]
        + (w**3 - 2 * w**2 + w) * one
        + (w**3 - w**2) * two
    )


def _bspline(p: np.ndarray) -> np.ndarray:
    """Uniform cubic B-spline: near its points, through the first and the last."""
    w = (np.arange(SEGMENTS) / SEGMENTS)[:, None]
    basis = ((1 - w) ** 3, 3 * w**3 - 6 * w**2 + 4, -3 * w**3 + 3 * w**2 + 3 * w + 1, w**3)
    return (basis[0] * p[0] + basis[1] * p[1] + basis[2] * p[2] + basis[3] * p[3]) / 6


# ---- what a point carries ----


def stroke_offsets(stroke: Stroke) -> np.ndarray:
    """(N, 2): the points that move with the track, as offsets from the moving point."""
    if stroke.kind in ("grid", "camera") and stroke.grid:
        return grid_offsets(stroke.grid)
    if stroke.kind == "region" and stroke.region:
        return region_offsets(stroke.region)
    return brush_offsets(stroke.brush)


def brush_offsets(brush: Brush | None) -> np.ndarray:
    """(N, 2): the centre, then the other points of the brush row by row."""
    centre = np.zeros((1, 2))
    if brush is None or brush.radius <= 0 or brush.spacing <= 0:
        return centre
    if 2 * (brush.radius / brush.spacing) - 1 > math.sqrt(2 * MAX_TRACKS):
        raise ValueError(
            f"brush: expected at most {MAX_TRACKS} points, got a radius of {brush.radius:g} with a spacing "
            f"of {brush.spacing:g}"
        )
    reach = int(brush.radius / brush.spacing) + 1
    iy, ix = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    grid = np.stack([ix, iy], axis=-1).reshape(-1, 2)
    grid = grid[grid.any(axis=1)] * brush.spacing
    return np.concatenate([centre, grid[(grid**2).sum(axis=1) <= brush.radius**2 + 1e-6]])


def grid_offsets(grid: Grid) -> np.ndarray:
    """(rows · columns, 2): row by row from the top left corner; a single column or row lies in the middle."""
    xs, ys = (
        np.linspace(-side / 2, side / 2, count) if count > 1 else np.zeros(1)
        for side, count in ((grid.width, grid.columns), (grid.height, grid.rows))
    )
    return np.stack(np.meshgrid(xs, ys), axis=-1).reshape(-1, 2)


def region_offsets(region: Region) -> np.ndarray:
    """(N, 2): the points (ix·spacing, iy·spacing) in the painted area row by row; its first painted place
    where it holds none.
    """
    lines = [np.array(line, dtype=np.float64) for line in region.lines]
    every = np.concatenate(lines)
    low, high = (
        np.floor((every.min(0) - region.radius) / region.spacing),
        np.ceil((every.max(0) + region.radius) / region.spacing),
    )
    if np.prod(high - low + 1) > 4 * MAX_TRACKS:
        raise ValueError(
            f"region: expected at most {4 * MAX_TRACKS} points to look at, got a spacing of "
            f"{region.spacing:g} px"
        )
    grid = (
        np.stack(np.meshgrid(*(np.arange(low[axis], high[axis] + 1) for axis in (0, 1))), axis=-1).reshape(
            -1, 2
        )
        * region.spacing
    )
    inside = np.any([_square_distance(grid, line) <= region.radius**2 + AREA_SLACK for line in lines], axis=0)
    return grid[inside] if inside.any() else every[:1]


def _square_distance(points: np.ndarray, line: np.ndarray) -> np.ndarray:
    """(N,): the squared distance of each point to the polyline."""
    best = ((points - line[0]) ** 2).sum(1)
    for a, b in zip(line[:-1], line[1:]):
        along = b - a
        length = (along**2).sum()
        w = np.clip((points - a) @ along / length, 0, 1) if length > 0 else np.zeros(len(points))
        best = np.minimum(best, ((points - a - w[:, None] * along) ** 2).sum(1))
    return best


def border_pins(width: int, height: int) -> np.ndarray:
    """(N, 2): points along the border, 4 px inside it and about 16 px apart, clockwise from the top left
    corner.
    """
    right, bottom = width - 1 - INSET, height - 1 - INSET
    nx, ny = (max(1, math.floor((side - INSET) / PIN_STEP + 0.5)) for side in (right, bottom))
    xs, ys = np.linspace(INSET, right, nx + 1), np.linspace(INSET, bottom, ny + 1)
    top = [(x, INSET) for x in xs[:-1]]
    down = [(right, y) for y in ys[:-1]]
    back = [(x, bottom) for x in xs[:0:-1]]
    up = [(INSET, y) for y in ys[:0:-1]]
    return np.array([*top, *down, *back, *up], dtype=np.float64)
