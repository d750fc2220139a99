"""The points of a running stream as tensors: in which mode each is, and where it was in the last frame made.

Owns the places of points in the tensors: those that a stream began with come first and stay, those that were
added come behind and go again. Knows nothing of hands, cameras or controls.

World is the picture before the camera moves it, screen the one after. Shapes: (N, 2) float64 pixels. Other
values (N,).
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from .controls import MAX_POINTS

# What moves a point: its own track, nothing, a path added live, a hand. A free place has no point.
BASE, REST, PATH, HELD, FREE = range(5)
FOREVER = 2**62
MAX_FADED = 256  # added points that stay where they are once they have faded; beyond them the oldest go
AWAY = -1e6  # where the anchor of a free place is: nearest to no pixel


class NoRoom(ValueError):
    """There would be too many points."""

    code = "no_room"


@dataclass
class TrackState:
    """own: how many points the stream began with.

    mode: one of BASE … FREE. offset: what people moved a point by from its own track. rest: where in the
    world it rests. anchors: where it is in the picture that motion is taken from. handle: −1 for none.
    hidden_from: the frame from which the model is told of it no more. static: at rest by design. screen,
    world, shown: in the last frame made.
    """

    own: int
    mode: Tensor
    offset: Tensor
    rest: Tensor
    anchors: Tensor
    handle: Tensor
    hidden_from: Tensor
    static: Tensor
    screen: Tensor
    world: Tensor
    shown: Tensor

    @staticmethod
    def of(start: Tensor, shown: Tensor, handle: Tensor, static: Tensor) -> TrackState:
        """The points that a stream begins with, at `start` (N, 2)."""
        count = len(start)
        return TrackState(
            own=count,
            mode=torch.full((count,), BASE),
            offset=torch.zeros_like(start),
            rest=start.clone(),
            anchors=start.clone(),
            handle=handle,
            hidden_from=torch.full((count,), FOREVER),
            static=static,
            screen=start.clone(),
            world=start.clone(),
            shown=shown,
        )

    def __len__(self) -> int:
        return len(self.mode)

    @property
    def used(self) -> Tensor:
        """(N,): where there is a point."""
        return self.mode != FREE

    def of_handle(self, handle: int) -> Tensor:
        """The points of a handle."""
        return (self.handle == handle).nonzero()[:, 0]

    def within(self, center: tuple[float, float], radius: float) -> Tensor:
        """The points near a place on the screen that can be seen or are about to fade."""
        near = (self.screen - torch.tensor(center, dtype=torch.float64)).norm(dim=-1) <= radius
        return (near & self.used & (self.shown | (self.hidden_from < FOREVER))).nonzero()[:, 0]

    def insert(self, screen: Tensor, world: Tensor, anchors: Tensor, handle: int) -> Tensor:
        """New points at rest (K, 2) -> their indices. They take free places first.

        Call `make_room` before.
        """
        count = len(screen)
        free = (~self.used).nonzero()[:, 0][:count]
        self._extend(count - len(free))
        points = torch.cat([free, torch.arange(len(self) - (count - len(free)), len(self))])
        self.mode[points] = REST
        self.offset[points] = 0.0
        self.rest[points] = world
        self.anchors[points] = anchors
        self.handle[points] = handle
        self.hidden_from[points] = FOREVER
        self.static[points] = True
        self.screen[points] = screen
        self.world[points] = world
        self.shown[points] = True
        return points

    def make_room(self, count: int, frame: int) -> Tensor:
        """Frees what has faded before `frame` if `count` more points need it -> the places that are free.

        Raises NoRoom where that is not enough.
        """
        used = int(self.used.sum())
        if used + count <= MAX_POINTS:
            return self.mode.new_zeros(0)
        faded = self._faded(frame)
        if used - len(faded) + count > MAX_POINTS:
            left = MAX_POINTS - used + len(faded)
            raise NoRoom(f"live tracks: expected at most {left} more points of {MAX_POINTS}, got {count}")
        return self._free(faded, faded[:0])

    def free_faded(self, frame: int) -> Tensor:
        """Frees the oldest of the added points that have faded before `frame`, beyond MAX_FADED -> the places
        that are free.
        """
        faded = self._faded(frame)
        many = max(0, len(faded) - MAX_FADED)
        return self._free(faded[:many], faded[many:]) if many else faded[:0]

    def rest_at(self, points: Tensor):
        """The points rest where they were in the last frame made."""
        self.rest[points] = self.world[points]
        self.mode[points] = REST

    def hide(self, points: Tensor, frame: int):
        """The model is told of the points no more from `frame` on, or from before where that was so."""
        self.hidden_from[points] = self.hidden_from[points].clamp(max=frame)

    def unhide(self, points: Tensor):
        """The model is told of the points again."""
        self.hidden_from[points] = FOREVER

    def set_reference(self):
        """The last frame made is the picture that motion is taken from."""
        self.anchors = torch.where(self.used[:, None], self.screen, self.anchors)

    def _faded(self, frame: int) -> Tensor:
        """The added points hidden before `frame`, the longest hidden first."""
        faded = (self.used & (self.hidden_from < frame)).nonzero()[:, 0]
        faded = faded[faded >= self.own]
        return faded[torch.argsort(self.hidden_from[faded], stable=True)]

    def _free(self, points: Tensor, faded: Tensor) -> Tensor:
        """Frees the places of these points, moves the other faded ones forward and cuts the free end off, so
        that a crowd that has gone costs nothing -> the places from which points have gone.

        Only a faded point may move: the model tells tracks apart by their places.
        """
        self._clear(points)
        free = (~self.used).nonzero()[:, 0]
        last_first = faded.sort(descending=True).values
        count = min(len(free), len(faded))
        forward = free[:count] < last_first[:count]
        to = free[:count][forward]
        old = last_first[:count][forward]
        for name in self._tensors():
            values = getattr(self, name)
            values[to] = values[old]
        self._clear(old)
        used = self.used.nonzero()[:, 0]
        end = int(used[-1]) + 1 if len(used) else 0
        for name in self._tensors():
            setattr(self, name, getattr(self, name)[: max(self.own, end)].clone())
        return torch.cat([points, old])

    def _clear(self, points: Tensor):
        self.mode[points] = FREE
        self.anchors[points] = AWAY
        self.handle[points] = -1
        self.shown[points] = False

    def _extend(self, count: int):
        for name in self._tensors():
            known = getattr(self, name)
            setattr(self, name, torch.cat([known, known.new_zeros(count, *known.shape[1:])]))

    def _tensors(self) -> list[str]:
        return [field.name for field in fields(self) if field.name != "own"]
