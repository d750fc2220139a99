"""Finds the thing in a generated clip by its colour, and says where it goes.

Owns the colour classes of a scene and the verdict on a clip. A pixel is of a thing's colour when it is near
that colour's main tone and nearer to it than to anything that a scene of that place and time shows without a
thing. What the prompt says of the thing is not used.
Shapes: frames (T, H, W, 3) uint8.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from ...training.cartoon.drawing import render
from ...training.cartoon.figures import tones
from ...training.cartoon.scene import REDUCED, Scene

NEAR = 48.0  # largest distance to a main tone, in RGB
LEAST_AREA = 0.006  # of the picture: the largest piece of a colour must have this much to be a thing
LEAST_SHARE = 0.4  # of the frames in which a thing must be seen
LAG = 8  # frames between which motion is measured
LEAST_MOVE = 3.0 / 128  # widths of the picture in LAG frames; the world's speed is 0.095


@dataclass(frozen=True)
class Verdict:
    """colour: of the largest thing, or None. verb: what it does, or None where it cannot be followed.
    share: of frames it is seen in.
    """

    colour: str | None
    verb: str | None
    share: float
    move: tuple[float, float]


@cache
def background(place: str, time: str) -> np.ndarray:
    """The colours (N, 3) of scenes of a place and time without things."""
    frames = np.concatenate([render(Scene(place, time, (), seed), 1, start=seed) for seed in range(16)])
    coarse, counts = np.unique(
        (frames.reshape(-1, 3) >> 3).astype(np.int64) @ (1 << 20, 1 << 10, 1), return_counts=True
    )
    kept = coarse[counts > 0.0008 * counts.sum()]
    return np.stack([kept >> 20, kept >> 10 & 1023, kept & 1023], 1).astype(np.float32) * 8 + 4


def of_colour(
    frames: np.ndarray, place: str, time: str, colours: tuple[str, ...] = REDUCED.colours
) -> np.ndarray:
    """The class of every pixel (T, H, W): the number of a colour, or -1."""
    mains = np.array([tones(colour, time)["main"] for colour in colours], np.float32)
    flat = frames.reshape(-1, 3).astype(np.float32)
    squares = _squares(flat, mains)
    nearest = squares.argmin(1)
    least = squares.min(1)
    # The scene's own colours, of which there are many, are asked about where a thing may be alone.
    near = np.flatnonzero(least < NEAR**2)
    other = _squares(flat[near], background(place, time)).min(1)
    found = near[least[near] <= other]
    classes = np.full(len(flat), -1)
    classes[found] = nearest[found]
    return classes.reshape(frames.shape[:3])


def _squares(flat: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Squared distances (N, K) of colours (N, 3) to a table's (K, 3)."""
    return (flat**2).sum(1)[:, None] - 2 * flat @ table.T + (table**2).sum(1)


def largest_piece(mask: np.ndarray) -> tuple[float, float, float]:
    """The share of the picture and the centre (x, y, in widths) of a mask's largest connected piece."""
    count, _, stats, centroids = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if count < 2:
        return 0.0, 0.0, 0.0
    piece = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    x, y = (centroids[piece] + 0.5) / mask.shape[0]
    return float(stats[piece, cv2.CC_STAT_AREA]) / mask.size, float(x), float(y)


def verdict(frames: np.ndarray, place: str, time: str, colours: tuple[str, ...] = REDUCED.colours) -> Verdict:
    """What a clip shows, judged from every second frame."""
    classes = of_colour(frames[::2], place, time, colours)
    pieces = np.array([[largest_piece(picture == c) for picture in classes] for c in range(len(colours))])
    best = int(pieces[:, :, 0].sum(1).argmax())
    area, path = pieces[best, :, 0], pieces[best, :, 1:]
    seen = area >= LEAST_AREA
    share = float(seen.mean())
    if share < LEAST_SHARE:
        return Verdict(None, None, share, (0.0, 0.0))
    lag = LAG // 2
    both = seen[lag:] & seen[:-lag]
    steps = (path[lag:] - path[:-lag])[both]
    steps = steps[np.abs(steps).max(1) < 0.3]  # what wraps, or is another piece
    if len(steps) < 2:
        return Verdict(colours[best], None, share, (0.0, 0.0))
    dx, dy = np.median(steps, 0)
    return Verdict(colours[best], _verb(dx, dy), share, (float(dx), float(dy)))


def _verb(dx: float, dy: float) -> str | None:
    if max(abs(dx), abs(dy)) < LEAST_MOVE:
        return "stays"
    if abs(dx) > abs(dy):
        return "moves right" if dx > 0 else "moves left"
    return "flies up" if dy < 0 else None
