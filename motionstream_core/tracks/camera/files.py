"""Camera trajectories in the files people have.

Owns reading: COLMAP's text (images.txt, with cameras.txt and points3D.txt beside it), transforms.json (NeRF,
nerfstudio, instant-ngp), the text of RealEstate10K and CameraCtrl, poses_bounds.npy (LLFF), OmniCam's camera
bridge, and plain matrices in .json, .npz or .npy, whose convention the file or the person must name. Every
reader gives a Trajectory or a ValueError; nothing is ever unpickled. Lens distortion and an off-centre
principal point are left out, with a note.
"""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np

from ..formats import arrays_of
from .poses import AS_SAID, CONVENTIONS, MOST_FRAMES, Trajectory, matrices, posed, rotations, world_to_camera

SUFFIXES = (".txt", ".json", ".npz", ".npy")
BRIDGE = "majoor.omnicam.ltx-camera-bridge.v1"
MAX_TEXT = 2**27
# COLMAP's models: where fx and fy are among the parameters, and how many of lens distortion follow
PINHOLES = {
    "SIMPLE_PINHOLE": (0, 0, 3),
    "PINHOLE": (0, 1, 4),
    "SIMPLE_RADIAL": (0, 0, 3),
    "RADIAL": (0, 0, 3),
    "OPENCV": (0, 1, 4),
    "FULL_OPENCV": (0, 1, 4),
}
DIRECTIONS = {
    "w2c": "world-to-camera",
    "world_to_camera": "world-to-camera",
    "world2cam": "world-to-camera",
    "extrinsics": "world-to-camera",
    "extrinsic": "world-to-camera",
    "c2w": "camera-to-world",
    "camera_to_world": "camera-to-world",
    "cam2world": "camera-to-world",
    "poses": None,
    "matrices": None,
}
NAMES = ("convention", "axes")  # keys under which a file names the convention of its matrices
BENT = "the file's lens distortion is left out; undistorted pictures fit better"
SHIFTED = "the file's principal point is off the middle of the picture; the middle is taken"


def read_camera(path: str | Path, convention: str = AS_SAID) -> Trajectory:
    """A camera file. `convention`, one of CONVENTIONS, is needed where the file does not name its own, and
    refused where it names another.
    """
    path = Path(path)
    if convention not in (AS_SAID, *CONVENTIONS):
        raise ValueError(
            f"convention: expected one of {', '.join((AS_SAID, *CONVENTIONS))}, got {convention!r}"
        )
    try:
        if path.suffix.lower() == ".bin":
            raise ValueError(
                "expected COLMAP's text, got its binary form (colmap model_converter --output_type TXT "
                "writes text)"
            )
        if path.suffix.lower() in (".npz", ".npy"):
            arrays = arrays_of(path, NAMES)
            return _from_arrays(
                arrays, convention, " ".join(str(arrays.pop(key)) for key in NAMES if key in arrays)
            )
        if path.stat().st_size > MAX_TEXT:
            raise ValueError(f"expected at most {MAX_TEXT} bytes, got {path.stat().st_size}")
        text = path.read_text(encoding="utf-8-sig")
        if text.lstrip()[:1] in ("{", "["):
            return _from_json(text, convention)
        return _from_lines(text, path, convention)
    except UnicodeDecodeError:
        raise ValueError(f"{path.name}: expected a camera file of text, got a binary one") from None
    except ValueError as error:
        said = str(error)
        raise ValueError(said if said.startswith(f"{path.name}:") else f"{path.name}: {said}") from None


def _agreed(convention: str, own: str, what: str) -> str:
    """The convention that a kind of file always has, or ValueError if the person named another."""
    if convention not in (AS_SAID, own):
        raise ValueError(
            f"convention: expected {own}, as {what} always has, got {convention} (plain matrices in .json "
            "or .npz may have any)"
        )
    return own


# ---- lines of text ----


def _from_lines(text: str, path: Path, convention: str) -> Trajectory:
    lines = [line.strip() for line in text.splitlines()]
    data = [line for line in lines if line and not line.startswith("#")]
    rows = [numbers for numbers in (_numbers(line) for line in data) if numbers is not None]
    if (
        rows
        and len(rows[0]) in (19, 23)
        and all(len(row) == len(rows[0]) for row in rows)
        and len(data) - len(rows) <= 1
    ):
        return _realestate(np.array(rows), convention)
    first = data[0].split(maxsplit=9) if data else []
    if len(first) == 10 and _numbers(" ".join(first[:9])) and _numbers(first[9]) is None:
        return _colmap(lines, path, convention)
    got = data[0][:60] if data else "an empty file"
    raise ValueError(
        "expected COLMAP's images.txt, or lines of 19 numbers as RealEstate10K and CameraCtrl write them, "
        f"got {got!r}"
    )


