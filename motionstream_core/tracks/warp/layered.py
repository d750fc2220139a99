"""The start image carried along tracks in layers: things that move as one, before a clean plate.

Owns the layers' state through a stream and the picture made of them. Which tracks are one thing is
`grouping.py`'s, where its pixels are `silhouettes.py`'s, what is behind it `plate.py`'s.

Nothing is rounded to whole pixels: each layer is sampled backwards through its motion, with a soft alpha.
A carry is a value: calling it gives the picture and the carry after it, and changes nothing. So frames may be
asked for again, in pieces of any length, with the same result.
Shapes as in `backward`: T frames, N tracks. Positions are pixels with centres at +0.5.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ...common.upload import upload
from ..video.moving_least_squares import moving_similarity
from .backward import WarpResult, nearest_track, pixel_grid, push_pull, take_by_label
from .forward import upsample
from .grouping import BACKGROUND, Grouper, Groups
from .motions import invert_motion, move_points, residuals
from .plate import Plate, grow_mask
from .sampling import lookup_mask, sample_back, window_of
from .silhouettes import find_silhouettes, nearest_tracks

STILL = 0.02  # px: a background that moves less shows the image as it is
APART = 0.05  # px: a thing that moves less than this against the background is part of it
BENDING = 1.0  # px at 128 px: the rms that an affine map leaves of what bends
BEND_CELL = 4  # px: moving least squares is computed for cells of so many
BEND_POINTS = 96  # tracks that it looks at
SOFT = (0.25, 0.5, 0.25)  # of a silhouette's border, px by px
FEW = 4  # tracks: a thing with fewer has no part hidden
THIN = 5  # px: a part of a silhouette that lies farther than half of it from any inside has none
Objects = Mapping[int, Tensor]  # masks (H, W) bool by handle


@dataclass(frozen=True)
class Layer:
    """A thing cut out of the image: picture (4, H, W) with alpha, colours premultiplied. mask (H, W) bool.
    owner (H, W) the track of it that is nearest to each pixel. box: left, top, right and bottom of what is
    not transparent, px.
    """

    picture: Tensor
    mask: Tensor
    owner: np.ndarray
    box: tuple[int, int, int, int]


@dataclass(frozen=True)
class _Pose:
    """What one frame shows: the background's motion, and of each thing its motion back, from the rear."""

    background: np.ndarray | Tensor
    things: list[tuple[int, np.ndarray | Tensor, np.ndarray]] = field(default_factory=list)


