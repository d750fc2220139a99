"""Holes of a picture filled with pieces of its own texture (exemplars), coarse to fine.

Owns the search for patches and the vote of those that overlap. After Wexler, Shechtman and Irani (2007). On
fine grids patches are searched near what the coarser grid found, as in PatchMatch (Barnes et al. 2009).
Deterministic: nothing is drawn at random.

Shapes: picture (3, H, W) 0..1. hole (H, W) bool.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from .backward import fill_disoccluded

HALF = 3  # px: a patch has 7×7
COARSE = 48  # px: the longer side of the coarsest grid
ROUNDS = {0: 6}  # votes on the coarsest grid, and
FINER = 2  # on every finer one
BLOCK = 2**22  # distances compared at a time
SHARP = 0.25  # a patch twice as far off as the best of a place counts exp(−1 / SHARP)
OUTER = 0.6  # weight of a patch's outer pixels against its inner one


class Matches(NamedTuple):
    """For places (K, 2) rows and columns that patches stand at: the places (K, 2) they come from, and how far
    off each is (K,).
    """

    places: Tensor
    sources: Tensor
    error: Tensor


def fill_from_exemplars(
    picture: Tensor, hole: Tensor, smooth: Tensor, barred: Tensor | None = None
) -> Tensor:
    """The picture with its hole filled -> (3, H, W).

    Args:
        picture: whose pixels outside of the hole are kept.
        hole: what is to be filled. Where no whole patch is known, the smooth fill stays.
        smooth: a first fill, (3, H, W).
        barred: (H, W) bool, what no texture is taken from beside the hole.
    """
    height, width = hole.shape
    if not hole.any():
        return picture
    sizes = [(height, width)]
    while max(sizes[-1]) > COARSE and min(sizes[-1]) >= 8 * HALF:
        sizes.append(((sizes[-1][0] + 1) // 2, (sizes[-1][1] + 1) // 2))
    known = (~hole).float()[None, None]
    barred = torch.zeros_like(hole) if barred is None else barred
    made, matches = None, None
    for level, size in enumerate(reversed(sizes)):
        share = F.adaptive_avg_pool2d(known, size)
        here = F.adaptive_avg_pool2d(picture[None] * known, size) / share.clamp(min=1e-6)
        shut = F.adaptive_max_pool2d(barred[None, None].float(), size)[0, 0] > 0
        start = F.adaptive_avg_pool2d(smooth[None], size)[0]
        if made is not None:
            start = F.interpolate(made[None], size=size, mode="bilinear", align_corners=False)[0]
        whole = size == (height, width)
        here = picture if whole else here[0]
        gap = hole if whole else share[0, 0] < 0.5
        made = torch.where(gap, start, here)
        rounds = ROUNDS.get(level, FINER) if gap.any() else 0
        for _ in range(rounds):
            matches = _search(made, gap, shut, matches)
            if matches is None:
                break
            made = _vote(made, gap, matches)
        if matches is not None and not whole:
            matches = _upsample(matches, sizes[len(sizes) - 2 - level])
    assert made is not None
    return made


def _patches(picture: Tensor) -> Tensor:
    """(3, H, W) -> (H·W, 147), the border repeated."""
    padded = F.pad(picture[None], (HALF,) * 4, mode="replicate")
    return F.unfold(padded, 2 * HALF + 1)[0].T.contiguous()


def _search(made: Tensor, hole: Tensor, barred: Tensor, before: Matches | None) -> Matches | None:
    """The nearest known patch of every place whose patch touches the hole. None where no patch is known."""
    height, width = hole.shape
    side = 2 * HALF + 1
    near = F.max_pool2d(hole[None, None].float(), side, 1, HALF)[0, 0] > 0
    inside = torch.zeros_like(hole)
    inside[HALF : height - HALF, HALF : width - HALF] = True
    shut = F.max_pool2d((hole | barred)[None, None].float(), side, 1, HALF)[0, 0] > 0
    usable = ~shut & inside
    sources = usable.nonzero()
    if not len(sources):
        return None
    places = near.nonzero()
    patches = _patches(made)
    wanted = patches[places[:, 0] * width + places[:, 1]]
    if before is None:
        return _exhaustive(places, wanted, sources, patches[sources[:, 0] * width + sources[:, 1]])
    return _propagate(places, wanted, patches, usable, before, (height, width))


def _exhaustive(places: Tensor, wanted: Tensor, sources: Tensor, known: Tensor) -> Matches:
    squares = known.square().sum(1)
    best, error = [], []
    for part in wanted.split(max(1, BLOCK // len(known))):
        distance, index = torch.addmm(squares[None], part, known.T, alpha=-2).min(1)
        best.append(index)
        error.append(distance + part.square().sum(1))
    return Matches(places, sources[torch.cat(best)], torch.cat(error).clamp(min=0))


def _propagate(
    places: Tensor, wanted: Tensor, patches: Tensor, usable: Tensor, before: Matches, size: tuple[int, int]
) -> Matches:
    """Of what the places around one come from, shifted along with them, the nearest patch."""
    height, width = size
    offset = torch.zeros(height, width, 2, dtype=torch.long, device=places.device)
    there = torch.zeros(height, width, dtype=torch.bool, device=places.device)
    rows, columns = before.places.unbind(1)
    offset[rows, columns] = before.sources - before.places
    there[rows, columns] = True
    best, error = None, None
    steps = [(0, 0), (-1, 0), (1, 0), (0, -1), (0, 1), (-3, 0), (3, 0), (0, -3), (0, 3)]
    jitter = [(0, 0), (1, 0), (-1, 0), (0, 1), (0, -1)]
    for number, step in enumerate(steps):
        at = places + torch.tensor(step, device=places.device)
        at[:, 0].clamp_(0, height - 1)
        at[:, 1].clamp_(0, width - 1)
        for shake in jitter if number == 0 else jitter[:1]:
            to = places + offset[at[:, 0], at[:, 1]] + torch.tensor(shake, device=places.device)
            valid = there[at[:, 0], at[:, 1]]
            to[:, 0].clamp_(HALF, height - 1 - HALF)
            to[:, 1].clamp_(HALF, width - 1 - HALF)
            valid = valid & usable[to[:, 0], to[:, 1]]
            distance = (patches[to[:, 0] * width + to[:, 1]] - wanted).square().sum(1)
            distance = torch.where(valid, distance, torch.full_like(distance, 1e6))
            if best is None or error is None:
                best, error = to, distance
            else:
                better = distance < error
                best = torch.where(better[:, None], to, best)
                error = torch.where(better, distance, error)
    assert best is not None and error is not None
    kept = error < 1e6
    if kept.all():
        return Matches(places, best, error)
    lost = ~kept
    sources = usable.nonzero()
    # Places that nothing leads to are few: they look at every ninth patch.
    some = sources[:: max(1, len(sources) // 2000)]
    found = _exhaustive(places[lost], wanted[lost], some, patches[some[:, 0] * width + some[:, 1]])
    best[lost], error[lost] = found.sources, found.error
    return Matches(places, best, error)


def _upsample(matches: Matches, size: tuple[int, int]) -> Matches:
    """The same matches on a grid of twice the size."""
    height, width = size
    corner = torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1]], device=matches.places.device)
    places = (2 * matches.places[:, None] + corner).flatten(0, 1)
    sources = (2 * matches.sources[:, None] + corner).flatten(0, 1)
    inside = (places[:, 0] < height) & (places[:, 1] < width)
    return Matches(places[inside], sources[inside], matches.error.repeat_interleave(4)[inside])


def _vote(made: Tensor, hole: Tensor, matches: Matches) -> Tensor:
    """Every pixel of the hole becomes the mean of what the patches over it have there, best first."""
    height, width = hole.shape
    scale = SHARP * matches.error.median().clamp(min=1e-4)
    weight = torch.exp(-(matches.error - matches.error.min()) / (2 * scale)).clamp(min=1e-4)
    flat = made.flatten(1)
    total = made.new_zeros(4, height * width)
    for down in range(-HALF, HALF + 1):
        for right in range(-HALF, HALF + 1):
            shift = torch.tensor([down, right], device=made.device)
            to, source = matches.places + shift, matches.sources + shift
            inside = (to[:, 0] >= 0) & (to[:, 0] < height) & (to[:, 1] >= 0) & (to[:, 1] < width)
            share = weight * OUTER ** max(abs(down), abs(right))
            colour = flat[:, source[:, 0] * width + source[:, 1]]
            values = torch.cat([colour * share, share[None]]) * inside
            index = to[:, 0].clamp(0, height - 1) * width + to[:, 1].clamp(0, width - 1)
            total.index_add_(1, index, values)
    mean = (total[:3] / total[3:].clamp(min=1e-8)).view_as(made)
    return torch.where(hole & (total[3].view_as(hole) > 0), mean, made)


def fill_smoothly(picture: Tensor, hole: Tensor) -> Tensor:
    """The picture (3, H, W) with its hole (H, W) continued from around it: Navier-Stokes where OpenCV is
    there, push-pull where not.
    """
    if not hole.any():
        return picture
    pushed = fill_disoccluded(picture[None], hole[None, None].float())[0]
    try:
        import cv2
    except ImportError:
        return pushed
    if hole.all():
        return pushed
    pixels = (picture.permute(1, 2, 0).cpu().numpy().clip(0, 1) * 255).round().astype("uint8")
    made = cv2.inpaint(pixels, hole.cpu().numpy().astype("uint8"), 5, cv2.INPAINT_NS)
    filled = torch.from_numpy(made).to(picture).permute(2, 0, 1) / 255
    return torch.where(hole, filled, picture)
