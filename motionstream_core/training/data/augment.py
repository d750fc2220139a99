"""Tracks as people really give them: few, drawn by hand, too fast, shaky, let go, missing for a while.

Owns the ways in which a training's exact tracks are made imperfect. Pure functions: what comes in is left as
it is. Knows nothing of latents.

Shapes: xy (B, T, N, 2) pixels, visible (B, T, N) bool. `unspecified` (B, T, N) marks where a track says
nothing (let go, masked) as opposed to hidden (not visible, because something covers the point). It is False
wherever a track is visible. Frame 0 is what the user points at in the start image: no function moves, hides
or masks it, but `keep_few`, which takes whole tracks away.
A preset with a warped start image must be given the imperfect tracks before that picture is made
(`shards.sample_of`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass(frozen=True)
class Given:
    """Tracks as a user gives them."""

    xy: Tensor
    visible: Tensor
    unspecified: Tensor

    def where(self, chosen: Tensor, other: Given) -> Given:
        """The other's samples where chosen (B,), these elsewhere."""
        pick = chosen.to(self.xy.device)
        return Given(
            *(
                torch.where(pick.view(-1, *[1] * (mine.ndim - 1)), theirs, mine)
                for mine, theirs in (
                    (self.xy, other.xy),
                    (self.visible, other.visible),
                    (self.unspecified, other.unspecified),
                )
            )
        )


def exact_tracks(xy: Tensor, visible: Tensor) -> Given:
    """Tracks as they are: nothing is unspecified."""
    if xy.ndim != 4 or xy.shape[-1] != 2 or visible.shape != xy.shape[:-1]:
        raise ValueError(
            f"tracks: expected xy (B, T, N, 2) and visible (B, T, N), got {tuple(xy.shape)} and "
            f"{tuple(visible.shape)}"
        )
    return Given(xy, visible.bool(), torch.zeros_like(visible, dtype=torch.bool))


def keep_few(given: Given, rng: torch.Generator, least: int = 1, most: int = 24) -> Given:
    """Of each sample only a few tracks, their number log-uniform in least..most. The others are as if they
    had never been given.
    """
    size, _, tracks, _ = given.xy.shape
    if not 1 <= least <= most:
        raise ValueError(f"sparse: expected 1 <= least <= most, got {least} and {most}")
    count = torch.exp(_uniform(rng, (size, 1), math.log(least), math.log(most))).round().clamp(least, most)
    there = given.visible.any(1).to(rng.device)  # padding is no track
    place = (torch.rand(size, tracks, generator=rng, device=rng.device) + 2 * ~there).argsort(1).argsort(1)
    keep = (place < count)[:, None].to(given.visible.device)
    return replace(given, visible=given.visible & keep, unspecified=given.unspecified & keep)


def hand_drawn(
    given: Given, rng: torch.Generator, points: tuple[int, int] = (3, 6), noise: float = 3.0
) -> Given:
    """Each path as a smooth curve through a few points of it, put `noise` px beside it: what one stroke keeps
    of a real motion.

    The points are the same frames for all tracks of a batch. A stroke moves what it holds in one piece, so
    most of the noise is shared.
    """
    size, frames, tracks, _ = given.xy.shape
    count = min(frames, int(torch.randint(points[0], points[1] + 1, (1,), generator=rng, device=rng.device)))
    if count < 2:
        return given
    at = torch.linspace(0, frames - 1, count).round().long()
    off = _noise(rng, (size, count, tracks, 2), noise, given.xy)
    off[:, 0] = 0
    return replace(
        given, xy=torch.cat([given.xy[:, :1], _spline(given.xy[:, at] + off, at, frames)[:, 1:]], 1)
    )


def too_fast(given: Given, rng: torch.Generator, least: float = 1.3, most: float = 4.0) -> Given:
    """The whole motion in a part of the time, then held at its end: a quick drag, then a hand that rests."""
    frames = given.xy.shape[1]
    speed = _uniform(rng, (given.xy.shape[0], 1), least, most).to(given.xy.device)
    at = (torch.arange(frames, device=given.xy.device) * speed).clamp(max=frames - 1)
    low = at.floor().long().clamp(max=max(0, frames - 2))
    share = (at - low)[..., None, None]
    xy = torch.lerp(_frames(given.xy, low), _frames(given.xy, (low + 1).clamp(max=frames - 1)), share)
    near = at.round().long()
    return Given(xy, _frames(given.visible, near), _frames(given.unspecified, near))


def jitter_tracks(given: Given, rng: torch.Generator, noise: float = 1.5) -> Given:
    """A hand that shakes: noise of up to about `noise` px in every frame but the first, mostly shared by a
    sample's tracks.
    """
    strength = _uniform(rng, (given.xy.shape[0], 1, 1, 1), 0.2, 1.0).to(given.xy)
    off = _noise(rng, tuple(given.xy.shape), noise, given.xy) * strength
    off[:, 0] = 0
    return replace(given, xy=given.xy + off)


