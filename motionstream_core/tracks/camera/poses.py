"""Cameras as other programs have them, and the way from there to a CameraPath.

Owns the Trajectory, conventions of matrices, rotations, resampling in time and the choice of scale. Knows
nothing of files or hosts.
Ours is OpenCV's convention: x right, y down, z forward, world-to-camera. Shapes: poses (T, 3, 4) [R | t].
Quaternions (T, 4) as w, x, y, z.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from ..types import Tracks
from .moves import FAST, NEAR, CameraPath, project, sample_depth, unproject

AS_SAID = "as the file says"
CONVENTIONS = (
    "OpenCV world-to-camera",
    "OpenCV camera-to-world",
    "OpenGL world-to-camera",
    "OpenGL camera-to-world",
)
GL = np.diag([1.0, -1.0, -1.0, 1.0])  # y up and z backward -> y down and z forward
REACH = 0.4  # median depths: how far a camera of unknown scale goes from where it starts
MOST_FAST = 0.1  # of the steps
EMPTY = 0.05  # of the points: fewer are next to nothing
MOST_FRAMES = 100_000


@dataclass(frozen=True)
class Trajectory:
    """pose (T, 3, 4), in a unit of its own. focal (T,) as a multiple of the picture's width, None: not known.
    aspect: width / height of that picture.

    unit: how many median depths of the scene one unit is, None: not known. notes: what was left out, in
    words.
    """

    pose: np.ndarray
    focal: np.ndarray | None = None
    aspect: float | None = None
    unit: float | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self):
        if self.pose.ndim != 3 or self.pose.shape[1:] != (3, 4) or not 1 <= len(self.pose) <= MOST_FRAMES:
            raise ValueError(f"camera: expected 1 to {MOST_FRAMES} poses (T, 3, 4), got {self.pose.shape}")
        for name, values in (("poses", self.pose), ("focal lengths", self.focal)):
            if values is not None and not np.isfinite(values).all():
                frame = int(np.argwhere(~np.isfinite(values))[0][0])
                raise ValueError(f"camera: expected finite {name}, got others in frame {frame}")
        if self.focal is not None and (self.focal.shape != self.pose.shape[:1] or not (self.focal > 0).all()):
            raise ValueError("camera: expected a focal length above 0 for every pose, got others")
        if self.unit is not None and not (math.isfinite(self.unit) and self.unit > 0):
            raise ValueError(f"camera: expected a scale above 0, got {self.unit}")

    @property
    def centres(self) -> np.ndarray:
        """(T, 3): where the camera is."""
        return -np.einsum("tji,tj->ti", self.pose[:, :, :3], self.pose[:, :, 3])

    def resampled(self, frames: int) -> Trajectory:
        """The same way in `frames` frames: places straight, turns about one axis from one pose to the
        next.
        """
        return self.sampled(np.linspace(0, len(self.pose) - 1, frames))

    def sampled(self, at: np.ndarray) -> Trajectory:
        """The way at these poses (K,), fractions between two of them included."""
        low = np.minimum(at.astype(int), max(0, len(self.pose) - 2))
        high = np.minimum(low + 1, len(self.pose) - 1)
        share = at - low
        turns = matrices(
            slerp(quaternions(self.pose[low, :, :3]), quaternions(self.pose[high, :, :3]), share)
        )
        centres = self.centres[low] + share[:, None] * (self.centres[high] - self.centres[low])
        focal = None if self.focal is None else self.focal[low] ** (1 - share) * self.focal[high] ** share
        return replace(self, pose=poses_at(turns, centres), focal=focal)

    def with_notes(self, *notes: str) -> Trajectory:
        """The same way, with more said of it."""
        return replace(self, notes=(*self.notes, *notes))


def to_path(camera: Trajectory, scale: float) -> CameraPath:
    """The camera from its first frame on, `scale` median depths a unit."""
    turn, centre = camera.pose[0, :, :3], camera.centres
    turns = camera.pose[:, :, :3] @ turn.T
    moved = (centre - centre[0]) @ turn.T * scale  # in the first camera's axes
    focal = np.ones(len(turns)) if camera.focal is None else camera.focal / camera.focal[0]
    return CameraPath(poses_at(turns, moved), focal)


def choose_scale(
    camera: Trajectory, depth: np.ndarray, grid: np.ndarray, fov: float, amount: float = 1.0
) -> float:
    """Median depths a unit: the camera's own where it is known. Else such that it goes REACH away, and less
    where tracks would be too fast.

    Args:
        camera: the path.
        depth: (H, W) of the picture.
        grid: (N, 2) pixels of the points.
        fov: horizontal angle of view in degrees.
        amount: factor of the travel.
    """
    if camera.unit is not None:
        return camera.unit * amount
    farthest = float(np.linalg.norm(camera.centres - camera.centres[0], axis=1).max())
    if farthest < 1e-9:
        return amount
    first = REACH / farthest * amount
    for less in 0.8 ** np.arange(12):
        if share_of_fast_steps(depth, to_path(camera, first * less), grid, fov) <= MOST_FAST:
            return float(first * less)
    return first


def covered_fov(camera: Trajectory, width: int, height: int) -> float | None:
    """The horizontal angle of view, in degrees, that is left when the camera's picture is scaled to cover
    width × height and cut to it.
    """
    if camera.focal is None:
        return None
    aspect = camera.aspect or width / height
    covering = max(width / aspect, height) * aspect
    return math.degrees(2 * math.atan(width / (2 * camera.focal[0] * covering)))


def share_of_fast_steps(depth: np.ndarray, path: CameraPath, grid: np.ndarray, fov: float) -> float:
    """The share of the steps that are faster than FAST, of points before the camera and on the canvas,
    whatever hides them.
    """
    height, width = depth.shape
    focal = width / 2 / math.tan(math.radians(fov) / 2)
    points = unproject(grid, sample_depth(depth, grid), focal, width, height)
    seen = [project(points, pose, focal * zoom, width, height) for pose, zoom in zip(path.pose, path.focal)]
    xy, z = np.stack([place for place, _ in seen]), np.stack([far for _, far in seen])
    on = (z > NEAR) & (xy >= 0).all(-1) & (xy < [width, height]).all(-1)
    both = on[1:] & on[:-1]
    steps = np.linalg.norm(np.diff(xy, axis=0), axis=-1)[both]
    return float((steps > FAST * max(width, height)).mean()) if len(steps) else 0.0


def find_troubles(tracks: Tracks) -> list[str]:
    """What a model will not like about a camera's tracks, in words."""
    said, limit = [], FAST * max(tracks.width, tracks.height)
    both = tracks.visible[1:] & tracks.visible[:-1]
    fast = ((tracks.xy[1:] - tracks.xy[:-1]).norm(dim=-1) > limit) & both
    if both.any() and fast.sum() > MOST_FAST * both.sum():
        frames = fast.any(1).nonzero()[:, 0] + 1
        share = 100 * float(fast.sum() / both.sum())
        said.append(
            f"{share:.0f} % of the camera's tracks move more than {limit:.0f} px a frame, faster than "
            f"models are trained on, in frames {int(frames[0])} to "
            f"{int(frames[-1])}; use more frames or a smaller amount"
        )
    empty = (tracks.visible.float().mean(1) < EMPTY).nonzero()[:, 0]
    if len(empty):
        said.append(
            f"next to nothing of the picture is seen from frame {int(empty[0])} on (in {len(empty)} of "
            f"{tracks.frames} frames): the camera has turned away "
            "from it or gone into the scene; use a smaller amount, or check the convention of a camera file"
        )
    return said


