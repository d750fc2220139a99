"""Tracks from a camera that moves through a picture with depth: un-project a grid of points, move the camera,
project, follow the lines of sight.

Owns camera paths (presets, keyframes, easing), the pinhole geometry and what is hidden. Knows nothing of
files or hosts.

Convention (OpenCV): x right, y down, z forward, pixel centres at whole numbers. A pose is world-to-camera,
(T, 3, 4) [R | t]. The first camera sees the picture as it is. The unit of length is the median depth of the
picture, so that the same move looks alike at any scale.
Shapes: depth (H, W) > 0. grid (N, 2) pixels. focal (T,) pixels. Float64 inside.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from ..types import Tracks, require_positions

PRESETS = (
    "static",
    "pan",
    "tilt",
    "roll",
    "truck",
    "pedestal",
    "dolly",
    "orbit",
    "arc up",
    "zoom",
    "dolly-zoom",
    "handheld",
)
EASINGS = ("linear", "ease in", "ease out", "ease in-out")
NEAR = 0.02  # median depths; what is nearer to the camera is not seen
SLACK = 0.005  # of the depth: so near to a surface a line of sight is neither before nor behind it
JUMP = 0.05  # of the depth from one pixel to the next: more is another surface
MOST_STEPS = 4096
FAST = 0.06  # of the longer side per frame: faster tracks than models are trained on
ANGLES = {"pan": 30.0, "tilt": 20.0, "roll": 45.0, "orbit": 40.0, "arc up": 25.0}  # degrees at amount 1
LENGTHS = {"truck": 0.35, "pedestal": 0.25, "dolly": 0.4}  # median depths at amount 1


@dataclass(frozen=True)
class CameraPath:
    """pose (T, 3, 4) world-to-camera in median depths. focal (T,) as a multiple of the first camera's."""

    pose: np.ndarray
    focal: np.ndarray

    def __post_init__(self):
        if self.pose.ndim != 3 or self.pose.shape[1:] != (3, 4) or self.focal.shape != self.pose.shape[:1]:
            raise ValueError(
                f"camera: expected poses (T, 3, 4) and focal (T,), got {self.pose.shape} and "
                f"{self.focal.shape}"
            )
        if not (np.isfinite(self.pose).all() and np.isfinite(self.focal).all() and (self.focal > 0).all()):
            raise ValueError("camera: expected finite poses and focal lengths above 0, got others")

    def then(self, other: CameraPath) -> CameraPath:
        """This path with another one's motion on top, frame by frame."""
        pose = np.stack([(_square(b) @ _square(a))[:3] for a, b in zip(self.pose, other.pose, strict=True)])
        return CameraPath(pose, self.focal * other.focal)


def preset_path(
    name: str, frames: int, amount: float = 1.0, easing: str = "ease in-out", seed: int = 0
) -> CameraPath:
    """A named move.

    pan, tilt, roll turn the camera. Truck, pedestal, dolly move it right, up, forward. Orbit and arc up go
    round the middle of the scene. Zoom changes the focal length (amount 1 doubles it). Dolly-zoom moves
    forward and keeps the size of what is at the median depth.

    Args:
        name: of the move.
        frames: its length.
        amount: 1 is a clear, calm move. Negative goes the other way.
        easing: how it speeds up and slows down.
        seed: of `handheld`.
    """
    if name not in PRESETS:
        raise ValueError(f"camera: expected one of {', '.join(PRESETS)}, got {name!r}")
    if frames < 1 or not math.isfinite(amount):
        raise ValueError(
            f"camera: expected at least one frame and a finite amount, got {frames} and {amount}"
        )
    share = amount * ease(np.linspace(0, 1, frames) if frames > 1 else np.zeros(1), easing)
    still, ones = np.zeros(frames), np.ones(frames)
    if name == "handheld":
        return _handheld(frames, amount, seed)
    if name == "zoom":
        return CameraPath(_poses(still, still, still, np.zeros((frames, 3))), 2.0**share)
    if name == "dolly-zoom":
        gone = LENGTHS["dolly"] * share
        return CameraPath(
            _poses(still, still, still, np.stack([still, still, -gone], 1)), 1 - np.minimum(gone, 0.9)
        )
    if name in LENGTHS:
        axis = {"truck": (-1, 0, 0), "pedestal": (0, 1, 0), "dolly": (0, 0, -1)}[name]
        return CameraPath(
            _poses(still, still, still, LENGTHS[name] * share[:, None] * np.array(axis, dtype=float)), ones
        )
    angle = np.radians(ANGLES.get(name, 0.0)) * share
    if name in ("orbit", "arc up"):
        turn = _poses(
            angle if name == "orbit" else still,
            angle if name == "arc up" else still,
            still,
            np.zeros((frames, 3)),
        )
        centre = np.array([0.0, 0.0, 1.0])  # the point that stays: x' = R (x - c) + c
        turn[:, :, 3] = centre - turn[:, :, :3] @ centre
        return CameraPath(turn, ones)
    yaw = -angle if name == "pan" else still
    pitch = -angle if name == "tilt" else still
    roll = angle if name == "roll" else still
    return CameraPath(_poses(yaw, pitch, roll, np.zeros((frames, 3))), ones)


