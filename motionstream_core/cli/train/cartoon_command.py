"""`train cartoon-shards`: clips of the cartoon whose things roam, as latents and tracks on disk."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch

from ...model.weights.networks import CARTOON
from ...training.cartoon.export import read
from ...training.cartoon.motion_clips import LATENTS, SHARD, write_motion_shards
from ...training.methods.steps import check_whole_chunks


def add_cartoon_shards(stages) -> None:
    """`cartoon-shards` as a sub-command of `train`."""
    parser = stages.add_parser(
        "cartoon-shards", help="clips of the cartoon with roaming things, for the preset cartoon-motion"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of shards; run again to go on")
    parser.add_argument(
        "--weights", type=Path, default=CARTOON, help="weights file whose codec makes the latents"
    )
    parser.add_argument("--first", type=int, default=0, help="number of the first shard")
    parser.add_argument("--count", type=int, default=100, help=f"shards of {SHARD} clips")
    parser.add_argument("--latents", type=int, default=LATENTS, help="latent frames of a clip")
    parser.add_argument("--bf16", action="store_true", help="encode in bfloat16")
    parser.add_argument("--held-out", action="store_true", help="of scenes that no training sees")


def run_cartoon_shards(args: argparse.Namespace) -> None:
    """Writes what `add_cartoon_shards` parsed."""
    check_whole_chunks(args.latents, 1)
    _, codec = read(args.weights)
    if args.bf16:  # the layout that such a CPU convolves fastest
        codec.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    for number in range(args.first, args.first + args.count):
        write_motion_shards(
            codec, args.out, number, 1, held_out=args.held_out, latents=args.latents, bf16=args.bf16
        )
        print(f"cartoon-shards {number + 1 - args.first}/{args.count}", file=sys.stderr, flush=True)
