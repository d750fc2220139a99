"""What is known of a scene without looking at it: paths of points, what hides them, boxes of things, the
cells they touch.

Owns the closed-form ground truth. Points are on things or on the land. The depth of a point is the number of
its thing, or -1 behind all.
Shapes: xy (T, N, 2) float32 pixels. visible (T, N) bool. depth (N,). boxes (T, things, 4) pixels as left,
top, right, bottom.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .drawing import wave
from .figures import covered, extent, placed, unplaced
from .scene import FPS, Scene, Thing


@dataclass(frozen=True)
class Paths:
    xy: np.ndarray
    visible: np.ndarray
    depth: np.ndarray


def centres(scene: Scene, frames: int, *, start: int = 0, size: int = 128) -> np.ndarray:
    """The centres (T, things, 2) of all things, in pixels."""
    moments = [(start + i) / FPS for i in range(frames)]
    return np.array([[thing.at(s) for thing in scene.things] for s in moments]) * size


def boxes(scene: Scene, frames: int, *, start: int = 0, size: int = 128) -> np.ndarray:
    """The boxes of all things, beyond the picture's edges too."""
    sides = []
    for thing in scene.things:
        left, top, right, bottom = np.array(extent(thing.kind, thing.turned)) * thing.scale
        sides.append((left, top, right, bottom) if thing.face > 0 else (-right, top, -left, bottom))
    at = np.tile(centres(scene, frames, start=start, size=size), 2)
    return (at + np.array(sides)[None] * size).astype(np.float32)


def touched(scene: Scene, latents: int, *, start: int = 0, cells: int = 8, stride: int = 4) -> np.ndarray:
    """Which of cells x cells tokens any thing touches in each group of `stride` frames: (latents, cells,
    cells) bool.
    """
    box = boxes(scene, latents * stride, start=start, size=cells)
    edge = np.arange(cells)
    across = (box[..., 0, None] < edge + 1) & (box[..., 2, None] > edge)
    down = (box[..., 1, None] < edge + 1) & (box[..., 3, None] > edge)
    hit = np.any(down[..., :, None] & across[..., None, :], axis=1)
    return hit.reshape(latents, stride, cells, cells).any(1)


def tracks(
    scene: Scene,
    frames: int,
    rng: np.random.Generator,
    *,
    start: int = 0,
    size: int = 128,
    on_things: int = 8,
    on_land: int = 16,
) -> Paths:
    """Paths of random points: `on_things` of every thing, `on_land` of everything that stands still behind
    them.
    """
    moments = [(start + i) / FPS for i in range(frames)]
    land = rng.uniform(0, 1, (on_land, 2))
    xy, depth = [np.repeat(land[None], frames, 0)], [np.full(on_land, -1)]
    for number, thing in enumerate(scene.things):
        local = _points(thing, rng, on_things)
        xy.append(
            np.stack([placed(local, *thing.at(s), thing.scale, thing.face, thing.turned) for s in moments])
        )
        depth.append(np.full(on_things, number))
    where, behind = np.concatenate(xy, 1), np.concatenate(depth)
    seen = np.stack([visible(scene, where[i], behind, s) for i, s in enumerate(moments)])
    return Paths((where * size).astype(np.float32), seen, behind)


def visible(scene: Scene, xy: np.ndarray, depth: np.ndarray, seconds: float) -> np.ndarray:
    """Which of the points xy (N, 2), in widths of the picture, are in the picture and behind nothing
    nearer.
    """
    seen = np.all((xy >= 0) & (xy < 1), axis=1)
    for number, thing in enumerate(scene.things):
        local = unplaced(xy, *thing.at(seconds), thing.scale, thing.face, thing.turned)
        seen &= ~(covered(local, thing.kind) & (depth < number))
    if scene.place == "sea":
        outline = wave(scene, 3, seconds, np.linspace(-0.01, 1.01, 41))
        seen &= (depth < 0) | (xy[:, 1] < np.interp(xy[:, 0], outline[:, 0], outline[:, 1]))
    return seen


def _points(thing: Thing, rng: np.random.Generator, count: int) -> np.ndarray:
    """Points (count, 2) on a figure, in its local units."""
    left, top, right, bottom = extent(thing.kind)
    found = np.empty((0, 2))
    while len(found) < count:
        drawn = rng.uniform((left, top), (right, bottom), (4 * count, 2))
        found = np.concatenate([found, drawn[covered(drawn, thing.kind)]])
    return found[:count]
