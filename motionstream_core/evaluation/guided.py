"""`evaluate guided`: control without a track head, measured on a student whose head is off, beside the still
image and the head.

Owns what is compared: the head off with nothing in its place (`none`), guided with the last prediction left
to the model (`keep 0`), guided as the nodes do it (`guided`), the guide itself through the codec, without the
network (`carried`), and the model with its head on. With the head off the network finds zeros in its motion
channels, but for the start image in latent frame 0. Same clips, same measures as `report.py`.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from ..common.devices import device_label
from ..model.weights.networks import BUILT_IN, Networks, open_networks
from ..sampling.guided import GuideStrength
from ..streaming.stream import StreamOptions, stream
from .heldout import HeldOut, heldout_set
from .measure import measure
from .methods import Generate, carried_baseline, generate, static_baseline, tracks_of
from .results import RESULTS, markdown_table, round_figures, show_result, write_result

HELD_OUT = Path("benchmarks/heldout")
SHOWN = (
    "epe_sprite",
    "epe_background",
    "mean_epe_sprite",
    "mean_epe_background",
    "pck4_sprite",
    "pck4_background",
    "psnr",
    "uncovered_psnr",
    "ghost",
    "sparse_epe_sprite",
)
HALVED = ("epe_sprite", "epe_background", "mean_epe_sprite", "mean_epe_background")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--weights", type=Path, default=BUILT_IN)
    parser.add_argument(
        "--media", type=Path, default=HELD_OUT, help="folder or .npz with held-out pictures and sprites"
    )
    parser.add_argument("--clips", type=int, default=12)
    parser.add_argument("--steps", type=int, default=None, help="denoising steps, the model's own by default")
    parser.add_argument("--name", default="guided", help="name of the result file")
    parser.add_argument("--results", type=Path, default=RESULTS)


def run(args: argparse.Namespace) -> None:
    if args.clips < 1 or not args.media.exists():
        raise ValueError(
            f"evaluate guided: expected at least one clip and media that exist, got {args.clips} clips and "
            f"{args.media}"
        )
    document = evaluate_guided(
        open_networks(args.weights),
        args.media,
        args.clips,
        args.steps,
        lambda line: print(line, file=sys.stderr, flush=True),
    )
    show_result(table(document), document, save_document(document, args))


def evaluate_guided(
    networks: Networks, media: Path, clips: int, steps: int | None, say: Callable[[str], None]
) -> dict:
    """Figures by method, and the ratio of guided to static for each error. Below 0.5 is what is aimed at.

    Args:
        networks: the model that is measured.
        media: folder of pictures and sprites.
        clips: how many held-out clips.
        steps: denoising steps, None for the model's own.
        say: told a line after each method.
    """
    began, items = time.time(), heldout_set(media, clips)
    methods = {
        "static": static_baseline(networks),
        "none": guided_method(networks, "none", steps),
        "keep 0": guided_method(networks, "guided", steps, GuideStrength(keep=0.0)),
        "guided": guided_method(networks, "guided", steps),
        "carried": carried_baseline(networks),
        "track head": generate(networks, steps),
    }
    document: dict = {
        name: measure(items, method, lambda line, name=name: say(f"{name}: {line}"))
        for name, method in methods.items()
    }
    document["guided_over_static"] = {
        key: document["guided"][key] / document["static"][key] for key in HALVED
    }
    about = {
        "clips": clips,
        "steps": steps or networks.config.sampler.steps,
        "device": device_label(networks.dit.device),
        "threads": torch.get_num_threads(),
    }
    return round_figures({**about, **document, "seconds": round(time.time() - began, 1)})


def guided_method(
    networks: Networks, track_control: str, steps: int | None, strength: GuideStrength | None = None
) -> Generate:
    def run(item: HeldOut, chosen: np.ndarray) -> np.ndarray:
        image, count = torch.from_numpy(item.frames[0]), len(item.clip.frames)
        chunks = stream(
            networks,
            image,
            tracks_of(item, chosen),
            item.clip.caption,
            StreamOptions(
                count, steps=steps, fit="hold", track_control=track_control, guide_strength=strength
            ),
        )
        return np.concatenate([chunk.frames.numpy() for chunk in chunks])

    return run


def table(document: dict) -> str:
    columns = ("static", "none", "keep 0", "guided", "carried", "track head")
    rows = [(key, *(f"{document[column][key]:.3f}" for column in columns)) for key in SHOWN]
    ratios = ", ".join(f"{key} {value:.3f}" for key, value in document["guided_over_static"].items())
    return f"{markdown_table(('measure', *columns), rows)}\n\nguided ÷ static: {ratios}"


def save_document(document: dict, args: argparse.Namespace) -> Path:
    """Writes <name>_<device>_<YYYYMM>.md."""
    weights = "the built-in student" if args.weights == BUILT_IN else args.weights.name
    about = (
        f"Model: {weights}, its head off in every column but the last. Device: {document['device']}. "
        f"{document['clips']} clips of 25 frames, {document['steps']} steps.\n\n"
        f"{(__doc__ or '').split(chr(10) + chr(10), 1)[1].strip()}"
    )
    title = "Control along tracks without a track head"
    return write_result(args.results, args.name, document["device"], title, about, table(document), document)