# ---- matrices ----


def world_to_camera(matrices: np.ndarray, convention: str) -> np.ndarray:
    """(T, 3, 4) or (T, 4, 4) of a convention -> poses (T, 3, 4) of ours. ValueError for what is no rotation
    and translation.
    """
    if convention not in CONVENTIONS:
        raise ValueError(f"convention: expected one of {', '.join(CONVENTIONS)}, got {convention!r}")
    full = _square(matrices)
    full[:, :3, :3] = rotations(full[:, :3, :3])
    full = np.linalg.inv(full) if convention.endswith("camera-to-world") else full
    return (GL @ full if convention.startswith("OpenGL") else full)[:, :3]


def _square(matrices: np.ndarray) -> np.ndarray:
    matrices = np.array(matrices, dtype=np.float64)
    if matrices.ndim != 3 or matrices.shape[1:] not in ((3, 4), (4, 4)) or not len(matrices):
        raise ValueError(f"camera: expected matrices (T, 4, 4) or (T, 3, 4), got {matrices.shape}")
    if not np.isfinite(matrices).all():
        raise ValueError(
            "camera: expected finite matrices, got others in frame "
            f"{int(np.argwhere(~np.isfinite(matrices))[0][0])}"
        )
    if matrices.shape[1] == 3:
        return np.concatenate([matrices, np.broadcast_to([[[0.0, 0.0, 0.0, 1.0]]], (len(matrices), 1, 4))], 1)
    if not np.allclose(matrices[:, 3], [0, 0, 0, 1], atol=1e-4):
        swapped = np.allclose(matrices[:, :, 3], [0, 0, 0, 1], atol=1e-4)
        hint = "; their last column is, so rows and columns are swapped (transpose them)" if swapped else ""
        raise ValueError(
            "camera: expected matrices whose last row is 0 0 0 1, got "
            f"{np.round(matrices[0, 3], 4).tolist()}{hint}"
        )
    return matrices


