"""The figures of things: polygons in local units, each with a tone.

Owns the outlines. A figure faces right and is about two units wide. Tones are names that `tones` turns into
colours.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import numpy as np

Shape = tuple[np.ndarray, str]  # (N, 2) float, tone
Colour = tuple[int, int, int]
COLOURS: Mapping[str, Colour] = {
    "red": (228, 48, 46),
    "orange": (247, 140, 36),
    "yellow": (252, 216, 56),
    "green": (52, 176, 84),
    "blue": (46, 104, 226),
    "purple": (142, 70, 204),
    "pink": (247, 130, 184),
    "white": (246, 246, 242),
}
BRIGHTNESS = {"day": 1.0, "sunset": 0.94, "night": 0.84}
FIXED = {
    "white": (250, 250, 250),
    "ink": (44, 44, 58),
    "glass": (198, 228, 246),
    "metal": (200, 200, 206),
    "lamp": (255, 240, 150),
    "wood": (122, 84, 54),
    "flame": (255, 150, 40),
    "spark": (255, 236, 120),
    "string": (234, 234, 228),
}


def colour_of(values: np.ndarray) -> Colour:
    """Three channels of 0..255, rounded down."""
    red, green, blue = (int(value) for value in values)
    return red, green, blue


def tones(colour: str, time: str) -> dict[str, Colour]:
    """The colours of a figure's tones: `main`, `dark` and `light` of its own colour, the others fixed."""
    base, shine = np.array(COLOURS[colour], float), BRIGHTNESS[time]
    own = {"main": base, "dark": base * 0.7, "light": base + (255 - base) * 0.45}
    return {name: colour_of(np.asarray(value) * shine) for name, value in {**FIXED, **own}.items()}


def _poly(tone: str, *points: tuple[float, float]) -> Shape:
    return np.array(points, float), tone


def _oval(
    tone: str, x: float, y: float, a: float, b: float | None = None, start: float = 0.0, end: float = 360.0
) -> Shape:
    angles = np.radians(np.linspace(start, end, 33))
    return np.stack([x + a * np.cos(angles), y + (a if b is None else b) * np.sin(angles)], 1), tone


def _crescent(tone: str, radius: float, depth: float) -> Shape:
    """The lower right rim of a disc."""
    angles = np.radians(np.linspace(-30, 120, 25))
    outer = np.stack([np.cos(angles), np.sin(angles)], 1) * radius
    inner = outer[::-1] * (1 - depth * np.sin(np.linspace(0, np.pi, 25)))[:, None]
    return np.concatenate([outer, inner]), tone


def _wheel(x: float, y: float, radius: float) -> tuple[Shape, Shape]:
    return _oval("ink", x, y, radius), _oval("metal", x, y, radius * 0.45)


