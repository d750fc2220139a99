"""`evaluate cartoon` and the part of `evaluate` under "cartoon": the measures of `report` as a document.

Owns which files are measured: the student of one evaluation a chunk where there is one, else the base, and
the student that follows tracks.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from ...common.devices import device_label
from ...model.weights.networks import CARTOON, CARTOON_MOTION, CARTOON_STUDENT
from ..results import RESULTS, markdown_table, round_figures, show_result, write_result
from .motion import measure_motion
from .report import evaluate_streams

JUDGE = CARTOON.with_name("cartoon_judge.safetensors")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--weights", type=Path, default=None, help="a cartoon; the built-in student's")
    parser.add_argument("--judge", type=Path, default=JUDGE)
    parser.add_argument("--prompts", type=int, default=32)
    parser.add_argument("--streams", type=int, default=6, help="conveyors that run long")
    parser.add_argument("--seconds", type=int, default=60, help="of each of those; at least 20")
    parser.add_argument("--name", default="cartoon", help="name of the result file")
    parser.add_argument("--results", type=Path, default=RESULTS)


def document_of(
    weights: Path | None, judge: Path, count: int, few: int, seconds: int, tell: Callable[[str], None]
) -> dict[str, Any]:
    """The measures, and what they were measured with."""
    if count < 1 or few < 1 or few > count or seconds < 20:
        raise ValueError(
            f"cartoon: expected prompts, from 1 to as many streams and at least 20 seconds, got {count}, "
            f"{few} and {seconds}"
        )
    path = weights or (CARTOON_STUDENT if CARTOON_STUDENT.is_file() else CARTOON)
    began = time.time()
    measured = evaluate_streams(path, judge, count=count, few=few, seconds=seconds, tell=tell)
    if weights is None and CARTOON_MOTION.is_file():
        measured |= measure_motion(CARTOON_MOTION, judge, count=count, long=min(2, few), tell=tell)
    about = {"weights": path.name, "prompts": count, "threads": torch.get_num_threads()}
    return round_figures({**about, **measured, "seconds": round(time.time() - began, 1)})


def run(args: argparse.Namespace) -> None:
    def tell(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    document = document_of(args.weights, args.judge, args.prompts, args.streams, args.seconds, tell)
    rows = [(key, value) for key, value in document.items() if not isinstance(value, dict)]
    table, device = markdown_table(("measure", document["weights"]), rows), device_label(torch.device("cpu"))
    about = f"Device: {device}. {document['prompts']} held-out prompts, nothing picked."
    kept = write_result(args.results, args.name, device, "The cartoon's streams", about, table, document)
    show_result(table, document, kept)