def ease(share: np.ndarray, easing: str) -> np.ndarray:
    """Shares 0..1 of the time -> shares of the way."""
    if easing not in EASINGS:
        raise ValueError(f"easing: expected one of {', '.join(EASINGS)}, got {easing!r}")
    return {
        "linear": share,
        "ease in": share**2,
        "ease out": 1 - (1 - share) ** 2,
        "ease in-out": share**2 * (3 - 2 * share),
    }[easing]


def camera_tracks(
    depth: np.ndarray,
    path: CameraPath,
    grid: np.ndarray,
    fps: float = 16.0,
    fov: float = 55.0,
    on_frame: Callable[[int], None] | None = None,
) -> Tracks:
    """Tracks of points of a picture that a camera sees on its path.

    A point is visible where it is in front of the camera, on the canvas, and not behind another surface.
    Raises ValueError for a depth that is not a map of positive finite numbers.

    Args:
        depth: (H, W) of the picture.
        path: of the camera.
        grid: (N, 2) pixels of the picture.
        fps: frames a second.
        fov: horizontal angle of view of the first camera in degrees.
        on_frame: told the number of each frame when it is done.
    """
    depth = check_depth(depth)
    require_positions(len(path.pose), len(grid))
    if not 1 <= fov <= 170:
        raise ValueError(f"fov: expected 1 to 170 degrees, got {fov}")
    height, width = depth.shape
    focal = width / 2 / math.tan(math.radians(fov) / 2)
    points = unproject(grid, sample_depth(depth, grid), focal, width, height)
    xy, visible = [], []
    for pose, zoom in zip(path.pose, path.focal):
        place, z = project(points, pose, focal * zoom, width, height)
        inside = (
            (z > NEAR)
            & (place >= -0.5).all(-1)
            & (place[:, 0] <= width - 0.5)
            & (place[:, 1] <= height - 0.5)
        )
        xy.append(np.where((z > NEAR)[:, None], place, xy[-1] if xy else place))
        inside[inside] = ~find_hidden(points[inside], -pose[:, :3].T @ pose[:, 3], depth, focal)
        visible.append(inside)
        if on_frame is not None:
            on_frame(len(visible) - 1)
    return Tracks(
        torch.from_numpy(np.stack(xy).astype(np.float32)),
        torch.from_numpy(np.stack(visible)),
        width,
        height,
        fps,
    )


def check_depth(depth: np.ndarray) -> np.ndarray:
    """A depth map in median depths. Zeros, negative and non-finite places take the farthest depth there
    is.
    """
    depth = np.asarray(depth, dtype=np.float64)
    if depth.ndim != 2 or min(depth.shape) < 2:
        raise ValueError(f"depth: expected a map (H, W), got {depth.shape}")
    good = np.isfinite(depth) & (depth > 0)
    if not good.any():
        raise ValueError("depth: expected positive finite numbers, got none")
    depth = np.where(good, depth, depth[good].max())
    return depth / np.median(depth[good])


