"""Tracks in other people's spellings: the host's TRACKS, the JSON of ATI, KJNodes, LTX and CoTracker, NumPy
files.

Owns reading and writing. Every reader gives tracks or a ValueError naming what was expected and got; nothing
is ever unpickled.
Coordinates are pixels of the canvas, the list index is the frame. A point is hidden when it is null, (-100,
-100) or (-10000, -10000), has `visible` or `v` of 0, or lies past the end of a list shorter than the longest
(as ATI pads). A hidden point without a place waits at its last known one, before its first at that. Tracks
that say their own canvas and rate (a document, OmniCam's bridge, our .npz) keep them.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..common.checked import excerpt
from .arrays import BARE, PICKLED, read_arrays
from .document.parse import document_to_tracks, is_document, parse_document
from .layout import (
    HIDDEN_KEYS,
    ORDERS,
    PATH_KEYS,
    PIXELS,
    TIME_FIRST,
    UNITS,
    VISIBLE_KEYS,
    fill_hidden_places,
    is_points_first,
    require_pixels,
    scale_shares,
    split_third_column,
    visible_from,
    without_batch,
)
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
LOG = logging.getLogger("motionstream")
ATI_STEPS = 8  # of a pixel, in ATI's own files
ATI_FRAMES = 121
ATI_FPS = 24.0
# Fields of a point that change its meaning: passed over, and said so
OWN_TIME = ("t", "time", "frame", "z", "depth")

Note = Callable[[str], None]


def warn(note: str):
    """What a reader says where nobody else listens."""
    LOG.warning("MotionStream: %s", note)


def tracks_from_host(value: Any, width: int, height: int, fps: float = 16.0) -> Tracks:
    """The host's TRACKS: {"track_path": (T, N, 2), "track_visibility": (T, N) or (T, 1), absent = all
    visible}, in pixels of width × height.

    Other packs use the same type name for payloads of their own; the ValueError names the type that came.
    """
    if not isinstance(value, Mapping):
        raise ValueError(f"TRACKS: expected a dict with track_path (T, N, 2), got {_kind(value)}")
    path = value.get("track_path")
    if not isinstance(path, (Tensor, np.ndarray)) or path.ndim != 3 or path.shape[-1] != 2:
        shape = getattr(path, "shape", None)
        where = (
            f"in a dict with {sorted(map(str, value))[:8]}" if shape is None else f"of shape {tuple(shape)}"
        )
        got = f"{_kind(path)} {where}"
        raise ValueError(f"TRACKS: expected track_path (T, N, 2), got {got}")
    visible = value.get("track_visibility")
    return require_pixels(_from_arrays(path, visible, width, height, fps), "TRACKS")


def tracks_to_host(tracks: Tracks) -> dict[str, Any]:
    """TRACKS as the host's nodes read them, with the width, height and fps that they lack beside."""
    return {
        "track_path": tracks.xy,
        "track_visibility": tracks.visible,
        "width": tracks.width,
        "height": tracks.height,
        "fps": tracks.fps,
    }


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
        width: of the canvas, as `height`; a file's own win.
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
    if _is_bridge(value):
        return _from_bridge(value)
    if not isinstance(value, list):
        hint = (
            " (a track document or control points; sampled points are wanted here)"
            if isinstance(value, dict)
            else ""
        )
        raise ValueError(f"tracks: expected a list of points or of tracks, got {_kind(value)}{hint}")
    if value and is_point(value):
        raise ValueError(f"tracks: expected a list of points or of tracks, got one point {excerpt(value)}")
    lists = track_lists(value)
    if not lists:
        raise ValueError("tracks: expected at least one track, got none")
    if order == ORDERS[1]:
        lists = _swapped(lists)
    odd = fields_of(lists)
    passed = [key for key in OWN_TIME if key in odd]
    if passed:
        note(
            f"tracks: {', '.join(passed)} of the points passed over: a point's place in its list is its frame"
        )
    xy, visible = filled_tracks(lists)
    tracks = Tracks(torch.from_numpy(xy), torch.from_numpy(visible), width, height, fps)
    return require_on_canvas(_in_units(tracks, units, "text"))


