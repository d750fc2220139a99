"""Sequences whose every point is known: real pictures and real video under motion of our own, with objects,
blur, noise and light.

Owns the motion, the drawing and the truth that goes with it. Knows nothing of trackers. A sequence is made of
layers, the lowest first. Each is a texture with a matrix a frame that takes its pixels to the canvas, so that
a point's truth is a product of two matrices.

Shapes: frames (T, H, W, 3) uint8. points (N, 2) in frame 0. xy (T, N, 2). Visible and known (T, N) bool.
matrices (T, 3, 3). `known` is False where there is no truth (a running video under a still camera where
something passes): such places are not scored.

Laboratory, not product (see this package's docstring).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from ...tracks.camera.moves import regular_grid
from .tracking_media import HALVES, STILL_CAMERA, Material

KINDS = ("camera", "objects", "there and back")
MARGIN = 1.25  # a picture under a moving camera is this much larger than the canvas
CHANGED = 14.0  # grey levels from its median over time: something passes there


@dataclass(frozen=True)
class Size:
    width: int = 832
    height: int = 480
    frames: int = 81
    columns: int = 50
    rows: int = 50


@dataclass(frozen=True)
class Look:
    """noise: standard deviation in grey levels. blur: most Gaussian blur in px. light: most change of
    brightness, as a share.
    """

    noise: float = 2.0
    blur: float = 0.0
    light: float = 0.0


LOOKS = (Look(), Look(3.0, 0.7, 0.0), Look(2.0, 0.0, 0.08))


@dataclass(frozen=True)
class SceneLayer:
    """texture (T or 1, h, w, 4) uint8 RGBA. ways (T, 3, 3): its pixels to the canvas."""

    texture: np.ndarray
    ways: np.ndarray

    def at(self, frame: int) -> np.ndarray:
        return self.texture[there_and_back_at(frame, len(self.texture))]


def there_and_back_at(frame: int, count: int) -> int:
    """The picture of a frame when `count` pictures are shown there and back, without a jump."""
    place = frame % max(1, 2 * count - 2)
    return min(place, 2 * count - 2 - place) if count > 1 else 0


@dataclass(frozen=True)
class Sequence:
    name: str
    kind: str
    frames: np.ndarray
    points: np.ndarray
    xy: np.ndarray
    visible: np.ndarray
    known: np.ndarray
    owner: np.ndarray  # (N,) layer of each point, 0 the background


def sequences(
    material: Material,
    half: str,
    size: Size,
    limit: int | None = None,
    part: int = 0,
    parts: int = 1,
    kinds: tuple[str, ...] = KINDS,
) -> Iterator[tuple[int, Sequence]]:
    """Every `parts`-th sequence of a half with its number, made one after the other: cameras, objects, and
    real video run there and back.

    Args:
        material: pictures, videos and sprites.
        half: which half of the material.
        size: of a sequence.
        limit: most sources of each kind, None for all.
        part: the first of the sequences that are made.
        parts: every so many sequences one is made.
        kinds: of the sequences.
    """
    seed = 1000 * (1 + HALVES.index(half))
    pictures, videos = list(material.pictures.items())[:limit], list(material.videos.items())[:limit]
    made: list[partial[Sequence]] = []
    for i, (name, picture) in enumerate(pictures):
        made.append(partial(camera_sequence, name, picture[None], size, LOOKS[i % 3], seed + i))
        made.append(
            partial(objects_sequence, name, picture[None], material, size, LOOKS[i % 3], seed + 200 + i)
        )
    for i, (name, video) in enumerate(videos):
        still = name in STILL_CAMERA
        made.append(
            partial(
                camera_sequence,
                f"{name} {'running' if still else 'frame'}",
                video if still else video[:1],
                size,
                LOOKS[i % 3],
                seed + 100 + i,
            )
        )
        made.append(
            partial(objects_sequence, f"{name} running", video, material, size, LOOKS[i % 3], seed + 300 + i)
        )
        made.append(partial(there_and_back, name, video, size))
    functions: dict[str, Any] = dict(zip(KINDS, (camera_sequence, objects_sequence, there_and_back)))
    made = [make for make in made if make.func in [functions[kind] for kind in kinds]]
    for number in range(part, len(made), parts):
        yield number, made[number]()


def camera_sequence(name: str, video: np.ndarray, size: Size, look: Look, seed: int) -> Sequence:
    """A camera that drifts, turns, zooms and tilts over a picture, or over running video of a still camera.

    Args:
        name: of the source.
        video: (T, H, W, 3) uint8, one frame for a picture.
        size: of the sequence.
        look: noise, blur and light.
        seed: of everything that is drawn.
    """
    rng = np.random.default_rng(seed)
    ground = _ground(video, size, _camera_path(rng, size.frames, (30.0, 20.0, 0.04, 0.05), tilt=3e-5))
    return _sequence(
        f"{name} · camera",
        "camera",
        [ground],
        size,
        look,
        rng,
        live=len(video) > 1 and name.split(" ")[0] in STILL_CAMERA,
    )


def objects_sequence(
    name: str, video: np.ndarray, material: Material, size: Size, look: Look, seed: int, count: int = 5
) -> Sequence:
    """Objects that move over each other and over a picture under a moving camera, or over running video: then
    only they are scored.

    Args:
        name: of the source.
        video: (T, H, W, 3) uint8, one frame for a picture.
        material: whose sprites are the objects.
        size: of the sequence.
        look: noise, blur and light.
        seed: of everything that is drawn.
        count: how many objects.
    """
    rng = np.random.default_rng(seed)
    moves = len(video) > 1
    ground = _ground(video, size, None if moves else _camera_path(rng, size.frames, (20.0, 14.0, 0.02, 0.03)))
    layers = [ground]
    for number in range(count):
        texture = (
            _sprite(rng, material.sprites, size)
            if number % 2
            else _cut_out(rng, list(material.pictures.values()), size)
        )
        scale = size.width / 832
        ways = _camera_path(
            rng,
            size.frames,
            (60.0 * scale, 40.0 * scale, 0.15, 0.08),
            middle=(texture.shape[1] / 2, texture.shape[0] / 2),
        )
        place = rng.uniform(
            [0.12 * size.width, 0.15 * size.height], [0.88 * size.width, 0.85 * size.height]
        ) - [texture.shape[1] / 2, texture.shape[0] / 2]
        layers.append(SceneLayer(texture[None], _shift(*place) @ ways))
    return _sequence(f"{name} · objects", "objects", layers, size, look, rng, live=moves)


def there_and_back(name: str, video: np.ndarray, size: Size) -> Sequence:
    """Real video played to its middle and back: in the last frame, which is the first one again, every point
    is where it began.
    """
    half = min((size.frames + 1) // 2, len(video))
    taken = [_crop_to_cover(video[i], size) for i in [*range(half), *range(half - 2, -1, -1)]]
    grid = regular_grid(size.width, size.height, size.columns, size.rows)
    total = len(taken)
    known = np.zeros((total, len(grid)), bool)
    known[-1] = True
    return Sequence(
        f"{name} · there and back",
        "there and back",
        np.stack(taken),
        grid.astype(np.float32),
        np.repeat(grid[None], total, 0),
        np.ones((total, len(grid)), bool),
        known,
        np.zeros(len(grid), int),
    )


def _sequence(
    name: str,
    kind: str,
    layers: list[SceneLayer],
    size: Size,
    look: Look,
    rng: np.random.Generator,
    live: bool,
) -> Sequence:
    grid = regular_grid(size.width, size.height, size.columns, size.rows)
    swing = _waves(rng, size.frames, 2)
    frames, covers = [], []
    for frame in range(size.frames):
        picture, cover = _draw_layers(layers, frame, size)
        blur = look.blur * min(1.0, abs(swing[frame, 1]))
        frames.append(_degrade(picture, look.noise, blur, 1 + look.light * swing[frame, 0], rng))
        covers.append(cover)
    owner = _sample_layer(covers[0], grid)
    xy = np.stack([_owned_places(layers, owner, grid, frame) for frame in range(size.frames)])
    inside = ((xy >= 0) & (xy <= [size.width - 1, size.height - 1])).all(-1)
    visible = np.stack([_sample_layer(cover, place) == owner for cover, place in zip(covers, xy)]) & inside
    known = np.ones_like(visible)
    if live:
        known = _known_points(layers, kind, owner, grid, size)
    chosen = known.any(0)
    return Sequence(
        name,
        kind,
        np.stack(frames),
        grid[chosen].astype(np.float32),
        xy[:, chosen],
        visible[:, chosen],
        known[:, chosen],
        owner[chosen],
    )


def _known_points(
    layers: list[SceneLayer], kind: str, owner: np.ndarray, grid: np.ndarray, size: Size
) -> np.ndarray:
    """Over running video: points on the objects, and under a still camera, the background wherever nothing
    passes.
    """
    known = np.repeat((owner > 0)[None], size.frames, 0)
    if kind != "camera":
        return known
    import cv2

    ground = layers[0]
    grey = np.stack([cv2.cvtColor(frame[..., :3], cv2.COLOR_RGB2GRAY) for frame in ground.texture]).astype(
        np.float32
    )
    middle = np.median(grey, axis=0)
    place = _apply_homography(np.linalg.inv(ground.ways[0]), grid).astype(np.float32)
    for frame in range(size.frames):
        changed = (np.abs(grey[there_and_back_at(frame, len(grey))] - middle) > CHANGED).astype(np.uint8)
        near = cv2.dilate(
            cv2.morphologyEx(changed, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)), np.ones((15, 15), np.uint8)
        )
        known[frame] = (
            cv2.remap(
                near,
                place[:, 0].copy(),
                place[:, 1].copy(),
                cv2.INTER_NEAREST,
                borderMode=cv2.BORDER_REPLICATE,
            ).ravel()
            == 0
        )
    known[:, ~known[0]] = False
    return known


def _draw_layers(layers: list[SceneLayer], frame: int, size: Size) -> tuple[np.ndarray, np.ndarray]:
    """The picture (H, W, 3) float and which layer covers each pixel (H, W)."""
    import cv2

    picture, cover = (
        np.zeros((size.height, size.width, 3), np.float32),
        np.zeros((size.height, size.width), np.int32),
    )
    for number, layer in enumerate(layers):
        border = cv2.BORDER_CONSTANT if number else cv2.BORDER_REFLECT
        drawn = cv2.warpPerspective(
            layer.at(frame),
            layer.ways[frame],
            (size.width, size.height),
            flags=cv2.INTER_LINEAR,
            borderMode=border,
        ).astype(np.float32)
        alpha = drawn[..., 3:] / 255
        picture = picture * (1 - alpha) + drawn[..., :3] * alpha
        cover[alpha[..., 0] > 0.5] = number
    return picture, cover


def _degrade(
    picture: np.ndarray, noise: float, blur: float, light: float, rng: np.random.Generator
) -> np.ndarray:
    import cv2

    if blur > 0.2:
        picture = cv2.GaussianBlur(picture, (0, 0), blur)
    return (
        (picture * light + noise * rng.standard_normal(picture.shape, dtype=np.float32))
        .round()
        .clip(0, 255)
        .astype(np.uint8)
    )


def _ground(video: np.ndarray, size: Size, course: np.ndarray | None) -> SceneLayer:
    """A picture or video that covers the canvas with a margin, in its middle, moved along the course."""
    height, width = video.shape[1:3]
    scale = max(size.width * MARGIN / width, size.height * MARGIN / height)
    fit = _shift((size.width - scale * width) / 2, (size.height - scale * height) / 2) @ np.diag(
        [scale, scale, 1.0]
    )
    middle = np.array([size.width / 2, size.height / 2])
    course = (
        np.repeat(np.eye(3)[None], size.frames, 0)
        if course is None
        else _shift(*middle) @ course @ _shift(*-middle)
    )
    opaque = np.concatenate([video, np.full((*video.shape[:3], 1), 255, np.uint8)], -1)
    return SceneLayer(opaque, course @ fit)


def _camera_path(
    rng: np.random.Generator,
    frames: int,
    reach: tuple[float, float, float, float],
    tilt: float = 0.0,
    middle: tuple[float, float] = (0, 0),
) -> np.ndarray:
    """(T, 3, 3): smooth drift (px), turn (radians) and zoom (log) about `middle`, and a tilt of the plane."""
    wave, out = _waves(rng, frames, 6), []
    for dx, dy, turn, zoom, tx, ty in wave * [*reach, tilt, tilt]:
        c, s = np.exp(zoom) * np.cos(turn), np.exp(zoom) * np.sin(turn)
        out.append(
            _shift(*middle)
            @ np.array([[c, -s, dx], [s, c, dy], [tx, ty, 1.0]])
            @ _shift(-middle[0], -middle[1])
        )
    return np.stack(out)


def _waves(rng: np.random.Generator, frames: int, count: int) -> np.ndarray:
    """(T, count): sums of three sines a channel, 0 in the first frame, mostly within -1..1 (16 frames are a
    second).
    """
    time, out = np.arange(frames) / 16, np.zeros((frames, count))
    for frequency in rng.uniform(0.1, 0.8, 3):
        phase = rng.uniform(0, 2 * np.pi, count)
        out += (np.sin(2 * np.pi * frequency * time[:, None] + phase) - np.sin(phase)) / 2
    return out


def _sprite(rng: np.random.Generator, sprites: list[np.ndarray], size: Size) -> np.ndarray:
    import cv2

    sprite = sprites[int(rng.integers(len(sprites)))]
    scale = rng.uniform(1.2, 2.0) * size.width / 832
    return cv2.resize(sprite, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)


def _cut_out(rng: np.random.Generator, pictures: list[np.ndarray], size: Size) -> np.ndarray:
    """A smooth shape cut out of a photograph."""
    import cv2

    side = int(rng.uniform(110, 200) * size.width / 832)
    picture = pictures[int(rng.integers(len(pictures)))]
    scale = 2.2 * side / min(picture.shape[:2])
    picture = cv2.resize(
        picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    )
    top, left = (int(rng.integers(extent - side + 1)) for extent in picture.shape[:2])
    y, x = np.mgrid[:side, :side] / (side / 2) - 1
    angle = np.arctan2(y, x)
    border = 0.75 + sum(
        rng.uniform(0.03, 0.1) * np.sin(k * angle + rng.uniform(0, 2 * np.pi)) for k in (2, 3, 5)
    )
    alpha = np.clip((border - np.hypot(x, y)) * side / 3 + 0.5, 0, 1) * 255
    return np.dstack([picture[top : top + side, left : left + side], alpha.astype(np.uint8)])


def _crop_to_cover(picture: np.ndarray, size: Size) -> np.ndarray:
    """A picture scaled to cover the canvas and cut in the middle."""
    import cv2

    scale = max(size.width / picture.shape[1], size.height / picture.shape[0])
    large = cv2.resize(
        picture,
        (max(size.width, round(picture.shape[1] * scale)), max(size.height, round(picture.shape[0] * scale))),
        interpolation=cv2.INTER_LINEAR,
    )
    top, left = (large.shape[0] - size.height) // 2, (large.shape[1] - size.width) // 2
    return large[top : top + size.height, left : left + size.width]


def _owned_places(layers: list[SceneLayer], owner: np.ndarray, grid: np.ndarray, frame: int) -> np.ndarray:
    out = np.empty_like(grid, dtype=np.float64)
    for number, layer in enumerate(layers):
        mine = owner == number
        out[mine] = _apply_homography(layer.ways[frame] @ np.linalg.inv(layer.ways[0]), grid[mine])
    return out


def _apply_homography(way: np.ndarray, xy: np.ndarray) -> np.ndarray:
    moved = np.concatenate([xy, np.ones((len(xy), 1))], 1) @ way.T
    return moved[:, :2] / moved[:, 2:]


def _sample_layer(cover: np.ndarray, xy: np.ndarray) -> np.ndarray:
    """The layer on top at the nearest pixels. -1 outside."""
    height, width = cover.shape
    x, y = np.rint(xy).astype(int).T
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    return np.where(inside, cover[y.clip(0, height - 1), x.clip(0, width - 1)], -1)


def _shift(x: float, y: float) -> np.ndarray:
    return np.array([[1.0, 0, x], [0, 1.0, y], [0, 0, 1.0]])
