"""`train cartoon-shards`: clips of the cartoon whose things roam, as latents and tracks on disk. `train
cartoon-factor`: a motion model that learned whole, as additions to its base. And `train cartoon-export`: such
a model as a small file beside its base. `train pack`: any stage's weights at a byte a number.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import torch

from ...common.digests import file_sha256
from ...evaluation.results import git_commit
from ...model.packed import pack_state
from ...model.presets import preset
from ...model.weights.networks import CARTOON
from ...training.cartoon.export import read, write_motion
from ...training.cartoon.low_rank import factored, ranks_of
from ...training.cartoon.motion_clips import LATENTS, POINTS, SHARD, Points, write_motion_shards
from ...training.cartoon.roaming import MOTIONS, PAIRS
from ...training.cartoon.vocabulary import CARTOON as WORDS
from ...training.engine.checkpoints import FORMAT
from ...training.engine.checkpoints import write as write_weights
from ...training.methods.initial import read_description, read_tensors, start_from
from ...training.methods.roles import MotionModel
from ...training.methods.steps import check_whole_chunks

NUMBERS = 2_000_000


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
    parser.add_argument("--pairs", type=float, default=PAIRS, help="share of the scenes with a second thing")
    parser.add_argument("--motions", type=int, default=MOTIONS, help="scenes with one start image")
    parser.add_argument(
        "--on-things", type=int, default=POINTS.on_things, help="points of each thing, %(default)s by default"
    )
    parser.add_argument(
        "--on-land", type=int, default=POINTS.on_land, help="points of the land, %(default)s by default"
    )
    parser.add_argument("--bf16", action="store_true", help="encode in bfloat16")
    parser.add_argument("--held-out", action="store_true", help="of scenes that no training sees")


def add_cartoon_export(stages) -> None:
    """`cartoon-export` as a sub-command of `train`."""
    parser = stages.add_parser(
        "cartoon-export", help="a motion model of the cartoon with additions, as a file beside its base"
    )
    parser.add_argument("weights", type=Path, help="student.safetensors, or teacher.safetensors")
    parser.add_argument(
        "--earlier", type=Path, nargs="*", default=[], help="the files of the stages before it, in order"
    )
    parser.add_argument("--base", type=Path, default=CARTOON, help="weights file that the stages began with")
    parser.add_argument("--out", type=Path, required=True, help="in the folder of the base")


def add_cartoon_factor(stages) -> None:
    """`cartoon-factor` as a sub-command of `train`."""
    parser = stages.add_parser(
        "cartoon-factor",
        help="a motion model that learned whole, as additions of low rank to its base, to be trained on",
    )
    parser.add_argument("weights", type=Path, help="student.safetensors, or teacher.safetensors")
    parser.add_argument("--base", type=Path, default=CARTOON, help="weights file that the stages began with")
    parser.add_argument(
        "--numbers",
        type=int,
        default=NUMBERS,
        help="of all additions together, %(default)s by default: a file of some 2 MiB",
    )
    parser.add_argument("--out", type=Path, required=True, help="what --init and cartoon-export name")


def run_cartoon_factor(args: argparse.Namespace) -> None:
    """Writes what `add_cartoon_factor` parsed: weights as a stage writes them, with where they come from."""
    if args.numbers < 1:
        raise ValueError(f"numbers: expected at least 1, got {args.numbers}")
    if args.out.suffix != ".safetensors":
        raise ValueError(f"out: expected a .safetensors file, got {args.out.name}")
    whole, base = (MotionModel(preset("cartoon-motion"), vocabulary=WORDS) for _ in range(2))
    start_from(whole, args.weights)
    if hasattr(whole, "held"):
        raise ValueError(f"{args.weights.name}: expected a model that learned whole, got one of additions")
    start_from(base, args.base)
    near = factored(whole, base, args.numbers)
    provenance = {
        "stage": "cartoon-factor",
        "command": " ".join(sys.argv[1:]),
        "commit": git_commit(),
        "parents": {path.name: file_sha256(path) for path in (args.weights, args.base)},
    }
    about = {"stage": "cartoon-factor", "step": 0, "seconds": 0.0, "provenance": provenance}
    write_weights(args.out, list(near.state_dict().items()), about)
    ranks = ranks_of(near.state_dict())
    print(f"{args.out}: {sum(ranks.values())} directions in {len(ranks)} matrices")


def add_pack(stages) -> None:
    """`pack` as a sub-command of `train`."""
    parser = stages.add_parser(
        "pack", help="a stage's weights at a byte a number, to be kept and gone on with by --init"
    )
    parser.add_argument("weights", type=Path, help="student.safetensors, or teacher.safetensors")
    parser.add_argument("--out", type=Path, required=True)


def run_pack(args: argparse.Namespace) -> None:
    """Writes what `add_pack` parsed, with the description of the file that it was."""
    about = json.loads(read_description(args.weights)[FORMAT])
    packed = pack_state(read_tensors(args.weights))
    write_weights(args.out, list(packed.items()), about | {"packed": file_sha256(args.weights)})
    print(f"{args.out}: {args.out.stat().st_size / 2**20:.2f} MiB")


def run_cartoon_export(args: argparse.Namespace) -> None:
    """Writes what `add_cartoon_export` parsed, with the chain of its parents."""
    if args.out.resolve().parent != args.base.resolve().parent:
        raise ValueError(
            f"out: expected a file beside {args.base}, which it is an addition to, got {args.out}"
        )
    model = MotionModel(preset("cartoon-motion"), vocabulary=WORDS)
    start_from(model, args.weights)
    stages = [_stage_of(path) for path in (*args.earlier, args.weights)]
    write_motion(args.out, model, args.base, {"stages": stages})
    print(f"{args.out}: {args.out.stat().st_size / 2**20:.2f} MiB")


def _stage_of(path: Path) -> dict:
    """What a stage's file says of itself: command, commit, steps, seconds, and the files it began with."""
    about = json.loads(read_description(path)[FORMAT])
    kept = {name: about[name] for name in ("stage", "step", "seconds")}
    return {"sha256": file_sha256(path), **kept, **about["provenance"]}


def run_cartoon_shards(args: argparse.Namespace) -> None:
    """Writes what `add_cartoon_shards` parsed."""
    check_whole_chunks(args.latents, 1)
    if args.motions < 1 or not 0 <= args.pairs <= 1:
        raise ValueError(
            f"scenes: expected at least one motion and a share of pairs, got {args.motions} and {args.pairs}"
        )
    points = Points(args.on_things, args.on_land)
    if min(points) < 1:
        raise ValueError(f"points: expected at least one of a thing and of the land, got {tuple(points)}")
    _, codec = read(args.weights)
    if args.bf16:  # the layout that such a CPU convolves fastest
        codec.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    for number in range(args.first, args.first + args.count):
        write_motion_shards(
            codec,
            args.out,
            number,
            1,
            held_out=args.held_out,
            latents=args.latents,
            bf16=args.bf16,
            pairs=args.pairs,
            motions=args.motions,
            points=points,
        )
        print(f"cartoon-shards {number + 1 - args.first}/{args.count}", file=sys.stderr, flush=True)
