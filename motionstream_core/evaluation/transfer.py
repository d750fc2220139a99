"""`python -m motionstream_core evaluate transfer VIDEO…`: motion transfer end to end, measured the paper's
way.

Owns the protocol, the scores and the result file. Each video is tracked on a 50×50 grid over 81 frames at 16
a second. The model gets its first frame and the tracks, and a tracker finds the same points again in what was
made.

EPE (section 3.3 of the paper): mean distance in px between the visible input tracks and the tracks of the
output, frame 0 left out. The paper measures at 832×480 with CoTracker3. Here the default tracker looks at the
output enlarged to `LOOK` px, and pixels are the model's. Beside it:
- moving: EPE of the points that are more than `MOVED` px from where they began, in those frames.
- found: share of those places the tracker still sees in the output, and their EPE (a lost point counts with
its last guess in the EPE).
- NCC: median distance at which the first frame's own patches are found again, within 10 px (no tracker).
- PSNR against the source.
Three rows a video: what the model made. The source through the codec alone, the floor of the measure. The
first frame standing still.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import torch
from einops import rearrange
from torch import Tensor

from ..codec.timed_frames import timed_frames
from ..codec.video import read_image
from ..common.devices import device_label
from ..common.pictures import cover
from ..model.weights.networks import BUILT_IN, Networks, open_networks
from ..streaming.stream import StreamOptions, stream
from ..tracks.camera.moves import regular_grid
from ..tracks.edit import smooth_tracks
from ..tracks.types import Tracks
from ..tracks.video.camera_motion import cover_canvas
from ..tracks.video.follow import follow, retime_tracks
from ..tracks.video.live_video import frames_at_rate
from ..tracks.video.retarget import Seeds, retarget_tracks, seeds_for
from ..tracks.video.trackers import open_tracker
from .metrics import ncc_error, psnr
from .results import RESULTS, markdown_table, show_result, write_result

FRAMES, FPS, GRID = 81, 16.0, 50
SIZE = 128  # px: of the built-in model
LOOK = 512  # px: the longer side at which the output is tracked
MOVED = 3.0  # px of the model's picture
PROMPT = "photo"
READING = (
    "*moving* is the share of visible places more than 3 px from their start: where it is near nought "
    "there is next to nothing to follow, and *epe_moving* is of "
    "a handful of points. *codec* is the source itself through the codec: what this measure gives for "
    "perfect motion at this sharpness. *still* is no motion at all."
)
COLUMNS = ("epe", "epe_moving", "found", "epe_found", "ncc", "psnr")


def source_tracks(
    path: Path, frames: int = FRAMES, width: int = SIZE, height: int = SIZE, grid: int = GRID
) -> Tracks:
    """The motion of a video at its own speed, as it is once the picture covers the canvas. A shorter video
    gives fewer frames.

    Args:
        path: of the video.
        frames: most pixel frames.
        width: of the canvas in pixels.
        height: of the canvas in pixels.
        grid: pixels from point to point.
    """
    found = follow(
        timed_frames(path),
        lambda w, h: regular_grid(w, h, grid, grid),
        open_tracker(),
        seconds=(frames - 1) / FPS,
        longest=640,
    )
    span = float(found.times[-1] - found.times[0])
    return cover_canvas(
        retime_tracks(found, min(frames, int(span * FPS + 1e-6) + 1), FPS, "source speed"), width, height
    )


def source_frames(path: Path, frames: int, width: int = SIZE, height: int = SIZE) -> Tensor:
    """The video's frames (T, height, width, 3) at the same moments."""
    made = []
    for picture, _ in frames_at_rate(timed_frames(path), FPS):
        made.append(cover(torch.from_numpy(picture).float() / 255, width, height))
        if len(made) == frames:
            break
    return torch.stack(made)


def scores(frames: Tensor, tracks: Tracks, truth: Tensor | None = None) -> dict[str, float]:
    """What the module's docstring names, of a clip (T, H, W, 3) that was to follow these tracks."""
    told, seen = tracks.xy.numpy(), tracks.visible.numpy()
    scale = max(1.0, LOOK / max(tracks.width, tracks.height))
    start = (told[0] + 0.5) * scale - 0.5
    made = list(open_tracker().follow(iter(enlarge_frames(frames, scale)), start.astype(np.float32)))
    xy, found = (
        (np.stack([xy for xy, _ in made]) + 0.5) / scale - 0.5,
        np.stack([visible for _, visible in made]),
    )
    counted = seen & seen[:1]
    counted[0] = False
    error, moved = np.linalg.norm(xy - told, axis=-1), np.linalg.norm(told - told[:1], axis=-1) > MOVED
    patches = ncc_error(frames[:1].numpy(), frames.numpy(), told, counted & moved, reference_xy=told[:1])
    out = {
        "epe": _mean(error[counted]),
        "epe_moving": _mean(error[counted & moved]),
        "found": _mean(found[counted]),
        "epe_found": _mean(error[counted & found]),
        "ncc": float(np.nanmedian(patches)) if np.isfinite(patches).any() else float("nan"),
    }
    return out if truth is None else {**out, "psnr": psnr(frames.numpy(), truth.numpy())}


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if values.size else float("nan")


def enlarge_frames(frames: Tensor, scale: float) -> np.ndarray:
    large = torch.nn.functional.interpolate(
        rearrange(frames, "t h w c -> t c h w"), scale_factor=scale, mode="bicubic", align_corners=False
    )
    return np.ascontiguousarray(
        rearrange((255 * large.clamp(0, 1)).round().byte(), "t c h w -> t h w c").numpy()
    )


