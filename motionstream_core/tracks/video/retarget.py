"""Motion of a source video brought to another picture: the subject's to the new subject, the camera's under
everything.

Owns masks and boxes as places of a subject, which points are followed for it, and the way from source to
canvas. Knows nothing of videos or hosts. What is subject and what camera `camera_motion.py` says. Shapes: xy
(T, N, 2) pixels. masks (H, W) bool. Boxes (x, y, width, height), x and y of the first pixel's centre.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from ..camera.moves import fit_map, regular_grid
from ..compose import camera_over_objects
from ..homography import apply_homography
from ..types import Tracks
from .camera_motion import cover_canvas, fit_background_motion, move_box, select_part
from .moving_least_squares import fill_hidden_points

Box = tuple[float, float, float, float]
SHAPES = ("keep its shape", "fill the target")
FEWEST = 64  # points a subject gets at least, where it has the pixels
REST = 16  # points of the ground along the longer side


@dataclass(frozen=True)
class Seeds:
    """The points followed: xy (N, 2) in the first frame. subject (N,) which of them are on the subject, None:
    nobody said. box: the subject's.
    by_hand: its points were clicked one by one, and all of them are wanted."""

    xy: np.ndarray
    subject: np.ndarray | None = None
    box: Box | None = None
    by_hand: bool = False


def area_of(place: Any, width: int, height: int, name: str) -> np.ndarray:
    """A mask (H, W) of any size, fitted as a picture that covers the canvas, or a box or list of boxes (dicts
    x, y, width, height in pixels of the canvas) -> (height, width) bool. ValueError for an empty one.
    """
    if isinstance(place, Mapping) or (isinstance(place, Sequence) and not isinstance(place, str)):
        area = _boxes_area(place, width, height, name)
    else:
        mask = np.asarray(place)
        mask = mask[0] if mask.ndim == 3 else mask
        if mask.ndim != 2 or min(mask.shape) < 1:
            raise ValueError(f"{name}: expected a mask (H, W), got {np.asarray(place).shape}")
        area = fit_map(mask, width, height) > 0.5
    if not area.any():
        raise ValueError(
            f"{name}: expected one that marks some of the {width}x{height} picture, got an empty one"
        )
    return area


def _boxes_area(place: Any, width: int, height: int, name: str) -> np.ndarray:
    boxes = [place] if isinstance(place, Mapping) else list(place)
    if boxes and not isinstance(boxes[0], Mapping):
        boxes = list(boxes[0])  # boxes of every frame: the first frame's
    area = np.zeros((height, width), bool)
    for box in boxes:
        try:
            left, top, wide, high = (float(box[key]) for key in ("x", "y", "width", "height"))
        except (KeyError, TypeError, ValueError):
            raise ValueError(f"{name}: expected boxes with x, y, width and height, got {box!r:.80}") from None
        area[
            max(0, round(top)) : max(0, round(top + high)), max(0, round(left)) : max(0, round(left + wide))
        ] = True
    return area


def box_of(area: np.ndarray) -> Box:
    """The box round the marked pixels of (H, W)."""
    rows, columns = np.flatnonzero(area.any(1)), np.flatnonzero(area.any(0))
    return (
        float(columns[0]),
        float(rows[0]),
        float(columns[-1] - columns[0] + 1),
        float(rows[-1] - rows[0] + 1),
    )


def seeds_for(
    width: int,
    height: int,
    columns: int,
    rows: int,
    *,
    mask: Any = None,
    clicked: np.ndarray | None = None,
    only_subject: bool = False,
) -> Seeds:
    """Which points to follow in a source: a grid, the clicked points, and more on a small subject. The
    subject is what the mask (or boxes) marks and the clicked points.

    Args:
        width: of the source in pixels.
        height: of the source in pixels.
        columns: of the grid.
        rows: of the grid.
        mask: a mask or boxes that mark the subject.
        clicked: (K, 2) pixels.
        only_subject: nothing else is followed.
    """
    grid = regular_grid(width, height, columns, rows)
    if mask is None and clicked is None:
        return Seeds(grid)
    on = np.zeros(len(grid), bool)
    box = None
    more = np.zeros((0, 2))
    if mask is not None:
        area = area_of(mask, width, height, "mask")
        on = select_marked(area, grid)
        box = box_of(area)
        if on.sum() < FEWEST:
            wide, high = round(box[2]), round(box[3])
            fine = regular_grid(wide, high, min(columns, wide), min(rows, high)) + box[:2]
            more = fine[select_marked(area, fine)]
            grid = grid[~select_marked(area, grid)]
            on = np.zeros(len(grid), bool)
    if clicked is not None:
        inside = ((clicked >= -0.5) & (clicked <= [width - 0.5, height - 0.5])).all(1)
        if not inside.all():
            raise ValueError(
                f"points: expected places on the source's first frame of {width}x{height}, got "
                f"{clicked[~inside][0].tolist()}"
            )
        more = np.concatenate([more, clicked.clip(0, [width - 1, height - 1])])
    xy = np.concatenate([grid, more])
    subject = np.concatenate([on, np.ones(len(more), bool)])
    box = box or box_round(xy[subject])
    by_hand = mask is None
    if only_subject:
        return Seeds(xy[subject], subject[subject], box, by_hand)
    return Seeds(xy, subject, box, by_hand)


def box_round(xy: np.ndarray) -> Box:
    """The box round points (N, 2), at least a pixel wide and high."""
    low, high = xy.min(0), xy.max(0)
    return (
        float(low[0]),
        float(low[1]),
        max(1.0, float(high[0] - low[0] + 1)),
        max(1.0, float(high[1] - low[1] + 1)),
    )


def select_marked(area: np.ndarray, xy: np.ndarray) -> np.ndarray:
    """(N,): which points lie on a marked pixel. Those beyond the edge count as on it."""
    cells = np.rint(xy).astype(int).clip(0, [area.shape[1] - 1, area.shape[0] - 1])
    return area[cells[:, 1], cells[:, 0]]


def cover_box(tracks: Tracks, width: int, height: int) -> Box:
    """Where the source's picture lies on a canvas it is scaled to cover."""
    scale = max(width / tracks.width, height / tracks.height)
    return (
        (width - tracks.width * scale) / 2 - 0.5,
        (height - tracks.height * scale) / 2 - 0.5,
        tracks.width * scale,
        tracks.height * scale,
    )


