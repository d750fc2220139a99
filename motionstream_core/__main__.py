"""`python -m motionstream_core COMMAND`: generate, train, evaluate, convert, bench, plan, doctor.

Owns which command is which module. A command's module is imported only when it is asked for. A user's mistake
ends with one line on stderr and exit code 2.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

COMMANDS = {
    "generate": ("cli.generate", "a start image and tracks -> a video file"),
    "train": ("cli.train.commands", "the stages of training, one by one"),
    "evaluate": ("cli.evaluate.commands", "the held-out evaluation, with its baselines"),
    "convert": (
        "cli.convert",
        "a public causal Wan checkpoint -> safetensors that the host's loaders and this pack read",
    ),
    "bench": ("cli.bench", "speed and memory of a stream"),
    "plan": ("cli.plan", "whether a stream fits a card, before anything is loaded"),
    "doctor": ("cli.doctor", "what this machine has and lacks"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command. Returns the exit code."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    parser = argparse.ArgumentParser(
        prog="python -m motionstream_core", description="Streaming video that follows tracks."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name, (module, about) in COMMANDS.items():
        sub = commands.add_parser(name, help=about, description=about)
        if arguments[:1] == [name]:
            chosen = import_module(f"{__package__}.{module}")
            chosen.add_arguments(sub)
            sub.set_defaults(run=chosen.run)
    args = parser.parse_args(arguments)
    try:
        return args.run(args) or 0
    except (ValueError, OSError, FloatingPointError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
