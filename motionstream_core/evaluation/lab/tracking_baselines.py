"""What the default tracker is measured against: pyramidal Lucas-Kanade and chained DIS flow, both with a
check there and back.

Owns the two baselines. Each gives positions, visibility and confidence: (T, N, 2), (T, N), (T, N), the last
one higher where surer.

Laboratory, not product (see this package's docstring).
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

RETURNS = 1.0  # px: farthest a point may end from where it began, there and back


def lucas_kanade(frames: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pyramidal Lucas-Kanade from frame to frame, 21×21 windows on four levels."""
    import cv2

    flow: Any = partial(cv2.calcOpticalFlowPyrLK, winSize=(21, 21), maxLevel=3)

    def step(before: np.ndarray, after: np.ndarray, xy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        start = xy.reshape(-1, 1, 2)
        there, found, _ = flow(before, after, start, None)
        back, again, _ = flow(after, before, there, None)
        error = np.linalg.norm((back - start).reshape(-1, 2), axis=1)
        return there.reshape(-1, 2), np.where((found.ravel() == 1) & (again.ravel() == 1), error, np.inf)

    return _chain_steps(frames, points, step)


def dense_flow(frames: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """DIS flow (its medium preset) from frame to frame, read at the points."""
    import cv2

    create: Any = getattr(cv2, "DISOpticalFlow_create")  # noqa: B009  OpenCV's stubs lack it
    dis = create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)

    def at(flow: np.ndarray, xy: np.ndarray) -> np.ndarray:
        return cv2.remap(
            flow, xy[:, 0].copy(), xy[:, 1].copy(), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        ).reshape(len(xy), -1)

    def step(before: np.ndarray, after: np.ndarray, xy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        moved = xy + at(dis.calc(before, after, None), xy)
        return moved, np.linalg.norm(moved + at(dis.calc(after, before, None), moved) - xy, axis=1)

    return _chain_steps(frames, points, step)


def _chain_steps(frames, points, step) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Steps one after the other. A point once lost stays lost. Confidence falls with all the distance there
    and back so far.
    """
    import cv2

    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames]
    height, width = grey[0].shape
    xy, visible, doubt = [points.astype(np.float32)], [np.ones(len(points), bool)], [np.zeros(len(points))]
    for before, after in zip(grey, grey[1:]):
        moved, error = step(before, after, xy[-1])
        inside = ((moved >= 0) & (moved <= [width - 1, height - 1])).all(1)
        xy.append(moved.astype(np.float32))
        visible.append(visible[-1] & inside & (error < RETURNS))
        doubt.append(doubt[-1] + np.where(np.isfinite(error), error, 1e6))
    return np.stack(xy), np.stack(visible), -np.stack(doubt)