def place_on_canvas(tracks: Tracks, width: int, height: int) -> Tracks:
    """The tracks of a source that covers width × height, those beyond it included."""
    moved = move_box(tracks, (-0.5, -0.5, tracks.width, tracks.height), cover_box(tracks, width, height))
    return replace(moved, width=width, height=height)


def target_box(source: Box, target: Box, shape: str) -> Box:
    """Where the source's box goes: onto the target's, or into its middle, in its own proportions and as large
    as fits.
    """
    if shape not in SHAPES:
        raise ValueError(f"shape: expected one of {', '.join(SHAPES)}, got {shape!r}")
    if shape == SHAPES[1]:
        return target
    scale = min(target[2] / source[2], target[3] / source[3])
    wide, high = source[2] * scale, source[3] * scale
    return target[0] + (target[2] - wide) / 2, target[1] + (target[3] - high) / 2, wide, high


def boxes_of_move(
    box: Box, source_width: int, source_height: int, area: np.ndarray, shape: str
) -> tuple[Box, Box]:
    """From where to where a subject moves on the canvas: its box in a source that covers it, and the place
    for it on the marked area.

    Args:
        box: the subject's in the source.
        source_width: in pixels.
        source_height: in pixels.
        area: (H, W) bool, marked on the canvas.
        shape: how the box fits the area, one of SHAPES.
    """
    height, width = area.shape
    corners = torch.tensor([[[box[0] - 0.5, box[1] - 0.5], [box[0] + box[2] - 0.5, box[1] + box[3] - 0.5]]])
    low, high = (
        place_on_canvas(Tracks(corners, torch.ones(1, 2), source_width, source_height), width, height)
        .xy[0]
        .tolist()
    )
    source: Box = (low[0], low[1], high[0] - low[0], high[1] - low[1])
    left, top, wide, tall = box_of(area)
    return source, target_box(source, (left - 0.5, top - 0.5, wide, tall), shape)


def select_on_target(xy: np.ndarray, area: np.ndarray, by_hand: bool) -> np.ndarray:
    """(N,): which points start on the target. Those clicked by hand need only be on the canvas. ValueError
    where none does.
    """
    inside = _within(xy, area.shape[1], area.shape[0]) & (by_hand | select_marked(area, xy))
    if not inside.any():
        raise ValueError(
            "target: expected one that some of the subject's points fall on, got none (make it larger, or "
            "let the motion fill the target)"
        )
    return inside


def rest_grid(area: np.ndarray) -> np.ndarray:
    """Points (G, 2) of the canvas off the marked area."""
    height, width = area.shape
    step = max(width, height) / REST
    grid = regular_grid(width, height, max(2, round(width / step)), max(2, round(height / step)))
    return grid[~select_marked(area, grid)]