def _swapped(lists: list[list[Any]]) -> list[list[Any]]:
    """Lists of frames -> lists of tracks."""
    lengths = {len(points) for points in lists}
    if len(lengths) != 1:
        raise ValueError(
            f"tracks: expected as many points in every frame, got {min(lengths)} to {max(lengths)}"
        )
    return [list(points) for points in zip(*lists)]


def _in_units(tracks: Tracks, units: str, what: str) -> Tracks:
    if units not in UNITS:
        raise ValueError(f"units: expected one of {', '.join(UNITS)}, got {units!r}")
    return require_pixels(tracks, what) if units == PIXELS else scale_shares(tracks, what)


def tracks_to_json(tracks: Tracks, style: str = "ati") -> str:
    """style: "ati" (LTX reads it too) a list of lists of {"x", "y"}; "kjnodes" whole pixels, one track as a
    flat list; "cotracker" a list of strings, one per track, whole pixels; "pairs" lists of [x, y]. None has a
    field for visibility: hidden points are written as (-100, -100), in "ati" and "kjnodes", which ATI reads,
    as (-10000, -10000), and where they were is lost. Visible places of "ati" and "pairs" are read back
    exactly.
    """
    if style not in STYLES:
        raise ValueError(f"style: expected one of {', '.join(STYLES)}, got {style!r}")
    placed = (
        torch.where(
            tracks.visible[..., None],
            tracks.xy,
            tracks.xy.new_tensor(FAR if style in ("ati", "kjnodes") else HIDDEN),
        )
        .transpose(0, 1)
        .cpu()
        .numpy()
    )
    if style in ("kjnodes", "cotracker"):
        placed = np.rint(placed).astype(np.int64)
    else:
        placed = placed.astype(str).astype(
            np.float64
        )  # the shortest decimals that are read back as the same float32
    if style == "pairs":
        return json.dumps(placed.tolist())
    lists = [[{"x": x, "y": y} for x, y in track] for track in placed.tolist()]
    if style == "cotracker":
        return json.dumps([json.dumps(track) for track in lists])
    return json.dumps(lists[0] if style == "kjnodes" and len(lists) == 1 else lists)


def save_npz(tracks: Tracks, path: str | Path):
    """Everything, losslessly: xy, visible, width, height, fps."""
    with Path(path).open("wb") as file:
        np.savez_compressed(
            file,
            xy=tracks.xy.cpu().numpy(),
            visible=tracks.visible.cpu().numpy(),
            width=tracks.width,
            height=tracks.height,
            fps=tracks.fps,
        )


def load_npz(
    path: str | Path,
    width: int | None = None,
    height: int | None = None,
    fps: float | None = None,
    *,
    order: str = ORDERS[0],
    units: str = PIXELS,
    note: Note = warn,
) -> Tracks:
    """Our .npz, that of a point tracker, a bare .npy of (T, N, 2), or ATI's .pth.

    NAME_tracks.npy goes with the NAME_visibility.npy beside it, as Wan-Move writes them.

    Args:
        path: the file.
        width: for a file that does not hold it, as `height` and `fps`; the file's own win.
        height: see `width`.
        fps: see `width`.
        order: one of ORDERS. By itself what the array's name says, else what the motion says.
        units: one of UNITS.
        note: told what was guessed and what was passed over.
    """
    path = Path(path)
    arrays = read_arrays(path)
    if (
        path.name.endswith("_tracks.npy")
        and (beside := path.with_name(path.name.replace("_tracks.npy", "_visibility.npy"))).is_file()
    ):
        arrays[VISIBLE_KEYS[0]] = read_arrays(beside)[BARE]
    found = next((key for key in PATH_KEYS if key in arrays), None)
    if found is None:
        raise ValueError(
            f"{path.name}: expected an array named {' or '.join(PATH_KEYS)}, got {sorted(arrays)}"
        )
    try:
        size = [
            _scalar(arrays, key, given)
            for key, given in (("width", width), ("height", height), ("fps", fps or 16.0))
        ]
        if found == BARE and _is_ati(arrays[found]):
            tracks = _from_ati(arrays[found], int(size[0]), int(size[1]))
        else:
            visible = _visibility(arrays, note, path.name)
            passed = sorted(set(arrays) - {found, *VISIBLE_KEYS, *HIDDEN_KEYS, "width", "height", "fps"})
            if passed:
                seen = "; every point counts as visible" if visible is None else ""
                note(f"{path.name}: arrays without use here passed over: {', '.join(passed)}{seen}")
            tracks = _from_arrays(
                arrays[found],
                visible,
                int(size[0]),
                int(size[1]),
                size[2],
                name=found,
                order=order,
                note=lambda words: note(f"{path.name}: {words}"),
            )
        return require_on_canvas(_in_units(tracks, units, "file"))
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from None


