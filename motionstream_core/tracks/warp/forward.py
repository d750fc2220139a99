"""The start image carried forward along tracks: what the small preset is shown of the motion.

Owns which track each pixel of the start image goes with, and where the pixels land. Differs from `warp`
(every place of the new frame takes its nearest track, the evaluation's baseline) in that it starts from the
start image's pixels: a place that nothing lands on is disoccluded, so a moved object leaves no ghost behind.

Shapes as in `warp`: T frames, N tracks, P = H·W pixels. Every frame depends on the start image and its own
positions alone.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

from .backward import (
    CELL,
    WarpResult,
    beyond_border,
    nearest_track,
    pixel_grid,
    sample_at_shift,
    take_by_label,
)

COLOUR = 8.0  # px that a colour difference of 1 counts for when a pixel chooses its track
SPECK = 3  # of 9: a pixel with fewer landed neighbours, itself included, is a stray
OUTSIDE = 1.0  # px beyond the border of the start image
FAR = 2**20
CLAIMED = 2**24  # pixels × tracks that are compared at once


class ForwardWarp:
    """image (3, H, W) 0..1 and the tracks' places in it, xy0 (N, 2). Call it with the places of later
    frames.
    """

    def __init__(self, image: Tensor, xy0: Tensor):
        self.image = image
        self.anchors, self.xy0 = xy0, xy0.to(image.device).float()
        self.label = assign_pixels(image, self.xy0)

    def __call__(self, xy: Tensor, visible: Tensor) -> WarpResult:
        """xy (T, N, 2), visible (T, N) -> frames (T, 3, H, W), distance to the nearest visible track and
        disoccluded 0 or 1, (T, 1, H, W).

        A pixel moves as its track does and lands where that takes it. Of several that land on one place, the
        one stays whose motion is most like that of the nearest visible track. Pixels of a hidden track do not
        land. Uncovered places show the nearest track's pixels until they are filled. A frame without visible
        tracks is the image itself. Raises ValueError for shapes that do not fit.
        """
        xy, visible = self._checked(xy, visible)
        height, width = self.image.shape[-2:]
        near, empty, shift = self._shifts(xy, visible)
        seen, place = visible.any(1)[:, None, None], pixel_grid(height, width, 1, xy.device)
        source = place + shift
        frames = sample_at_shift(self.image[None], shift[None, ..., 0], shift[None, ..., 1])[0]
        beyond = beyond_border(source, width, height) > OUTSIDE
        distance = torch.where(
            seen, (place - take_by_label(xy, near)).norm(dim=-1), (height**2 + width**2) ** 0.5
        )
        return WarpResult(frames, distance[:, None], ((empty | beyond) & seen)[:, None].float())

    def to_reference(self, xy: Tensor, visible: Tensor, places: Tensor) -> Tensor:
        """Where in the start image the pixels come from that stand at `places` (K, 2) when the tracks are at
        xy (N, 2) -> (K, 2).
        """
        xy, visible = self._checked(xy[None], visible[None])
        height, width = self.image.shape[-2:]
        shift = self._shifts(xy, visible)[2][0]
        places = places.to(shift)
        x, y = places.round().long().unbind(-1)
        return places + shift[y.clamp(0, height - 1), x.clamp(0, width - 1)]

    def _checked(self, xy: Tensor, visible: Tensor) -> tuple[Tensor, Tensor]:
        count = len(self.xy0)
        if xy.shape[1:] != (count, 2) or visible.shape != xy.shape[:2]:
            raise ValueError(
                f"carry: expected xy (T, {count}, 2) and visible (T, {count}), got {tuple(xy.shape)} and "
                f"{tuple(visible.shape)}"
            )
        return xy.to(self.image.device).float(), visible.to(self.image.device).bool()

    def _shifts(self, xy: Tensor, visible: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The nearest visible track (T, H, W), where nothing landed (T, H, W), and the way back from every
        pixel to its place in the start image (T, H, W, 2).
        """
        height, width = self.image.shape[-2:]
        move, seen = xy - self.xy0, visible.any(1)[:, None, None]
        near = nearest_track(xy, visible, height, width)
        landed = close_cracks(splat(self.label, move, visible, take_by_label(move, near), (height, width)))
        near = upsample(near, height, width)
        empty = landed < 0
        return near, empty, -take_by_label(move, torch.where(empty, near, landed)) * seen[..., None]


