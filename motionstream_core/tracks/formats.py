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
import zipfile
import zlib
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .document.parse import document_to_tracks, is_document, parse_document
from .types import MAX_POSITIONS, Tracks, require_on_canvas

HIDDEN = (-100.0, -100.0)  # as CoTracker's nodes write it
FAR = (
    -10_000.0,
    -10_000.0,
    # For ATI, which takes the mean place of four frames: beyond the canvas even where one of the four alone
    # is hidden
)
BRIDGE = "majoor.omnicam.ati-bridge.v1"
STYLES = ("ati", "kjnodes", "cotracker", "pairs")
MAX_TEXT = 2**26
MAX_FILE = 2**30
MAX_DEPTH = 16
MAX_COORDINATE = 1e9
PATH_KEYS = ("xy", "track_path", "tracks", "pred_tracks")
VISIBLE_KEYS = ("visible", "track_visibility", "visibility", "pred_visibility")

Place = tuple[float, float] | None  # None: hidden, no place given


def tracks_from_host(value: Any, width: int, height: int, fps: float = 16.0) -> Tracks:
    """The host's TRACKS: {"track_path": (T, N, 2), "track_visibility": (T, N) or (T, 1), absent = all
    visible}, in pixels of width × height.

    Other packs use the same type name for payloads of their own; the ValueError names the type that came.
    """
    if not isinstance(value, Mapping):
        raise ValueError(f"TRACKS: expected a dict with track_path (T, N, 2), got {_kind(value)}")
    path = value.get("track_path")
    if not isinstance(path, (Tensor, np.ndarray)) or path.ndim != 3 or path.shape[-1] != 2:
        where = (
            f"of shape {tuple(path.shape)}"
            if hasattr(path, "shape")
            else f"in a dict with {sorted(map(str, value))[:8]}"
        )
        got = f"{_kind(path)} {where}"
        raise ValueError(f"TRACKS: expected track_path (T, N, 2), got {got}")
    return _from_arrays(path, value.get("track_visibility"), width, height, fps)


def tracks_to_host(tracks: Tracks) -> dict[str, Any]:
    """TRACKS as the host's nodes read them, with the width, height and fps that they lack beside."""
    return {
        "track_path": tracks.xy,
        "track_visibility": tracks.visible,
        "width": tracks.width,
        "height": tracks.height,
        "fps": tracks.fps,
    }


def tracks_from_json(text: str | list[str], width: int, height: int, fps: float = 16.0) -> Tracks:
    """Sampled points in any spelling: one track or a list of tracks, also as strings in a list, points as
    {"x", "y"}, [x, y] or [x, y, visible].

    Single quotes are read as double ones. Lists around lists of tracks are unwrapped.
    """
    if isinstance(text, str) and len(text) > MAX_TEXT:
        raise ValueError(f"tracks: expected at most {MAX_TEXT} characters, got {len(text)}")
    value = text
    while isinstance(value, str):
        value = _parsed(value)
    if _is_bridge(value):
        return _from_bridge(value)
    if not isinstance(value, list):
        hint = (
            " (a track document or control points; sampled points are wanted here)"
            if isinstance(value, dict)
            else ""
        )
        raise ValueError(f"tracks: expected a list of points or of tracks, got {_kind(value)}{hint}")
    if value and _is_point(value):
        raise ValueError(f"tracks: expected a list of points or of tracks, got one point {value}")
    lists = _track_lists(value, 0)
    if not lists:
        raise ValueError("tracks: expected at least one track, got none")
    xy, visible = _filled(
        [[_point(point, n, t) for t, point in enumerate(points)] for n, points in enumerate(lists)]
    )
    return require_on_canvas(Tracks(torch.from_numpy(xy), torch.from_numpy(visible), width, height, fps))


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
    arrays = {"xy": tracks.xy.cpu().numpy(), "visible": tracks.visible.cpu().numpy()}
    with Path(path).open("wb") as file:
        np.savez_compressed(file, **arrays, width=tracks.width, height=tracks.height, fps=tracks.fps)


def load_npz(
    path: str | Path, width: int | None = None, height: int | None = None, fps: float | None = None
) -> Tracks:
    """Our .npz, one with track_path and track_visibility, or a bare .npy of (T, N, 2).

    width, height and fps are for files that do not hold them; a file's own win. Such a file needs a size.
    NAME_tracks.npy goes with the NAME_visibility.npy beside it, as Wan-Move writes them.
    """
    path = Path(path)
    arrays = arrays_of(path)
    if (
        path.name.endswith("_tracks.npy")
        and (beside := path.with_name(path.name.replace("_tracks.npy", "_visibility.npy"))).is_file()
    ):
        arrays[VISIBLE_KEYS[0]] = arrays_of(beside)[PATH_KEYS[0]]
    found = next((key for key in PATH_KEYS if key in arrays), None)
    if found is None:
        raise ValueError(
            f"{path.name}: expected an array named {' or '.join(PATH_KEYS)}, got {sorted(arrays)}"
        )
    visible = next((arrays[key] for key in VISIBLE_KEYS if key in arrays), None)
    size = [
        _scalar(path, arrays, key, given)
        for key, given in (("width", width), ("height", height), ("fps", fps or 16.0))
    ]
    try:
        return require_on_canvas(_from_arrays(arrays[found], visible, int(size[0]), int(size[1]), size[2]))
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from None


