"""The speed that a person chooses for a stream, and what this machine can make of it.

Owns the choice: which faster path networks take, what is said where one cannot be had, and where a faster
path is kept from one run to the next. The paths themselves are in `compiled` and `codec/channels_last`.
A path begins plain and is swapped in once it is ready and its output was found to be right.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

import torch

from ...codec.channels_last import has_bfloat16_cores
from ...codec.tiny import TinyCodec
from ..compiled import FastDiT, accelerate
from ..config import RollingConfig
from .networks import Networks, with_convolutions

SPEEDS = ("auto", "plain", "compiled", "fp8")
EIGHT_BITS = (8, 9)  # the least compute capability with products in eight bits
STATES = {"plain": "warming up", "compiling": "compiling", "fast": "fast"}


def at_speed(networks: Networks, speed: str, tell: Callable[[str], None] = lambda note: None) -> Networks:
    """The networks on the path that `speed` asks for, one of SPEEDS, or the nearest that can be had.

    tell: told in words where that is not what was asked for. Nothing is compiled yet.
    """
    if speed not in SPEEDS:
        raise ValueError(f"speed: expected one of {', '.join(SPEEDS)}, got {speed!r}")
    if speed == "plain" or isinstance(networks.dit, FastDiT):
        return networks
    if networks.dit.device.type == "cpu":
        return networks if speed == "auto" else _on_cpu(networks, speed, tell)
    way, why = _way_on(networks, speed)
    if why is not None:
        tell(f"Speed: {why}")
    if way == "off":
        return networks
    try:
        return replace(networks, dit=_kept(networks.dit, way))
    except ValueError as error:
        if way == "compile":
            tell(f"Speed: plain, because it cannot be compiled: {error}")
            return networks
        tell(f"Speed: compiled in the place of fp8: {error}")
        return replace(networks, dit=_kept(networks.dit, "compile"))


def speed_state(networks: Networks) -> str:
    """What the transformer's path is doing, in a word or, where it fell back, a sentence."""
    dit = networks.dit
    if isinstance(dit, FastDiT):
        return STATES.get(dit.state, dit.state)
    codec = networks.codec
    order = codec.convolutions if isinstance(codec, TinyCodec) else "plain"
    return "plain" if order == "plain" else f"{order.replace('_', ' ')} convolutions"


def _on_cpu(networks: Networks, speed: str, tell: Callable[[str], None]) -> Networks:
    """compiled: convolutions with channels last. fp8: in bfloat16, where the core has products of it."""
    if not isinstance(networks.codec, TinyCodec):
        tell("Speed: plain, because on a CPU only the decoder of the built-in models has a faster path")
        return networks
    if speed == "compiled":
        tell("Speed: on a CPU the decoder's convolutions have channels last, nothing is compiled")
        return with_convolutions(networks, "channels_last")
    if has_bfloat16_cores():
        tell("Speed: a CPU has no fp8, the decoder convolves in bfloat16 (about 55 dB)")
        return with_convolutions(networks, "bfloat16")
    tell("Speed: a CPU has no fp8 and this one no bfloat16, the convolutions have channels last")
    return with_convolutions(networks, "channels_last")


def _way_on(networks: Networks, speed: str) -> tuple[str, str | None]:
    """The way of `accelerate` on a CUDA device, and words where it is not the one asked for."""
    if not isinstance(networks.config.sampler, RollingConfig):
        why = "plain, because the faster paths are for a rolling cache and this model has a moving buffer"
        return "off", None if speed == "auto" else why
    if find_spec("triton") is None:
        return "off", "plain, because the compiler needs the package triton, which is not installed"
    if speed == "fp8":
        if torch.cuda.get_device_capability(networks.dit.device) >= EIGHT_BITS:
            return "fp8+compile", None
        return "compile", "compiled in the place of fp8, for which the device is too old"
    return "compile", None


def _kept(dit: Any, way: str) -> Any:
    """The faster path of a network, the same from run to run: what was compiled once is used again."""
    kept: dict[str, Any] = dit.__dict__.setdefault("_faster_paths", {})
    if way not in kept:
        kept[way] = accelerate(dit, way)
    return kept[way]