def _visibility(arrays: Mapping[str, np.ndarray], note: Note, file: str) -> np.ndarray | None:
    """Which points are seen, under any of its known names; None where the file has none of them."""
    seen = next((visible_from(arrays[key], key) for key in VISIBLE_KEYS if key in arrays), None)
    hidden = next((visible_from(arrays[key], key) for key in HIDDEN_KEYS if key in arrays), None)
    if hidden is None:
        return seen
    if seen is not None and (seen.shape != hidden.shape or (seen == hidden).any()):
        note(f"{file}: its visibility and its occlusion do not agree; the visibility counts")
        return seen
    return ~hidden


def _is_ati(array: np.ndarray) -> bool:
    """Whether this is ATI's own form: (N, 121, 1, 3) or (121, N, 1, 3), whole numbers."""
    return array.ndim == 4 and array.shape[2:] == (1, 3) and ATI_FRAMES in array.shape[:2]


def _from_ati(array: np.ndarray, width: int, height: int) -> Tracks:
    """ATI's own trajectories: places and visibility in eighths, 24 frames a second."""
    points = array[:, :, 0].astype(np.float64) / ATI_STEPS
    points = points.swapaxes(0, 1) if points.shape[1] == ATI_FRAMES else points
    xy = torch.from_numpy(points[..., :2].copy())
    return Tracks(xy, torch.from_numpy(points[..., 2] > 0.5), width, height, ATI_FPS)


def read_tracks(
    path: str | Path,
    width: int | None = None,
    height: int | None = None,
    fps: float = 16.0,
    *,
    order: str = ORDERS[0],
    units: str = PIXELS,
    note: Note = warn,
) -> Tracks:
    """A file of tracks: .npz, .npy, ATI's .pth, an editor's document, or sampled points in JSON.

    Args:
        path: the file.
        width: of the canvas of tracks that say none, as `height` and `fps`. A document has its own.
        height: see `width`.
        fps: see `width`.
        order: one of ORDERS.
        units: one of UNITS.
        note: told what was guessed and what was passed over.
    """
    path = Path(path)
    if path.suffix.lower() in (".npz", ".npy", *PICKLED):
        return load_npz(path, width, height, fps, order=order, units=units, note=note)
    if path.stat().st_size > MAX_TEXT:
        raise ValueError(
            f"{path.name}: expected at most {MAX_TEXT} bytes (an .npz holds more), got {path.stat().st_size}"
        )
    try:
        text = path.read_text(encoding="utf-8-sig")
        return tracks_from_text(text, width, height, fps, order=order, units=units, note=note)
    except UnicodeDecodeError:
        raise ValueError(f"{path.name}: expected JSON or .npz, got a binary file") from None
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from None


def tracks_from_text(
    text: str,
    width: int | None,
    height: int | None,
    fps: float = 16.0,
    *,
    order: str = ORDERS[0],
    units: str = PIXELS,
    note: Note = warn,
) -> Tracks:
    """A track document or OmniCam's bridge, with canvases of their own, or sampled points.

    Args:
        text: JSON.
        width: of the canvas of sampled points, as `height` and `fps`.
        height: see `width`.
        fps: see `width`.
        order: one of ORDERS.
        units: one of UNITS.
        note: told what was passed over.
    """
    if len(text) > MAX_TEXT:
        raise ValueError(
            f"tracks: expected at most {MAX_TEXT} characters (an .npz holds more), got {len(text)}"
        )
    value = parse_json(text)
    if is_document(value):
        return document_to_tracks(parse_document(text))
    if (width is None or height is None) and not _is_bridge(value):
        raise ValueError("expected a width and a height for tracks that hold none, got none")
    return tracks_from_json(value, width or 1, height or 1, fps, order=order, units=units, note=note)


