"""What the methods have in common on the command line: their shared options, and what is made of them.

`Method` is what a file of a method offers to the registry, `Setup` what it gives to the engine.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from ...codec.tiny import TinyCodec
from ...common.digests import file_sha256
from ...model.presets import ModelConfig, preset, with_unspecified
from ...model.text import BUILT_IN, Vocabulary
from ..cartoon.low_rank import with_motion_additions
from ..cartoon.quick import quicken
from ..cartoon.vocabulary import CARTOON
from ..data.encoders import open_encoder
from ..data.pool import NEEDED, Pool
from ..engine.stage import Data, Stage
from .initial import start_from
from .refresh import SinkRefresh
from .roles import MotionModel, has_own_words
from .samples import Samples
from .steps import check_whole_chunks


@dataclass(frozen=True)
class Setup:
    """A training that is ready for the engine. `preset` is what a checkpoint of it must agree on, `about`
    what the provenance says beside the rest.
    """

    stage: Stage
    data: Data
    lr: Mapping[str, float]  # by role
    preset: str
    source: str  # name of the data
    out: Path
    parents: Mapping[str, str]  # the files that it begins with, by name, and their hashes
    about: Mapping[str, Any] = field(default_factory=dict)


class Method(Protocol):
    """A method of training: a module with these names (see `registry`)."""

    @property
    def NAME(self) -> str:
        """The sub-command of `train`."""
        ...

    @property
    def HELP(self) -> str: ...

    @property
    def LR(self) -> float:
        """The learning rate by default, of the tiny preset with Muon."""
        ...

    def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...

    def build(self, args: argparse.Namespace) -> Setup: ...


# options


def add_common(parser: argparse.ArgumentParser) -> None:
    """Preset, data, where to write, batch and seed."""
    parser.add_argument("--preset", default="tiny", help="tiny, tiny-ids, or one of Wan's with -motion")
    parser.add_argument(
        "--data",
        type=Path,
        required=True,
        help="folder of shards; of trajectories for causal-init --start ode",
    )
    parser.add_argument(
        "--unspecified",
        action="store_true",
        help=(
            "the track head has a channel for tracks that say nothing (let go), beside hidden ones; see "
            "`train shards --unspecified`"
        ),
    )
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        help="folder of checkpoints, curve, samples and weights; run again to go on",
    )
    parser.add_argument("--batch", type=int, default=8, help="clips of a micro-batch")
    parser.add_argument("--seed", type=int, default=0)


def add_validation(parser: argparse.ArgumentParser) -> None:
    """What is held out, and the codec that shows it."""
    parser.add_argument("--held", type=Path, help="folder of held-out shards, to validate on and to show")
    parser.add_argument(
        "--codec",
        type=Path,
        help="codec.safetensors of a run, or the VAE of a Wan preset, for sample videos and --refresh-share",
    )


def add_guidance(parser: argparse.ArgumentParser) -> None:
    """The weights of the joint guidance."""
    parser.add_argument("--text-weight", type=float, default=3.0, help="w_t of the joint guidance")
    parser.add_argument("--motion-weight", type=float, default=1.5, help="w_m of the joint guidance")


def add_teacher_sees(parser: argparse.ArgumentParser) -> None:
    """What goes through the picture layers of a teacher that has some."""
    parser.add_argument(
        "--teacher-sees",
        choices=("picture", "text"),
        default="picture",
        help="for a teacher that looks at a picture (TrackWan's): CLIP vision features, or the first text "
        "tokens, as it was probably trained",
    )


def add_keep_tracks(parser: argparse.ArgumentParser, usual: tuple[float, float]) -> None:
    """How many of its tracks a sample is told of."""
    parser.add_argument(
        "--keep-tracks",
        type=float,
        nargs=2,
        default=usual,
        metavar=("LEAST", "MOST"),
        help="share of the tracks that a sample is told of, drawn evenly",
    )
    parser.add_argument(
        "--sparse-share",
        type=float,
        default=0.0,
        metavar="P",
        help="share of the samples that are told of few tracks, 3 to 16 in a hundred",
    )


def add_refresh(parser: argparse.ArgumentParser) -> None:
    """How often the sink is refreshed in mid-clip."""
    parser.add_argument(
        "--refresh-share",
        type=float,
        default=0.0,
        metavar="P",
        help="in this share of the steps the sink is refreshed in mid-clip, as by a stream's scene change",
    )


# what is made of them


def setup(
    args: argparse.Namespace,
    stage: Stage,
    data: Data,
    parents: Mapping[str, str],
    lr: Mapping[str, float] | None = None,
) -> Setup:
    """The setup of a method whose options are the common ones.

    Args:
        args: the parsed options.
        stage: who learns, and the loss.
        data: the batches.
        parents: files that the training begins with, and their hashes.
        lr: learning rates by role, that of all roles by default.
    """
    rates = {role: args.lr for role in stage.trainable} if lr is None else lr
    return Setup(stage, data, rates, preset_name(args), args.data.name, args.out, parents)


def open_config(args: argparse.Namespace) -> ModelConfig:
    """The preset. ValueError for one without motion."""
    config = preset(args.preset)
    if config.motion is None:
        raise ValueError(
            f"preset: expected one with motion (tiny, tiny-ids, wan2.1-1.3b-motion …), got {args.preset!r}"
        )
    return with_unspecified(config) if args.unspecified else config


def preset_name(args: argparse.Namespace) -> str:
    """What a checkpoint must agree on."""
    return args.preset + (" --unspecified" if args.unspecified else "")


def open_model(args: argparse.Namespace, path: Path | None, quick: bool = False) -> MotionModel:
    """A model of the preset with the weights of a file, or fresh ones.

    quick: in bfloat16 the cartoon's networks take the quicker norms. Not for a model that is copied later.
    """
    own, words = has_own_words(args.preset), vocabulary_of(args.preset)
    model = MotionModel(open_config(args), own_words=own, vocabulary=words)
    if path is not None:
        print(f"{path.name}: {start_from(model, path)}", file=sys.stderr)
    rank = getattr(args, "additions", None)
    if rank and not hasattr(model, "held"):
        with_motion_additions(model, rank, args.seed)
    if quick and args.preset.startswith("cartoon") and getattr(args, "precision", "") == "bf16":
        quicken(model.dit)
    return model


def open_teacher(args: argparse.Namespace) -> MotionModel:
    """The model of --teacher, which sees what --teacher-sees says."""
    model = open_model(args, args.teacher)
    if args.teacher_sees == "text" and model.config.image_dim is None:
        raise ValueError(f"teacher-sees: expected picture for {args.preset}, whose network looks at none")
    model.sees_text = args.teacher_sees == "text"
    return model


def vocabulary_of(name: str) -> Vocabulary:
    """The words of a preset that has some of its own."""
    return CARTOON if name.startswith("cartoon") else BUILT_IN


def file_digests(*paths: Path | None) -> dict[str, str]:
    """The files that a training begins with, by name, and their hashes."""
    return {path.name: file_sha256(path) for path in paths if path is not None}


def shard_fields(args: argparse.Namespace) -> tuple[str, ...]:
    """What every shard must have."""
    needed = [name for name in NEEDED if name != "tokens"]
    needed.append("tokens" if has_own_words(args.preset) else "text")
    config = preset(args.preset)
    if config.motion is not None and "warp" in config.motion.parts:
        needed += ["warp", "masks"]
    if config.motion is not None and config.motion.grey:
        needed.append("grey")
    if config.image_dim is not None:
        needed.append("picture")
    if args.unspecified:
        needed.append("unspecified")
    return tuple(needed)


def open_pool(args: argparse.Namespace, folder: Path) -> Pool:
    """The shards of a folder. ValueError where they lack a field, or their clips are no whole chunks."""
    pool = Pool(folder, shard_fields(args))
    for shard in list(pool.shards.values())[:1]:  # all have the same shapes
        check_whole_chunks(shard.shapes["latents"][1], open_config(args).rolling.cache_shape.chunk)
    return pool


def open_validation(args: argparse.Namespace) -> Pool | None:
    """The held-out shards, where there are some."""
    return open_pool(args, args.held) if args.held is not None else None


def open_samples(args: argparse.Namespace, make: Callable[[Any, Data], Samples]) -> Samples | None:
    """What makes sample videos, where there is a codec and something to show. make: (codec, data)."""
    held = open_validation(args)
    if args.codec is None or held is None:
        return None
    return make(open_codec(args), held)


def open_refresh(args: argparse.Namespace) -> SinkRefresh:
    """How often training meets a refreshed sink, with the codec that a warped start image needs."""
    motion = open_config(args).motion
    if not args.refresh_share or args.codec is None or motion is None or "warp" not in motion.parts:
        return SinkRefresh(args.refresh_share)
    codec = open_codec(args)
    if not isinstance(codec, TinyCodec):
        raise ValueError(
            f"refresh: expected the tiny codec for a warped start image, got {type(codec).__name__}"
        )
    return SinkRefresh(args.refresh_share, codec)


def open_codec(args: argparse.Namespace):
    """The codec of --codec."""
    return open_encoder(args.preset, open_config(args), args.codec, "auto")
