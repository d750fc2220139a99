"""The motion of what most points belong to, as one plane under a camera: where hidden and flat points of it
are.

Owns the homography from the first frame to the present one and who belongs to it. Knows nothing of pictures.
Shapes: start and xy (N, 2). member (N,) 0..1: how surely each point belongs to it, 0.5 at first.
"""

from __future__ import annotations

import numpy as np

from ..homography import project_points
from .patches import cv2

AGREES = 1.5  # px
FEWEST = 24  # sure points that a fit needs
SHARE = 0.35  # of the sure points must belong to it, else the scene has no such plane


class BackgroundPlane:
    def __init__(self, start: np.ndarray):
        self.start = start.astype(np.float64)
        self.member = np.full(len(start), 0.5, np.float32)
        self.homography: np.ndarray | None = None

    def fit(self, xy: np.ndarray, sure: np.ndarray) -> bool:
        """Finds the way to the present frame from points that are surely seen. False where there is none."""
        self.homography = None
        chosen = np.flatnonzero(sure & (self.member > 0.3))
        if len(chosen) < max(FEWEST, SHARE * sure.sum()):
            return False
        cv2.setRNGSeed(0)
        homography, agree = cv2.findHomography(
            self.start[chosen].astype(np.float32),
            xy[chosen].astype(np.float32),
            cv2.RANSAC,
            AGREES,
            maxIters=300,
            confidence=0.99,
        )
        if homography is None or agree.sum() < max(FEWEST, SHARE * sure.sum()):
            return False
        self.homography = homography
        return True

    def places(self) -> tuple[np.ndarray, np.ndarray]:
        """Where each point would be if it belonged (N, 2), and the local motion there (N, 2, 2)."""
        assert self.homography is not None
        place, depth = project_points(self.homography, self.start)
        shape = (self.homography[None, :2, :2] - place[:, :, None] * self.homography[None, 2:, :2]) / depth[
            :, :, None
        ]
        return place.astype(np.float32), shape.astype(np.float32)

    def learn(self, belongs: np.ndarray, refuted: np.ndarray):
        """belongs, refuted (N,) bool: what was seen in this frame. Others stay as they are."""
        self.member = np.where(
            refuted, self.member * 0.6, np.where(belongs, self.member + 0.1 * (1 - self.member), self.member)
        ).astype(np.float32)
