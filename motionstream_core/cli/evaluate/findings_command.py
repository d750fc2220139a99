"""`python -m motionstream_core evaluate findings`: the paper's ablations at the built-in model's scale, one
table by one command.

Owns which parts run and the journal that lets a broken run go on: a line for every setting that is done, and
beside it a folder with the checkpoints of the one in work.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import torch

from ...codec.tiny import TinyCodec
from ...common.devices import device_label
from ...evaluation.lab import findings
from ...evaluation.lab.findings import Row
from ...evaluation.results import RESULTS, write_result
from ...model.presets import preset
from ...model.weights.networks import BUILT_IN, Networks, open_networks
from ...training.methods.initial import start_from
from ...training.methods.roles import MotionModel, freeze

PARTS = ("context", "steps", "guidance", "representation", "rolling", "augmentation", "refresh")
AT_ONCE = ("context", "steps", "guidance")  # minutes long; the others are kept setting by setting


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--weights", type=Path, default=BUILT_IN, help="the streaming student")
    parser.add_argument(
        "--teacher", type=Path, help="teacher.safetensors of `train teacher`, for guidance and rolling"
    )
    parser.add_argument("--media", type=Path, default=Path("benchmarks/heldout"))
    parser.add_argument("--data", type=Path, help="folder of training shards, for what must be trained")
    parser.add_argument("--train-media", type=Path, help="media/train.npz, for augmentation")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--clips", type=int, default=6)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--train-seeds", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=4.0, help="of every small training")
    parser.add_argument(
        "--train-steps",
        type=int,
        help=(
            "steps of every small training in the place of minutes, for arms of equal length on a busy "
            "machine"
        ),
    )
    parser.add_argument("--train-batch", type=int, default=8)
    parser.add_argument(
        "--journal",
        type=Path,
        default=Path("output/findings.jsonl"),
        help="what is done already is read from here",
    )
    parser.add_argument("--results", type=Path, default=RESULTS)


def run(args: argparse.Namespace) -> None:
    networks = open_networks(args.weights)
    done = read_journal(args.journal)
    for part in args.parts:
        lacking = _lacking(args, part)
        before = [row.setting for row in done if row.group == part]
        if lacking and not before:
            _say(f"{part}: left out, for it needs {lacking}")
        elif lacking or (before and part in AT_ONCE):
            _say(f"{part}: done before, as {args.journal} says")
        else:
            _say(f"{part}: done before, as {args.journal} says: {', '.join(before)}") if before else None
            for row in _part(part, networks, args, before):
                write_journal(args.journal, [row])
                shutil.rmtree(work_of(args.journal), ignore_errors=True)
                done.append(row)
    path = save_rows(done, networks, args)
    print(findings.table(done))
    print(json.dumps({"findings": findings.document(done), "kept": str(path)}))


def _lacking(args: argparse.Namespace, part: str) -> str:
    needs = {
        "guidance": ("teacher",),
        "representation": ("data",),
        "rolling": ("teacher", "data"),
        "augmentation": ("train_media",),
        "refresh": ("data",),
    }.get(part, ())
    return " and ".join(f"--{name.replace('_', '-')}" for name in needs if getattr(args, name) is None)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _part(part: str, networks: Networks, args: argparse.Namespace, done: list[str]) -> Iterable[Row]:
    from ...evaluation.lab import (
        findings_trained as trained,  # the training engine, which the other evaluations do without
    )

    short = trained.Short(
        args.data,
        args.train_media,
        args.media,
        args.minutes,
        args.clips,
        args.train_seeds,
        args.train_batch,
        args.train_steps,
        work_of(args.journal),
    )
    student = trained.model_of(networks)
    codec = networks.codec
    if not isinstance(codec, TinyCodec):
        raise ValueError(f"findings: expected the tiny codec, got {type(codec).__name__}")
    parts: dict[str, Callable[[], Iterable[Row]]] = {
        "context": lambda: findings.contexts(networks, args.media, args.clips, args.seeds, _say),
        "steps": lambda: findings.steps(networks, args.media, args.clips, args.seeds, _say),
        "guidance": lambda: findings.guidances(
            _teacher(args, networks), networks.codec, args.media, args.clips, args.train_seeds, _say
        ),
        "representation": lambda: trained.representations(codec, short, _say, done),
        "rolling": lambda: trained.rolling(student, _teacher(args, networks), codec, short, _say, done),
        "augmentation": lambda: trained.augmentation(student, codec, short, _say, done),
        "refresh": lambda: trained.refreshed(student, codec, short, _say, done),
    }
    return parts[part]()


def _teacher(args: argparse.Namespace, networks: Networks) -> MotionModel:
    model = MotionModel(preset("tiny"))
    start_from(model, args.teacher)
    return freeze(model)


def work_of(journal: Path) -> Path:
    """Where the trainings of the setting in work lie."""
    return journal.with_suffix(".work")


def read_journal(path: Path) -> list[Row]:
    """The settings done so far."""
    lines = path.read_text().splitlines() if path.exists() else []
    return [Row(**json.loads(line)) for line in lines]


def write_journal(path: Path, rows: list[Row]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        for row in rows:
            file.write(json.dumps({"group": row.group, "setting": row.setting, "values": row.values}) + "\n")


def save_rows(rows: list[Row], networks: Networks, args: argparse.Namespace) -> Path:
    """Writes the result file."""
    device = device_label(networks.dit.device)
    about = (
        f"Device: {device}, {torch.get_num_threads()} thread(s). {args.clips} held-out clips; mean ± "
        f"standard deviation over {args.seeds} seeds ({args.train_seeds} where it was trained: minutes and "
        "steps of the parts may differ, `train_steps` says how many were made). Errors in px at 128×128, "
        "means over points that moved more than 5 px."
    )
    title = "The paper's findings at the built-in model's scale"
    return write_result(args.results, "findings", device, title, about, findings.table(rows))
