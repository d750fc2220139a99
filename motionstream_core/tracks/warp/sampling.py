"""A picture sampled backwards through a motion, in the window of a frame where it can show.

Owns the bilinear look-up and the window. Knows nothing of layers, tracks or plates.
Shapes: a way back is an affine map (2, 3) from frame to image, or a field (H, W, 2) of places in the image.
Positions are pixels with centres at +0.5.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ...common.upload import upload
from .motions import IDENTITY, invert_motion, move_points

REACHES = 2  # px: a sampled layer shows so far beyond its box at most
Box = tuple[int, int, int, int]  # left, top, right, bottom


def lookup_mask(mask: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(K,) bool: whether points (K, 2) lie in the mask (H, W)."""
    height, width = mask.shape
    x, y = np.floor(points[:, 0]).astype(int), np.floor(points[:, 1]).astype(int)
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    return inside & mask[np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)]


def window_of(box: Box, back: np.ndarray | Tensor, whole: Box) -> Box:
    """The part of a frame in which what is in a box of the image can show: left, top, right, bottom."""
    left, top, right, bottom = box
    if isinstance(back, Tensor) or left >= right:
        return whole if left < right else box
    corners = np.array([[left, top], [right, top], [left, bottom], [right, bottom]], float)
    there = move_points(invert_motion(back), corners)
    low = np.clip(np.floor(there.min(0)) - REACHES, whole[:2], whole[2:]).astype(int)
    high = np.clip(np.ceil(there.max(0)) + REACHES, whole[:2], whole[2:]).astype(int)
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def source_places(back: np.ndarray | Tensor, window: Box, device: torch.device) -> tuple[Tensor, Tensor]:
    """x and y (h, w) in the image of the pixels in a window of the frame."""
    left, top, right, bottom = window
    if isinstance(back, Tensor):
        x, y = back[top:bottom, left:right].unbind(-1)
        return x, y
    columns, rows = np.arange(left, right) + 0.5, np.arange(top, bottom)[:, None] + 0.5
    across, down = (back[k, 0] * columns + (back[k, 1] * rows + back[k, 2]) for k in (0, 1))
    x, y = (upload(torch.from_numpy(each).float(), device) for each in (across, down))
    return x, y


def sample_back(source: Tensor, back: np.ndarray | Tensor, margin: int, edge: str, window: Box) -> Tensor:
    """A picture at the way back of the pixels in a window of a frame, bilinear -> (C, H, W).

    Args:
        source: (C, h, w), `margin` px larger than the image on each side.
        back: the way back, from frame to image.
        margin: px.
        edge: what is beyond the source, as `grid_sample` names it.
        window: of the frame.
    """
    left, top, right, bottom = window
    if not isinstance(back, Tensor) and np.abs(back - IDENTITY).max() < 1e-9:
        return source[:, margin + top : margin + bottom, margin + left : margin + right].clone()
    height, width = source.shape[-2:]
    x, y = source_places(back, window, source.device)
    unit = torch.stack([(x + margin) * (2 / width) - 1, (y + margin) * (2 / height) - 1], -1)
    return F.grid_sample(
        source[None], unit[None].to(source.dtype), mode="bilinear", padding_mode=edge, align_corners=False
    )[0]
