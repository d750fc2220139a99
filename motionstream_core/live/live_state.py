"""What changes while people steer, and which points belong to what was cut out.

Owns the state of live tracks as a value that a rewind brings back. Knows nothing of controls' effects.
Shapes: masks (H, W) bool in the picture that motion is taken from. Per-point values (N,).
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..common.checked import Point
from .hands import Hands
from .live_camera import LiveCamera
from .paths import LivePath
from .track_state import FOREVER, TrackState

# Screen places (K, 2) of the last frame -> their places (K, 2) in the picture that motion is taken from.
ToReference = Callable[[Tensor], Tensor]


@dataclass
class LiveState:
    """All that changes, so that a rewind can bring it back. frame: the first that is not final."""

    points: TrackState
    paths: list[LivePath]
    hands: Hands
    camera: LiveCamera
    next_handle: int
    frame: int = 0
    scaffolded: bool = False
    objects: dict[int, Tensor] = field(default_factory=dict)


def copied(state: LiveState) -> LiveState:
    """A copy that shares the masks, which nobody changes."""
    return copy.deepcopy(state, {id(mask): mask for mask in state.objects.values()})


def object_at(state: LiveState, at: Point, to_reference: ToReference) -> Tensor:
    """The points of the object that is seen at a place of the screen, the newest first. None where it is
    none.
    """
    points = state.points
    if state.objects:
        column, row = to_reference(torch.tensor([at], dtype=torch.float64))[0].round().long().tolist()
        for handle, mask in reversed(state.objects.items()):
            height, width = mask.shape
            held = points.of_handle(handle)
            if len(held) and 0 <= row < height and 0 <= column < width and mask[row, column]:
                return held
    return points.mode.new_zeros(0)


def marked_point(state: LiveState, handle: int, held: Tensor) -> int:
    """Which of its points `held` a handle is shown at: the one in the middle of an object, else the
    first.
    """
    if handle not in state.objects:
        return int(held[0])
    anchors = state.points.anchors[held]
    return int(held[(anchors - anchors.mean(0)).norm(dim=-1).argmin()])


def joined(state: LiveState, held: Tensor) -> Tensor:
    """Which of these points were on a thing before it was selected: they rest with it."""
    points = state.points
    objects = torch.tensor([*state.objects], dtype=torch.long)
    added = torch.unique(points.handle[points.own :])
    live = objects[torch.isin(objects, added)]
    return torch.isin(points.handle[held], live)


def points_on(state: LiveState, mask: Tensor) -> Tensor:
    """The points of no object whose anchors lie in a mask, those that the model is told of no more left
    out.
    """
    points = state.points
    height, width = mask.shape
    columns, rows = points.anchors.round().long().unbind(-1)
    within = points.used & (points.hidden_from == FOREVER) & (columns >= 0) & (columns < width)
    within &= (rows >= 0) & (rows < height)
    free = ~torch.isin(points.handle, torch.tensor([*state.objects], dtype=torch.long))
    on = mask.cpu()[rows.clamp(0, height - 1), columns.clamp(0, width - 1)]
    return (within & on & free).nonzero()[:, 0]