def release_tracks(given: Given, rng: torch.Generator, all_share: float = 0.5) -> Given:
    """The mouse is let go at a random moment: from there on nothing is said of the tracks it held, all of a
    sample's or about half of them.
    """
    size, frames, tracks, _ = given.xy.shape
    if frames < 2:
        return given
    moment = torch.randint(1, frames, (size, 1, 1), generator=rng, device=rng.device)
    everything = torch.rand(size, 1, 1, generator=rng, device=rng.device) < all_share
    held = everything | (torch.rand(size, 1, tracks, generator=rng, device=rng.device) < 0.5)
    return _unspecify(given, held & (torch.arange(frames, device=rng.device)[None, :, None] >= moment))


def chunk_masked(given: Given, rng: torch.Generator, p: float = 0.2, chunk: int = 12) -> Given:
    """The paper's stochastic mid-frame masking: each chunk of `chunk` pixel frames, but the first and the
    last, says nothing with probability p.
    """
    size, frames = given.xy.shape[:2]
    number = (torch.arange(frames, device=rng.device) + chunk - 1) // chunk  # frame 0 alone, then chunks
    last = int(number[-1])
    masked = torch.rand(size, last + 1, generator=rng, device=rng.device) < p
    masked[:, :2], masked[:, last] = False, False
    return _unspecify(given, masked[:, number][..., None].expand(-1, -1, given.xy.shape[2]))


@dataclass(frozen=True)
class Imperfection:
    """How often each sample meets each of the ways (0..1). They may meet."""

    sparse: float = 0.3
    hand_drawn: float = 0.2
    too_fast: float = 0.1
    jittered: float = 0.2
    released: float = 0.2
    chunk_masked: float = 0.0

    def __post_init__(self):
        for name, share in vars(self).items():
            if not 0 <= share <= 1:
                raise ValueError(f"{name}: expected a share of 0 to 1, got {share}")


CHANGES = {
    "sparse": keep_few,
    "hand_drawn": hand_drawn,
    "too_fast": too_fast,
    "jittered": jitter_tracks,
    "released": release_tracks,
    "chunk_masked": chunk_masked,
}


def make_imperfect(
    xy: Tensor, visible: Tensor, rng: torch.Generator, how: Imperfection | None = None
) -> Given:
    """Each sample's tracks made imperfect in ways drawn at random. With all shares 0 the tracks are as they
    were.
    """
    how, given = how or Imperfection(), exact_tracks(xy, visible)
    for name, way in CHANGES.items():
        chosen = torch.rand(xy.shape[0], generator=rng, device=rng.device) < getattr(how, name)
        if chosen.any():
            given = given.where(chosen, way(given, rng))
    return given


def _uniform(rng: torch.Generator, shape: tuple[int, ...], low: float, high: float) -> Tensor:
    return low + (high - low) * torch.rand(shape, generator=rng, device=rng.device)


def _noise(
    rng: torch.Generator, shape: tuple[int, ...], scale: float, like: Tensor, own: float = 0.25
) -> Tensor:
    """(B, T, N, 2): most of it shared by all tracks of a sample."""
    shared = torch.randn((*shape[:2], 1, shape[3]), generator=rng, device=rng.device)
    return (scale * (shared + own * torch.randn(shape, generator=rng, device=rng.device))).to(like)


def _frames(value: Tensor, index: Tensor) -> Tensor:
    """value (B, T, ...) at frames index (B, T)."""
    return value[torch.arange(len(value), device=value.device)[:, None], index]


def _unspecify(given: Given, where: Tensor) -> Given:
    """Nothing is said at `where` (B, T, N) of tracks that were given at all. The place stays the last one
    that was said.
    """
    where = where.to(given.visible.device) & given.visible.any(1, keepdim=True)
    said = (
        torch.where(where, -1, torch.arange(where.shape[1], device=where.device)[None, :, None])
        .cummax(1)
        .values.clamp(min=0)
    )
    return Given(
        given.xy.gather(1, said[..., None].expand_as(given.xy)),
        given.visible & ~where,
        given.unspecified | where,
    )


def _spline(points: Tensor, at: Tensor, frames: int) -> Tensor:
    """A Catmull-Rom curve through points (B, K, N, 2) at frames `at` (K,) -> (B, frames, N, 2)."""
    now = torch.arange(frames)
    left = (torch.bucketize(now, at, right=True) - 1).clamp(0, len(at) - 2)
    share = ((now - at[left]) / (at[left + 1] - at[left])).to(points)[None, :, None, None]
    ends = torch.cat([2 * points[:, :1] - points[:, 1:2], points, 2 * points[:, -1:] - points[:, -2:-1]], 1)
    a, b, c, d = (ends[:, left.to(points.device) + k] for k in range(4))
    return b + 0.5 * share * (c - a + share * (2 * a - 5 * b + 4 * c - d + share * (3 * (b - c) + d - a)))
