"""Point trackers of others behind our interface: CoTracker3 (online), TAPIR (causal) and TAPNext, where their packages are installed.

Owns how frames, points and weights go in and positions come out. The packages are imported when a tracker is made, the weights read from a
local file without running code in it; nothing is downloaded. Calls are those of facebookresearch/co-tracker `cotracker.predictor` and
google-deepmind/tapnet `tapnet.torch.tapir_model`, `tapnet.tapnext.tapnext_torch` as published.

Shapes: as in `trackers.py`. The packages' own: CoTracker queries (1, N, 3) t, x, y with pixel centres at whole numbers; TAPIR and TAPNext
queries (1, N, 3) t, y, x on a picture of 256×256 with pixel centres at halves.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from einops import rearrange
from torch import Tensor

from .trackers import COTRACKER, TAPIR, TAPNEXT, Positions, TrackerKind, missing_package

SIDE = 256  # of the square picture that TAPIR and TAPNext see
VISIBLE = 0.5
WINDOW = 16  # frames of CoTracker3's online window; it moves by half


def read_weights(kind: TrackerKind, path: Path) -> dict[str, Tensor]:
    """A checkpoint's tensors; nothing in the file is executed."""
    try:
        found: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ValueError(f"tracker: {kind.name}: expected a checkpoint of tensors in {path.name}, got a file that cannot be read as one ({error})") from None
    for key in ("model", "state_dict"):
        found = found[key] if isinstance(found, dict) and isinstance(found.get(key), dict) else found
    if not isinstance(found, dict) or not found:
        raise ValueError(f"tracker: {kind.name}: expected a checkpoint of named tensors in {path.name}, got {type(found).__name__}")
    return {name.removeprefix("tapnext."): value for name, value in found.items()}


def fill(kind: TrackerKind, module: torch.nn.Module, path: Path, device: str) -> torch.nn.Module:
    try:
        module.load_state_dict(read_weights(kind, path))
    except RuntimeError as error:
        raise ValueError(f"tracker: {kind.name}: expected weights of this network in {path.name}, got others ({str(error)[:200]})") from None
    return module.to(device).eval()


class CoTracker:
    """CoTracker3 online: windows of 16 frames that move by 8; a position is given out once no later window changes it."""

    def __init__(self, weights: Path, device: str):
        try:
            from cotracker.predictor import CoTrackerOnlinePredictor
        except ImportError as error:
            raise missing_package(COTRACKER, error) from None
        self._predictor, self._device = CoTrackerOnlinePredictor(checkpoint=None, window_len=WINDOW), device
        fill(COTRACKER, self._predictor.model, weights, device)
        self._predictor.to(device)

    @torch.no_grad()
    def follow(self, frames: Iterator[np.ndarray], points: np.ndarray) -> Iterator[Positions]:
        step = self._predictor.step
        window: list[np.ndarray] = []  # from the first frame of the next window on
        given, begun = 0, False
        queries = torch.from_numpy(np.concatenate([np.zeros((len(points), 1)), points], 1)).float()[None].to(self._device)
        while True:
            window += [frame for _, frame in zip(range(2 * step - len(window)), frames)]
            over = len(window) < 2 * step
            if not begun:
                if not window:
                    return
                self._predictor(self._video(window[:1]), is_first_step=True, queries=queries)
            if not begun or len(window) > step:
                xy, visible = self._predictor(self._video(window))
                done = xy.shape[1] if over else xy.shape[1] - step
            else:
                done = xy.shape[1]  # no frame came after the last window
            for number in range(given, done):
                yield (points, np.ones(len(points), bool)) if number == 0 else (xy[0, number].float().cpu().numpy(), visible[0, number].bool().cpu().numpy())
            if over:
                return
            given, begun, window = done, True, window[step:]

    def _video(self, window: list[np.ndarray]) -> Tensor:
        return rearrange(torch.from_numpy(np.stack(window)).to(self._device).float(), "t h w c -> 1 t c h w")


class Square:
    """What TAPIR and TAPNext share: pictures of SIDE×SIDE in −1..1, one at a time, and places with pixel centres at halves."""

    def __init__(self, device: str):
        self._device = device

    def _frame(self, frame: np.ndarray) -> Tensor:
        picture = rearrange(torch.from_numpy(np.ascontiguousarray(frame)).to(self._device).float(), "h w c -> 1 c h w")
        small = torch.nn.functional.interpolate(picture, size=(SIDE, SIDE), mode="bilinear", antialias=True, align_corners=False)
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
        except ImportError as error:
            raise missing_package(TAPIR, error) from None
        self._model: Any = fill(TAPIR, tapir_model.TAPIR(pyramid_level=1, use_casual_conv=True), weights, device)

    @torch.no_grad()
    def follow(self, frames: Iterator[np.ndarray], points: np.ndarray) -> Iterator[Positions]:
        features = context = None
        for frame in frames:
            video = self._frame(frame)
            grids = self._model.get_feature_grids(video, is_training=False)
            first = features is None
            if first:
                features = self._model.get_query_features(video, is_training=False, query_points=self._queries(points, frame), feature_grids=grids)
                context = _moved(self._model.construct_initial_causal_state(len(points), len(features.resolutions) - 1), self._device)
            made = self._model.estimate_trajectories(
                (SIDE, SIDE), is_training=False, feature_grids=grids, query_features=features, query_points_in_video=None,
                query_chunk_size=64, causal_context=context, get_causal_context=True,
            )  # fmt: skip
            context = made["causal_context"]
            occluded, far = (torch.sigmoid(made[name][-1][0, :, 0]) for name in ("occlusion", "expected_dist"))
            visible = ((1 - occluded) * (1 - far) > VISIBLE).cpu().numpy()
            yield (points, np.ones(len(points), bool)) if first else (self._places(made["tracks"][-1][0, :, 0], frame), visible)


class TapNext(Square):
    """TAPNext and TAPNext++, frame by frame with their recurrent state."""

    def __init__(self, weights: Path, device: str):
        super().__init__(device)
        try:
            from tapnet.tapnext.tapnext_torch import TAPNext
            from tapnet.tapnext.tapnext_torch_utils import restore_model_from_jax_checkpoint
        except ImportError as error:
            raise missing_package(TAPNEXT, error) from None
        network: Any = TAPNext(image_size=(SIDE, SIDE))
        if weights.suffix == ".npz":
            self._model: Any = restore_model_from_jax_checkpoint(network, str(weights)).to(device).eval()
        else:
            self._model = fill(TAPNEXT, network, weights, device)

    @torch.no_grad()
    def follow(self, frames: Iterator[np.ndarray], points: np.ndarray) -> Iterator[Positions]:
        state = None
        for frame in frames:
            video = self._frame(frame)
            if state is None:
                yx, _, seen, state = self._model(video=video, query_points=self._queries(points, frame))
                yield points, np.ones(len(points), bool)
                continue
            yx, _, seen, state = self._model(video=video, state=state)
            yield self._places(yx[0, 0].flip(-1), frame), (seen[0, 0, :, 0] > 0).cpu().numpy()


def _moved(tree: Any, device: str) -> Any:
    """A nest of lists, tuples and dicts of tensors on another device."""
    if isinstance(tree, Tensor):
        return tree.to(device)
    if isinstance(tree, dict):
        return {key: _moved(value, device) for key, value in tree.items()}
    return type(tree)(_moved(value, device) for value in tree) if isinstance(tree, (list, tuple)) else tree


ADAPTERS = {COTRACKER.name: CoTracker, TAPIR.name: Tapir, TAPNEXT.name: TapNext}