def _numbers(line: str) -> list[float] | None:
    try:
        return [float(part) for part in line.split()]
    except ValueError:
        return None


def _realestate(rows: np.ndarray, convention: str) -> Trajectory:
    """Lines of time, fx, fy, cx, cy (shares of the picture's width and height), two zeros, and the 3x4
    world-to-camera matrix; with a 4x4 one, as the host's and VideoX-Fun's camera nodes have it,
    camera-to-world.
    """
    if len(rows) > MOST_FRAMES or not np.isfinite(rows).all():
        raise ValueError(f"expected at most {MOST_FRAMES} lines of finite numbers, got {len(rows)} lines")
    fx, fy, cx, cy = rows[:, 1:5].T
    if not ((fx > 0) & (fy > 0)).all():
        raise ValueError(
            "expected focal lengths above 0 in the second and third number of every line, got others"
        )
    whole = rows.shape[1] == 23
    own = CONVENTIONS[1] if whole else CONVENTIONS[0]
    pose = world_to_camera(
        rows[:, 7:].reshape(-1, 4 if whole else 3, 4), _agreed(convention, own, "a file of this kind")
    )
    notes = (SHIFTED,) if np.abs(np.stack([cx, cy]) - 0.5).max() > 0.05 else ()
    return Trajectory(pose, fx, float(fy[0] / fx[0]), notes=notes)


def _colmap(lines: list[str], path: Path, convention: str) -> Trajectory:
    """images.txt: two lines an image, its pose (world-to-camera) and its points. The images in the order of
    their names.
    """
    _agreed(convention, CONVENTIONS[0], "COLMAP")
    images, wait = [], iter(line for line in lines if not line.startswith("#"))
    for line in wait:
        if not line:
            continue
        parts = line.split(maxsplit=9)
        numbers = _numbers(" ".join(parts[:9]))
        if len(parts) < 10 or numbers is None:
            raise ValueError(f"expected IMAGE_ID QW QX QY QZ TX TY TZ CAMERA_ID NAME, got {line[:60]!r}")
        images.append((_natural(parts[9]), np.array(numbers[1:8]), int(numbers[8]), next(wait, "")))
    images.sort(key=lambda image: image[0])
    values = np.stack([image[1] for image in images])
    pose = np.concatenate([matrices(values[:, :4]), values[:, 4:, None]], 2)
    lenses = _colmap_cameras(path.with_name("cameras.txt"))
    unit = _colmap_unit(path.with_name("points3D.txt"), pose[0], images[0][3])
    if not lenses:
        return Trajectory(
            pose, unit=unit, notes=("no cameras.txt lies beside the file: the angle of view is not known",)
        )
    missing = {image[2] for image in images} - set(lenses)
    if missing:
        raise ValueError(f"expected camera {min(missing)} in cameras.txt, got {sorted(lenses)}")
    focal = np.array([lenses[image[2]][0] for image in images])
    return Trajectory(pose, focal, lenses[images[0][2]][1], unit, lenses[images[0][2]][2])


def _colmap_cameras(path: Path) -> dict[int, tuple[float, float, tuple[str, ...]]]:
    """CAMERA_ID -> focal length in widths, aspect, notes; empty without the file."""
    found = {}
    for line in path.read_text(encoding="utf-8-sig").splitlines() if path.is_file() else ():
        if not line.strip() or line.startswith("#"):
            continue
        number, model, *rest = line.split()
        if model not in PINHOLES:
            raise ValueError(
                f"cameras.txt: expected a model of {', '.join(PINHOLES)}, got {model} (colmap "
                "image_undistorter makes it one)"
            )
        values = _numbers(" ".join(rest))
        fx, fy, lens = PINHOLES[model]
        if values is None or len(values) < 2 + lens:
            raise ValueError(
                f"cameras.txt: expected width, height and at least {lens} parameters of {model}, got "
                f"{line[:60]!r}"
            )
        (width, height), parameters = values[:2], values[2:]
        cx, cy = parameters[lens - 2 : lens]
        notes = (BENT,) if any(abs(value) > 0.01 for value in parameters[lens:]) else ()
        notes += (SHIFTED,) if max(abs(cx / width - 0.5), abs(cy / height - 0.5)) > 0.05 else ()
        found[int(number)] = (parameters[fx] / width, width / height * parameters[fx] / parameters[fy], notes)
    return found


