"""The synthetic world: pictures with sprites that move over them, and the exact tracks of every point.

Owns the scene description, its rendering (OpenCV, CPU) and its ground truth. Knows nothing of latents or
networks.

A scene is a background picture under a camera (pan, zoom, roll) and up to five sprites on smooth paths (with
rotation and scale), drawn in z-order. World coordinates are the pixels of frame 0. All positions are closed
forms, visibility is an alpha test against the sprites drawn later. Shapes: frames (T, H, W, 3) uint8. xy (T,
N, 2) float32 pixels. visible (T, N) bool.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .textures import apply_style, drawn_texture

NAME_WORDS = {
    "face": "face",
    "eyes": "face",
    "cat": "cat",
    "dog": "dog",
    "fish": "fish",
    "bird": "bird",
    "chick": "bird",
    "monkey": "animal",
    "mouse": "animal",
    "pig": "animal",
    "horse": "animal",
    "bear": "animal",
    "cow": "animal",
    "tree": "tree",
    "palm": "tree",
    "flower": "flower",
    "blossom": "flower",
    "rose": "flower",
    "leaf": "plant",
    "apple": "fruit",
    "banana": "fruit",
    "grapes": "fruit",
    "cherries": "fruit",
    "lemon": "fruit",
    "cake": "food",
    "bread": "food",
    "rice": "food",
    "moon": "moon",
    "star": "star",
    "sun": "sun",
    "heart": "heart",
    "hand": "hand",
    "hands": "hand",
    "person": "person",
    "man": "person",
    "woman": "person",
    "baby": "person",
    "car": "car",
    "automobile": "car",
    "bus": "car",
    "truck": "car",
    "boat": "boat",
    "ship": "boat",
    "airplane": "plane",
    "ship1": "rocket",
    "rocket": "rocket",
    "ball": "ball",
    "house": "house",
    "building": "house",
    "book": "book",
    "clock": "clock",
    "hammer": "tool",
    "wrench": "tool",
    "glass": "cup",
    "cup": "cup",
    "box": "box",
    "package": "box",
    "coin": "coin",
    "coingold": "coin",
    "gem": "gem",
    "alien": "alien",
    "alienblue": "alien",
    "alienpink": "alien",
    "tank": "tank",
    "tankbody": "tank",
    "barrel": "barrel",
    "cloud": "cloud",
    "sign": "sign",
    "tilegrass": "tile",
    "tilesand": "tile",
}


@dataclass(frozen=True)
class Motion:
    """A smooth similarity path that starts at the identity: per frame dx, dy (px), angle (rad), log scale,
    each (T,).
    """

    dx: np.ndarray
    dy: np.ndarray
    angle: np.ndarray
    log_scale: np.ndarray

    def matrices(self, cx: float, cy: float) -> np.ndarray:
        """(T, 3, 3): rotation and scale about (cx, cy), then the shift."""
        s = np.exp(self.log_scale)
        c, n = s * np.cos(self.angle), s * np.sin(self.angle)
        m = np.zeros((len(self.dx), 3, 3))
        m[:, 0, 0], m[:, 0, 1], m[:, 0, 2] = c, -n, cx - c * cx + n * cy + self.dx
        m[:, 1, 0], m[:, 1, 1], m[:, 1, 2] = n, c, cy - n * cx - c * cy + self.dy
        m[:, 2, 2] = 1
        return m


@dataclass(frozen=True)
class Sprite:
    image: np.ndarray  # (S, S, 4) uint8
    name: str
    place: np.ndarray  # (3, 3) sprite pixels -> world at frame 0
    motion: Motion
    centre: tuple[float, float]


@dataclass(frozen=True)
class Scene:
    size: int
    frames: int
    picture: np.ndarray  # (H, W, 3) uint8
    view: np.ndarray  # (3, 3) picture pixels -> frame 0
    camera: Motion
    sprites: tuple[Sprite, ...]
    style: str | None = None
    kind: str = "both"


@dataclass
class Clip:
    """A rendered scene with candidate points: `owner` is −1 for the background, else the sprite's index."""

    frames: np.ndarray
    xy: np.ndarray
    visible: np.ndarray
    owner: np.ndarray
    caption: str


