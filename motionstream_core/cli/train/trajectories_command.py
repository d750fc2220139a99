"""`train trajectories`: paths of a teacher from noise to video, for `causal-init --start ode`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch

from ...training.methods.causal_init import CausalInitRecipe
from ...training.methods.guidance import Guidance
from ...training.methods.options import (
    add_common,
    add_guidance,
    add_teacher_sees,
    open_pool,
    open_teacher,
)
from ...training.methods.roles import freeze
from ...training.methods.teacher import TeacherRecipe
from ...training.methods.trajectories import ODE_STEPS, PATHS, write_trajectories


def add_trajectories(stages) -> None:
    """`trajectories` as a sub-command of `train`."""
    parser = stages.add_parser(
        "trajectories", help="paths from noise to video of a teacher, for causal-init --start ode"
    )
    parser.add_argument("--teacher", type=Path, required=True, help="teacher.safetensors")
    parser.add_argument(
        "--count",
        type=int,
        help=f"files; each holds --batch trajectories; {PATHS} in all by default, as in the paper",
    )
    parser.add_argument(
        "--ode-steps",
        type=int,
        default=ODE_STEPS,
        help="evaluations of a path (three forwards each), %(default)s by default, as in the paper",
    )
    parser.add_argument(
        "--shift",
        type=float,
        help="of the path's noise levels, that of the teacher's training by default",
    )
    parser.add_argument(
        "--autoregressive",
        action="store_true",
        help="of an autoregressive teacher (causal-init --start ar), as Causal Forcing has it",
    )
    add_teacher_sees(parser)
    add_guidance(parser)
    add_common(parser)


def run_trajectories(args: argparse.Namespace) -> None:
    """Writes what `add_trajectories` parsed."""
    torch.manual_seed(args.seed)
    trained_with = CausalInitRecipe.shift if args.autoregressive else TeacherRecipe.shift
    write_trajectories(
        freeze(open_teacher(args)),
        open_pool(args, args.data),
        args.out,
        args.count or -(-PATHS // args.batch),
        batch=args.batch,
        steps=args.ode_steps,
        shift=trained_with if args.shift is None else args.shift,
        guidance=Guidance(text=args.text_weight, motion=args.motion_weight),
        causal=args.autoregressive,
        seed=args.seed,
        progress=lambda text: print(text, file=sys.stderr, flush=True),
    )
