"""Options that several commands share, and the networks that they lead to."""

from __future__ import annotations

import argparse
from dataclasses import fields, replace
from pathlib import Path

import torch
from torch import nn

from ..codec.channels_last import ORDERS
from ..model.weights.networks import BUILT_IN, Networks, open_networks


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


def add_convolutions_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--convolutions",
        choices=ORDERS,
        default="plain",
        help=(
            "of the built-in decoder on a CPU; channels_last: faster, frames within 2e-6; bfloat16: twice as "
            "fast where the core has AVX512-BF16, about 55 dB"
        ),
    )


def open_on(path: Path, device: torch.device) -> Networks:
    """The networks of a weights file, on a device."""
    return networks_on(open_networks(path), device)


def networks_on(networks: Networks, device: torch.device) -> Networks:
    """The same networks on a device. Parts that compute where they were made stay."""
    moved: dict[str, nn.Module] = {}
    for field in fields(networks):
        part = getattr(networks, field.name)
        if isinstance(part, nn.Module):
            moved[field.name] = part.to(device)
    return replace(networks, **moved)
