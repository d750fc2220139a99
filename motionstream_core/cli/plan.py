"""`plan`: whether a stream fits a card, before anything is loaded. Words and, as last line, one JSON
document. Exit code 1 when nothing fits.
"""

from __future__ import annotations

import argparse
import json

from ..common.devices import parse_size
from ..model.cache import CacheShape
from ..model.presets import PRESETS
from ..model.weights.checkpoint_presets import CHECKPOINT_PRESETS, named_config
from ..model.weights.networks import check_size
from ..planning.stream_memory import DECODERS, GIB, PRECISIONS, Plan, advice, first_that_fits


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--preset",
        required=True,
        help=f"a network ({', '.join(PRESETS)}) or a checkpoint ({', '.join(CHECKPOINT_PRESETS)})",
    )
    parser.add_argument("--size", type=parse_size, default=(832, 480), help="WIDTHxHEIGHT")
    parser.add_argument(
        "--context",
        type=CacheShape.parse,
        default=None,
        help="chunk, sink and window such as c3s3w3, the preset's own by default",
    )
    parser.add_argument("--precision", default="bf16", choices=tuple(PRECISIONS))
    parser.add_argument("--decoder", default="wan", choices=DECODERS)
    parser.add_argument(
        "--memory",
        type=float,
        default=None,
        help="the card's memory in GiB; by default what is free on this machine's",
    )


def run(args: argparse.Namespace) -> int:
    config = named_config(args.preset)
    width, height = args.size
    check_size(config, width, height)
    wish = Plan(
        config, width, height, args.context or config.rolling.cache_shape, args.precision, args.decoder
    )
    memory = int(args.memory * GIB) if args.memory is not None else free_memory()
    found = first_that_fits(wish, memory)
    print(advice(wish, memory))
    print(
        json.dumps(
            {
                "fits": found == wish,
                "memory": memory,
                "bytes": wish.bytes,
                **wish.parts,
                "instead": None if found in (None, wish) else found.words,
            }
        )
    )
    return 0 if found is not None else 1


def free_memory() -> int:
    """Bytes free on the card. ValueError where there is none."""
    import torch

    if not torch.cuda.is_available():
        raise ValueError("memory: expected --memory in GiB on a machine without a CUDA device, got none")
    return torch.cuda.mem_get_info()[0]
