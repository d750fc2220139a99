"""The motion of points that go together, as one map of the plane, and the consensus of points that do not.

Owns the fits: translation, similarity, affine. Knows nothing of pictures.
Shapes: source and target (K, 2) float64 pixels. A motion is (2, 3), source to target.
"""

from __future__ import annotations

import numpy as np

AFFINE_FROM = 6  # points
BENDS = 0.5  # px: the rms that a similarity leaves before an affine map is tried
GAIN = 0.6  # an affine map must leave so much less
THIN = 1.5  # px: points spread less than this across a line say nothing of a shear
CLOSE = 1.0  # px: points spread less than this say nothing of a turn
SCALES = (1 / 8, 8.0)  # beyond these a fit has collapsed
PAIRS = 160  # of points that a consensus tries
OFF = 2.5  # times the median that a point misses its motion by: beyond, it has one of its own
EXACT = 0.05  # px: nearer than this nothing is told
IDENTITY = np.array([[1.0, 0, 0], [0, 1, 0]])


def fit_motion(source: np.ndarray, target: np.ndarray, linear: np.ndarray | None = None) -> np.ndarray:
    """The least-squares motion that so many points can tell: a similarity, or an affine map where that is
    much nearer.

    linear: (2, 2) what is taken where the points tell a translation alone: one point, or points that
    collapse. The identity by default.
    """
    if not len(source):
        return IDENTITY.copy()
    here, there = source.mean(0), target.mean(0)
    a, b = source - here, target - there
    size = float((a**2).sum())
    turn = np.eye(2) if linear is None else linear
    if len(source) > 1 and size > CLOSE**2 * len(source):
        along = float((a * b).sum()) / size
        across = float((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum()) / size
        if SCALES[0] <= np.hypot(along, across) <= SCALES[1]:
            turn = np.array([[along, -across], [across, along]])
            turn = _affine(a, b, turn)
    return np.concatenate([turn, (there - turn @ here)[:, None]], 1)


def _affine(a: np.ndarray, b: np.ndarray, turn: np.ndarray) -> np.ndarray:
    """The affine map of centred points, where it is much nearer than the similarity `turn`."""
    left = rms(b - a @ turn.T)
    if len(a) < AFFINE_FROM or left < BENDS:
        return turn
    if np.linalg.svd(a, compute_uv=False)[-1] < THIN * len(a) ** 0.5:
        return turn
    sheared = np.linalg.lstsq(a, b, rcond=None)[0].T
    scales = np.linalg.svd(sheared, compute_uv=False)
    whole = np.linalg.det(sheared) > 0 and SCALES[0] <= scales[-1] and scales[0] <= SCALES[1]
    return sheared if whole and rms(b - a @ sheared.T) < GAIN * left else turn


def rms(difference: np.ndarray) -> float:
    """Root of the mean squared length."""
    return float((difference**2).sum(-1).mean() ** 0.5) if len(difference) else 0.0


def move_points(motion: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Where the motion takes points (K, 2)."""
    return points @ motion[:, :2].T + motion[:, 2]


def invert_motion(motion: np.ndarray) -> np.ndarray:
    """The motion back."""
    back = np.linalg.inv(motion[:, :2])
    return np.concatenate([back, -(back @ motion[:, 2])[:, None]], 1)


def residuals(motion: np.ndarray, source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """(K,): how far each point is from where the motion takes it, px."""
    return np.linalg.norm(move_points(motion, source) - target, axis=-1)


def common_motion(
    source: np.ndarray, target: np.ndarray, weight: np.ndarray, tolerance: float, spread: bool
) -> tuple[np.ndarray, np.ndarray]:
    """The motion that most points agree on, and which do (K,) bool.

    The consensus of similarities through PAIRS pairs of points, the same ones for the same number of points.

    Args:
        weight: (K,) of each point.
        tolerance: px within which a point agrees.
        spread: count points the more, the larger the part of the picture they lie in: what a background is
            told by.
    """
    count = len(source)
    if count < 2:
        return fit_motion(source, target), np.ones(count, bool)
    rng = np.random.default_rng(count)
    first = rng.integers(0, count, PAIRS)
    second = (first + rng.integers(1, count, PAIRS)) % count
    z = source[:, 0] + 1j * source[:, 1]
    w = target[:, 0] + 1j * target[:, 1]
    apart = z[second] - z[first]
    turn = np.where(np.abs(apart) > CLOSE, (w[second] - w[first]) / np.where(apart == 0, 1, apart), 1)
    turn[::4] = 1  # translations, for points that are near each other
    agree = np.abs(turn[:, None] * (z[None] - z[first, None]) + w[first, None] - w[None]) <= tolerance
    score = agree @ weight
    if spread:
        score = score * _extent(agree, source)
    chosen = agree[int(np.argmax(score))]
    for _ in range(3):
        motion = fit_motion(source[chosen], target[chosen])
        again = residuals(motion, source, target) <= tolerance
        if not again.any() or np.array_equal(again, chosen):
            break
        chosen = again
    return _refit(source, target, chosen), chosen


def _refit(source: np.ndarray, target: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """The fit of the points that agree, without those that a little of another motion has made agree."""
    motion = fit_motion(source[chosen], target[chosen])
    for _ in range(2):
        miss = residuals(motion, source, target)
        near = chosen & (miss <= max(EXACT, OFF * float(np.median(miss[chosen]))))
        if near.sum() < 2:
            break
        motion = fit_motion(source[near], target[near])
    return motion


def _extent(agree: np.ndarray, source: np.ndarray) -> np.ndarray:
    """(P,): the area of the boxes around the points that agree, as a share of the whole box."""
    sides = []
    for axis in (0, 1):
        value = source[None, :, axis]
        low = np.where(agree, value, np.inf).min(1)
        high = np.where(agree, value, -np.inf).max(1)
        sides.append((high - low + 1) / (np.ptp(source[:, axis]) + 1))
    return sides[0] * sides[1]
