"""The start image moved along tracks: the small preset's warp feature, and the evaluation's network-free
baseline.

Owns the displacement field, the forward-backward check and the filling of disoccluded places. Knows nothing
of codecs and networks.
Shapes: B clips, T frames, N tracks, H×W pixels, h×w cells of `CELL` pixels. Positions are (x, y) in pixels,
pixel (0, 0) has its centre at 0.

Every frame depends on the start image, `xy0` and its own positions alone, so frames may be warped chunk by
chunk with identical results.
Nearest tracks are found for cells of 2×2 pixels and hold, as do the distance and the check, for all four:
tracks lie several pixels apart, and it costs a quarter.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from einops import rearrange, repeat
from torch import Tensor

CELL = 2
MOVED = (
    2.0,
    6.0,
)  # px: content displaced by less than the first stays covered, by more than the second is disoccluded
OUTSIDE = 1.0  # px beyond the border of the start image
TRUST = 1e-4  # weight of a disoccluded pixel when holes are filled: counts only where nothing else is left
BLOCK = {"cpu": 2**20, "cuda": 2**26}  # distances compared at a time


class WarpResult(NamedTuple):
    """frames (T, 3, H, W). distance (T, 1, H, W) px to the nearest visible track. disoccluded (T, 1, H, W)
    0..1. Batched: a leading B.
    """

    frames: Tensor
    distance: Tensor
    disoccluded: Tensor


def warp_frames(image: Tensor, xy0: Tensor, xy: Tensor, visible: Tensor) -> WarpResult:
    """image (3, H, W), xy0 (N, 2) positions in the image, xy (T, N, 2), visible (T, N) -> WarpResult.

    Pixel p of frame t shows the image at q = p + xy0[n] − xy[t, n], n the nearest visible track. With none
    visible the frame is the image. p is disoccluded where the content of q, judged by the track m nearest to
    q in the image, has moved elsewhere, or where q is off the image.
    """
    return WarpResult(*(part[0] for part in warp_clips(image[None], xy0[None], xy[None], visible[None])))


def warp_clips(image: Tensor, xy0: Tensor, xy: Tensor, visible: Tensor) -> WarpResult:
    """warp_frames for a batch: image (B, 3, H, W), xy0 (B, N, 2), xy (B, T, N, 2), visible (B, T, N). On the
    image's device.
    """
    (batch, frames), (height, width) = xy.shape[:2], image.shape[-2:]
    _check(image, xy0, xy, visible)
    xy0, xy, visible = xy0.to(image.device), xy.to(image.device), visible.to(image.device)
    flat_xy, flat_visible = xy.float().flatten(0, 1), visible.bool().flatten(0, 1)
    start = repeat(xy0.float(), "b n c -> (b t) n c", t=frames)
    seen = flat_visible.any(1)[:, None, None, None]
    label = nearest_track(flat_xy, flat_visible, height, width)
    at = take_by_label(flat_xy, label)
    shift = (take_by_label(start, label) - at) * seen
    distance = torch.where(
        seen[..., 0],
        (pixel_grid(height, width, CELL, image.device) - at).norm(dim=-1),
        (height**2 + width**2) ** 0.5,
    )
    disoccluded = _disoccluded(shift, xy0.float(), start, flat_xy, flat_visible, height, width) * seen[..., 0]
    cells = torch.stack([*shift.unbind(-1), distance, disoccluded], dim=1)
    fields = F.interpolate(cells, scale_factor=CELL, mode="nearest")[..., :height, :width]
    fields = rearrange(fields, "(b t) c h w -> c b t 1 h w", b=batch)
    return WarpResult(sample_at_shift(image, fields[0, :, :, 0], fields[1, :, :, 0]), fields[2], fields[3])


def nearest_track(xy: Tensor, visible: Tensor, height: int, width: int) -> Tensor:
    """xy (F, N, 2), visible (F, N) -> (F, h, w) index of the visible track nearest to the centre of each
    cell. Any where none is visible.

    A squared distance and the track's index share one integer, so that a plain minimum finds both. Equal
    distances go to the lower index.
    Distances along an axis count at most the canvas's extent: only tracks far off the canvas are affected.
    """
    count = xy.shape[1]
    bits = max(1, (count - 1).bit_length())
    room = 2 ** (30 - bits) / (height**2 + width**2 + 1)
    dtype, scale = (torch.int32, room) if room >= 16 else (torch.int64, 1024.0)
    hidden = torch.iinfo(dtype).max // 2
    rows, columns = _centres(height, CELL, xy.device), _centres(width, CELL, xy.device)
    keys = []
    for axis, centres, extent in ((1, rows, height), (0, columns, width)):
        squared = (centres[:, None] - xy[:, None, :, axis]).square().clamp(max=extent**2)
        keys.append((squared * scale).to(dtype) << bits)
    keys[0] += torch.arange(count, device=xy.device, dtype=dtype)
    keys[0] = torch.where(visible[:, None], keys[0], hidden)
    room_for = BLOCK.get(xy.device.type, BLOCK["cpu"])
    per_row = len(columns) * count
    block = max(1, room_for // (len(rows) * per_row))
    # Of many tracks a frame alone may be gigabytes: it is looked at in strips of rows.
    strip = min(len(rows), max(1, room_for // per_row))
    size = (min(block, len(xy)), strip, len(columns), count)
    work = torch.empty(size, dtype=dtype, device=xy.device)
    best = torch.empty(len(xy), len(rows), len(columns), dtype=dtype, device=xy.device)
    for y, x, found in zip(*(each.split(block) for each in (*keys, best))):
        for some, part in zip(y.split(strip, 1), found.split(strip, 1)):
            into = work[: len(some), : some.shape[1]]
            torch.amin(torch.add(some[:, :, None], x[:, None], out=into), -1, out=part)
    return best.bitwise_and(2**bits - 1).clamp(max=count - 1).long()


def take_by_label(values: Tensor, label: Tensor) -> Tensor:
    """values (F, N, ...), label (F, h, w) of track indices -> (F, h, w, ...)."""
    offset = values.shape[1] * torch.arange(len(values), device=values.device)[:, None, None]
    return values.flatten(0, 1)[label + offset]


def _disoccluded(
    shift: Tensor, xy0: Tensor, start: Tensor, xy: Tensor, visible: Tensor, height: int, width: int
) -> Tensor:
    """The forward-backward check for each cell, (F, h, w) 0..1: where has the content that the cell shows
    really gone?
    """
    at = pixel_grid(height, width, CELL, shift.device)
    source = at + shift
    home = nearest_track(xy0, torch.ones_like(xy0[..., 0], dtype=torch.bool), height, width)
    rows, columns = home.shape[-2:]
    column = (source[..., 0] / CELL).round().long().clamp(0, columns - 1)
    row = (source[..., 1] / CELL).round().long().clamp(0, rows - 1)
    home = repeat(home, "b h w -> (b t) (h w)", t=len(xy) // len(xy0))
    owner = home.gather(1, (row * columns + column).flatten(1)).view(row.shape)
    gone = take_by_label(torch.cat([xy - start, visible[..., None].float()], dim=-1), owner)
    miss = (shift + gone[..., :2]).norm(dim=-1)
    ramp = ((miss - MOVED[0]) / (MOVED[1] - MOVED[0])).clamp(0, 1)
    moved = ramp.square() * (3 - 2 * ramp) * gone[..., 2]
    return torch.where(beyond_border(source, width, height) > OUTSIDE, torch.ones_like(moved), moved)


def beyond_border(places: Tensor, width: int, height: int) -> Tensor:
    """How far places (..., 2) lie outside of the picture's pixels (...), px. Below zero inside. Sizes stay
    with the host: no copy to the device.
    """
    x, y = places.unbind(-1)
    return torch.maximum(torch.maximum(-x, x - (width - 1.0)), torch.maximum(-y, y - (height - 1.0)))


def fill_disoccluded(frames: Tensor, disoccluded: Tensor) -> Tensor:
    """frames (F, 3, H, W), disoccluded (F, 1, H, W) 0..1 -> frames whose disoccluded pixels continue the
    covered ones around them smoothly.

    Push-pull: averages weighted by trust on ever coarser grids, then from coarse to fine each pixel keeps its
    own share.
    A frame without any covered pixel becomes its own mean colour.
    """
    return push_pull(frames, 1 - disoccluded)


def push_pull(colour: Tensor, keep: Tensor) -> Tensor:
    """colour (F, 3, H, W) where `keep` (F, 1, H, W) is 1, continued smoothly where it is 0."""
    return _push_pull(colour, keep.clamp(min=TRUST), keep)


def _push_pull(colour: Tensor, weight: Tensor, keep: Tensor) -> Tensor:
    """colour and weight (F, ·, H, W). `keep` 0..1 is the share of its own colour that a pixel keeps."""
    height, width = colour.shape[-2:]
    if height == width == 1:
        return colour
    mass = F.avg_pool2d(weight, 2, ceil_mode=True)
    below = F.avg_pool2d(colour * weight, 2, ceil_mode=True) / mass
    share = (4 * mass).clamp(max=1)
    below = _push_pull(below, share, share)
    below = F.interpolate(below, size=(height, width), mode="bilinear", align_corners=False)
    return torch.lerp(below, colour, keep)


def sample_at_shift(image: Tensor, right: Tensor, down: Tensor) -> Tensor:
    """image (B, 3, H, W) at each pixel's place plus (right, down) (B, T, H, W) px, bilinear, border clamped
    -> (B, T, 3, H, W).
    """
    frames, (height, width) = right.shape[1], image.shape[-2:]
    columns, rows = _centres(width, 1, image.device), _centres(height, 1, image.device)[:, None]
    unit = torch.stack(
        [(right + columns) * (2 / width) + (1 / width - 1), (down + rows) * (2 / height) + (1 / height - 1)],
        dim=-1,
    )
    grid = rearrange(unit, "b t h w c -> b (t h) w c").to(image.dtype)
    out = F.grid_sample(image, grid, mode="bilinear", padding_mode="border", align_corners=False)
    return rearrange(out, "b c (t h) w -> b t c h w", t=frames)


def _centres(size: int, cell: int, device: torch.device) -> Tensor:
    return torch.arange(0, size, cell, device=device, dtype=torch.float32) + (cell - 1) / 2


def pixel_grid(height: int, width: int, cell: int, device: torch.device) -> Tensor:
    """(h, w, 2): the (x, y) of the centres of all cells."""
    rows, columns = _centres(height, cell, device), _centres(width, cell, device)
    return torch.stack([columns.expand(len(rows), -1), rows[:, None].expand(-1, len(columns))], dim=-1)


def _check(image: Tensor, xy0: Tensor, xy: Tensor, visible: Tensor):
    count = xy0.shape[1]
    if (
        image.ndim != 4
        or xy.ndim != 4
        or xy.shape[2:] != (count, 2)
        or visible.shape != xy.shape[:3]
        or count < 1
    ):
        raise ValueError(
            "warp: expected image (B, 3, H, W), xy0 (B, N, 2), xy (B, T, N, 2), visible (B, T, N) with N "
            ">= 1, got " + ", ".join(str(tuple(part.shape)) for part in (image, xy0, xy, visible))
        )
