"""Quicker forms of two small operations for training in bfloat16 on a CPU: the root-mean-square norm and the
rotation of positions.

Owns both. The mathematics is that of `model.dit.RMSNorm` and `model.rope`. Sums run in another order.
Forward and backward of the cartoon took 8 % less with them in one timing.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ...model.dit import RMSNorm
from ...model.rope import Rope, rotate_complex


class _RMS(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        wide = x.float()
        size = torch.linalg.vector_norm(wide, dim=-1, keepdim=True).square_().div_(x.shape[-1])
        scale = size.add_(eps).rsqrt_()
        unit = (wide * scale).to(x.dtype)
        ctx.save_for_backward(unit, weight, scale)
        return unit * weight.to(x.dtype)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None]:
        (grad,) = grads
        unit, weight, scale = ctx.saved_tensors
        own = (grad * unit).flatten(0, -2).sum(0).to(weight.dtype)
        inner = grad * weight.to(grad.dtype)
        along = (inner * unit).sum(-1, keepdim=True, dtype=torch.float32) / unit.shape[-1]
        return (
            torch.addcmul(inner.float(), unit.float(), along, value=-1).mul_(scale).to(grad.dtype),
            own,
            None,
        )


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """x (..., D) over its root mean square, times weight (D,), in x's dtype."""
    return _RMS.apply(x, weight, eps)  # pyright: ignore[reportReturnType]


class QuickRope(Rope):
    """Rotates by complex numbers in training too."""

    def rotate(self, x: Tensor, slots: tuple[int, ...]) -> Tensor:
        return rotate_complex(x, self.turns(slots))


def quicken(net: nn.Module) -> None:
    """The norms of the network from now on. Its state dict stays as it is."""
    for module in net.modules():
        if isinstance(module, RMSNorm):
            module.forward = lambda x, own=module: rms_norm(x, own.weight, own.eps or 0.0)