def _from_arrays(
    xy: Tensor | np.ndarray,
    visible: Any,
    width: int,
    height: int,
    fps: float,
    *,
    name: str = TIME_FIRST[0],
    order: str = ORDERS[0],
    note: Note = warn,
) -> Tracks:
    """Places (T, N, 2) and a visibility (T, N), (T, 1), (T, N, 1) or None, also as a batch of one.

    Args:
        xy: places; with a third column, that is their visibility.
        visible: bool, or confidences that count from 0.5.
        width: of the canvas.
        height: of the canvas.
        fps: frames a second.
        name: of the array, which may say the order.
        order: one of ORDERS.
        note: told what was guessed.
    """
    array = without_batch(_as_numpy(xy), 3)
    if array.ndim == 3 and array.shape[0] * array.shape[1] > MAX_POSITIONS:
        raise ValueError(f"tracks: expected at most {MAX_POSITIONS} positions, got {array.shape}")
    places, column = split_third_column(array)
    seen = None if visible is None else without_batch(visible_from(_as_numpy(visible), "visibility"), 2)
    if seen is not None and seen.ndim != 2:
        raise ValueError(f"tracks: expected a visibility (T, N), got {seen.shape}")
    if column is not None:
        seen = column if seen is None else seen & column
    if is_points_first(places, seen, name, order, note):
        places = places.swapaxes(0, 1)
        seen = None if seen is None else seen.swapaxes(0, 1)
    shape = places.shape[:2]
    if seen is not None and seen.shape not in (shape, (shape[0], 1)):
        raise ValueError(f"tracks: expected a visibility of {shape} or {(shape[0], 1)}, got {seen.shape}")
    seen = np.ones(shape, dtype=bool) if seen is None else np.broadcast_to(seen, shape)
    filled = torch.from_numpy(np.ascontiguousarray(fill_hidden_places(places, seen)))
    return Tracks(filled, torch.from_numpy(seen.copy()), width, height, fps)


def _as_numpy(value: Any) -> np.ndarray:
    """A tensor, an array or nested lists of numbers, as an array."""
    try:
        if isinstance(value, Tensor):
            value = value.detach().cpu()
            value = value.float() if value.is_floating_point() else value
        array = np.asarray(value)
    except (ValueError, TypeError, OverflowError, RuntimeError):  # sparse ones, ones without memory
        array = np.asarray("")
    if array.dtype.kind not in "biuf":
        raise ValueError(f"tracks: expected numbers, got {_kind(value)} {excerpt(value)}")
    return array


def hide_outside_mask(tracks: Tracks, mask: Tensor) -> Tracks:
    """Hidden in every frame in which the mask (T, H, W) is empty too, as the host's nodes read a mask of
    tracks. A mask of one frame is for all.
    """
    if mask.ndim != 3 or mask.shape[0] not in (1, tracks.frames):
        raise ValueError(f"mask: expected {tracks.frames} frames (T, H, W) or one, got {tuple(mask.shape)}")
    shown = (mask > 0).any(-1).any(-1).cpu()
    return replace(tracks, visible=tracks.visible & shown[:, None].to(tracks.visible.device))


def _is_bridge(value: Any) -> bool:
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
    """OmniCam's samples as points, each at the frame that it names; hidden in those that none names."""
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


def _scalar(arrays: Mapping[str, np.ndarray], key: str, given: float | None) -> float:
    value = arrays.get(key)
    if value is None:
        if given is None:
            raise ValueError(f"expected a {key} for a file that holds none, got none")
        return given
    if value.size != 1 or not np.isfinite(value).all():
        raise ValueError(f"expected {key} to be one number, got {str(value)[:40]}")
    return value.item()


def _kind(value: Any) -> str:
    """The type of a foreign payload, with its module where that tells who made it."""
    kind = type(value)
    return (
        kind.__name__
        if kind.__module__ in ("builtins", "torch", "numpy")
        else f"{kind.__module__}.{kind.__name__}"
    )
