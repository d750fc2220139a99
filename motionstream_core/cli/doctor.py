"""`doctor`: what this machine has and lacks, line by line and, as last line, one JSON document. Exit code 1
when something needed is missing.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from ..model.weights.networks import BUILT_IN
from ..planning.examination import examine


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--weights", type=Path, default=BUILT_IN, help="the weights file to look at")


def run(args: argparse.Namespace) -> int:
    report = examine(args.weights)
    print("\n".join(report.lines))
    print(
        json.dumps(
            {"ok": not report.problems, **report.found, "problems": report.problems, "slow": report.slow}
        )
    )
    return 1 if report.problems else 0