def read_tracks(
    path: str | Path, width: int | None = None, height: int | None = None, fps: float = 16.0
) -> Tracks:
    """A file of tracks: .npz or .npy, an editor's document (its own size and rate), or sampled points in JSON
    (pixels of width × height).
    """
    path = Path(path)
    if path.suffix.lower() in (".npz", ".npy"):
        return load_npz(path, width, height, fps)
    if path.stat().st_size > MAX_TEXT:
        raise ValueError(f"{path.name}: expected at most {MAX_TEXT} bytes, got {path.stat().st_size}")
    try:
        return tracks_from_text(path.read_text(encoding="utf-8-sig"), width, height, fps)
    except UnicodeDecodeError:
        raise ValueError(f"{path.name}: expected JSON or .npz, got a binary file") from None
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from None


def tracks_from_text(text: str, width: int | None, height: int | None, fps: float = 16.0) -> Tracks:
    """A track document or OmniCam's bridge, with canvases of their own, or sampled points, in pixels of width
    × height.
    """
    value = _parsed(text)
    if is_document(value):
        return document_to_tracks(parse_document(text))
    if (width is None or height is None) and not _is_bridge(value):
        raise ValueError("expected a width and a height for tracks that hold none, got none")
    return tracks_from_json(text, width or 1, height or 1, fps)


def _from_arrays(xy: Any, visible: Any, width: int, height: int, fps: float) -> Tracks:
    """Arrays or tensors (T, N, 2) and (T, N), (T, 1), (T, N, 1) or None, also as a batch of one -> Tracks on
    the CPU. Confidences count from 0.5.
    """
    xy = torch.as_tensor(xy.astype(np.float32) if isinstance(xy, np.ndarray) else xy).detach().cpu().float()
    xy = xy[0] if xy.ndim == 4 and xy.shape[0] == 1 else xy
    if xy.ndim != 3 or xy.shape[-1] != 2:
        raise ValueError(f"tracks: expected xy (T, N, 2), got {tuple(xy.shape)}")
    shape = tuple(xy.shape[:2])
    seen = torch.ones(shape) if visible is None else torch.as_tensor(visible).detach().cpu().float()
    given = tuple(seen.shape)
    if seen.ndim > 2 and seen.shape[-1] == 1:
        seen = seen[..., 0]
    if seen.ndim == 3 and seen.shape[0] == 1:
        seen = seen[0]
    if tuple(seen.shape) not in (shape, (shape[0], 1)):
        raise ValueError(f"tracks: expected a visibility of {shape} or {(shape[0], 1)}, got {given}")
    return Tracks(xy, (seen > 0.5).expand(shape).contiguous(), width, height, fps)


def seen_in_mask(tracks: Tracks, mask: Tensor) -> Tracks:
    """Hidden in every frame in which the mask (T, H, W) is empty too, as the host's nodes read a mask of
    tracks. A mask of one frame is for all.
    """
    if mask.ndim != 3 or mask.shape[0] not in (1, tracks.frames):
        raise ValueError(f"mask: expected {tracks.frames} frames (T, H, W) or one, got {tuple(mask.shape)}")
    shown = (mask > 0).any(-1).any(-1).cpu()
    return replace(tracks, visible=tracks.visible & shown[:, None].to(tracks.visible.device))


