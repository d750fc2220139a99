"""Tracks as JSON: the spellings of ATI, KJNodes, LTX and CoTracker, and OmniCam's bridge.

Owns reading and writing of sampled points, whose lists `point_lists.py` reads. The list index is the frame. A
point is hidden when it is null, (-100, -100) or (-10000, -10000), has `visible` or `v` of 0, or lies past the
end of a list shorter than the longest (as ATI pads). A hidden point without a place waits at its last known
one, before its first at that.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import torch

from ..common.checked import excerpt
from .layout import ORDERS, PIXELS, Note, in_units, kind_of, warn
from .point_lists import (
    FAR,
    HIDDEN,
    MAX_COORDINATE,
    MAX_DEPTH,
    fields_of,
    filled_tracks,
    is_point,
    parse_json,
    require_listed,
    track_lists,
)
from .types import MAX_POSITIONS, Tracks, require_on_canvas

BRIDGE = "majoor.omnicam.ati-bridge.v1"
STYLES = ("ati", "kjnodes", "cotracker", "pairs")
MAX_TEXT = 2**24
# Fields of a point that change its meaning: passed over, and said so
OWN_TIME = ("t", "time", "frame", "z", "depth")


def tracks_from_json(
    text: str | list[Any] | dict[str, Any],
    width: int,
    height: int,
    fps: float = 16.0,
    *,
    order: str = ORDERS[0],
    units: str = PIXELS,
    note: Note = warn,
) -> Tracks:
    """Sampled points in any spelling, one track or a list of tracks, also as strings in a list.

    Points are {"x", "y"}, [x, y] or [x, y, visible]. Single quotes are read as double ones. Lists around
    lists of tracks are unwrapped.

    Args:
        text: JSON, or the list in it.
        width: of the canvas, as `height`. A file's own win.
        height: see `width`.
        fps: of tracks that say none.
        order: one of ORDERS: of the lists, by themselves lists of tracks.
        units: one of UNITS.
        note: told what was passed over.
    """
    if isinstance(text, str) and len(text) > MAX_TEXT:
        raise ValueError(
            f"tracks: expected at most {MAX_TEXT} characters (an .npz holds more), got {len(text)}"
        )
    value: Any = text
    for _ in range(MAX_DEPTH):
        if not isinstance(value, str):
            break
        value = parse_json(value)
    if is_bridge(value):
        return _from_bridge(value)
    if not isinstance(value, list):
        hint = (
            " (a track document or control points; sampled points are wanted here)"
            if isinstance(value, dict)
            else ""
        )
        raise ValueError(f"tracks: expected a list of points or of tracks, got {kind_of(value)}{hint}")
    if value and is_point(value):
        raise ValueError(f"tracks: expected a list of points or of tracks, got one point {excerpt(value)}")
    lists = track_lists(value)
    if not lists:
        raise ValueError("tracks: expected at least one track, got none")
    if order == ORDERS[1]:
        lists = _transpose_lists(lists)
    odd = fields_of(lists)
    passed = [key for key in OWN_TIME if key in odd]
    if passed:
        note(
            f"tracks: {', '.join(passed)} of the points passed over: a point's place in its list is its frame"
        )
    xy, visible = filled_tracks(lists)
    tracks = Tracks(torch.from_numpy(xy), torch.from_numpy(visible), width, height, fps)
    return require_on_canvas(in_units(tracks, units, "text"))


def _transpose_lists(lists: list[list[Any]]) -> list[list[Any]]:
    """Lists of frames -> lists of tracks."""
    lengths = {len(points) for points in lists}
    if len(lengths) != 1:
        raise ValueError(
            f"tracks: expected as many points in every frame, got {min(lengths)} to {max(lengths)}"
        )
    return [list(points) for points in zip(*lists)]


def tracks_to_json(tracks: Tracks, style: str = "ati") -> str:
    """Sampled points as JSON, in a spelling of another program.

    None has a field for visibility. Hidden points are written as (-100, -100), in "ati" and "kjnodes", which
    ATI reads, as (-10000, -10000). Where they were is lost. Visible places of "ati" and "pairs" are read back
    exactly.

    Args:
        tracks: what is written.
        style: "ati" (LTX reads it too) is a list of lists of {"x", "y"}. "kjnodes" is whole pixels, one track
            as a flat list. "cotracker" is a list of strings, one per track, whole pixels. "pairs" is lists of
            [x, y].
    """
    if style not in STYLES:
        raise ValueError(f"style: expected one of {', '.join(STYLES)}, got {style!r}")
    hidden = tracks.xy.new_tensor(FAR if style in ("ati", "kjnodes") else HIDDEN)
    placed = torch.where(tracks.visible[..., None], tracks.xy, hidden).transpose(0, 1).cpu().numpy()
    if style in ("kjnodes", "cotracker"):
        placed = np.rint(placed).astype(np.int64)
    else:
        # The shortest decimals that are read back as the same float32.
        placed = placed.astype(str).astype(np.float64)
    if style == "pairs":
        return json.dumps(placed.tolist())
    lists = [[{"x": x, "y": y} for x, y in track] for track in placed.tolist()]
    if style == "cotracker":
        return json.dumps([json.dumps(track) for track in lists])
    return json.dumps(lists[0] if style == "kjnodes" and len(lists) == 1 else lists)


def is_bridge(value: Any) -> bool:
    return isinstance(value, dict) and value.get("format") == BRIDGE


def _from_bridge(value: dict) -> Tracks:
    """OmniCam's tracks, which say their own canvas and rate: {"trajectories": [{"samples": [{"frame",
    "visible", "x_px", "y_px"}]}]}.
    """
    lists = value.get("trajectories")
    if (
        not isinstance(lists, list)
        or not all(isinstance(one, dict) and isinstance(one.get("samples"), list) for one in lists)
        or not lists
    ):
        raise ValueError(f"tracks: expected trajectories with samples in {BRIDGE}, got {lists!r:.40}")
    said = [value.get(key) for key in ("width", "height", "fps")]
    size = [
        number
        for number in said
        if isinstance(number, (int, float)) and not isinstance(number, bool) and 0 < number <= MAX_COORDINATE
    ]
    if len(size) != len(said):
        raise ValueError(f"tracks: expected width, height and fps in {BRIDGE}, got {str(said)[:80]}")
    frames = max(_bridge_length(one["samples"]) for one in lists)
    require_listed(frames, len(lists))
    renamed = [_bridge_points(one["samples"]) for one in lists]
    return tracks_from_json(renamed, int(size[0]), int(size[1]), float(size[2]))


def _bridge_length(samples: list[Any]) -> int:
    """Frames that the samples of a point name or are."""
    said = [s.get("frame") if isinstance(s, dict) else None for s in samples]
    return max([len(samples), *(at + 1 for at in said if isinstance(at, int) and at < MAX_POSITIONS)])


def _bridge_points(samples: list[Any]) -> list[Any]:
    """OmniCam's samples as points, each at the frame that it names. Hidden in those that none names."""
    points = [
        {"x": s.get("x_px"), "y": s.get("y_px"), "visible": s.get("visible", True)}
        if isinstance(s, dict) and "x_px" in s
        else None
        for s in samples
    ]
    said = [s.get("frame") if isinstance(s, dict) else None for s in samples]
    at = [frame for frame in said if isinstance(frame, int) and 0 <= frame < MAX_POSITIONS]
    if len(at) != len(said) or not at:
        return points
    if at == list(range(len(at))) or any(b <= a for a, b in zip(at, at[1:])):
        return points
    spread: list[Any] = [None] * (at[-1] + 1)
    for frame, point in zip(at, points):
        spread[frame] = point
    return spread
