"""The linear layers of the transformer: PyTorch's own, and on a CPU, off the tape, the same product by
oneDNN.

Owns when the second may be taken: float32 on an x86 CPU. There PyTorch hands a float32 product to MKL, which
leaves half of an AMD core's width unused. Parameters and their names are nn.Linear's. Shapes: x (..., in),
out (..., out).
"""

from functools import cache
from platform import machine
from typing import Any

import torch
from torch import Tensor, nn


@cache
def onednn_here() -> bool:
    """Whether this PyTorch can compute a linear by oneDNN, and would not do so by itself."""
    return (
        machine().lower() in ("x86_64", "amd64")
        and torch.backends.mkldnn.is_available()
        and hasattr(torch.ops.mkldnn, "_linear_pointwise")
    )


def by_onednn(layer: nn.Linear, x: Tensor) -> bool:
    """Whether oneDNN may answer for the layer. The plain product does wherever anything looks at the tape or
    at the type.
    """
    if (
        type(layer) is not Linear
        or x.device.type != "cpu"
        or x.dtype != torch.float32
        or type(layer.weight) is not nn.Parameter
        or layer.weight.dtype != x.dtype
    ):
        return False
    watched = torch.is_grad_enabled() or torch.compiler.is_compiling() or torch.is_autocast_enabled("cpu")
    return not watched and torch.backends.mkldnn.enabled and onednn_here()


def onednn(layer: nn.Linear, x: Tensor, then: str = "none") -> Tensor:
    """The layer by oneDNN. then: "none", or "gelu" (by tanh) in the same pass."""
    return torch.ops.mkldnn._linear_pointwise(
        x, layer.weight, layer.bias, then, [], "tanh" if then == "gelu" else ""
    )


class Linear(nn.Linear):
    def forward(self, x: Tensor) -> Tensor:
        return onednn(self, x) if by_onednn(self, x) else super().forward(x)


class FeedForward(nn.Sequential):
    """Linear, GELU, linear. By oneDNN the first two are one pass."""

    def __init__(self, dim: int, hidden: int):
        super().__init__(Linear(dim, hidden), nn.GELU(approximate="tanh"), Linear(hidden, dim))

    def forward(self, x: Tensor) -> Tensor:
        up: Any = self[0]  # a linear layer, or what a host has put in its place
        return self[2](onednn(up, x, "gelu")) if by_onednn(up, x) else super().forward(x)


def draw_modulation(rows: int, dim: int) -> Tensor:
    """(1, rows, dim) normal of deviation 1 / sqrt(dim).

    On the meta device there is nothing to draw, and the division would import the compiler: a second.
    """
    made = torch.empty(1, rows, dim)
    return made if made.is_meta else torch.randn(1, rows, dim) / dim**0.5
