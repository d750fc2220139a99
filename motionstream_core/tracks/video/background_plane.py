"""The motion of what most points belong to, as one plane under a camera: where hidden and flat points of it
are.

Owns the homography from the first frame to the present one and who belongs to it. Knows nothing of pictures.
Shapes: start and xy (N, 2); member (N,) 0..1: how surely each point belongs to it, 0.5 at first.
"""

from __future__ import annotations

import numpy as np

from .patches import cv2

AGREES = 1.5  # px
FEWEST = 24  # sure points that a fit needs
SHARE = 0.35  # of the sure points must belong to it, else the scene has no such plane


class Ground:
    def __init__(self, start: np.ndarray):
        self.start = start.astype(np.float64)
        self.member = np.full(len(start), 0.5, np.float32)
        self.way: np.ndarray | None = None

    def fit(self, xy: np.ndarray, sure: np.ndarray) -> bool:
        """Finds the way to the present frame from points that are surely seen; False where there is none."""
        self.way = None
        chosen = np.flatnonzero(sure & (self.member > 0.3))
        if len(chosen) < max(FEWEST, SHARE * sure.sum()):
            return False
        cv2.setRNGSeed(0)
        way, agree = cv2.findHomography(
            self.start[chosen].astype(np.float32),
            xy[chosen].astype(np.float32),
            cv2.RANSAC,
            AGREES,
            maxIters=300,
            confidence=0.99,
        )
        if way is None or agree.sum() < max(FEWEST, SHARE * sure.sum()):
            return False
        self.way = way
        return True

    def places(self) -> tuple[np.ndarray, np.ndarray]:
        """Where each point would be if it belonged (N, 2), and the local motion there (N, 2, 2)."""
        assert self.way is not None
        high = np.concatenate([self.start, np.ones((len(self.start), 1))], 1) @ self.way.T
        depth = np.where(np.abs(high[:, 2:]) < 1e-6, 1e-6, high[:, 2:])
        place = high[:, :2] / depth
        shape = (self.way[None, :2, :2] - place[:, :, None] * self.way[None, 2:, :2]) / depth[:, :, None]
        return place.astype(np.float32), shape.astype(np.float32)

    def learn(self, belongs: np.ndarray, refuted: np.ndarray):
        """belongs, refuted (N,) bool: what was seen in this frame; others stay as they are."""
        self.member = np.where(
            refuted, self.member * 0.6, np.where(belongs, self.member + 0.1 * (1 - self.member), self.member)
        ).astype(np.float32)
