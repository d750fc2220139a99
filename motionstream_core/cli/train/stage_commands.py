"""`train codec | causal | teacher | causal-init | distill | detail | buffer | segments`: the registered
methods (`registry`) from the command line.

Owns the engine's options. A method's folder (`--out`) holds its checkpoints, its curve and samples and, at
the end, <role>.safetensors: what the next one's --init, --teacher and --student name.
"""

from __future__ import annotations

import argparse
import sys

import torch

from ...evaluation.results import git_commit
from ...training.engine.engine import train
from ...training.engine.stage import OPTIMIZERS, PARALLEL, PRECISIONS, TrainConfig
from ...training.methods.options import Setup
from ...training.methods.registry import METHODS
from .plan_command import announce


def add_stages(stages) -> None:
    """The methods as sub-commands of `train`."""
    for method in METHODS.values():
        parser = stages.add_parser(method.NAME, help=method.HELP)
        add_engine(parser, method.LR)
        method.add_arguments(parser)


def add_engine(parser: argparse.ArgumentParser, lr: float) -> None:
    """What the engine is told of any method."""
    engine = parser.add_argument_group("engine")
    length = engine.add_mutually_exclusive_group(required=True)
    length.add_argument("--steps", type=int, help="of the whole run, all its sittings together")
    length.add_argument("--minutes", type=float, help="of the whole run, all its sittings together")
    engine.add_argument(
        "--accumulate", type=int, default=1, help="micro-batches of a step, dealt out to the processes"
    )
    add_optimizer(engine, lr)
    engine.add_argument("--precision", choices=PRECISIONS, default="fp32")
    engine.add_argument(
        "--parallel",
        choices=PARALLEL,
        default="fsdp",
        help="several processes: parameters divided (adamw alone), or a whole replica in each",
    )
    engine.add_argument(
        "--checkpointing", action="store_true", help="activations are made again in the backward pass"
    )
    engine.add_argument(
        "--save-seconds",
        type=float,
        default=300.0,
        metavar="SECONDS",
        help="between two checkpoints: the most that a broken run loses",
    )
    engine.add_argument("--validate-every", type=int, default=0, metavar="STEPS", help="0: at the end alone")
    engine.add_argument("--sample-every", type=int, default=0, metavar="STEPS", help="0: at the end alone")
    engine.add_argument("--ema", type=float, default=0.99, help="decay of the average that is exported")
    engine.add_argument(
        "--warmup", type=int, default=10, metavar="STEPS", help="until the learning rate is full"
    )
    engine.add_argument(
        "--decay",
        type=float,
        default=0.4,
        help="last share of the run over which the learning rate falls to zero",
    )


def add_optimizer(engine: argparse._ArgumentGroup, lr: float) -> None:
    """The optimiser of any method."""
    engine.add_argument(
        "--lr",
        type=float,
        default=lr,
        help=f"learning rate, {lr:g} by default; the paper's for Wan: 1e-5, then 2e-6",
    )
    engine.add_argument(
        "--optimizer",
        choices=OPTIMIZERS,
        default="muon",
        help="muon-bf16 orthogonalises all matrices of a shape at once, in bfloat16: twice as fast on a CPU",
    )
    engine.add_argument(
        "--adam-lr",
        type=float,
        default=TrainConfig.adam_lr,
        help="with muon, of what is no matrix; %(default)s by default",
    )
    engine.add_argument(
        "--betas",
        type=float,
        nargs=2,
        metavar=("B1", "B2"),
        help=("of adamw, {} {} by default; Self Forcing distils with 0 0.999".format(*TrainConfig.betas)),
    )
    engine.add_argument(
        "--clip",
        type=float,
        default=TrainConfig.clip,
        metavar="NORM",
        help="most norm of a step's gradient, %(default)s by default; Self Forcing distils with 10",
    )


def run_stage(args: argparse.Namespace) -> None:
    """Trains by the method that `add_stages` parsed."""
    torch.manual_seed(args.seed)  # weights that begin fresh: the same in every process and every time
    _check_shown(args)
    if hasattr(args, "preset"):
        announce(args)
    setup = METHODS[args.stage].build(args)
    provenance = {
        "stage": args.stage,
        "preset": setup.preset,
        "data": setup.source,
        "command": " ".join(sys.argv[1:]),
        "commit": git_commit(),
        "parents": dict(setup.parents),
        **setup.about,
    }
    train(setup.stage, setup.data, engine_config(args, setup), setup.out, provenance)


def _check_shown(args: argparse.Namespace) -> None:
    """ValueError where something is asked for that there is nothing to make of."""
    needs = {"validate_every": ("held",), "sample_every": ("held", "codec")}
    for asked, needed in needs.items():
        lacking = [f"--{name}" for name in needed if hasattr(args, name) and getattr(args, name) is None]
        if getattr(args, asked) and lacking:
            raise ValueError(f"{asked.replace('_', '-')}: expected {' and '.join(lacking)} too, got none")


def engine_config(args: argparse.Namespace, setup: Setup) -> TrainConfig:
    """The engine's settings of the parsed options."""
    if args.betas is not None and args.optimizer != "adamw":
        raise ValueError(f"betas: expected them with --optimizer adamw, got --optimizer {args.optimizer}")
    first, second = args.betas or TrainConfig.betas
    return TrainConfig(
        steps=args.steps,
        minutes=args.minutes,
        batch=args.batch,
        accumulate=args.accumulate,
        lr=setup.lr,
        optimizer=args.optimizer,
        adam_lr=args.adam_lr,
        betas=(first, second),
        clip=args.clip,
        precision=args.precision,
        parallel=args.parallel,
        checkpointing=args.checkpointing,
        save_seconds=args.save_seconds,
        ema_decay=args.ema,
        seed=args.seed,
        warmup=args.warmup,
        decay=args.decay,
        validate_every=args.validate_every,
        sample_every=args.sample_every,
    )