FIGURES: dict[str, tuple[Shape, ...]] = {
    "ball": (_oval("main", 0, 0, 0.72), _crescent("dark", 0.72, 0.3), _oval("light", -0.24, -0.28, 0.17)),
    "balloon": (
        _poly("string", (-0.04, 0.9), (0.04, 0.9), (0.05, 1.28), (-0.03, 1.28)),
        _poly("dark", (-0.17, 1.0), (0.17, 1.0), (0, 0.76)),
        _oval("main", 0, 0, 0.78, 0.92),
        _oval("light", -0.28, -0.36, 0.16, 0.25),
    ),
    "car": (
        _poly("dark", (-0.66, -0.1), (-0.4, -0.64), (0.36, -0.64), (0.68, -0.1)),
        _poly("glass", (-0.46, -0.12), (-0.3, -0.52), (-0.04, -0.52), (-0.04, -0.12)),
        _poly("glass", (0.07, -0.12), (0.07, -0.52), (0.3, -0.52), (0.5, -0.12)),
        _poly("main", (-1.05, -0.14), (0.94, -0.14), (1.08, 0.06), (1.08, 0.36), (-1.05, 0.36)),
        _oval("lamp", 0.98, 0.06, 0.11),
        *_wheel(-0.58, 0.36, 0.28),
        *_wheel(0.58, 0.36, 0.28),
    ),
    "boat": (
        _poly("wood", (-0.05, -1.25), (0.05, -1.25), (0.05, 0), (-0.05, 0)),
        _poly("white", (0.11, -1.2), (0.11, -0.12), (0.88, -0.12)),
        _poly("light", (-0.11, -1.05), (-0.11, -0.12), (-0.68, -0.12)),
        _poly("main", (-1.06, -0.04), (1.1, -0.04), (0.72, 0.44), (-0.74, 0.44)),
        _poly("dark", (-1.06, -0.04), (1.1, -0.04), (1.0, 0.1), (-0.95, 0.1)),
    ),
    "kite": (
        _poly("string", (-0.035, 0.85), (0.035, 0.85), (0.14, 1.1), (0.05, 1.3), (-0.03, 1.28), (0.05, 1.1)),
        _poly("main", (0, -1.0), (0.76, -0.12), (0, 0.95), (-0.76, -0.12)),
        _poly("light", (0, -1.0), (0.76, -0.12), (0, -0.12)),
        _poly("dark", (0, -0.12), (0, 0.95), (-0.76, -0.12)),
    ),
    "rocket": (
        _poly("flame", (-0.24, 0.72), (0.24, 0.72), (0, 1.28)),
        _poly("spark", (-0.13, 0.72), (0.13, 0.72), (0, 1.02)),
        _poly("dark", (-0.34, 0.2), (-0.8, 0.84), (-0.26, 0.72)),
        _poly("dark", (0.34, 0.2), (0.8, 0.84), (0.26, 0.72)),
        _poly(
            "main",
            (0, -1.2),
            (0.22, -0.9),
            (0.38, -0.42),
            (0.4, 0.2),
            (0.28, 0.8),
            (-0.28, 0.8),
            (-0.4, 0.2),
            (-0.38, -0.42),
            (-0.22, -0.9),
        ),
        _poly("white", (0, -1.2), (0.22, -0.9), (0.35, -0.55), (-0.35, -0.55), (-0.22, -0.9)),
        _oval("white", 0, -0.06, 0.23),
        _oval("glass", 0, -0.06, 0.15),
    ),
}


def placed(points: np.ndarray, x: float, y: float, scale: float, face: int, turned: bool) -> np.ndarray:
    """Local points (N, 2) of a figure at its place in the picture. A turned one points where it faces."""
    u, v = points[:, 0], points[:, 1]
    if turned:
        u, v = -v, u
    return np.stack([x + scale * face * u, y + scale * v], 1)


def unplaced(points: np.ndarray, x: float, y: float, scale: float, face: int, turned: bool) -> np.ndarray:
    """The inverse of `placed`."""
    u, v = (points[:, 0] - x) / (scale * face), (points[:, 1] - y) / scale
    return np.stack([v, -u] if turned else [u, v], 1)


def inside(points: np.ndarray, polygon: np.ndarray) -> np.ndarray:
    """Which of the points (N, 2) a polygon (M, 2) holds, by the even-odd rule."""
    a, b = polygon, np.roll(polygon, -1, 0)
    x, y = points[:, :1], points[:, 1:]
    crosses = (a[:, 1] > y) != (b[:, 1] > y)
    slope = (b[:, 0] - a[:, 0]) / np.where(b[:, 1] == a[:, 1], 1, b[:, 1] - a[:, 1])
    return (crosses & (x < a[:, 0] + (y - a[:, 1]) * slope)).sum(1) % 2 == 1


def covered(points: np.ndarray, kind: str) -> np.ndarray:
    """Which of the local points (N, 2) lie on a figure."""
    hit = np.zeros(len(points), bool)
    for polygon, _ in FIGURES[kind]:
        hit |= inside(points, polygon)
    return hit


@cache
def extent(kind: str, turned: bool = False) -> tuple[float, float, float, float]:
    """The box (left, top, right, bottom) of a figure that faces right, in local units."""
    points = placed(np.concatenate([polygon for polygon, _ in FIGURES[kind]]), 0, 0, 1, 1, turned)
    (left, top), (right, bottom) = points.min(0).tolist(), points.max(0).tolist()
    return left, top, right, bottom