def depth_from_disparity(disparity: np.ndarray, nearest: float = 0.5, farthest: float = 4.0) -> np.ndarray:
    """The picture that depth nodes emit (near is white, 0..1) -> depth between `nearest` and `farthest`,
    linear in its inverse.

    Places that are not finite are farthest, as the sky is.
    """
    disparity = np.asarray(disparity, dtype=np.float64)
    good = np.isfinite(disparity)
    if disparity.ndim != 2 or not good.any():
        raise ValueError(
            "depth picture: expected finite values (H, W), got "
            f"{'none' if disparity.ndim == 2 else disparity.shape}"
        )
    low, high = disparity[good].min(), disparity[good].max()
    share = (np.where(good, disparity, low) - low) / (high - low) if high > low else np.zeros_like(disparity)
    return 1 / (1 / farthest + share * (1 / nearest - 1 / farthest))


def fit_map(picture: np.ndarray, width: int, height: int) -> np.ndarray:
    """A depth picture (H, W) or (H, W, C) scaled to cover width × height and cut to it, as the start image
    is, without mixing across edges.
    """
    picture = np.asarray(picture, dtype=np.float64)
    if picture.ndim == 3:
        picture = picture.mean(-1)
    if picture.ndim != 2 or min(picture.shape) < 1:
        raise ValueError(f"depth picture: expected (H, W) or (H, W, C), got {picture.shape}")
    rows, columns = picture.shape
    scale = max(width / columns, height / rows)
    x = np.floor((np.arange(width) + 0.5 - width / 2) / scale + columns / 2).clip(0, columns - 1).astype(int)
    y = np.floor((np.arange(height) + 0.5 - height / 2) / scale + rows / 2).clip(0, rows - 1).astype(int)
    return picture[y[:, None], x[None]]


def unproject(grid: np.ndarray, depth: np.ndarray, focal: float, width: int, height: int) -> np.ndarray:
    """Points of a picture in space -> (N, 3) before the first camera.

    Args:
        grid: (N, 2) pixels.
        depth: (N,).
        focal: in pixels.
        width: of the picture in pixels.
        height: of the picture in pixels.
    """
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    return (
        np.concatenate([(np.asarray(grid, dtype=np.float64) - middle) / focal, np.ones((len(grid), 1))], 1)
        * depth[:, None]
    )


def project(
    points: np.ndarray, pose: np.ndarray, focal: float, width: int, height: int
) -> tuple[np.ndarray, np.ndarray]:
    """Points on a camera's picture -> pixels (N, 2) and depth (N,).

    Args:
        points: (N, 3) before the first camera.
        pose: (3, 4) world-to-camera.
        focal: in pixels.
        width: of the picture in pixels.
        height: of the picture in pixels.
    """
    seen = points @ pose[:, :3].T + pose[:, 3]
    z = seen[:, 2]
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    return seen[:, :2] / np.maximum(z, NEAR)[:, None] * focal + middle, z


def find_hidden(points: np.ndarray, centre: np.ndarray, depth: np.ndarray, focal: float) -> np.ndarray:
    """(N,) bool: whether the surface that the first camera sees, `depth` (H, W), lies between points (N, 3)
    on it and a camera at `centre` (3,).

    Each line of sight is followed over the depth map, where its inverse depth runs evenly, pixel by pixel. It
    is blocked where it goes through
    the surface: where on one piece, without a jump in depth, it is both before and behind it. A camera that
    only turns or zooms hides nothing.
    """
    found = np.zeros(len(points), dtype=bool)
    if not len(points) or np.linalg.norm(centre) < 1e-9:
        return found
    height, width = depth.shape
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    far = points[:, 2]
    stop = max(centre[2], 0.99 * depth.min(), NEAR)  # nothing is nearer
    end = np.where(
        np.abs(far - centre[2]) > 1e-9,
        (far - stop) / np.where(np.abs(far - centre[2]) > 1e-9, far - centre[2], 1),
        0,
    ).clip(0, 1)
    last = points + end[:, None] * (centre - points)
    first, step = (one[:, :2] / np.maximum(one[:, 2:], NEAR) * focal + middle for one in (points, last))
    step = step - first
    counts = np.minimum(np.ceil(np.abs(step).max(1)), MOST_STEPS).astype(int)
    longest = np.argsort(-counts, kind="stable")  # so that those still on their way are the first ones
    first, step, counts = first[longest], step[longest], counts[longest]
    inverse, rise = (1 / far)[longest], (1 / np.maximum(last[:, 2], NEAR) - 1 / far)[longest]
    surface = depth[(*np.clip(np.rint(first).astype(int), 0, [width - 1, height - 1]).T[::-1],)]
    before, behind, own = (
        np.zeros(len(points), dtype=bool),
        np.zeros(len(points), dtype=bool),
        np.ones(len(points), dtype=bool),
    )
    cut = np.zeros(len(points), dtype=bool)
    for number in range(1, counts.max() + 1):
        live = slice(0, np.searchsorted(-counts, -number, side="right"))
        x, y = np.rint(first[live] + (number / counts[live])[:, None] * step[live]).astype(int).T
        on = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        here = depth[np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)]
        change = np.abs(here - surface[live]) / np.minimum(here, surface[live])
        same = on & (change <= JUMP)
        for state in (own, before, behind):  # own: still on the piece that the point is on
            state[live] &= same
        slack = np.where(own[live], SLACK + change, 0)
        for along in (
            number - 0.5,
            np.minimum(number + 0.5, counts[live]),
        ):  # where the line comes into the pixel and leaves it
            gap = (1 / (inverse[live] + along / counts[live] * rise[live]) - here) / here
            before[live] |= on & (gap < -slack)
            behind[live] |= on & (gap > slack)
        cut[live] |= before[live] & behind[live]
        surface[live] = here
    found[longest] = cut
    return found


