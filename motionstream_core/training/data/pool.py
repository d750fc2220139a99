"""Training samples from disk: drawn at random, or every one once an epoch in an order that can be gone on
with.

Owns which sample comes next and how samples become a batch. Nothing but the batch is held in memory: shards
are read sample by sample.
Writers may go on while a trainer reads.

A batch is a dict of tensors with B in front: latents (B, C, t, h, w), warp and masks where the preset uses
them, xy (B, T, N, 2), visible (B, T, N), tokens (B, 16), and where the shards have them text (B, L,
text_dim), unspecified (B, T, N) and caption (B, 512) (bytes, see `caption_text`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from .shard_files import ShardFile

CAPTION_BYTES = 512
NEEDED = ("latents", "xy", "visible", "tokens")


class Pool:
    """All complete shards of a folder. `refresh` finds new ones. `batch` draws samples at random, each as
    likely as any other.

    `fields`: what every shard must have. The first shard says which fields are read. ValueError for one that
    lacks any or differs in shape.
    """

    def __init__(self, folder: Path, fields: Sequence[str] = NEEDED):
        self.folder, self.needed = Path(folder), tuple(fields)
        if not self.folder.is_dir():
            raise ValueError(f"data: expected a folder of shards, got {folder}, which is none")
        self.shards: dict[str, ShardFile] = {}
        self.refresh()

    def refresh(self) -> int:
        """Takes up the shards written since -> number of clips."""
        for path in sorted(self.folder.glob("*.npz")):
            if path.name not in self.shards:
                self.shards[path.name] = self._checked(ShardFile(path))
        return self.clips

    def _checked(self, shard: ShardFile) -> ShardFile:
        missing = [name for name in self.needed if name not in shard.fields]
        if missing:
            raise ValueError(
                f"{shard.path.name}: expected fields {', '.join(self.needed)}, got a shard without "
                f"{', '.join(missing)}"
            )
        like = next(iter(self.shards.values()), shard)
        shapes = {name: shard.fields[name].shape if name in shard.fields else None for name in like.fields}
        if shapes != like.shapes:
            raise ValueError(
                f"{shard.path.name}: expected the fields and shapes of {like.path.name}, {like.shapes}, "
                f"got {shapes}"
            )
        return shard

    @property
    def clips(self) -> int:
        return sum(shard.rows for shard in self.shards.values())

    def names(self) -> list[str]:
        return list(self.shards)

    def batch(self, rng: np.random.Generator, size: int) -> dict[str, Tensor]:
        """`size` samples drawn with replacement. The same rng and shards give the same batch."""
        index = Index(self, self.names())
        return self.read([index.at(int(number)) for number in rng.integers(index.clips, size=size)])

    def read(self, picks: Sequence[tuple[str, int]]) -> dict[str, Tensor]:
        """The samples (shard name, row) as a batch."""
        fields = next(iter(self.shards.values())).shapes
        return collate([self.shards[name].row(row, fields) for name, row in picks])


class Index:
    """A fixed list of a pool's shards, and where its n-th clip lies."""

    def __init__(self, pool: Pool, names: Sequence[str]):
        self.names, self.rows = list(names), [pool.shards[name].rows for name in names]
        self.ends = np.cumsum(self.rows, dtype=np.int64)
        self.clips = int(self.ends[-1]) if self.rows else 0
        if not self.clips:
            raise ValueError(f"data: expected shards (*.npz) in {pool.folder}, got none")

    def at(self, number: int) -> tuple[str, int]:
        shard = int(np.searchsorted(self.ends, number, side="right"))
        return self.names[shard], number - int(self.ends[shard]) + self.rows[shard]


class Epochs:
    """Every clip once an epoch, in an order of the seed. `batch` has the pool's signature. Its rng is not
    used, for the order is settled.

    With `world` processes of the same size of batch, each takes its part of one common batch: together they
    see what one process with a batch `world` times as large would see, and a run may go on with another
    number of processes. New shards join at the next epoch. Under torch.distributed all processes take the
    list of process 0.
    """

    def __init__(self, pool: Pool, seed: int = 0, rank: int = 0, world: int = 1):
        if not 0 <= rank < world:
            raise ValueError(f"data: expected a rank below the number of processes {world}, got {rank}")
        self.pool, self.seed, self.rank, self.world = pool, seed, rank, world
        self._begin(0, self._agreed())

    def batch(self, rng: np.random.Generator | None, size: int) -> dict[str, Tensor]:
        """The next `size` samples of this process."""
        picks = [self._next() for _ in range(size * self.world)]
        return self.pool.read(picks[self.rank * size : (self.rank + 1) * size])

    def state_dict(self) -> dict[str, Any]:
        """Plain JSON values. The same in every process."""
        return {
            "seed": self.seed,
            "epoch": self.epoch,
            "position": self.position,
            "shards": dict(zip(self.index.names, self.index.rows)),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on where the state was taken. ValueError when a shard of that epoch is gone or another."""
        self.pool.refresh()
        for name, rows in state["shards"].items():
            got = self.pool.shards[name].rows if name in self.pool.shards else "none"
            if got != rows:
                raise ValueError(
                    f"data: expected the shard {name} with {rows} clips in {self.pool.folder} to go on, "
                    f"got {got}"
                )
        self.seed = state["seed"]
        self._begin(state["epoch"], list(state["shards"]))
        self.position = state["position"]

    def _next(self) -> tuple[str, int]:
        if self.position == self.index.clips:
            self._begin(self.epoch + 1, self._agreed())
        self.position += 1
        return self.index.at(int(self.order[self.position - 1]))

    def _begin(self, epoch: int, names: list[str]) -> None:
        self.epoch, self.position, self.index = epoch, 0, Index(self.pool, names)
        self.order = np.random.default_rng([self.seed, epoch]).permutation(self.index.clips)

    def _agreed(self) -> list[str]:
        self.pool.refresh()
        names: list = [self.pool.names()]
        if dist.is_available() and dist.is_initialized():
            dist.broadcast_object_list(names)
            absent = sorted(set(names[0]) - set(self.pool.shards))
            if absent:
                raise ValueError(
                    f"data: expected the shards of process 0 in {self.pool.folder}, got none called "
                    f"{absent[0]}"
                )
        return names[0]


def collate(samples: Sequence[dict[str, np.ndarray]]) -> dict[str, Tensor]:
    """Samples as they are on disk -> a batch: floats as float32, masks 0..1, tokens int64."""
    out = {name: torch.from_numpy(np.stack([sample[name] for sample in samples])) for name in samples[0]}
    for name, value in out.items():
        if value.dtype == torch.float16:
            out[name] = value.float()
    if "masks" in out:
        out["masks"] = out["masks"].float() / 255
    return out | ({"tokens": out["tokens"].long()} if "tokens" in out else {})


def caption_bytes(text: str) -> np.ndarray:
    """A caption as (512,) uint8: UTF-8, cut between two characters where it is too long, padded with
    zeros.
    """
    data = text.encode()[:CAPTION_BYTES].decode(errors="ignore").encode()
    return np.frombuffer(data.ljust(CAPTION_BYTES, b"\0"), np.uint8).copy()


def caption_text(row: Tensor | np.ndarray) -> str:
    """The caption of one sample."""
    return bytes(np.asarray(row, np.uint8)).rstrip(b"\0").decode()
