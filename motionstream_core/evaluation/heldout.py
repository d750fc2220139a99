"""The held-out clips: scenes of the synthetic world made of pictures and sprites that training never saw.

Owns which scenes are measured (a fixed seed) and the masks that need the scene's geometry. Shapes as in
`training.world`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..training.data.media import load_media
from ..training.data.selection import choose_dense
from ..training.data.world import Motion, RenderedClip, Scene, random_scene, render

SEED = 20261121
FRAMES = 25
POINTS = 256


@dataclass(frozen=True)
class HeldOut:
    scene: Scene
    clip: RenderedClip
    chosen: np.ndarray  # indices of the commanded points

    @property
    def frames(self) -> np.ndarray:
        """(T, H, W, 3) float32 0..1."""
        return self.clip.frames.astype(np.float32) / 255


def heldout_set(media: Path, count: int = 36, frames: int = FRAMES, seed: int = SEED) -> list[HeldOut]:
    """`count` clips, a third each of object drags (still camera), camera moves (resting sprites) and both."""
    pictures, sprites, names, _ = load_media(media)
    out = []
    for i in range(count):
        rng = np.random.default_rng([seed, i])
        scene = random_scene(
            rng, pictures, sprites, names, frames=frames, kind=("object", "camera", "both")[i % 3]
        )
        clip = render(scene, rng)
        out.append(HeldOut(scene, clip, choose_dense(rng, clip, POINTS)))
    return out


def long_set(
    media: Path, count: int = 4, frames: int = 253, seed: int = SEED + 1, period: int = 24
) -> list[HeldOut]:
    """Streams many times longer than training whose motion repeats every `period` frames, so that early and
    late frames show the same displacements: every other one under a moving camera.

    Args:
        media: folder of pictures and sprites.
        count: how many streams.
        frames: pixel frames of each.
        seed: of the scenes.
        period: pixel frames after which the motion repeats.
    """
    pictures, sprites, names, _ = load_media(media)
    out = []
    for i in range(count):
        rng = np.random.default_rng([seed, i])
        scene = random_scene(rng, pictures, sprites, names, frames=frames, kind="object")
        moving = tuple(replace(s, motion=_periodic(rng, frames, period, 16.0)) for s in scene.sprites)
        scene = replace(
            scene,
            sprites=moving,
            camera=_periodic(rng, frames, period, 12.0) if i % 2 else scene.camera,
            kind="both" if i % 2 else "object",
        )
        clip = render(scene, rng)
        out.append(HeldOut(scene, clip, choose_dense(rng, clip, POINTS)))
    return out


def _periodic(rng: np.random.Generator, frames: int, period: int, reach: float) -> Motion:
    t = 2 * np.pi * np.arange(frames) / period
    ax, ay = reach * rng.uniform(0.6, 1.0, 2) * rng.choice([-1, 1], 2)
    return Motion(ax * np.sin(t), ay * (1 - np.cos(t)) / 2, 0.05 * np.sin(t), 0.04 * np.sin(t))


def background_mask(clip: RenderedClip) -> np.ndarray:
    """(T, H, W): no sprite there."""
    return ~clip.sprite_mask


def disoccluded_mask(scene: Scene, clip: RenderedClip) -> np.ndarray:
    """(T, H, W): background that frame 0 does not show, because a sprite stood there or because it lay
    outside the frame.
    """
    size = scene.size
    camera = scene.camera.matrices(size / 2, size / 2)
    ys, xs = np.mgrid[:size, :size] + 0.5
    grid = np.stack([xs, ys, np.ones_like(xs)])
    out = np.zeros(clip.sprite_mask.shape, bool)
    for t in range(len(out)):
        x, y, _ = np.einsum("ij,jhw->ihw", np.linalg.inv(camera[t]), grid)
        outside = (x < 0) | (x >= size) | (y < 0) | (y >= size)
        hidden = clip.sprite_mask[0][np.clip(y, 0, size - 1).astype(int), np.clip(x, 0, size - 1).astype(int)]
        out[t] = (outside | hidden) & ~clip.sprite_mask[t]
    return out


def vacated_mask(clip: RenderedClip) -> np.ndarray:
    """(T, H, W): where a sprite stood in frame 0 and none stands now (meaningful under a still camera)."""
    return clip.sprite_mask[:1] & ~clip.sprite_mask
