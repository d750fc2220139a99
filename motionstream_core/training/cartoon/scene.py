"""Scenes of the cartoon world: what is in them, where it is at any moment, and how they are drawn by lot.

Owns the closed form of every path and the lots. Knows nothing of pixels.
Units: widths of the picture, y downwards. Seconds. A scene is its few fields: everything else follows from
its `seed`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property

import numpy as np

from .figures import extent

FPS = 16
RISING = ("balloon", "rocket", "kite")  # of these half of the draws fly up
GROUND = {"car": 0.80, "ball": 0.80, "boat": 0.75}  # kinds with one height
ON_LAND = ("hills", "snowfield", "city", "desert", "mountains", "forest")
HOMES = {"car": ON_LAND, "ball": ON_LAND, "boat": ("sea",)}
SCALES = {"car": 0.165, "ball": 0.165, "boat": 0.155, "balloon": 0.15, "kite": 0.16, "rocket": 0.145}


@dataclass(frozen=True)
class Thing:
    """One thing on its path. `face` is 1 to the right and -1 to the left."""

    kind: str
    colour: str
    verb: str
    x: float
    y: float
    speed: float
    face: int = 1

    @property
    def scale(self) -> float:
        return SCALES[self.kind]

    @property
    def margin(self) -> float:
        """How far outside the picture the centre is when a path wraps: just out of sight."""
        left, top, right, bottom = extent(self.kind, self.turned)
        half = max(-top, bottom) if self.verb == "flies up" else max(-left, right)
        return self.scale * half + 0.01

    @property
    def turned(self) -> bool:
        """Whether the figure lies on its side: a rocket that flies across."""
        return self.kind == "rocket" and self.verb in ("moves left", "moves right")

    def at(self, seconds: float) -> tuple[float, float]:
        """The centre at a moment."""
        if self.verb == "moves left":
            return _wrapped(self.x - self.speed * seconds, self.margin), self.y
        if self.verb == "moves right":
            return _wrapped(self.x + self.speed * seconds, self.margin), self.y
        if self.verb == "flies up":
            return self.x, _wrapped(self.y - self.speed * seconds, self.margin)
        if self.verb == "stays":
            return self.x, self.y
        raise ValueError(f"verb: expected a known one, got {self.verb!r}")


def _wrapped(value: float, margin: float) -> float:
    return (value + margin) % (1 + 2 * margin) - margin


@dataclass(frozen=True)
class Details:
    """What a scene's seed decides: the shape of the land, the clouds, the place of sun or moon, the stars'
    map.
    """

    phases: np.ndarray  # (8,) radians
    table: np.ndarray  # (64,) 0..1, by which trees and roofs are placed
    clouds: tuple[tuple[float, float, float], ...]  # x, y, radius
    sun: float
    stars: int


@dataclass(frozen=True)
class Scene:
    """Things are in drawing order: the last one is nearest."""

    place: str
    time: str
    things: tuple[Thing, ...]
    seed: int
    weather: str = "clear"
    camera: str = "still"

    @property
    def caption(self) -> str:
        """Everything that the scene shows, in words of the vocabulary."""
        things = " and ".join(f"a {t.colour} {t.kind} {t.verb}".rstrip() for t in self.things)
        return f"{things} {self.place} {self.time} {self.weather} camera {self.camera}"

    @cached_property
    def details(self) -> Details:
        rng = np.random.default_rng(self.seed)
        phases, table = rng.uniform(0, 2 * np.pi, 8), rng.random(64)
        heights = rng.permutation((0.09, 0.17, 0.25))[:2]
        clouds = tuple(
            (float(rng.uniform(0, 1.4)), float(y), float(rng.uniform(0.055, 0.075))) for y in heights
        )
        return Details(phases, table, clouds, float(rng.choice((0.22, 0.5, 0.78))), int(rng.integers(4)))

    def as_dict(self) -> dict:
        return asdict(self)

    @staticmethod
    def from_dict(values: dict) -> Scene:
        return Scene(**{**values, "things": tuple(Thing(**thing) for thing in values["things"])})


@dataclass(frozen=True)
class World:
    """Which scenes there are: the lots from which `draw_scene` draws."""

    kinds: tuple[str, ...] = ("car", "boat", "balloon", "rocket")
    colours: tuple[str, ...] = ("red", "orange", "yellow", "blue", "purple", "pink")
    places: tuple[str, ...] = ("hills", "sea", "snowfield")
    times: tuple[str, ...] = ("day", "sunset", "night")
    speed: float = 0.19
    heights: tuple[float, ...] = (0.26, 0.44)  # of what flies
    columns: tuple[float, ...] = (0.25, 0.5, 0.75)  # of what stays or flies up


REDUCED = World()


def draw_scene(rng: np.random.Generator, world: World = REDUCED) -> Scene:
    """A scene by lot.

    Kinds are drawn evenly. Half of those that rise fly up, so that with as many kinds of either sort verbs
    are even too.
    """
    kind = _one(rng, world.kinds)
    place = _one(rng, tuple(p for p in world.places if p in HOMES.get(kind, world.places)))
    up = kind in RISING and rng.random() < 0.5
    verb = "flies up" if up else _one(rng, ("moves left", "moves right", "stays"))
    face = {"moves left": -1, "moves right": 1}.get(verb) or int(_one(rng, (-1, 1)))
    y = GROUND.get(kind) or float(_one(rng, world.heights))
    x = float(_one(rng, world.columns))
    thing = Thing(kind, _one(rng, world.colours), verb, x, y, world.speed, face)
    along = float(rng.uniform(-thing.margin, 1 + thing.margin))
    if verb == "flies up":
        thing = Thing(kind, thing.colour, verb, x, along, world.speed, face)
    elif verb != "stays":
        thing = Thing(kind, thing.colour, verb, along, y, world.speed, face)
    return Scene(place, _one(rng, world.times), (thing,), int(rng.integers(2**31)))


def _one(rng: np.random.Generator, lots: tuple):
    return lots[int(rng.integers(len(lots)))]


def numbered_scene(index: int, *, held_out: bool = False, world: World = REDUCED) -> Scene:
    """Scene number `index` of the training scenes, or of the held-out ones: the two never share a seed."""
    return draw_scene(np.random.default_rng([int(held_out), index]), world)
