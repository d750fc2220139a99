"""`train plan`: what a stage will cost, and the same on stderr before a large one begins.

Owns the options and where the table goes. The figures are `planning/training_cost.py`'s.
"""

from __future__ import annotations

import argparse
import os
import sys

from ...common.devices import parse_size
from ...model.presets import preset
from ...planning.training_cost import (
    BUFFER_STAGES,
    LARGE,
    STAGES,
    ClipSize,
    Machine,
    stages_of,
    table,
    usual_clip,
)


def add_plan(stages) -> None:
    """`plan` as a sub-command of `train`."""
    plan = stages.add_parser(
        "plan", help="memory, time and money of a stage for 1 to 32 GPUs, before it is begun"
    )
    plan.add_argument("--preset", required=True, help="wan2.1-1.3b, wan2.2-5b, wan2.1-14b, or a small one")
    # Not called `stage`: that is the name of the sub-command itself.
    plan.add_argument(
        "--stage",
        dest="planned",
        choices=(*STAGES, *BUFFER_STAGES),
        help="all of the preset's where none is named",
    )
    plan.add_argument("--size", type=parse_size, help="clips of another size, such as 832x480")
    plan.add_argument("--frames", type=int, help="pixel frames of a clip")
    plan.add_argument("--steps", type=int, help="the paper's by default")
    plan.add_argument("--batch", type=int, help="clips of a step over all GPUs; the paper's by default")
    machine = Machine()
    plan.add_argument(
        "--tflops",
        type=float,
        default=machine.tflops,
        help="sustained 10^12 FLOP/s of a GPU; by default 40 %% of an H100's dense bfloat16 peak",
    )
    plan.add_argument("--memory", type=float, default=machine.memory, help="GiB of a GPU")
    plan.add_argument("--link", type=float, default=machine.link, help="GB/s between GPUs")
    plan.add_argument("--price", type=float, default=machine.price, help="dollars an hour and GPU")


def announce(args: argparse.Namespace) -> None:
    """The plan of a stage of a large preset on stderr, before it is begun. Of several processes the first one
    tells it.
    """
    if (
        any(args.preset.startswith(family) for family in LARGE)
        and os.environ.get("RANK", "0") == "0"
        and args.stage in STAGES
    ):
        print(
            table(args.preset, args.stage, steps=args.steps, batch=args.batch * args.accumulate),
            file=sys.stderr,
            flush=True,
        )


def run_plan(args: argparse.Namespace) -> None:
    """Prints what `add_plan` parsed."""
    machine = Machine(args.tflops, args.memory, args.link, args.price)
    for name, value in (("steps", args.steps), ("batch", args.batch)):
        if value is not None and value < 1:
            raise ValueError(f"{name}: expected 1 or more, got {value}")
    preset(args.preset)
    usual = usual_clip(args.preset)
    width, height = args.size or (usual.width, usual.height)
    clip = ClipSize(width, height, usual.frames if args.frames is None else args.frames)
    print(
        "\n\n".join(
            table(args.preset, stage, clip=clip, machine=machine, steps=args.steps, batch=args.batch)
            for stage in ([args.planned] if args.planned else stages_of(args.preset))
        )
    )
