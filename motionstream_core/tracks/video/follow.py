"""Points followed through a video of any length in bounded memory, and brought to another rate and number of
frames.

Owns the pull of pictures through a tracker, what is kept of a very long source, and time. Knows nothing of
files, hosts or subjects.
Shapes: a picture (H, W, 3) uint8 with its moment in seconds. xy (T, N, 2) pixels of the source. times (T,)
seconds, rising.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ..types import MAX_POSITIONS, Tracks, interpolate_positions, require_positions
from .trackers import PointTracker

KEPT = 2048  # positions in time that are kept of a source whose motion is to be stretched
TIMINGS = ("whole source", "source speed")

Points = Callable[[int, int], np.ndarray]


@dataclass(frozen=True)
class Followed:
    """tracks: on the source's canvas, at the moments `times`, which may lie unevenly. frames: how many were
    read. cuts: before which frames the scene changed, where the tracker can tell.
    """

    tracks: Tracks
    times: Tensor
    frames: int
    cuts: tuple[int, ...] = ()


@dataclass(frozen=True)
class Seen:
    """Where the points are in one frame, and the size of the picture they are in."""

    moment: float
    xy: np.ndarray
    visible: np.ndarray
    width: int
    height: int


def follow_points(
    timed_frames: Iterable[tuple[np.ndarray, float]],
    points: Points,
    tracker: PointTracker,
    *,
    longest: int | None = None,
    on_frame: Callable[[int], None] | None = None,
) -> Iterator[Seen]:
    """What the tracker finds in every frame, as it is asked for.

    Args:
        timed_frames: pictures with their moments.
        points: (width, height) -> (N, 2) in the first frame.
        tracker: follows the points.
        longest: larger pictures are scaled down to this longer side for the tracker.
        on_frame: called with the number of each frame that is read. May raise to stop.
    """
    timed_frames, moments = iter(timed_frames), deque()
    first = next(timed_frames, None)
    if first is None:
        raise ValueError("video: expected at least one frame, got none")
    height, width = first[0].shape[:2]
    chosen = np.asarray(points(width, height), dtype=np.float32)
    if chosen.ndim != 2 or chosen.shape[1] != 2 or not len(chosen):
        raise ValueError(f"points: expected at least one (N, 2) in the first frame, got {chosen.shape}")

    scale = 1.0 if longest is None else min(1.0, longest / max(width, height))

    def pictures():
        for number, (picture, moment) in enumerate(_after(first, timed_frames)):
            if picture.shape[:2] != (height, width):
                raise ValueError(
                    f"video: expected frames of one size {width}x{height}, got "
                    f"{picture.shape[1]}x{picture.shape[0]} at frame {number}"
                )
            if on_frame is not None:
                on_frame(number)
            moments.append(moment)
            yield picture if scale == 1 else shrink_picture(picture, scale)

    for xy, visible in tracker.follow(pictures(), (chosen + 0.5) * scale - 0.5):
        yield Seen(moments.popleft(), (xy + 0.5) / scale - 0.5, visible, width, height)


def shrink_picture(picture: np.ndarray, scale: float) -> np.ndarray:
    import cv2

    return cv2.resize(
        picture,
        (max(2, round(picture.shape[1] * scale)), max(2, round(picture.shape[0] * scale))),
        interpolation=cv2.INTER_AREA,
    )


def _after(first, rest):
    yield first
    yield from rest


def follow(
    timed_frames: Iterable[tuple[np.ndarray, float]],
    points: Points,
    tracker: PointTracker,
    *,
    kept: int | None = None,
    seconds: float | None = None,
    longest: int | None = None,
    on_frame: Callable[[int], None] | None = None,
) -> Followed:
    """Tracks of points through a video. Raises ValueError for a video without frames and for more positions
    than there is room for.

    Args:
        timed_frames: pictures with their moments.
        points: (width, height) -> (N, 2) in the first frame.
        tracker: follows the points.
        kept: of a longer source every second, fourth … frame is kept, so that never more than these are in
            memory. None keeps all.
        seconds: read no further than this after the first frame.
        longest: larger pictures are scaled down to this longer side for the tracker.
        on_frame: called with the number of each frame that is read. May raise to stop.
    """
    found, stride, number, last = [], 1, -1, None
    for number, last in enumerate(
        follow_points(timed_frames, points, tracker, longest=longest, on_frame=on_frame)
    ):  # noqa: B007
        if number % stride == 0:
            found.append(last)
        if kept is not None and len(found) > kept:
            found, stride = found[::2], 2 * stride
        if len(found) * len(last.xy) > MAX_POSITIONS:
            raise ValueError(
                f"video: expected at most {MAX_POSITIONS} positions, got more than {number} frames of "
                f"{len(last.xy)} points (follow fewer points or frames)"
            )
        if seconds is not None and last.moment - found[0].moment >= seconds:
            break
    if last is None:
        raise ValueError("video: expected at least one frame, got none")
    if found[-1] is not last:
        found.append(last)
    times = torch.tensor([seen.moment for seen in found], dtype=torch.float64)
    xy, visible = (
        torch.from_numpy(np.stack([getattr(seen, name) for seen in found])) for name in ("xy", "visible")
    )
    return Followed(
        Tracks(xy, visible, last.width, last.height, mean_rate(times)),
        times,
        number + 1,
        tuple(getattr(tracker, "cuts", ())),
    )


def mean_rate(times: Tensor) -> float:
    """Mean frames a second. 16 for a single frame."""
    span = float(times[-1] - times[0])
    return (len(times) - 1) / span if span > 0 else 16.0


def retime_tracks(found: Followed, frames: int, fps: float, timing: str = TIMINGS[0]) -> Tracks:
    """The motion as a video of `frames` frames (0: as many as it needs) at `fps` has it.

    "whole source": stretched so that all of it fits. "source speed": a second stays a second. What does not
    fit is left out, and once the source is over the points rest. Straight between frames in which a point is
    visible both times. Else it is as in the nearer one.
    """
    if timing not in TIMINGS:
        raise ValueError(f"timing: expected one of {', '.join(TIMINGS)}, got {timing!r}")
    if frames < 0 or not 0 < fps <= 1000:
        raise ValueError(
            f"tracks: expected at least 0 frames at a rate above 0 and at most 1000, got {frames} at {fps}"
        )
    span = float(found.times[-1] - found.times[0])
    # A gap in a video's time stamps may be years long.
    wanted = frames or (len(found.times) if timing == TIMINGS[0] else int(min(span, 1e9) * fps + 1e-6) + 1)
    require_positions(wanted, found.tracks.count)
    if timing == TIMINGS[0]:
        at = torch.linspace(0, span, frames, dtype=torch.float64) if frames else found.times - found.times[0]
    else:
        at = torch.arange(wanted, dtype=torch.float64) / fps
    return replace(sample_at(found.tracks, found.times - found.times[0], at), fps=fps)


def sample_at(tracks: Tracks, times: Tensor, at: Tensor) -> Tracks:
    """Tracks that lie at `times` (T,), rising, read at other moments (K,). Beyond the ends they rest."""
    at = at.clamp(float(times[0]), float(times[-1]))
    high = torch.searchsorted(times, at).clamp(max=len(times) - 1)
    low = (high - 1).clamp(min=0)
    gap = (times[high] - times[low]).clamp(min=1e-12)
    share = ((at - times[low]) / gap).clamp(0, 1).float()
    xy, visible = interpolate_positions(
        tracks.xy[low], tracks.visible[low], tracks.xy[high], tracks.visible[high], share[:, None]
    )
    return replace(tracks, xy=xy, visible=visible)
