"""Where every point is while people steer: the tracks of the start, bent by the controls of motion, under a
live camera.

Owns the points of a running stream (those it began with and those added since), the hands that hold them and
the camera. Knows nothing of mailboxes, networks or pixels. It is asked chunk by chunk, in order; controls
come between two chunks.

Each point is in one state: on its own path (BASE, shifted by what people did to it), at rest in the world
(REST), on a path added live (PATH), or in a hand (HELD), which is a place on the screen. World is the picture
before the camera moves it.
Shapes: xy (T, N, 2) float64 pixels inside, float32 outside; per-point values (N,).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from ..tracks.document.parse import Brush, border_pins, brush_offsets
from ..tracks.types import TrackChunk
from .controls import HANDS, Control
from .live_camera import LiveCamera, project

BASE, REST, PATH, HELD = range(4)
FADE_FRAMES = 12
MOST_POINTS = 10_000
CAMERA_GRID = 16  # points along the longer side that a turning or zooming camera is given
GRAB_SPACING = 3.0  # radius ÷ spacing of the points that a grab of an unmarked place puts there
PREDRAWN, STATIC, ONLINE, HIDDEN = range(4)  # what a handle is shown as
FOREVER = 2**62

Origin = Callable[
    [Tensor], Tensor
]  # screen places (K, 2) of the last frame -> their places (K, 2) in the start image


@dataclass
class _Path:
    """A polyline walked at constant speed, in world pixels; `shift` is a point's distance from the one that
    leads.
    """

    line: np.ndarray
    begin: int
    frames: int
    shift: np.ndarray

    def at(self, frame: np.ndarray) -> np.ndarray:
        return walk(self.line, np.clip((frame - self.begin) / self.frames, 0, 1)) + self.shift


@dataclass
class _Hand:
    """Points held: their indices, their distance from the hand, where it is and where it has been asked to
    go.
    """

    points: Tensor
    shift: Tensor
    at: tuple[float, float]
    to: list = field(default_factory=list)
    leaving: str | None = None  # let go in this mode, once the hand is where it was asked to go


@dataclass
class _State:
    """All that changes, so that a rewind can bring it back."""

    mode: Tensor
    offset: Tensor
    rest: Tensor
    anchors: Tensor
    handle: Tensor
    hidden_from: Tensor
    since: Tensor
    static: Tensor
    camera: LiveCamera
    paths: dict[int, _Path]
    hands: dict[int, _Hand]
    next_handle: int
    frame: int  # the next frame to be made
    screen: Tensor  # (N, 2) in the last frame made
    world: Tensor
    shown: Tensor  # (N,) visible in the last frame made
    scaffolded: bool = False


class LiveTracks:
    """source(start, count) -> xy (count, N, 2), visible (count, N): the tracks as they were painted, on a
    canvas width × height.

    groups (N,): the handle of each point, −1 for none; by default one handle a point. static (N,): points at
    rest by design.
    """

    def __init__(
        self,
        source,
        width: int,
        height: int,
        fps: float,
        *,
        groups: Tensor | None = None,
        static: Tensor | None = None,
    ):
        self.source, self.width, self.height, self.fps = source, width, height, fps
        xy, visible = source(0, 1)
        count = xy.shape[1]
        handle = torch.arange(count) if groups is None else groups.cpu().long().clone()
        start = xy[0].double().cpu()
        self.count = count
        self.state = _State(
            mode=torch.full((count,), BASE),
            offset=torch.zeros(count, 2, dtype=torch.float64),
            rest=start.clone(),
            anchors=start.clone(),
            handle=handle,
            hidden_from=torch.full((count,), FOREVER),
            since=torch.zeros(count, dtype=torch.long),
            static=torch.zeros(count, dtype=torch.bool) if static is None else static.cpu().bool().clone(),
            camera=LiveCamera(width, height, fps),
            paths={},
            hands={},
            next_handle=int(handle.max()) + 1 if count else 0,
            frame=0,
            screen=start.clone(),
            world=start.clone(),
            shown=visible[0].cpu().bool(),
        )

    def snapshot(self) -> _State:
        return copy.deepcopy(self.state)

    def restore(self, state: _State):
        self.state = copy.deepcopy(state)

    # ---- controls, between two chunks ----

    def apply(self, control: Control, origin: Origin) -> bool:
        """True when the control took effect; False when what it names does not exist (any more)."""
        fields = control.fields
        if control.type == "camera":
            self._scaffold(fields, origin)
            self.state.camera.set(fields)
            return True
        if control.type == "grab":
            return self._grab(fields, origin)
        if control.type == "move":
            return self._move(fields["hand"], fields["to"])
        if control.type == "release":
            return self._release(fields["hand"], fields["mode"])
        if control.type == "add":
            return self._add(fields, origin)
        if control.type == "remove":
            return self._remove(fields["handle"])
        if control.type == "pin_border":
            return bool(len(self._insert(torch.from_numpy(border_pins(self.width, self.height)), origin)))
        raise ValueError(f"control: expected one of motion, got {control.type!r}")

    def _grab(self, fields, origin: Origin) -> bool:
        state, hand = self.state, fields["hand"]
        self._release(hand, "pin")
        if hand in state.hands:  # it still has a way to go: as a hand of no one
            state.hands[min(state.hands, default=0) - HANDS] = state.hands.pop(hand)
        if "handle" in fields:
            points = (state.handle == fields["handle"]).nonzero()[:, 0]
            at = tuple(state.screen[points[0]].tolist()) if len(points) else (0.0, 0.0)
        else:
            at = fields["at"]
            near = (state.screen - torch.tensor(at, dtype=torch.float64)).norm(dim=-1) <= fields["radius"]
            points = (near & (state.shown | (state.hidden_from < FOREVER))).nonzero()[:, 0]
            if not len(points):
                brush = brush_offsets(Brush(fields["radius"], fields["radius"] / GRAB_SPACING))
                points = self._insert(torch.tensor(at, dtype=torch.float64) + torch.from_numpy(brush), origin)
        if not len(points):
            return False
        for other in state.hands.values():
            kept = ~torch.isin(other.points, points)
            other.points, other.shift = other.points[kept], other.shift[kept]
        state.hands[hand] = _Hand(points, state.screen[points] - torch.tensor(at, dtype=torch.float64), at)
        state.mode[points], state.hidden_from[points] = HELD, FOREVER
        return True

    def _move(self, hand: int, to: Sequence) -> bool:
        held = self.state.hands.get(hand)
        if held is None or held.leaving is not None:
            return False
        held.to += to
        return True

    def _release(self, hand: int, mode: str) -> bool:
        """At once, or, where the hand has been asked to go somewhere since the last chunk, when it has got
        there.
        """
        held = self.state.hands.get(hand)
        if held is None or held.leaving is not None:
            return False
        if held.to:
            held.leaving = mode
        else:
            self._let_go(self.state.hands.pop(hand).points, mode)
        return True

    def _let_go(self, points: Tensor, mode: str):
        state = self.state
        state.rest[points] = state.world[points]
        state.mode[points] = REST
        own = points[points < self.count]
        if mode == "keep":
            state.offset[own] = state.world[own] - self._base(state.frame - 1, 1)[0][0, own]
            state.mode[own] = BASE
            for point in set(points.tolist()) & set(state.paths):
                path = state.paths[point]
                path.shift = (
                    path.shift + state.world[point].numpy() - path.at(np.array([state.frame - 1.0]))[0]
                )
                state.mode[point] = PATH
        if mode == "fade":
            state.hidden_from[points] = state.frame + FADE_FRAMES

    def _add(self, fields, origin: Origin) -> bool:
        state, kind = self.state, fields["kind"]
        places = torch.tensor(fields["points"], dtype=torch.float64)
        brush = fields.get("brush")
        offsets = torch.from_numpy(brush_offsets(None if brush is None else Brush(**brush)))
        if kind != "path":
            return bool(len(self._insert((places[:, None] + offsets).flatten(0, 1), origin)))
        added = self._insert(places[:1] + offsets, origin)
        line = project(torch.linalg.inv(state.camera.matrix), places).numpy()
        for point, world in zip(added.tolist(), state.rest[added].numpy()):
            state.paths[point] = _Path(
                line, state.frame - 1, max(1, round(fields["seconds"] * self.fps)), world - line[0]
            )
        state.mode[added], state.static[added] = PATH, False
        return bool(len(added))

    def _remove(self, handle: int) -> bool:
        state = self.state
        points = (state.handle == handle).nonzero()[:, 0]
        if not len(points):
            return False
        for held in state.hands.values():
            kept = ~torch.isin(held.points, points)
            held.points, held.shift = held.points[kept], held.shift[kept]
        state.hands = {number: held for number, held in state.hands.items() if len(held.points)}
        state.rest[points] = state.world[points]
        state.mode[points], state.handle[points] = REST, -1
        state.hidden_from[points] = torch.minimum(
            state.hidden_from[points], torch.tensor(state.frame + FADE_FRAMES)
        )
        return True

    def _scaffold(self, speeds, origin: Origin):
        """Before a camera that zooms, rolls or orbits: resting points in between, where what is nearest rests
        too.

        Few points move their surroundings as rigid pieces, which tears the picture apart when it must scale
        or turn.
        """
        state = self.state
        if state.scaffolded or not any(speeds[axis] for axis in ("zoom", "roll", "orbit")):
            return
        state.scaffolded = True
        step = max(self.width, self.height) / CAMERA_GRID
        rows, columns = (
            torch.arange(step / 2, side, step, dtype=torch.float64) for side in (self.height, self.width)
        )
        places = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), dim=-1).flatten(0, 1)
        distance, nearest = torch.cdist(places, state.screen).min(1)
        rests = (state.mode == REST) | (state.static & (state.mode == BASE))
        added = self._insert(places[rests[nearest] & (distance > step / 2)], origin)
        state.handle[added] = -1

    def _insert(self, places: Tensor, origin: Origin) -> Tensor:
        """New points at rest at these places (K, 2) of the screen, one handle -> their indices; none where
        there would be too many.
        """
        state, count = self.state, len(places)
        if len(state.mode) + count > MOST_POINTS:
            return torch.zeros(0, dtype=torch.long)
        world = project(torch.linalg.inv(state.camera.matrix), places)
        new = {
            "mode": torch.full((count,), REST),
            "offset": torch.zeros(count, 2, dtype=torch.float64),
            "rest": world,
            "anchors": origin(places).double().cpu(),
            "handle": torch.full((count,), state.next_handle),
            "hidden_from": torch.full((count,), FOREVER),
            "since": torch.full((count,), state.frame),
            "static": torch.ones(count, dtype=torch.bool),
            "screen": places.clone(),
            "world": world.clone(),
            "shown": torch.ones(count, dtype=torch.bool),
        }
        first = len(state.mode)
        for name, value in new.items():
            setattr(state, name, torch.cat([getattr(state, name), value]))
        state.next_handle += 1
        return torch.arange(first, first + count)

    def rebase(self):
        """A scene change: from now on the points are where they are in the last frame made."""
        self.state.anchors = self.state.screen.clone()

    # ---- the chunks ----

    def __call__(self, start: int, count: int) -> TrackChunk:
        """The points of pixel frames start … start + count − 1, which must be the next ones."""
        state = self.state
        if start != state.frame:
            raise ValueError(f"live motion: expected frame {state.frame}, got {start}")
        world, visible = self._world(start, count)
        matrices = state.camera.advance(count) if start else state.camera.matrix.expand(count, 3, 3)
        screen = project(matrices, world)
        for held in state.hands.values():
            path = torch.from_numpy(
                walk(np.array([held.at, *held.to], dtype=np.float64), np.arange(1, count + 1) / count)
            )
            screen[:, held.points] = path[:, None] + held.shift
            held.at, held.to = tuple(path[-1].tolist()), []
            world[-1, held.points] = project(torch.linalg.inv(matrices[-1]), screen[-1, held.points])
        frames = torch.arange(start, start + count)[:, None]
        told = visible & (frames < state.hidden_from)
        state.frame, state.screen, state.world, state.shown = (
            start + count,
            screen[-1].clone(),
            world[-1].clone(),
            told[-1].clone(),
        )
        for hand in [number for number, held in state.hands.items() if held.leaving is not None]:
            held = state.hands.pop(hand)
            self._let_go(held.points, held.leaving)
        return TrackChunk(screen.float(), told, visible, state.anchors.float())

    def _base(self, start: int, count: int) -> tuple[Tensor, Tensor]:
        xy, visible = self.source(start, count)
        return xy.double().cpu(), visible.cpu().bool()

    def _world(self, start: int, count: int) -> tuple[Tensor, Tensor]:
        """(count, N, 2) without camera and hands, (count, N) visible."""
        state = self.state
        base, seen = self._base(start, count)
        world = state.rest.expand(count, -1, 2).clone()
        visible = torch.ones(count, len(state.mode), dtype=torch.bool)
        own = state.mode[: self.count] == BASE
        world[:, : self.count][:, own] = (base + state.offset[: self.count])[:, own]
        visible[:, : self.count][:, own] = seen[:, own]
        frames = np.arange(start, start + count, dtype=np.float64)
        for point, path in state.paths.items():
            if state.mode[point] == PATH:
                world[:, point] = torch.from_numpy(path.at(frames))
        return world, visible

    # ---- what people are shown ----

    def handles(
        self, xy: Tensor, visible: Tensor, most: int = 400
    ) -> list[list[tuple[int, float, float, int]]]:
        """For every frame of the piece made last, xy (T, N, 2) and visible (T, N): the first `most` handles,
        (id, x, y, kind).
        """
        state = self.state
        known = (state.handle >= 0).nonzero()[:, 0]
        ids, order = torch.unique(state.handle[known], return_inverse=True)
        first = torch.full((len(ids),), len(state.handle)).scatter_reduce(0, order, known, "amin")[:most]
        kinds = torch.where(
            state.mode == HELD, ONLINE, torch.where(state.static | (state.mode == REST), STATIC, PREDRAWN)
        )
        shown = torch.where(visible[:, first], kinds[first], HIDDEN)
        places, numbers = xy[:, first].round(decimals=1).tolist(), ids[:most].tolist()
        return [
            [(number, x, y, kind) for number, (x, y), kind in zip(numbers, row, line)]
            for row, line in zip(places, shown.tolist())
        ]


def walk(line: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Places (K, 2) on a polyline (P, 2) at these shares (K,) of its length."""
    gone = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    if not math.isfinite(gone[-1]) or gone[-1] == 0:
        return np.repeat(line[-1:], len(share), axis=0)
    return np.stack([np.interp(share * gone[-1], gone, line[:, axis]) for axis in (0, 1)], axis=1)
