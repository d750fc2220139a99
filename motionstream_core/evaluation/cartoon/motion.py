"""The MotionStream student that comes with the pack, along tracks: the part of `evaluate` under "cartoon"
that is not the moving buffer's.

Owns which measures there are. Held-out scenes as they come, a share of them with a second thing. Errors are
pixels of 128, by closed form (`following`). Nothing but ids tells this student of tracks.

epe, epe_last, epe_found: all tracks told, over the clip and in its last frame, and the share of frames in
which a thing is found. sparse_epe: two points of a thing and five of the land. untold_epe: no tracks.
static_epe: the start image. ids_only_epe: epe again, for here no picture is carried.
teacher_epe: the teacher's, where its weights are at hand.
student_frechet, teacher_frechet: distance to the true clips in the judge's features. motion_frechet_floor: of
those to other true clips.
stream_fps: frames a CPU second of a stream, decoding included.
drift_3min: of streams of three minutes that go to and fro along their tracks, the change of sharpness in the
last repetition against the first. epe_3min: the error in the last one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ...codec.tiny import TinyCodec
from ...model.weights.networks import CARTOON, Networks, open_networks
from ...streaming.options import StreamOptions
from ...streaming.stream import stream
from ...tracks.types import Tracks
from ...training.cartoon.motion_clips import LATENTS, clip_frames
from ...training.cartoon.roaming import PAIRS
from ...training.cartoon.sampling import decoded
from . import following
from .drift import sharpness
from .following import Lot
from .following_report import open_motion
from .judging import load_judge, looks_of
from .report import frechet

TEACHER = Path("benchmarks/checkpoints/cartoon_motion_teacher.safetensors")
ODE_STEPS = 12
MINUTES = 3
PERIOD = 2 * (clip_frames(LATENTS) - 1)  # frames after which a clip that goes to and fro begins again
Tell = Callable[[str], None]


@torch.no_grad()
def measure_motion(
    student: Path,
    judge_path: Path,
    *,
    count: int = 32,
    long: int = 2,
    pairs: float = PAIRS,
    tell: Tell = print,
) -> dict[str, Any]:
    """The measures of a student's file.

    Args:
        student: a weights file that streams.
        judge_path: the judge's weights.
        count: scenes. As many others are the floor of the distances.
        long: streams of three minutes.
        pairs: share of the scenes with a second thing.
        tell: told what is measured.
    """
    networks, judge = open_networks(student), load_judge(judge_path)
    codec = open_networks(CARTOON).codec
    assert isinstance(codec, TinyCodec)
    tell(f"cartoon: {count} clips along tracks")
    both = following.lot(codec, 2 * count, LATENTS, pairs=pairs)
    lot, others = both.of(list(range(count))), both.of(list(range(count, 2 * count)))
    truth, floor = (decoded(codec, each.batch["latents"])[:, 3:].numpy() for each in (lot, others))
    model, make = open_motion(student), following.of_student()
    told = {"": lot.batch, "sparse_": following.sparse(lot.batch), "untold_": following.untold(lot.batch)}
    clips = {name: following.made(model, codec, batch, make) for name, batch in told.items()}
    rows = {name: following.errors(made, lot) for name, made in clips.items()}
    features = judge.features(looks_of(truth))
    result: dict[str, Any] = {f"{name}epe": row["epe"] for name, row in rows.items()}
    result |= {"ids_only_epe": rows[""]["epe"], "static_epe": rows[""]["static_epe"]}
    result |= {"epe_last": rows[""]["epe_last"], "epe_found": rows[""]["found"]}
    result["student_frechet"] = frechet(judge.features(looks_of(clips[""])), features)
    result["motion_frechet_floor"] = frechet(judge.features(looks_of(floor)), features)
    if TEACHER.is_file():
        tell("cartoon: the teacher's clips")
        made = following.made(open_motion(TEACHER), codec, lot.batch, following.of_teacher(ODE_STEPS))
        result["teacher_epe"] = following.errors(made, lot)["epe"]
        result["teacher_frechet"] = frechet(judge.features(looks_of(made)), features)
    tell(f"cartoon: {long} streams of {MINUTES} minutes along tracks")
    return result | long_streams(networks, lot, long)


def long_streams(networks: Networks, lot: Lot, count: int, minutes: float = MINUTES) -> dict[str, float]:
    """Streams of the first scenes that go to and fro along their tracks for so long."""
    periods = max(2, round(minutes * 60 * 16 / PERIOD))
    ends: list[list[np.ndarray]] = [[], []]
    began, frames = time.process_time(), 0
    for number in range(count):
        kept = _ends(networks, lot, number, periods)
        frames += (periods - 1) * PERIOD + clip_frames(LATENTS)
        for part, found in zip(kept, ends):
            found.append(part)
    spent = time.process_time() - began
    first, last = (np.stack(part) for part in ends)
    few = lot.of(list(range(count)))
    return {
        "stream_fps": frames / spent,
        "drift_3min": abs(sharpness(last) / sharpness(first) - 1),
        "epe_3min": following.errors(last, few)["epe"],
    }


def _ends(networks: Networks, lot: Lot, number: int, periods: int) -> tuple[np.ndarray, np.ndarray]:
    """The first and the last clip of a stream along the tracks of a scene."""
    size, length = lot.clips.shape[2], clip_frames(LATENTS)
    start = (periods - 1) * PERIOD
    told = lot.batch["visible"][number].any(0)
    xy, visible = lot.batch["xy"][number][:, told], lot.batch["visible"][number][:, told]
    tracks = Tracks(xy.float(), visible, size, size)
    image = torch.from_numpy(lot.clips[number, 0]).float() / 255
    options = StreamOptions(start + length, fit="ping-pong")
    first, last, at = [], [], 0
    for chunk in stream(networks, image, tracks, lot.scenes[number].caption, options):
        picture = (chunk.frames.clamp(0, 1) * 255).round().byte().numpy()
        if at < length:
            first.append(picture)
        if at + len(picture) > start:
            last.append(picture[max(0, start - at) :])
        at += len(picture)
    return np.concatenate(first)[:length], np.concatenate(last)[-length:]
