"""Plane motion as a homography (3, 3): where it takes points (N, 2). NumPy, float64."""

from __future__ import annotations

import numpy as np

LEAST_DEPTH = 1e-6


def project_points(homography: np.ndarray, xy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points (N, 2) under a homography, and the depth (N, 1) that they were divided by."""
    high = np.concatenate([xy, np.ones((len(xy), 1))], 1) @ homography.T
    depth = np.where(np.abs(high[:, 2:]) < LEAST_DEPTH, LEAST_DEPTH, high[:, 2:])
    return high[:, :2] / depth, depth


def apply_homography(homography: np.ndarray, xy: np.ndarray) -> np.ndarray:
    """Points (N, 2) under a homography."""
    return project_points(homography, xy)[0]
