"""Points followed through a video: the default tracker, on OpenCV, one frame at a time in bounded memory.

Owns the way from frames to positions and visibility, cuts and re-detection. Knows nothing of video files,
hosts or the model.

A step carries the points along dense DIS flow (which finds large moves) and aligns each with its template,
the patch it was first seen with, turned and scaled as its surroundings are. So nothing drifts. Then
companions, points near it that have moved as one piece with it so far,
say where it should be: along an edge or on a flat place that is what it is aligned to, behind another object
it is where the point is thought to be and looked for. A point is seen while what is there still looks like
its template. It is followed on, and said to be visible only while it is sure enough that this is no other
surface. OpenCV (opencv-python-headless, BSD/Apache-2.0) is needed when the tracker is made.

Shapes: frames (H, W, 3) uint8. Points and positions (N, 2) float32 pixels. visible (N,) bool.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch

from ..camera.moves import regular_grid
from ..types import MAX_POSITIONS, Tracks
from .background_plane import BackgroundPlane
from .neighbor_consensus import NeighborConsensus
from .patches import (
    FOR_LIKENESS,
    Likeness,
    Picture,
    Templates,
    align_patches,
    compare_patches,
    cv2,
    sample_field,
)

FEW = (
    900  # points fewer than these get others beside them that are followed too, so that there are companions
)
BESIDE = (36, 24)  # columns and rows of those, at most
SAME = 1.0  # score of a patch that is still itself, at most
FOUND = 0.75  # the same, for a hidden point to be seen again
STEEP = 1.5  # (grey levels per px)²: a texture with this much in its poorer direction is half trusted
TEXTURED = 0.3  # a place is measured from this trust on
LEAST_WEIGHT = 0.08  # companions (their weights added up) who must say where a hidden point is
MOST_ONE_SIDED = 0.8  # companions that stand more on one side than this do not vouch for a flat place
APART = (
    1.5,
    1.0,
)  # px, and times the companions' own doubt: farther from where they say it is, a point is not seen
KEEP = 0.15  # how fast the support of a template follows what is seen of it
STRANGE = (
    -0.46,
    1.15,
    1.49,
    -1.17,
    -1.68,
)  # log odds that a seen point is on another surface: always, and by the four signs of `_sureness`
SHOWN = 0.88  # sureness from which a seen point is said to be visible
CUT = 0.28  # mean change of the smoothed picture (0..1) that no motion explains


class Tracker(Protocol):
    """What a tracker must do. The default one is FlowTracker."""

    def start(self, frame: np.ndarray, points: np.ndarray) -> None: ...

    def step(self, frame: np.ndarray) -> tuple[np.ndarray, np.ndarray]: ...


class DenseFlow(Protocol):
    """Where every pixel of one frame is in the next."""

    def between(self, before: Picture, after: Picture) -> np.ndarray:
        """(H, W, 2) float32 pixels."""
        ...


class DisFlow:
    """DIS flow of OpenCV. ValueError without OpenCV."""

    def __init__(self):
        if cv2 is None:
            raise ValueError("tracker: expected OpenCV, got none: pip install opencv-python-headless")
        self._dis: Any = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)

    def between(self, before: Picture, after: Picture) -> np.ndarray:
        return self._dis.calc(before.raw, after.raw, None)


@dataclass
class _Found:
    """Where points were found (N, 2), where they were expected, the local motion, the doubt in px, and how
    alike it is there.
    """

    xy: np.ndarray
    place: np.ndarray
    shape: np.ndarray
    doubt: np.ndarray
    score: np.ndarray
    like: Likeness
    vouched: np.ndarray  # (N,) bool: something other than a flat patch says so

    def take(self, which: np.ndarray, other: _Found, theirs: np.ndarray):
        """The points `which` as the other has its points `theirs`."""
        for name in ("xy", "place", "shape", "doubt", "score"):
            getattr(self, name)[which] = getattr(other, name)[theirs]
        for name in ("error", "spread", "shift"):
            getattr(self.like, name)[which] = getattr(other.like, name)[theirs]


@dataclass
class FlowTracker:
    """Dense flow, templates and companions. Confidence (N,) is that of the last step.

    `cuts` are the frames before which the scene changed. `flow` is DIS where nothing else is given.
    """

    cuts: list[int] = field(default_factory=list)
    flow: DenseFlow = field(default_factory=DisFlow)

    def __post_init__(self):
        if cv2 is None:
            raise ValueError("tracker: expected OpenCV, got none: pip install opencv-python-headless")

    def follow(
        self, frames: Iterator[np.ndarray], points: np.ndarray
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Positions and visibility in every frame, the first frame's being the points themselves."""
        first = next(frames, None)
        if first is None:
            return
        points = np.asarray(points, dtype=np.float32)
        self.start(first, points)
        yield points, np.ones(len(points), bool)
        for frame in frames:
            yield self.step(frame)

    def start(self, frame: np.ndarray, points: np.ndarray):
        self.picture, self.now, self.count = self._ready(frame), 0, len(points)
        height, width = self.picture.raw.shape
        beside = (
            regular_grid(width, height, min(BESIDE[0], 1 + width // 12), min(BESIDE[1], 1 + height // 12))
            if len(points) < FEW
            else np.zeros((0, 2))
        )
        self.xy = np.concatenate([points, beside]).astype(np.float32)
        total = len(self.xy)
        self.visible = np.ones(total, bool)
        self.lost_scene = False
        self.shape = np.repeat(np.eye(2, dtype=np.float32)[None], total, 0)
        self.templates = Templates.of(self.picture, self.xy)
        texture = self.templates.texture
        self.texture = texture / (texture + STEEP)
        self.support = np.ones_like(self.templates.value)
        self.companions = NeighborConsensus(self.xy, np.random.default_rng(0))
        self.ground = BackgroundPlane(self.xy)
        self.gain = 1.0
        self.confidence = np.ones(self.count, np.float32)

    def step(self, frame: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The next frame -> positions and visibility in it. After a cut no point is visible any more."""
        picture = self._ready(frame)
        self.now += 1
        if picture.raw.shape != self.picture.raw.shape:
            raise ValueError(
                f"video: expected frames of one size {self.picture.raw.shape[::-1]}, got "
                f"{picture.raw.shape[::-1]}"
            )
        if self._cut(picture.raw):
            self.cuts.append(self.now)
            self.visible[:], self.confidence[:], self.lost_scene = False, 0, True
        if not self.lost_scene:
            self._follow(picture)
        self.picture = picture
        return self.xy[: self.count].copy(), self.confidence > SHOWN

    def _follow(self, picture: Picture):
        carried = self.xy + sample_field(self.flow.between(self.picture, picture), self.xy)
        self._measure_light(picture, carried)
        measured = align_patches(
            picture.grey, self.templates, self.support, carried, self.shape, self.gain, 2
        )
        score = self._likeness(picture, measured, self.shape).score
        good = self.visible & (score < SAME) & self._inside(measured)
        sure = good & (self.texture > TEXTURED)
        trust = np.where(good, np.clip(1.2 - score, 0.1, 1) * (0.01 + self.texture), 0).astype(np.float32)
        consensus = self.companions.fit(
            np.where(good[:, None], measured, carried), self.shape, trust, sure, self.ground.member
        )
        heard = consensus.weight > LEAST_WEIGHT
        held = heard & (consensus.one_sidedness < MOST_ONE_SIDED)
        place = np.where(heard[:, None], consensus.place, carried)
        shape = np.where(heard[:, None, None], consensus.shape, self.shape)
        doubt = np.where(heard, 0.25 + consensus.spread, 4.0)
        begin = np.where(sure[:, None], measured, place)
        found = self._found(picture, begin, place, shape, doubt)
        off_ground = self.ground.member < 0.3
        again = heard & off_ground & (self.texture > TEXTURED) & (found.score < FOUND - 0.15)
        found.vouched = sure | held | again | (heard & off_ground)
        if not sure.any():  # a picture with nothing to go by: what still looks like itself has not moved
            found.vouched |= good
        if self.ground.fit(measured, sure & (score < 0.6)):
            self._prefer_ground(picture, found, sure, held)
        self._decide(found, consensus.weight)

    def _found(
        self,
        picture: Picture,
        begin: np.ndarray,
        place: np.ndarray,
        shape: np.ndarray,
        doubt: np.ndarray,
        chosen: np.ndarray | None = None,
    ) -> _Found:
        """Alignment from `begin` towards `place`, of all points or of those chosen."""
        doubt, shape, place = doubt.astype(np.float32), shape.astype(np.float32), place.astype(np.float32)
        templates, support = (
            (self.templates, self.support)
            if chosen is None
            else (self.templates.chosen(chosen), self.support[chosen])
        )
        xy = align_patches(picture.grey, templates, support, begin, shape, self.gain, 3, place, doubt)
        like = compare_patches(picture, templates, support, xy, shape, self.gain)
        return _Found(xy, place, shape, doubt, like.score, like, np.ones(len(xy), bool))

    def _prefer_ground(self, picture: Picture, found: _Found, sure: np.ndarray, held: np.ndarray):
        """Points that may as well belong to the ground are taken to do so, as long as what is there looks
        like them.
        """
        place, shape = self.ground.places()
        apart = np.linalg.norm(found.xy - place, axis=1)
        near = apart <= 0.5
        asked = np.flatnonzero(~near & (self.ground.member > 0.05))
        ground = self._found(
            picture, place[asked], place[asked], shape[asked], np.full(len(asked), 0.4), asked
        )
        here, member, firm = found.score[asked], self.ground.member[asked], (sure | held)[asked]
        fits = ground.score < np.where(firm, np.minimum(0.6, here - 0.1), np.minimum(FOUND, here + 0.15))
        better = (member > 0.3) & (fits | (~firm & (member > 0.7)))
        refuted = np.zeros(len(near), bool)
        refuted[asked] = (apart[asked] > 1.5) & firm & (here < 0.7) & (here < ground.score - 0.1) & ~better
        refuted[asked] |= (apart[asked] > 1.5) & (ground.score > SAME) & (here < 0.7) & ~better
        found.take(asked[better], ground, better)
        found.vouched[asked[better]] = True
        found.vouched |= near
        self.ground.learn(
            found.vouched & (found.score < 0.6) & (np.linalg.norm(found.xy - place, axis=1) < 1), refuted
        )

    def _decide(self, found: _Found, weight: np.ndarray):
        off = np.linalg.norm(found.xy - found.place, axis=1)
        near = off <= APART[0] + APART[1] * found.doubt
        seen = (
            near
            & found.vouched
            & self._inside(found.xy)
            & (found.score < np.where(self.visible, SAME, FOUND))
        )
        self.xy = np.where(seen[:, None], found.xy, found.place).astype(np.float32)
        self.shape, self.visible = found.shape, seen
        self.confidence = np.where(seen, self._sureness(found, weight), 0)[: self.count].astype(np.float32)
        self.companions.learn(self.xy, self.shape, seen & (found.score < 0.6) & (self.texture > TEXTURED))
        self._learn_support(found.like, seen)

    def _sureness(self, found: _Found, weight: np.ndarray) -> np.ndarray:
        """(N,) 0..1: that what is seen is the point's own surface. The less alike, the more its brightness
        has changed against the whole picture, the fewer companions agree and the less it is of the ground,
        the likelier it is another one (fitted to the development sequences).
        """
        always, unlike, shifted, backed, grounded = STRANGE
        odds = always + unlike * np.log(0.05 + found.score) + shifted * np.log(0.3 + np.abs(found.like.shift))
        odds += backed * np.log(0.05 + weight) + grounded * self.ground.member
        return 1 / (1 + np.exp(odds))

    def _learn_support(self, like: Likeness, seen: np.ndarray):
        """Pixels of a template that keep differing are of another surface: they count less and less."""
        fits = (np.abs(like.error) < 8.0 + 1.5 * like.spread[:, None].clip(0, 8)).astype(np.float32)
        self.support[seen] += KEEP * (np.maximum(fits[seen], 0.02) - self.support[seen])

    def _measure_light(self, picture: Picture, carried: np.ndarray):
        """How much brighter the picture has become as a whole."""
        level = self.templates.value[:, len(FOR_LIKENESS) // 2]
        now = sample_field(picture.grey, carried)[:, 0]
        counted = self.visible & (level > 25) & (level < 230) & self._inside(carried)
        if counted.sum() >= 20:
            self.gain = float(np.clip(np.median(now[counted] / level[counted]), 0.3, 3))

    def _likeness(self, picture: Picture, xy: np.ndarray, shape: np.ndarray) -> Likeness:
        return compare_patches(picture, self.templates, self.support, xy, shape, self.gain)

    def _ready(self, frame: np.ndarray) -> Picture:
        if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
            raise ValueError(f"video: expected frames (H, W, 3) uint8, got {frame.shape} {frame.dtype}")
        return Picture.of(frame)

    def _cut(self, raw: np.ndarray) -> bool:
        """Whether the scene is another one: the brightness histogram and the coarse picture both changed."""
        small = [
            cv2.resize(x, (16, 16), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
            for x in (self.picture.raw, raw)
        ]
        coarse = np.abs(small[0] - small[1]).mean()
        counts = [
            cv2.calcHist([x], [0], None, [32], [0, 256]).ravel() / x.size for x in (self.picture.raw, raw)
        ]
        return bool(coarse > CUT / 2 and coarse + 0.5 * np.abs(counts[0] - counts[1]).sum() / 2 > CUT)

    def _inside(self, xy: np.ndarray) -> np.ndarray:
        height, width = self.picture.raw.shape
        return np.asarray(((xy >= 0) & (xy <= [width - 1, height - 1])).all(1))


def track_video(
    frames: Iterable[np.ndarray],
    points: Callable[[int, int], np.ndarray],
    fps: float,
    tracker: Tracker | None = None,
    on_frame: Callable[[int], None] | None = None,
) -> Tracks:
    """Tracks of points through a video. Raises ValueError for a video without frames or with too many
    positions.

    Args:
        frames: (H, W, 3) uint8, taken one by one.
        points: (width, height) -> (N, 2) in the first frame.
        fps: frames a second.
        tracker: its settings, the default ones where None.
        on_frame: called with the number of each frame. May raise to stop.
    """
    tracker = tracker or FlowTracker()
    places, seen, size = [], [], None
    for number, frame in enumerate(frames):
        if size is None:
            size = (frame.shape[1], frame.shape[0])
            chosen = np.asarray(points(*size), dtype=np.float32)
            if chosen.ndim != 2 or chosen.shape[1] != 2 or not len(chosen):
                raise ValueError(
                    f"points: expected at least one (N, 2) in the first frame, got {chosen.shape}"
                )
            tracker.start(frame, chosen)
            places.append(chosen)
            seen.append(np.ones(len(chosen), bool))
        else:
            if (number + 1) * len(places[0]) > MAX_POSITIONS:
                raise ValueError(
                    f"video: expected at most {MAX_POSITIONS} positions, got more than {number} frames of "
                    f"{len(places[0])} points"
                )
            xy, visible = tracker.step(frame)
            places.append(xy)
            seen.append(visible)
        if on_frame is not None:
            on_frame(number)
    if size is None:
        raise ValueError("video: expected at least one frame, got none")
    return Tracks(torch.from_numpy(np.stack(places)), torch.from_numpy(np.stack(seen)), *size, fps)
