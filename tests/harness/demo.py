"""`make demo`: the real host runs workflows/paint-a-track.json and streaming-text-to-video.json as shipped;
the results go to output/ and their figures to stdout.

The last line on stdout is one JSON document; everything else goes to stderr. Positions are pixels of the
video.

    epe_px         median error of the commanded points that move, NCC measure, patches of the video's own
    first frame at the tracks' starts:
                   it says where things are, not how sharp they or the disoccluded places look
    static_epe_px  the same for the first frame copied, which is what a model that ignores the tracks would
    give at best; the search
                   reaches 10 px each way, so neither figure can rise above 14.1
    t2v_*          of the video that a sentence made: found, colour and verb say by closed form whether its
    thing is seen, seen in the sentence's colour, and does what it says
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from motionstream_core.codec.video import read_video
from motionstream_core.evaluation.cartoon.counters import verdict
from motionstream_core.evaluation.metrics import ncc_error
from motionstream_core.tracks.document.parse import document_to_tracks, parse_document
from motionstream_core.tracks.types import Tracks
from motionstream_core.training.cartoon.scene import REDUCED

from . import host, install, workflow
from .contact_sheet import contact_sheet, painted_tracks, stacked
from .progress import run_telling

SHIPPED = workflow.shipped("paint-a-track")
SENTENCE = workflow.shipped("streaming-text-to-video")
OUTPUT = install.ROOT / "output"
MOVED = 5.0  # px; points that stay nearer to their start say nothing about following
STARTED = time.monotonic()


def main() -> int:
    say("booting ComfyUI")
    painted, told = workflow.load(SHIPPED), workflow.load(SENTENCE)
    OUTPUT.mkdir(exist_ok=True)
    runs = []
    with own_folder() as base, host.running_host(base) as comfy:
        for shipped, graph, name in ((SHIPPED, painted, "demo.mp4"), (SENTENCE, told, "demo_t2v.mp4")):
            say(f"running {shipped.name} on {comfy.url}")
            entry = run_telling(comfy, workflow.to_api(graph, comfy.object_info()), say)
            for error in host.errors_of(entry):
                say(f"{error['node_type']}: {error['exception_message']}")
            if host.ended_as(entry) != "success":
                say(f"the host's log is {comfy.log}")
                return 1
            put(OUTPUT / name, comfy.fetch(host.video_of(entry)))
            runs.append(host.figures_of(entry))
        device = comfy.get_json("/system_stats")["devices"][0]["name"]
    frames, made = (read_video(OUTPUT / name)[0].numpy() for name in ("demo.mp4", "demo_t2v.mp4"))
    tracks = painted_tracks(painted_text(painted), len(frames))
    stacked(contact_sheet(frames, tracks), contact_sheet(made, [])).save(OUTPUT / "demo.png")
    say("wrote output/demo.mp4, output/demo_t2v.mp4 and output/demo.png")
    figures = report(frames, commanded_tracks(painted), runs[0], painted, device)
    print(json.dumps(figures | told_report(made, runs[1], told)))
    return 0


@contextlib.contextmanager
def own_folder() -> Iterator[Path]:
    """The demo's base folder, or another one while another demo uses that; the other one is removed."""
    install.CACHE.mkdir(parents=True, exist_ok=True)
    with open(install.CACHE / "demo.lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            base = install.CACHE / f"demo-{os.getpid()}"
            try:
                yield base
            finally:
                shutil.rmtree(base, ignore_errors=True)
        else:
            yield install.CACHE / "demo"


def put(path: Path, data: bytes) -> None:
    """Writes a file whole, so that two demos at once leave one of theirs."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.write_bytes(data)
    part.replace(path)


def say(text: str) -> None:
    print(f"==> {time.monotonic() - STARTED:6.1f} s  {text}", file=sys.stderr, flush=True)


def painted_text(painted: dict) -> str:
    """The document in the workflow's editor."""
    (editor,) = workflow.nodes_of_type(painted, "MotionStreamTrackEditor")
    return editor["widgets_values"][0]


def commanded_tracks(painted: dict) -> Tracks:
    """What is painted in the workflow's editor, in pixels of the video."""
    (editor,) = workflow.nodes_of_type(painted, "MotionStreamTrackEditor")
    width, height, frames = editor["widgets_values"][1:4]
    return document_to_tracks(parse_document(painted_text(painted)), frames).rescaled(width, height)


def following_errors(frames: np.ndarray, tracks: Tracks) -> np.ndarray:
    """Errors in px of the commanded points that have moved; the patches are those of the first frame at the
    tracks' starts.
    """
    xy, visible = tracks.xy.numpy(), tracks.visible.numpy()
    moved = visible & (np.linalg.norm(xy - xy[:1], axis=-1) > MOVED)
    errors = ncc_error(frames[:1], frames, xy, moved, reference_xy=xy[:1])
    return errors[np.isfinite(errors)]


def report(frames: np.ndarray, tracks: Tracks, run: dict, painted: dict, device: str) -> dict:
    errors = following_errors(frames, tracks)
    static = following_errors(np.repeat(frames[:1], len(frames), 0), tracks)
    (loader,) = workflow.nodes_of_type(painted, "MotionStreamLoader")
    return {
        "video": str((OUTPUT / "demo.mp4").relative_to(install.ROOT)),
        "frames": len(frames),
        "width": frames.shape[2],
        "height": frames.shape[1],
        "first_frame_s": round(run["first_frame_s"], 3),
        "stream_fps": round(run["fps"], 2),
        "epe_px": round(float(np.median(errors)), 2),
        "static_epe_px": round(float(np.median(static)), 2),
        "mean_epe_px": round(float(errors.mean()), 2),
        "points": int(tracks.count),
        "moving_points": int(((tracks.xy - tracks.xy[:1]).norm(dim=-1).amax(0) > MOVED).sum()),
        "model": loader["widgets_values"][0],
        "device": device,
    }


def told_report(frames: np.ndarray, run: dict, told: dict) -> dict:
    """The figures of the video of a sentence."""
    (loader,) = workflow.nodes_of_type(told, "MotionStreamLoader")
    (text,) = workflow.nodes_of_type(told, "CLIPTextEncode")
    sentence = text["widgets_values"][0]
    words = sentence.split()
    place, time_of_day, colour = (
        next(word for word in words if word in known)
        for known in (REDUCED.places, REDUCED.times, REDUCED.colours)
    )
    seen = verdict((frames * 255).round().astype(np.uint8), place, time_of_day)
    return {
        "t2v_video": str((OUTPUT / "demo_t2v.mp4").relative_to(install.ROOT)),
        "t2v_sentence": sentence,
        "t2v_frames": len(frames),
        "t2v_first_frame_s": round(run["first_frame_s"], 3),
        "t2v_fps": round(run["fps"], 2),
        "t2v_found": seen.colour is not None,
        "t2v_colour": seen.colour == colour,
        "t2v_verb": seen.verb is not None and seen.verb in sentence,
        "t2v_model": loader["widgets_values"][0],
    }


if __name__ == "__main__":
    sys.exit(main())