@dataclass
class RenderedClip(Clip):
    """A clip of which is known where its sprites are."""

    kind: str
    sprite_mask: np.ndarray  # (T, H, W) bool, any sprite there


def smooth_motion(
    rng: np.random.Generator,
    frames: int,
    reach: float,
    turn: float = 0.0,
    zoom: float = 0.0,
    period: float = 25.0,
) -> Motion:
    """A sum of a drift and two sinusoids per coordinate, zero at frame 0.

    Args:
        rng: of the draws.
        frames: pixel frames.
        reach: typical travel in px in one `period` of frames.
        turn: typical angle in radians.
        zoom: typical change of the log scale.
        period: in frames.
    """
    t = np.arange(frames) / period

    def wave(amplitude: float, drift: float) -> np.ndarray:
        out = drift * rng.normal() * t
        for frequency in (0.35, 0.9):
            phase = rng.uniform(0, 2 * np.pi)
            out = out + amplitude * rng.normal() * 0.6 / (1 + frequency) * (
                np.sin(2 * np.pi * frequency * t + phase) - np.sin(phase)
            )
        return out

    direction = rng.uniform(0, 2 * np.pi)
    speed = reach * rng.uniform(0.2, 1.0)
    ease = t if rng.random() < 0.6 else t * t / max(t[-1], 1e-6)
    dx, dy = (wave(reach * 0.45, 0) + speed * f(direction) * ease for f in (np.cos, np.sin))
    return Motion(dx, dy, wave(turn, turn * 0.6), wave(zoom, zoom * 0.5))


def rest_motion(frames: int) -> Motion:
    zero = np.zeros(frames)
    return Motion(zero, zero, zero, zero)


def _recolour(rng: np.random.Generator, image: np.ndarray, amount: float = 1.0) -> np.ndarray:
    gain = 1 + amount * rng.normal(0, 0.12, 3)
    lift = amount * rng.normal(0, 10)
    out = image[..., :3].astype(np.float32) * gain + lift
    if rng.random() < 0.25 * amount:
        out = out[..., rng.permutation(3)]
    return np.concatenate([out.clip(0, 255).astype(np.uint8), image[..., 3:]], axis=-1)


def random_scene(
    rng: np.random.Generator,
    pictures: list[np.ndarray],
    sprites: np.ndarray,
    names: list[str],
    *,
    size: int = 128,
    frames: int = 37,
    kind: str | None = None,
    style: str | None = None,
    reach: float = 42.0,
) -> Scene:
    """A random scene.

    Args:
        rng: of the draws.
        pictures: backgrounds.
        sprites: of the objects.
        names: of the sprites.
        size: side in pixels.
        frames: pixel frames.
        kind: "object" (still camera), "camera" (resting sprites), "both", or None for a random one.
        style: a style word, or None.
        reach: typical travel in px.
    """
    kind = kind or str(rng.choice(["object", "camera", "both", "both"]))
    picture = (
        drawn_texture(rng)
        if pictures == [] or rng.random() < 0.25
        else _recolour(rng, pictures[rng.integers(len(pictures))])
    )
    if rng.random() < 0.5:
        picture = picture[:, ::-1]
    h, w = picture.shape[:2]
    span = rng.uniform(0.35, 0.85) * min(h, w)  # picture pixels across the frame
    scale = size / span
    cx, cy = rng.uniform(span / 2, w - span / 2), rng.uniform(span / 2, h - span / 2)
    turn = rng.uniform(-0.25, 0.25)
    c, s = scale * np.cos(turn), scale * np.sin(turn)
    view = np.array([[c, -s, size / 2 - c * cx + s * cy], [s, c, size / 2 - s * cx - c * cy], [0, 0, 1]])
    camera = (
        smooth_motion(rng, frames, reach * rng.uniform(0.3, 1.1), 0.12 * rng.random(), 0.16 * rng.random())
        if kind != "object"
        else rest_motion(frames)
    )
    count = int(rng.integers(1, 5)) if kind != "camera" else int(rng.integers(0, 4))
    made = tuple(
        _random_sprite(rng, sprites, names, size, frames, kind != "camera", reach) for _ in range(count)
    )
    return Scene(size, frames, np.ascontiguousarray(picture), view, camera, made, style, kind)


