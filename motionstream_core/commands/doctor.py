"""`doctor`: what this machine has and lacks, line by line and, as last line, one JSON document. Exit code 1 when something needed is missing."""

from __future__ import annotations

import argparse
import json
import platform
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from ..streaming.networks import BUILT_IN

NEEDED = ("torch", "numpy", "safetensors", "einops", "av", "pillow")
OPTIONAL = {"xformers": "a faster attention on some GPUs", "cv2": "needed for training and evaluation"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--weights", type=Path, default=BUILT_IN, help="the weights file to look at")


def run(args: argparse.Namespace) -> int:
    checks: dict[str, Callable[[], str]] = {"python": _python, **{name: lambda name=name: version(name) for name in NEEDED}}
    checks |= {"device": _device, "h264": _h264, "weights": lambda: _weights(args.weights)}
    found, problems = {}, {}
    for name, check in checks.items():
        try:
            found[name] = check()
        except (ValueError, OSError, ImportError, PackageNotFoundError) as error:
            problems[name] = str(error)
    found |= {name: _optional(name) for name in OPTIONAL}
    for name, text in found.items():
        print(f"ok       {name}: {text}")
    for name, text in problems.items():
        print(f"MISSING  {name}: {text}")
    print(json.dumps({"ok": not problems, **found, "problems": problems}))
    return 1 if problems else 0


def _python() -> str:
    return f"{platform.python_version()} on {platform.system()} {platform.machine()}"


def _device() -> str:
    from .options import device_label, pick_device

    return device_label(pick_device("auto"))


def _h264() -> str:
    import av

    from ..codec.video import CODECS

    usable = [name for name in CODECS if name in av.codecs_available]
    if not usable:
        raise ValueError(f"expected an encoder named {' or '.join(CODECS)}, got none")
    return usable[0]


def _weights(path: Path) -> str:
    from ..streaming.networks import open_networks

    config = open_networks(path).config
    return f"{path.name}, {path.stat().st_size / 2**20:.1f} MiB, {config.num_layers} layers of {config.dim}, context {config.context.label}"


def _optional(name: str) -> str:
    return "installed" if find_spec(name) else f"not installed ({OPTIONAL[name]})"
