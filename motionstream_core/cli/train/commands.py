"""`python -m motionstream_core train <stage>`: media, codec, shards (or data), then teacher, trajectories,
causal-init, distill. Or causal, the short way. Behind them pairs and detail, the head behind the decoder, and
export.

Owns the command line of the stages and where their files lie below one run folder:
media/*.npz · codec/codec.safetensors · shards/*.npz and held/*.npz · <name>/student.safetensors · pairs/*.npz
and pairs_held/*.npz.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

from safetensors.torch import load_file

from ...codec.tiny import TinyCodec
from ...model.detail import DetailHead
from ...model.presets import with_unspecified
from ...model.weights.networks import BUILT_IN, Networks, open_networks, save_networks
from ...training.methods.detail import KEPT, SCENES, STYLE_SHARE, write_pairs
from ...training.methods.registry import METHODS
from .cartoon_command import (
    add_cartoon_export,
    add_cartoon_factor,
    add_cartoon_shards,
    add_pack,
    run_cartoon_export,
    run_cartoon_factor,
    run_cartoon_shards,
    run_pack,
)
from .data_command import add_data, run_data
from .plan_command import add_plan, run_plan
from .stage_commands import add_stages, run_stage
from .trajectories_command import add_trajectories, run_trajectories


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The stages as sub-commands of `train`."""
    stages = parser.add_subparsers(dest="stage", required=True)
    media = _add_media(stages)
    shards = _add_shards(stages)
    pairs = _add_pairs(stages)
    add_data(stages)
    add_cartoon_shards(stages)
    add_cartoon_factor(stages)
    add_cartoon_export(stages)
    add_pack(stages)
    add_trajectories(stages)
    add_stages(stages)
    add_plan(stages)
    export = _add_export(stages)
    for stage in (media, shards, pairs, export):
        stage.add_argument("--folder", type=Path, default=Path("runs"), help="run folder")
    for stage in (shards, pairs):
        stage.add_argument("--seed", type=int, default=0)


def _add_media(stages) -> argparse.ArgumentParser:
    media = stages.add_parser(
        "media", help="pictures and sprites out of unpacked packages, or drawn where there are none"
    )
    media.add_argument(
        "--sources",
        type=Path,
        help=(
            "folder with skimage, sklearn, opencv, lomiri, emoji, kenney; without it, drawn shapes and "
            "textures"
        ),
    )
    return media


def _add_shards(stages) -> argparse.ArgumentParser:
    shards = stages.add_parser("shards", help="clips of the synthetic world as latents and tracks on disk")
    shards.add_argument("--count", type=int, default=100, help="shards of 32 clips")
    shards.add_argument(
        "--imperfect-share",
        type=float,
        default=0.0,
        help="share of the clips told of as people tell: sparse, hand-drawn, too fast, shaky, let go",
    )
    shards.add_argument(
        "--unspecified",
        action="store_true",
        help="also write where a track says nothing, for stages with --unspecified",
    )
    return shards


def _add_pairs(stages) -> argparse.ArgumentParser:
    pairs = stages.add_parser(
        "pairs", help="frames that a student streams, what was carried and the truth, for the stage detail"
    )
    pairs.add_argument(
        "--weights", type=Path, default=BUILT_IN, help="weights file whose student and codec stream"
    )
    pairs.add_argument(
        "--style-share",
        type=float,
        default=STYLE_SHARE,
        help="share of scenes whose look a style word changes",
    )
    pairs.add_argument(
        "--count", type=int, default=40, help=f"files of {SCENES} scenes, {KEPT} frames of each"
    )
    return pairs


def _add_export(stages) -> argparse.ArgumentParser:
    export = stages.add_parser("export", help="one weights file from the codec and a student")
    export.add_argument("--preset", default="tiny")
    export.add_argument("--unspecified", action="store_true", help="of stages that were trained with it")
    export.add_argument("--name", default="")
    export.add_argument(
        "--weights", type=Path, help="the student's weights, <folder>/<name>/student.safetensors by default"
    )
    export.add_argument(
        "--base", type=Path, help="weights file that everything comes from but what is named here"
    )
    export.add_argument(
        "--detail", type=Path, help="the detail head's weights, detail.safetensors of the stage detail"
    )
    export.add_argument("--out", type=Path, required=True)
    export.add_argument("--about", type=Path, help="JSON with the provenance to write into the file")
    return export


