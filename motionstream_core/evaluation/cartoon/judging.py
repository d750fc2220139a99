"""Trains the judge on drawn clips, and measures it on held-out ones as the codec gives them back.

Owns the lots of clips and the blur that stands for the codec in training. Only clips whose thing is well seen
count, in both.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import cv2
import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from ...model.packed import pack_state, unpack_state
from ...training.cartoon.drawing import Artist
from ...training.cartoon.scene import Scene, numbered_scene
from ...training.cartoon.truth import boxes
from .judge import LOOKS, QUESTIONS, SIDE, Judge, answers, judge_loss, looks

FRAMES = 32
TRAINING, HELD_OUT = 1_000_000, 200_000  # first numbers of the judge's scenes: no network was trained on them


def well_seen(scene: Scene, start: int = 0) -> bool:
    """Whether at least half of the thing is in the picture in most of the looks."""
    box = boxes(scene, FRAMES, start=start, size=1)[:, -1]
    inner = box.clip(0, 1)
    share = np.prod(inner[:, 2:] - inner[:, :2], 1) / np.prod(box[:, 2:] - box[:, :2], 1)
    return bool((share > 0.5).mean() > 0.6)


def lots(first: int, *, held_out: bool) -> Iterator[Scene]:
    """Scenes by number whose thing is well seen."""
    return (
        scene for scene in (numbered_scene(first + i, held_out=held_out) for i in count()) if well_seen(scene)
    )


def drawn(scene: Scene, rng: np.random.Generator) -> np.ndarray:
    """The looks of a scene (LOOKS, SIDE, SIDE, 3) uint8, blurred a little or not."""
    artist = Artist(scene, 2 * SIDE)
    frames = [artist.frame(int(round(n))) for n in np.linspace(0, FRAMES - 1, LOOKS)]
    sigma = float(rng.uniform(0, 1.6))
    if sigma > 0.4:
        frames = [cv2.GaussianBlur(frame, (0, 0), sigma) for frame in frames]
    return np.stack([cv2.resize(frame, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for frame in frames])


def truth_of(scenes: list[Scene]) -> dict[str, Tensor]:
    rows = [answers(scene) for scene in scenes]
    return {question: torch.tensor([row[question] for row in rows]) for question in QUESTIONS}


def train(
    judge: Judge,
    steps: int,
    *,
    batch: int = 48,
    lr: float = 2e-3,
    tell: Callable[[int, float], None] | None = None,
) -> None:
    """Adam with a falling rate. Every scene is new."""
    optimizer = torch.optim.AdamW(judge.parameters(), lr=lr, weight_decay=1e-3)
    source, rng = lots(TRAINING, held_out=False), np.random.default_rng(0)
    judge.train()
    for step in range(steps):
        scenes = [next(source) for _ in range(batch)]
        seen = (
            torch.from_numpy(np.stack([drawn(scene, rng) for scene in scenes])).permute(0, 1, 4, 2, 3).float()
            / 255
            - 0.5
        )
        seen = seen + 0.02 * torch.randn(seen.shape, generator=torch.Generator().manual_seed(step))
        for group in optimizer.param_groups:
            group["lr"] = lr * min(1.0, 2 * (1 - step / steps) + 0.02)
        loss = judge_loss(judge, seen, truth_of(scenes))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        if tell and step % 50 == 0:
            tell(step, float(loss.detach()))
    judge.eval()


def looks_of(clips: np.ndarray) -> Tensor:
    """Looks of clips (N, T, H, W, 3) uint8."""
    return looks(torch.from_numpy(clips).permute(0, 1, 4, 2, 3).float() / 255)


@torch.no_grad()
def agreement(judge: Judge, clips: np.ndarray, scenes: list[Scene]) -> dict[str, int]:
    """Of clips (N, T, H, W, 3) uint8, how many show each thing that their scenes say, as the judge sees
    it.
    """
    said, truth = judge(looks_of(clips)), truth_of(scenes)
    return {name: int((said[name].argmax(1) == truth[name]).sum()) for name in QUESTIONS}


def save_judge(path: Path, judge: Judge, accuracy: dict[str, float]) -> None:
    """The judge at one byte a number, with its accuracy in the metadata."""
    save_file(pack_state(judge.state_dict()), path, {"format": "pt", "accuracy": json.dumps(accuracy)})


def load_judge(path: Path) -> Judge:
    judge = Judge()
    judge.load_state_dict(unpack_state(load_file(path)))
    return judge.eval()
