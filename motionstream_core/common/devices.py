"""Devices and sizes by name, and a line of progress."""

from __future__ import annotations

import argparse
import platform
import re
import sys

import torch


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


def device_label(device: torch.device) -> str:
    """A device as people read it: the GPU's name, or the CPU's architecture and the number of threads."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{device.type} ({platform.machine()}, {torch.get_num_threads()} threads)"


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
