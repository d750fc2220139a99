"""Points followed through a video: the default tracker, on OpenCV, one frame at a time in bounded memory.

Owns the way from frames to positions and visibility, cuts and re-detection. Knows nothing of video files, hosts or the model.

Each step carries the points along dense DIS flow (which finds large moves), then refines them against the picture they were last anchored
in by Lucas-Kanade (sub-pixel, without the drift of frame-to-frame chaining). A point is visible while the flow back returns to it, the
motion round it is of one piece, and its patch still looks like itself. A lost point is looked for again where its neighbours' motion
would have taken it. OpenCV (opencv-python-headless, BSD/Apache-2.0) is imported when the tracker is made.

Shapes: frames (H, W, 3) uint8; points and positions (N, 2) float32 pixels; visible (N,) bool.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch

from .types import MAX_POSITIONS, Tracks

WINDOW = 15  # px: of the refinement
BACK = (0.6, 0.04)  # px, and px per px of motion: most distance after there and back again
MIXED = (0.35, 0.03)  # px, and px per px of motion: most spread of the flow round a point
SPREAD = 9  # px: the neighbourhood of that spread
SHIFT = 1.5  # px: the refinement may move a carried point this far
ALIKE = 0.55  # normalised correlation of a point's patch with its anchor's, at least
FOUND = 0.85  # the same, for a lost point to be found again
PATCH = 11
COMPANIONS = 24  # neighbours that may say where a hidden point is
ANCHOR_EVERY = 12  # frames after which points that are well tracked get a new anchor
ANCHORS = 4  # anchor pictures kept at most
SEARCH_EVERY = 3  # frames between two looks for lost points
LOST_FOR = 48  # frames after which a lost point is no longer looked for
CUT = 0.28  # mean change of the smoothed picture (0..1) that no motion explains


class Tracker(Protocol):
    """What a tracker must do; the default one is FlowTracker."""

    def start(self, frame: np.ndarray, points: np.ndarray) -> None: ...

    def step(self, frame: np.ndarray) -> tuple[np.ndarray, np.ndarray]: ...


@dataclass
class _Anchor:
    """A picture that points are refined against."""

    grey: np.ndarray
    frame: int


@dataclass
class FlowTracker:
    """DIS flow + Lucas-Kanade, checked there and back. `cuts` are the frames before which the scene changed."""

    cuts: list[int] = field(default_factory=list)

    def __post_init__(self):
        try:
            import cv2
        except ImportError:
            raise ValueError("tracker: expected OpenCV, got none: pip install opencv-python-headless") from None
        self.cv2: Any = cv2
        self.dis = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)

    def start(self, frame: np.ndarray, points: np.ndarray):
        self.grey, self.now = self._grey(frame), 0
        count = len(points)
        self.xy = points.astype(np.float32).copy()
        self.visible = np.ones(count, bool)
        self.lost = np.zeros(count, int)
        self.anchors = {0: _Anchor(self.grey, 0)}
        self.anchor = np.zeros(count, int)
        self.at_anchor = self.xy.copy()
        self.start_xy = self.xy.copy()
        self.neighbours = nearest(self.xy, COMPANIONS)
        self.companions = np.ones(self.neighbours.shape, bool)

    def step(self, frame: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The next frame -> positions and visibility in it. After a cut no point is visible any more."""
        grey = self._grey(frame)
        self.now += 1
        if grey.shape != self.grey.shape:
            raise ValueError(f"video: expected frames of one size {self.grey.shape[::-1]}, got {grey.shape[::-1]}")
        if self._cut(grey):
            self.cuts.append(self.now)
            self.visible[:], self.lost[:] = False, LOST_FOR + 1
        there, back = self.dis.calc(self.grey, grey, None), self.dis.calc(grey, self.grey, None)
        moved = self.xy + self._at(there, self.xy)
        good = self.visible & self._returns(moved, self.xy, back) & self._of_one_piece(there, self.xy) & self._inside(moved)
        moved = self._refined(grey, moved, good)
        good &= self._alike(grey, moved, good) > ALIKE
        self._choose_companions(self.visible & ~good)
        self.lost = np.where(good, 0, self.lost + 1)
        self.xy = np.where(good[:, None], moved, self._with_companions(moved, good)).astype(np.float32)
        self.visible = good
        if self.now % SEARCH_EVERY == 0:
            self._search(grey)
        if self.now % ANCHOR_EVERY == 0:
            self._new_anchor(grey)
        self.grey = grey
        return self.xy.copy(), self.visible.copy()

    def _grey(self, frame: np.ndarray) -> np.ndarray:
        if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
            raise ValueError(f"video: expected frames (H, W, 3) uint8, got {frame.shape} {frame.dtype}")
        return self.cv2.cvtColor(frame, self.cv2.COLOR_RGB2GRAY)

    def _cut(self, grey: np.ndarray) -> bool:
        """Whether the scene is another one: the brightness histogram and the coarse picture both changed."""
        small = [self.cv2.resize(x, (16, 16), interpolation=self.cv2.INTER_AREA).astype(np.float32) / 255 for x in (self.grey, grey)]
        coarse = np.abs(small[0] - small[1]).mean()
        counts = [np.histogram(x, 32, (0, 256))[0] / x.size for x in (self.grey, grey)]
        return bool(coarse > CUT / 2 and coarse + 0.5 * np.abs(counts[0] - counts[1]).sum() / 2 > CUT)

    def _at(self, field_: np.ndarray, xy: np.ndarray) -> np.ndarray:
        """A field (H, W, C) at places (N, 2), bilinear."""
        x, y = np.ascontiguousarray(xy[:, 0]), np.ascontiguousarray(xy[:, 1])
        value = self.cv2.remap(field_, x, y, self.cv2.INTER_LINEAR, borderMode=self.cv2.BORDER_REPLICATE)
        return value.reshape(len(xy), -1)

    def _inside(self, xy: np.ndarray) -> np.ndarray:
        height, width = self.grey.shape
        return ((xy >= 0) & (xy <= [width - 1, height - 1])).all(1)

    def _returns(self, moved: np.ndarray, xy: np.ndarray, back: np.ndarray) -> np.ndarray:
        error = np.linalg.norm(moved + self._at(back, moved) - xy, axis=1)
        return error <= BACK[0] + BACK[1] * np.linalg.norm(moved - xy, axis=1)

    def _of_one_piece(self, flow: np.ndarray, xy: np.ndarray) -> np.ndarray:
        """Whether the flow round the points varies little: at the border of an object nobody can say which side a point is on."""
        blur = lambda x: self.cv2.blur(x, (SPREAD, SPREAD))  # noqa: E731
        spread = np.sqrt(np.maximum(blur(flow * flow) - blur(flow) ** 2, 0)).sum(-1)
        speed = np.linalg.norm(self._at(flow, xy), axis=1)
        return self._at(spread, xy)[:, 0] <= MIXED[0] + MIXED[1] * speed

    def _refined(self, grey: np.ndarray, moved: np.ndarray, good: np.ndarray) -> np.ndarray:
        """The carried places refined against the points' anchors; a place that would move far is left as it is."""
        moved = moved.astype(np.float32).copy()
        for number, anchor in self.anchors.items():
            chosen = np.flatnonzero(good & (self.anchor == number))
            if not len(chosen):
                continue
            guess = moved[chosen].reshape(-1, 1, 2).copy()
            options = {
                "winSize": (WINDOW, WINDOW),
                "maxLevel": 0,
                "flags": self.cv2.OPTFLOW_USE_INITIAL_FLOW,
                "criteria": (self.cv2.TERM_CRITERIA_COUNT | self.cv2.TERM_CRITERIA_EPS, 20, 0.01),
                "minEigThreshold": 1e-5,
            }
            found, status, _ = self.cv2.calcOpticalFlowPyrLK(anchor.grey, grey, self.at_anchor[chosen].reshape(-1, 1, 2), guess, **options)
            found = found.reshape(-1, 2)
            near = (status.ravel() == 1) & (np.linalg.norm(found - moved[chosen], axis=1) <= SHIFT)
            moved[chosen[near]] = found[near]
        return moved

    def _alike(self, grey: np.ndarray, xy: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        """Normalised correlation of the chosen points' patches with those at their anchors; a flat patch counts as alike."""
        score = np.zeros(len(xy))
        for number, anchor in self.anchors.items():
            these = np.flatnonzero(chosen & (self.anchor == number))
            if len(these):
                score[these] = self._correlation(self._patches(anchor.grey, self.at_anchor[these]), self._patches(grey, xy[these]))
        return score

    def _patches(self, grey: np.ndarray, xy: np.ndarray) -> np.ndarray:
        """(N, PATCH·PATCH) around places."""
        reach = np.arange(PATCH, dtype=np.float32) - PATCH // 2
        x = (xy[:, 0, None, None] + reach[None, None, :]).repeat(PATCH, 1).reshape(len(xy), -1).astype(np.float32)
        y = (xy[:, 1, None, None] + reach[None, :, None]).repeat(PATCH, 2).reshape(len(xy), -1).astype(np.float32)
        return self.cv2.remap(grey, x, y, self.cv2.INTER_LINEAR, borderMode=self.cv2.BORDER_REPLICATE).astype(np.float32)

    @staticmethod
    def _correlation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        a, b = a - a.mean(1, keepdims=True), b - b.mean(1, keepdims=True)
        power = np.sqrt((a * a).sum(1) * (b * b).sum(1))
        flat = np.minimum(a.std(1), b.std(1)) < 2.0
        return np.where(flat, np.abs(a.std(1) - b.std(1)) < 2.0, (a * b).sum(1) / np.maximum(power, 1e-6))

    def _choose_companions(self, leaving: np.ndarray):
        """For points about to be lost: those of their neighbours that have moved as they have, which an object that hides them has not."""
        these = np.flatnonzero(leaving)
        way = self.xy - self.start_xy
        beside = self.neighbours[these]
        apart = np.linalg.norm(way[beside] - way[these, None], axis=-1)
        self.companions[these] = apart <= 1.5 + 0.08 * np.linalg.norm(way[these], axis=-1)[:, None]

    def _with_companions(self, moved: np.ndarray, good: np.ndarray) -> np.ndarray:
        """Where hidden points are thought to be: they go as their visible companions go, or stay."""
        step = np.where(good[:, None], moved - self.xy, 0)
        counted = self.companions & good[self.neighbours]
        mean = (step[self.neighbours] * counted[..., None]).sum(1) / np.maximum(counted.sum(1), 1)[:, None]
        return self.xy + mean

    def _search(self, grey: np.ndarray):
        """Looks for points lost not too long ago where they are thought to be."""
        looked = (~self.visible) & (self.lost <= LOST_FOR) & self._inside(self.xy)
        if not looked.any():
            return
        found = self._refined(grey, self.xy, looked)
        again = looked & (self._alike(grey, found, looked) > FOUND) & (self._texture(grey, found) > 6.0)
        self.xy[again], self.visible[again], self.lost[again] = found[again], True, 0

    def _texture(self, grey: np.ndarray, xy: np.ndarray) -> np.ndarray:
        return self._patches(grey, xy).std(1)

    def _new_anchor(self, grey: np.ndarray):
        """Well tracked points are anchored anew, so that a turning or growing object is still recognised; old pictures no one needs go."""
        if len(self.anchors) < ANCHORS:
            number = max(self.anchors) + 1
            weak = self.visible & (self._alike(grey, self.xy, self.visible) < 0.9)
            if weak.any():
                self.anchors[number] = _Anchor(grey, self.now)
                self.anchor[weak], self.at_anchor[weak] = number, self.xy[weak]
        else:
            oldest = min(self.anchors)
            follow = self.visible & (self.anchor == oldest)
            number = max(self.anchors) + 1
            self.anchors[number] = _Anchor(grey, self.now)
            self.anchor[follow], self.at_anchor[follow] = number, self.xy[follow]
            gone = (~self.visible) & (self.anchor == oldest)
            self.lost[gone] = LOST_FOR + 1
            del self.anchors[oldest]


def nearest(xy: np.ndarray, count: int) -> np.ndarray:
    """The `count` nearest other points of each point (N, 2) -> (N, count) indices."""
    count, out = min(count, len(xy) - 1), []
    for begin in range(0, len(xy), 512):
        distance = ((xy[begin : begin + 512, None] - xy[None]) ** 2).sum(-1)
        distance[np.arange(len(distance)), begin + np.arange(len(distance))] = np.inf
        out.append(np.argpartition(distance, count - 1, axis=1)[:, :count] if count else np.zeros((len(distance), 0), int))
    return np.concatenate(out)


def track_video(
    frames: Iterable[np.ndarray], points: Callable[[int, int], np.ndarray], fps: float, tracker: Tracker | None = None, on_frame: Callable[[int], None] | None = None
) -> Tracks:
    """Tracks of points through a video. frames: (H, W, 3) uint8, taken one by one. points(width, height) -> (N, 2) in the first frame.

    on_frame(number) is called after each and may raise to stop. Raises ValueError for a video without frames or with too many positions.
    """
    tracker = tracker or FlowTracker()
    places, seen, size = [], [], None
    for number, frame in enumerate(frames):
        if size is None:
            size = (frame.shape[1], frame.shape[0])
            chosen = np.asarray(points(*size), dtype=np.float32)
            if chosen.ndim != 2 or chosen.shape[1] != 2 or not len(chosen):
                raise ValueError(f"points: expected at least one (N, 2) in the first frame, got {chosen.shape}")
            tracker.start(frame, chosen)
            places.append(chosen)
            seen.append(np.ones(len(chosen), bool))
        else:
            if (number + 1) * len(places[0]) > MAX_POSITIONS:
                raise ValueError(f"video: expected at most {MAX_POSITIONS} positions, got more than {number} frames of {len(places[0])} points")
            xy, visible = tracker.step(frame)
            places.append(xy)
            seen.append(visible)
        if on_frame is not None:
            on_frame(number)
    if size is None:
        raise ValueError("video: expected at least one frame, got none")
    return Tracks(torch.from_numpy(np.stack(places)), torch.from_numpy(np.stack(seen)), *size, fps)
