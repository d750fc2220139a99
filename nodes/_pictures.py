"""IMAGE and MASK as people plug them in: one rule for channels and batches at every input, said on the node.

Grey is repeated, transparency is left out, and of a batch where one is wanted the first counts.
Shapes: IMAGE (T, H, W, C) 0..1. MASK (T, H, W) or (H, W).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from torch import Tensor

from ..motionstream_core.common.pictures import TRANSPARENT, cover, three_channels

Note = Callable[[str], None]
MOST_MASKS = 64


def pictures_in(image: Tensor, name: str, note: Note) -> Tensor:
    """(T, H, W, C) or (H, W, C) -> (T, H, W, 3)."""
    image = image[None] if image.ndim == 3 else image
    if image.ndim != 4 or not image.numel():
        raise ValueError(f"{name}: expected pictures (T, H, W, C), got {tuple(image.shape)}")
    made = three_channels(image, name)
    if image.shape[-1] in TRANSPARENT:
        note(f"{name}: its transparency is left out")
    return made


def picture_in(image: Tensor, name: str, note: Note) -> Tensor:
    """(T, H, W, C) -> (1, H, W, 3), the first."""
    made = pictures_in(image, name, note)
    if len(made) > 1:
        note(f"{name}: of {len(made)} pictures the first is taken")
    return made[:1]


def mask_in(mask: Tensor, name: str, note: Note) -> np.ndarray:
    """(T, H, W) or (H, W) -> (H, W), the first."""
    if mask.ndim not in (2, 3) or not mask.numel():
        raise ValueError(f"{name}: expected a mask (H, W), got {tuple(mask.shape)}")
    if mask.ndim == 3 and len(mask) > 1:
        note(f"{name}: of {len(mask)} masks the first is taken")
    return (mask if mask.ndim == 2 else mask[0]).float().cpu().numpy()


def masks_in(mask: Tensor, name: str, size: tuple[int, int], most: int = MOST_MASKS) -> list[np.ndarray]:
    """(T, H, W) or (H, W) -> (H, W) bool each, on the part of a picture that covers size (width, height)."""
    if mask.ndim not in (2, 3) or not mask.numel():
        raise ValueError(f"{name}: expected masks (T, H, W), got {tuple(mask.shape)}")
    planes = (mask[None] if mask.ndim == 2 else mask)[:most].float().cpu()
    return [plane.numpy() > 0.5 for plane in cover(planes[..., None], *size)[..., 0]]


def place_in(place: Any, name: str, note: Note) -> Any:
    """A MASK as an array. Boxes as they are, and none as none."""
    return mask_in(place, name, note) if isinstance(place, Tensor) else place
