"""Clips of roaming things as training samples: latents, tracks, captions and where things are, in shards.

Owns what a sample is. A clip has 1 + 4 (t - 1) frames, as every clip of a motion model, but its latents are
those of a running stream: the first one holds the start image four times, behind two cold ones that are left
out.
Per sample: latents (C, t, h, w) float16. xy (T, N, 2) float16 and visible (T, N) bool with N of `Points`,
things' points first. tokens (20,) int16. Things (t, h / 2, w / 2) bool, the tokens that a thing touches.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ...codec.base import CodecState
from ...codec.tiny import TinyCodec
from ..data.shard_files import write_shard
from .drawing import Artist
from .roaming import MOTIONS, PAIRS, STILL_FRAMES, roaming_scene
from .scene import Scene
from .truth import touched, tracks
from .vocabulary import tokenize

SHARD = 32
LATENTS = 7
COLD = STILL_FRAMES // 4
START = STILL_FRAMES - 1  # the frame of a scene that is the start image


class Points(NamedTuple):
    """How many points a clip has: of each thing, and of the land behind them.

    A thing covers some twenty cells of 8 x 8 pixels, so 64 of its points tell almost all of them. A stage
    that keeps from .05 of the tracks (`--keep-tracks .05 1`) is told of 6 to 20 points in an eighth of its
    clips.
    """

    on_things: int = 64
    on_land: int = 64

    @property
    def limit(self) -> int:
        """Points of a sample: those of two things and of the land."""
        return 2 * self.on_things + self.on_land


POINTS = Points()


def clip_frames(latents: int) -> int:
    return 4 * latents - 3


def drawn(scene: Scene, frames: int, size: int = 128) -> np.ndarray:
    """A clip (frames, size, size, 3) uint8: the start image and what follows it."""
    artist = Artist(scene, size)
    return np.stack([artist.frame(START + i) for i in range(frames)])


Start = tuple[Tensor, CodecState]  # the latent of a start image, and the encoder's state behind it


@torch.no_grad()
def still(codec: TinyCodec, picture: np.ndarray) -> Start:
    """A picture (H, W, 3) that has stood still for a while."""
    latents, state = codec.encode_chunk(
        _frames(np.repeat(picture[None], STILL_FRAMES, 0)), codec.start_encode()
    )
    return latents[0, :, COLD:], state


@torch.no_grad()
def encoded(codec: TinyCodec, frames: np.ndarray, start: Start | None = None) -> Tensor:
    """Frames (T, H, W, 3) uint8, T = 1 + 4 k, as latents (C, 1 + k, h, w) of a running stream.

    start: `still` of the first frame, where somebody has it.
    """
    latent, state = start or still(codec, frames[0])
    behind, _ = codec.encode_chunk(_frames(frames[1:]), state)
    return torch.cat([latent, behind[0]], 1)


def _frames(frames: np.ndarray) -> Tensor:
    return torch.from_numpy(frames).permute(0, 3, 1, 2)[None].float() / 255


def ordered_tracks(
    scene: Scene, frames: int, rng: np.random.Generator, points: Points = POINTS
) -> tuple[np.ndarray, np.ndarray]:
    """xy (T, N, 2) and visible (T, N), the points of things before those of the land, both padded to the
    limit of `points`.
    """
    paths = tracks(scene, frames, rng, start=START, on_things=points.on_things, on_land=points.on_land)
    order = np.argsort(paths.depth < 0, kind="stable")
    pad = points.limit - len(order)
    xy, seen = paths.xy[:, order], paths.visible[:, order]
    return np.pad(xy, ((0, 0), (0, pad), (0, 0))), np.pad(seen, ((0, 0), (0, pad)))


def sample_of(
    codec: TinyCodec,
    scene: Scene,
    rng: np.random.Generator,
    latents: int = LATENTS,
    start: Start | None = None,
    points: Points = POINTS,
) -> dict:
    """The arrays of one scene.

    Args:
        codec: makes the latents.
        scene: what is drawn.
        rng: draws the points.
        latents: latent frames of the clip.
        start: as in `encoded`.
        points: how many.
    """
    frames = clip_frames(latents)
    xy, visible = ordered_tracks(scene, frames, rng, points)
    behind = touched(scene, latents - 1, start=START + 1)
    first = touched(scene, 1, start=START, stride=1)
    return {
        "latents": encoded(codec, drawn(scene, frames), start).half().numpy(),
        "xy": xy.astype(np.float16),
        "visible": visible,
        "tokens": tokenize(scene.caption).astype(np.int16),
        "things": np.concatenate([first, behind]),
    }


def write_motion_shards(
    codec: TinyCodec,
    out: Path,
    first: int,
    count: int,
    *,
    held_out: bool = False,
    latents: int = LATENTS,
    bf16: bool = False,
    pairs: float = PAIRS,
    motions: int = MOTIONS,
    points: Points = POINTS,
) -> None:
    """Writes shards `first` to `first + count - 1`. Those there already are kept. Each appears whole or not
    at all.

    Args:
        codec: makes the latents.
        out: folder of the shards.
        first: number of the first one.
        count: how many.
        held_out: of scenes that no training sees.
        latents: latent frames of a clip.
        bf16: encodes in bfloat16, which is off by a hundredth of the latents' spread and twice as fast on a
            CPU that has it.
        pairs: share of the scenes with a second thing.
        motions: scenes with one start image.
        points: how many a clip has.
    """
    out.mkdir(parents=True, exist_ok=True)
    for number in range(first, first + count):
        path = out / f"{number:05d}.npz"
        if path.exists():
            continue
        indices = range(number * SHARD, (number + 1) * SHARD)
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            scenes = (
                roaming_scene(index, held_out=held_out, pairs=pairs, motions=motions) for index in indices
            )
            write_shard(path, list(_samples(codec, zip(indices, scenes), held_out, latents, motions, points)))


def _samples(
    codec: TinyCodec,
    scenes: Iterable[tuple[int, Scene]],
    held_out: bool,
    latents: int,
    motions: int,
    points: Points,
) -> Iterator[dict]:
    start = None
    for index, scene in scenes:
        if start is None or index % motions == 0:
            start = still(codec, drawn(scene, 1)[0])
        yield sample_of(codec, scene, np.random.default_rng([8 + held_out, index]), latents, start, points)
