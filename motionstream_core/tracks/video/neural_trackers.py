"""Point trackers of others behind our interface: CoTracker3 (online), TAPIR (causal) and TAPNext, where their
packages are installed.

Owns how frames, points and weights go in and positions come out. The packages are imported when a tracker is
made, the weights read from a local file without running code in it. Nothing is downloaded. Calls are those of
facebookresearch/co-tracker `cotracker.predictor` (82e02e8) and google-deepmind/tapnet
`tapnet.torch.tapir_model`, `tapnet.tapnext.tapnext_torch` (c2cbab8), and so are the positions:
docs/experiments/point-tracking.md has the comparison.
Memory does not grow with the video: about 1 MB a point in TAPIR, 0.15 in TAPNext, 0.1 in CoTracker3 and what
that computes for GROUP points at once.

Shapes: as in `trackers.py`. The packages' own: CoTracker queries (1, N, 3) t, x, y with pixel centres at
whole numbers. TAPIR and TAPNext queries (1, N, 3) t, y, x on a picture of 256×256 with pixel centres at
halves.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from einops import rearrange
from torch import Tensor

from .raft_tracker import Raft
from .tracker_weights import load_weights
from .trackers import BROKEN, COTRACKER, RAFT, TAPIR, TAPNEXT, Positions, missing_package

SIDE = 256  # of the square picture that TAPIR and TAPNext see
VISIBLE = 0.5
SIDES = {
    "tapnextpp_512.ckpt": 512
}  # weights of the same network for larger pictures: the file does not say so; places stay those of SIDE
# Points that CoTracker3 and TAPNext follow together; more go in groups that each cover the whole picture
GROUP = 2500


def groups_of(count: int) -> list[slice]:
    """Every so-many-th point each, at most GROUP."""
    number = -(-count // GROUP)
    return [slice(first, None, number) for first in range(number)]


class CoTracker:
    """CoTracker3 online: windows of 16 frames that move by 8. A position is given out once no later window
    changes it.
    """

    def __init__(self, weights: Path, device: str):
        try:
            from cotracker.predictor import CoTrackerOnlinePredictor
        except BROKEN as error:
            raise missing_package(COTRACKER, error) from None
        self._predictor, self._device = CoTrackerOnlinePredictor(checkpoint=None), device
        load_weights(COTRACKER, self._predictor.model, weights, device)
        self._predictor.to(device)

    @torch.no_grad()
    def follow(self, frames: Iterator[np.ndarray], points: np.ndarray) -> Iterator[Positions]:
        step, first = self._predictor.step, True
        parts = groups_of(len(points))
        queries = (
            torch.from_numpy(np.concatenate([np.zeros((len(points), 1)), points], 1)).float().to(self._device)
        )
        groups = [OnlineWindows(self._predictor, queries[None, part]) for part in parts]
        window = list(islice(frames, 2 * step))
        while window:
            ahead = next(frames, None) if len(window) == 2 * step else None
            video = rearrange(
                torch.from_numpy(np.stack(window)).to(self._device).float(), "t h w c -> 1 t c h w"
            )
            xy, visible = (
                np.empty((len(window), len(points), 2), np.float32),
                np.empty((len(window), len(points)), bool),
            )
            for part, group in zip(parts, groups):
                xy[:, part], visible[:, part] = group.next(video)
            if first:
                xy[0], visible[0], first = points, True, False
            yield from zip(xy[: None if ahead is None else step], visible)
            window = [] if ahead is None else [*window[step:], ahead, *islice(frames, step - 1)]


class OnlineWindows:
    """Some points in CoTracker3's online model, which holds one set at a time: their state put in, a window
    of frames, and the state taken out.

    The model keeps all positions since the first frame. Only those that the next window starts from stay
    here.
    """

    STATE = (
        "online_ind",
        "online_track_feat",
        "online_track_support",
        "online_coords_predicted",
        "online_vis_predicted",
        "online_conf_predicted",
    )

    def __init__(self, predictor: Any, queries: Tensor):
        self._predictor, self._queries, self._state = predictor, queries, {}

    def next(self, video: Tensor) -> Positions:
        """Frames (1, T, 3, H, W) in 0..255, of which all but the last window's first half overlap ->
        positions (T, N, 2) and visibility (T, N).
        """
        predictor, model = self._predictor, self._predictor.model
        if not self._state:
            predictor(video[:, :1], is_first_step=True, queries=self._queries)
            self._queries = predictor.queries
        else:
            predictor.queries = self._queries
            vars(model).update(self._state)
        xy, visible = predictor(video)
        self._state = {name: getattr(model, name) for name in self.STATE}
        past = model.online_ind - predictor.step
        self._state["online_ind"] = predictor.step
        for name in self.STATE[3:]:
            self._state[name] = self._state[name][:, past:].clone()
        return tuple(found[0, -video.shape[1] :].cpu().numpy() for found in (xy.float(), visible.bool()))


class Square:
    """What TAPIR and TAPNext share: pictures of SIDE×SIDE in −1..1, one at a time, and places with pixel
    centres at halves.
    """

    def __init__(self, device: str, side: int = SIDE):
        self._device, self._side = device, side

    def _frame(self, frame: np.ndarray) -> Tensor:
        picture = rearrange(
            torch.from_numpy(np.ascontiguousarray(frame)).to(self._device).float(), "h w c -> 1 c h w"
        )
        small = torch.nn.functional.interpolate(
            picture, size=(self._side, self._side), mode="bilinear", antialias=True, align_corners=False
        )
        return rearrange(small / 127.5 - 1, "1 c h w -> 1 1 h w c")

    def _queries(self, points: np.ndarray, frame: np.ndarray) -> Tensor:
        height, width = frame.shape[:2]
        y, x = (points[:, 1] + 0.5) * SIDE / height, (points[:, 0] + 0.5) * SIDE / width
        return torch.from_numpy(np.stack([np.zeros(len(points)), y, x], 1)).float()[None].to(self._device)

    @staticmethod
    def _places(xy: Tensor, frame: np.ndarray) -> np.ndarray:
        scale = np.array([frame.shape[1], frame.shape[0]]) / SIDE
        return (xy.float().cpu().numpy() * scale - 0.5).astype(np.float32)


class Tapir(Square):
    """Causal (Boots)TAPIR, frame by frame with its causal context."""

    def __init__(self, weights: Path, device: str):
        super().__init__(device)
        try:
            from tapnet.torch import tapir_model
        except BROKEN as error:
            raise missing_package(TAPIR, error) from None
        self._model: Any = load_weights(
            TAPIR, tapir_model.TAPIR(pyramid_level=1, use_casual_conv=True), weights, device
        )

    @torch.no_grad()
    def follow(self, frames: Iterator[np.ndarray], points: np.ndarray) -> Iterator[Positions]:
        features = context = None
        for frame in frames:
            video = self._frame(frame)
            grids = self._model.get_feature_grids(video, is_training=False)
            first = features is None
            if first:
                features = self._model.get_query_features(
                    video, is_training=False, query_points=self._queries(points, frame), feature_grids=grids
                )
                context = _move_tree(
                    self._model.construct_initial_causal_state(len(points), len(features.resolutions) - 1),
                    self._device,
                )
            made = self._model.estimate_trajectories(
                (SIDE, SIDE),
                is_training=False,
                feature_grids=grids,
                query_features=features,
                query_points_in_video=None,
                query_chunk_size=64,
                causal_context=context,
                get_causal_context=True,
            )
            context = made["causal_context"]
            occluded, far = (
                torch.sigmoid(made[name][-1][0, :, 0]) for name in ("occlusion", "expected_dist")
            )
            visible = ((1 - occluded) * (1 - far) > VISIBLE).cpu().numpy()
            yield (
                (points, np.ones(len(points), bool))
                if first
                else (self._places(made["tracks"][-1][0, :, 0], frame), visible)
            )


class TapNext(Square):
    """TAPNext and TAPNext++, frame by frame with their recurrent state."""

    def __init__(self, weights: Path, device: str):
        super().__init__(device, SIDES.get(weights.name, SIDE))
        try:
            from tapnet.tapnext.tapnext_torch import TAPNext
            from tapnet.tapnext.tapnext_torch_utils import restore_model_from_jax_checkpoint
        except BROKEN as error:
            raise missing_package(TAPNEXT, error) from None
        network: Any = TAPNext(image_size=(SIDE, SIDE))
        if weights.suffix != ".npz":
            self._model: Any = load_weights(TAPNEXT, network, weights, device)
            return
        try:
            self._model = restore_model_from_jax_checkpoint(network, str(weights)).to(device).eval()
        except (KeyError, RuntimeError, ValueError, EOFError, OSError, zipfile.BadZipFile) as error:
            raise ValueError(
                f"tracker: {TAPNEXT.name}: expected weights of this network in {weights.name}, got others "
                f"({str(error)[:200]})"
            ) from None

    @torch.no_grad()
    def follow(self, frames: Iterator[np.ndarray], points: np.ndarray) -> Iterator[Positions]:
        parts = groups_of(len(points))
        states: list[Any] = []
        for frame in frames:
            video = self._frame(frame)
            if not states:
                queries = self._queries(points, frame)
                states = [self._model(video=video, query_points=queries[:, part])[3] for part in parts]
                yield points, np.ones(len(points), bool)
                continue
            xy, visible = np.empty((len(points), 2), np.float32), np.empty(len(points), bool)
            for number, part in enumerate(parts):
                yx, _, seen, states[number] = self._model(video=video, state=states[number])
                xy[part], visible[part] = (
                    self._places(yx[0, 0].flip(-1), frame),
                    (seen[0, 0, :, 0] > 0).cpu().numpy(),
                )
            yield xy, visible


def _move_tree(tree: Any, device: str) -> Any:
    """A nest of lists, tuples and dicts of tensors on another device."""
    if isinstance(tree, Tensor):
        return tree.to(device)
    if isinstance(tree, dict):
        return {key: _move_tree(value, device) for key, value in tree.items()}
    return (
        type(tree)(_move_tree(value, device) for value in tree) if isinstance(tree, (list, tuple)) else tree
    )


ADAPTERS = {COTRACKER.name: CoTracker, TAPIR.name: Tapir, TAPNEXT.name: TapNext, RAFT.name: Raft}
