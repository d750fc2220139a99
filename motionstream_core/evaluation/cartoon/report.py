"""`evaluate cartoon`: what the built-in text-to-video model makes of the first held-out prompts.

Owns which measures there are and their definitions. Shares are 0..1. Everything is asked of the moving buffer
as the file's own settings run it.

judge_accuracy: the judge on true held-out clips through the codec, the mean of its seven questions.
found, prompt_colour: clips whose thing is seen, and seen in the prompt's colour. By closed form.
prompt_kind, prompt_scene: by the judge. The scene is the mean of place, time, weather and camera.
prompt_direction: of the prompts whose thing moves, clips that move that way. By closed form.
frechet: distance of the clips to true ones in the judge's features. frechet_floor: of true ones to others.
drift: of a long conveyor's last ten seconds against its first ten, the largest change of the shares found,
in the right colour and doing what was asked, and of the sharpness.
seam: how much frames change where chunks meet, over how much they change within.
switch_share: conveyors that show another colour once the prompt asks for it. switch_seconds: until then.
t2v_fps: frames a second of one conveyor on one core by CPU time, decoding included.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...codec.tiny import TinyCodec
from ...model.config import BufferConfig
from ...training.cartoon.export import read
from ...training.cartoon.network import Cartoon
from ...training.cartoon.sampling import BUFFER, conveyor, decoded, noise, start_buffer, trajectory
from ...training.cartoon.scene import FPS, REDUCED, Scene
from ...training.cartoon.vocabulary import tokenize
from .counters import verdict
from .drift import WINDOW, measured
from .judge import accuracy
from .judging import agreement, load_judge, looks_of, truth_of, well_seen
from .sheet import counts, prompts, true_clips

SCENE = ("place", "time", "weather", "camera")
MOVING = ("moves left", "moves right", "flies up")
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Streams:
    """A file's network on the buffer, as its settings run it."""

    net: Cartoon
    codec: TinyCodec
    config: BufferConfig

    @staticmethod
    def of(path: Path) -> Streams:
        net, codec = read(path)
        if not isinstance(net.config.sampler, BufferConfig):
            raise ValueError(f"{path.name}: expected a model of the moving buffer, got another one")
        return Streams(net, codec, net.config.sampler)

    def begin(self, ids: Tensor, seed: int) -> tuple[Tensor, Tensor]:
        """Whole clips (B, C, 8, H, W) from noise, and the buffers that conveyors start from."""
        states = trajectory(
            self.net, noise(len(ids), BUFFER, seed), ids, self.config.steps, self.config.guidance
        )
        return states[-1], start_buffer(states, self.config.chunks, self.config.chunk_frames)

    def go(self, buffer: Tensor, ids: Tensor, seed: int = 1) -> Iterator[Tensor]:
        """Chunks of clean latents. ids may be changed in place between two of them."""
        config = self.config
        return conveyor(
            self.net,
            buffer,
            ids,
            size=config.chunk_frames,
            micro=config.micro_steps,
            scale=config.guidance,
            seed=seed,
        )


def frechet(a: Tensor, b: Tensor) -> float:
    """The distance of two normal distributions fitted to features (N, D)."""
    a, b = a.double(), b.double()
    first, second = torch.cov(a.T), torch.cov(b.T)
    values, vectors = torch.linalg.eigh(first)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    both = torch.linalg.eigvalsh(root @ second @ root).clamp(min=0).sqrt().sum()
    return float((a.mean(0) - b.mean(0)).square().sum() + first.trace() + second.trace() - 2 * both)


def seam(frames: np.ndarray, chunk: int) -> float:
    """The change between frames (N, T, H, W, 3) where a chunk of `chunk` frames ends, over that within."""
    change = np.abs(np.diff(frames.astype(np.float32), axis=1)).mean((0, 2, 3, 4))
    joint = np.arange(1, len(change) + 1) % chunk == 0
    return float(change[joint].mean() / change[~joint].mean())


def recoloured(scene: Scene) -> Scene:
    """The scene with its thing in the next colour."""
    thing = scene.things[-1]
    colours = REDUCED.colours
    other = colours[(colours.index(thing.colour) + 1) % len(colours)]
    return replace(scene, things=(*scene.things[:-1], replace(thing, colour=other)))


