"""Cameras in JSON: transforms.json (NeRF, nerfstudio, instant-ngp), nerfstudio's camera_path.json, OmniCam's
bridge and ReCamMaster's extrinsics.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from .lens import join_notes, lens_notes, require_number, require_perspective
from .poses import CONVENTIONS, MOST_FRAMES, Trajectory, look_at, world_to_camera
from .timing import choose_camera, folder_labels, name_numbers, sort_key, spread_evenly

BRIDGE = "majoor.omnicam.ltx-camera-bridge.v1"
BENDS = ("k1", "k2", "k3", "k4", "k5", "k6", "p1", "p2")
CAMERAS = ("camera_label", "camera_id", "camera")  # keys under which a frame names its camera


def read_transforms(value: Mapping[str, Any], camera: str = "") -> Trajectory:
    """transforms.json: camera-to-world, OpenGL. A frame's own lens counts before the file's.

    The frames are in the order of their times, else of their file names, whose numbers are the time.
    """
    frames = value["frames"]
    if not frames or not all(isinstance(frame, Mapping) and "transform_matrix" in frame for frame in frames):
        raise ValueError("expected frames with a transform_matrix each, got others")
    names = [frame.get("file_path") for frame in frames]
    named = [name for name in names if isinstance(name, str)]
    if len(named) == len(frames):
        frames = sorted(frames, key=lambda frame: sort_key(frame["file_path"]))
    picked, notes = choose_camera(_labels(frames), camera)
    frames = [{**value, **frames[number]} for number in picked]
    for frame in frames:
        if frame.get("is_fisheye") is True:
            raise ValueError("expected a perspective camera, got is_fisheye")
        require_perspective(frame.get("camera_model", "PINHOLE"))
    try:
        full = np.array([frame["transform_matrix"] for frame in frames], dtype=np.float64)
    except (ValueError, TypeError, OverflowError):
        raise ValueError("expected every transform_matrix to be 4x4 numbers, got others") from None
    pose = world_to_camera(full, CONVENTIONS[3])
    focal = [_focal(frame) for frame in frames]
    said = join_notes([notes, *(_lens_notes(frame) for frame in frames)])
    lengths = np.array([length for length in focal if length is not None], dtype=np.float64)
    whole = len(lengths) == len(focal)
    found = Trajectory(pose, lengths if whole else None, _aspect(frames[0]), notes=said)
    return spread_evenly(found, *_times(frames))


def _labels(frames: list[Mapping[str, Any]]) -> list[str]:
    """One label a frame: the camera that it names, else its folder in a rig."""
    for key in CAMERAS:
        named = [frame.get(key) for frame in frames]
        if all(isinstance(name, (str, int)) for name in named) and len(set(named)) < len(named):
            return [str(name) for name in named]
    names = [frame.get("file_path") for frame in frames]
    paths = [name for name in names if isinstance(name, str)]
    return folder_labels(paths) if len(paths) == len(frames) else ["1"] * len(frames)


def _times(frames: list[dict[str, Any]]) -> tuple[np.ndarray | None, str]:
    """When the frames were, and what says so."""
    if all("time" in frame for frame in frames):
        times = np.array([require_number(frame["time"], "time") for frame in frames])
        if (np.diff(times) > 0).all():
            return times, "times"
    names = [frame.get("file_path") for frame in frames]
    paths = [name for name in names if isinstance(name, str)]
    return (name_numbers(paths) if len(paths) == len(frames) else None), "numbers in names"


def _number(frame: Mapping[str, Any], key: str) -> float:
    """A number of a frame. Absent, null and 0 are 0."""
    return require_number(frame[key], key) if frame.get(key) else 0.0


def _focal(frame: Mapping[str, Any]) -> float | None:
    fx, angle, width = (_number(frame, key) for key in ("fl_x", "camera_angle_x", "w"))
    if fx and width:
        return fx / width
    return 0.5 / math.tan(angle / 2) if angle else None


def _aspect(frame: Mapping[str, Any]) -> float | None:
    width, height = _number(frame, "w"), _number(frame, "h")
    if not (width > 0 and height > 0):
        return None
    fx, fy = _number(frame, "fl_x"), _number(frame, "fl_y")
    return width / height * (fy / fx if fx > 0 and fy > 0 else 1.0)


def _lens_notes(frame: Mapping[str, Any]) -> tuple[str, ...]:
    sides = [(_number(frame, key), _number(frame, side)) for key, side in (("cx", "w"), ("cy", "h"))]
    middle = [place / side for place, side in sides if place and side]
    return lens_notes(middle, [_number(frame, key) for key in BENDS])


def read_camera_path(value: Mapping[str, Any]) -> Trajectory:
    """nerfstudio's camera_path.json: camera-to-world in OpenGL's axes, 16 numbers a frame, and a vertical
    angle of view.
    """
    frames = value["camera_path"]
    if not isinstance(frames, list) or not 1 <= len(frames) <= MOST_FRAMES:
        raise ValueError(f"expected 1 to {MOST_FRAMES} poses in camera_path, got others")
    require_perspective(value.get("camera_type", "perspective"))
    rows, angles, aspects = [], [], []
    for frame in frames:
        if not isinstance(frame, Mapping):
            raise ValueError(f"expected poses with camera_to_world in camera_path, got {str(frame)[:40]}")
        row = np.ravel(np.array(frame.get("camera_to_world"), dtype=object))
        if row.shape != (16,):
            raise ValueError(f"expected camera_to_world of 16 numbers, got {len(row)}")
        rows.append([require_number(number, "camera_to_world") for number in row.tolist()])
        angles.append(require_number(frame.get("fov", 0), "fov"))
        aspects.append(require_number(frame.get("aspect", 0), "aspect"))
    pose = world_to_camera(np.array(rows).reshape(-1, 4, 4), CONVENTIONS[3])
    width, height = _number(value, "render_width"), _number(value, "render_height")
    aspect = aspects[0] or (width / height if width and height else 0.0)
    if not (aspect > 0 and all(0 < angle < 180 for angle in angles)):
        return Trajectory(pose, notes=("the file's angle of view is not known",))
    return Trajectory(pose, 0.5 / np.tan(np.radians(angles) / 2) / aspect, aspect)


def read_omnicam(value: Mapping[str, Any]) -> Trajectory:
    """OmniCam's bridge: position, target, roll and vertical angle of view a frame. Y up."""
    frames: Any = value.get("frames")
    try:
        rows = [
            (*frame["position"], *frame["target"], frame.get("roll_degrees", 0.0), frame["fov_degrees"])
            for frame in frames
        ]
        table = np.array(rows, dtype=np.float64).reshape(-1, 8)
        aspect = float(value["width"]) / float(value["height"])
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, ZeroDivisionError):
        raise ValueError(
            f"expected width, height and frames with position, target and fov_degrees in {BRIDGE}, got others"
        ) from None
    pose = np.stack([look_at(row[:3], row[3:6], row[6]) for row in table])
    focal = 0.5 / np.tan(np.radians(table[:, 7]) / 2) / aspect
    said = [frame.get("frame") for frame in frames]
    numbered = all(isinstance(number, int) and abs(number) < 2**53 for number in said)
    return spread_evenly(Trajectory(pose, focal, aspect), np.array(said) if numbered else None, "frames")


