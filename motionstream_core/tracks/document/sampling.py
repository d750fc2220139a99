"""From a track document to tracks: curves, time, the points a track carries, cameras. The rules, number by
number, are docs/track-document.md.

The browser's geometry.js mirrors it and both meet tests/golden/spline.json. Knows nothing of JSON.
Shapes: control points and polylines (P, 2) float64 pixels. offsets (N, 2). positions (T, N, 2). Shares of
time and way (T,).
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch

from ..types import Tracks, require_on_canvas
from .model import MAX_FRAMES, MAX_POSITIONS, Document, Key, Stroke
from .offsets import border_pins, document_offsets

SEGMENTS = 32
SAME = 1e-6
BLOCK = 1_000_000  # positions that are sampled at once
EASED = ("linear", "in", "out", "in-out", "hold", "smooth")


def document_to_tracks(document: Document, frames: int | None = None) -> Tracks:
    """All points of the document through `frames` frames, its own by default: the strokes in order, the
    border pins last.

    Raises ValueError when there is no point, when none is ever on the canvas, or when there are too many.
    """
    frames = document.frames if frames is None else frames
    if not 1 <= frames <= MAX_FRAMES:
        raise ValueError(f"frames: expected 1 to {MAX_FRAMES}, got {frames}")
    drawn = document.drawn
    offsets = document_offsets(document)
    pins = border_pins(document.width, document.height) if document.pin_border else np.zeros((0, 2))
    count = sum(map(len, offsets)) + len(pins)
    if not count:
        raise ValueError(
            "track document: expected at least one visible track with points, got none in "
            f"{len(document.tracks)} tracks"
        )
    if count * frames > MAX_POSITIONS:
        raise ValueError(
            f"track document: expected at most {MAX_POSITIONS} positions, got {count} points in {frames} "
            "frames"
        )
    carrier = Carrier([stroke for stroke in drawn if stroke.kind == "camera" and stroke.carries], frames)
    xy = np.empty((frames, count, 2), dtype=np.float32)
    visible = np.ones((frames, count), dtype=bool)
    at = 0
    # Places beyond what a number holds are named by Tracks.
    with np.errstate(over="ignore", invalid="ignore"):
        for stroke, offset in zip(drawn, offsets):
            part = slice(at, at + len(offset))
            for some in blocks(frames, len(offset)):
                places = sample_positions(stroke, offset, frames, some)
                xy[some, part] = places if stroke.kind == "camera" else carrier.carry(places, some)
            visible[:, part] = sample_visibility(stroke, frames)[:, None]
            at += len(offset)
    xy[:, at:] = pins
    tracks = Tracks(
        torch.from_numpy(xy), torch.from_numpy(visible), document.width, document.height, document.fps
    )
    return require_on_canvas(tracks)


# ---- where a track's points are ----


def blocks(frames: int, points: int) -> Iterator[slice]:
    """Frames that are sampled at once, so that nothing but the result takes much memory."""
    step = max(1, BLOCK // points)
    return (slice(start, min(frames, start + step)) for start in range(0, frames, step))


def sample_positions(stroke: Stroke, offsets: np.ndarray, frames: int, some: slice) -> np.ndarray:
    """(T, N, 2): the points in `some` of the frames, turned and scaled as far as the way is gone."""
    share = path_fractions(stroke, frames)[some]
    centre = sample_centres(stroke, share)
    if stroke.kind == "pin" or (stroke.turn == 0 and stroke.scale == 1):
        return centre[:, None] + offsets
    return centre[:, None] + np.einsum("tij,nj->tni", sample_turns(stroke, share), offsets)


def sample_centres(stroke: Stroke, share: np.ndarray) -> np.ndarray:
    """(T, 2): the moving point itself, at these shares (T,) of its way."""
    if stroke.kind == "pin":
        return np.tile(np.array(stroke.points[0]), (len(share), 1))
    line = stroke_line(stroke)
    gone = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    return np.stack([np.interp(share * gone[-1], gone, line[:, axis]) for axis in (0, 1)], axis=1)


def sample_turns(stroke: Stroke, share: np.ndarray) -> np.ndarray:
    """(frames, 2, 2): the turn and growth of what the point carries."""
    angle = np.radians(stroke.turn) * share
    cos, sin = np.cos(angle), np.sin(angle)
    return (
        np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)], -2)
        * (stroke.scale**share)[:, None, None]
    )


class Carrier:
    """The cameras that move the other tracks too, one after the other, in one move: what they cost grows with
    the cameras and with the tracks, not with both.
    """

    def __init__(self, cameras: list[Stroke], frames: int):
        self._some = bool(cameras)
        # (T, 2, 2), the place that it leaves where it is (2,), and where that goes (T, 2).
        self._turn = np.empty(0)
        self._pivot = np.zeros(2)
        self._to = np.empty(0)
        for number, camera in enumerate(cameras):
            share = path_fractions(camera, frames)
            turn, to = sample_turns(camera, share), sample_centres(camera, share)
            pivot = np.array(camera.points[0])
            if not number:
                self._turn, self._pivot, self._to = turn, pivot, to
                continue
            with np.errstate(over="ignore", invalid="ignore"):
                self._to = to + np.einsum("tij,tj->ti", turn, self._to - pivot)
                self._turn = turn @ self._turn

    def carry(self, xy: np.ndarray, some: slice) -> np.ndarray:
        """The places (T, N, 2) in these frames under all cameras."""
        if not self._some:
            return xy
        return self._to[some, None] + np.einsum("tij,tnj->tni", self._turn[some], xy - self._pivot)


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
    eased = (w, w**2, 1 - (1 - w) ** 2, w**2 * (3 - 2 * w), (w >= 1) * 1.0)
    kind = np.array([EASED.index(key.ease) for key in keys])[piece]
    straight = low + (high - low) * np.choose(np.minimum(kind, len(eased) - 1), eased)
    return np.where(kind == EASED.index("smooth"), smooth, straight)


def fit_slopes(t: np.ndarray, s: np.ndarray) -> np.ndarray:
    """Slopes at the keys that keep a cubic Hermite from ever falling (Fritsch and Butland 1984). At both ends
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
    seen = np.zeros(frames, dtype=bool)
    reached = 0
    # Ranges may overlap: each frame is written once.
    for first, last in sorted(stroke.shown):
        begin = max(reached, math.ceil(min(first, frames)))
        end = min(frames, math.floor(last) + 1)
        if end > begin:
            seen[begin:end] = True
            reached = end
    return seen


