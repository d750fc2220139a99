"""TRACKS as our nodes take and give them: the one place that knows the host's dict.

The host's keys are track_path and track_visibility. Beside them stands ours, `motionstream`, with the canvas,
the rate and the handles. Tracks of other packs say no canvas: nodes that need none work on them all the same,
and what they give says none either.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..motionstream_core.common.checked import excerpt
from ..motionstream_core.tracks.formats import tracks_from_host, tracks_to_host
from ..motionstream_core.tracks.masks import object_message, parse_objects
from ..motionstream_core.tracks.types import MAX_RATE, MAX_SIDE, Tracks
from ..motionstream_core.tracks.video.point_prompts import PointPrompts

KEY = "motionstream"
FPS = 16.0


def canvas_of(value: Any) -> tuple[int, int] | None:
    """The canvas that TRACKS are for, if they say it."""
    width, height = _read_number(value, "width", MAX_SIDE), _read_number(value, "height", MAX_SIDE)
    return (int(width), int(height)) if width and height else None


def rate_of(value: Any) -> float | None:
    """Their frames a second, if they say it."""
    return _read_number(value, "fps", MAX_RATE)


def groups_of(value: Any, tracks: Tracks) -> list[int] | None:
    """One handle number a track, if the TRACKS have them."""
    groups = _description(value).get("groups") if isinstance(value, Mapping) and KEY in value else None
    if not isinstance(groups, list) or len(groups) != tracks.count:
        return None
    return groups if all(isinstance(number, int) for number in groups) else None


def objects_of(value: Any, groups: Sequence[int] | None) -> dict[int, np.ndarray]:
    """The masks (H, W) bool of the handles that were cut out of the picture, if the TRACKS have them and the
    handles that they are of.
    """
    if groups is None or not isinstance(value, Mapping) or KEY not in value:
        return {}
    return {n: mask for n, mask in parse_objects(_description(value).get("objects")).items() if n in groups}


def to_tracks(value: Any, canvas: tuple[int, int] | None = None, fps: float | None = None) -> Tracks:
    """TRACKS -> Tracks.

    `canvas` and `fps` are for those that say none. Without a canvas it is the one that just holds all places.
    """
    own = canvas_of(value) or canvas
    width, height = own or (1, 1)
    tracks = tracks_from_host(value, width, height, rate_of(value) or fps or FPS)
    if own:
        return tracks
    right, bottom = (max(1, math.floor(side) + 1) for side in tracks.xy.amax((0, 1)).tolist())
    return Tracks(tracks.xy, tracks.visible, right, bottom, tracks.fps)


def to_host(
    tracks: Tracks,
    groups: Sequence[int] | None = None,
    known: bool = True,
    objects: Mapping[int, np.ndarray] | None = None,
) -> dict[str, Any]:
    """Tracks -> TRACKS.

    known: whether their canvas is one, and not just what holds them. objects: masks (H, W) bool of handles.
    """
    host = tracks_to_host(tracks)
    if not known:
        return {key: host[key] for key in ("track_path", "track_visibility")}
    about: dict[str, Any] = {"width": tracks.width, "height": tracks.height, "fps": tracks.fps}
    if groups is not None:
        about["groups"] = list(groups)
    if groups is not None and objects:
        about["objects"] = [object_message(handle, mask) for handle, mask in objects.items()]
    return {**host, KEY: about}


def to_prompts(value: Any, width: int, height: int) -> PointPrompts:
    """What an input for points takes, text or TRACKS, as the core reads it.

    TRACKS that say no canvas are for the picture of width × height that the points are on.
    """
    return to_tracks(value, (width, height)) if isinstance(value, Mapping) else value


def join_groups(
    first: Sequence[int] | None, second: Sequence[int] | None, counts: tuple[int, int]
) -> list[int] | None:
    """The handles of two sets, one after the other, kept apart. None when neither has any."""
    if first is None and second is None:
        return None
    first = list(range(counts[0])) if first is None else list(first)
    second = list(range(counts[1])) if second is None else list(second)
    above = max([-1, *first]) + 1
    return first + [number if number < 0 else number + above for number in second]


def _description(value: Any) -> Mapping[str, Any]:
    """What TRACKS say of themselves: under our key, else beside the host's."""
    if not isinstance(value, Mapping):
        return {}
    about = value.get(KEY, value)
    if not isinstance(about, Mapping):
        raise ValueError(f"TRACKS: expected {KEY} to hold width, height and fps, got {type(about).__name__}")
    return about


def _read_number(value: Any, key: str, most: float) -> float | None:
    """A number above 0 that TRACKS say, or None where they say nothing."""
    number = _description(value).get(key)
    if number is None or (isinstance(number, (int, float)) and number == 0):
        return None
    if isinstance(number, bool) or not isinstance(number, (int, float)) or not 0 < number <= most:
        raise ValueError(f"TRACKS: expected {key} to be above 0 and at most {most:g}, got {excerpt(number)}")
    return number