@torch.no_grad()
def through_codec(networks: Networks, frames: Tensor) -> Tensor:
    """The clip encoded and decoded, which is the best any latents can look."""
    count = len(frames)
    padded = torch.cat([frames, frames[-1:].expand((1 - count) % 4, -1, -1, -1)])
    latents = networks.codec.encode(rearrange(padded, "t h w c -> 1 t c h w"))
    return rearrange(networks.codec.decode(latents)[0], "t c h w -> t h w c")[:count].clamp(0, 1)


def transfer_motion(
    networks: Networks, image: Tensor, tracks: Tracks, prompt: str = PROMPT, seed: int = 0
) -> Tensor:
    """What the model makes of a picture and tracks.

    Args:
        networks: the model.
        image: (H, W, 3) 0..1.
        tracks: on a canvas of the picture's size.
        prompt: the text.
        seed: of the noise.
    """
    chunks = stream(networks, image, tracks, prompt, StreamOptions(tracks.frames, seed))
    return torch.cat([chunk.frames for chunk in chunks])


def transfer_onto(
    networks: Networks, path: Path, image: Path, mask: Path, target: Path, frames: int = FRAMES
) -> dict:
    """The row of a video whose subject moves another picture's: the subject's own motion, the ground at rest.
    No truth, no PSNR.

    Args:
        networks: the model.
        path: of the video.
        image: the other picture.
        mask: marks the subject of the video.
        target: marks what is to move in the other picture.
        frames: most pixel frames.
    """
    subject, goal = (read_image(place)[..., 0].numpy() for place in (mask, target))
    seeded: list[Seeds] = []

    def seeds(w: int, h: int) -> np.ndarray:
        seeded.append(seeds_for(w, h, GRID, GRID, mask=subject))
        return seeded[0].xy

    found = follow(timed_frames(path), seeds, open_tracker(), seconds=(frames - 1) / FPS, longest=640)
    count = min(frames, int(float(found.times[-1] - found.times[0]) * FPS + 1e-6) + 1)
    tracks = smooth_tracks(
        retarget_tracks(
            retime_tracks(found, count, FPS, "source speed"), seeded[0], "subject", SIZE, SIZE, goal
        ),
        1.0,
    )
    made = transfer_motion(networks, cover(read_image(image), SIZE, SIZE), tracks)
    return {
        "video": f"{path.name} onto {image.name}",
        "row": "model",
        "moving": moving_share(tracks),
        "frames": count,
        "tracks": tracks.count,
        **scores(made, tracks),
        "psnr": None,
    }


def moving_share(tracks: Tracks) -> float:
    return float(((tracks.xy - tracks.xy[:1]).norm(dim=-1) > MOVED)[tracks.visible].float().mean())


def evaluate(networks: Networks, paths: list[Path], frames: int = FRAMES, progress=print) -> dict:
    """A document with the three rows of every video."""
    rows, began = [], time.monotonic()
    for path in paths:
        tracks = source_tracks(path, frames)
        truth = source_frames(path, tracks.frames)
        tracks = tracks.fitted(len(truth), "hold") if len(truth) != tracks.frames else tracks
        progress(
            f"{path.name}: {tracks.count} tracks of {tracks.frames} frames, "
            f"{float(tracks.visible.float().mean()):.2f} visible"
        )
        clips = {
            "model": transfer_motion(networks, truth[0], tracks),
            "codec": through_codec(networks, truth),
            "still": truth[:1].expand_as(truth),
        }
        for name, clip in clips.items():
            rows.append(
                {
                    "video": path.name,
                    "row": name,
                    "frames": len(truth),
                    "tracks": tracks.count,
                    "moving": moving_share(tracks),
                    **scores(clip, tracks, truth),
                }
            )
            progress(f"  {name}: " + ", ".join(f"{key} {rows[-1][key]:.2f}" for key in COLUMNS))
    return {
        "rows": rows,
        "device": device_label(networks.dit.device),
        "seconds": round(time.monotonic() - began, 1),
    }


def table(document: dict) -> str:
    rows = []
    for row in document["rows"]:
        figures = ("–" if row[key] is None else f"{row[key]:.2f}" for key in COLUMNS)
        video = f"{row['video']} ({row['frames']} frames)"
        rows.append((video, row["row"], f"{row['moving']:.2f}", *figures))
    return markdown_table(("video", "", "moving", *COLUMNS), rows)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "videos", nargs="*", type=Path, default=[Path("workflows/motionstream_source.mp4")], metavar="VIDEO"
    )
    parser.add_argument("--weights", type=Path, default=BUILT_IN)
    parser.add_argument("--frames", type=int, default=FRAMES)
    parser.add_argument(
        "--onto",
        nargs=3,
        type=Path,
        metavar=("IMAGE", "MASK", "TARGET"),
        help="also move another picture: the first video's subject (mask) drives the target's",
    )
    parser.add_argument("--results", type=Path, default=RESULTS)


def run(args: argparse.Namespace) -> None:
    networks = open_networks(args.weights)
    document = evaluate(
        networks, args.videos, args.frames, progress=lambda line: print(line, file=sys.stderr, flush=True)
    )
    if args.onto:
        image, mask, target = args.onto
        document["rows"].append(transfer_onto(networks, args.videos[0], image, mask, target, args.frames))
    given = [*args.videos, *([Path("--onto"), *args.onto] if args.onto else [])]
    about = (
        f"Device: {document['device']}. Pixels of {SIZE}x{SIZE}; what the columns mean: "
        f"`evaluation/transfer.py`. {READING}"
    )
    kept = write_result(
        args.results,
        "transfer",
        document["device"],
        "Motion transfer, end to end",
        about,
        table(document),
        document,
        command="python -m motionstream_core evaluate transfer " + " ".join(path.name for path in given),
    )
    show_result(table(document), document, kept)
