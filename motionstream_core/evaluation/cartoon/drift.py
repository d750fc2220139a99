"""How much a long conveyor changes: counts and sharpness of its last seconds against its first.

`python -m motionstream_core.evaluation.cartoon.drift WEIGHTS CODEC OUT` writes OUT, one JSON object. The
prompts are the first held-out ones, as on the sheets.
"""

from __future__ import annotations

import argparse
import json
import time
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from ...training.cartoon.sampling import BUFFER, conveyor, decoded, noise, start_buffer, trajectory
from ...training.cartoon.scene import FPS, Scene
from .judging import agreement, load_judge
from .sheet import counts, load, prompts

WINDOW = 10  # seconds that are compared


def sharpness(frames: np.ndarray) -> float:
    """The mean absolute difference of neighbouring pixels of frames (..., H, W, 3), in levels of 255."""
    wide = frames.astype(np.float32)
    down, across = np.abs(np.diff(wide, axis=-3)).mean(), np.abs(np.diff(wide, axis=-2)).mean()
    return float(down + across) / 2


def measured(frames: np.ndarray, scenes: list[Scene], judge: Path | None) -> dict:
    """What windows (N, T, H, W, 3) show in pieces of two seconds, by closed form and by the judge."""
    pieces = np.concatenate(np.split(frames, frames.shape[1] // (2 * FPS), 1))
    many = scenes * (frames.shape[1] // (2 * FPS))
    seen = counts(many, pieces)
    out = {name: round(seen[name] / len(many), 4) for name in ("found", "colour", "verb")}
    if judge is not None:
        agreed = agreement(load_judge(judge), pieces, many)
        out |= {f"judge_{name}": round(count / len(many), 4) for name, count in agreed.items()}
    mean = frames.reshape(len(frames), -1, 3).mean((0, 1))
    return out | {"sharpness": round(sharpness(frames), 4), "colour_mean": [round(float(v), 2) for v in mean]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("weights", "codec", "out"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--streams", type=int, default=8)
    parser.add_argument("--steps", type=int, default=4, help="of the start; a multiple of the 4 chunks")
    parser.add_argument("--micro", type=int, default=1)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--judge", type=Path)
    parser.add_argument("--bf16", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    net, codec = load(options.weights, options.codec)
    net.bf16 = options.bf16
    scenes, ids = prompts(options.streams)
    states = trajectory(net, noise(len(ids), BUFFER, 0), ids, options.steps, options.scale)
    emissions = options.seconds * FPS // 8
    stream = conveyor(
        net, start_buffer(states, 4, 2), ids, size=2, micro=options.micro, scale=options.scale, seed=1
    )
    began = time.process_time()
    latents = torch.cat(list(islice(stream, emissions)), 2)
    spent = time.process_time() - began
    part = WINDOW * FPS // 4
    first, last = (
        decoded(codec, latents[:, :, piece]).numpy() for piece in (slice(0, part), slice(-part, None))
    )
    result = {
        "seconds": options.seconds,
        "streams": options.streams,
        "network_cpu_s_per_emission": round(spent / emissions / options.streams, 4),
        "first": measured(first, scenes, options.judge),
        "last": measured(last, scenes, options.judge),
    }
    options.out.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