def _random_sprite(
    rng: np.random.Generator,
    sprites: np.ndarray,
    names: list[str],
    size: int,
    frames: int,
    moving: bool,
    reach: float,
) -> Sprite:
    index = int(rng.integers(len(sprites)))
    image = _recolour(rng, sprites[index], 0.6)
    if rng.random() < 0.5:
        image = image[:, ::-1]
    extent = size * rng.uniform(0.22, 0.52)
    s = extent / image.shape[0]
    image = cv2.resize(image, (max(8, round(extent)),) * 2, interpolation=cv2.INTER_AREA)
    s = 1.0
    half = image.shape[0] / 2
    x, y = rng.uniform(0.15, 0.85, 2) * size
    angle = rng.normal(0, 0.25)
    c, n = s * np.cos(angle), s * np.sin(angle)
    place = np.array([[c, -n, x - c * half + n * half], [n, c, y - n * half - c * half], [0, 0, 1]])
    motion = (
        smooth_motion(rng, frames, reach, 0.5 * rng.random() ** 2, 0.22 * rng.random())
        if moving and rng.random() < 0.85
        else rest_motion(frames)
    )
    return Sprite(image, names[index], place, motion, (x, y))


def render(
    scene: Scene, rng: np.random.Generator, background_points: int = 400, sprite_points: int = 120
) -> RenderedClip:
    """Renders every frame and the ground truth of random candidate points."""
    size, frames = scene.size, scene.frames
    camera = scene.camera.matrices(size / 2, size / 2)
    poses = [camera @ s.motion.matrices(*s.centre) @ s.place for s in scene.sprites]
    out = np.empty((frames, size, size, 3), np.uint8)
    alphas = np.zeros((len(poses), frames, size, size), np.uint8)
    for t in range(frames):
        # pixel centres: a point at (x, y) lies at index (x - 0.5)
        image = _warp(scene.picture, camera[t] @ scene.view, size, cv2.BORDER_REFLECT).astype(np.float32)
        for k, sprite in enumerate(scene.sprites):
            layer = _warp(_premultiply(sprite.image), poses[k][t], size, cv2.BORDER_CONSTANT).astype(
                np.float32
            )
            image = image * (1 - layer[..., 3:] / 255) + layer[..., :3]
            alphas[k, t] = layer[..., 3].astype(np.uint8)
        out[t] = image.clip(0, 255)
    if scene.style:
        out = apply_style(out, scene.style)
    xy, visible, owner = _ground_truth(scene, rng, camera, poses, alphas, background_points, sprite_points)
    mask = np.any(alphas > 127, axis=0)
    return RenderedClip(out, xy, visible, owner, caption(scene), scene.kind, mask)


def _premultiply(image: np.ndarray) -> np.ndarray:
    out = image.astype(np.float32)
    out[..., :3] *= out[..., 3:] / 255
    return out


def _warp(image: np.ndarray, matrix: np.ndarray, size: int, border: int) -> np.ndarray:
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    index_matrix = np.linalg.inv(half) @ matrix @ half
    shrink = np.sqrt(abs(np.linalg.det(matrix[:2, :2])))
    if shrink < 0.6:  # minified: low-pass first
        image = cv2.GaussianBlur(image, (0, 0), 0.5 / shrink)
    return cv2.warpAffine(image, index_matrix[:2], (size, size), flags=cv2.INTER_LINEAR, borderMode=border)