def sample_depth(depth: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Depth (H, W) at the nearest pixels of (N, 2): depth must not be mixed across an edge."""
    height, width = depth.shape
    x, y = np.rint(grid).astype(int).T
    if (x < 0).any() or (x >= width).any() or (y < 0).any() or (y >= height).any():
        raise ValueError(f"grid: expected points on a canvas of {width}x{height}, got others")
    return depth[y, x]


def regular_grid(width: int, height: int, columns: int, rows: int) -> np.ndarray:
    """(columns·rows, 2): the middles of equal cells."""
    if columns < 1 or rows < 1:
        raise ValueError(f"grid: expected at least 1x1, got {columns}x{rows}")
    x, y = (np.arange(columns) + 0.5) * width / columns - 0.5, (np.arange(rows) + 0.5) * height / rows - 0.5
    return np.stack(np.meshgrid(x, y), -1).reshape(-1, 2)


def _poses(yaw: np.ndarray, pitch: np.ndarray, roll: np.ndarray, move: np.ndarray) -> np.ndarray:
    """World-to-camera (T, 3, 4): turn by roll about z, pitch about x, yaw about y, then move."""
    poses = np.empty((len(yaw), 3, 4))
    for index, (a, b, c) in enumerate(zip(yaw, pitch, roll)):
        ry = np.array([[math.cos(a), 0, math.sin(a)], [0, 1, 0], [-math.sin(a), 0, math.cos(a)]])
        rx = np.array([[1, 0, 0], [0, math.cos(b), -math.sin(b)], [0, math.sin(b), math.cos(b)]])
        rz = np.array([[math.cos(c), -math.sin(c), 0], [math.sin(c), math.cos(c), 0], [0, 0, 1]])
        poses[index, :, :3] = rz @ rx @ ry
    poses[:, :, 3] = move
    return poses


def _handheld(frames: int, amount: float, seed: int) -> CameraPath:
    """Slow noise in all six freedoms that begins at rest."""
    rng = np.random.default_rng(seed)
    time = np.arange(frames) / 16.0
    wave = np.zeros((frames, 6))
    for frequency in (0.35, 0.8, 1.7):
        phase = rng.uniform(0, 2 * np.pi, 6)
        wave += (np.sin(2 * np.pi * frequency * time[:, None] + phase) - np.sin(phase)) / (1 + 3 * frequency)
    wave *= amount
    turn = np.radians(1.2) * wave[:, :3]
    return CameraPath(_poses(turn[:, 0], turn[:, 1], 0.6 * turn[:, 2], 0.02 * wave[:, 3:]), np.ones(frames))


def _square(pose: np.ndarray) -> np.ndarray:
    return np.concatenate([pose, [[0.0, 0.0, 0.0, 1.0]]])
