"""Who moves with whom: points that are near each other and have moved as one piece say where one of them is
when it cannot be seen.

Owns the links between points and the local affine motion fitted to them. Knows nothing of pictures.

Shapes: N points, K companions each. start (N, 2) where the points began. xy (N, 2) where they are. shape (N,
2, 2) local affine motion.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .patches import apply_shapes

NEAR, FAR = 16, 10  # companions beside a point, and farther away
FAR_RANK = 260  # the far ones are drawn from this many nearest
AGREES = 1.2  # px: companions that are this far from one piece count a quarter
STIFF = 0.15  # how much a fit keeps the shape of before, in companions
HOLDS = (1.0, 0.03)  # px, and px per px between them: a link whose ends are farther from one piece weakens


@dataclass
class Consensus:
    """What each point's companions say of it.

    Args:
        place: (N, 2) pixels, where it is.
        shape: (N, 2, 2) the local motion around it.
        spread: (N,) pixels, how little the companions agree.
        weight: (N,) their weights added up.
        one_sidedness: (N,) 0 where they stand all round the point, 1 where all are on one side.
    """

    place: np.ndarray
    shape: np.ndarray
    spread: np.ndarray
    weight: np.ndarray
    one_sidedness: np.ndarray


class NeighborConsensus:
    """links (N, K) 0..1: how much of one piece each pair has been so far."""

    def __init__(self, start: np.ndarray, rng: np.random.Generator):
        self.start = start.astype(np.float32)
        self.index = choose_companions(start, rng)
        self.away = self.start[self.index] - self.start[:, None]  # (N, K, 2)
        distance = np.linalg.norm(self.away, axis=-1)
        self.distance = distance
        self.unit = (self.away / np.maximum(distance, 1e-6)[..., None]).astype(np.float32)
        near = np.median(distance[:, :NEAR], axis=1, keepdims=True) if distance.shape[1] else distance
        self.kernel = (1 / (1 + (distance / np.maximum(2 * near, 1e-6)) ** 2)).astype(np.float32)
        self.links = np.ones(self.index.shape, np.float32)

    def fit(
        self, xy: np.ndarray, shape: np.ndarray, trust: np.ndarray, own: np.ndarray, member: np.ndarray
    ) -> Consensus:
        """Where each point's companions say it is.

        Args:
            xy: (N, 2) where the points were found.
            shape: (N, 2, 2) their local motion.
            trust: (N,) 0..1, of the companions' places.
            own: (N,) bool, points whose own place says which companions are of their piece.
            member: (N,) 0..1, of the ground. Points that differ in it do not count for each other.
        """
        weight = base = (
            (self.links * (1 - np.abs(member[self.index] - member[:, None]))) ** 2
            * self.kernel
            * trust[self.index]
        )
        place = xy
        for turn in range(3):
            say = xy[self.index] - apply_shapes(shape, self.away)
            if not turn:
                place = np.where(own[:, None], xy, _middle(say, base))
            off = ((say - place[:, None]) ** 2).sum(-1)
            weight = base / (1 + off / (AGREES**2 * (1 + (self.distance * 0.02) ** 2))) ** 2
            place, shape = self._solved(xy, shape, weight)
        say = xy[self.index] - apply_shapes(shape, self.away)
        off = ((say - place[:, None]) ** 2).sum(-1)
        total = weight.sum(1)
        whole = np.maximum(total, 1e-6)
        one_sidedness = np.linalg.norm((self.unit * weight[..., None]).sum(1), axis=1) / whole
        return Consensus(place, shape, np.sqrt((weight * off).sum(1) / whole / 2), total, one_sidedness)

    def _solved(self, xy: np.ndarray, shape: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Weighted least squares of place and shape. The shape of before holds where companions are few or in
        a line.
        """
        scale = np.maximum(np.sqrt((weight * self.distance**2).sum(1) / np.maximum(weight.sum(1), 1e-6)), 1.0)
        left = np.concatenate(
            [np.ones((*weight.shape, 1), np.float32), self.away / scale[:, None, None]], -1
        )  # (N, K, 3)
        right = xy[self.index] - apply_shapes(shape, self.away)  # what the shape of before does not explain
        middle = _middle(right, weight)
        weighted = left * weight[..., None]
        normal = weighted.transpose(0, 2, 1) @ left + np.diag([1e-6, STIFF, STIFF]).astype(np.float32)
        found = np.linalg.solve(
            normal.astype(np.float64),
            (weighted.transpose(0, 2, 1) @ (right - middle[:, None])).astype(np.float64),
        )
        place = middle + found[:, 0]
        return place.astype(np.float32), (
            shape + found[:, 1:].transpose(0, 2, 1) / scale[:, None, None]
        ).astype(np.float32)

    def learn(self, xy: np.ndarray, shape: np.ndarray, sure: np.ndarray):
        """Links between points both of which are surely seen weaken where they are not of one piece, and mend
        slowly where they are.
        """
        off = np.linalg.norm(xy[self.index] - xy[:, None] - apply_shapes(shape, self.away), axis=-1)
        both = sure[:, None] & sure[self.index]
        apart = off > HOLDS[0] + HOLDS[1] * self.distance
        self.links = np.where(
            both & apart, self.links * 0.7, np.where(both, np.minimum(1, self.links + 0.01), self.links)
        ).astype(np.float32)


def _middle(say: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """The weighted mean (N, 2) of what companions say (N, K, 2)."""
    return (say * weight[..., None]).sum(1) / np.maximum(weight.sum(1), 1e-6)[:, None]


def choose_companions(xy: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(N, K): the nearest other points of each, then some drawn from those farther away."""
    count = min(len(xy) - 1, FAR_RANK)
    if count < 1:
        return np.zeros((len(xy), 0), int)
    order = rank_neighbours(xy, count)
    near, far = order[:, :NEAR], order[:, NEAR:]
    if far.shape[1] <= FAR:
        return order
    drawn = np.sort(rng.random(far.shape).argsort(1)[:, :FAR], axis=1)
    return np.concatenate([near, np.take_along_axis(far, drawn, 1)], 1)


def rank_neighbours(xy: np.ndarray, count: int) -> np.ndarray:
    """The `count` nearest other points of each point, the nearest first (N, count)."""
    out = []
    for begin in range(0, len(xy), 512):
        distance = ((xy[begin : begin + 512, None] - xy[None]) ** 2).sum(-1)
        rows = np.arange(len(distance))
        distance[rows, begin + rows] = np.inf
        part = np.argpartition(distance, count - 1, axis=1)[:, :count]
        out.append(np.take_along_axis(part, np.take_along_axis(distance, part, 1).argsort(1), 1))
    return np.concatenate(out)
