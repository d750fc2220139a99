"""Masks as they travel: the lengths of runs, row by row, and outlines of a drawn document.

Owns both ways of writing a mask (H, W) bool down. Knows nothing of how one is found.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ..common.checked import excerpt, whole_number

MOST_SIDE = 16_384
POINTS = 24  # that go with an object
CROSSINGS = 4_000_000  # of rows and outline edges that are looked at at once


def mask_to_runs(mask: np.ndarray) -> list[int]:
    """Lengths of the runs of a mask, row after row, the first of places outside."""
    flat = np.concatenate([[False], np.asarray(mask, bool).ravel(), [False]])
    turns = np.flatnonzero(flat[1:] != flat[:-1])
    ends = np.concatenate([[0], turns, [mask.size]])
    runs = np.diff(ends)
    return runs.tolist() if runs[-1] else runs[:-1].tolist()


def mask_from_runs(runs: Any, width: int, height: int) -> np.ndarray:
    """(H, W) bool. Raises ValueError for runs that do not fill the mask."""
    good = isinstance(runs, Sequence) and not isinstance(runs, str)
    good = good and all(isinstance(run, int) and run >= 0 for run in runs)
    if not good or sum(runs) != width * height:
        raise ValueError(f"mask: expected runs of {width}x{height} places in all, got {excerpt(runs)}")
    inside = np.arange(len(runs)) % 2 == 1
    return np.repeat(inside, runs).reshape(height, width)


def object_message(handle: int, mask: np.ndarray) -> dict[str, Any]:
    """A handle's mask as plain values, for JSON."""
    height, width = mask.shape
    return {"handle": handle, "width": width, "height": height, "runs": mask_to_runs(mask)}


def parse_objects(value: Any) -> dict[int, np.ndarray]:
    """Masks by handle, of a list of `object_message`."""
    if value is None:
        return {}
    if not isinstance(value, list) or not all(isinstance(one, Mapping) for one in value):
        raise ValueError(f"objects: expected a list of masks by handle, got {excerpt(value)}")
    found = {}
    for one in value:
        width, height = (
            whole_number(one.get(key), "objects", 1, MOST_SIDE, key) for key in ("width", "height")
        )
        handle = whole_number(one.get("handle"), "objects", 0, 10**9, "handle")
        found[handle] = mask_from_runs(one.get("runs"), width, height)
    return found


def points_in_mask(mask: np.ndarray, about: int = POINTS) -> np.ndarray:
    """(K, 2) float64: about so many places of a mask, evenly spread, row by row.

    One at least where it holds a pixel.
    """
    rows, columns = np.nonzero(mask)
    if not len(rows):
        return np.zeros((0, 2))
    step = max(1, round((len(rows) / about) ** 0.5))
    kept = (rows % step == rows[0] % step) & (columns % step == columns[len(columns) // 2] % step)
    kept[len(kept) // 2] |= not kept.any()
    return np.stack([columns[kept], rows[kept]], -1).astype(np.float64)


def fill_outlines(outlines: Iterable[np.ndarray], width: int, height: int) -> np.ndarray:
    """(H, W) bool: the pixels whose middle lies within closed outlines (P, 2), by the even-odd rule.

    Pixel (0, 0) has its middle at 0.
    """
    flips = np.zeros(height * (width + 1), np.int64)
    step = max(1, CROSSINGS // height)
    for outline in outlines:
        after = np.roll(outline, -1, axis=0)
        for start in range(0, len(outline), step):
            flips += _crossings(outline[start : start + step], after[start : start + step], width, height)
    flips = flips.reshape(height, width + 1)
    # A place is inside where an odd number of edges lies to the right of it.
    return (flips.sum(1, keepdims=True) - np.cumsum(flips, 1)[:, :-1]) % 2 == 1


def _crossings(a: np.ndarray, b: np.ndarray, width: int, height: int) -> np.ndarray:
    """(H · (W + 1),): how many edges from a to b (E, 2) cross each row just before each column."""
    low = np.ceil(np.minimum(a[:, 1], b[:, 1])).clip(0, height).astype(int)
    high = np.ceil(np.maximum(a[:, 1], b[:, 1])).clip(0, height).astype(int)
    many = high - low
    edge = np.repeat(np.arange(len(a)), many)
    row = np.arange(many.sum()) - np.repeat(np.cumsum(many) - many, many) + np.repeat(low, many)
    (ax, ay), (bx, by) = a[edge].T, b[edge].T
    column = np.ceil((bx - ax) / (by - ay) * (row - ay) + ax).clip(0, width).astype(int)
    return np.bincount(row * (width + 1) + column, minlength=height * (width + 1))