@dataclass(frozen=True)
class LayeredWarp:
    """image (3, H, W) 0..1 and the tracks' places in it, anchors (N, 2).

    Call it with the places of the frames that follow -> (WarpResult, LayeredWarp): the frames with holes
    filled, and the carry after them. `disoccluded` says where a frame shows a fill.
    """

    image: Tensor
    anchors: Tensor
    grouper: Grouper
    groups: Groups
    layers: dict[int, Layer] = field(default_factory=dict)
    plate: Plate | None = None
    votes: dict[tuple[int, int], int] = field(default_factory=dict)
    frame: int = 0
    nearest: np.ndarray | None = None

    @staticmethod
    def of(
        image: Tensor, anchors: Tensor, handles: Tensor | None = None, objects: Objects | None = None
    ) -> LayeredWarp:
        """handles (N,): the painted handle of each track, −1 for none. objects: masks (H, W) bool of handles
        whose pixels are known.
        """
        height, width = image.shape[-2:]
        number = None if handles is None else handles.cpu().numpy()
        masks = {handle: mask.cpu().numpy() for handle, mask in (objects or {}).items()}
        grouper = Grouper(anchors.double().cpu().numpy(), width, height, number, masks)
        return LayeredWarp(image, anchors, grouper, Groups(np.zeros(len(anchors), int)), {}, Plate.of(image))

    def has_handles(self, handles: Tensor | None, objects: Objects | None = None) -> bool:
        """Whether the tracks belong to these painted handles, and these handles are known as objects."""
        given = np.full(len(self.anchors), -1) if handles is None else handles.cpu().numpy()
        same = (objects or {}).keys() == self.grouper.objects.keys()
        return same and np.array_equal(given, self.grouper.painted_handle)

    def with_tracks(
        self, anchors: Tensor, handles: Tensor | None = None, objects: Objects | None = None
    ) -> LayeredWarp:
        """The carry with other tracks. Those whose place in the image has not changed stay what they are,
        and what was cut out or filled stays.
        """
        fresh = LayeredWarp.of(self.image, anchors, handles, objects)
        labels = np.zeros(len(anchors), int)
        both = min(len(anchors), len(self.anchors))
        same = torch.equal(anchors[:both], self.anchors[:both])
        kept = np.ones(both, bool) if same else (anchors[:both] == self.anchors[:both]).all(1).cpu().numpy()
        labels[:both][kept] = self.groups.labels[:both][kept]
        return replace(
            fresh,
            groups=replace(self.groups, labels=labels),
            layers=self.layers,
            plate=self.plate,
            votes=self.votes,
            frame=self.frame,
        )

    def __call__(self, xy: Tensor, visible: Tensor) -> tuple[WarpResult, LayeredWarp]:
        """xy (T, N, 2), visible (T, N) -> frames (T, 3, H, W), distance to the nearest visible track and
        disoccluded 0..1, (T, 1, H, W), and the carry after them.

        A thing without a visible track is not shown. Raises ValueError for shapes that do not fit.
        """
        count = len(self.anchors)
        if xy.shape[1:] != (count, 2) or visible.shape != xy.shape[:2]:
            raise ValueError(
                f"carry: expected xy (T, {count}, 2) and visible (T, {count}), got {tuple(xy.shape)} and "
                f"{tuple(visible.shape)}"
            )
        now = self
        places, seen = xy.double().cpu().numpy(), visible.bool().cpu().numpy()
        moments = []
        for place, shown in zip(places, seen):
            now, pose = now._after(place, shown)
            moments.append((now, pose))
        assert now.plate is not None
        plate = now.plate.painted()
        now = replace(now, plate=plate)
        made = torch.stack([moment._painted_as(plate)._composed(pose) for moment, pose in moments])
        distance = self._distance(xy, visible)
        return WarpResult(made[:, :3], distance, made[:, 3:]), now

    def to_reference(self, xy: Tensor, visible: Tensor, places: Tensor) -> Tensor:
        """Where in the start image the pixels come from that stand at `places` (K, 2) when the tracks are at
        xy (N, 2) -> (K, 2).
        """
        now, pose = self._after(xy.double().cpu().numpy(), visible.bool().cpu().numpy())
        points = places.double().cpu().numpy()
        out = _sources(pose.background, points)
        for label, back, _ in pose.things:
            there = _sources(back, points)
            mask = now.layers[label].mask.cpu().numpy()
            inside = lookup_mask(mask, there)
            out[inside] = there[inside]
        return torch.from_numpy(out).to(places)

    def objects_now(self) -> Objects:
        """The masks of the known objects where the frame made last shows them."""
        whole = 0, 0, self.image.shape[-1], self.image.shape[-2]
        handle = self.grouper.handle
        labels = {int(handle[self.groups.members(n)][0]): n for n in self.groups.painted_things()}
        found = {}
        for number, mask in self.grouper.objects.items():
            motion = self.groups.motions[labels.get(number, BACKGROUND)]
            solid = torch.from_numpy(mask).to(self.image)[None]
            there = sample_back(solid, invert_motion(motion), 0, "zeros", whole)[0] > 0.5
            if there.any():
                found[number] = there.cpu()
        return found

    # ---- a frame ----

    def _after(self, xy: np.ndarray, seen: np.ndarray) -> tuple[LayeredWarp, _Pose]:
        """The carry after a frame whose tracks are at xy (N, 2), and what the frame shows."""
        groups = self.grouper.update(self.groups, xy, seen)
        now = replace(self, groups=groups, frame=self.frame + 1)
        if not np.array_equal(groups.labels, self.groups.labels):
            now = now._cut_out(self.groups)
        order, cuts, votes = now._order(xy, seen)
        now = replace(now, votes=votes)
        background = groups.motions[BACKGROUND]
        shown = seen & self.grouper.usable
        ground: np.ndarray | Tensor = invert_motion(background)
        if self._leaves_frame(background):
            assert now.plate is not None
            now = replace(now, plate=now.plate.with_margin(self.frame))
        own = shown & groups.members(BACKGROUND)
        if own.sum() >= 8:
            ground = now._back(own, xy, background)
        things = []
        for label in order:
            own = shown & groups.members(label)
            if own.any():
                things.append((label, now._back(own, xy, groups.motions[label]), cuts[label]))
        return now, _Pose(ground, things)

    def _cut_out(self, before: Groups) -> LayeredWarp:
        """Layers and plate anew for the things whose tracks have changed."""
        things = self.groups.things()
        changed = [
            label
            for label in things
            if label not in self.layers
            or not np.array_equal(self.groups.members(label), before.members(label))
        ]
        if not changed:
            return self
        known = {label: self.grouper.object_of(self.groups, label) for label in changed}
        given = {label: torch.from_numpy(mask) for label, mask in known.items() if mask is not None}
        found = [label for label in changed if label not in given]
        nearest = self.nearest
        if found and nearest is None:
            nearest = nearest_tracks(self.image, self.grouper.start)
        masks = find_silhouettes(self.image, self.grouper.start, self.groups.labels, found, nearest)
        for mask in self.grouper.objects.values():
            masks = {label: cut & ~torch.from_numpy(mask) for label, cut in masks.items()}
        masks |= given
        layers = {label: layer for label, layer in self.layers.items() if label in things}
        hole = torch.zeros_like(self.image[0], dtype=torch.bool)
        for label, cut in masks.items():
            box, mask = _box_of(cut.numpy()), cut.to(self.image.device)
            members = np.flatnonzero(self.groups.members(label) & self.grouper.usable)
            layers[label] = _layer(self.image, mask, box, self.grouper.start[members], members)
            hole |= grow_mask(mask)
        assert self.plate is not None
        plate = self.plate.with_hole(hole, self.frame)
        return replace(self, layers=layers, plate=plate, nearest=nearest)

    def _back(self, own: np.ndarray, xy: np.ndarray, motion: np.ndarray) -> np.ndarray | Tensor:
        """The way back from a frame to the image: an affine map (2, 3), or of what bends a field (H, W, 2) of
        places.
        """
        start = self.grouper.start[own]
        miss = residuals(motion, start, xy[own])
        agree = miss <= 2 * self.groups.tolerance
        bends = float((miss[agree] ** 2).mean() ** 0.5) if agree.sum() >= 6 else 0.0
        if bends <= BENDING * self.groups.tolerance / 1.5:
            return invert_motion(motion)
        chosen = np.flatnonzero(agree)
        chosen = chosen[:: max(1, len(chosen) // BEND_POINTS)]
        height, width = self.image.shape[-2:]
        rows = np.arange(BEND_CELL / 2, height + BEND_CELL, BEND_CELL)
        columns = np.arange(BEND_CELL / 2, width + BEND_CELL, BEND_CELL)
        cells = np.stack(np.meshgrid(columns, rows), -1).reshape(-1, 2)
        back = moving_similarity(xy[own][chosen], start[chosen], cells)
        grid = torch.from_numpy(back - cells).float().view(1, len(rows), len(columns), 2)
        size = len(rows) * BEND_CELL, len(columns) * BEND_CELL
        shift = F.interpolate(grid.permute(0, 3, 1, 2), size=size, mode="bilinear", align_corners=False)
        shift = shift[0, :, :height, :width].permute(1, 2, 0)
        return upload(shift + pixel_grid(height, width, 1, torch.device("cpu")) + 0.5, self.image.device)

    def _leaves_frame(self, motion: np.ndarray) -> bool:
        """Whether the background's motion shows what lies beyond the image."""
        height, width = self.image.shape[-2:]
        corners = np.array([[0.0, 0], [width, 0], [0, height], [width, height]])
        away = move_points(invert_motion(motion), corners)
        over = np.maximum(-away, away - [width, height]).max()
        return bool(over > 1.0)

    def _order(
        self, xy: np.ndarray, seen: np.ndarray
    ) -> tuple[list[int], dict[int, np.ndarray], dict[tuple[int, int], int]]:
        """The things from the rear to the front, of each the tracks (N,) that something else hides, and the
        votes for who is before whom.

        A hidden track within another thing is behind it, a visible one before it. A hidden track within none
        is behind something that rests.
        """
        things = [label for label in self.groups.things() if label in self.layers]
        motions = self.groups.motions
        height, width = self.image.shape[-2:]
        members = {
            label: np.flatnonzero(self.groups.members(label) & self.grouper.usable) for label in things
        }
        places = {label: move_points(motions[label], self.grouper.start[members[label]]) for label in things}
        # Of each thing, which points of all things lie in it: asked once a thing, not once a pair.
        ends = np.cumsum([0, *(len(members[label]) for label in things)])
        points = np.concatenate([np.empty((0, 2)), *places.values()])
        within = {
            label: lookup_mask(
                self.layers[label].mask.cpu().numpy(), move_points(invert_motion(motions[label]), points)
            )
            for label in things
        }
        votes = dict(self.votes)
        cuts = {}
        for label, start, end in zip(things, ends, ends[1:]):
            own = members[label]
            inside = ((places[label] >= 0) & (places[label] < [width, height])).all(-1)
            hidden = ~seen[own] & inside
            explained = np.zeros(len(own), bool)
            for other in things:
                covered = within[other][start:end]
                if other == label or not covered.any():
                    continue
                explained |= covered
                pair = (other, label)
                votes[pair] = votes.get(pair, 0) + int((covered & hidden).sum())
                over = (label, other)
                votes[over] = votes.get(over, 0) + int((covered & seen[own]).sum())
            cut = np.zeros(len(xy), bool)
            if len(own) >= FEW and hidden.mean() < 1:
                cut[own[hidden & ~explained]] = True
            cuts[label] = cut
        order: list[int] = []
        for label in things:
            place = len(order)
            while place and votes.get((order[place - 1], label), 0) > votes.get((label, order[place - 1]), 0):
                place -= 1
            order.insert(place, label)
        return order, cuts, votes

    # ---- the picture ----

    def _painted_as(self, plate: Plate) -> LayeredWarp:
        """The carry of one frame with its holes painted as at the end of the chunk."""
        assert self.plate is not None
        painted = self.plate.painted_as(plate)
        return self if painted is self.plate else replace(self, plate=painted)

    def _composed(self, pose: _Pose) -> Tensor:
        """-> (4, H, W): colours, and where a fill is shown."""
        assert self.plate is not None
        margin = self.plate.margin
        filled = self.plate.filled.float()[None]
        source = torch.cat([self.plate.canvas, filled])
        height, width = self.image.shape[-2:]
        whole = 0, 0, width, height
        made = sample_back(source, pose.background, margin, "border", whole)
        if margin == 0 and isinstance(pose.background, Tensor):
            made[3:] = torch.maximum(made[3:], self._beyond(pose.background))
        for label, back, cut in pose.things:
            layer = self.layers[label]
            picture = layer.picture
            if cut.any():
                hidden = upload(torch.from_numpy(cut[layer.owner]), picture.device).to(picture)[None, None]
                picture = picture * (1 - F.avg_pool2d(F.pad(hidden, (2,) * 4, mode="replicate"), 5, 1)[0])
            left, top, right, bottom = window = window_of(layer.box, back, whole)
            if left >= right or top >= bottom:
                continue
            front = sample_back(picture, back, 0, "zeros", window)
            there = made[:, top:bottom, left:right]
            there *= 1 - front[3:]
            there[:3] += front[:3]
        return made

    def _beyond(self, back: Tensor) -> Tensor:
        """(1, H, W): 1 where the background comes from beyond the image."""
        height, width = self.image.shape[-2:]
        x, y = back.unbind(-1)
        out = torch.maximum(torch.maximum(-x, x - width), torch.maximum(-y, y - height))
        return (out > 1.0).to(self.image)[None]

    def _distance(self, xy: Tensor, visible: Tensor) -> Tensor:
        height, width = self.image.shape[-2:]
        xy, visible = upload(xy, self.image.device).float(), upload(visible, self.image.device).bool()
        near = nearest_track(xy, visible, height, width)
        near = take_by_label(xy, upsample(near, height, width))
        gap = (pixel_grid(height, width, 1, xy.device) - near).norm(dim=-1)
        seen = visible.any(1)[:, None, None]
        return torch.where(seen, gap, (height**2 + width**2) ** 0.5)[:, None]


def _box_of(mask: np.ndarray) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of what a mask's soft border reaches: a pixel more than the mask."""
    height, width = mask.shape
    across, down = np.flatnonzero(mask.any(0)), np.flatnonzero(mask.any(1))
    if not len(across):
        return 0, 0, 0, 0
    left, top = max(across[0] - 1, 0), max(down[0] - 1, 0)
    return int(left), int(top), int(min(across[-1] + 2, width)), int(min(down[-1] + 2, height))


def _layer(
    image: Tensor, mask: Tensor, box: tuple[int, int, int, int], start: np.ndarray, members: np.ndarray
) -> Layer:
    """A thing cut out. Its border is soft, and has the colours of what is within.

    Args:
        image: the picture (3, H, W).
        mask: of the thing (H, W).
        box: what its soft border reaches.
        start: where its tracks begin (K, 2).
        members: their numbers (K,).
    """
    kernel = torch.tensor(SOFT, device=image.device)
    kernel = (kernel[:, None] * kernel)[None, None]
    solid = mask.float()[None, None]
    alpha = F.conv2d(F.pad(solid, (1,) * 4, mode="replicate"), kernel)
    inner = 1 - F.max_pool2d(F.pad(1 - solid, (1,) * 4, mode="replicate"), 3, 1)
    # What is too thin to have an inside keeps its own colours.
    inner = torch.maximum(inner, solid * (1 - F.max_pool2d(inner, THIN, 1, THIN // 2)))
    colour = push_pull(image[None], inner)
    height, width = mask.shape
    rows, columns = np.mgrid[:height, :width] + 0.5
    best, owner = np.full((height, width), np.inf), np.zeros((height, width), int)
    for number, (x, y) in zip(members, start):
        gap = (columns - x) ** 2 + (rows - y) ** 2
        nearer = gap < best
        best[nearer] = gap[nearer]
        owner[nearer] = number
    return Layer(torch.cat([colour[0] * alpha[0], alpha[0]]), mask, owner, box)


def _sources(back: np.ndarray | Tensor, points: np.ndarray) -> np.ndarray:
    """Where in the image what stands at these points (K, 2) comes from."""
    if not isinstance(back, Tensor):
        return move_points(back, points)
    height, width = back.shape[:2]
    x = np.clip(np.floor(points[:, 0]).astype(int), 0, width - 1)
    y = np.clip(np.floor(points[:, 1]).astype(int), 0, height - 1)
    shift = back.cpu().numpy()[y, x] - np.stack([x + 0.5, y + 0.5], -1)
    return points + shift