def _parsed(text: str) -> Any:
    """JSON, with single quotes allowed as people paste them from Python."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("tracks: expected JSON, got lists nested too deeply") from None
    except ValueError as error:
        if "'" not in text:
            raise ValueError(f"tracks: expected JSON, got {text[:40]!r} ({error})") from None
    try:
        return json.loads(text.replace("'", '"'))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"tracks: expected JSON, got {text[:40]!r} ({error})") from None


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
    size = [value.get(key) for key in ("width", "height", "fps")]
    if not all(isinstance(number, (int, float)) and not isinstance(number, bool) for number in size):
        raise ValueError(f"tracks: expected width, height and fps in {BRIDGE}, got {size}")
    renamed = [
        [
            {"x": s.get("x_px"), "y": s.get("y_px"), "visible": s.get("visible", True)}
            if isinstance(s, dict) and "x_px" in s
            else None
            for s in one["samples"]
        ]
        for one in lists
    ]
    return tracks_from_json(json.dumps(renamed), int(size[0]), int(size[1]), float(size[2]))


def _is_point(value: Any) -> bool:
    """Whether a value is spelled as a point: null, an object, or a list of 2 or 3 numbers."""
    if isinstance(value, list):
        return len(value) in (2, 3) and all(isinstance(part, (int, float)) for part in value)
    return value is None or isinstance(value, dict)


def _track_lists(value: Any, depth: int) -> list[list]:
    """All lists of points within nested lists and strings, in order."""
    if depth > MAX_DEPTH:
        raise ValueError(f"tracks: expected lists nested at most {MAX_DEPTH} deep, got more")
    if isinstance(value, str):
        value = _parsed(value)
    if not isinstance(value, list):
        raise ValueError(f"tracks: expected a list of points, got {value!r:.40}")
    if depth and not value:
        raise ValueError("tracks: expected points in every track, got an empty list")
    if value and all(_is_point(item) for item in value):
        return [value]
    if any(_is_point(item) for item in value):
        odd = next(index for index, item in enumerate(value) if not _is_point(item))
        raise ValueError(
            f"tracks: expected points alone or tracks alone in one list, got {value[odd]!r:.40} at {odd} "
            "among points"
        )
    return [track for item in value for track in _track_lists(item, depth + 1)]


def _point(value: Any, track: int, frame: int) -> tuple[Place, bool]:
    """One spelled point -> (place, visible)."""
    if value is None:
        return None, False
    parts = (
        [value.get("x"), value.get("y"), value.get("visible", value.get("v", True))]
        if isinstance(value, dict)
        else [*value, True][:3]
    )
    numbers = all(isinstance(part, (int, float)) for part in parts) and not any(
        isinstance(part, bool) for part in parts[:2]
    )
    if not numbers or not all(abs(part) <= MAX_COORDINATE for part in parts):
        raise ValueError(
            f"tracks: expected x and y to be finite numbers, got {value!r:.60} in track {track} at frame "
            f"{frame}"
        )
    place = (float(parts[0]), float(parts[1]))
    return (None, False) if place in (HIDDEN, FAR) else (place, parts[2] > 0.5)


def _filled(tracks: list[list[tuple[Place, bool]]]) -> tuple[np.ndarray, np.ndarray]:
    """Points of each track -> xy (T, N, 2) float32 with every place filled, visible (T, N)."""
    frames = max(map(len, tracks))
    if frames * len(tracks) > MAX_POSITIONS:
        raise ValueError(
            f"tracks: expected at most {MAX_POSITIONS} positions, got {len(tracks)} tracks of up to "
            f"{frames} frames"
        )
    xy = np.zeros((frames, len(tracks), 2), dtype=np.float32)
    visible = np.zeros((frames, len(tracks)), dtype=bool)
    for n, points in enumerate(tracks):
        last = next((place for place, _ in points if place is not None), (0.0, 0.0))
        for t in range(frames):
            place, seen = points[t] if t < len(points) else (None, False)
            last = last if place is None else place
            xy[t, n], visible[t, n] = last, seen
    return xy, visible


def arrays_of(path: Path, words: Collection[str] = ()) -> dict[str, np.ndarray]:
    """The arrays of an .npz, or of an .npy under the first of PATH_KEYS; numbers, but for those named in
    `words`, which may be text.
    """
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                size = sum(item.file_size for item in archive.infolist())
            if size > MAX_FILE:
                raise ValueError(f"expected at most {MAX_FILE} bytes, got {size}")
            with np.load(path, allow_pickle=False) as file:
                arrays = dict(file)
        else:
            arrays = {PATH_KEYS[0]: np.load(path, allow_pickle=False, mmap_mode="r")}
    except (
        ValueError,
        EOFError,
        OSError,
        RuntimeError,
        MemoryError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise ValueError(
            f"{path.name}: expected an .npz or .npy with numbers, got a file that cannot be read "
            f"({str(error)[:80]})"
        ) from None
    odd = [
        name
        for name, array in arrays.items()
        if array.dtype.kind not in ("biufU" if name in words else "biuf")
    ]
    if odd:
        raise ValueError(f"{path.name}: expected numbers, got {arrays[odd[0]].dtype} in {odd[0]}")
    return {name: np.array(array) for name, array in arrays.items()}


def _scalar(path: Path, arrays: dict[str, np.ndarray], key: str, given: float | None) -> float:
    value = arrays.get(key)
    if value is None:
        if given is None:
            raise ValueError(f"{path.name}: expected a {key} for a file that holds none, got none")
        return given
    if value.size != 1 or not np.isfinite(value).all():
        raise ValueError(f"{path.name}: expected {key} to be one number, got {str(value)[:40]}")
    return value.item()


def _kind(value: Any) -> str:
    """The type of a foreign payload, with its module where that tells who made it."""
    kind = type(value)
    return (
        kind.__name__
        if kind.__module__ in ("builtins", "torch", "numpy")
        else f"{kind.__module__}.{kind.__name__}"
    )
