"""Contact sheets of the first held-out prompts, nothing picked, and the counts of what they show.

`python -m motionstream_core.evaluation.cartoon.sheet WEIGHTS CODEC OUT` writes t2v.png, stream.png and
counts.json. WEIGHTS is the state of a run (its average is taken) or a file of weights, CODEC the codec's
weights or a file that holds one. A student of one evaluation a chunk: `--steps 4 --micro 1 --scale 1`.
"""

from __future__ import annotations

import argparse
import json
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from ...codec.tiny import TinyCodec
from ...model.weights.bundle import FORMAT
from ...training.cartoon.drawing import render
from ...training.cartoon.export import read
from ...training.cartoon.network import Cartoon
from ...training.cartoon.run import averages
from ...training.cartoon.sampling import BUFFER, conveyor, decoded, noise, start_buffer, trajectory
from ...training.cartoon.scene import Scene, numbered_scene
from ...training.cartoon.vocabulary import tokenize
from .counters import verdict
from .judging import agreement, load_judge

FIRST = 100_000  # the number of the first prompt: beyond the held-out clips that losses are measured on


def prompts(count: int) -> tuple[list[Scene], torch.Tensor]:
    scenes = [numbered_scene(FIRST + i, held_out=True) for i in range(count)]
    return scenes, torch.from_numpy(np.stack([tokenize(scene.caption) for scene in scenes]))


def counts(scenes: list[Scene], clips: np.ndarray) -> dict:
    """Shares of clips (N, T, H, W, 3) that show what their scene says."""
    seen = [verdict(clip, scene.place, scene.time) for scene, clip in zip(scenes, clips)]
    things = [scene.things[0] for scene in scenes]
    found = [v.colour is not None for v in seen]
    sideways = [(v, t) for v, t in zip(seen, things) if t.verb in ("moves left", "moves right")]
    moved = [(v, t) for v, t in sideways if v.verb in ("moves left", "moves right")]
    by_verb = {
        verb: [
            sum(v.verb == verb for v, t in zip(seen, things) if t.verb == verb),
            sum(t.verb == verb for t in things),
        ]
        for verb in ("moves left", "moves right", "flies up", "stays")
    }
    return {
        "clips": len(scenes),
        "found": sum(found),
        "colour": sum(v.colour == t.colour for v, t in zip(seen, things)),
        "verb": sum(v.verb == t.verb for v, t in zip(seen, things)),
        "sideways": len(sideways),
        "moved": len(moved),
        "sign": sum(v.verb == t.verb for v, t in moved),
        "by_verb": by_verb,
    }


def true_clips(scenes: list[Scene], codec: TinyCodec, latents: int) -> np.ndarray:
    """The scenes themselves through the codec, as frames of the same length: the ceiling of the counts."""
    out = []
    with torch.no_grad():
        for scene in scenes:
            clip = (
                torch.from_numpy(render(scene, 1 + 4 * (latents + 1))).permute(0, 3, 1, 2)[None].float() / 255
            )
            out.append(
                (codec.decode(codec.encode(clip))[0, 5:] * 255).round().byte().permute(0, 2, 3, 1).numpy()
            )
    return np.stack(out)


def sheet(clips: np.ndarray, path: Path, every: int, scenes: list[Scene], columns: int = 1) -> None:
    """One strip a clip, every so many frames, with its caption above."""
    strips = []
    for clip, scene in zip(clips, scenes):
        strip = np.concatenate(list(clip[::every]), 1)
        head = np.full((14, strip.shape[1], 3), 255, np.uint8)
        text = scene.caption.replace(" clear camera still", "")
        cv2.putText(head, text, (2, 11), cv2.FONT_HERSHEY_SIMPLEX, 0.36, (0, 0, 0), 1, cv2.LINE_AA)
        strips.append(np.concatenate([head, strip]))
    rows = -(-len(strips) // columns)
    strips += [np.full_like(strips[0], 255)] * (rows * columns - len(strips))
    picture = np.concatenate([np.concatenate(strips[c * rows : (c + 1) * rows]) for c in range(columns)], 1)
    cv2.imwrite(str(path), picture[:, :, ::-1])


def load(weights: Path, codec: Path) -> tuple[Cartoon, TinyCodec]:
    return load_network(weights), load_codec(codec)


def load_network(path: Path) -> Cartoon:
    """Of a file with a header of ours, of a run's state, or of plain weights."""
    if is_bundle(path):
        return read(path)[0]
    net, stored = Cartoon(), load_file(path)
    net.load_state_dict(averages(path) if any(key.startswith("average.") for key in stored) else stored)
    return net.eval()


def load_codec(path: Path) -> TinyCodec:
    if is_bundle(path):
        return read(path)[1]
    codec = TinyCodec()
    codec.load_state_dict(load_file(path))
    return codec.eval()


def is_bundle(path: Path) -> bool:
    with safe_open(path, "pt") as file:
        return FORMAT in (file.metadata() or {})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("weights", "codec", "out"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--count", type=int, default=32)
    parser.add_argument("--steps", type=int, default=16)
    parser.add_argument("--scale", type=float, default=2.5)
    parser.add_argument("--micro", type=int, default=4, help="steps of a slot on the conveyor")
    parser.add_argument("--bf16", action="store_true", help="matrix products in bfloat16")
    parser.add_argument("--emissions", type=int, default=0)
    parser.add_argument("--streams", type=int, default=6)
    parser.add_argument("--judge", type=Path)
    parser.add_argument("--ceiling", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    net, codec = load(options.weights, options.codec)
    net.bf16 = options.bf16
    scenes, ids = prompts(options.count)
    made, starts = [], []
    for at in range(0, options.count, 8):
        states = trajectory(
            net, noise(len(ids[at : at + 8]), BUFFER, at), ids[at : at + 8], options.steps, options.scale
        )
        made.append(states[-1])
        starts.append(start_buffer(states, 4, 2))
    clips = decoded(codec, torch.cat(made)).numpy()
    sheet(clips, options.out / "t2v.png", 4, scenes, 2)
    result = {"t2v": counts(scenes, clips)}
    if options.emissions:
        few = slice(0, options.streams)
        stream = conveyor(
            net, torch.cat(starts)[few], ids[few], size=2, micro=options.micro, scale=options.scale, seed=1
        )
        latents = torch.cat(list(islice(stream, options.emissions)), 2)
        frames = decoded(codec, latents).numpy()
        sheet(frames, options.out / "stream.png", 8, scenes[few])
        result["stream"] = counts(scenes[few], frames)
    if options.ceiling:
        result["ceiling"] = counts(scenes, true_clips(scenes, codec, BUFFER))
    if options.judge:
        judge = load_judge(options.judge)
        result["judge"] = agreement(judge, clips, scenes)
        if options.emissions:
            result["judge_stream"] = agreement(judge, frames[:, -32:], scenes[few])
    (options.out / "counts.json").write_text(json.dumps(result, indent=1))
    print(json.dumps(result))


if __name__ == "__main__":
    main()