def switched(streams: Streams, buffer: Tensor, ids: Tensor, scenes: list[Scene], wait: int) -> dict:
    """Another colour is asked for after two emissions: who shows it in `wait` seconds, and after how long."""
    ids, after = ids.clone(), [recoloured(scene) for scene in scenes]
    going = streams.go(buffer, ids)
    for _ in range(2):
        next(going)
    ids.copy_(torch.from_numpy(np.stack([tokenize(scene.caption) for scene in after])))
    count = wait * FPS // (4 * streams.config.chunk_frames)
    frames = decoded(streams.codec, torch.cat(list(islice(going, count)), 2)).numpy()
    shown = []
    for scene, clip in zip(after, frames):
        for second in range(wait):
            part = clip[second * FPS : (second + 1) * FPS]
            if verdict(part, scene.place, scene.time).colour == scene.things[-1].colour:
                shown.append(second + 1)
                break
    return {
        "switch_share": len(shown) / len(scenes),
        "switch_seconds": float(np.mean(shown)) if shown else None,
    }


def speed(streams: Streams, buffer: Tensor, ids: Tensor, emissions: int = 6) -> float:
    """Frames a CPU second of one conveyor, decoding included."""
    going = streams.go(buffer[:1], ids[:1])
    next(going)
    began = time.process_time()
    latents = torch.cat(list(islice(going, emissions)), 2)
    decoded(streams.codec, latents)
    return 4 * latents.shape[2] / (time.process_time() - began)


def long_run(streams: Streams, buffer: Tensor, ids: Tensor, scenes: list[Scene], seconds: int, judge: Path):
    """The drift of conveyors of so many seconds, what was measured at both ends, and the seam."""
    chunk = 4 * streams.config.chunk_frames
    latents = torch.cat(list(islice(streams.go(buffer, ids), seconds * FPS // chunk)), 2)
    part = WINDOW * FPS // 4
    ends = [decoded(streams.codec, latents[:, :, at]).numpy() for at in (slice(part), slice(-part, None))]
    first, last = (measured(frames, scenes, judge) for frames in ends)
    changes = [abs(last[name] - first[name]) for name in ("found", "colour", "verb")]
    changes.append(abs(last["sharpness"] / first["sharpness"] - 1))
    return {"drift": max(changes), "drift_first": first, "drift_last": last, "seam": seam(ends[0], chunk)}


@torch.no_grad()
def evaluate_streams(
    path: Path, judge_path: Path, *, count: int = 32, few: int = 6, seconds: int = 60, tell: Tell = print
) -> dict:
    """The measures of a file. `few` conveyors run long, and are asked for another colour."""
    streams, judge = Streams.of(path), load_judge(judge_path)
    scenes, ids = prompts(2 * count)
    tell("cartoon: true clips")
    real = true_clips(scenes, streams.codec, BUFFER)
    seen = [i for i, scene in enumerate(scenes) if well_seen(scene, start=5)]
    right = accuracy(judge, looks_of(real[seen]), truth_of([scenes[i] for i in seen]))
    tell(f"cartoon: {count} clips from noise")
    begun = [streams.begin(ids[at : min(at + 8, count)], at) for at in range(0, count, 8)]
    clips = decoded(streams.codec, torch.cat([clip for clip, _ in begun])).numpy()
    asked = scenes[:count]
    counted, agreed = counts(asked, clips), agreement(judge, clips, asked)
    by_verb = [counted["by_verb"][verb] for verb in MOVING]
    features = [judge.features(looks_of(part)) for part in (clips, real[:count], real[count:])]
    result = {
        "judge_accuracy": float(np.mean(list(right.values()))),
        "found": counted["found"] / count,
        "prompt_colour": counted["colour"] / count,
        "prompt_kind": agreed["kind"] / count,
        "prompt_direction": sum(hit for hit, _ in by_verb) / max(1, sum(of for _, of in by_verb)),
        "prompt_scene": float(np.mean([agreed[name] for name in SCENE])) / count,
        "frechet": frechet(features[0], features[1]),
        "frechet_floor": frechet(features[2], features[1]),
        "ceiling": {name: counts(asked, real[:count])[name] / count for name in ("found", "colour", "verb")},
    }
    buffer = torch.cat([start for _, start in begun])[:few]
    tell(f"cartoon: {few} conveyors of {seconds} s")
    result |= long_run(streams, buffer, ids[:few], asked[:few], seconds, judge_path)
    result |= switched(streams, buffer, ids[:few], asked[:few], wait=6)
    return result | {"t2v_fps": speed(streams, buffer, ids)}
