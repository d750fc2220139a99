"""Which of a clip's points become tracks: dense grids, and the sparse brushes and pins that people really
draw.

Shapes as in `world.Clip`. Every draw takes `rng`.
"""

from __future__ import annotations

import numpy as np

from .world import Clip


def _log_uniform(rng: np.random.Generator, low: int, high: int) -> int:
    return int(round(np.exp(rng.uniform(np.log(low), np.log(high)))))


def _take(rng: np.random.Generator, pool: np.ndarray, count: int) -> np.ndarray:
    return rng.permutation(pool)[:count]


def choose_dense(rng: np.random.Generator, clip: Clip, count: int = 256) -> np.ndarray:
    """Indices of `count` points: half on the background, half on the sprites (all background where there are
    none).
    """
    background, sprites = np.flatnonzero(clip.owner < 0), np.flatnonzero(clip.owner >= 0)
    on_sprites = min(len(sprites), count // 2)
    return np.concatenate([_take(rng, background, count - on_sprites), _take(rng, sprites, on_sprites)])


def choose_brushes(
    rng: np.random.Generator,
    clip: Clip,
    per_sprite: tuple[int, int] = (5, 40),
    background: tuple[int, int] = (10, 120),
) -> np.ndarray:
    """Indices as from an editor: a brush (a disc of points near a random centre) on each sprite, a few pins
    elsewhere.
    """
    chosen = [_take(rng, np.flatnonzero(clip.owner < 0), _log_uniform(rng, *background))]
    for k in np.unique(clip.owner[clip.owner >= 0]):
        pool = np.flatnonzero(clip.owner == k)
        centre = clip.xy[0, rng.choice(pool)] if rng.random() < 0.5 else clip.xy[0, pool].mean(0)
        near = np.argsort(np.linalg.norm(clip.xy[0, pool] - centre, axis=-1))
        disc = pool[near[: max(3, int(len(pool) * rng.uniform(0.3, 1.0)))]]
        chosen.append(_take(rng, disc, _log_uniform(rng, *per_sprite)))
    return np.concatenate(chosen)


def choose_mixed(rng: np.random.Generator, clip: Clip, limit: int = 256) -> np.ndarray:
    """The training mixture: dense sets of log-uniform size, or brushes."""
    if rng.random() < 0.55:
        return choose_dense(rng, clip, _log_uniform(rng, 32, limit))[:limit]
    return choose_brushes(rng, clip)[:limit]
