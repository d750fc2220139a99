"""Which tracks are one thing, decided frame by frame from what has been seen so far.

Owns the labels: 0 for the background, from 1 on for things. A track that has become part of a thing stays
with it unless the thing falls apart. Points of one painted handle are one thing as soon as they move. Others
go with what moves as they do and is near.

Shapes: start and xy (N, 2) float64 pixels with centres at +0.5. Visible, handle, labels (N,).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from .motions import EXACT, IDENTITY, common_motion, fit_motion, residuals

AGREES = 1.5  # px at 128 px: what a motion may miss a track by, and
FINEST = 0.4  # so much of it where tracks are exact
NOISE = 4.0  # times the background's own median residual, in between
PLAIN = 2.0  # tolerances: things that have moved less are not put together
NEAR = 8.0  # px at 128 px: what is no farther apart may be one thing
SPACINGS = 2.5  # or no farther than so many distances between neighbours
COVERS = 0.3  # of the picture, that the tracks of a moving background lie in at least
MOST_THINGS = 16
LOST = 0.3  # share of a thing's tracks that may miss its motion before it is taken apart
BACKGROUND = 0


@dataclass(frozen=True)
class Groups:
    """labels (N,). motions by label, as they were last seen. The background's at 0. `painted`: labels that
    are a painted handle.
    """

    labels: np.ndarray
    motions: dict[int, np.ndarray] = field(default_factory=lambda: {BACKGROUND: IDENTITY.copy()})
    painted: frozenset[int] = frozenset()
    next_label: int = 1
    tolerance: float = AGREES

    def members(self, label: int) -> np.ndarray:
        """(N,) bool."""
        return self.labels == label

    def things(self) -> list[int]:
        """Labels of things that have tracks, in the order in which they were found."""
        return [int(label) for label in np.unique(self.labels) if label > BACKGROUND]

    def painted_things(self) -> list[int]:
        """Those of them that are a painted handle."""
        return [label for label in self.things() if label in self.painted]


class Grouper:
    """Finds the groups of tracks that begin at `start` (N, 2) in a picture of width × height.

    Args:
        start: where the tracks begin.
        width: of the picture.
        height: of it.
        handle: (N,) the painted handle of each track, −1 for none. None where nothing is painted.
        objects: masks (H, W) bool of the handles whose pixels are known.
    """

    def __init__(
        self,
        start: np.ndarray,
        width: int,
        height: int,
        handle: np.ndarray | None = None,
        objects: dict[int, np.ndarray] | None = None,
    ):
        self.start = start
        self.objects = objects or {}
        self.width, self.height = width, height
        unit = max(1.0, max(width, height) / 128)
        self.loosest = AGREES * unit**0.5
        margin = 0.5 * max(width, height)
        self.usable = np.isfinite(start).all(-1) & (start > -margin).all(-1)
        self.usable &= (start < [width + margin, height + margin]).all(-1)
        self.painted_handle = np.full(len(start), -1) if handle is None else handle
        self.handle = self._with_objects(self.painted_handle)
        self.neighbours, self.spacing = self._neighbours()
        self.reach = np.maximum(NEAR * unit, SPACINGS * self.spacing)

    def _with_objects(self, handle: np.ndarray) -> np.ndarray:
        """The handles, where tracks of none that begin within an object are the object's."""
        made = handle.copy()
        free = np.flatnonzero((handle < 0) & self.usable)
        x, y = np.floor(self.start[free]).astype(int).T
        inside = (x >= 0) & (x < self.width) & (y >= 0) & (y < self.height)
        for number, mask in self.objects.items():
            within = free[inside][mask[y[inside], x[inside]]]
            made[within] = number
        return made

    def object_of(self, groups: Groups, label: int) -> np.ndarray | None:
        """The mask (H, W) bool that a thing was given. None where it was given none."""
        if label not in groups.painted:
            return None
        own = self.handle[groups.members(label)]
        return self.objects.get(int(own[0])) if len(own) else None

    def _neighbours(self) -> tuple[np.ndarray, np.ndarray]:
        """(N, 4) the nearest tracks of each, and (N,) how far the second of them is."""
        count = len(self.start)
        known = np.flatnonzero(self.usable)
        near = np.tile(np.arange(count)[:, None], (1, 4))
        spacing = np.full(count, NEAR)
        if len(known) < 6:
            return near, spacing
        place = self.start[known].astype(np.float32)
        for part in np.array_split(np.arange(len(known)), max(1, len(known) // 512)):
            away = ((place[part, None] - place[None]) ** 2).sum(-1)
            order = np.argpartition(away, 5, axis=1)[:, :6]
            far = np.take_along_axis(away, order, 1)
            order = np.take_along_axis(order, np.argsort(far, axis=1, kind="stable"), 1)
            near[known[part]] = known[order[:, 1:5]]
            spacing[known[part]] = np.sort(far, axis=1)[:, 2] ** 0.5
        return near, spacing

    def update(self, groups: Groups, xy: np.ndarray, visible: np.ndarray) -> Groups:
        """The groups after a frame."""
        seen = visible & self.usable & np.isfinite(xy).all(-1)
        background, miss = self._background(groups, xy, seen)
        steady = miss[seen & groups.members(BACKGROUND) & (miss <= self.loosest)]
        noise = NOISE * float(np.median(steady)) if len(steady) else 0.0
        tolerance = float(np.clip(noise, FINEST * self.loosest, self.loosest))
        astray = seen & (miss > tolerance)
        groups = replace(
            groups,
            motions={**groups.motions, BACKGROUND: background},
            labels=groups.labels.copy(),
            tolerance=tolerance,
        )
        self._check_things(groups, xy, seen)
        groups = self._painted(groups, xy, seen, astray)
        groups = self._join(groups, xy, seen, astray)
        groups = self._new_things(groups, xy, seen, astray)
        self._merge(groups, xy, seen)
        self._enclosed(groups, xy, seen)
        motions = dict(groups.motions)
        for label in groups.things():
            own = seen & groups.members(label)
            if own.any():
                known = motions.get(label)
                linear = None if known is None else known[:, :2]
                motions[label] = fit_motion(self.start[own], xy[own], linear)
        return replace(groups, motions=motions)

    def _background(self, groups: Groups, xy: np.ndarray, seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The background's motion and how far every track is from it."""
        own = np.flatnonzero(seen & groups.members(BACKGROUND))
        motion = groups.motions[BACKGROUND]
        if len(own):
            place = self.start[own]
            cell = max(self.width, self.height) / 8
            key = np.floor(place / cell).astype(int) @ [4096, 1]
            _, which, many = np.unique(key, return_inverse=True, return_counts=True)
            weight = 1 / many[which]
            rests = np.linalg.norm(xy[own] - place, axis=-1) < EXACT
            if rests @ weight > 0.5 * weight.sum():
                return IDENTITY.copy(), residuals(IDENTITY, self.start, np.nan_to_num(xy))
            found, agree = common_motion(place, xy[own], weight, self.loosest, spread=True)
            inside = np.clip(place[agree], 0, [self.width, self.height])
            box = (np.ptp(inside, axis=0) + 1) / [self.width, self.height] if agree.any() else np.zeros(2)
            # A few tracks of one thing are no background: then it rests, or goes on as it was.
            if box.prod() >= COVERS or (agree.all() and np.array_equal(xy[own], place)):
                motion = found
            else:
                resting = residuals(IDENTITY, place, xy[own]) <= self.loosest
                motion = IDENTITY.copy() if resting.any() else motion
        return motion, residuals(motion, self.start, np.nan_to_num(xy))

    def _check_things(self, groups: Groups, xy: np.ndarray, seen: np.ndarray):
        """A thing whose tracks part loses those that most of it does not go with."""
        for label in groups.things():
            if label in groups.painted:
                continue
            own = np.flatnonzero(seen & groups.members(label))
            if len(own) < 3:
                continue
            motion = fit_motion(self.start[own], xy[own])
            miss = residuals(motion, self.start[own], xy[own])
            if (miss > groups.tolerance).mean() <= 0.1:
                groups.labels[own[miss > PLAIN * groups.tolerance]] = BACKGROUND
                continue
            _, agree = common_motion(
                self.start[own], xy[own], np.ones(len(own)), groups.tolerance, spread=False
            )
            if 0.15 < agree.mean() < 1 - LOST / 2:
                groups.labels[own[~agree]] = BACKGROUND

    def _painted(self, groups: Groups, xy: np.ndarray, seen: np.ndarray, astray: np.ndarray) -> Groups:
        """Handles of which most points have left the background become things."""
        painted = set(groups.painted)
        number = groups.next_label
        motions = dict(groups.motions)
        free = groups.members(BACKGROUND) & self.usable & (self.handle >= 0)
        for handle in np.unique(self.handle[free & astray]):
            own = free & (self.handle == handle)
            if own.sum() < (1 if handle in self.objects else 2) or astray[own].sum() * 2 < seen[own].sum():
                continue
            known = [label for label in painted if (self.handle[groups.members(label)] == handle).any()]
            if known:
                groups.labels[own] = known[0]
                continue
            groups.labels[own] = number
            motions[number] = fit_motion(self.start[own & seen], xy[own & seen])
            painted.add(number)
            number += 1
        return replace(groups, painted=frozenset(painted), next_label=number, motions=motions)

    def _join(self, groups: Groups, xy: np.ndarray, seen: np.ndarray, astray: np.ndarray) -> Groups:
        """Tracks astray go to the thing near them that moves as they do."""
        things = [label for label in groups.things() if label not in groups.painted]
        free = np.flatnonzero(astray & groups.members(BACKGROUND))
        for label in things:
            own = np.flatnonzero(seen & groups.members(label))
            if not len(own) or not len(free):
                continue
            motion = fit_motion(self.start[own], xy[own])
            fits = free[residuals(motion, self.start[free], xy[free]) <= groups.tolerance]
            near = np.array([self._touch(fits[k : k + 1], own) for k in range(len(fits))], bool)
            groups.labels[fits[near]] = label
            free = np.setdiff1d(free, fits[near])
        return groups

    def _new_things(self, groups: Groups, xy: np.ndarray, seen: np.ndarray, astray: np.ndarray) -> Groups:
        """What is still astray: things of tracks that move alike and hang together."""
        number = groups.next_label
        motions = dict(groups.motions)
        while len(groups.things()) < MOST_THINGS:
            free = np.flatnonzero(astray & groups.members(BACKGROUND))
            if not len(free):
                break
            _, agree = common_motion(
                self.start[free], xy[free], np.ones(len(free)), groups.tolerance, spread=False
            )
            own = self._connected(free[agree])
            groups.labels[own] = number
            motions[number] = fit_motion(self.start[own], xy[own])
            number += 1
        rest = np.flatnonzero(astray & groups.members(BACKGROUND))
        known = np.flatnonzero(groups.labels > BACKGROUND)
        if len(rest) and len(known):
            gap = ((self.start[rest, None] - self.start[None, known]) ** 2).sum(-1)
            groups.labels[rest] = groups.labels[known[gap.argmin(1)]]
        return replace(groups, next_label=number, motions=motions)

    def _merge(self, groups: Groups, xy: np.ndarray, seen: np.ndarray):
        """Neighbours that one motion explains are one thing."""
        things = [label for label in groups.things() if label not in groups.painted]
        background = groups.motions[BACKGROUND]
        for index, first in enumerate(things):
            for second in things[index + 1 :]:
                a = np.flatnonzero(seen & groups.members(first))
                b = np.flatnonzero(seen & groups.members(second))
                if not len(a) or not len(b):
                    continue
                both = np.concatenate([a, b])
                away = residuals(background, self.start[both], xy[both])
                if np.median(away) < PLAIN * groups.tolerance or not self._touch(a, b):
                    continue
                motion = fit_motion(self.start[both], xy[both])
                if (residuals(motion, self.start[both], xy[both]) <= groups.tolerance).mean() > 0.95:
                    groups.labels[groups.members(second)] = first

    def _touch(self, a: np.ndarray, b: np.ndarray) -> bool:
        """Whether two sets of tracks come as near to each other as neighbours are."""
        gap = np.sqrt(((self.start[a, None] - self.start[None, b]) ** 2).sum(-1))
        return bool((gap <= np.maximum(self.reach[a, None], self.reach[None, b])).any())

    def _connected(self, points: np.ndarray) -> np.ndarray:
        """Of these points the largest part that hangs together."""
        left = list(points)
        best: list[int] = []
        while len(left) > len(best):
            part, edge = [left[0]], [left.pop(0)]
            while edge and left:
                here = edge.pop()
                away = np.linalg.norm(self.start[left] - self.start[here], axis=-1)
                near = away <= np.maximum(self.reach[left], self.reach[here])
                found = [point for point, is_near in zip(left, near) if is_near]
                left = [point for point, is_near in zip(left, near) if not is_near]
                part += found
                edge += found
            best = part if len(part) > len(best) else best
        return np.array(best, dtype=int)

    def _enclosed(self, groups: Groups, xy: np.ndarray, seen: np.ndarray):
        """A track whose neighbours are all of one thing is of it, though its own motion may not tell: the
        middle of what turns.
        """
        labels = groups.labels
        around = labels[self.neighbours]
        same = (around == around[:, :1]).all(1) & (around[:, 0] > BACKGROUND)
        inner = np.flatnonzero(same & (labels == BACKGROUND) & self.usable)
        for label in np.unique(around[inner, 0]):
            own = np.flatnonzero(seen & groups.members(int(label)))
            here = inner[around[inner, 0] == label]
            if len(own):
                miss = residuals(fit_motion(self.start[own], xy[own]), self.start[here], xy[here])
                labels[here[~seen[here] | (miss <= groups.tolerance)]] = label