def assign_pixels(image: Tensor, xy0: Tensor) -> Tensor:
    """The track (H, W) that each pixel of the start image goes with: the nearest in place and, a little, in
    colour.
    """
    height, width = image.shape[-2:]
    smooth = F.avg_pool2d(F.pad(image[None], (1, 1, 1, 1), mode="replicate"), 3, 1)
    x, y = xy0.unbind(-1)
    at = torch.stack([(2 * x + 1) / width, (2 * y + 1) / height], dim=-1) - 1
    colour = F.grid_sample(
        smooth, at[None, None], mode="bilinear", padding_mode="border", align_corners=False
    )[0, :, 0].T
    pixels = torch.cat(
        [
            pixel_grid(height, width, 1, image.device).flatten(0, 1),
            COLOUR * rearrange(smooth[0], "c h w -> (h w) c"),
        ],
        dim=1,
    )
    tracks = torch.cat([xy0, COLOUR * colour], dim=1)
    lengths = tracks.square().sum(1)
    # Distances of all pixels to all tracks may be gigabytes.
    step = max(1, CLAIMED // len(tracks))
    claimed = [(lengths - 2 * some @ tracks.T).argmin(1) for some in pixels.split(step)]
    return torch.cat(claimed).view(height, width)


def splat(label: Tensor, move: Tensor, visible: Tensor, near_move: Tensor, size: tuple[int, int]) -> Tensor:
    """The label that lands on each pixel -> (T, H, W), −1 where none.

    Args:
        label: (H, W) of the pixels.
        move: (T, N, 2) px of the tracks.
        visible: (T, N) bool.
        near_move: (T, h, w, 2) of the nearest track.
        size: height and width in pixels.
    """
    height, width = size
    pixels, label = height * width, label.flatten()
    step = move[:, label]
    target = (pixel_grid(height, width, 1, move.device).flatten(0, 1) + step).round().long()
    x, y = target.unbind(-1)
    lands = visible[:, label] & (x >= 0) & (x < width) & (y >= 0) & (y < height)
    cell = (y.clamp(0, height - 1) // CELL) * near_move.shape[2] + x.clamp(0, width - 1) // CELL
    expected = near_move.flatten(1, 2).gather(1, cell[..., None].expand(-1, -1, 2))
    odd = ((step - expected).norm(dim=-1) * 64).long().clamp(max=FAR - 1)
    key = odd * pixels + torch.arange(pixels, device=move.device)
    best = key.new_full((len(move), pixels + 1), FAR * pixels)
    best = best.scatter_reduce(1, torch.where(lands, y * width + x, pixels), key, "amin")[:, :pixels]
    return torch.where(best < FAR * pixels, label[best % pixels], -1).view(-1, height, width)


def close_cracks(landed: Tensor) -> Tensor:
    """Closes cracks and drops stray pixels of (T, H, W) labels.

    A crack, of rotation or zoom, is one pixel wide: something landed on both sides of it. Anything wider is
    a disoccluded place.
    """
    there = F.pad(landed, (1, 1, 1, 1), value=-1) >= 0
    crack = (there[:, 1:-1, :-2] & there[:, 1:-1, 2:]) | (there[:, :-2, 1:-1] & there[:, 2:, 1:-1])
    neighbour = F.max_pool2d(landed[:, None].float(), 3, 1, 1)[:, 0].long()
    landed = torch.where((landed < 0) & crack, neighbour, landed)
    around = 9 * F.avg_pool2d((landed >= 0).float()[:, None], 3, 1, 1)[:, 0]
    return torch.where(around > SPECK + 0.5, landed, -1)


def upsample(cells: Tensor, height: int, width: int) -> Tensor:
    """(T, h, w) of the coarse grid -> (T, H, W)."""
    return cells.repeat_interleave(CELL, 1).repeat_interleave(CELL, 2)[:, :height, :width]
