"""Two sets of tracks become one: side by side, or a camera's motion on top of objects.

Owns how the second set is brought to the first one's canvas, rate and length, and how a camera's motion is
read off its points. Knows nothing
of cameras themselves: any tracks of a background serve. Shapes: xy (T, N, 2), visible (T, N), of the camera
(T, M, ...). Float64 inside.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from .types import Tracks

NEIGHBOURS = 8
DEPTHS = ("of the place it is at", "of the place it starts at")


def match_tracks(tracks: Tracks, to: Tracks, fit: str) -> Tracks:
    """The tracks on the canvas of others, at their rate (so that motion keeps its seconds) and, by the `fit`
    of `Tracks.fitted`, their length.
    """
    tracks = tracks.rescaled(to.width, to.height)
    if tracks.fps != to.fps and fit != "resample":
        tracks = tracks.resampled(max(1, round((tracks.frames - 1) * to.fps / tracks.fps) + 1))
    return replace(tracks.fitted(to.frames, fit), fps=to.fps)


def join_tracks(first: Tracks, second: Tracks, fit: str = "error") -> Tracks:
    """Both sets, the second one fitted to the first."""
    return first.joined(match_tracks(second, first, fit))


def carry_objects(objects: Tracks, camera: Tracks, depth: str = DEPTHS[0]) -> Tracks:
    """Object tracks, painted on a picture that rests, as they are seen by a camera that moves.

    Each place is displaced as the camera's points round it are: by the affine map that fits the nearest of
    them best, which is exact where the camera's motion is affine and at its points. depth: an object moves
    with the surface that it passes over, or keeps the one it starts on. It is visible where it was and where
    the camera sees that surface. Both sets need the same canvas, rate and frames (`match_tracks`).
    """
    if depth not in DEPTHS:
        raise ValueError(f"depth: expected one of {', '.join(DEPTHS)}, got {depth!r}")
    mine, theirs = ((one.frames, one.width, one.height) for one in (objects, camera))
    if mine != theirs:
        raise ValueError(f"camera: expected tracks of the same (frames, width, height) {mine}, got {theirs}")
    places, source = objects.xy.double(), camera.xy[0].double()
    xy, seen = torch.empty_like(places), torch.empty_like(objects.visible)
    for frame in range(objects.frames):
        place = places[frame]
        asked = place if depth == DEPTHS[0] else places[0]
        moved, seen[frame] = displace_points(
            place, asked, source, camera.xy[frame].double(), camera.visible[frame]
        )
        xy[frame] = place + moved
    return replace(objects, xy=xy.float(), visible=objects.visible & seen)


def displace_points(
    place: Tensor, asked: Tensor, source: Tensor, target: Tensor, visible: Tensor
) -> tuple[Tensor, Tensor]:
    """(N, 2) displacement of points by the ones nearest to them, and (N,) whether they are visible. Hidden
    points count only where fewer than three of the nearest are visible.

    Args:
        place: (N, 2) the points that move.
        asked: (N, 2) where the nearest are looked for.
        source: (M, 2) where the moving points began.
        target: (M, 2) where they are.
        visible: (M,) bool.
    """
    near, index = torch.cdist(asked, source).topk(min(NEIGHBOURS, len(source)), largest=False)
    floor = 1e-3 * near[:, -1:] + 1e-9
    weight = 1 / (near**2 + floor**2)
    seen = visible[index]
    share = (weight * seen).sum(1) / weight.sum(1)
    weight = torch.where((seen.sum(1) >= min(3, index.shape[1]))[:, None], weight * (seen + 1e-6), weight)
    weight = weight / weight.sum(1, keepdim=True)
    shift = (target - source)[index]
    middle, mean = (weight[..., None] * source[index]).sum(1), (weight[..., None] * shift).sum(1)
    from_middle = source[index] - middle[:, None]
    spread = torch.einsum("nk,nki,nkj->nij", weight, from_middle, from_middle)
    ridge = 1e-9 * near[:, -1] ** 2 + 1e-12
    slope = torch.linalg.solve(
        spread + ridge[:, None, None] * torch.eye(2, dtype=spread.dtype),
        torch.einsum("nk,nki,nkj->nij", weight, from_middle, shift - mean[:, None]),
    )
    return mean + torch.einsum("ni,nij->nj", place - middle, slope), share >= 0.5


def camera_over_objects(
    objects: Tracks, camera: Tracks, depth: str = DEPTHS[0], clearance: float = 8.0, background: bool = True
) -> Tracks:
    """Objects carried by a camera and, with `background`, the camera's own points after them.

    Args:
        objects: tracks of the objects.
        camera: tracks of background points under the camera.
        depth: how far the objects are, one of DEPTHS.
        clearance: px. A camera point that begins this near to an object's point belongs to the object and is
            left out. One that an object passes this near to is hidden by it.
        background: whether the camera's own points are handed on.
    """
    if not clearance >= 0:
        raise ValueError(f"clearance: expected at least 0 px, got {clearance}")
    moved = carry_objects(objects, camera, depth)
    if not background:
        return moved
    free = _distance(camera.xy[0], objects.xy[0]) > clearance
    if not free.any():
        return moved
    rest = camera.select(free)
    behind = torch.stack(
        [
            _is_covered(rest.xy[frame], moved.xy[frame], moved.visible[frame], clearance)
            for frame in range(rest.frames)
        ]
    )
    return moved.joined(replace(rest, visible=rest.visible & ~behind, fps=moved.fps))


def _is_covered(points: Tensor, objects: Tensor, visible: Tensor, clearance: float) -> Tensor:
    return (
        _distance(points, objects[visible]) <= clearance
        if visible.any() and clearance > 0
        else torch.zeros(len(points), dtype=torch.bool)
    )


def _distance(points: Tensor, others: Tensor) -> Tensor:
    """(N,): from each point to the nearest of the others."""
    return torch.cdist(points.double(), others.double()).amin(1)
