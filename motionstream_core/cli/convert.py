"""`convert`: a public causal Wan checkpoint (.pt or .safetensors) -> one safetensors file that the host's
loaders and this pack read.

Owns what is asked of the person. Knows nothing of keys.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import torch

from ..common.devices import show_progress
from ..model.cache import CacheShape
from ..model.weights.checkpoint_presets import (
    CHECKPOINT_PRESETS,
    WHOLE_CLIP_PRESETS,
    CausalPreset,
    checkpoint_preset,
)
from ..model.weights.convert import convert

DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32, "keep": None}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source", type=Path, metavar="IN", help="the public file; pickled ones are opened for tensors alone"
    )
    parser.add_argument(
        "target",
        type=Path,
        metavar="OUT",
        help="the file to write, such as models/diffusion_models/NAME.safetensors",
    )
    presets = CHECKPOINT_PRESETS | WHOLE_CLIP_PRESETS
    known = "; ".join(f"{name}: {preset.about}" for name, preset in presets.items())
    parser.add_argument(
        "--preset", default=None, help=f"what the checkpoint was made for, unless its header says so. {known}"
    )
    parser.add_argument(
        "--context",
        default=None,
        help="chunk, sink and window in latent frames, such as c3s3w15, instead of the preset's",
    )
    parser.add_argument(
        "--timesteps",
        type=float,
        nargs="+",
        default=None,
        help="the noise levels, 1000 first, such as 1000 757 522, instead of the preset's",
    )
    parser.add_argument(
        "--shift",
        type=float,
        default=None,
        help="the shift for other numbers of steps, instead of the preset's",
    )
    parser.add_argument(
        "--lora", type=Path, default=None, help="a LoRA to merge in, such as LongLive's lora.pt"
    )
    parser.add_argument(
        "--track-head", type=Path, default=None, help="a file with a track head, to travel in the same file"
    )
    parser.add_argument(
        "--heads", type=int, default=None, help="attention heads, where they are not of 128 channels"
    )
    parser.add_argument(
        "--dtype", choices=sorted(DTYPES), default="bfloat16", help="of the matrices; vectors stay float32"
    )


def run(args: argparse.Namespace) -> None:
    if args.source.resolve() == args.target.resolve():
        raise ValueError(f"OUT: expected another file than IN, got {args.target}")
    if args.target.suffix != ".safetensors":
        raise ValueError(f"OUT: expected a name that ends in .safetensors, got {args.target.name}")
    options = {
        "lora": args.lora,
        "track_head": args.track_head,
        "dtype": DTYPES[args.dtype],
        "num_heads": args.heads,
    }
    config = convert(args.source, args.target, choose_preset(args), say=show_progress, **options)
    sizes = {
        "dim": config.dim,
        "layers": config.num_layers,
        "channels": config.latent_channels,
        "track_head": config.motion is not None,
    }
    schedule = {
        "context": config.rolling.cache_shape.label,
        "steps": config.sampler.steps,
        "shift": config.rolling.shift,
        "sigmas": config.rolling.sigmas,
    }
    print(json.dumps({"file": str(args.target), "bytes": args.target.stat().st_size, **sizes, **schedule}))


def choose_preset(args: argparse.Namespace) -> CausalPreset | None:
    """The preset, with what was stated beside it. None where the file is to speak for itself."""
    beside = {
        "context": args.context,
        "timesteps": None if args.timesteps is None else tuple(args.timesteps),
        "shift": args.shift,
    }
    beside = {name: value for name, value in beside.items() if value is not None}
    if args.preset is None:
        if beside:
            raise ValueError(f"--{next(iter(beside))}: expected it beside a --preset, got no preset")
        return None
    if args.context is not None:
        CacheShape.parse(args.context)
    levels = args.timesteps
    if levels is not None:
        if (
            levels[0] != 1000
            or any(later >= earlier for earlier, later in zip(levels, levels[1:]))
            or levels[-1] <= 0
        ):
            raise ValueError(f"--timesteps: expected falling levels from 1000, above 0, got {levels}")
        beside |= {"steps": len(levels), "sigmas": None}
    return replace(checkpoint_preset(args.preset), **beside)
