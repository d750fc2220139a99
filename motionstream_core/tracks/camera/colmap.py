"""COLMAP's text: images.txt, with cameras.txt and points3D.txt beside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .lens import PINHOLES, Lens, join_notes, lens_of, require_perspective
from .poses import Trajectory, matrices
from .timing import choose_camera, folder_labels, name_numbers, sort_key, spread_evenly

MAX_TEXT = 2**26
MAX_POINTS = 2**28  # bytes of points3D.txt
MAX_LINE = 2**22
MAX_ROW = 4096  # characters of a line of numbers that is a pose: longer ones are an image's points
NO_LENS = "no cameras.txt lies beside the file: the angle of view is not known"


@dataclass(frozen=True)
class Image:
    """One image of images.txt: pose as quaternion and shift (7,), the camera's number, and its points."""

    name: str
    pose: np.ndarray
    camera: int
    points: str


def read_colmap(lines: list[str], path: Path, camera: str = "") -> Trajectory:
    """images.txt: two lines an image, its pose (world-to-camera) and its points, in any order.

    The numbers in the names are the time. Of several cameras the one asked for, by its number or folder.
    """
    images = sorted(_images(lines), key=lambda image: sort_key(image.name))
    picked, notes = choose_camera(_labels(images), camera)
    images = [images[number] for number in picked]
    values = np.stack([image.pose for image in images])
    pose = np.concatenate([matrices(values[:, :4]), values[:, 4:, None]], 2)
    unit = read_unit(path.with_name("points3D.txt"), pose[0], images[0].points)
    lenses = read_lenses(path.with_name("cameras.txt"))
    if not lenses:
        found = Trajectory(pose, unit=unit, notes=(*notes, NO_LENS))
    else:
        missing = {image.camera for image in images} - set(lenses)
        if missing:
            raise ValueError(f"expected camera {min(missing)} in cameras.txt, got {sorted(lenses)}")
        own = [lenses[image.camera] for image in images]
        focal = np.array([lens.focal for lens in own])
        said = (*notes, *join_notes(lens.notes for lens in own))
        found = Trajectory(pose, focal, own[0].aspect, unit, said)
    return spread_evenly(found, name_numbers([image.name for image in images]), "numbers in names")


def _images(lines: list[str]) -> list[Image]:
    found = []
    wait = iter(line for line in lines if not line.startswith("#"))
    for line in wait:
        if not line:
            continue
        parts = line.split(maxsplit=9)
        numbers = numbers_in(" ".join(parts[:9]))
        if len(parts) < 10 or numbers is None or not abs(numbers[8]) < 2**31:
            raise ValueError(f"expected IMAGE_ID QW QX QY QZ TX TY TZ CAMERA_ID NAME, got {line[:60]!r}")
        found.append(Image(parts[9], np.array(numbers[1:8]), int(numbers[8]), next(wait, "")))
    return found


def _labels(images: list[Image]) -> list[str]:
    """One label an image: its camera's number where images share cameras, else its folder in a rig.

    COLMAP gives every image a camera of its own unless it is told not to: such numbers tell nothing apart.
    """
    cameras = [str(image.camera) for image in images]
    if len(set(cameras)) < len(cameras):
        folders = folder_labels([image.name for image in images], "")
        return [f"{number} ({folder})" if folder else number for number, folder in zip(cameras, folders)]
    return folder_labels([image.name for image in images])


def read_lenses(path: Path) -> dict[int, Lens]:
    """CAMERA_ID -> its lens. Empty without the file."""
    found = {}
    for line in _lines(path):
        number, model, *rest = [*line.split(), "", ""][: max(2, len(line.split()))]
        if not number.isdecimal():
            raise ValueError(f"cameras.txt: expected CAMERA_ID MODEL WIDTH HEIGHT PARAMS, got {line[:60]!r}")
        try:
            require_perspective(model, tuple(PINHOLES))
            values = numbers_in(" ".join(rest))
            fx, fy, lens = PINHOLES[model.upper()]
            if values is None or len(values) < 2 + lens:
                raise ValueError(
                    f"expected width, height and at least {lens} parameters of {model}, got {line[:60]!r}"
                )
            parameters = values[2:]
            middle = parameters[lens - 2 : lens]
            focal = (parameters[fx], parameters[fy])
            found[int(number)] = lens_of(values[:2], focal, middle, parameters[lens:])
        except ValueError as error:
            raise ValueError(f"cameras.txt: {error}") from None
    return found


def read_unit(path: Path, pose: np.ndarray, points: str) -> float | None:
    """Median depths a unit, from the depths of the points that the first image sees. None without a file."""
    seen = {number for number in points.split()[2::3] if number.isdecimal()}
    depths = []
    for number, line in enumerate(_lines(path, MAX_POINTS)):
        parts = line.split(maxsplit=4)
        # A scene has a million points, of which one picture sees a thousand.
        if number and parts[0] not in seen:
            continue
        place = numbers_in(" ".join(parts[:4]))
        if place is None or len(place) < 4:
            raise ValueError(f"points3D.txt: expected POINT3D_ID X Y Z, got {line[:60]!r}")
        if parts[0] in seen:
            depths.append(float(pose[2] @ np.array([*place[1:], 1.0])))
    depths = [depth for depth in depths if 0 < depth < np.inf]
    return 1 / float(np.median(depths)) if len(depths) >= 3 else None


def _lines(path: Path, most: int = MAX_TEXT) -> Iterator[str]:
    """A text's lines without comments, one after the other. None without the file."""
    if not path.is_file():
        return
    if path.stat().st_size > most:
        raise ValueError(f"{path.name}: expected at most {most} bytes, got {path.stat().st_size}")
    with path.open(encoding="utf-8-sig") as file:
        while line := file.readline(MAX_LINE):
            if line.strip() and not line.startswith("#"):
                yield line.rstrip("\r\n")


def numbers_in(line: str) -> list[float] | None:
    """A line of numbers, or None for any other, and for one too long to be a pose."""
    if len(line) > MAX_ROW:
        return None
    try:
        return [float(part) for part in line.split()]
    except ValueError:
        return None
