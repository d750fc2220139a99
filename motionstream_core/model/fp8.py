"""The transformer's block linears in eight bits (float8 e4m3): weights scaled by their largest value once,
inputs on every call.

Owns the scaling, and the view of a WanDiT that `dit.dit_forward` runs on. The network's own weights are
read once and stay as they are, in memory and in its state dict. The eight-bit copies are half as large again
as bfloat16 ones. Whether the output is good enough is asked in `fast.py`.

Scales: one a row (a token of the input, an output channel of the weight) where the device multiplies so, one
a tensor otherwise.
Shapes: x (..., in), weight (out, in), out (..., out).
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .context import AttentionContext
from .dit import Attention, WanDiT, dit_forward
from .text_context import TextContext, WanModule

FORMAT = torch.float8_e4m3fn
LARGEST = torch.finfo(FORMAT).max
UNIT = 16  # sizes that the product takes are multiples of it


def quantise(x: Tensor, rows: bool) -> tuple[Tensor, Tensor]:
    """x (N, K) -> its values in eight bits and their scales, (N, 1) or (), float32: x is about values *
    scales.
    """
    largest = x.abs().amax(1, keepdim=True) if rows else x.abs().amax()
    scale = largest.float().clamp(min=1e-12) / LARGEST
    return (x.float() / scale).clamp(-LARGEST, LARGEST).to(FORMAT), scale


def scales_rows(device: torch.device) -> bool:
    """Whether the device's product takes a scale for each row. ValueError for one that has no eight-bit
    product.
    """
    if device.type == "cpu":
        return True
    major, minor = torch.cuda.get_device_capability(device) if device.type == "cuda" else (0, 0)
    if (major, minor) < (8, 9):
        raise ValueError(
            f"fast: expected an Ada, Hopper or newer GPU for fp8, got {device} of capability {major}.{minor}"
        )
    return major >= 9


def fp8_linear(
    x: Tensor, x_scale: Tensor, weight: Tensor, scale: Tensor, bias: Tensor | None, dtype: torch.dtype
) -> Tensor:
    """A linear layer in eight bits -> (N, M) in `dtype`.

    Args:
        x: (N, K) in eight bits.
        x_scale: (N, 1) or (), float32.
        weight: (M, K) in eight bits.
        scale: of the weight, float32.
        bias: (M,) or None.
        dtype: of the result.
    """
    scales = x_scale, scale.t() if scale.ndim else scale
    return torch.ops.aten._scaled_mm(
        x, weight.t(), *scales, bias, None, dtype, x.is_cuda
    )  # the last: sums may stay in the product's own width


def plain_product(
    x: Tensor, x_scale: Tensor, weight: Tensor, scale: Tensor, bias: Tensor | None, dtype: torch.dtype
) -> Tensor:
    """The same by a float32 product.

    Args:
        x: (N, K) in eight bits.
        x_scale: (N, 1) or (), float32.
        weight: (M, K) in eight bits.
        scale: of the weight, float32.
        bias: (M,) or None.
        dtype: of the result.
    """
    return F.linear(x.float() * x_scale, weight.float() * scale, None if bias is None else bias.float()).to(
        dtype
    )


class EightBits:
    """A linear layer as a function."""

    def __init__(self, layer: nn.Linear, rows: bool):
        self._weight, self._scale = quantise(layer.weight.detach(), rows)
        self._bias, self._rows = layer.bias, rows

    def __call__(self, x: Tensor) -> Tensor:
        values, scale = quantise(x.flatten(0, -2), self._rows)
        return fp8_linear(values, scale, self._weight, self._scale, self._bias, x.dtype).unflatten(
            0, x.shape[:-1]
        )


class _FeedForward:
    """Two linears and what is between them. A class, so that a compiler finds all blocks alike."""

    def __init__(self, up: Any, activation: Any, down: Any):
        self._up = up
        self._activation = activation
        self._down = down

    def __call__(self, x: Tensor) -> Tensor:
        return self._down(self._activation(self._up(x)))


class Fp8DiT:
    """The forward of a WanDiT with its block linears in eight bits. ValueError for another network, whose
    weights are not ours to read.
    """

    def __init__(self, dit: Any):
        if not isinstance(dit, WanDiT):
            raise ValueError(
                f"fast: expected the pack's own transformer for fp8, got {type(dit).__name__}; a host's "
                "loaders have fp8 of their own"
            )
        if dit.device.type == "cuda" and dit.dtype != torch.bfloat16:
            raise ValueError(f"fast: expected a bfloat16 model for fp8, got {dit.dtype}")
        self.config, self._rows = dit.config, scales_rows(dit.device)
        names = ("patch_embedding", "time_embedding", "time_projection", "head")
        names += ("place_embedding",) if self.config.place_features else ()
        self.net = SimpleNamespace(
            blocks=[self._block(block) for block in dit.blocks],
            **{name: getattr(dit, name) for name in names},
        )

    def __call__(
        self, x: Tensor, timestep: Tensor, text: TextContext, context: AttentionContext | None = None
    ) -> Tensor:
        """See WanDiT.forward."""
        return dit_forward(self.net, self.config, x, timestep, text, context)

    def _block(self, block: WanModule) -> SimpleNamespace:
        up, activation, down = self._linear(block.ffn[0]), block.ffn[1], self._linear(block.ffn[2])
        return SimpleNamespace(
            norm1=block.norm1,
            norm2=block.norm2,
            norm3=block.norm3,
            modulation=block.modulation,
            self_attn=self._attention(block.self_attn),
            cross_attn=self._attention(block.cross_attn),
            ffn=_FeedForward(up, activation, down),
        )

    def _attention(self, attn: Attention) -> SimpleNamespace:
        linears = {name: self._linear(getattr(attn, name)) for name in "qkvo"}
        return SimpleNamespace(norm_q=attn.norm_q, norm_k=attn.norm_k, **linears)

    def _linear(self, layer: nn.Linear) -> nn.Linear | EightBits:
        fits = layer.in_features % UNIT == 0 and layer.out_features % UNIT == 0
        return EightBits(layer, self._rows) if fits else layer
