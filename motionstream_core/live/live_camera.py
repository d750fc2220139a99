"""The camera that a person moves over a running stream: speeds in, one 3×3 matrix a frame out.

Owns the camera's place. Knows nothing of tracks or controls. World is the picture before the camera moves it.
A matrix takes homogeneous world pixels (x, y, 1) to the screen. The picture counts as a plane, `width` pixels
away, which an orbit turns about its middle.
Float64 on the CPU, so that the same speeds give the same places everywhere.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from .controls import SetCamera

MAX_ZOOM = 4.0  # octaves from the start, in and out
MAX_ORBIT = 60.0  # degrees to either side
MIN_DEPTH = 0.1  # of the distance; nearer points stay there


@dataclass
class LiveCamera:
    """The camera now. Its speeds hold until they are set again.

    frame (3, 3): pan, zoom and roll so far. A step replaces it, so a shallow copy goes on by itself.
    """

    width: int
    height: int
    fps: float
    control: SetCamera = field(default_factory=SetCamera)
    frame: Tensor = field(default_factory=lambda: torch.eye(3, dtype=torch.float64))
    zoomed: float = 0.0
    orbited: float = 0.0

    @property
    def matrix(self) -> Tensor:
        """(3, 3): world to screen, now."""
        return self.frame @ self._turned()

    @property
    def speeds(self) -> dict[str, Any]:
        """pan px/s, zoom octaves/s, roll and orbit degrees/s, as people are told of them."""
        control = self.control
        return {"pan": control.pan, "zoom": control.zoom, "roll": control.roll, "orbit": control.orbit}

    def set(self, control: SetCamera):
        self.control = control

    def advance(self, frames: int) -> Tensor:
        """Goes on by `frames` frames -> (frames, 3, 3), the matrix at each of them."""
        return torch.stack([self._step() for _ in range(frames)])

    def _step(self) -> Tensor:
        zoom = self._within(self.zoomed, self.control.zoom, MAX_ZOOM)
        orbit = self._within(self.orbited, self.control.orbit, MAX_ORBIT)
        self.zoomed += zoom
        self.orbited += orbit
        scale = 2.0**zoom
        angle = math.radians(self.control.roll / self.fps)
        x, y = self.control.pan
        cx, cy = self._middle()
        c = scale * math.cos(angle)
        s = scale * math.sin(angle)
        step = [
            [c, -s, cx - c * cx + s * cy + x / self.fps],
            [s, c, cy - s * cx - c * cy + y / self.fps],
            [0.0, 0.0, 1.0],
        ]
        self.frame = torch.tensor(step, dtype=torch.float64) @ self.frame
        return self.matrix

    def _within(self, now: float, speed: float, most: float) -> float:
        """This frame's share of the speed, ending at ±most."""
        return min(most, max(-most, now + speed / self.fps)) - now

    def _middle(self) -> tuple[float, float]:
        return (self.width - 1) / 2, (self.height - 1) / 2

    def _turned(self) -> Tensor:
        """The plane turned by the orbit's angle about the vertical line through its middle, seen from `width`
        pixels away.
        """
        angle = math.radians(self.orbited)
        cx, cy = self._middle()
        c = math.cos(angle)
        s = math.sin(angle) / self.width
        centre = torch.tensor([[1, 0, cx], [0, 1, cy], [0, 0, 1]], dtype=torch.float64)
        turn = torch.tensor([[c, 0, 0], [0, 1, 0], [s, 0, 1]], dtype=torch.float64)
        return centre @ turn @ torch.linalg.inv(centre)


def project(matrix: Tensor, xy: Tensor) -> Tensor:
    """matrix (..., 3, 3), xy (..., N, 2) float64 -> (..., N, 2)."""
    moved = torch.cat([xy, torch.ones_like(xy[..., :1])], dim=-1) @ matrix.transpose(-1, -2)
    return moved[..., :2] / moved[..., 2:].clamp(min=MIN_DEPTH)
