"""Where every point is while people steer: the tracks of the start, bent by the controls of motion, under a
live camera.

Owns what a control of motion does, and the way of a chunk of frames from its points to their places. Knows
nothing of mailboxes, networks or pixels.

Frames may be asked for again until they are released: `tracks_at` computes them from the state and changes
nothing, `advance` makes them final and moves hands and camera on. Controls come between two of these and bend
all frames that are not final yet.

A point is on its own track (BASE, shifted by what people did to it), at rest in the world (REST), on a path
added live (PATH), or in a hand (HELD), which is a place on the screen. World is the picture before the camera
moves it.
Shapes: xy (T, N, 2) float64 pixels inside, float32 outside. Per-point values (N,).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..common.checked import Point
from ..tracks.document.model import Brush
from ..tracks.document.offsets import border_pins, brush_offsets
from ..tracks.masks import points_in_mask
from ..tracks.types import TrackChunk
from .controls import (
    AddTracks,
    Circle,
    Grab,
    Handle,
    MotionControl,
    Move,
    PinEdges,
    Release,
    RemoveHandle,
    SetCamera,
)
from .hands import Hand, Hands
from .live_camera import LiveCamera, project
from .live_state import LiveState, ToReference, copied, joined, marked_point, object_at, points_on
from .paths import LivePath
from .track_state import BASE, HELD, PATH, REST, NoRoom, TrackState

FADE_FRAMES = 12
CAMERA_GRID = 16  # points along the longer side that a turning or zooming camera is given
GRAB_SPACING = 3.0  # radius ÷ spacing of the points that a grab of an unmarked place puts there
PREDRAWN, STATIC, ONLINE, HIDDEN = range(4)  # what a handle is shown as

# (start, count) -> xy (count, N, 2), visible (count, N): the tracks as they were painted.
BaseSource = Callable[[int, int], tuple[Tensor, Tensor]]
HandleRow = list[tuple[int, float, float, int]]


@dataclass(frozen=True)
class _Frames:
    """The points in these frames: world and screen (T, N, 2), visible (T, N). camera in the last of them."""

    frames: range
    camera: LiveCamera
    world: Tensor
    screen: Tensor
    visible: Tensor


class LiveTracks:
    """The points of a running stream and what people do to them.

    Args:
        source: the tracks as they were painted.
        width: of the canvas, in pixels.
        height: of the canvas, in pixels.
        fps: frames a second.
        groups: (N,) the handle of each point, −1 for none. By default each has its own.
        static: (N,) which points rest by design.
        objects: the masks (H, W) bool of handles whose pixels are known, in the start image.
        reach: frames in which a hand gets where it was asked to go. By default all that are asked for at
            once. A sampler with frames in flight sets what it releases at once.
    """

    def __init__(
        self,
        source: BaseSource,
        width: int,
        height: int,
        fps: float,
        *,
        groups: Tensor | None = None,
        static: Tensor | None = None,
        objects: Mapping[int, Tensor] | None = None,
        reach: int | None = None,
    ):
        self.source = source
        self.width = width
        self.height = height
        self.fps = fps
        self.reach = reach
        xy, visible = self._base(0, 1)
        count = xy.shape[1]
        handle = torch.arange(count) if groups is None else groups.cpu().long().clone()
        rests = torch.zeros(count, dtype=torch.bool) if static is None else static.cpu().bool().clone()
        self.state = LiveState(
            points=TrackState.of(xy[0], visible[0], handle, rests),
            paths=[],
            hands=Hands(),
            camera=LiveCamera(width, height, fps),
            next_handle=int(handle.max()) + 1 if count else 0,
            objects=dict(objects or {}),
        )
        self._newest: _Frames | None = None  # what was computed last, while nothing has changed

    def snapshot(self) -> LiveState:
        return copied(self.state)

    def restore(self, state: LiveState):
        self.state = copied(state)
        self._newest = None

    # ---- controls ----

    def apply(self, control: MotionControl, to_reference: ToReference) -> bool:
        """True when the control took effect. False when what it names does not exist (any more).

        Raises NoRoom for points that there is no room for. A control that raises has changed nothing.
        """
        self._newest = None
        match control:
            case SetCamera():
                self._scaffold(control, to_reference)
                self.state.camera.set(control)
                return True
            case Grab():
                return self._grab(control, to_reference)
            case Move(hand, to):
                return self.state.hands.move(hand, to)
            case Release(hand, mode):
                return self._release(hand, mode)
            case AddTracks(kind="path"):
                return self._add_path(control, to_reference)
            case AddTracks(kind="object"):
                return False  # without a picture there is nothing to cut: `add_object`
            case AddTracks():
                return self._add_resting(control, to_reference)
            case RemoveHandle(handle):
                return self._remove(handle)
            case PinEdges():
                self._insert(torch.from_numpy(border_pins(self.width, self.height)), to_reference)
                return True
        raise ValueError(f"control: expected one of motion, got {type(control).__name__}")

    def _grab(self, control: Grab, to_reference: ToReference) -> bool:
        points = self.state.points
        match control.target:
            case Handle(number):
                held = points.of_handle(number)
                x, y = (
                    points.screen[marked_point(self.state, number, held)].tolist()
                    if len(held)
                    else (0.0, 0.0)
                )
                at = (x, y)
            case Circle(center, radius):
                at = center
                held = object_at(self.state, center, to_reference)
                if not len(held):
                    held = points.within(center, radius)
                if not len(held):
                    around = torch.from_numpy(brush_offsets(Brush(radius, radius / GRAB_SPACING)))
                    held = self._insert(torch.tensor(at, dtype=torch.float64) + around, to_reference)
        if not len(held):
            return False
        # Nothing can fail from here on. What the hand held before stays where it is, or goes on to where it
        # was asked to go, as in a hand of nobody.
        self._release(control.hand, "pin")
        self.state.hands.set_aside(control.hand)
        shift = points.screen[held] - torch.tensor(at, dtype=torch.float64)
        self.state.hands.take(control.hand, Hand(held, shift, at))
        points.mode[held] = HELD
        points.unhide(held)
        return True

    def _release(self, hand: int, mode: str) -> bool:
        """At once, or, where the hand has been asked to go somewhere, when it has got there."""
        points = self.state.hands.release(hand, mode)
        if points is None:
            return False
        self._let_go(points, mode)
        return True

    def _let_go(self, held: Tensor, mode: str):
        state = self.state
        points = state.points
        points.rest_at(held)
        if mode == "keep":
            self._resume(held)
        if mode == "fade":
            points.hide(held, state.frame + FADE_FRAMES)

    def _resume(self, held: Tensor):
        """The points go on along their own tracks and paths, from where they are."""
        state = self.state
        points = state.points
        own = held[(held < points.own) & ~joined(self.state, held)]
        if len(own):
            base, _ = self._base(state.frame - 1, 1)
            points.offset[own] = points.world[own] - base[0, own]
            points.mode[own] = BASE
        last = np.array([state.frame - 1.0])
        for path in state.paths:
            back = torch.isin(path.points, held)
            if back.any():
                walkers = path.points[back]
                path.shift[back] = path.shift[back] + points.world[walkers] - path.at(last)[0, back]
                points.mode[walkers] = PATH

    def _add_resting(self, control: AddTracks, to_reference: ToReference) -> bool:
        places = torch.tensor(control.points, dtype=torch.float64)
        offsets = torch.from_numpy(brush_offsets(control.brush))
        self._insert((places[:, None] + offsets).flatten(0, 1), to_reference)
        return True

    def _add_path(self, control: AddTracks, to_reference: ToReference) -> bool:
        state = self.state
        places = torch.tensor(control.points, dtype=torch.float64)
        line = project(torch.linalg.inv(state.camera.matrix), places).numpy()
        frames = max(1, round((control.seconds or 0.0) * self.fps))
        offsets = torch.from_numpy(brush_offsets(control.brush))
        added = self._insert(places[:1] + offsets, to_reference)
        shift = state.points.rest[added] - torch.from_numpy(line[0])
        state.paths.append(LivePath(line, state.frame - 1, frames, added, shift))
        state.points.mode[added] = PATH
        state.points.static[added] = False
        return True

    def add_object(self, mask: Tensor, shift: Tensor) -> bool:
        """The points of a thing that was cut out of the picture that motion is taken from, at rest. Those
        that were on it before are its own from now on: nothing else holds a part of it.

        mask: (H, W) bool in that picture. shift: (2,) from there to the screen. False where it holds nothing.
        Raises NoRoom.
        """
        points = points_in_mask(mask.cpu().numpy())
        if not len(points):
            return False
        self._newest = None
        state = self.state
        anchors = torch.from_numpy(points)
        before = points_on(self.state, mask)
        self._insert(anchors + shift.to(anchors), lambda places: anchors)
        handle = state.next_handle - 1
        state.hands.forget(before)
        state.points.rest_at(before)
        state.points.handle[before] = handle
        self._forget_paths(before)
        state.objects = {**state.objects, handle: mask}
        return True

    def _remove(self, handle: int) -> bool:
        state = self.state
        gone = state.points.of_handle(handle)
        if not len(gone):
            return False
        state.hands.forget(gone)
        state.points.rest_at(gone)
        state.points.handle[gone] = -1
        state.points.hide(gone, state.frame + FADE_FRAMES)
        return True

    def _scaffold(self, control: SetCamera, to_reference: ToReference):
        """Before a camera that zooms, rolls or orbits: resting points in between, where what is nearest rests
        too.

        Few points move their surroundings as rigid pieces, which tears the picture apart when it must scale
        or turn.
        """
        state = self.state
        if state.scaffolded or not control.turns:
            return
        step = max(self.width, self.height) / CAMERA_GRID
        rows, columns = (
            torch.arange(step / 2, side, step, dtype=torch.float64) for side in (self.height, self.width)
        )
        places = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), dim=-1).flatten(0, 1)
        points = state.points
        known = points.used.nonzero()[:, 0]
        distance, nearest = torch.cdist(places, points.screen[known]).min(1)
        rests = (points.mode == REST) | (points.static & (points.mode == BASE))
        try:
            added = self._insert(places[rests[known[nearest]] & (distance > step / 2)], to_reference)
            state.points.handle[added] = -1
        except NoRoom:
            pass  # a camera without them is better than none
        state.scaffolded = True

    def _insert(self, places: Tensor, to_reference: ToReference) -> Tensor:
        """New points at rest at these places (K, 2) of the screen, one handle -> their indices."""
        state = self.state
        world = project(torch.linalg.inv(state.camera.matrix), places)
        anchors = to_reference(places).double().cpu()
        self._forget_paths(state.points.make_room(len(places), state.frame))
        added = state.points.insert(places, world, anchors, state.next_handle)
        state.next_handle += 1
        return added

    def _forget_paths(self, freed: Tensor):
        """Whoever takes the place of a freed point does not walk its path."""
        if len(freed):
            paths = [path.without(freed) for path in self.state.paths]
            self.state.paths = [path for path in paths if len(path.points)]

    def set_reference(self, objects: Mapping[int, Tensor] | None = None):
        """A scene change: from now on the points are where they are in the last frame made, and so are the
        masks of the objects.
        """
        self.state.points.set_reference()
        self.state.objects = dict(objects or {})
        self._newest = None

    # ---- frames ----

    def __call__(self, start: int, count: int) -> TrackChunk:
        """The points of frames start … start + count − 1, which must be the next ones. They are final."""
        if start != self.state.frame:
            raise ValueError(f"live motion: expected frame {self.state.frame}, got {start}")
        made = self.tracks_at(range(start, start + count))
        self.advance(start + count)
        return made

    def tracks_at(self, frames: range) -> TrackChunk:
        """The points in these frames, as things stand. None of them may be final."""
        made = self._frames(frames)
        numbers = torch.arange(frames.start, frames.stop)[:, None]
        told = made.visible & (numbers < self.state.points.hidden_from)
        points = self.state.points
        return TrackChunk(
            made.screen.float(),
            told,
            made.visible,
            points.anchors.float(),
            points.handle.clone(),
            self.state.objects,
        )

    def advance(self, before: int):
        """The frames before `before` are final: hands and camera go on to there."""
        state = self.state
        if before <= state.frame:
            raise ValueError(f"live motion: expected a frame after {state.frame}, got {before}")
        made = self._frames(range(state.frame, before))
        self._newest = None
        points = state.points
        points.screen = made.screen[-1].clone()
        points.world = made.world[-1].clone()
        points.shown = made.visible[-1] & (before - 1 < points.hidden_from)
        state.camera = made.camera
        state.frame = before
        to_world = torch.linalg.inv(state.camera.matrix)
        for hand in state.hands:
            points.world[hand.points] = project(to_world, points.screen[hand.points])
        for hand in state.hands.arrive():
            assert hand.leaving is not None
            self._let_go(hand.points, hand.leaving)
        self._forget_paths(points.free_faded(before))

    def _frames(self, frames: range) -> _Frames:
        state = self.state
        if frames.step != 1 or not len(frames) or frames.start < state.frame:
            raise ValueError(f"live motion: expected frames from {state.frame} on, got {frames}")
        if self._newest is not None and self._newest.frames == frames:
            return self._newest
        world, visible = self._world(frames)
        camera = copy.copy(state.camera)
        screen = project(self._go_on(camera, frames), world)
        # Hands are places on the screen: the camera does not move what they hold.
        gone = np.arange(frames.start - state.frame + 1, frames.stop - state.frame + 1)
        shares = gone / (self.reach or gone[-1])
        for hand in state.hands:
            screen[:, hand.points] = hand.screen(np.minimum(shares, 1.0))
        self._newest = _Frames(frames, camera, world, screen, visible)
        return self._newest

    def _go_on(self, camera: LiveCamera, frames: range) -> Tensor:
        """Moves the camera on to the last of these frames -> (T, 3, 3), its matrix in each of them."""
        first = max(1, self.state.frame)  # frame 0 is seen from where the camera stands
        still = camera.matrix[None]
        if frames.stop <= first:
            return still
        moved = camera.advance(frames.stop - first)
        return moved[frames.start - first :] if frames.start >= first else torch.cat([still, moved])

    def _base(self, start: int, count: int) -> tuple[Tensor, Tensor]:
        xy, visible = self.source(start, count)
        return xy.double().cpu(), visible.cpu().bool()

    def _world(self, frames: range) -> tuple[Tensor, Tensor]:
        """(T, N, 2) without camera and hands, (T, N) visible."""
        points = self.state.points
        count = len(frames)
        base, seen = self._base(frames.start, count)
        world = points.rest.expand(count, -1, 2).clone()
        visible = points.used.expand(count, -1).clone()
        own = (points.mode[: points.own] == BASE).nonzero()[:, 0]
        world[:, own] = base[:, own] + points.offset[own]
        visible[:, own] = seen[:, own]
        numbers = np.arange(frames.start, frames.stop, dtype=np.float64)
        for path in self.state.paths:
            walks = points.mode[path.points] == PATH
            if walks.any():
                world[:, path.points[walks]] = path.at(numbers)[:, walks]
        return world, visible

    # ---- what people are shown ----

    def objects(self) -> dict[int, tuple[Tensor, Point]]:
        """The mask of every object that has a handle, and where in the same picture its handle is."""
        found = {}
        for handle, mask in self.state.objects.items():
            held = self.state.points.of_handle(handle)
            if len(held):
                x, y = self.state.points.anchors[marked_point(self.state, handle, held)].tolist()
                found[handle] = (mask, (x, y))
        return found

    def handles(self, xy: Tensor, visible: Tensor, most: int = 400) -> list[HandleRow]:
        """The first `most` handles in every frame of the chunk made last: rows of (id, x, y, kind).

        An object's is in its middle. xy (T, N, 2), visible (T, N): the chunk's.
        """
        points = self.state.points
        known = (points.handle >= 0).nonzero()[:, 0]
        ids, order = torch.unique(points.handle[known], return_inverse=True)
        first = torch.full((len(ids),), len(points)).scatter_reduce(0, order, known, "amin")[:most]
        numbers = ids[:most].tolist()
        for at, number in enumerate(numbers):
            if number in self.state.objects:
                first[at] = marked_point(self.state, number, points.of_handle(number))
        rests = points.static | (points.mode == REST)
        kinds = torch.where(points.mode == HELD, ONLINE, torch.where(rests, STATIC, PREDRAWN))
        shown = torch.where(visible[:, first], kinds[first], HIDDEN)
        places = xy[:, first].round(decimals=1).tolist()
        return [
            [(number, x, y, kind) for number, (x, y), kind in zip(numbers, row, line)]
            for row, line in zip(places, shown.tolist())
        ]
