"""Which points a model is told of, where it was trained on fewer than there are.

Owns the choice. It is the same for the same points. Knows nothing of frames or networks.
Shapes: places (N, 2) pixels. masks (N,).
"""

from __future__ import annotations

import torch
from torch import Tensor

STILL_SHARE = 3  # of the points told, one in so many is kept for points at rest, where there are some


def told_points(places: Tensor, still: Tensor, most: int) -> Tensor:
    """(N,) which points to tell of, at most `most`: moving ones before those at rest, each as far apart from
    those chosen before as there are, beginning with the first.
    """
    count = len(places)
    if count <= most:
        return torch.ones(count, dtype=torch.bool)
    still, places = still.cpu(), places.detach().float().cpu()
    moving, resting = (int(part.sum()) for part in (~still, still))
    for_still = min(resting, max(most // STILL_SHARE, most - moving))
    told = torch.zeros(count, dtype=torch.bool)
    for group, share in ((~still, most - for_still), (still, for_still)):
        told[_spread_points(places, group, told, share)] = True
    return told


def _spread_points(places: Tensor, group: Tensor, told: Tensor, share: int) -> list[int]:
    """`share` points of a group, each the farthest from all told before. Of equally far ones the first."""
    candidates = group.nonzero().flatten().tolist()
    if len(candidates) <= share:
        return candidates
    chosen: list[int] = []
    away = torch.full((len(places),), torch.inf)
    for other in told.nonzero().flatten().tolist():
        away = torch.minimum(away, (places - places[other]).square().sum(-1))
    away[~group] = -1.0
    for _ in range(share):
        best = int(away.argmax())
        chosen.append(best)
        away = torch.minimum(away, (places - places[best]).square().sum(-1))
        away[best] = -1.0
    return chosen
