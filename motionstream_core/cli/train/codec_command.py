"""`train codec`: the tiny codec on a run folder's media, by the engine.

Owns the options of the stage and which files it reads: <folder>/media/train.npz, heldout.npz beside it, and
the weights to begin with.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch

from ...common.devices import pick_device
from ...training.engine.engine import train
from .data_command import tiny_codec
from .stage_commands import add_engine, commit, engine_config, parents

HELD = 6, 9  # clips, frames


def add_codec(stages) -> None:
    """`codec` as a sub-command of `train`."""
    codec = stages.add_parser("codec", help="the tiny causal video codec")
    codec.add_argument(
        "--folder",
        type=Path,
        default=Path("runs"),
        help="run folder, whose media/train.npz the world is made of",
    )
    codec.add_argument("--out", type=Path, help="<folder>/codec by default; run again to go on")
    codec.add_argument(
        "--init", type=Path, help="codec.safetensors to begin with, or a weights file that has a codec"
    )
    codec.add_argument(
        "--video",
        type=Path,
        action="append",
        default=[],
        help="a video file to learn from beside the synthetic world",
    )
    codec.add_argument(
        "--decoder-only", action="store_true", help="the encoder and the latents stay as those of --init"
    )
    codec.add_argument("--batch", type=int, default=4, help="crops of a micro-batch")
    codec.add_argument("--seed", type=int, default=0)
    add_engine(codec, "codec")
    codec.set_defaults(parallel="replicas")


def run_codec(args: argparse.Namespace) -> None:
    """Trains what `add_codec` parsed."""
    from ...training.methods.codec import STATISTICS, CodecStage, Crops, heldout_clips, read_videos, renderers

    out, media = args.out or args.folder / "codec", args.folder / "media/train.npz"
    if args.decoder_only and args.init is None:
        raise ValueError("decoder-only: expected --init FILE, whose encoder and latents are kept, got none")
    if (out / "codec.safetensors").exists() and not (out / "checkpoints").exists():
        raise ValueError(
            f"out: expected a folder without a finished codec, got {out}: name it as --init and another "
            "--out to go on from it"
        )
    torch.manual_seed(args.seed)
    data = Crops(media, read_videos(tuple(args.video)), renderers(pick_device("auto")))
    clips, frames, seed = STATISTICS
    stage = CodecStage(
        tiny_codec(args.init, fresh=True),
        None if args.decoder_only else heldout_clips(media, clips, frames, seed),
        heldout_clips(media.with_name("heldout.npz"), *HELD),
    )
    provenance = {
        "stage": "codec",
        "preset": "codec --decoder-only" if args.decoder_only else "codec",
        "data": str(media.name),
        "command": " ".join(sys.argv[1:]),
        "commit": commit(),
        "parents": parents(args.init),
    }
    train(stage, data, engine_config(args), out, provenance)
