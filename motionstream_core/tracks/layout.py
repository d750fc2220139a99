"""How arrays of tracks lie in files: which axis is time, which array the visibility, which unit places have.

Owns the rules that every entrance for tracks shares. What an array's name or its values say counts. What they
do not say is asked for or said in a note, and nothing is passed over without a word.
Shapes: places (T, N, 2) or, points first, (N, T, 2). Visibility the same without the last axis.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from .types import Tracks

ORDERS = ("as the file says", "frames first", "points first")
PIXELS = "pixels"
UNITS = (PIXELS, "shares of the picture")
TIME_FIRST = ("xy", "track_path", "pred_tracks", "trajs_2d")  # names under which frames always come first
PATH_KEYS = (*TIME_FIRST, "tracks", "trajectories", "trajs", "points", "target_points", "array", "arr_0")
VISIBLE_KEYS = (
    "visible",
    "track_visibility",
    "visibility",
    "pred_visibility",
    "visibles",
    "pred_visibles",
    "visibs",
    "vis",
)
HIDDEN_KEYS = (
    "occluded",
    "occlusion",
    "occlusions",
    "pred_occluded",
    "pred_occlusion",
    "hidden",
    "invisible",
)
LEAST_FRAMES = 8  # of an axis that may be taken for time against the usual order
LOOKED_AT = 1024  # of each axis
CLEARLY = 3.0  # times smoother: the axis is time
MOST_SHARES = 0.75  # of the places: so many within 0..1 are shares
LOG = logging.getLogger("motionstream")

Note = Callable[[str], None]


def warn(note: str):
    """What a reader says where nobody else listens."""
    LOG.warning("MotionStream: %s", note)


def without_batch(array: np.ndarray, axes: int) -> np.ndarray:
    """The array of so many axes in a batch of one, or with a last axis of one."""
    if array.ndim > axes and axes == 2 and array.shape[-1] == 1:
        array = array[..., 0]
    if array.ndim == axes + 1 and array.shape[0] == 1:
        return array[0]
    if array.ndim == axes + 1 and axes == 3 and array.shape[2] == 1:
        return array[:, :, 0]
    return array


def split_third_column(places: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Places (A, B, 2) float32 and, of (A, B, 3), the visibility in their third column."""
    if places.ndim != 3 or places.shape[-1] not in (2, 3) or places.dtype.kind == "b":
        raise ValueError(f"tracks: expected xy (T, N, 2), got {places.shape} of {places.dtype}")
    with np.errstate(over="ignore"):
        xy = places[..., :2].astype(np.float32)
    if places.shape[-1] == 2:
        return xy, None
    try:
        return xy, visible_from(places[..., 2], "the third column")
    except ValueError as error:
        raise ValueError(f"{error}: a depth or a time is no part of a track") from None


def visible_from(values: np.ndarray, name: str) -> np.ndarray:
    """bool, whole numbers (0 is hidden) or confidences of 0 to 1, which count from 0.5, as bool."""
    if values.dtype.kind == "b":
        return values
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)
    most = 1.001 if values.dtype.kind == "f" else 255
    if not (-0.001 <= low and high <= most):
        raise ValueError(f"tracks: expected {name} of 0 to 1, got values from {low:g} to {high:g}")
    return values > 0.5


def is_points_first(
    places: np.ndarray, seen: np.ndarray | None, name: str, order: str, note: Callable[[str], None]
) -> bool:
    """Whether the first axis of (A, B, 2) is the points, and the second time.

    Args:
        places: (A, B, 2).
        seen: (A, B) or None.
        name: of the array. Some names say that frames come first.
        order: one of ORDERS, a person's choice.
        note: told where the name does not say it and the motion has to, or cannot.
    """
    if order not in ORDERS:
        raise ValueError(f"order: expected one of {', '.join(ORDERS)}, got {order!r}")
    if order != ORDERS[0] or name in TIME_FIRST:
        return order == ORDERS[2]
    first, second = places.shape[:2]
    if second < LEAST_FRAMES:
        return False
    choose = f"(choose the order where that is wrong: {ORDERS[1]} or {ORDERS[2]})"
    known: np.ndarray = np.asarray(np.isfinite(places).all(-1))
    if seen is not None and seen.shape == known.shape:
        known &= seen
    # A point goes in small and even steps through time. From one point to the next there is no such way.
    places, known = places[:LOOKED_AT, :LOOKED_AT], known[:LOOKED_AT, :LOOKED_AT]
    down = _roughness(places, known)
    across = _roughness(places.swapaxes(0, 1), known.T)
    if first > 1 and across * CLEARLY < down:
        note(f"{first} points in {second} frames, as the motion along the second axis says {choose}")
        return True
    if first == 1 or not down * CLEARLY < across:
        note(f"{first} frames of {second} points taken, which the array does not say {choose}")
    return False