def rotations(turns: np.ndarray) -> np.ndarray:
    """(T, 3, 3) made exactly orthonormal. ValueError unless they nearly are, and turn without mirroring."""
    off = np.abs(turns @ turns.transpose(0, 2, 1) - np.eye(3)).max((1, 2))
    if off.max() > 0.02:
        frame = int(off.argmax())
        raise ValueError(
            f"camera: expected rotations (orthonormal 3x3), got {np.round(turns[frame], 3).tolist()} in "
            f"frame {frame}"
        )
    mirrored = np.linalg.det(turns) < 0
    if mirrored.any():
        raise ValueError(
            f"camera: expected rotations, got a mirror (determinant −1) in frame {int(mirrored.argmax())}: "
            "the axes are left-handed, as Unity's and "
            "Unreal's are; flip one of them first"
        )
    left, _, right = np.linalg.svd(turns)
    return left @ right


def poses_at(turns: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Rotations (T, 3, 3) of cameras at these places (T, 3) -> poses (T, 3, 4)."""
    return np.concatenate([turns, -(turns @ centres[..., None])], 2)


def matrices(q: np.ndarray) -> np.ndarray:
    """Quaternions (T, 4) -> rotations (T, 3, 3)."""
    norm = np.linalg.norm(q, axis=-1, keepdims=True)
    if not (np.isfinite(q).all() and (norm > 1e-6).all()):
        raise ValueError("camera: expected quaternions of a length above 0, got others")
    w, x, y, z = (q / norm).T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    return np.moveaxis(np.array(rows), -1, 0)


def quaternions(turns: np.ndarray) -> np.ndarray:
    """Rotations (T, 3, 3) -> quaternions (T, 4): the greatest eigenvector of Bar-Itzhack's matrix (2000),
    good for any angle.
    """
    m = turns
    k = np.empty((len(m), 4, 4))
    k[:, 0] = np.stack(
        [
            m[:, 0, 0] + m[:, 1, 1] + m[:, 2, 2],
            m[:, 2, 1] - m[:, 1, 2],
            m[:, 0, 2] - m[:, 2, 0],
            m[:, 1, 0] - m[:, 0, 1],
        ],
        -1,
    )
    k[:, 1] = np.stack(
        [k[:, 0, 1], m[:, 0, 0] - m[:, 1, 1] - m[:, 2, 2], m[:, 1, 0] + m[:, 0, 1], m[:, 2, 0] + m[:, 0, 2]],
        -1,
    )
    k[:, 2] = np.stack(
        [k[:, 0, 2], k[:, 1, 2], m[:, 1, 1] - m[:, 0, 0] - m[:, 2, 2], m[:, 2, 1] + m[:, 1, 2]], -1
    )
    k[:, 3] = np.stack([k[:, 0, 3], k[:, 1, 3], k[:, 2, 3], m[:, 2, 2] - m[:, 0, 0] - m[:, 1, 1]], -1)
    return np.linalg.eigh(k)[1][:, :, -1]


def slerp(a: np.ndarray, b: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Quaternions (T, 4) on the shorter great arc from a to b."""
    dot = (a * b).sum(-1)
    b, dot = np.where(dot[:, None] < 0, -b, b), np.abs(dot)
    angle = np.arccos(np.clip(dot, -1, 1))[:, None]
    near = angle < 1e-6
    safe = np.where(near, 1.0, np.sin(angle))
    first = np.where(near, 1 - share[:, None], np.sin((1 - share[:, None]) * angle) / safe)
    return first * a + np.where(near, share[:, None], np.sin(share[:, None] * angle) / safe) * b


def look_at(place: np.ndarray, target: np.ndarray, roll: float = 0.0) -> np.ndarray:
    """The pose (3, 4) of a camera at `place` that looks at `target`, in a world whose y goes up. roll in
    degrees, its right side up.
    """
    forward = np.asarray(target, dtype=np.float64) - place
    if not np.linalg.norm(forward) > 1e-9:
        raise ValueError("camera: expected a target away from the camera's place, got both in one place")
    forward = forward / np.linalg.norm(forward)
    right = np.cross(forward, [0.0, 1.0, 0.0])
    right = right / np.linalg.norm(right) if np.linalg.norm(right) > 1e-6 else np.array([1.0, 0.0, 0.0])
    down = np.cross(forward, right)
    cos, sin = math.cos(math.radians(roll)), math.sin(math.radians(roll))
    right, down = cos * right - sin * down, cos * down + sin * right
    return poses_at(
        rotations(np.stack([right, down, forward])[None]), np.asarray(place, dtype=np.float64)[None]
    )[0]