def retarget_tracks(
    tracks: Tracks,
    seeds: Seeds,
    part: str,
    width: int,
    height: int,
    target: Any = None,
    shape: str = SHAPES[0],
    rest: bool = True,
) -> Tracks:
    """What `part` names of a source's tracks, on a canvas width × height.

    Without a target the source's picture covers the canvas. With one the subject's own motion goes from its
    box to the target's box and is scaled with it. Only points that start on the target are kept (all that
    were clicked), and those that the source hides for a while go with the ones around them. For everything,
    the camera's motion then moves it and the ground round it. For the subject alone the ground rests. The
    camera alone has no target.

    Args:
        tracks: of the source.
        seeds: where they began, and which are the subject's.
        part: everything, the subject or the camera.
        width: of the canvas in pixels.
        height: of the canvas in pixels.
        target: a mask or boxes on the canvas.
        shape: how the subject fits the target, one of SHAPES.
        rest: whether the ground rests or is left free.
    """
    if target is None or part == "camera":
        on = None if seeds.subject is None or seeds.subject.all() else seeds.subject
        return cover_canvas(select_part(tracks, part, on), width, height)
    subject = seeds.subject
    still = np.repeat(np.eye(3)[None], tracks.frames, 0)
    if subject is not None and subject.all():
        own = tracks
        homographies = still
    else:
        own = select_part(tracks, "subject", subject)
        homographies = fit_background_motion(tracks, None if subject is None else ~subject)
    area = area_of(target, width, height, "target")
    box = seeds.box or box_round(own.xy[0].numpy())
    source, goal = boxes_of_move(box, tracks.width, tracks.height, area, shape)
    own = move_box(place_on_canvas(own, width, height), source, goal)
    kept = select_on_target(own.xy[0].numpy(), area, seeds.by_hand)
    own = fill_hidden_tracks(own.select(torch.from_numpy(kept)))
    if part == "subject" and not rest:
        return drop_offscreen(own)
    ground = _ground(own, area, homographies if part == "everything" else still, tracks)
    if ground is None:
        return drop_offscreen(own)
    return drop_offscreen(camera_over_objects(own, ground, clearance=_spacing(own)))


def fill_hidden_tracks(tracks: Tracks) -> Tracks:
    """Tracks of one thing: what is hidden for a while goes with what is seen around it."""
    xy, visible = tracks.xy.numpy(), tracks.visible.numpy()
    moved = [fill_hidden_points(xy[0], *frame) for frame in zip(xy, visible)]
    return replace(
        tracks,
        xy=torch.from_numpy(np.stack([places for places, _ in moved])),
        visible=torch.from_numpy(np.stack([seen for _, seen in moved])),
    )


def _within(xy: np.ndarray, width: int, height: int) -> np.ndarray:
    return np.asarray(((xy >= -0.5) & (xy <= [width - 0.5, height - 0.5])).all(-1))


def _spacing(tracks: Tracks) -> float:
    """About how far apart the points are, at most an eighth of the canvas."""
    box = box_round(tracks.xy[0].numpy())
    return min((box[2] * box[3] / tracks.count) ** 0.5, max(tracks.width, tracks.height) / 8)


def _ground(own: Tracks, area: np.ndarray, homographies: np.ndarray, source: Tracks) -> Tracks | None:
    """Points of the canvas off the target, moved by the source's camera (T, 3, 3). None where the target is
    everything.
    """
    width, height, grid = own.width, own.height, rest_grid(area)
    if not len(grid):
        return None
    left, top, wide, _ = cover_box(source, width, height)
    scale = wide / source.width
    there = np.array([[scale, 0, left + 0.5 * scale], [0, scale, top + 0.5 * scale], [0, 0, 1]])
    moved = np.stack(
        [apply_homography(there @ homography @ np.linalg.inv(there), grid) for homography in homographies]
    )
    return Tracks(
        torch.from_numpy(moved).float(),
        torch.from_numpy(_within(moved, width, height)),
        width,
        height,
        own.fps,
    )


def drop_offscreen(tracks: Tracks) -> Tracks:
    """Without what is never seen. What leaves the canvas is hidden meanwhile."""
    visible = tracks.visible & torch.from_numpy(_within(tracks.xy.numpy(), tracks.width, tracks.height))
    kept = visible.any(0)
    if not kept.any():
        raise ValueError(f"tracks: expected some on a canvas of {tracks.width}x{tracks.height}, got none")
    return replace(tracks, xy=tracks.xy[:, kept], visible=visible[:, kept])
