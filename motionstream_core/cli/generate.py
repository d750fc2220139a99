"""`generate`: a start image and tracks -> a video file, with a line of progress on stderr and a JSON report
as last line on stdout.

Owns how files become the arguments of a stream. Knows nothing of how one is made.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import torch
from torch import Tensor

from ..codec.video import VideoWriter, read_image
from ..common.devices import device_label, parse_size, pick_device, show_progress
from ..common.pictures import cover
from ..evaluation.results import round_figures
from ..live.performance import read_performance
from ..live.session import LiveSession
from ..model.weights.networks import with_convolutions
from ..model.weights.speed import SPEEDS, at_speed, speed_state
from ..streaming.stream import STAGES, StreamOptions, stream
from ..tracks.document.handles import file_document, file_groups
from ..tracks.document.objects import document_objects
from ..tracks.formats import read_tracks
from ..tracks.types import MODES, Tracks
from .options import add_convolutions_option, add_model_options, open_on


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--image",
        type=Path,
        required=True,
        help="the first frame; scaled to cover the video's size and cut in the middle",
    )
    parser.add_argument(
        "--tracks",
        type=Path,
        required=True,
        help="an editor's document, sampled points in JSON (ATI, KJNodes, LTX), .npz or .npy",
    )
    parser.add_argument("--out", type=Path, required=True, help="the video file, such as video.mp4")
    parser.add_argument("--prompt", default="", help="words of the model's vocabulary")
    parser.add_argument(
        "--frames", type=int, default=None, help="length of the video, the tracks' by default"
    )
    parser.add_argument(
        "--fit", choices=MODES, default="error", help="what to do when tracks and video differ in length"
    )
    parser.add_argument(
        "--size",
        type=parse_size,
        default=None,
        help="WIDTHxHEIGHT; by default the tracks', or the image's for tracks without",
    )
    parser.add_argument(
        "--performance",
        type=Path,
        default=None,
        help="live controls to play, as the sampler's performance output has them",
    )
    parser.add_argument("--seed", type=int, default=0, help="the same seed gives the same video")
    add_model_options(parser)
    add_convolutions_option(parser)
    parser.add_argument(
        "--speed",
        choices=SPEEDS,
        default="plain",
        help="auto: compiled on a GPU, plain on a CPU; compiled and fp8 are swapped in once they are ready",
    )


def run(args: argparse.Namespace) -> None:
    device = pick_device(args.device)
    image, tracks = read_start(args.image, args.tracks, args.size)
    frames = tracks.frames if args.frames is None else args.frames
    networks = with_convolutions(open_on(args.weights, device), args.convolutions)
    networks = at_speed(networks, args.speed, lambda note: show_progress(note, last=True))
    encoder = networks.text_encoder
    left_out = None if encoder is None else encoder.vocabulary.left_out(args.prompt, encoder.length)
    if left_out:
        show_progress(left_out, last=True)
    played = read_performance(args.performance.read_text(encoding="utf-8")) if args.performance else None
    session = LiveSession(script=played.controls) if played else None
    groups = file_groups(args.tracks)
    options = StreamOptions(
        frames,
        args.seed,
        args.steps,
        fit=args.fit,
        groups=None if groups is None else torch.tensor(groups),
        objects=file_objects(args.tracks, image.shape[1], image.shape[0]),
        carry=None if played is None or played.about.get("layered") else "nearest",
        history_bytes=0,
    )
    chunks = stream(networks, image, tracks, args.prompt, options, session)
    began = time.perf_counter()
    with VideoWriter(args.out, tracks.fps) as video:
        latencies: list[float] = []
        totals: dict[str, float] = dict.fromkeys(STAGES, 0.0)
        for chunk in chunks:
            video.write(chunk.as_bytes)
            latencies.append(chunk.latency_s)
            for stage in STAGES:
                totals[stage] += chunk.timings.get(stage, 0.0)
            if chunk.index == 0:
                first_frame_s = chunk.first_frame_s
            line = f"frame {video.frames}/{frames} · chunk {chunk.index} · {chunk.fps:.1f} fps"
            show_progress(line, last=video.frames >= frames)
    report = {
        "video": str(args.out),
        "frames": video.frames,
        "width": image.shape[1],
        "height": image.shape[0],
        "fps": tracks.fps,
        "tracks": tracks.count,
        "seed": args.seed,
        "steps": args.steps or networks.config.sampler.steps,
        "first_frame_s": first_frame_s,
        "stream_fps": chunk.fps,
        "latency_s": max(latencies),
        "seconds": time.perf_counter() - began,
        **totals,
        "model": args.weights.name,
        "speed": speed_state(networks),
        "device": device_label(device),
    }
    print(json.dumps(round_figures(report, 4)))


def file_objects(path: Path, width: int, height: int) -> dict[int, Tensor]:
    """The masks (H, W) bool of the objects that a painted document has cut out. None for any other file."""
    document = file_document(path)
    found = {} if document is None else document_objects(document, width, height)
    return {handle: torch.from_numpy(mask) for handle, mask in found.items()}


def read_start(image_path: Path, tracks_path: Path, size: tuple[int, int] | None) -> tuple[Tensor, Tracks]:
    """Image (H, W, 3) and tracks of one size: `size`, else the one the tracks' file holds, else the image's.

    Sampled points in JSON hold no size: they are pixels of `size`, or of the image.
    """
    image = read_image(image_path)
    width, height = size or (image.shape[1], image.shape[0])
    tracks = read_tracks(tracks_path, width, height)
    if size is not None:
        tracks = tracks.rescaled(*size)
    return cover(image, tracks.width, tracks.height).to(torch.float32), tracks
