"""Pictures as they come in: of one, two, three or four channels, and of any size.

One rule for every entrance: grey is repeated, transparency is left out.
Shapes: (..., H, W, C) torch or NumPy.
"""

from __future__ import annotations

from typing import Any, TypeVar

import torch
from einops import rearrange
from torch import Tensor
from torch.nn import functional as F

Pixels = TypeVar("Pixels", bound=Any)
TRANSPARENT = (2, 4)  # channels: grey and RGB with an alpha


def three_channels(pictures: Pixels, name: str = "image") -> Pixels:
    """(..., H, W, C) -> (..., H, W, 3). ValueError for what is no picture of 1 to 4 channels."""
    channels = pictures.shape[-1] if pictures.ndim >= 3 else 0
    if channels == 3:
        return pictures
    if channels == 4:
        return pictures[..., :3]
    if channels in (1, 2):
        return pictures[..., [0, 0, 0]]
    raise ValueError(f"{name}: expected a picture (H, W, C) of 1 to 4 channels, got {tuple(pictures.shape)}")


def to_uint8(pictures: Tensor) -> Tensor:
    """(T, H, W, C) in 0..1 -> uint8 on the same device. Values beyond are clamped, uint8 comes back as it is.

    On a CPU picture by picture in one buffer: temporaries of a whole chunk cost more in page faults than
    in arithmetic.
    """
    if pictures.dtype == torch.uint8:
        return pictures
    made = torch.empty(pictures.shape, dtype=torch.uint8, device=pictures.device)
    if pictures.is_cuda:
        return made.copy_(pictures.detach().float().clamp(0, 1).mul_(255).round_())
    buffer = torch.empty(pictures.shape[1:], dtype=torch.float32)
    for picture, out in zip(pictures.detach(), made):
        out.copy_(buffer.copy_(picture).clamp_(0, 1).mul_(255).round_())
    return made


def cover(pictures: Tensor, width: int, height: int) -> Tensor:
    """(H, W, 3) or (T, H, W, 3) scaled until it covers the size, then the middle of it."""
    rows, columns = pictures.shape[-3:-1]
    if (columns, rows) == (width, height):
        return pictures
    scale = max(width / columns, height / rows)
    size = (max(height, round(rows * scale)), max(width, round(columns * scale)))
    stacked = pictures if pictures.ndim == 4 else pictures[None]
    channels_first = rearrange(stacked, "t h w c -> t c h w").float()
    scaled = F.interpolate(channels_first, size=size, mode="bilinear", antialias=True, align_corners=False)
    cut = centre_crop(rearrange(scaled, "t c h w -> t h w c"), width, height)
    made = torch.clamp(cut, 0.0, 1.0).contiguous()
    return made if pictures.ndim == 4 else made[0]


def centre_crop(pictures: Tensor, width: int, height: int) -> Tensor:
    """(T, H, W, C) -> the middle width × height of it."""
    top, left = (pictures.shape[1] - height) // 2, (pictures.shape[2] - width) // 2
    return pictures[:, top : top + height, left : left + width]