def _colmap_unit(path: Path, pose: np.ndarray, points: str) -> float | None:
    """Median depths a unit: from the depths of the points that the first image sees; None without
    points3D.txt.
    """
    if not path.is_file():
        return None
    seen = {int(float(number)) for number in points.split()[2::3]} - {-1}
    depths = []
    for line in path.read_text(encoding="utf-8-sig").splitlines():
        parts = line.split(maxsplit=4)
        if len(parts) >= 4 and not line.startswith("#") and int(parts[0]) in seen:
            depths.append(float(pose[2] @ np.array([float(parts[1]), float(parts[2]), float(parts[3]), 1.0])))
    depths = [depth for depth in depths if depth > 0]
    return 1 / float(np.median(depths)) if len(depths) >= 3 else None


def _natural(name: str) -> list:
    """Sorts frame2 before frame10."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", name)]


# ---- JSON and arrays ----


def _from_json(text: str, convention: str) -> Trajectory:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"expected JSON, got {text[:40]!r} ({error})") from None
    if isinstance(value, dict) and value.get("format") == BRIDGE:
        return _omnicam(value, convention)
    if isinstance(value, dict) and isinstance(value.get("frames"), list):
        return _transforms(value, convention)
    if isinstance(value, list):
        value = {"matrices": value}
    named = {key: value[key] for key in NAMES if isinstance(value.get(key), str)}
    try:
        arrays = {
            key: np.array(item, dtype=np.float64)
            for key, item in value.items()
            if isinstance(item, (list, int, float)) and not isinstance(item, bool)
        }
    except (ValueError, TypeError):
        raise ValueError("expected matrices of numbers, all of one shape, got others") from None
    return _from_arrays(arrays, convention, " ".join(named.values()))


def _transforms(value: dict[str, Any], convention: str) -> Trajectory:
    """transforms.json: camera-to-world, OpenGL; frames in the order of their file names where all have
    one.
    """
    frames = value["frames"]
    if not frames or not all(isinstance(frame, dict) and "transform_matrix" in frame for frame in frames):
        raise ValueError("expected frames with a transform_matrix each, got others")
    if all(isinstance(frame.get("file_path"), str) for frame in frames):
        frames = sorted(frames, key=lambda frame: _natural(frame["file_path"]))
    try:
        full = np.array([frame["transform_matrix"] for frame in frames], dtype=np.float64)
    except (ValueError, TypeError):
        raise ValueError("expected every transform_matrix to be 4x4 numbers, got others") from None
    pose = world_to_camera(full, _agreed(convention, CONVENTIONS[3], "transforms.json"))
    width, height = (value.get(key, frames[0].get(key)) for key in ("w", "h"))
    focal = [_transforms_focal({**value, **frame}) for frame in frames]
    aspect = float(width) / float(height) if width and height else None
    bent = any(abs(float(value.get(key, 0) or 0)) > 0.01 for key in ("k1", "k2", "k3", "p1", "p2"))
    return Trajectory(
        pose,
        None if None in focal else np.array(focal, dtype=np.float64),
        aspect,
        notes=(BENT,) if bent else (),
    )


def _transforms_focal(value: dict[str, Any]) -> float | None:
    if value.get("fl_x") and value.get("w"):
        return float(value["fl_x"]) / float(value["w"])
    return 0.5 / math.tan(float(value["camera_angle_x"]) / 2) if value.get("camera_angle_x") else None


def _from_arrays(arrays: dict[str, np.ndarray], convention: str, named: str = "") -> Trajectory:
    """Matrices under one of the names of DIRECTIONS (a bare .npy has none), maybe with K or intrinsics, width
    and height beside them.
    """
    keys = [key for key in arrays if key in DIRECTIONS] or [
        key for key in arrays if arrays[key].ndim == 3 and arrays[key].shape[-1] == 4
    ]
    bare = next((array for array in arrays.values() if array.ndim == 2 and array.shape[1] == 17), None)
    if bare is not None:
        return _llff(bare, convention)
    if len(keys) != 1:
        raise ValueError(
            f"expected one array of matrices (T, 4, 4) or (T, 3, 4) named {', '.join(DIRECTIONS)}, got "
            f"{sorted(arrays)}"
        )
    pose = world_to_camera(arrays[keys[0]], _named(DIRECTIONS.get(keys[0]), named, convention))
    focal, aspect, notes = _intrinsics(arrays, len(pose))
    return Trajectory(pose, focal, aspect, notes=notes)


def _named(direction: str | None, named: str, convention: str) -> str:
    """The convention of plain matrices, from the array's name, the file's words and the person's choice."""
    words = named.lower().replace("_", " ").replace("-", " ")
    axes = next((axes for axes in ("OpenCV", "OpenGL") if axes.lower() in words), None)
    said = next(
        (
            way
            for word, way in (
                ("w2c", "world-to-camera"),
                ("world to camera", "world-to-camera"),
                ("c2w", "camera-to-world"),
                ("camera to world", "camera-to-world"),
            )
            if word in words
        ),
        None,
    )
    if direction and said and direction != said:
        raise ValueError(
            f"convention: expected the matrices' name and the file's convention to agree, got {direction} "
            f"and {named!r}"
        )
    direction = direction or said
    if convention == AS_SAID:
        if not axes or not direction:
            lacks = (
                "axes (OpenCV: y down, z forward; OpenGL: y up, z backward)" if direction else "convention"
            )
            raise ValueError(
                f"convention: expected the matrices' {lacks} to be chosen, one of "
                f"{', '.join(CONVENTIONS)}; the file does not name it"
            )
        return f"{axes} {direction}"
    if (axes and not convention.startswith(axes)) or (direction and not convention.endswith(direction)):
        raise ValueError(
            f"convention: expected {axes or 'any axes'}, {direction or 'any direction'}, as the file says, "
            f"got {convention}"
        )
    return convention


