"""Camera trajectories in the files people have.

Owns the choice of reader: COLMAP's text (images.txt, with cameras.txt and points3D.txt beside it),
transforms.json (NeRF, nerfstudio, instant-ngp), nerfstudio's camera_path.json, ReCamMaster's JSON, lines of
RealEstate10K, CameraCtrl, KITTI and TUM, poses_bounds.npy (LLFF), OmniCam's camera bridge, and plain matrices
in .json, .txt, .npz or .npy, whose convention the file or the person must name. Every reader gives a
Trajectory or a ValueError. Nothing is ever unpickled.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from ..arrays import read_arrays
from .colmap import MAX_TEXT, numbers_in, read_colmap
from .json_files import (
    BRIDGE,
    is_recammaster,
    read_camera_path,
    read_omnicam,
    read_recammaster,
    read_transforms,
)
from .lens import intrinsics, lens_of
from .lines import check_rows, read_kitti, read_realestate, read_tum
from .poses import AS_SAID, CONVENTIONS, Trajectory, world_to_camera
from .timing import choose_camera, spread_evenly

SUFFIXES = (".txt", ".json", ".npz", ".npy")
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
MAX_LINES = 1_000_000
MAX_JSON = 2**24
NAMES = ("convention", "axes")  # keys under which a file names the convention of its matrices
TIMES = ("times", "timestamps", "time", "frame_ids", "frame_indices", "indices")
LENSES = ("K", "intrinsics", "intrinsic", "distortion", "dist_coeffs", "dist", "width", "height")


def read_camera(path: str | Path, convention: str = AS_SAID, camera: str = "") -> Trajectory:
    """A camera file.

    `convention`, one of CONVENTIONS, is needed where the file does not name its own, and refused where it
    names another. `camera` is the name of one where the file holds several. Empty: the first.
    """
    path = Path(path)
    if convention not in (AS_SAID, *CONVENTIONS):
        raise ValueError(
            f"convention: expected one of {', '.join((AS_SAID, *CONVENTIONS))}, got {convention!r}"
        )
    try:
        return _read(path, convention, camera)
    except UnicodeDecodeError:
        raise ValueError(f"{path.name}: expected a camera file of text, got a binary one") from None
    except OverflowError:
        raise ValueError(f"{path.name}: expected numbers within a double's range, got larger ones") from None
    except ValueError as error:
        said = str(error)
        raise ValueError(said if said.startswith(f"{path.name}:") else f"{path.name}: {said}") from None


def _read(path: Path, convention: str, camera: str) -> Trajectory:
    if path.suffix.lower() == ".bin":
        raise ValueError(
            "expected COLMAP's text, got its binary form (colmap model_converter --output_type TXT writes "
            "text)"
        )
    if path.suffix.lower() in (".npz", ".npy"):
        arrays = read_arrays(path, NAMES)
        named = " ".join(str(arrays.pop(key)) for key in NAMES if key in arrays)
        return _from_arrays(arrays, convention, named, camera)
    if path.stat().st_size > MAX_TEXT:
        raise ValueError(f"expected at most {MAX_TEXT} bytes, got {path.stat().st_size}")
    text = path.read_text(encoding="utf-8-sig")
    if text.count("\n") > MAX_LINES:
        raise ValueError(f"expected at most {MAX_LINES} lines, got more")
    if text.lstrip()[:1] in ("{", "["):
        return _from_json(text, convention, camera)
    return _from_lines(text, path, convention, camera)


def _check_convention(convention: str, own: str, what: str) -> str:
    """The convention that a kind of file always has, or ValueError if the person named another."""
    if convention not in (AS_SAID, own):
        raise ValueError(
            f"convention: expected {own}, as {what} always has, got {convention} (plain matrices in .json "
            "or .npz may have any)"
        )
    return own


# ---- lines of text ----


def _from_lines(text: str, path: Path, convention: str, camera: str) -> Trajectory:
    lines = [line.strip() for line in text.splitlines()]
    data = [line for line in lines if line and not line.startswith("#")]
    rows = [numbers for numbers in (numbers_in(line) for line in data) if numbers is not None]
    length = len(rows[0]) if rows and all(len(row) == len(rows[0]) for row in rows) else 0
    # RealEstate10K's first line is the address of the video.
    if length in (19, 23) and len(data) - len(rows) <= 1:
        own = CONVENTIONS[1] if length == 23 else CONVENTIONS[0]
        return read_realestate(check_rows(rows), _check_convention(convention, own, "a file of this kind"))
    if length in (8, 12, 16) and len(data) == len(rows):
        return _from_matrices(check_rows(rows), convention)
    first = data[0].split(maxsplit=9) if data else []
    if len(first) == 10 and numbers_in(" ".join(first[:9])) and numbers_in(first[9]) is None:
        _check_convention(convention, CONVENTIONS[0], "COLMAP")
        return read_colmap(lines, path, camera)
    got = repr(data[0][:60]) if data else "'an empty file'"
    raise ValueError(
        "expected COLMAP's images.txt, or lines of 19 numbers as RealEstate10K and CameraCtrl write them, of "
        f"12 (KITTI), 16 (4x4 matrices) or 8 (TUM), got {got}"
    )


def _from_matrices(rows: np.ndarray, convention: str) -> Trajectory:
    """Lines of 8, 12 or 16 numbers."""
    if rows.shape[1] == 8:
        _check_convention(convention, CONVENTIONS[1], "TUM's text")
        return read_tum(rows)
    if rows.shape[1] == 12:
        return read_kitti(rows, None if convention == AS_SAID else convention)
    return Trajectory(world_to_camera(rows.reshape(-1, 4, 4), _matrix_direction(None, "", convention)))


# ---- JSON and arrays ----


def _from_json(text: str, convention: str, camera: str) -> Trajectory:
    if len(text) > MAX_JSON:
        raise ValueError(f"expected JSON of at most {MAX_JSON} characters, got {len(text)}")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"expected JSON, got {text[:40]!r} ({error})") from None
    if isinstance(value, list):
        value = {"matrices": value}
    if not isinstance(value, dict):
        raise ValueError(f"expected an object or a list, got {str(value)[:40]}")
    if value.get("format") == BRIDGE:
        if convention != AS_SAID:
            raise ValueError(f"convention: expected that of OmniCam (choose {AS_SAID!r}), got {convention}")
        return read_omnicam(value)
    if isinstance(value.get("frames"), list):
        _check_convention(convention, CONVENTIONS[3], "transforms.json")
        return read_transforms(value, camera)
    if "camera_path" in value:
        _check_convention(convention, CONVENTIONS[3], "camera_path.json")
        return read_camera_path(value)
    if is_recammaster(value):
        if convention != AS_SAID:
            raise ValueError(f"convention: expected ReCamMaster's (choose {AS_SAID!r}), got {convention}")
        return read_recammaster(value, camera)
    said = [value.get(key) for key in NAMES]
    named = " ".join(word for word in said if isinstance(word, str))
    try:
        arrays = {
            key: np.array(item, dtype=np.float64)
            for key, item in value.items()
            if isinstance(item, (list, int, float)) and not isinstance(item, bool)
        }
    except (ValueError, TypeError, OverflowError):
        raise ValueError("expected matrices of numbers, all of one shape, got others") from None
    return _from_arrays(arrays, convention, named, camera)


def _from_arrays(arrays: dict[str, np.ndarray], convention: str, named: str, camera: str) -> Trajectory:
    """Matrices under one of the names of DIRECTIONS (a bare .npy has none), maybe with K or intrinsics,
    times, width and height beside them. Of a batch, as VGGT gives it, one camera.
    """
    keys = [key for key in arrays if key in DIRECTIONS] or [
        key for key in arrays if arrays[key].ndim in (3, 4) and arrays[key].shape[-1] == 4
    ]
    bare = next((array for array in arrays.values() if array.ndim == 2 and array.shape[1] == 17), None)
    if bare is not None:
        return _llff(bare, convention)
    if len(keys) != 1:
        raise ValueError(
            f"expected one array of matrices (T, 4, 4) or (T, 3, 4) named {', '.join(DIRECTIONS)}, got "
            f"{sorted(arrays)}"
        )
    notes: tuple[str, ...] = ()
    if arrays[keys[0]].ndim == 4 and len(arrays[keys[0]]):
        labels = [str(number + 1) for number in range(len(arrays[keys[0]]))]
        (chosen,), notes = choose_camera(labels, camera)
        batch = len(labels)
        arrays = {
            key: array[chosen] if array.ndim > 1 and len(array) == batch else array
            for key, array in arrays.items()
        }
    pose = world_to_camera(arrays[keys[0]], _matrix_direction(DIRECTIONS.get(keys[0]), named, convention))
    focal, aspect, said = intrinsics(arrays, len(pose))
    passed = sorted(set(arrays) - {keys[0], *LENSES, *TIMES})
    if passed:
        notes = (*notes, f"arrays without use here passed over: {', '.join(passed)[:200]}")
    found = Trajectory(pose, focal, aspect, notes=(*notes, *said))
    return spread_evenly(found, next((np.ravel(arrays[key]) for key in TIMES if key in arrays), None))


def _matrix_direction(direction: str | None, named: str, convention: str) -> str:
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


def _llff(rows: np.ndarray, convention: str) -> Trajectory:
    """poses_bounds.npy: camera-to-world 3x5 with the axes down, right, backward, the last column height,
    width, focal, then near and far.
    """
    if convention != AS_SAID:
        raise ValueError(
            f"convention: expected that of LLFF (down, right, backward; choose {AS_SAID!r}), got {convention}"
        )
    table = rows[:, :15].astype(np.float64).reshape(-1, 3, 5)
    full = np.stack([table[:, :, 1], table[:, :, 0], -table[:, :, 2], table[:, :, 3]], 2)
    height, width, focal = table[:, :, 4].T
    if not (len(rows) and np.isfinite(rows).all() and (table[:, :, 4] > 0).all()):
        raise ValueError("expected finite poses with a height, width and focal length above 0, got others")
    lens = lens_of((width[0], height[0]), (focal[0], focal[0]), None)
    return Trajectory(world_to_camera(full, CONVENTIONS[1]), focal / width, lens.aspect)