def _move(matrices: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(T, 3, 3), (N, 2) -> (T, N, 2)."""
    return np.einsum("tij,nj->tni", matrices[:, :2, :2], points) + matrices[:, None, :2, 2]


def _ground_truth(scene, rng, camera, poses, alphas, background_points, sprite_points):
    size, frames = scene.size, scene.frames
    points = rng.uniform(0, size, (background_points, 2))
    covered = np.zeros(len(points), bool)
    for k in range(len(poses)):
        covered |= _sample(alphas[k][:1], points[None])[0] > 60
    points = points[~covered]
    xy, owner, visible = (
        [_move(camera, points)],
        [np.full(len(points), -1)],
        [np.ones((frames, len(points)), bool)],
    )
    for k, sprite in enumerate(scene.sprites):
        local = rng.uniform(0, sprite.image.shape[0], (sprite_points, 2))
        solid = sprite.image[local[:, 1].astype(int), local[:, 0].astype(int), 3] > 200
        path = _move(poses[k], local[solid])
        shown = np.ones(path.shape[1], bool)
        for above in range(k + 1, len(poses)):
            shown &= _sample(alphas[above][:1], path[:1])[0] < 60
        shown &= ((path[0] >= 0) & (path[0] < size)).all(-1)
        xy.append(path[:, shown])
        owner.append(np.full(int(shown.sum()), k))
        visible.append(np.ones((frames, int(shown.sum())), bool))
    xy_all, owner_all, visible_all = np.concatenate(xy, 1), np.concatenate(owner), np.concatenate(visible, 1)
    visible_all &= ((xy_all >= 0) & (xy_all < size)).all(-1)
    for above in range(len(poses)):
        below = owner_all < above
        visible_all[:, below] &= _sample(alphas[above], xy_all[:, below]) < 100
    return xy_all.astype(np.float32), visible_all, owner_all


def _sample(maps: np.ndarray, xy: np.ndarray) -> np.ndarray:
    """maps (T, H, W), xy (T, N, 2) -> nearest values (T, N). 0 outside."""
    h, w = maps.shape[1:]
    x, y = np.floor(xy[..., 0]).astype(int), np.floor(xy[..., 1]).astype(int)
    inside = (x >= 0) & (x < w) & (y >= 0) & (y < h)
    t = np.arange(len(maps))[:, None]
    return np.where(inside, maps[t, y.clip(0, h - 1), x.clip(0, w - 1)], 0)


def caption(scene: Scene) -> str:
    """Words of the vocabulary that describe the scene."""
    parts = [_sprite_words(s) for s in scene.sprites[-2:]]
    c, t = scene.camera, min(24, scene.frames - 1)
    camera = _direction(c.dx[t], c.dy[t], "pans")
    zoom = "zooms in" if c.log_scale[t] > 0.06 else "zooms out" if c.log_scale[t] < -0.06 else ""
    roll = "rolls" if abs(c.angle[t]) > 0.06 else ""
    move = " ".join(p for p in (camera, zoom, roll) if p) or "still"
    return " ".join(([scene.style] if scene.style else []) + parts + ["camera " + move])


def _direction(dx: float, dy: float, verb: str) -> str:
    words = (["left"] if dx < -5 else ["right"] if dx > 5 else []) + (
        ["up"] if dy < -5 else ["down"] if dy > 5 else []
    )
    return " ".join([verb, *words]) if words else ""


def _sprite_words(sprite: Sprite) -> str:
    found = [NAME_WORDS[w] for w in sprite.name.split() if w in NAME_WORDS]
    t = min(24, len(sprite.motion.dx) - 1)
    return f"{_colour(sprite.image)} {found[0] if found else 'object'} " + (
        _direction(sprite.motion.dx[t], sprite.motion.dy[t], "moves") or "rests"
    )


def _colour(image: np.ndarray) -> str:
    solid = image[..., 3] > 128
    if not solid.any():
        return "gray"
    r, g, b = image[solid][:, :3].mean(0)
    pixel = np.array([[[r, g, b]]]).astype(np.uint8)
    h, s, v = cv2.cvtColor(pixel, cv2.COLOR_RGB2HSV)[0, 0]
    if v < 50:
        return "black"
    if s < 40:
        return "white" if v > 190 else "gray"
    if h < 8 or h >= 172:
        return "red"
    names = (
        (16, "brown" if v < 170 else "orange"),
        (34, "yellow"),
        (85, "green"),
        (130, "blue"),
        (150, "purple"),
        (172, "pink"),
    )
    return next(name for edge, name in names if h < edge)
