"""A video tracked while a stream runs: its pictures at the stream's rate, the points brought to the stream's
canvas frame by frame.

Owns the choice of pictures in time and the one placement that all frames get. Knows nothing of the stream
(`live/track_stream.py` pulls), files or hosts. Shapes: pictures (H, W, 3) uint8 with moments in seconds.
positions (N, 2) float32 on the canvas, visible (N,).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..types import Tracks, require_on_canvas
from .camera_motion import move_box
from .follow import follow_points
from .moving_least_squares import fill_hidden_points
from .retarget import (
    SHAPES,
    Box,
    Seeds,
    area_of,
    box_round,
    boxes_of_move,
    place_on_canvas,
    rest_grid,
    select_on_target,
)
from .trackers import PointTracker

TimedFrames = Generator[tuple[np.ndarray, float], None, None]


def frames_at_rate(timed_frames: Iterable[tuple[np.ndarray, float]], fps: float) -> TimedFrames:
    """One picture for every frame of a video at `fps`: the newest there is at its moment, shown again where
    none is newer.
    """
    number, begin, last = 0, None, None
    for timed in timed_frames:
        begin = timed[1] if begin is None else begin
        while last is not None and begin + number / fps < timed[1] - 1e-6:
            yield last[0], number / fps
            number += 1
        last = timed
    while last is not None and begin is not None and begin + number / fps <= last[1] + 1e-6:
        yield last[0], number / fps
        number += 1


@dataclass(frozen=True)
class Placement:
    """How positions in a source of one size become positions on the canvas: kept (K,) of the followed points,
    source box → goal box, points of the ground (G, 2) that rest, and where the kept points (K, 2) start in
    the source if they belong to one thing that keeps together.
    """

    size: tuple[int, int]
    canvas: tuple[int, int]
    kept: np.ndarray
    boxes: tuple[Box, Box] | None
    ground: np.ndarray
    start: np.ndarray | None = None

    def __call__(self, xy: np.ndarray, visible: np.ndarray) -> tuple[Tensor, Tensor]:
        own, seen = xy[self.kept], visible[self.kept]
        placed = self._moved(
            *(own, seen) if self.start is None else fill_hidden_points(self.start, own, seen)
        )
        xy_ = torch.cat([placed.xy[0], torch.from_numpy(self.ground).float()])
        shown = torch.cat([placed.visible[0], torch.ones(len(self.ground), dtype=torch.bool)])
        low, high = torch.tensor([-0.5, -0.5]), torch.tensor([self.canvas[0] - 0.5, self.canvas[1] - 0.5])
        return xy_, shown & ((xy_ >= low) & (xy_ <= high)).all(-1)

    def _moved(self, xy: np.ndarray, visible: np.ndarray) -> Tracks:
        tracks = place_on_canvas(
            Tracks(torch.from_numpy(xy)[None], torch.from_numpy(visible)[None], *self.size), *self.canvas
        )
        return tracks if self.boxes is None else move_box(tracks, *self.boxes)


def place_seeds(
    seeds: Seeds,
    size: tuple[int, int],
    width: int,
    height: int,
    target: Any = None,
    shape: str = SHAPES[0],
    hold_ground: bool = True,
) -> Placement:
    """Without a target the source covers the canvas. With one the subject's points go to it, and the ground
    rests where asked for.

    Args:
        seeds: the points to follow.
        size: width and height of the source in pixels.
        width: of the canvas in pixels.
        height: of the canvas in pixels.
        target: a mask or boxes on the canvas.
        shape: how the subject fits the target, one of SHAPES.
        hold_ground: whether the ground rests.
    """
    whole = Placement(size, (width, height), np.ones(len(seeds.xy), bool), None, np.zeros((0, 2)))
    if target is None:
        return whole
    area, box = area_of(target, width, height, "target"), seeds.box or box_round(seeds.xy)
    moved = replace(whole, boxes=boxes_of_move(box, *size, area, shape))
    start = moved(seeds.xy, np.ones(len(seeds.xy), bool))
    kept = select_on_target(start[0].numpy(), area, seeds.by_hand)
    return replace(
        moved, kept=kept, start=seeds.xy[kept], ground=rest_grid(area) if hold_ground else np.zeros((0, 2))
    )


def placed_positions(
    timed_frames: TimedFrames,
    seeds: Seeds,
    tracker: PointTracker,
    place: Placement,
    *,
    longest: int | None = None,
    on_frame: Callable[[int], None] | None = None,
) -> Iterator[tuple[Tensor, Tensor]]:
    """The positions on the canvas, frame by frame as they are asked for.

    Args:
        timed_frames: pictures with their moments.
        seeds: the points to follow.
        tracker: follows the points.
        place: from the source to the canvas.
        longest: larger pictures are scaled down to this longer side for the tracker.
        on_frame: called with the number of each frame that is read. May raise to stop.
    """
    for seen in follow_points(
        timed_frames, lambda width, height: seeds.xy, tracker, longest=longest, on_frame=on_frame
    ):
        yield place(seen.xy, seen.visible)


@dataclass(frozen=True)
class LiveVideoTracks:
    """A video to be tracked as it is asked for. first: the one frame known by now, on the canvas. static
    (N,): the ground. groups (N,): the subject is one handle, everything else none. open() begins the video
    anew.
    """

    first: Tracks
    static: Tensor
    groups: Tensor
    open: Callable[[], Iterator[tuple[Tensor, Tensor]]]


def open_live_tracks(
    timed_frames: Callable[[], TimedFrames],
    tracker: Callable[[], PointTracker],
    seeds: Callable[[int, int], Seeds],
    width: int,
    height: int,
    fps: float,
    *,
    target: Any = None,
    shape: str = SHAPES[0],
    hold_ground: bool = True,
    longest: int | None = None,
    on_frame: Callable[[int], None] | None = None,
) -> LiveVideoTracks:
    """Reads the first picture alone: which points will be followed, and where they are on the canvas.

    Args:
        timed_frames: opens the video at its beginning.
        tracker: makes a tracker for each time it is opened.
        seeds: (width, height) -> the points.
        width: of the canvas in pixels.
        height: of the canvas in pixels.
        fps: frames a second.
        target: a mask or boxes on the canvas.
        shape: how the subject fits the target, one of SHAPES.
        hold_ground: whether the ground rests.
        longest: larger pictures are scaled down to this longer side for the tracker.
        on_frame: called with the number of each frame that is read. May raise to stop.
    """
    opened = timed_frames()
    picture = next(opened, (None, 0.0))[0]
    if picture is None:
        raise ValueError("video: expected at least one frame, got none")
    opened.close()
    size = (picture.shape[1], picture.shape[0])
    chosen = seeds(*size)
    place = place_seeds(chosen, size, width, height, target, shape, hold_ground)
    xy, visible = place(chosen.xy.astype(np.float32), np.ones(len(chosen.xy), bool))
    static = torch.arange(len(xy)) >= int(place.kept.sum())
    groups = torch.where(static | (chosen.subject is None), -1, 0)
    first = require_on_canvas(Tracks(xy[None], visible[None], width, height, fps))

    def begin() -> Iterator[tuple[Tensor, Tensor]]:
        return placed_positions(
            frames_at_rate(timed_frames(), fps), chosen, tracker(), place, longest=longest, on_frame=on_frame
        )

    return LiveVideoTracks(first, static, groups, begin)
