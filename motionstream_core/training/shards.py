"""Clips of the synthetic world as training samples on disk: latents, warp latents, tracks, captions.

Owns the shard files (.npz, one per `SHARD` clips) and the pool that reads them back. A writer may go on while a trainer reads.

Per sample, of a clip of 4k + 1 frames (t = k + 1 latent frames): latents and warp (16, t, h, w) float16, masks (8, t, h, w) uint8 (×255),
xy (T, N, 2) float16, visible (T, N) bool padded to N = `LIMIT`, tokens (16,) int16.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..codec.tiny import TinyCodec
from ..model.text import tokenize
from ..streaming.condition import warp_condition
from ..tracks.carry import PixelCarrier
from .media import load_media
from .selection import mixed
from .world import STYLES, Clip, random_scene, render

SHARD = 32
LIMIT = 256
FIELDS = ("latents", "warp", "masks", "xy", "visible", "tokens")


def frames_tensor(clip: Clip) -> Tensor:
    """(T, 3, H, W) float 0..1."""
    return torch.from_numpy(clip.frames).permute(0, 3, 1, 2).float() / 255


@torch.no_grad()
def make_sample(codec: TinyCodec, clip: Clip, chosen: np.ndarray) -> dict[str, np.ndarray]:
    """One clip and the indices of its tracks -> the arrays of a sample."""
    frames = frames_tensor(clip)
    xy, visible = torch.from_numpy(clip.xy[:, chosen]), torch.from_numpy(clip.visible[:, chosen])
    warp, masks, _ = warp_condition(codec, PixelCarrier(frames[0], xy[0]), xy, visible, codec.start_encode())
    pad = LIMIT - len(chosen)
    return {
        "latents": codec.encode(frames[None])[0].half().numpy(),
        "warp": warp[0].half().numpy(),
        "masks": (masks[0] * 255).round().byte().numpy(),
        "xy": np.pad(xy.numpy(), ((0, 0), (0, pad), (0, 0))).astype(np.float16),
        "visible": np.pad(visible.numpy(), ((0, 0), (0, pad))),
        "tokens": tokenize(clip.caption).numpy().astype(np.int16),
    }


def write_shards(codec: TinyCodec, media: Path, out: Path, seed: int, count: int, style_share: float = 0.2) -> None:
    """Writes `count` shards, each appearing complete or not at all."""
    out.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    pictures, sprites, names, _ = load_media(media)
    for number in range(count):
        samples = []
        for _ in range(SHARD):
            style = str(rng.choice(STYLES)) if rng.random() < style_share else None
            clip = render(random_scene(rng, pictures, sprites, names, style=style), rng)
            samples.append(make_sample(codec, clip, mixed(rng, clip, LIMIT)))
        partial = out / f"{seed:04d}_{number:05d}.partial"
        with partial.open("wb") as file:
            np.savez(file, **{key: np.stack([s[key] for s in samples]) for key in FIELDS})
        os.replace(partial, partial.with_suffix(".npz"))


class Pool:
    """All complete shards below a folder; `refresh` finds new ones; `batch` draws samples at random, the newest shards included."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.shards: dict[str, dict[str, np.ndarray]] = {}
        self.refresh()

    def refresh(self) -> int:
        for path in sorted(self.folder.glob("*.npz")):
            if path.name not in self.shards:
                with np.load(path) as data:
                    self.shards[path.name] = {key: data[key] for key in FIELDS}
        return self.clips

    @property
    def clips(self) -> int:
        return len(self.shards) * SHARD

    def batch(self, rng: np.random.Generator, size: int) -> dict[str, Tensor]:
        """A batch of tensors: floats as float32, masks 0..1."""
        keys = list(self.shards)
        picks = [(keys[rng.integers(len(keys))], int(rng.integers(SHARD))) for _ in range(size)]
        out = {key: torch.from_numpy(np.stack([self.shards[s][key][i] for s, i in picks])) for key in FIELDS}
        return {"latents": out["latents"].float(), "warp": out["warp"].float(), "masks": out["masks"].float() / 255, "xy": out["xy"].float(), "visible": out["visible"],
                "tokens": out["tokens"].long()}
