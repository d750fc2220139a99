"""`python -m motionstream_core evaluate [KIND]`: the held-out evaluation or another kind. A table and, as
last line, one JSON document.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ...evaluation import guided, transfer
from ...evaluation.cartoon import command as cartoon
from ...evaluation.cartoon import following_report
from ...evaluation.lab import tracking
from ...evaluation.report import evaluate, save_document, table
from ...evaluation.results import RESULTS, show_result
from ...model.weights.networks import BUILT_IN, open_networks
from . import findings_command

KINDS = {
    "findings": (findings_command, "the paper's ablations at the built-in model's scale"),
    "cartoon": (cartoon, "the built-in text-to-video model on held-out prompts"),
    "following": (following_report, "the cartoon's motion models along tracks, in closed form"),
    "transfer": (transfer, "motion transfer end to end, measured the paper's way"),
    "guided": (guided, "control along tracks without a track head, on a student whose head is off"),
    "tracking": (
        tracking,
        "the default point tracker against exact truth, beside Lucas-Kanade and dense flow",
    ),
}  # beside the held-out evaluation, the default
HELD_OUT = Path("benchmarks/heldout")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    kinds = parser.add_subparsers(dest="kind", metavar="KIND")
    for name, (module, about) in KINDS.items():
        kind = kinds.add_parser(name, help=about, description=about)
        module.add_arguments(kind)
        kind.set_defaults(evaluate=module.run)
    parser.add_argument("--weights", type=Path, default=BUILT_IN)
    parser.add_argument(
        "--media", type=Path, default=HELD_OUT, help="folder or .npz with held-out pictures and sprites"
    )
    parser.add_argument("--clips", type=int, default=36)
    parser.add_argument("--long-clips", type=int, default=4, help="streams whose drift is measured")
    parser.add_argument("--long-frames", type=int, default=1009, help="frames of each of those")
    parser.add_argument("--steps", type=int, default=None, help="denoising steps, the model's own by default")
    parser.add_argument(
        "--prompts", type=int, default=32, help="of the cartoon, under its name in the JSON; 0 leaves it out"
    )
    parser.add_argument("--name", default="tiny", help="name of the result file")
    parser.add_argument("--results", type=Path, default=RESULTS)


def run(args: argparse.Namespace) -> None:
    """The measurement that `add_arguments` parsed."""
    if args.kind is not None:
        args.evaluate(args)
        return
    if args.clips < 1 or not args.media.exists():
        raise ValueError(
            f"evaluate: expected at least one clip and media that exist, got {args.clips} clips and "
            f"{args.media}"
        )

    def tell(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    sizes = (args.clips, args.steps, args.long_clips, args.name, args.long_frames)
    document = evaluate(open_networks(args.weights), args.media, *sizes, progress=tell)
    if args.prompts:
        document["cartoon"] = cartoon.document_of(
            None, cartoon.JUDGE, args.prompts, min(6, args.prompts), 60, tell
        )
    command = "python -m motionstream_core evaluate" + (f" --steps {args.steps}" if args.steps else "")
    show_result(table(document), document, save_document(document, args.results, command))