def is_recammaster(value: Mapping[str, Any]) -> bool:
    """Whether this is {"frame0": {"cam01": "[1 0 0 0] [0 1 0 0] …"}}."""
    first = value.get("frame0")
    return isinstance(first, Mapping) and any(str(key).startswith("cam") for key in first)


def read_recammaster(value: Mapping[str, Any], camera: str = "") -> Trajectory:
    """ReCamMaster's camera_extrinsics.json: camera-to-world of several cameras in Unreal's axes (x forward,
    y right, z up, centimetres), each a text of four rows whose last one is the place.
    """
    frames = [(key, value[key]) for key in sorted(value, key=sort_key) if key.startswith("frame")]
    if len(frames) > MOST_FRAMES or not all(isinstance(held, Mapping) for _, held in frames):
        raise ValueError(f"expected at most {MOST_FRAMES} frames with cameras, got {len(frames)}")
    (chosen,), notes = choose_camera(sorted(frames[0][1]), camera)
    name = sorted(frames[0][1])[int(chosen)]
    rows = []
    for key, held in frames:
        text = str(held.get(name, "")).replace("[", " ").replace("]", " ").replace(",", " ").split()
        try:
            rows.append([float(number) for number in text])
        except ValueError:
            rows.append([])
        if len(rows[-1]) != 16:
            raise ValueError(f"expected a matrix of 16 numbers for {name} in {key}, got {len(rows[-1])}")
    full = np.array(rows).reshape(-1, 4, 4).transpose(0, 2, 1)
    axes = full[:, :, [1, 2, 0, 3]] * [1.0, -1.0, 1.0, 1.0]  # right, down, forward
    axes[:, 1] *= -1  # a left-handed world seen in a mirror: only ways between poses count
    pose = world_to_camera(axes, CONVENTIONS[1])
    found = Trajectory(pose, notes=notes)
    return spread_evenly(found, name_numbers([key for key, _ in frames]), "frames")
