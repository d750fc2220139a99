"""The clean plate: the background of the start image with nothing before it, on a canvas larger than it.

Owns what is filled and what is kept. A place that was filled once shows the same for ever, also when more is
filled beside it. Shapes: image (3, H, W) 0..1. hole (H, W) bool. A canvas has `margin` px more on each side.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from .backward import fill_disoccluded
from .exemplar import fill_from_exemplars, fill_smoothly

GROWN = 2  # px: a silhouette is grown by so much, so that nothing of its rim stays behind
MARGIN = 0.25  # of the longer side: how much the canvas has beyond each border
SETTLES = 8  # frames after which a fill is there to stay
NEVER = 2**30
TONE = 5.0  # px: coarser than this the fill is smooth, finer it is of the picture's own texture


@dataclass(frozen=True)
class Plate:
    """canvas (3, H + 2·margin, W + 2·margin). filled: where it does not show the start image. since:
    the frame in which a place was filled first, both of the canvas's size.
    """

    canvas: Tensor
    filled: Tensor
    margin: int
    since: Tensor

    @staticmethod
    def of(image: Tensor) -> Plate:
        """The image with nothing filled and no margin."""
        height, width = image.shape[-2:]
        blank = torch.zeros(height, width, dtype=torch.bool, device=image.device)
        return Plate(image, blank, 0, torch.full_like(blank, NEVER, dtype=torch.int32))

    def with_hole(self, hole: Tensor, frame: int) -> Plate:
        """With what stands in the hole (H, W) painted over.

        What was painted over less than SETTLES frames ago is painted anew, for then less was known of what
        stands there. What is older stays.
        """
        inner = F.pad(hole, (self.margin,) * 4)
        settled = self.filled & (self.since < frame - SETTLES)
        new = (inner | self.filled) & ~settled
        if not (inner & ~self.filled).any():
            return self
        since = torch.where(new & ~self.filled, frame, self.since)
        return replace(
            self, canvas=_fill_canvas(self.canvas, new, settled), filled=self.filled | new, since=since
        )

    def with_margin(self, frame: int) -> Plate:
        """With room beyond the borders, filled."""
        if self.margin:
            return self
        height, width = self.filled.shape
        margin = round(MARGIN * max(height, width))
        canvas = F.pad(self.canvas[None], (margin,) * 4, mode="replicate")[0]
        outside = F.pad(torch.zeros_like(self.filled), (margin,) * 4, value=True)
        filled = F.pad(self.filled, (margin,) * 4)
        since = F.pad(self.since, (margin,) * 4, value=frame)
        return replace(
            self,
            canvas=_fill_canvas(canvas, outside, filled),
            filled=filled | outside,
            margin=margin,
            since=since,
        )


def grow_mask(mask: Tensor, by: int = GROWN) -> Tensor:
    """The mask (H, W) grown by so many px."""
    return F.max_pool2d(mask[None, None].float(), 2 * by + 1, 1, by)[0, 0] > 0


def _fill_canvas(canvas: Tensor, hole: Tensor, before: Tensor) -> Tensor:
    """The canvas with its hole filled: the tone of a smooth fill, the texture of exemplars.

    before: what was filled earlier, no source of texture.
    """
    if (hole | before).all():
        return torch.where(hole, fill_disoccluded(canvas[None], hole[None, None].float())[0], canvas)
    # The two smooth fills err apart: their mean is nearer to the truth than either.
    pushed = fill_disoccluded(canvas[None], hole[None, None].float())[0]
    smooth = (fill_smoothly(canvas, hole) + pushed) / 2
    textured = fill_from_exemplars(canvas, hole, smooth, before)
    mixed = _low(smooth) + textured - _low(textured)
    return torch.where(hole, mixed.clamp(0, 1), canvas)


def _low(picture: Tensor) -> Tensor:
    """What a Gaussian of TONE px keeps."""
    reach = min(int(3 * TONE), min(picture.shape[-2:]) - 1)
    steps = torch.arange(-reach, reach + 1, device=picture.device, dtype=picture.dtype)
    kernel = torch.exp(-steps.square() / (2 * TONE**2))
    kernel = (kernel / kernel.sum()).view(1, 1, 1, -1)
    rows = F.pad(picture[:, None], (reach, reach, 0, 0), mode="reflect")
    rows = F.conv2d(rows, kernel)
    columns = F.pad(rows, (0, 0, reach, reach), mode="reflect")
    return F.conv2d(columns, kernel.transpose(2, 3))[:, 0]
