"""The tiny codec's layers with channels last: the faster twin of `tiny._run` where nobody asks for gradients.

Owns the order in memory. Convolutions on a CPU then read and write without reordering, and only what layers
rearrange is copied. The numbers are the plain twin's but for the order of sums: frames within 4e-7.
In bfloat16 on a core with AVX512-BF16 the same walk takes half of the time, at about 55 dB.

Shapes: x (B, T, C, H, W), memory as in `CodecState`, in the plain twin's dtype.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from . import tiny

ORDERS = ("plain", "channels_last", "bfloat16")


def has_bfloat16_cores() -> bool:
    """Whether this CPU multiplies bfloat16 faster than float32."""
    asked = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool(asked and asked())


def run_channels_last(
    layers: Iterable[nn.Module], x: Tensor, memory: list[Tensor | None], dtype: torch.dtype
) -> tuple[Tensor, list[Tensor | None]]:
    """Runs the layers in order, convolutions in `dtype` -> (B, T, C, H, W) and memory in x's dtype."""
    batch = x.shape[0]
    kind = x.dtype
    y = x.flatten(0, 1).to(dtype).contiguous(memory_format=torch.channels_last)
    after: list[Tensor | None] = []
    for layer in layers:
        if isinstance(layer, tiny.MemoryBlock):
            past = memory[len(after)]
            after.append(y.unflatten(0, (batch, -1))[:, -1:].to(kind, copy=True))
            y = _memory_block(layer, y, past, batch)
        elif isinstance(layer, tiny.Convolution):
            y = _convolution(layer, y)
        elif isinstance(layer, tiny.TimeGrow):
            grown = _convolution(layer.conv, y).unflatten(1, (2, -1)).flatten(0, 1)
            y = grown.contiguous(memory_format=torch.channels_last)
        elif isinstance(layer, tiny.PixelShuffle):
            y = F.pixel_shuffle(y, 2)
        else:
            raise ValueError(f"codec: expected a layer of the tiny decoder, got {type(layer).__name__}")
    return y.to(kind).unflatten(0, (batch, -1)), after


def _memory_block(block: tiny.MemoryBlock, x: Tensor, past: Tensor | None, batch: int) -> Tensor:
    """x (B T, C, H, W) -> the same shape."""
    _, channels, height, width = x.shape
    steps = x.unflatten(0, (batch, -1))
    pair = x.new_empty((x.shape[0], height, width, 2 * channels)).permute(0, 3, 1, 2)
    halves = pair.unflatten(0, (batch, -1))
    halves[:, :, :channels] = steps
    halves[:, 1:, channels:] = steps[:, :-1]
    halves[:, 0, channels:] = 0 if past is None else past[:, 0]
    y = F.relu(_conv(block.conv1, pair), inplace=True)
    y = F.relu(_conv(block.conv2, y), inplace=True)
    return F.relu(_conv(block.conv3, y).add_(x), inplace=True)


def _convolution(layer: tiny.Convolution, x: Tensor) -> Tensor:
    if layer.upsample:
        x = F.interpolate(x, scale_factor=2, mode="nearest")
    y = _conv(layer.conv, x)
    return F.relu(y, inplace=True) if layer.relu else y


def _conv(conv: nn.Conv2d, x: Tensor) -> Tensor:
    bias = conv.bias
    assert bias is not None  # every one of the codec has one
    return F.conv2d(x, conv.weight.to(x.dtype), bias.to(x.dtype), conv.stride, conv.padding)
