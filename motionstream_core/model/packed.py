"""Weights in a file at one byte a number: matrices as int8 with a scale for each row.

Owns the packing of a state and its inverse. Rows are outputs: of a convolution too, whose other axes are one
row. Vectors and tables of few numbers stay as they are. A packed NAME has its scales beside it as NAME.scale.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

SCALE = ".scale"
LEAST = 2048  # numbers: below that nothing is saved
LARGEST = 127


def pack_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state with its matrices in int8: each number is off by at most 1/254 of the largest of its row."""
    out: dict[str, Tensor] = {}
    for name, value in state.items():
        if value.ndim < 2 or value.numel() < LEAST or not value.is_floating_point():
            out[name] = value
            continue
        rows = value.detach().float().flatten(1)
        scale = rows.abs().amax(1, keepdim=True).clamp(min=1e-12) / LARGEST
        out[name] = (rows / scale).round().to(torch.int8).view(value.shape)
        out[name + SCALE] = scale[:, 0].clone()
    return out


def unpack_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The inverse, in float32. A state that is not packed is given back as it is."""
    scales = {name.removesuffix(SCALE): value for name, value in state.items() if name.endswith(SCALE)}
    out = {}
    for name, value in state.items():
        if name in scales and value.dtype == torch.int8:
            value = value.float() * scales[name].view(-1, *(1,) * (value.ndim - 1))
        if name.removesuffix(SCALE) not in scales or not name.endswith(SCALE):
            out[name] = value
    return out
