"""Cached clips of the cartoon world: latents, the tokens of things, token ids, in one file for every 64
scenes.

Owns the files. Latents are those of a running stream: the two groups at a clip's cold start are left out.
A part: latents (N, C, 12, 16, 16) float16. things (N, 12, 8, 8) bool. ids (N, 20) int64. Scenes as JSON in
the metadata.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from ...codec.tiny import TinyCodec
from .drawing import render
from .scene import numbered_scene
from .truth import touched
from .vocabulary import tokenize

PART = 64
LATENTS, COLD = 12, 2  # latents kept of a clip, and left out before them
FIRST = 1 + 4 * (COLD - 1)  # the first frame of the first latent kept


@torch.no_grad()
def make_part(folder: Path, codec: TinyCodec, number: int, *, held_out: bool = False) -> Path:
    """Renders and encodes part `number`, unless it is there already."""
    path = folder / f"{'held' if held_out else 'part'}-{number:05d}.safetensors"
    if path.exists():
        return path
    scenes = [numbered_scene(number * PART + i, held_out=held_out) for i in range(PART)]
    latents, things = [], []
    for scene in scenes:
        frames = render(scene, 1 + 4 * (LATENTS + COLD - 1))
        clip = torch.from_numpy(frames).permute(0, 3, 1, 2)[None].float() / 255
        latents.append(codec.encode(clip)[0, :, COLD:].half())
        things.append(torch.from_numpy(touched(scene, LATENTS, start=FIRST)))
    ids = torch.from_numpy(np.stack([tokenize(scene.caption) for scene in scenes]))
    tensors = {"latents": torch.stack(latents).contiguous(), "things": torch.stack(things), "ids": ids}
    part = path.with_suffix(f".{os.getpid()}.tmp")
    save_file(tensors, part, {"scenes": json.dumps([scene.as_dict() for scene in scenes])})
    os.replace(part, path)
    return path


class Clips:
    """The clips of a folder in memory, those that are still being made too once `refresh` is called."""

    def __init__(self, folder: Path, held_out: bool = False):
        self.folder, self.pattern = folder, "held-*.safetensors" if held_out else "part-*.safetensors"
        self.known: set[Path] = set()
        self.latents: list[Tensor] = []
        self.things: list[Tensor] = []
        self.ids: list[Tensor] = []
        self.refresh()

    def __len__(self) -> int:
        return len(self.latents)

    def refresh(self) -> int:
        """Reads what is new. The number of clips afterwards."""
        for path in sorted(set(self.folder.glob(self.pattern)) - self.known):
            with safe_open(path, "pt") as file:
                for name in ("latents", "things", "ids"):
                    getattr(self, name).extend(file.get_tensor(name).clone().unbind())
            self.known.add(path)
        return len(self)

    def draw(self, rng: np.random.Generator, count: int, frames: int) -> tuple[Tensor, Tensor, Tensor]:
        """Windows by lot: latents (B, C, T, H, W), weights' mask (B, 1, T, H, W) and ids (B, 20)."""
        chosen = rng.integers(len(self), size=count)
        starts = rng.integers(LATENTS - frames + 1, size=count)
        return self.windows(chosen, starts, frames)

    def windows(self, chosen: np.ndarray, starts: np.ndarray, frames: int) -> tuple[Tensor, Tensor, Tensor]:
        latents = torch.stack([self.latents[i][:, s : s + frames] for i, s in zip(chosen, starts)]).float()
        mask = torch.stack([self.things[i][s : s + frames] for i, s in zip(chosen, starts)])[:, None].float()
        mask = mask.repeat_interleave(2, -1).repeat_interleave(2, -2)
        return latents, mask, torch.stack([self.ids[i] for i in chosen])
