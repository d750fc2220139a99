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
    """The background of one frame.

    Holes are noted frame by frame and painted once a chunk, by `painted`: painting costs far more than all
    else here, and things are often found one after another.

    Args:
        canvas: (3, H + 2 margin, W + 2 margin).
        filled: (H + 2 margin, W + 2 margin) where it does not show the start image.
        margin: px beyond each border of the image.
        since: the frame in which a place was filled first, of the canvas's size.
        pending: the frame of the first hole that is not painted yet. None where all are.
    """

    canvas: Tensor
    filled: Tensor
    margin: int
    since: Tensor
    pending: int | None = None

    @staticmethod
    def of(image: Tensor) -> Plate:
        """The image with nothing filled and no margin."""
        height, width = image.shape[-2:]
        blank = torch.zeros(height, width, dtype=torch.bool, device=image.device)
        return Plate(image, blank, 0, torch.full_like(blank, NEVER, dtype=torch.int32))

    def with_hole(self, hole: Tensor, frame: int) -> Plate:
        """With what stands in the hole (H, W) to be painted over."""
        inner = F.pad(hole, (self.margin,) * 4)
        fresh = inner & ~self.filled
        if not fresh.any():
            return self
        return self._with_filled(fresh, frame)

    def with_margin(self, frame: int) -> Plate:
        """With room beyond the borders, to be painted."""
        if self.margin:
            return self
        height, width = self.filled.shape
        margin = round(MARGIN * max(height, width))
        outside = F.pad(torch.zeros_like(self.filled), (margin,) * 4, value=True)
        wider = replace(
            self,
            canvas=F.pad(self.canvas[None], (margin,) * 4, mode="replicate")[0],
            filled=F.pad(self.filled, (margin,) * 4),
            since=F.pad(self.since, (margin,) * 4, value=NEVER),
            margin=margin,
        )
        return wider._with_filled(outside, frame)

    def _with_filled(self, fresh: Tensor, frame: int) -> Plate:
        return replace(
            self,
            filled=self.filled | fresh,
            since=torch.where(fresh, frame, self.since),
            pending=frame if self.pending is None else self.pending,
        )

    def painted(self) -> Plate:
        """With every hole painted.

        What was painted less than SETTLES frames before them is painted anew, for then less was known of what
        stands there. What is older stays.
        """
        if self.pending is None:
            return self
        settled = self.filled & (self.since < self.pending - SETTLES)
        canvas = _fill_canvas(self.canvas, self.filled & ~settled, settled)
        return replace(self, canvas=canvas, pending=None)

    def painted_as(self, later: Plate) -> Plate:
        """This frame's plate with the paint of a later one of its chunk, in the holes that it has itself."""
        if self.pending is None and later.pending is None and self.canvas is later.canvas:
            return self
        cut = later.margin - self.margin
        height, width = self.filled.shape
        paint = later.canvas[:, cut : cut + height, cut : cut + width]
        return replace(self, canvas=torch.where(self.filled, paint, self.canvas), pending=None)


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