# ---- curves ----


def stroke_line(stroke: Stroke) -> np.ndarray:
    """The way of the moving point as straight segments."""
    curved = stroke.kind in ("path", "region", "grid", "camera", "object")
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
    # (S, 4, 2): the four points of each span.
    spans = np.stack([p[i : len(p) - 3 + i] for i in range(4)], axis=1)
    if interpolation == "spline":
        made = _catmull_rom(spans)
    elif interpolation == "cardinal":
        made = _cardinal(spans, tension)
    else:
        made = _bspline(spans)
    return np.concatenate([made.reshape(-1, 2), p[-2:-1]])


def _catmull_rom(p: np.ndarray) -> np.ndarray:
    """Centripetal: Barry and Goldman's pyramid between the inner two of four points (S, 4, 2), its end point
    left out -> (S, SEGMENTS, 2).
    """
    steps = np.linalg.norm(np.diff(p, axis=1), axis=2) ** 0.5
    t = np.concatenate([np.zeros((len(p), 1)), np.cumsum(steps, axis=1)], axis=1)[:, :, None, None]
    now = t[:, 1] + (np.arange(SEGMENTS) / SEGMENTS)[:, None] * (t[:, 2] - t[:, 1])

    def mix(left: np.ndarray, right: np.ndarray, i: int, j: int) -> np.ndarray:
        return ((t[:, j] - now) * left + (now - t[:, i]) * right) / (t[:, j] - t[:, i])

    q = p[:, :, None]
    a = [mix(q[:, i], q[:, i + 1], i, i + 1) for i in range(3)]
    b = [mix(a[i], a[i + 1], i, i + 2) for i in range(2)]
    return mix(b[0], b[1], 1, 2)


def _cardinal(p: np.ndarray, tension: float) -> np.ndarray:
    """Cubic Hermite with the tangents (1 − tension)/2 · (next − previous)."""
    w = (np.arange(SEGMENTS) / SEGMENTS)[:, None]
    p = p[:, :, None]
    one, two = ((1 - tension) / 2 * (p[:, i + 2] - p[:, i]) for i in range(2))
    return (
        (2 * w**3 - 3 * w**2 + 1) * p[:, 1]
        + (3 * w**2 - 2 * w**3) * p[:, 2]
        + (w**3 - 2 * w**2 + w) * one
        + (w**3 - w**2) * two
    )


def _bspline(p: np.ndarray) -> np.ndarray:
    """Uniform cubic B-spline: near its points, through the first and the last."""
    w = (np.arange(SEGMENTS) / SEGMENTS)[:, None]
    basis = ((1 - w) ** 3, 3 * w**3 - 6 * w**2 + 4, -3 * w**3 + 3 * w**2 + 3 * w + 1, w**3)
    p = p[:, :, None]
    return (basis[0] * p[:, 0] + basis[1] * p[:, 1] + basis[2] * p[:, 2] + basis[3] * p[:, 3]) / 6
