"""Paths that are walked at constant speed: those of tracks added live, and those of hands.

Knows nothing of cameras or of who walks. Shapes: line (P, 2) float64 pixels. shares (K,) of its length.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass
class LivePath:
    """A polyline in world pixels and the points that walk it together.

    points (K,): their indices. shift (K, 2): where each is from the one that leads. begin, frames: the first
    frame of the walk and how long it takes.
    """

    line: np.ndarray
    begin: int
    frames: int
    points: Tensor
    shift: Tensor

    def at(self, frames: np.ndarray) -> Tensor:
        """(len(frames), K, 2): where the points are in these frames."""
        lead = walk(self.line, np.clip((frames - self.begin) / self.frames, 0, 1))
        return torch.from_numpy(lead)[:, None] + self.shift

    def without(self, points: Tensor) -> LivePath:
        """The path of its other points."""
        kept = ~torch.isin(self.points, points)
        return LivePath(self.line, self.begin, self.frames, self.points[kept], self.shift[kept])


def walk(line: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Places (K, 2) on a polyline at these shares of its length."""
    gone = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    if not math.isfinite(gone[-1]) or gone[-1] == 0:
        return np.repeat(line[-1:], len(share), axis=0)
    return np.stack([np.interp(share * gone[-1], gone, line[:, axis]) for axis in (0, 1)], axis=1)
