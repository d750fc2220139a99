"""RAFT optical flow of torchvision in the place of the default tracker's own flow.

Owns how two frames go in and a flow field comes out. The package is imported when a tracker is made, the
weights are read from a local file. Nothing is downloaded. Templates, companions and visibility stay the
default tracker's (`patch_tracker.py`): a chain of flows alone would drift.

Shapes: frames (H, W, 3) uint8, flow (H, W, 2) float32 pixels from the first frame to the second.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from einops import rearrange
from torch import Tensor

from .patch_tracker import FlowTracker
from .patches import Picture
from .tracker_weights import fill, read_weights
from .trackers import BROKEN, RAFT, Positions, missing_package

STRIDE = 8  # pixels of a cell of RAFT's features
LEAST = 128  # RAFT refuses smaller pictures: its coarsest correlation would have no cells
UPDATES = 12  # of the flow, as torchvision's own default
WIDTH_KEY = "feature_encoder.convnormrelu.0.weight"  # 64 channels in the large network, 32 in the small one


class RaftFlow:
    """Dense flow by RAFT, large or small by what the weights are."""

    def __init__(self, weights: Path, device: str):
        try:
            from torchvision.models.optical_flow import raft_large, raft_small
        except BROKEN as error:
            raise missing_package(RAFT, error) from None
        found = read_weights(RAFT, weights)
        first = found.get(WIDTH_KEY)
        small = first is not None and len(first) == 32
        network: Any = (raft_small if small else raft_large)(weights=None, progress=False)
        self._network = fill(RAFT, network, found, weights.name).to(device).eval()
        self._device = device

    @torch.no_grad()
    def between(self, before: Picture, after: Picture) -> np.ndarray:
        """The flow (H, W, 2) from one frame to the next."""
        height, width = before.frame.shape[:2]
        first = self._ready(before.frame)
        second = self._ready(after.frame)
        flow: Tensor = self._network(first, second, num_flow_updates=UPDATES)[-1]
        flow = flow[0, :, :height, :width].float().cpu()
        return np.ascontiguousarray(rearrange(flow, "c h w -> h w c").numpy())

    def _ready(self, frame: np.ndarray) -> Tensor:
        """A frame -> (1, 3, h, w) in -1..1, its last column and row repeated up to a size that RAFT takes."""
        height, width = frame.shape[:2]
        down = max(LEAST, -(-height // STRIDE) * STRIDE) - height
        across = max(LEAST, -(-width // STRIDE) * STRIDE) - width
        picture = torch.from_numpy(np.ascontiguousarray(frame)).to(self._device).float()
        picture = rearrange(picture, "h w c -> 1 c h w") / 127.5 - 1
        return torch.nn.functional.pad(picture, (0, across, 0, down), mode="replicate")


class Raft:
    """The default tracker on RAFT's flow. `cuts`: the frames before which the scene changed."""

    def __init__(self, weights: Path, device: str):
        self._flow = RaftFlow(weights, device)
        self._tracker = FlowTracker(flow=self._flow)

    @property
    def cuts(self) -> list[int]:
        return self._tracker.cuts

    def follow(self, frames: Iterator[np.ndarray], points: np.ndarray) -> Iterator[Positions]:
        """See `PointTracker.follow`."""
        self._tracker = FlowTracker(flow=self._flow)
        yield from self._tracker.follow(frames, points)
