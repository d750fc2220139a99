"""What the methods of the moving buffer have in common on the command line, and what they say of the weights.

Owns their shared options, their data, and the sampler's settings in a run's provenance.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...model.config import BufferConfig
from ...model.presets import ModelConfig, preset
from ...model.weights.bundle import buffer_from_dict, buffer_to_dict
from ..data.pool import Pool
from ..engine.checkpoints import FORMAT
from ..engine.stage import Data, Stage
from .initial import read_description, read_tensors
from .options import Setup, file_digests
from .roles import has_own_words, load_into
from .video_model import VideoModel, check_buffer, open_video_model

SAMPLER = "sampler"  # of a run's provenance: the buffer's settings as a header has them


def add_buffer_common(parser: argparse.ArgumentParser) -> None:
    """Preset, data, where to write, batch and seed."""
    parser.add_argument("--preset", default="streamdit-tiny", help="streamdit-tiny, cartoon, streamdit-4b …")
    parser.add_argument("--data", type=Path, required=True, help="folder of shards")
    parser.add_argument("--held", type=Path, help="folder of held-out shards, to validate on")
    parser.add_argument(
        "--out", type=Path, required=True, help="folder of checkpoints, curve and weights; run again to go on"
    )
    parser.add_argument("--batch", type=int, default=8, help="clips of a micro-batch")
    parser.add_argument("--seed", type=int, default=0)


def open_buffer_config(args: argparse.Namespace) -> ModelConfig:
    """The preset. ValueError for one of another sampler."""
    config = preset(args.preset)
    check_buffer(config, args.preset)
    return config


def open_of(args: argparse.Namespace, path: Path | None) -> VideoModel:
    """A model of the preset with the weights of a file, or fresh ones."""
    model = open_video_model(open_buffer_config(args), args.preset)
    if path is not None:
        load_into(model, read_tensors(path), path.name)
        print(f"{path.name}: all weights", file=sys.stderr)
    return model


def open_clips(args: argparse.Namespace, folder: Path) -> Pool:
    """The shards of a folder. ValueError where they lack a field."""
    config = open_buffer_config(args)
    fields = ["latents", "tokens" if has_own_words(args.preset) else "text"]
    if config.motion is not None:
        fields += ["xy", "visible"]
        fields += ["warp", "masks"] if "warp" in config.motion.parts else []
    return Pool(folder, fields)


def buffer_setup(
    args: argparse.Namespace,
    stage: Stage,
    data: Data,
    parents: Sequence[Path | None],
    sampler: BufferConfig,
    about: Mapping[str, Any],
) -> Setup:
    """The setup of a buffer's method, with the sampler that its weights are for in the provenance.

    Args:
        args: the parsed options.
        stage: who learns, and the loss.
        data: the batches.
        parents: files that the training begins with.
        sampler: the partition that the weights are for.
        about: further JSON values for the provenance.
    """
    rates = {role: args.lr for role in stage.trainable}
    known = {SAMPLER: buffer_to_dict(sampler), **about}
    return Setup(
        stage, data, rates, args.preset, args.data.name, args.out, file_digests(*parents), about=known
    )


def sampler_of(path: Path) -> BufferConfig | None:
    """The settings that a run's weights are for. None where the file does not say."""
    about = json.loads(read_description(path).get(FORMAT, "{}")).get("provenance", {})
    return None if SAMPLER not in about else buffer_from_dict(about[SAMPLER])
