"""Options that several commands share, and where they lead."""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import fields, replace
from pathlib import Path

import torch

from ..streaming.networks import BUILT_IN, Networks, open_networks


def add_model_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--weights", type=Path, default=BUILT_IN, help="a weights file, the built-in model by default"
    )
    parser.add_argument(
        "--steps", type=int, default=None, help="denoising steps per chunk, the model's own by default"
    )
    parser.add_argument(
        "--device", default="auto", help="cpu, cuda, cuda:1 ...; auto: cuda where there is one"
    )


def pick_device(name: str) -> torch.device:
    """ValueError for a device that this machine or this PyTorch lacks."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ValueError(f"device: expected auto, cpu or cuda, got {name!r}") from None
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ValueError(
            f"device: expected one of {torch.cuda.device_count()} cuda devices or cpu, got {name!r}"
        )
    return device


def open_on(path: Path, device: torch.device) -> Networks:
    """The networks of a weights file, on a device."""
    return networks_on(open_networks(path), device)


def networks_on(networks: Networks, device: torch.device) -> Networks:
    parts = {field.name: getattr(networks, field.name) for field in fields(networks)}
    return replace(
        networks, **{name: part if part is None else part.to(device) for name, part in parts.items()}
    )


def device_label(device: torch.device) -> str:
    return (
        torch.cuda.get_device_name(device)
        if device.type == "cuda"
        else f"{device.type} ({torch.get_num_threads()} threads)"
    )


def parse_size(text: str) -> tuple[int, int]:
    """ "128x96" -> (128, 96), width first."""
    match = re.fullmatch(r"(\d{1,5})[x×](\d{1,5})", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"expected WIDTHxHEIGHT such as 128x128, got {text!r}")
    return int(match[1]), int(match[2])


def show_progress(line: str, last: bool = False) -> None:
    """One line on stderr, written over on a terminal."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{line}", end="\n" if last else "", file=sys.stderr, flush=True)
    else:
        print(line, file=sys.stderr, flush=True)