def _roughness(places: np.ndarray, known: np.ndarray) -> float:
    """Mean step and mean change of the step along the first axis, px, where both ends are known."""
    total = 0.0
    for times in (1, 2):
        if len(places) <= times:
            continue
        moved = np.linalg.norm(
            np.diff(np.where(known[..., None], places, 0).astype(np.float64), times, 0), axis=-1
        )
        both: np.ndarray = np.logical_and.reduce(
            [known[at : len(known) - times + at] for at in range(times + 1)]
        )
        total += float(moved[both].mean()) if both.any() else 0.0
    return total


def fill_hidden_places(places: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Places (T, N, 2) in which those that are no numbers, of hidden points, are the last known ones.

    Before the first known place it is that one. A point that is never anywhere waits at 0, 0. A place that is
    no number and is said to be visible stays: `Tracks` names it.
    """
    known: np.ndarray = np.asarray(np.isfinite(places).all(-1))
    gone = ~known & ~seen
    if not gone.any():
        return places
    frames = np.arange(len(places))[:, None]
    last = np.maximum.accumulate(np.where(known, frames, -1), axis=0)
    at: np.ndarray = np.asarray(np.where(last < 0, known.argmax(0), last))
    filled = np.take_along_axis(places, at[..., None], 0)
    ever = np.any(known, axis=0, keepdims=True)[..., None]
    filled = np.where(ever, filled, 0)
    return np.where(gone[..., None], filled, places)


def in_shares(tracks: Tracks) -> bool:
    """Whether the visible places are shares of the canvas: nearly all of 0 to 1, and not whole numbers."""
    seen = tracks.xy[tracks.visible]
    if min(tracks.width, tracks.height) <= 2 or not len(seen) or bool((seen == seen.round()).all()):
        return False
    near = ((seen >= -1) & (seen <= 2)).all()
    return bool(near) and float(((seen >= 0) & (seen <= 1)).all(-1).float().mean()) >= MOST_SHARES


def require_pixels(tracks: Tracks, what: str) -> Tracks:
    """The tracks, or ValueError where their places are shares of the canvas, as other packs give them too."""
    if in_shares(tracks):
        size = f"{tracks.width}x{tracks.height}"
        raise ValueError(
            f"{what}: expected places in pixels of {size}, got all between 0 and 1: of KJNodes' spline "
            f"editor take coord_str, not normalized_str; Load Tracks takes {UNITS[1]} where that is chosen"
        )
    return tracks


def scale_shares(tracks: Tracks, what: str) -> Tracks:
    """Tracks in shares of the canvas, in its pixels."""
    if not in_shares(tracks) and bool((tracks.xy[tracks.visible].abs() > 2).any()):
        raise ValueError(f"{what}: expected shares of the picture, 0 to 1, got {float(tracks.xy.max()):g}")
    size = tracks.xy.new_tensor([tracks.width, tracks.height])
    return replace(tracks, xy=tracks.xy * size)


def in_units(tracks: Tracks, units: str, what: str) -> Tracks:
    """Tracks in pixels, out of a unit of UNITS."""
    if units not in UNITS:
        raise ValueError(f"units: expected one of {', '.join(UNITS)}, got {units!r}")
    return require_pixels(tracks, what) if units == PIXELS else scale_shares(tracks, what)


def kind_of(value: Any) -> str:
    """The type of a foreign payload, with its module where that tells who made it."""
    kind = type(value)
    return (
        kind.__name__
        if kind.__module__ in ("builtins", "torch", "numpy")
        else f"{kind.__module__}.{kind.__name__}"
    )
