"""Cameras and depth as the host's own nodes give them: camera embeddings, 3D cameras, geometry of depth
models.

Owns reading these values, which are plain tensors and dicts. Imports nothing of the host. Shapes: poses (T,
3, 4) world-to-camera, OpenCV axes. WAN_CAMERA_EMBEDDING (1, 24, t, H, W): Plücker rays (o × d, d) of 4 frames
a slot, the first frame four times.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from einops import rearrange
from torch import Tensor

from .moves import check_depth, ease, fit_map
from .poses import (
    CONVENTIONS,
    Trajectory,
    look_at,
    matrices,
    poses_at,
    quaternions,
    rotations,
    slerp,
    world_to_camera,
)

RAYS = 32  # a side: so many rays of a frame are looked at


def camera_from_embedding(embedding: Tensor) -> Trajectory:
    """The camera that the host's WanCameraEmbedding was made of, read off its rays: turns by Kabsch, places
    by least squares.
    """
    if not isinstance(embedding, Tensor) or embedding.ndim != 5 or embedding.shape[1] != 24:
        got = tuple(embedding.shape) if isinstance(embedding, Tensor) else type(embedding).__name__
        raise ValueError(f"camera embedding: expected (1, 24, t, H, W), got {got}")
    height, width = embedding.shape[-2:]
    rows, columns = (
        np.unique(np.linspace(0, side - 1, min(side, RAYS)).astype(int)) for side in (height, width)
    )
    picked = embedding[0].detach().cpu().double()[:, :, rows][:, :, :, columns]
    rays = rearrange(picked, "(c k) t h w -> (t k) (h w) c", c=6, k=4).numpy()[3:]
    moment, way = rays[..., :3], rays[..., 3:]
    if not np.isfinite(rays).all() or np.abs(np.linalg.norm(way, axis=-1) - 1).max() > 0.02:
        raise ValueError("camera embedding: expected rays of length 1, got others")
    turns = rotations(
        np.stack([_turn(way[0], now) for now in way])
    )  # camera to world, of the first camera's world
    centres = np.stack([_origin(m, d) for m, d in zip(moment, way)])
    slope = way[0, :, 0] / way[0, :, 2]
    x = np.tile(columns + 0.5, len(rows))
    (rise, _), left, *_ = np.linalg.lstsq(np.stack([x, np.ones_like(x)], 1), slope, rcond=None)
    if not rise > 0 or (len(left) and left[0] > 1e-4):
        raise ValueError("camera embedding: expected a first frame seen straight ahead, got another")
    return Trajectory(
        poses_at(turns.transpose(0, 2, 1), centres), np.full(len(rays), 1 / (rise * width)), width / height
    )


def _turn(first: np.ndarray, now: np.ndarray) -> np.ndarray:
    """The rotation (3, 3) that takes the rays (N, 3) to others (Kabsch 1976)."""
    left, _, right = np.linalg.svd(now.T @ first)
    return left @ np.diag([1, 1, np.linalg.det(left @ right)]) @ right


def _origin(moment: np.ndarray, way: np.ndarray) -> np.ndarray:
    """The point o (3,) with o × d = m for all rays."""
    zero = np.zeros(len(way))
    x, y, z = way.T
    system = np.stack([np.stack([zero, z, -y], 1), np.stack([-z, zero, x], 1), np.stack([y, -x, zero], 1)], 1)
    return np.linalg.lstsq(system.reshape(-1, 3), moment.reshape(-1), rcond=None)[0]


def camera_between_views(first: Any, last: Any, frames: int, easing: str, aspect: float) -> Trajectory:
    """From one of the host's 3D cameras to another, round what they look at: target, distance, turn and angle
    of view go over evenly. One unit is 1 / distance of the first camera from its target: the target lies at
    the median depth.

    Args:
        first: one of the host's 3D cameras.
        last: another one.
        frames: of the way.
        easing: how it speeds up and slows down.
        aspect: of the picture to be made.
    """
    one, two = (_viewer(camera) for camera in (first, last))
    share = ease(np.linspace(0, 1, frames) if frames > 1 else np.zeros(1), easing)
    start, end = (np.repeat(quaternions(camera["turn"][None]), frames, 0) for camera in (one, two))
    turns = matrices(slerp(start, end, share))
    target = one["target"] + share[:, None] * (two["target"] - one["target"])
    distance = one["distance"] * (two["distance"] / one["distance"]) ** share
    focal = one["focal"] * (two["focal"] / one["focal"]) ** share
    return Trajectory(
        poses_at(turns, target - distance[:, None] * turns[:, 2]), focal / aspect, aspect, 1 / one["distance"]
    )


def _viewer(camera: Any) -> dict[str, Any]:
    """LOAD3D_CAMERA -> turn (3, 3) world-to-camera, target, distance, focal as a multiple of the picture's
    height.
    """
    if not isinstance(camera, Mapping) or "position" not in camera:
        got = sorted(camera)[:6] if isinstance(camera, Mapping) else type(camera).__name__
        raise ValueError(f"camera: expected a 3D camera with position, target and fov, got {got}")
    if camera.get("cameraType", "perspective") != "perspective":
        raise ValueError(f"camera: expected a perspective camera, got {camera['cameraType']!r}")
    place, target = (_xyz(camera.get(key), key) for key in ("position", "target"))
    distance = float(np.linalg.norm(target - place))
    turn = look_at(place, target)[:, :3]
    if camera.get("quaternion") is not None:  # three.js: camera-to-world, y up, looking along −z
        x, y, z = _xyz(camera["quaternion"], "quaternion")
        turn = (
            np.diag([1.0, -1.0, -1.0])
            @ matrices(np.array([[float(camera["quaternion"].get("w", 0)), x, y, z]]))[0].T
        )
        target = place + distance * turn[2]
    fov, zoom = float(camera.get("fov", 35.0)), float(camera.get("zoom", 1.0) or 1.0)
    if not (0 < fov < 180 and zoom > 0):
        raise ValueError(
            f"camera: expected a vertical fov of 0 to 180 degrees and a zoom above 0, got {fov} and {zoom}"
        )
    return {
        "turn": turn,
        "target": target,
        "distance": distance,
        "focal": 0.5 * zoom / math.tan(math.radians(fov) / 2),
    }


def _xyz(value: Any, name: str) -> np.ndarray:
    try:
        found = np.array([float(value[key]) for key in "xyz"])
    except (KeyError, TypeError, ValueError):
        raise ValueError(f"camera: expected {name} with x, y and z, got {value!r:.60}") from None
    if not np.isfinite(found).all():
        raise ValueError(f"camera: expected a finite {name}, got {found.tolist()}")
    return found


def camera_from_geometry(geometry: Any) -> Trajectory:
    """The cameras of DA3_GEOMETRY in its multiview mode. One unit is 1 / the median depth of the first
    view.
    """
    if not isinstance(geometry, Mapping) or "extrinsics" not in geometry:
        got = f"mode {geometry.get('mode')!r}" if isinstance(geometry, Mapping) else type(geometry).__name__
        raise ValueError(f"geometry: expected cameras (Depth Anything 3 in multiview mode), got {got}")
    pose = world_to_camera(geometry["extrinsics"][0].detach().cpu().double().numpy(), CONVENTIONS[0])
    width, height = geometry["image"].shape[2], geometry["image"].shape[1]
    focal = geometry["intrinsics"][0, :, 0, 0].detach().cpu().double().numpy() / _k_width(geometry, width)
    depth = geometry["depth"][0].detach().cpu().double().numpy()
    good = depth[np.isfinite(depth) & (depth > 0)]
    return Trajectory(pose, focal, width / height, 1 / float(np.median(good)) if len(good) else None)


def _k_width(geometry: Mapping, width: int) -> float:
    """Width of the picture that intrinsics in pixels are for: twice their cx. They are those of the model's
    input, not of the image.
    """
    middle = float(geometry["intrinsics"][0, 0, 0, 2])
    return 2 * middle if middle > 1 else float(width)


def depth_from_geometry(geometry: Any, width: int, height: int) -> tuple[np.ndarray, float | None]:
    """MOGE_GEOMETRY or DA3_GEOMETRY -> the depth (height, width) of its first picture as the start image is
    cut, and the angle of view if it has one.
    """
    if (
        not isinstance(geometry, Mapping)
        or not isinstance(geometry.get("depth"), Tensor)
        or geometry["depth"].ndim != 3
    ):
        got = sorted(geometry)[:8] if isinstance(geometry, Mapping) else type(geometry).__name__
        raise ValueError(f"geometry: expected one with depth (B, H, W), got {got}")
    depth = geometry["depth"][0].detach().cpu().double().numpy()
    mapped = check_depth(fit_map(depth, width, height))
    k = geometry.get("intrinsics")
    if k is None:
        return mapped, None
    rows, columns = depth.shape
    share = (
        float(k[0, 0, 0]) if k.ndim == 3 else float(k[0, 0, 0, 0]) / _k_width(geometry, columns)
    )  # MoGe's are shares of the width
    covering = max(width / columns, height / rows) * columns
    return mapped, math.degrees(2 * math.atan(width / (2 * share * covering)))
