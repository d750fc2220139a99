"""TRACKS as our nodes take and give them: the host's dict and, beside it, the canvas, rate and handles that
it does not say.

Tracks of other packs say no canvas. Nodes that need none work on them all the same, and what they give says
none either.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ..motionstream_core.tracks.formats import tracks_from_host, tracks_to_host
from ..motionstream_core.tracks.types import Tracks

KEY = "motionstream"
FPS = 16.0


def canvas_of(value: Any) -> tuple[int, int] | None:
    """The canvas that TRACKS are for, if they say it."""
    about = value.get(KEY, value) if isinstance(value, Mapping) else {}
    return (about["width"], about["height"]) if about.get("width") and about.get("height") else None


def rate_of(value: Any) -> float | None:
    about = value.get(KEY, value) if isinstance(value, Mapping) else {}
    return about.get("fps")


def groups_of(value: Any, tracks: Tracks) -> list[int] | None:
    """One handle number a track, if the TRACKS have them."""
    groups = value.get(KEY, {}).get("groups") if isinstance(value, Mapping) else None
    return groups if isinstance(groups, list) and len(groups) == tracks.count else None


def opened(value: Any, canvas: tuple[int, int] | None = None, fps: float | None = None) -> Tracks:
    """TRACKS -> Tracks. `canvas` and `fps` are for those that say none; without them, a canvas that just
    holds all places.
    """
    width, height = canvas_of(value) or canvas or (1, 1)
    tracks = tracks_from_host(value, width, height, rate_of(value) or fps or FPS)
    if canvas_of(value) or canvas:
        return tracks
    right, bottom = (max(1, math.floor(side) + 1) for side in tracks.xy.amax((0, 1)).tolist())
    return Tracks(tracks.xy, tracks.visible, right, bottom, tracks.fps)


def in_pixels(tracks: Tracks) -> Tracks:
    """The same tracks; ValueError for places that are shares of a canvas, which other packs also give as
    text: all between 0 and 1, and not whole.
    """
    seen = tracks.xy[tracks.visible]
    if (
        min(tracks.width, tracks.height) > 2
        and ((seen >= 0) & (seen <= 1)).all()
        and (seen != seen.round()).any()
    ):
        size = f"{tracks.width}x{tracks.height}"
        raise ValueError(
            f"text: expected places in pixels of {size}, got all between 0 and 1: of KJNodes' spline "
            "editor take coord_str, not normalized_str"
        )
    return tracks


def closed(tracks: Tracks, groups: Sequence[int] | None = None, known: bool = True) -> dict[str, Any]:
    """Tracks -> TRACKS. known: whether their canvas is one, and not just what holds them."""
    host = tracks_to_host(tracks)
    if not known:
        return {key: host[key] for key in ("track_path", "track_visibility")}
    about = {"width": tracks.width, "height": tracks.height, "fps": tracks.fps}
    return {**host, KEY: {**about, **({"groups": list(groups)} if groups is not None else {})}}


def joined_groups(
    first: Sequence[int] | None, second: Sequence[int] | None, counts: tuple[int, int]
) -> list[int] | None:
    """The handles of two sets, one after the other, kept apart; None when neither has any."""
    if first is None and second is None:
        return None
    first = list(range(counts[0])) if first is None else list(first)
    second = list(range(counts[1])) if second is None else list(second)
    above = max([-1, *first]) + 1
    return first + [number if number < 0 else number + above for number in second]
