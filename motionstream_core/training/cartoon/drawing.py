"""Draws scenes: anti-aliased polygons on a canvas of twice the size, made smaller by area.

Owns the landscapes and the canvas. Frames are (T, size, size, 3) uint8 RGB. Any size, with the same picture.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from .figures import FIGURES, Colour, colour_of, placed, tones
from .scene import FPS, Scene

cv2.setNumThreads(1)

FRACTION = 4  # bits below the pixel
OVERSAMPLED = 2
SKIES = {
    "day": ((92, 170, 236), (206, 234, 250)),
    "sunset": ((94, 62, 142), (253, 162, 92)),
    "night": ((12, 16, 52), (54, 62, 122)),
}
TINTS = {"day": (1.0, 1.0, 1.0), "sunset": (1.0, 0.78, 0.72), "night": (0.38, 0.43, 0.66)}
LANDS = {
    "hills": ((142, 198, 150), (104, 182, 100), (70, 150, 74)),
    "sea": ((60, 140, 206), (44, 116, 190), (32, 92, 168)),
    "snowfield": ((204, 222, 240), (226, 237, 248), (244, 249, 253)),
}
STARS = np.random.default_rng(7).random((4, 22, 2)) * (1.0, 0.55)


class Canvas:
    """A picture of size x size pixels on which polygons are painted in widths of the picture."""

    def __init__(self, size: int):
        self.size = size
        self.pixels = np.empty((size * OVERSAMPLED, size * OVERSAMPLED, 3), np.uint8)

    def polygon(self, points: np.ndarray, colour: Colour) -> None:
        side = self.size * OVERSAMPLED << FRACTION
        corners = np.rint(np.asarray(points) * side - (1 << FRACTION - 1)).astype(np.int32)
        cv2.fillPoly(self.pixels, [corners], colour, cv2.LINE_AA, FRACTION)

    def disc(self, x: float, y: float, radius: float, colour: Colour) -> None:
        side, half = self.size * OVERSAMPLED << FRACTION, 1 << FRACTION - 1
        centre = (round(x * side) - half, round(y * side) - half)
        cv2.circle(self.pixels, centre, max(round(radius * side), 1), colour, -1, cv2.LINE_AA, FRACTION)

    def picture(self) -> np.ndarray:
        return cv2.resize(self.pixels, (self.size, self.size), interpolation=cv2.INTER_AREA)


class Artist:
    """Draws one scene at one size. What does not move of it is painted once."""

    def __init__(self, scene: Scene, size: int):
        self.scene, self.canvas = scene, Canvas(size)
        self.details, self.tint = scene.details, np.array(TINTS[scene.time])
        self.sky = self._sky()

    def frame(self, number: int) -> np.ndarray:
        """Frame `number`, (size, size, 3) uint8."""
        seconds = number / FPS
        np.copyto(self.canvas.pixels, self.sky)
        self._clouds(seconds)
        PAINTED[self.scene.place](self, seconds)
        for thing in self.scene.things:
            x, y = thing.at(seconds)
            paint = tones(thing.colour, self.scene.time)
            for polygon, tone in FIGURES[thing.kind]:
                self.canvas.polygon(placed(polygon, x, y, thing.scale, thing.face, thing.turned), paint[tone])
        if self.scene.place == "sea":
            self._wave(3, seconds, front=True)
        return self.canvas.picture()

    def tinted(self, colour: tuple[float, ...] | np.ndarray) -> Colour:
        return colour_of(np.minimum(np.array(colour) * self.tint, 255))

    def _sky(self) -> np.ndarray:
        high, low = (np.array(colour, float) for colour in SKIES[self.scene.time])
        side = self.canvas.pixels.shape[0]
        down = ((np.arange(side) + 0.5) / side / 0.72).clip(0, 1)[:, None] ** 1.2
        self.canvas.pixels[:] = (high + (low - high) * down).astype(np.uint8)[:, None]
        sun, draw = self.details.sun, self.canvas.disc
        if self.scene.time == "day":
            draw(sun, 0.16, 0.078, (255, 236, 130))
        elif self.scene.time == "sunset":
            draw(sun, 0.52, 0.19, (254, 188, 106))
            draw(sun, 0.52, 0.14, (255, 226, 142))
        else:
            for x, y in STARS[self.details.stars]:
                draw(x, y, 0.006, (235, 235, 255))
            draw(sun, 0.17, 0.08, (246, 240, 205))
            draw(sun + 0.036, 0.15, 0.066, colour_of(high + (low - high) * 0.12))
        return self.canvas.pixels.copy()

    def _clouds(self, seconds: float) -> None:
        colour = self.tinted((250, 252, 255))
        for start, y, r in self.details.clouds:
            x = (start + 0.02 * seconds) % 1.4 - 0.2
            for dx, dy, k in (
                (-1.3, 0.25, 0.72),
                (0, -0.1, 1.05),
                (1.3, 0.25, 0.78),
                (0.6, 0.1, 0.8),
                (-0.6, 0.1, 0.8),
            ):
                self.canvas.disc(x + dx * r, y + dy * r, k * r, colour)
            left, right, top, bottom = x - 1.4 * r, x + 1.4 * r, y + 0.2 * r, y + 0.95 * r
            self.canvas.polygon(
                np.array([(left, top), (right, top), (right, bottom), (left, bottom)]), colour
            )

    def ridge(self, layer: int, base: float, height: float) -> Callable[[np.ndarray], np.ndarray]:
        """The outline y(x) of a layer of land."""
        phase = self.details.phases[layer]
        return lambda x: base + height * (np.sin(4.4 * x + phase) + 0.45 * np.sin(9.2 * x + 2.1 * phase))

    def land(self, outline: np.ndarray, colour: tuple[float, ...] | np.ndarray) -> None:
        """Everything below an outline (N, 2)."""
        self.canvas.polygon(np.concatenate([outline, [(1.01, 1.02), (-0.01, 1.02)]]), self.tinted(colour))

    def hill(
        self, layer: int, base: float, height: float, colour: Colour
    ) -> Callable[[np.ndarray], np.ndarray]:
        x, ridge = np.linspace(-0.01, 1.01, 33), self.ridge(layer, base, height)
        self.land(np.stack([x, ridge(x)], 1), colour)
        return ridge

    def _wave(self, layer: int, seconds: float, front: bool = False) -> None:
        outline = wave(self.scene, layer, seconds, np.linspace(-0.01, 1.01, 41))
        shade = 0.81 if front else 1.08 - 0.09 * layer
        self.land(outline, np.array(LANDS["sea"][min(layer, 2)]) * shade)

    def places(self, width: float) -> list[tuple[int, float]]:
        """Number and left side of the equal strips across the picture."""
        return [(k, k * width) for k in range(int(1 / width) + 1)]

    def chance(self, number: int, of: int = 0) -> float:
        """A fixed share of 0..1 for something countable in the scene."""
        return float(self.details.table[(number * 7 + of * 13) % 64])


def wave(scene: Scene, layer: int, seconds: float, x: np.ndarray) -> np.ndarray:
    """The outline (N, 2) of a layer of the sea at a moment. Layer 3 is in front of boats."""
    base, height, frequency = (
        (0.58, 0.004, 5.0),
        (0.68, 0.010, 4.0),
        (0.79, 0.014, 3.0),
        (0.84, 0.018, 2.5),
    )[layer]
    drift = seconds * 0.05 * (1 if layer % 2 else -1)
    crest = np.abs(np.sin(frequency * np.pi * (x + drift) + scene.details.phases[layer]))
    return np.stack([x, base - 2 * height * crest], 1)


def _hills(a: Artist, seconds: float) -> None:
    far, middle, near = LANDS["hills"]
    a.hill(0, 0.60, 0.05, far)
    ridge = a.hill(1, 0.70, 0.04, middle)
    for k, left in a.places(0.34):
        if a.chance(k) < 0.6:
            x = left + 0.06 + 0.2 * a.chance(k, 1)
            y = float(ridge(np.array(x)))
            trunk = np.array(
                [(x - 0.013, y - 0.06), (x + 0.013, y - 0.06), (x + 0.013, y + 0.02), (x - 0.013, y + 0.02)]
            )
            a.canvas.polygon(trunk, a.tinted((112, 78, 52)))
            a.canvas.disc(x, y - 0.095, 0.06, a.tinted((46, 126, 62)))
    a.hill(2, 0.88, 0.015, near)


def _sea(a: Artist, seconds: float) -> None:
    for layer in range(3):
        a._wave(layer, seconds)


def _snowfield(a: Artist, seconds: float) -> None:
    far, middle, near = LANDS["snowfield"]
    a.hill(0, 0.62, 0.04, far)
    ridge = a.hill(1, 0.74, 0.035, middle)
    for k, left in a.places(0.26):
        if a.chance(k) < 0.6:
            x = left + 0.05 + 0.16 * a.chance(k, 1)
            y = float(ridge(np.array(x))) + 0.02
            for j in range(3):
                half, foot = 0.075 - 0.017 * j, y - 0.03 - 0.055 * j
                a.canvas.polygon(
                    np.array([(x - half, foot), (x, foot - 0.09), (x + half, foot)]), a.tinted((54, 110, 96))
                )
            a.canvas.polygon(
                np.array([(x - 0.027, y - 0.16), (x, y - 0.23), (x + 0.027, y - 0.16)]),
                a.tinted((250, 252, 255)),
            )
    a.hill(2, 0.88, 0.012, near)


PAINTED: dict[str, Callable[[Artist, float], None]] = {"hills": _hills, "sea": _sea, "snowfield": _snowfield}


def render(scene: Scene, frames: int, *, start: int = 0, size: int = 128) -> np.ndarray:
    """Frames start … start + frames - 1 of a scene."""
    artist = Artist(scene, size)
    return np.stack([artist.frame(start + i) for i in range(frames)])