def run(args: argparse.Namespace) -> None:
    """Runs the stage that `add_arguments` parsed."""
    {
        "media": _media,
        "shards": _shards,
        "pairs": _pairs,
        "data": run_data,
        "cartoon-shards": run_cartoon_shards,
        "cartoon-factor": run_cartoon_factor,
        "cartoon-export": run_cartoon_export,
        "pack": run_pack,
        "trajectories": run_trajectories,
        "plan": run_plan,
        "export": _export,
        **dict.fromkeys(METHODS, run_stage),
    }[args.stage](args)


def _media(args: argparse.Namespace) -> None:
    from ...training.data.drawn_media import build_drawn_media
    from ...training.data.media import build_media

    if args.sources is None:
        print(
            "media: no --sources, so shapes and textures drawn by this repository and its own example "
            "picture: enough to train and to try "
            "every stage, but a model of them knows shapes, not things (docs/training.md names the packages)",
            file=sys.stderr,
        )
    made = (
        build_media(args.sources, args.folder / "media")
        if args.sources
        else build_drawn_media(args.folder / "media")
    )
    print(json.dumps(made))


def _shards(args: argparse.Namespace) -> None:
    from ...training.data.shards import write_shards

    codec = load_codec(args.folder)
    if not any((args.folder / "held").glob("*.npz")):
        write_shards(
            codec,
            args.folder / "media/heldout.npz",
            args.folder / "held",
            9999,
            2,
            style_share=0.0,
            unspecified=args.unspecified,
        )
    write_shards(
        codec,
        args.folder / "media/train.npz",
        args.folder / "shards",
        args.seed,
        args.count,
        imperfect_share=args.imperfect_share,
        unspecified=args.unspecified,
    )


def _pairs(args: argparse.Namespace) -> None:
    networks, tell = open_networks(args.weights), lambda text: print(text, file=sys.stderr, flush=True)
    write_pairs(networks, args.folder / "media/heldout.npz", args.folder / "pairs_held", 9999, 2, tell)
    write_pairs(
        networks,
        args.folder / "media/train.npz",
        args.folder / "pairs",
        args.seed,
        args.count,
        tell,
        args.style_share,
    )


def _export(args: argparse.Namespace) -> None:
    from ...training.methods.roles import load_into

    networks = open_networks(args.base) if args.base is not None else _of_a_student(args)
    about = json.loads(args.about.read_text()) if args.about else {}
    if args.detail is not None:
        head = DetailHead()
        load_into(head, load_file(args.detail), "detail")
        networks = replace(networks, detail=head)
    save_networks(args.out, networks, about)
    print(f"{args.out}: {args.out.stat().st_size / 2**20:.2f} MiB")


def _of_a_student(args: argparse.Namespace) -> Networks:
    from ...model.config import BufferConfig
    from ...model.presets import preset
    from ...training.methods.roles import MotionModel, load_into

    config = preset(args.preset)
    if config.motion is None or isinstance(config.sampler, BufferConfig):
        return _of_a_video_model(args)
    student = MotionModel(with_unspecified(preset(args.preset)) if args.unspecified else preset(args.preset))
    load_into(
        student,
        load_file(args.weights or args.folder / (args.name or args.preset) / "student.safetensors"),
        "student",
    )
    return Networks(student.dit, student.track_head, load_codec(args.folder), student.words)


def _of_a_video_model(args: argparse.Namespace) -> Networks:
    """Networks of a model that begins without a picture, with the partitions that its run was trained
    for.
    """
    from ...model.presets import preset
    from ...training.methods.buffer_options import sampler_of
    from ...training.methods.roles import load_into
    from ...training.methods.video_model import open_video_model

    path = args.weights or args.folder / (args.name or args.preset) / "student.safetensors"
    model = open_video_model(preset(args.preset), args.preset)
    load_into(model, load_file(path), path.name)
    sampler = sampler_of(path)
    if sampler is not None:
        model.dit.config = replace(model.dit.config, sampler=sampler)
    head = getattr(model, "track_head", None)
    return Networks(model.dit, head, load_codec(args.folder), model.words, running_latents=True)


def load_codec(run: Path) -> TinyCodec:
    """The codec of a run folder, frozen."""
    codec = TinyCodec()
    codec.load_state_dict(load_file(run / "codec/codec.safetensors"))
    return codec.eval().requires_grad_(False)