def _intrinsics(
    arrays: dict[str, np.ndarray], frames: int
) -> tuple[np.ndarray | None, float | None, tuple[str, ...]]:
    """K or intrinsics, (3, 3), (T, 3, 3) or fx, fy, cx, cy as (4,) or (T, 4), in pixels; the picture's size,
    if not beside, is twice cx, cy.
    """
    k = next((arrays[key] for key in ("K", "intrinsics", "intrinsic") if key in arrays), None)
    if k is None:
        return None, None, ()
    k = k.astype(np.float64)
    if k.shape[-2:] == (3, 3):
        k = np.stack([k[..., 0, 0], k[..., 1, 1], k[..., 0, 2], k[..., 1, 2]], -1)
    if k.shape not in ((4,), (1, 4), (frames, 4)) or not np.isfinite(k).all() or not (k > 0).all():
        raise ValueError(
            f"expected intrinsics (3, 3), ({frames}, 3, 3), (4,) or ({frames}, 4) above 0, got {k.shape}"
        )
    fx, fy, cx, cy = np.broadcast_to(k, (frames, 4)).T
    width, height = (
        float(np.ravel(arrays[key])[0]) if key in arrays else 2 * middle[0]
        for key, middle in (("width", cx), ("height", cy))
    )
    notes = (SHIFTED,) if max(abs(cx[0] / width - 0.5), abs(cy[0] / height - 0.5)) > 0.05 else ()
    return fx / width, width / height * fx[0] / fy[0], notes


def _llff(rows: np.ndarray, convention: str) -> Trajectory:
    """poses_bounds.npy: camera-to-world 3x5 with the axes down, right, backward, the last column height,
    width, focal; then near and far.
    """
    if convention != AS_SAID:
        raise ValueError(
            f"convention: expected that of LLFF (down, right, backward; choose {AS_SAID!r}), got {convention}"
        )
    table = rows[:, :15].astype(np.float64).reshape(-1, 3, 5)
    full = np.stack([table[:, :, 1], table[:, :, 0], -table[:, :, 2], table[:, :, 3]], 2)
    height, width, focal = table[:, :, 4].T
    if not (np.isfinite(rows).all() and (table[:, :, 4] > 0).all()):
        raise ValueError("expected finite poses with a height, width and focal length above 0, got others")
    return Trajectory(world_to_camera(full, CONVENTIONS[1]), focal / width, float(width[0] / height[0]))


def _omnicam(value: dict[str, Any], convention: str) -> Trajectory:
    """OmniCam's bridge: position, target, roll and vertical angle of view a frame; y up."""
    if convention != AS_SAID:
        raise ValueError(f"convention: expected that of OmniCam (choose {AS_SAID!r}), got {convention}")
    frames: Any = value.get("frames")
    try:
        rows = [
            (*frame["position"], *frame["target"], frame.get("roll_degrees", 0.0), frame["fov_degrees"])
            for frame in frames
        ]
        table = np.array(rows, dtype=np.float64).reshape(-1, 8)
        aspect = float(value["width"]) / float(value["height"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        raise ValueError(
            f"expected width, height and frames with position, target and fov_degrees in {BRIDGE}, got others"
        ) from None
    pose = np.stack([looking(row[:3], row[3:6], row[6]) for row in table])
    focal = 0.5 / np.tan(np.radians(table[:, 7]) / 2) / aspect
    return Trajectory(pose, focal, aspect)


def looking(place: np.ndarray, target: np.ndarray, roll: float = 0.0) -> np.ndarray:
    """The pose (3, 4) of a camera at `place` that looks at `target`, in a world whose y goes up; roll in
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
    return posed(
        rotations(np.stack([right, down, forward])[None]), np.asarray(place, dtype=np.float64)[None]
    )[0]
