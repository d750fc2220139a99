"""Points of one thing keep together: those that are not seen go where the ones around them say.

Owns the moving similarity (moving least squares, Schaefer, McPhail and Warren 2006) of hidden points after
visible ones. A subject's motion that is brought to another picture needs it: there nothing hides what was
hidden in the source, and pixels whose point is hidden would vanish.
"""

from __future__ import annotations

import numpy as np

FEWEST = 3  # visible points that a thing needs, and
SHARE = 0.1  # of all its points, for the others to go with them
# Of the thing's radius: points nearer than this weigh alike, so that one that strays does not tear its
# neighbours away
NEAR = 0.25


def fill_hidden_points(
    start: np.ndarray, xy: np.ndarray, visible: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """start (N, 2), xy (N, 2) and visible (N,) of one frame -> xy and visible with the hidden points moved as
    the visible ones around them.

    With fewer than three visible points, or than a tenth, everything stays as it is: the thing is gone.
    """
    seen = visible.astype(bool)
    if seen.all() or seen.sum() < max(FEWEST, SHARE * len(seen)):
        return xy, seen
    out = xy.copy()
    out[~seen] = moving_similarity(start[seen], xy[seen], start[~seen])
    return out, np.ones_like(seen)


def moving_similarity(source: np.ndarray, target: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Where `places` (K, 2) go when points go from source (M, 2) to target (M, 2): each by the similarity
    that fits best near it -> (K, 2).
    """
    source, target, places = (value.astype(np.float64) for value in (source, target, places))
    radius = max(1.0, float(((source - source.mean(0)) ** 2).sum(1).mean() ** 0.5))
    weight = 1 / (((places[:, None] - source[None]) ** 2).sum(-1) + (NEAR * radius) ** 2) ** 2
    weight /= weight.sum(1, keepdims=True)
    p, q = weight @ source, weight @ target
    a, b, v = source[None] - p[:, None], target[None] - q[:, None], places - p
    along = (weight * (a * b).sum(-1)).sum(1)
    across = (weight * (a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0])).sum(1)
    size = np.maximum((weight * (a**2).sum(-1)).sum(1), 1e-9)
    c, s = along / size, across / size
    return (q + np.stack([c * v[:, 0] - s * v[:, 1], s * v[:, 0] + c * v[:, 1]], 1)).astype(np.float32)
