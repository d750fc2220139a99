"""Cameras as lines of numbers: RealEstate10K and CameraCtrl, KITTI, TUM, and plain matrices."""

from __future__ import annotations

import numpy as np

from .lens import lens_notes
from .poses import CONVENTIONS, MOST_FRAMES, Trajectory, matrices, poses_at, rotations, world_to_camera
from .timing import spread_evenly

KITTI = (
    "lines of 12 numbers are read as KITTI's poses (OpenCV camera-to-world); choose the convention where "
    "they are another's"
)


def check_rows(rows: list[list[float]]) -> np.ndarray:
    table = np.array(rows)
    if len(rows) > MOST_FRAMES or not np.isfinite(table).all():
        raise ValueError(f"expected at most {MOST_FRAMES} lines of finite numbers, got {len(rows)} lines")
    return table


def read_realestate(rows: np.ndarray, own: str) -> Trajectory:
    """Lines of time, fx, fy, cx, cy (shares of the picture's width and height), two zeros, and the 3x4
    world-to-camera matrix. With a 4x4 one, as the host's and VideoX-Fun's camera nodes have it,
    camera-to-world.
    """
    fx, fy, cx, cy = rows[:, 1:5].T
    if not ((fx > 0) & (fy > 0)).all():
        raise ValueError(
            "expected focal lengths above 0 in the second and third number of every line, got others"
        )
    height = 4 if rows.shape[1] == 23 else 3
    pose = world_to_camera(rows[:, 7:].reshape(-1, height, 4), own)
    camera = Trajectory(pose, fx, float(fy[0] / fx[0]), notes=lens_notes([*cx, *cy]))
    return spread_evenly(camera, rows[:, 0])


def read_kitti(rows: np.ndarray, convention: str | None) -> Trajectory:
    """Lines of a 3x4 matrix."""
    pose = world_to_camera(rows.reshape(-1, 3, 4), convention or CONVENTIONS[1])
    return Trajectory(pose, notes=() if convention else (KITTI,))


def read_tum(rows: np.ndarray) -> Trajectory:
    """Lines of time, place and quaternion (x, y, z, w) of the camera in the world."""
    turns = rotations(matrices(rows[:, [7, 4, 5, 6]])).transpose(0, 2, 1)
    return spread_evenly(Trajectory(poses_at(turns, rows[:, 1:4])), rows[:, 0])
