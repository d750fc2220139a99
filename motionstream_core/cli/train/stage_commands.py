"""`train causal | teacher | trajectories | causal-init | distill | detail`: the stages that run on the
engine, from the command line.

Owns the options of these stages and how files become roles. A stage's folder (`--out`) holds its checkpoints,
its curve and samples and, at the end, <role>.safetensors: what the next stage's --init, --teacher and
--student name.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file

from ...model.detail import DetailHead
from ...model.presets import ModelConfig, MotionConfig, preset, with_unspecified
from ...planning.training_cost import announce
from ...sampling.flow import schedule_of
from ...training.data.pool import NEEDED, Pool
from ...training.engine.engine import TrainConfig, train
from ...training.methods import samples
from ...training.methods.causal import CausalRecipe, CausalStage
from ...training.methods.causal_init import CausalInitRecipe, CausalInitStage
from ...training.methods.detail import DetailStage, Pairs
from ...training.methods.distill import DistillRecipe, DistillStage
from ...training.methods.guidance import Guidance
from ...training.methods.initial import digest, start_from
from ...training.methods.refresh import SinkRefresh
from ...training.methods.roles import MotionModel, freeze, has_own_words, load_into
from ...training.methods.teacher import TeacherRecipe, TeacherStage
from ...training.methods.trajectories import Trajectories, write_trajectories
from .data_command import encoder_of

STAGES = ("causal", "teacher", "trajectories", "causal-init", "distill", "detail")
LR = {
    "codec": 1.2e-2,
    "causal": 1e-2,
    "teacher": 1e-2,
    "causal-init": 4e-3,
    "distill": 1e-3,
    "detail": 4e-3,
}  # of the tiny preset (Muon); the paper's for Wan: 1e-5, 2e-6, 2e-6


def add_stages(stages) -> None:
    """The stages as sub-commands of `train`."""
    causal = stages.add_parser(
        "causal", help="the streaming student without a teacher: on real chunks and its own"
    )
    causal.add_argument("--init", type=Path, help="weights to begin with")
    teacher = stages.add_parser("teacher", help="the bidirectional motion teacher")
    teacher.add_argument(
        "--init",
        type=Path,
        help="weights to begin with: an earlier stage, a Wan model or a control model (safetensors)",
    )
    teacher.add_argument(
        "--phase",
        type=int,
        default=1,
        choices=(1, 2),
        help="2: frozen track head, chunks of the motion hidden at random",
    )
    teacher.add_argument(
        "--text-dropout", type=float, default=0.1, help="share of the samples whose text is hidden"
    )
    trajectories = stages.add_parser(
        "trajectories", help="paths from noise to video of a teacher, for causal-init --start ode"
    )
    trajectories.add_argument("--teacher", type=Path, required=True, help="teacher.safetensors")
    trajectories.add_argument("--count", type=int, default=32, help="files; each holds --batch trajectories")
    trajectories.add_argument(
        "--ode-steps", type=int, default=24, help="evaluations of a path (three forwards each)"
    )
    trajectories.add_argument(
        "--autoregressive",
        action="store_true",
        help="of an autoregressive teacher (causal-init --start ar), as Causal Forcing has it",
    )
    init = stages.add_parser("causal-init", help="the teacher's weights become a causal few-step student")
    init.add_argument("--init", type=Path, required=True, help="the teacher's weights")
    init.add_argument(
        "--start",
        choices=("ode", "ar"),
        default="ode",
        help="ode: regression on trajectories; ar: flow matching behind clean chunks",
    )
    distill = stages.add_parser("distill", help="Self Forcing with distribution matching")
    distill.add_argument("--student", type=Path, required=True, help="student.safetensors of causal-init")
    distill.add_argument(
        "--teacher",
        type=Path,
        required=True,
        help="teacher.safetensors: the real score, and the fake one's beginning",
    )
    distill.add_argument(
        "--critic-steps", type=int, default=5, help="updates of the fake score for each of the student's"
    )
    distill.add_argument(
        "--no-rolling", action="store_true", help="the cache keeps the whole clip in training (an ablation)"
    )
    distill.add_argument(
        "--anchor",
        type=float,
        default=0.0,
        help="weight of a regression to the real clip beside the distribution matching",
    )
    for stage in (causal, distill):
        stage.add_argument(
            "--refresh-share",
            type=float,
            default=0.0,
            metavar="P",
            help=(
                "in this share of the steps the sink is refreshed in mid-clip, as by a stream's scene change"
            ),
        )
    for stage in (trajectories, distill):
        stage.add_argument("--text-weight", type=float, default=3.0, help="w_t of the joint guidance")
        stage.add_argument("--motion-weight", type=float, default=1.5, help="w_m of the joint guidance")
    detail = stages.add_parser(
        "detail",
        help="the head behind the decoder that shows the start image's texture (--data: of `train pairs`)",
    )
    detail.add_argument("--init", type=Path, help="weights to begin with")
    for stage in (causal, teacher, trajectories, init, distill, detail):
        _add_common(stage)
    for name, stage in (
        ("causal", causal),
        ("teacher", teacher),
        ("causal-init", init),
        ("distill", distill),
        ("detail", detail),
    ):
        stage.add_argument("--held", type=Path, help="folder of held-out shards, to validate on and to show")
        stage.add_argument(
            "--codec",
            type=Path,
            help=(
                "codec.safetensors of a run, or the VAE of a Wan preset, for sample videos and "
                "--refresh-share"
            ),
        )
        add_engine(stage, name)


def _add_common(stage: argparse.ArgumentParser) -> None:
    stage.add_argument("--preset", default="tiny", help="tiny, tiny-ids, or one of Wan's with -motion")
    stage.add_argument(
        "--data",
        type=Path,
        required=True,
        help="folder of shards; of trajectories for causal-init --start ode",
    )
    stage.add_argument(
        "--unspecified",
        action="store_true",
        help=(
            "the track head has a channel for tracks that say nothing (let go), beside hidden ones; see "
            "`train shards --unspecified`"
        ),
    )
    stage.add_argument(
        "--out",
        type=Path,
        required=True,
        help="folder of checkpoints, curve, samples and weights; run again to go on",
    )
    stage.add_argument("--batch", type=int, default=8, help="clips of a micro-batch")
    stage.add_argument("--seed", type=int, default=0)


def add_engine(stage: argparse.ArgumentParser, name: str) -> None:
    """What the engine is told of any stage."""
    length = stage.add_mutually_exclusive_group(required=True)
    length.add_argument("--steps", type=int, help="of the whole run, all its sittings together")
    length.add_argument("--minutes", type=float, help="of the whole run, all its sittings together")
    stage.add_argument(
        "--accumulate", type=int, default=1, help="micro-batches of a step, dealt out to the processes"
    )
    stage.add_argument(
        "--lr",
        type=float,
        default=LR[name],
        help=f"learning rate, {LR[name]:g} by default; the paper's for Wan: 1e-5, then 2e-6",
    )
    stage.add_argument(
        "--critic-lr", type=float, help="of the fake score; a fifth of --lr by default, as in the paper"
    ) if name == "distill" else None
    stage.add_argument("--optimizer", choices=("muon", "adamw"), default="muon")
    stage.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    stage.add_argument(
        "--parallel",
        choices=("fsdp", "replicas"),
        default="fsdp",
        help="several processes: parameters divided (adamw alone), or a whole replica in each",
    )
    stage.add_argument(
        "--checkpointing", action="store_true", help="activations are made again in the backward pass"
    )
    stage.add_argument(
        "--save-seconds",
        type=float,
        default=300.0,
        metavar="SECONDS",
        help="between two checkpoints: the most that a broken run loses",
    )
    stage.add_argument("--validate-every", type=int, default=0, metavar="STEPS", help="0: at the end alone")
    stage.add_argument("--sample-every", type=int, default=0, metavar="STEPS", help="0: at the end alone")
    stage.add_argument("--ema", type=float, default=0.99, help="decay of the average that is exported")
    stage.add_argument(
        "--warmup", type=int, default=10, metavar="STEPS", help="until the learning rate is full"
    )
    stage.add_argument(
        "--decay",
        type=float,
        default=0.4,
        help="last share of the run over which the learning rate falls to zero",
    )


def run_stage(args: argparse.Namespace) -> None:
    """Runs the stage that `add_stages` parsed."""
    torch.manual_seed(args.seed)  # weights that begin fresh: the same in every process and every time
    if args.stage == "trajectories":
        return _trajectories(args)
    _check_shown(args)
    if args.stage != "detail":
        announce(args)
    stage, begun_with = {
        "causal": _causal,
        "teacher": _teacher,
        "causal-init": _causal_init,
        "distill": _distill,
        "detail": _detail,
    }[args.stage](args)
    provenance = {
        "stage": args.stage,
        "preset": _name(args),
        "data": args.data.name,
        "command": " ".join(sys.argv[1:]),
        "commit": commit(),
        "parents": begun_with,
    }
    train(stage, _data(args), engine_config(args), args.out, provenance)
    return None


def _check_shown(args: argparse.Namespace) -> None:
    """ValueError where something is asked for that there is nothing to make of."""
    needs = {"validate_every": ("held",), "sample_every": ("held", "codec")}
    for asked, needed in needs.items():
        lacking = [f"--{name}" for name in needed if getattr(args, name) is None]
        if getattr(args, asked) and lacking:
            raise ValueError(f"{asked.replace('_', '-')}: expected {' and '.join(lacking)} too, got none")


def engine_config(args: argparse.Namespace) -> TrainConfig:
    """The engine's settings of the parsed options."""
    roles = {
        "codec": "codec",
        "teacher": "teacher",
        "causal-init": "student",
        "causal": "student",
        "detail": "detail",
    }
    if args.stage in roles:
        lr = {roles[args.stage]: args.lr}
    else:
        lr = {"student": args.lr, "fake_score": args.critic_lr if args.critic_lr is not None else args.lr / 5}
    return TrainConfig(
        steps=args.steps,
        minutes=args.minutes,
        batch=args.batch,
        accumulate=args.accumulate,
        lr=lr,
        optimizer=args.optimizer,
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


def _config(args: argparse.Namespace) -> ModelConfig:
    config = preset(args.preset)
    if config.motion is None:
        raise ValueError(
            f"preset: expected one with motion (tiny, tiny-ids, wan2.1-1.3b-motion …), got {args.preset!r}"
        )
    return with_unspecified(config) if args.unspecified else config


def _name(args: argparse.Namespace) -> str:
    """What a checkpoint must agree on."""
    return args.preset + (" --unspecified" if args.unspecified else "")


def _model(args: argparse.Namespace, path: Path | None) -> MotionModel:
    """A model of the preset with the weights of a file, or fresh ones."""
    model = MotionModel(_config(args), own_words=has_own_words(args.preset))
    if path is not None:
        print(f"{path.name}: {start_from(model, path)}", file=sys.stderr)
    return model


def parents(*paths: Path | None) -> dict[str, str]:
    """The files that a stage begins with, by name, and their hashes."""
    return {path.name: digest(path) for path in paths if path is not None}


def _held(args: argparse.Namespace) -> Pool | None:
    return Pool(args.held, fields(args)) if args.held is not None else None


def _samples(args: argparse.Namespace, make):
    if args.codec is None or args.held is None:
        return None
    return make(_codec(args), _held(args))


def _refresh(args: argparse.Namespace) -> SinkRefresh:
    needed = args.refresh_share and "warp" in _config(args).motion.parts and args.codec is not None
    return SinkRefresh(args.refresh_share, _codec(args) if needed else None)


def _codec(args: argparse.Namespace):
    return encoder_of(args.preset, _config(args), args.codec, "auto")


def fields(args: argparse.Namespace) -> tuple[str, ...]:
    """What every shard must have."""
    needed = (
        NEEDED if has_own_words(args.preset) else (*(name for name in NEEDED if name != "tokens"), "text")
    )
    needed += ("warp", "masks") if "warp" in (preset(args.preset).motion or MotionConfig()).parts else ()
    return (*needed, "unspecified") if args.unspecified else needed


def _data(args: argparse.Namespace):
    if args.stage == "detail":
        return Pairs(args.data)
    if args.stage == "causal-init" and args.start == "ode":
        return Trajectories(args.data, schedule_of(_config(args)))
    return Pool(args.data, fields(args))


def _causal(args: argparse.Namespace):
    recipe = CausalRecipe()
    return CausalStage(
        _model(args, args.init), recipe, _held(args), _samples(args, samples.of_students), _refresh(args)
    ), parents(args.init)


def _teacher(args: argparse.Namespace):
    recipe = TeacherRecipe(phase=args.phase, text_dropout=args.text_dropout)
    shown = _samples(args, lambda codec, held: samples.of_teachers(codec, held, Guidance()))
    return TeacherStage(_model(args, args.init), recipe, _held(args), shown), parents(args.init)


def _causal_init(args: argparse.Namespace):
    shown = _samples(args, samples.of_students)
    return CausalInitStage(
        _model(args, args.init), CausalInitRecipe(start=args.start), _held(args), shown
    ), parents(args.init)


def _distill(args: argparse.Namespace):
    recipe = DistillRecipe(
        Guidance(args.text_weight, args.motion_weight),
        args.critic_steps,
        rolling=not args.no_rolling,
        anchor=args.anchor,
    )
    shown = _samples(args, samples.of_students)
    stage = DistillStage(
        _model(args, args.student), _model(args, args.teacher), recipe, _held(args), shown, _refresh(args)
    )
    return stage, parents(args.student, args.teacher)


def _detail(args: argparse.Namespace):
    head = DetailHead()
    if args.init is not None:
        load_into(head, load_file(args.init), "detail")
    return DetailStage(head, Pairs(args.held) if args.held is not None else None), parents(args.init)


def _trajectories(args: argparse.Namespace) -> None:
    teacher = freeze(_model(args, args.teacher))
    guidance = Guidance(args.text_weight, args.motion_weight)
    write_trajectories(
        teacher,
        Pool(args.data, fields(args)),
        args.out,
        args.count,
        batch=args.batch,
        steps=args.ode_steps,
        guidance=guidance,
        causal=args.autoregressive,
        seed=args.seed,
        progress=lambda text: print(text, file=sys.stderr, flush=True),
    )


def commit() -> str:
    """The repository's commit, or "unknown" outside of one."""
    try:
        made = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"],
            capture_output=True,
            text=True,
            cwd=Path(__file__).parent,
            check=True,
        )
        return made.stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
