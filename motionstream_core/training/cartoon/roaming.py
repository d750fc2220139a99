"""Scenes whose things go along arbitrary smooth paths, for models that are told of motion by tracks.

Owns the paths and the lots. A thing rests until `REST`, so that a start image says nothing of its velocity.
Captions have no verb. In a share of the scenes there is a second thing of the same kind in another colour.
Every start image is that of `MOTIONS` scenes with different paths.
Units: widths of the picture, y downwards. Seconds.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace

import numpy as np

from .scene import FPS, GROUND, REDUCED, Scene, Thing, World, draw_scene

STILL_FRAMES = 9  # the first frames of a clip, which are all alike: two cold latents and the start image
REST = (STILL_FRAMES - 1) / FPS
MOTIONS = 3
PAIRS = 0.35  # share of the scenes with a second thing
RESTING = 0.15  # share of the things that never move
APART = 0.32  # least distance of two things at the start
SPEEDS = (0.06, 0.34)
INSIDE = (0.12, 0.88)
Knot = tuple[float, float, float]  # seconds, x, y


@dataclass(frozen=True)
class Roamer(Thing):
    """A thing on a smooth path through knots: it rests before the first one and behind the last one."""

    knots: tuple[Knot, ...] = ()

    def at(self, seconds: float) -> tuple[float, float]:
        """The centre at a moment: cubic between knots, with the slope of the neighbours' chord in each."""
        if not self.knots:
            return self.x, self.y
        if seconds <= self.knots[0][0] or seconds >= self.knots[-1][0]:
            _, x, y = self.knots[0] if seconds <= self.knots[0][0] else self.knots[-1]
            return x, y
        k = bisect_right([knot[0] for knot in self.knots], seconds) - 1
        (t0, *start), (t1, *end) = self.knots[k], self.knots[k + 1]
        u, span = (seconds - t0) / (t1 - t0), t1 - t0
        before, behind = self._slope(k), self._slope(k + 1)
        a, b, c, d = 2 * u**3 - 3 * u**2 + 1, u**3 - 2 * u**2 + u, 3 * u**2 - 2 * u**3, u**3 - u**2
        x, y = (a * start[i] + b * span * before[i] + c * end[i] + d * span * behind[i] for i in (0, 1))
        return x, y

    def _slope(self, k: int) -> tuple[float, float]:
        if k in (0, len(self.knots) - 1):
            return 0.0, 0.0
        (t0, x0, y0), (t1, x1, y1) = self.knots[k - 1], self.knots[k + 1]
        return (x1 - x0) / (t1 - t0), (y1 - y0) / (t1 - t0)


def draw_knots(rng: np.random.Generator, x: float, y: float, seconds: float) -> tuple[Knot, ...]:
    """A path by lot from a place at rest, for at least so many seconds behind `REST`. None for a thing that
    stays.
    """
    if rng.random() < RESTING:
        return ()
    knots, heading = [(REST, x, y)], float(rng.uniform(0, 2 * np.pi))
    while knots[-1][0] < REST + seconds:
        span, speed = float(rng.uniform(0.5, 1.1)), float(rng.uniform(*SPEEDS))
        for _ in range(8):  # turns until the next knot is in the picture
            there = x + span * speed * np.cos(heading), y + span * speed * np.sin(heading)
            if all(INSIDE[0] < v < INSIDE[1] for v in there):
                break
            heading += float(rng.uniform(0.8, 1.6))
        x, y = (float(np.clip(v, *INSIDE)) for v in there)
        knots.append((knots[-1][0] + span, x, y))
        heading += float(rng.uniform(-1.2, 1.2))
    return tuple(knots)


def draw_roaming(
    looks: np.random.Generator,
    paths: np.random.Generator,
    seconds: float,
    world: World = REDUCED,
    pairs: float = PAIRS,
) -> Scene:
    """A scene by lot.

    Args:
        looks: what it shows.
        paths: where its things go.
        seconds: that they go for at least.
        world: what there is.
        pairs: share of the scenes with a second thing.
    """
    scene = draw_scene(looks, world)
    thing = scene.things[0]
    if looks.random() < 0.5:
        x, y = float(looks.uniform(0.2, 0.8)), GROUND.get(thing.kind, float(looks.uniform(0.2, 0.5)))
    else:
        x, y = float(looks.uniform(0.2, 0.8)), float(looks.uniform(0.2, 0.78))
    things = [(thing.colour, x, y, thing.face)]
    if looks.random() < pairs:
        others = [colour for colour in world.colours if colour != thing.colour]
        second = str(looks.choice(others))
        for _ in range(64):
            where = float(looks.uniform(0.18, 0.82)), float(looks.uniform(0.2, 0.78))
            if np.hypot(where[0] - x, where[1] - y) >= APART:
                things.append((second, *where, int(looks.choice((-1, 1)))))
                break
    roamers = tuple(
        Roamer(thing.kind, colour, "", x, y, 0.0, face, draw_knots(paths, x, y, seconds))
        for colour, x, y, face in things
    )
    return replace(scene, things=roamers)


def roaming_scene(
    index: int,
    *,
    held_out: bool = False,
    seconds: float = 4.0,
    pairs: float = PAIRS,
    motions: int = MOTIONS,
) -> Scene:
    """Scene number `index` of the training scenes, or of the held-out ones: the two share no seed, and none
    with `numbered_scene`.

    Args:
        index: number of the scene.
        held_out: of the held-out ones.
        seconds: that things go for at least.
        pairs: share of the scenes with a second thing.
        motions: scenes with one start image.
    """
    looks = np.random.default_rng([2 + held_out, index // motions])
    return draw_roaming(looks, np.random.default_rng([4 + held_out, index]), seconds, pairs=pairs)
