"""Networks with random weights, of any preset and straight on their device, and what the device can do: the
load and the yardstick of `bench`.

Owns the small stand-ins of the Wan presets for a CPU, and the measured peak of a matrix product.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from time import perf_counter
from typing import TypeVar

import torch
from torch import Tensor, nn

from ..codec.taehv import TAEHV, TaehvCodec
from ..codec.wan_layers import WAN_VAES, WanVAE
from ..codec.wan_vae import WanCodec
from ..model.cache import CacheShape
from ..model.dit import WanDiT
from ..model.linear import onednn_here
from ..model.motion import TrackHead
from ..model.presets import ModelConfig, preset
from ..model.weights.networks import Networks, untrained_networks
from ..planning.network_cost import Pass, parameters, pass_flops
from .options import networks_on

M = TypeVar("M", bound=nn.Module)

SMALL = {"dim": 256, "ffn_dim": 1024, "num_heads": 2, "num_layers": 4, "text_dim": 256, "text_len": 64}
DECODERS = ("taehv", "wan")
CPU_PARAMETERS = 2 * 10**8  # more are not for a CPU


def random_networks(
    name: str,
    device: torch.device,
    *,
    small: bool = False,
    decoder: str = "taehv",
    dtype: torch.dtype | None = None,
) -> Networks:
    """A preset's networks with random weights. ValueError for a preset that is too large for a CPU.

    Args:
        name: a preset.
        device: where they are made.
        small: a Wan preset's shapes at stand-in sizes.
        decoder: the kind of decoder.
        dtype: of the transformer, None for the device's own choice.
    """
    config = preset(name)
    if config.text_len <= 16:
        if small:
            raise ValueError(f"small: expected a Wan preset, got {name!r}, which is small")
        return networks_on(untrained_networks(name), device)
    if decoder not in DECODERS:
        raise ValueError(f"decoder: expected one of {', '.join(DECODERS)}, got {decoder!r}")
    config = replace(config, **SMALL) if small else config
    if device.type == "cpu" and parameters(config) > CPU_PARAMETERS:
        raise ValueError(
            f"preset: expected --small or a GPU for {name} ({parameters(config) / 1e9:.1f} billion "
            "parameters), got the CPU"
        )
    dtype = dtype or (torch.float32 if device.type == "cpu" else torch.bfloat16)
    head = None
    if motion := config.motion:
        head = fill_random(
            lambda: TrackHead(motion.map_channels, motion.head_channels), device, torch.float32
        )
    dit = fill_random(lambda: WanDiT(config), device, dtype)
    return Networks(dit, head, random_codec(config, device, decoder), None)


def random_codec(config: ModelConfig, device: torch.device, decoder: str) -> TaehvCodec | WanCodec:
    dtype = torch.float32 if device.type == "cpu" else torch.bfloat16
    if decoder == "taehv":
        return TaehvCodec(
            fill_random(lambda: TAEHV(config.latent_channels), device, dtype), dtype=dtype, device=device
        )
    shape = WAN_VAES["wan2.2" if config.latent_channels == 48 else "wan2.1"]
    return WanCodec(fill_random(lambda: WanVAE(shape), device, dtype), dtype=dtype, device=device)


def fill_random(make: Callable[[], M], device: torch.device, dtype: torch.dtype) -> M:
    """A module made without memory and filled on its device with small random weights."""
    with torch.device("meta"):
        module = make().to(dtype)
    module = module.to_empty(device=device).eval().requires_grad_(False)
    rng = torch.Generator(device).manual_seed(0)
    for tensor in [*module.parameters(), *module.buffers()]:
        if tensor.is_floating_point():
            tensor.normal_(0.0, 0.02, generator=rng)
    return module


def chunk_flops(config: ModelConfig, grid: int, shape: CacheShape, steps: int) -> dict[str, int]:
    """FLOPs of a steady chunk by stage, `grid` tokens a latent frame. The matrix products alone. The
    clean-context pass ends at the keys and values of the last block.
    """
    run, tokens, d = Pass(shape.chunk, shape.frames), shape.chunk * grid, config.dim
    one = pass_flops(config, grid, run)
    block = one - pass_flops(replace(config, num_layers=config.num_layers - 1), grid, run)
    head = 2 * tokens * d * config.patch[1] * config.patch[2] * config.out_channels
    return {"denoise": steps * one, "cache": one - head - block + 4 * tokens * d * d}


def peak_flops(device: torch.device, dtype: torch.dtype, seconds: float = 0.5) -> float:
    """FLOP/s of the best square matrix product found on the device in about `seconds`.

    On a CPU of the better of PyTorch's own product and oneDNN's: MKL leaves half of an AMD core unused.
    """
    size = 8192 if device.type == "cuda" else 1024
    a, b = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    ways: list[Callable[[], Tensor]] = [lambda: torch.mm(a, b)]
    if device.type == "cpu" and dtype == torch.float32 and onednn_here():
        ways.append(lambda: torch.ops.mkldnn._linear_pointwise(a, b, None, "none", [], ""))
    return max(_flops_of(way, size, device, seconds / len(ways)) for way in ways)


def _flops_of(way: Callable[[], Tensor], size: int, device: torch.device, seconds: float) -> float:
    best, until = 0.0, perf_counter() + seconds
    while not best or perf_counter() < until:
        synchronize(device)
        began = perf_counter()
        for _ in range(4):
            way()
        synchronize(device)
        best = max(best, 8 * size**3 / (perf_counter() - began))
    return best


def synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
