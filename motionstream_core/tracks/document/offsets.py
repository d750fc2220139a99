"""What the points of a track document carry: brushes, grids, painted areas, the pins of the border.

Owns how many points that is, which is known before any of them is made. Knows nothing of time.
Shapes: offsets (N, 2) float64 pixels from the moving point.
"""

from __future__ import annotations

import math

import numpy as np

from ..masks import fill_outlines
from .model import MAX_TRACKS, Brush, CutOut, Document, Grid, Region, Stroke

INSET = 4
PIN_STEP = 16
AREA_SLACK = 1e-6
MAX_PLACES = 4 * MAX_TRACKS  # of one region that are looked at
# Places × pieces of painted line that the regions of a document may have looked at.
MAX_REGION_WORK = 30_000_000


def document_offsets(document: Document) -> list[np.ndarray]:
    """The offsets of every drawn stroke, in order.

    Raises ValueError, before it makes them, for more points than a document may have.
    """
    left = MAX_TRACKS
    made = []
    painted = [stroke.region for stroke in document.drawn if stroke.kind == "region" and stroke.region]
    work = sum(map(region_work, painted))
    work += sum(cut_out_work(stroke.cut_out) for stroke in document.drawn if stroke.cut_out)
    if work > MAX_REGION_WORK:
        raise ValueError(
            f"track document: expected regions of at most {MAX_REGION_WORK} places times lines, got {work}"
        )
    for stroke in document.drawn:
        made.append(stroke_offsets(stroke))
        left -= len(made[-1])
        if left < 0:
            raise ValueError(f"track document: expected at most {MAX_TRACKS} points, got more")
    return made


def stroke_offsets(stroke: Stroke) -> np.ndarray:
    """(N, 2): the points that move with the track, as offsets from the moving point."""
    if stroke.kind in ("grid", "camera") and stroke.grid:
        return grid_offsets(stroke.grid)
    if stroke.kind == "region" and stroke.region:
        return region_offsets(stroke.region)
    if stroke.kind == "object" and stroke.cut_out:
        return cut_out_offsets(stroke.cut_out)
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


def brush_count(brush: Brush | None) -> int:
    """How many points `brush_offsets` gives, but for rounding at its edge. Makes none of them.

    Raises ValueError where they are too many by far.
    """
    if brush is None or brush.radius <= 0 or brush.spacing <= 0:
        return 1
    reach = brush.radius / brush.spacing
    if 2 * reach - 1 > math.sqrt(2 * MAX_TRACKS):
        raise ValueError(
            f"brush: expected at most {MAX_TRACKS} points, got a radius of {brush.radius:g} with a spacing "
            f"of {brush.spacing:g}"
        )
    rows = np.arange(1, int(reach) + 1)
    half = np.floor(np.sqrt(np.maximum(0.0, reach**2 - rows**2)))
    return int(2 * int(reach) + 1 + 2 * (2 * half + 1).sum())


def grid_offsets(grid: Grid) -> np.ndarray:
    """(rows · columns, 2): row by row from the top left corner. A single column or row lies in the middle."""
    xs, ys = (
        np.linspace(-side / 2, side / 2, count) if count > 1 else np.zeros(1)
        for side, count in ((grid.width, grid.columns), (grid.height, grid.rows))
    )
    return np.stack(np.meshgrid(xs, ys), axis=-1).reshape(-1, 2)


def region_offsets(region: Region) -> np.ndarray:
    """(N, 2): the points (ix·spacing, iy·spacing) in the painted area row by row. Its first painted place
    where it holds none.
    """
    low, high = _region_box(region)
    if np.prod(high - low + 1) > MAX_PLACES:
        raise ValueError(
            f"region: expected at most {MAX_PLACES} points to look at, got a spacing of {region.spacing:g} px"
        )
    lines = [np.array(line, dtype=np.float64) for line in region.lines]
    grid = (
        np.stack(np.meshgrid(*(np.arange(low[axis], high[axis] + 1) for axis in (0, 1))), axis=-1).reshape(
            -1, 2
        )
        * region.spacing
    )
    inside = np.zeros(len(grid), dtype=bool)
    for line in lines:
        inside |= _square_distance(grid, line) <= region.radius**2 + AREA_SLACK
    return grid[inside] if inside.any() else np.array(region.lines[0][:1], dtype=np.float64)


def cut_out_offsets(cut_out: CutOut) -> np.ndarray:
    """(N, 2): the points (ix·spacing, iy·spacing) in the object row by row. The moving point itself where it
    holds none.
    """
    low, high = _cut_out_box(cut_out)
    if np.prod(high - low + 1) > MAX_PLACES:
        raise ValueError(
            f"object: expected at most {MAX_PLACES} points to look at, got a spacing of "
            f"{cut_out.spacing:g} px"
        )
    lines = [np.array(line, dtype=np.float64) / cut_out.spacing - low for line in cut_out.outlines]
    columns, rows = (int(high[axis] - low[axis]) + 1 for axis in (0, 1))
    inside = np.argwhere(fill_outlines(lines, columns, rows))[:, ::-1]
    return (inside + low) * cut_out.spacing if len(inside) else np.zeros((1, 2))


def cut_out_work(cut_out: CutOut) -> int:
    """Rows to look at times edges that may cross them."""
    low, high = _cut_out_box(cut_out)
    rows = min(float(high[1] - low[1] + 1), MAX_PLACES)
    return int(rows) * sum(map(len, cut_out.outlines))


def _cut_out_box(cut_out: CutOut) -> tuple[np.ndarray, np.ndarray]:
    """The first and the last place of its grid, as (ix, iy)."""
    every = np.array([point for line in cut_out.outlines for point in line], dtype=np.float64)
    return np.floor(every.min(0) / cut_out.spacing), np.ceil(every.max(0) / cut_out.spacing)


def region_work(region: Region) -> int:
    """Places to look at times pieces of line to measure from."""
    low, high = _region_box(region)
    places = min(float(np.prod(high - low + 1)), MAX_PLACES)
    return int(places) * sum(map(len, region.lines))


def _region_box(region: Region) -> tuple[np.ndarray, np.ndarray]:
    """The first and the last place of its grid, as (ix, iy)."""
    every = np.array([point for line in region.lines for point in line], dtype=np.float64)
    low = np.floor((every.min(0) - region.radius) / region.spacing)
    return low, np.ceil((every.max(0) + region.radius) / region.spacing)


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
