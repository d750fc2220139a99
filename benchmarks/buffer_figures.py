"""What the streams of `bench_buffer.py` show: the measures of `evaluate cartoon`, on pieces of two seconds.

Shapes: frames (B, T, H, W, 3) uint8, one stream a prompt.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from motionstream_core.codec.base import CodecState
from motionstream_core.codec.tiny import TinyCodec
from motionstream_core.evaluation.cartoon.drift import sharpness
from motionstream_core.evaluation.cartoon.judging import agreement, load_judge, looks_of
from motionstream_core.evaluation.cartoon.report import MOVING, SCENE, frechet, seam
from motionstream_core.evaluation.cartoon.sheet import counts
from motionstream_core.training.cartoon.drawing import render
from motionstream_core.training.cartoon.scene import FPS, Scene

PIECE = 2 * FPS


def frames_of(codec: TinyCodec, chunks: Iterable[Tensor], *, bf16: bool = False) -> np.ndarray:
    """Decoded chunks, as a running stream decodes them."""
    state: CodecState = codec.start_decode()
    parts = []
    for latents in chunks:
        warm = not state.started
        latents = torch.cat([latents[:, :, :1], latents], 2) if warm else latents
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            frames, state = codec.decode_chunk(latents, state)
        frames = frames[:, 4 if warm else 0 :].float().permute(0, 1, 3, 4, 2)
        parts.append((frames.clamp(0, 1) * 255).round().byte().numpy())
    return np.concatenate(parts, 1)


def true_streams(scenes: list[Scene], codec: TinyCodec, frames: int, *, bf16: bool = False) -> np.ndarray:
    """The scenes themselves through the codec: the ceiling of the measures."""
    out = []
    for scene in scenes:
        drawn = torch.from_numpy(render(scene, 1 + 4 * (frames // 4 + 1)))
        clip = drawn.permute(0, 3, 1, 2)[None].float() / 255
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            latents = codec.encode(clip).float()
        out.append(frames_of(codec, latents.split(2, 2), bf16=bf16)[:, -frames:])
    return np.concatenate(out)


def flow(frames: np.ndarray) -> float:
    """The dynamic degree: of the optical flow over an eighth of a second the strongest twentieth of the
    pixels, in pixels a second, on average over streams and time.
    """
    found = []
    for clip in frames[:, :: FPS // 8]:
        grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in clip]
        for one, other in zip(grey, grey[1:]):
            moved = cv2.calcOpticalFlowFarneback(one, other, None, 0.5, 3, 15, 3, 5, 1.1, 0)  # type: ignore
            length = np.sort(np.linalg.norm(moved, axis=-1).ravel())
            found.append(8 * float(length[-length.size // 20 :].mean()))
    return float(np.mean(found))


def shown(frames: np.ndarray, scenes: list[Scene], judge: Path) -> dict[str, float]:
    """Shares of the pieces that show what was asked for, by closed form and by the judge."""
    pieces, many = pieces_of(frames, scenes)
    seen, agreed = counts(many, pieces), agreement(load_judge(judge), pieces, many)
    by_verb = [seen["by_verb"][verb] for verb in MOVING]
    found = {name: seen[name] / len(many) for name in ("found", "colour")}
    return found | {
        "direction": sum(hit for hit, _ in by_verb) / max(1, sum(of for _, of in by_verb)),
        "kind": agreed["kind"] / len(many),
        "scene": float(np.mean([agreed[name] for name in SCENE])) / len(many),
    }


def pieces_of(frames: np.ndarray, scenes: list[Scene]) -> tuple[np.ndarray, list[Scene]]:
    count = frames.shape[1] // PIECE
    pieces = np.concatenate(np.split(frames[:, : count * PIECE], count, 1))
    return pieces, scenes * count


def figures(
    frames: np.ndarray, scenes: list[Scene], judge: Path, truth: np.ndarray, chunk: int
) -> dict[str, float]:
    """All measures of one way. truth: true streams of the same scenes, through the codec. chunk: pixel
    frames of one.
    """
    seer = load_judge(judge)
    with torch.no_grad():
        made, real = (seer.features(looks_of(pieces_of(part, scenes)[0])) for part in (frames, truth))
    change = np.abs(np.diff(frames.astype(np.float32), axis=1)).mean()
    return shown(frames, scenes, judge) | {
        "frechet": frechet(made, real),
        "sharpness": sharpness(frames),
        "motion": float(change),
        "flow": flow(frames),
        "seam": seam(frames, chunk),
    }


def drift(frames: np.ndarray, scenes: list[Scene], judge: Path, seconds: int = 10) -> dict[str, float]:
    """The last seconds against the first: differences of shares and of light, of sharpness and flow as shares
    of the first's.
    """
    ends = frames[:, : seconds * FPS], frames[:, -seconds * FPS :]
    first, last = (shown(part, scenes, judge) for part in ends)
    out = {f"drift_{name}": last[name] - first[name] for name in first}
    for name, measure in (("sharpness", sharpness), ("flow", flow)):
        before, after = (measure(part) for part in ends)
        out[f"drift_{name}"] = after / before - 1
    out["drift_light"] = float(ends[1].mean() - ends[0].mean())
    return out
