"""Media of the synthetic world that need nothing but this repository: drawn sprites, drawn textures and its
own example picture.

Owns what `train media` makes when no packages are given. Same two files as `media`. Held-out shapes have
colours and textures of their own, held-out pictures are drawn from another seed and never the example
picture. A model trained on it alone knows shapes, not things.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from .media import PICTURE_SIDE, SPRITE_SIZE
from .textures import drawn_texture

EXAMPLES = Path(__file__).parents[3] / "workflows"
NOT_PICTURES = ("_depth", "_mask")
TEXTURES, VARIANTS = 14, 12  # in the training half; a third of each in the held-out one
CREDIT = "drawn by this repository (motionstream_core/training/data/drawn_media.py), Apache-2.0"
FINE = 4  # shapes are drawn this many times as large and scaled down, for smooth borders
Outline = Callable[[np.random.Generator], list[np.ndarray]]


def build_drawn_media(out: Path, seed: int = 0) -> dict[str, dict[str, int]]:
    """Writes train.npz and heldout.npz -> counts."""
    out.mkdir(parents=True, exist_ok=True)
    counts = {}
    for name, salt, share in (("train", 0, 1), ("heldout", 1, 3)):
        rng = np.random.default_rng([seed, salt])
        found = own_pictures() if name == "train" else {}
        pictures = [*found.values(), *(_landscape(rng) for _ in range(TEXTURES // share))]
        sprites = [
            (word, drawn_sprite(rng, outline))
            for word, outline in SHAPES.items()
            for _ in range(VARIANTS // share)
        ]
        credits = [f"workflows/{file}: this repository, see its NOTICE" for file in found] + [CREDIT]
        packed: dict[str, Any] = {f"picture_{i:02d}": picture for i, picture in enumerate(pictures)}
        np.savez_compressed(
            out / f"{name}.npz",
            sprites=np.stack([image for _, image in sprites]),
            names=np.array([word for word, _ in sprites]),
            credits=np.array(credits),
            **packed,
        )
        counts[name] = {"pictures": len(pictures), "sprites": len(sprites)}
    return counts


def own_pictures() -> dict[str, np.ndarray]:
    """The repository's own example pictures, by file name: none where the package was installed without
    them.
    """
    from PIL import Image

    out = {}
    for path in sorted(EXAMPLES.glob("*.png")):
        if not path.stem.endswith(NOT_PICTURES):
            image = Image.open(path).convert("RGB")
            image.thumbnail((PICTURE_SIDE, PICTURE_SIDE), Image.Resampling.LANCZOS)
            out[path.name] = np.asarray(image)
    return out


def _landscape(rng: np.random.Generator) -> np.ndarray:
    """Textures beside and over each other behind wavy borders: more to follow than one texture has."""
    picture = drawn_texture(rng, 384)
    for _ in range(int(rng.integers(2, 5))):
        rows = 384 * rng.uniform(0.2, 0.9) + 30 * np.sin(
            np.arange(384) / rng.uniform(20, 80) + rng.uniform(0, 6)
        )
        below = np.arange(384)[:, None] > rows[None]
        if rng.random() < 0.4:
            below = below.T
        picture = np.where(below[..., None], drawn_texture(rng, 384), picture)
    return picture


def drawn_sprite(rng: np.random.Generator, outline: Outline) -> np.ndarray:
    """One shape (96, 96, 4) uint8: filled with a texture, shaded, with an eye-catching border or spots now
    and then.
    """
    size = SPRITE_SIZE * FINE
    mask = np.zeros((size, size), np.uint8)
    for polygon in outline(rng):
        cv2.fillPoly(mask, [np.round(polygon * size).astype(np.int32)], 255)
    colour = drawn_texture(rng, size).astype(np.float32)
    yy, xx = np.mgrid[:size, :size].astype(np.float32) / size
    colour *= (1.25 - 0.6 * np.hypot(xx - rng.uniform(0.2, 0.5), yy - rng.uniform(0.2, 0.4)))[..., None]
    for _ in range(int(rng.integers(0, 5))):
        spot = tuple(int(v) for v in rng.uniform(0.25, 0.75, 2) * size)
        cv2.circle(
            colour, spot, int(rng.uniform(0.03, 0.09) * size), [float(v) for v in rng.integers(0, 256, 3)], -1
        )
    if rng.random() < 0.6:
        inner = cv2.erode(mask, np.ones((3, 3), np.uint8), iterations=int(rng.integers(4, 10)), borderValue=0)
        colour[(mask > 0) & (inner == 0)] = rng.integers(0, 256, 3)
    image = np.concatenate([colour.clip(0, 255).astype(np.uint8), mask[..., None]], -1)
    return cv2.resize(image, (SPRITE_SIZE, SPRITE_SIZE), interpolation=cv2.INTER_AREA)


def _round(
    radius: Callable[[np.ndarray], np.ndarray], centre: tuple[float, float] = (0.5, 0.5)
) -> np.ndarray:
    """A closed curve (180, 2) in 0..1: the radius by the angle."""
    angle = np.linspace(0, 2 * np.pi, 180, endpoint=False)
    return np.stack(
        [centre[0] + radius(angle) * np.cos(angle), centre[1] + radius(angle) * np.sin(angle)], -1
    )


def _ball(rng) -> list[np.ndarray]:
    return [_round(lambda a: np.full_like(a, 0.46))]


def _box(rng) -> list[np.ndarray]:
    w, h = rng.uniform(0.3, 0.46, 2)
    return [np.array([[0.5 - w, 0.5 - h], [0.5 + w, 0.5 - h], [0.5 + w, 0.5 + h], [0.5 - w, 0.5 + h]])]


def _star(rng) -> list[np.ndarray]:
    points, inner = int(rng.integers(5, 9)), rng.uniform(0.18, 0.3)
    angle = np.arange(2 * points) * np.pi / points - np.pi / 2
    radius = np.where(np.arange(2 * points) % 2, inner, 0.47)
    return [np.stack([0.5 + radius * np.cos(angle), 0.5 + radius * np.sin(angle)], -1)]


def _flower(rng) -> list[np.ndarray]:
    petals = int(rng.integers(4, 8))
    return [_round(lambda a: 0.33 + 0.14 * np.cos(petals * a))]


def _heart(rng) -> list[np.ndarray]:
    t = np.linspace(0, 2 * np.pi, 180)
    x, y = 16 * np.sin(t) ** 3, 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    return [np.stack([0.5 + x / 36, 0.47 - y / 36], -1)]


def _moon(rng) -> list[np.ndarray]:
    t = np.linspace(-2.1, 2.1, 90)
    outer = np.stack([0.48 - 0.44 * np.cos(t), 0.5 + 0.44 * np.sin(t)], -1)
    inner = np.stack([0.66 - 0.4 * np.cos(t[::-1] * 0.9), 0.5 + 0.4 * np.sin(t[::-1] * 0.9)], -1)
    return [np.concatenate([outer, inner])]


def _fish(rng) -> list[np.ndarray]:
    body = _round(lambda a: 0.36 / np.sqrt(np.cos(a) ** 2 + 2.6 * np.sin(a) ** 2), (0.42, 0.5))
    return [body, np.array([[0.68, 0.5], [0.96, 0.26], [0.88, 0.5], [0.96, 0.74]])]


def _house(rng) -> list[np.ndarray]:
    return [
        np.array([[0.15, 0.45], [0.85, 0.45], [0.85, 0.95], [0.15, 0.95]]),
        np.array([[0.05, 0.47], [0.5, 0.05], [0.95, 0.47]]),
    ]


def _tree(rng) -> list[np.ndarray]:
    crown = _round(lambda a: 0.33 + 0.04 * np.sin(7 * a), (0.5, 0.37))
    return [crown, np.array([[0.42, 0.6], [0.58, 0.6], [0.6, 0.97], [0.4, 0.97]])]


def _cloud(rng) -> list[np.ndarray]:
    return [
        _round(lambda a: np.full_like(a, 0.2), centre)
        for centre in ((0.28, 0.58), (0.5, 0.42), (0.72, 0.58), (0.5, 0.6))
    ]


SHAPES: dict[str, Outline] = {
    "ball": _ball,
    "box": _box,
    "star": _star,
    "flower": _flower,
    "heart": _heart,
    "moon": _moon,
    "fish": _fish,
    "house": _house,
    "tree": _tree,
    "cloud": _cloud,
}
