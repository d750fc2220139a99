"""The objects that a document has cut out of the picture, as masks by handle: what moves with the handle's
points, to the pixel.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..masks import fill_outlines
from .model import Document


class PictureFit(NamedTuple):
    """From the document's places to those of a video: x → scale_x · x + shift_x, and y alike."""

    scale_x: float
    scale_y: float
    shift_x: float
    shift_y: float


def document_objects(
    document: Document, width: int, height: int, fit: PictureFit | None = None
) -> dict[int, np.ndarray]:
    """The masks (height, width) bool of the drawn objects, by the numbers that `document_groups` gives them.

    fit: of the places. By default they are stretched to the size.
    """
    fit = fit or PictureFit(width / document.width, height / document.height, 0.0, 0.0)
    scale, shift = np.array(fit[:2]), np.array(fit[2:])
    masks = {}
    for number, stroke in enumerate(document.drawn):
        if stroke.kind != "object" or stroke.cut_out is None:
            continue
        start = np.array(stroke.points[0])
        lines = [(np.array(line) + start) * scale + shift for line in stroke.cut_out.outlines]
        mask = fill_outlines(lines, width, height)
        if mask.any():
            masks[number] = mask
    return masks


def objects_under_strokes(
    document: Document, masks: list[np.ndarray], fit: PictureFit
) -> dict[int, np.ndarray]:
    """Of masks (H, W) bool that were found elsewhere, each for the first drawn stroke that begins in it.

    Pins, cameras and objects take none.
    """
    found: dict[int, np.ndarray] = {}
    for mask in masks:
        height, width = mask.shape
        for number, stroke in enumerate(document.drawn):
            if stroke.kind in ("pin", "camera", "object") or number in found:
                continue
            x = round(stroke.points[0][0] * fit.scale_x + fit.shift_x)
            y = round(stroke.points[0][1] * fit.scale_y + fit.shift_y)
            if 0 <= x < width and 0 <= y < height and mask[y, x]:
                found[number] = mask
                break
    return found
