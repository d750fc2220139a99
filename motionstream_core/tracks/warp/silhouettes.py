"""The pixels of each thing, cut out of the start image round its tracks.

Owns the first guess (the nearest track, in place and colour) and its refinement by a graph cut, where OpenCV
is there. Shapes: image (3, H, W) 0..1. start (N, 2) pixels with centres at +0.5. masks (H, W) bool.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from .forward import assign_pixels

REACH = 0.1  # of the longer side: how far a thing goes on beyond its tracks, at least
SPACINGS = 2.0  # or so many distances between its tracks
EXTENTS = 0.5  # or so much of the extent of its tracks
SURE = 1.5  # px around a track
CUT_SIDE = 256  # px: a larger cut is made on a smaller picture
LEAST = 0.35  # of the first guess, that a cut keeps at least, and
MOST = 2.0  # at most: else the first guess stands
FREE = -1e5  # a track that begins there is none


def nearest_tracks(image: Tensor, start: np.ndarray) -> np.ndarray:
    """(H, W): the track that each pixel goes with, in place and colour."""
    usable = (start > FREE).all(-1)
    places = torch.from_numpy(start[usable] - 0.5).to(image)
    return np.flatnonzero(usable)[assign_pixels(image, places).cpu().numpy()]


def find_silhouettes(
    image: Tensor,
    start: np.ndarray,
    labels: np.ndarray,
    things: list[int],
    nearest: np.ndarray | None = None,
) -> dict[int, Tensor]:
    """The masks of some of the things.

    Args:
        image: the picture.
        start: where the tracks begin.
        labels: (N,) whose each track is, 0 the background's.
        things: which.
        nearest: what `nearest_tracks` gives for these, where it is known.
    """
    if not things:
        return {}
    usable = (start > FREE).all(-1)
    height, width = image.shape[-2:]
    owner = labels[nearest_tracks(image, start) if nearest is None else nearest]
    out = {}
    for label in things:
        own = start[usable & (labels == label)]
        others = start[usable & (labels != label)]
        away = _distance(own, height, width)
        limit = _reach(own, max(height, width))
        guess = (owner == label) & (away <= limit)
        mask = _cut(image, guess, away, _distance(others, height, width), limit)
        out[label] = torch.from_numpy(mask & ((owner == label) | (owner == 0)))
    return out


def _reach(own: np.ndarray, side: int) -> float:
    """How far beyond its tracks a thing may go on, px."""
    spacing = 0.0
    if len(own) > 2:
        gaps = np.sqrt(((own[:, None] - own[None]) ** 2).sum(-1))
        spacing = float(np.median(np.sort(gaps, axis=1)[:, 1]))
    extent = float(np.ptp(own, axis=0).max()) if len(own) else 0.0
    return max(REACH * side, SPACINGS * spacing, EXTENTS * min(extent, side / 3))


def _distance(points: np.ndarray, height: int, width: int) -> np.ndarray:
    """(H, W): how far each pixel is from the nearest of these points (K, 2), px."""
    if not len(points):
        return np.full((height, width), float(height + width))
    rows, columns = np.mgrid[:height, :width] + 0.5
    best = np.full((height, width), np.inf)
    for x, y in points:
        np.minimum(best, (columns - x) ** 2 + (rows - y) ** 2, out=best)
    return np.sqrt(best)


def _cut(image: Tensor, guess: np.ndarray, away: np.ndarray, others: np.ndarray, limit: float) -> np.ndarray:
    """The guess refined by a graph cut between its tracks and the others'. As it is without OpenCV or where
    the cut fails.

    away, others (H, W): how far the nearest own track and the nearest other one are.
    """
    try:
        import cv2
    except ImportError:
        return guess
    labels = np.where(guess, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    labels[(away > limit) | (others < 0.35 * away) | ((others <= SURE) & ~guess)] = cv2.GC_BGD
    labels[guess & ((away <= SURE) | (away < 0.35 * others) & (others < limit))] = cv2.GC_FGD
    if not (labels == cv2.GC_FGD).any() or not (labels == cv2.GC_BGD).any():
        return guess
    pixels = (image.permute(1, 2, 0).cpu().numpy().clip(0, 1) * 255).round().astype(np.uint8)
    rows, columns = np.flatnonzero((away <= limit).any(1)), np.flatnonzero((away <= limit).any(0))
    margin = int(limit / 2) + 8
    top, bottom = max(0, rows[0] - margin), rows[-1] + margin + 1
    left, right = max(0, columns[0] - margin), columns[-1] + margin + 1
    patch = np.ascontiguousarray(pixels[top:bottom, left:right])
    trimap = np.ascontiguousarray(labels[top:bottom, left:right])
    shape = patch.shape[1], patch.shape[0]
    scale = min(1.0, CUT_SIDE / max(shape))
    if scale < 1:
        small = max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))
        patch = cv2.resize(patch, small, interpolation=cv2.INTER_AREA)
        trimap = cv2.resize(trimap, small, interpolation=cv2.INTER_NEAREST)
    if len(np.unique(trimap % 2)) < 2:
        return guess
    cv2.setRNGSeed(0)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(patch, trimap, (0, 0, 0, 0), *models, 3, cv2.GC_INIT_WITH_MASK)
    kept = (trimap % 2).astype(np.float32)
    if scale < 1:
        kept = cv2.resize(kept, shape, interpolation=cv2.INTER_LINEAR)
    made = np.zeros_like(guess)
    made[top:bottom, left:right] = kept > 0.5
    made = _solid(made, away)
    share = made.sum() / max(1, guess.sum())
    return made if LEAST <= share <= MOST else guess


def _solid(mask: np.ndarray, away: np.ndarray) -> np.ndarray:
    """The mask without pieces that hold no track, small holes closed."""
    import cv2

    count, parts = cv2.connectedComponents(mask.astype(np.uint8))
    keep = np.unique(parts[(away <= SURE) & mask])
    mask = np.isin(parts, keep[keep > 0]) if len(keep) else mask
    kernel = np.ones((3, 3), np.uint8)
    return cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, kernel) > 0
