"""Tracks as arrays: our own .npz, those of point trackers, a bare .npy, ATI's .pth, tensors of the host.

Owns reading and writing of arrays. Nothing is ever unpickled (`arrays.py`). Where an array does not say its
order or unit, `layout.py` has the rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..common.checked import excerpt
from .arrays import BARE, read_arrays
from .layout import (
    HIDDEN_KEYS,
    ORDERS,
    PATH_KEYS,
    PIXELS,
    TIME_FIRST,
    VISIBLE_KEYS,
    Note,
    fill_hidden_places,
    in_units,
    is_points_first,
    kind_of,
    split_third_column,
    visible_from,
    warn,
    without_batch,
)
from .types import MAX_POSITIONS, Tracks, require_on_canvas

ATI_STEPS = 8  # of a pixel, in ATI's own files
ATI_FRAMES = 121
ATI_FPS = 24.0


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
        width: for a file that does not hold it, as `height` and `fps`. The file's own win.
        height: see `width`.
        fps: see `width`.
        order: one of ORDERS. By itself what the array's name says, else what the motion says.
        units: one of UNITS.
        note: told what was guessed and what was passed over.
    """
    path = Path(path)
    arrays = _read_with_visibility(path)
    found = next((key for key in PATH_KEYS if key in arrays), None)
    if found is None:
        raise ValueError(
            f"{path.name}: expected an array named {' or '.join(PATH_KEYS)}, got {sorted(arrays)}"
        )
    try:
        across = int(_scalar(arrays, "width", width))
        down = int(_scalar(arrays, "height", height))
        rate = _scalar(arrays, "fps", fps or 16.0)
        if found == BARE and _is_ati(arrays[found]):
            tracks = _from_ati(arrays[found], across, down)
        else:
            visible = _visibility(arrays, note, path.name)
            passed = sorted(set(arrays) - {found, *VISIBLE_KEYS, *HIDDEN_KEYS, "width", "height", "fps"})
            if passed:
                seen = "; every point counts as visible" if visible is None else ""
                note(f"{path.name}: arrays without use here passed over: {', '.join(passed)}{seen}")
            tracks = tracks_from_arrays(
                arrays[found],
                visible,
                across,
                down,
                rate,
                name=found,
                order=order,
                note=lambda words: note(f"{path.name}: {words}"),
            )
        return require_on_canvas(in_units(tracks, units, "file"))
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from None


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


def _read_with_visibility(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a file, and for NAME_tracks.npy those of NAME_visibility.npy."""
    arrays = read_arrays(path)
    beside = path.with_name(path.name.replace("_tracks.npy", "_visibility.npy"))
    if path.name.endswith("_tracks.npy") and beside.is_file():
        arrays[VISIBLE_KEYS[0]] = read_arrays(beside)[BARE]
    return arrays


def _visibility(arrays: Mapping[str, np.ndarray], note: Note, file: str) -> np.ndarray | None:
    """Which points are seen, under any of its known names. None where the file has none of them."""
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


def tracks_from_arrays(
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
        xy: places. With a third column, that is their visibility.
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
        raise ValueError(f"tracks: expected numbers, got {kind_of(value)} {excerpt(value)}")
    return array


def _scalar(arrays: Mapping[str, np.ndarray], key: str, given: float | None) -> float:
    value = arrays.get(key)
    if value is None:
        if given is None:
            raise ValueError(f"expected a {key} for a file that holds none, got none")
        return given
    if value.size != 1 or not np.isfinite(value).all():
        raise ValueError(f"expected {key} to be one number, got {str(value)[:40]}")
    return value.item()
