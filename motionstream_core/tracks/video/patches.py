"""What the neighbourhood of a point looks like, and where in another picture it is found again.

Owns the sampling of patches and their alignment: Gauss-Newton in the template's frame (Baker and Matthews'
inverse compositional form), over a patch that is turned and scaled with the surface, towards a place that is
expected. Knows nothing of videos or of other points.

Shapes: N points, P = SIDE·SIDE pixels of a patch. grey (H, W) float32. xy (N, 2). shape (N, 2, 2) takes a
patch's pixels to the picture's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

try:
    import cv2 as _cv2
except ImportError:  # the tracker says so when it is made
    _cv2 = None
cv2: Any = _cv2

SIDE = 13  # px: of a patch
WIDE, NARROW = (
    3.5,
    2.0,
)  # px: Gaussian weights for the alignment and for the question whether it is still the same surface
# Grey levels: of a patch's pixels against its template, as the alignment weighs them against what is expected
NOISE = 6.0
STEPS_AT_MOST = 1.5  # px a step of the alignment may go
REACH = (
    np.stack(np.meshgrid(np.arange(SIDE) - SIDE // 2, np.arange(SIDE) - SIDE // 2), -1)
    .reshape(-1, 2)
    .astype(np.float32)
)

UNDER = np.concatenate([REACH.T, np.ones((1, SIDE * SIDE), np.float32)])  # (3, P)


def gaussian_weights(sigma: float) -> np.ndarray:
    """(P,) Gaussian weights that add up to 1."""
    weights = np.exp(-(REACH**2).sum(1) / (2 * sigma**2))
    return (weights / weights.sum()).astype(np.float32)


FOR_ALIGNMENT, FOR_LIKENESS = gaussian_weights(WIDE), gaussian_weights(NARROW)
BRIGHTEST = 253.0  # grey levels: what would be brighter is not
GREY = np.array([0.299, 0.587, 0.114], np.float32)  # how much of each colour is in the grey


@dataclass
class Picture:
    """A frame (H, W, 3) uint8 made ready.

    `raw` is grey (H, W) uint8, `grey` the same smoothed a little, in float32, and `colour` its colours
    smoothed more (H, W, 3) uint8.
    """

    frame: np.ndarray
    raw: np.ndarray
    grey: np.ndarray
    colour: np.ndarray

    @classmethod
    def of(cls, frame: np.ndarray) -> Picture:
        raw = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
        grey = cv2.GaussianBlur(raw.astype(np.float32), (0, 0), 0.8)
        return cls(frame, raw, grey, cv2.GaussianBlur(frame, (0, 0), 1.5))


@dataclass
class Templates:
    """Patches as they were (N, P) with their slopes along x and y, the colour of their middles (N, 3) and how
    steep it is (N,).
    """

    value: np.ndarray
    slope_x: np.ndarray
    slope_y: np.ndarray
    colour: np.ndarray
    steep: np.ndarray

    @classmethod
    def of(cls, picture: Picture, xy: np.ndarray) -> Templates:
        here = np.repeat(np.eye(2, dtype=np.float32)[None], len(xy), 0)
        slopes = [
            cv2.Sobel(picture.grey, cv2.CV_32F, *order, ksize=3, scale=1 / 8) for order in ((1, 0), (0, 1))
        ]
        around = [
            sample_field(picture.colour, xy + np.array(step, np.float32)).astype(np.float32)
            for step in ((1, 0), (-1, 0), (0, 1), (0, -1))
        ]
        steep = (np.abs(around[0] - around[1]).max(1) + np.abs(around[2] - around[3]).max(1)) / 2
        return cls(
            sample_patches(picture.grey, xy, here),
            sample_patches(slopes[0], xy, here),
            sample_patches(slopes[1], xy, here),
            sample_field(picture.colour, xy).astype(np.float32),
            steep,
        )

    @property
    def texture(self) -> np.ndarray:
        """(N,) the smaller eigenvalue of the slopes' second moments, (grey levels per px)²: how well a place
        can be told in every direction.
        """
        weight = FOR_ALIGNMENT
        a, b, c = (
            (one * other) @ weight
            for one, other in (
                (self.slope_x, self.slope_x),
                (self.slope_x, self.slope_y),
                (self.slope_y, self.slope_y),
            )
        )
        return (a + c) / 2 - np.sqrt(((a - c) / 2) ** 2 + b**2)

    def chosen(self, index: np.ndarray) -> Templates:
        return Templates(
            *(getattr(self, name)[index] for name in ("value", "slope_x", "slope_y", "colour", "steep"))
        )


def sample_patches(grey: np.ndarray, xy: np.ndarray, shape: np.ndarray) -> np.ndarray:
    """(N, P): patches around places, bilinear."""
    place = np.concatenate([shape, xy[..., None]], -1).astype(np.float32, copy=False) @ UNDER  # (N, 2, P)
    return _remap(grey, np.ascontiguousarray(place[:, 0]), np.ascontiguousarray(place[:, 1]))


def sample_field(field: np.ndarray, xy: np.ndarray) -> np.ndarray:
    """A field (H, W, C) at places -> (N, C)."""
    x, y = (np.ascontiguousarray(xy[:, i, None], dtype=np.float32) for i in (0, 1))
    return _remap(field, x, y).reshape(len(xy), field.shape[2] if field.ndim == 3 else 1)


def _remap(field: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """cv2.remap in pieces: it takes fewer than 32768 rows."""
    pieces = [
        cv2.remap(
            field, x[i : i + 16384], y[i : i + 16384], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        for i in range(0, len(x), 16384)
    ]
    return (
        pieces[0]
        if len(pieces) == 1
        else np.concatenate(pieces)
        if pieces
        else np.zeros((0, *x.shape[1:], *field.shape[2:]), field.dtype)
    )


def align_patches(
    grey: np.ndarray,
    templates: Templates,
    support: np.ndarray,
    xy: np.ndarray,
    shape: np.ndarray,
    gain: float,
    steps: int,
    expected: np.ndarray | None = None,
    doubt: np.ndarray | None = None,
) -> np.ndarray:
    """Places moved to where the templates fit best. Across an edge the picture decides, along it and where
    there is nothing to see, what is expected.

    Args:
        grey: (H, W) float32.
        templates: of the points.
        support: (N, P) which of a patch's pixels belong to the point's surface.
        xy: (N, 2) pixels, where the search begins.
        shape: (N, 2, 2) a patch's pixels to the picture's.
        gain: how much brighter the picture has become.
        steps: of the search.
        expected: (N, 2) where the points should be.
        doubt: (N,) px, how far they may be from there.
    """
    weight = FOR_ALIGNMENT * support
    weight /= np.maximum(weight.sum(1, keepdims=True), 1e-6)
    gx, gy = gain * templates.slope_x, gain * templates.slope_y
    wx, wy = (
        weight * (gx - (weight * gx).sum(1, keepdims=True)),
        weight * (gy - (weight * gy).sum(1, keepdims=True)),
    )
    a, b, c = (wx * gx).sum(1), (wx * gy).sum(1), (wy * gy).sum(1)
    noise = (NOISE / 7) ** 2  # the mean over a patch of some fifty independent pixels
    prior = np.zeros(len(xy), np.float32) if doubt is None else noise / doubt**2
    square = shape.transpose(0, 2, 1) @ shape
    ridge = 1e-3 + 1e-2 * (a + c)
    a, b, c = (
        a + prior * square[:, 0, 0] + ridge,
        b + prior * square[:, 0, 1],
        c + prior * square[:, 1, 1] + ridge,
    )
    determinant = np.maximum(a * c - b * b, 1e-9)
    xy = xy.astype(np.float32).copy()
    for _ in range(steps):
        error = sample_patches(grey, xy, shape) - gain * templates.value
        rx, ry = (wx * error).sum(1), (wy * error).sum(1)
        if expected is not None:
            pull = apply_shapes(shape.transpose(0, 2, 1), xy - expected) * prior[:, None]
            rx, ry = rx + pull[:, 0], ry + pull[:, 1]
        step = np.stack([(c * rx - b * ry) / determinant, (a * ry - b * rx) / determinant], 1)
        step = apply_shapes(shape, step)
        length = np.linalg.norm(step, axis=1, keepdims=True)
        xy -= (step * np.minimum(1, STEPS_AT_MOST / np.maximum(length, 1e-6))).astype(np.float32)
    return xy


def apply_shapes(shape: np.ndarray, step: np.ndarray) -> np.ndarray:
    """(N, 2, 2) times (N, ..., 2)."""
    rows = shape.reshape(len(shape), *(1,) * (step.ndim - 2), 2, 2)
    return np.stack([rows[..., i, 0] * step[..., 0] + rows[..., i, 1] * step[..., 1] for i in (0, 1)], -1)


@dataclass
class Likeness:
    """spread (N,): of the difference to the template, without its mean. contrast (N,): of the template
    itself. shift (N,): that mean, in grey levels, but for what has become too bright to be told. colour (N,):
    most difference of a colour. error (N, P).
    """

    spread: np.ndarray
    contrast: np.ndarray
    shift: np.ndarray
    colour: np.ndarray
    error: np.ndarray

    @property
    def score(self) -> np.ndarray:
        """0 (the same) upwards. About 1 is where two surfaces differ."""
        form = self.spread / (4.0 + 0.55 * self.contrast)
        return np.maximum(form, self.colour)


def compare_patches(
    picture: Picture,
    templates: Templates,
    support: np.ndarray,
    xy: np.ndarray,
    shape: np.ndarray,
    gain: float,
) -> Likeness:
    """How alike the picture at places xy is to the templates.

    Args:
        picture: the picture.
        templates: of the points.
        support: (N, P) which of a patch's pixels belong to the point's surface.
        xy: (N, 2) pixels.
        shape: (N, 2, 2) a patch's pixels to the picture's.
        gain: how much brighter the picture has become.
    """
    weight = FOR_LIKENESS * support
    weight /= np.maximum(weight.sum(1, keepdims=True), 1e-6)
    error = sample_patches(picture.grey, xy, shape) - gain * templates.value
    mean = (weight * error).sum(1)
    spread = np.sqrt(np.maximum((weight * error * error).sum(1) - mean**2, 0))
    level = (weight * templates.value).sum(1)
    contrast = gain * np.sqrt(np.maximum((weight * templates.value**2).sum(1) - level**2, 0))
    over = np.maximum(0, gain * templates.colour - BRIGHTEST)
    colour = np.abs(sample_field(picture.colour, xy).astype(np.float32) + over - gain * templates.colour).max(
        1
    ) / (22.0 + 0.7 * templates.steep)
    return Likeness(spread, contrast, mean + over @ GREY, colour, error - mean[:, None])
