"""Subject and camera told apart in tracks: the background's motion as one homography a frame, and what is
left without it.

Owns the robust fit and the two views of the tracks. Knows nothing of videos. OpenCV (BSD/Apache-2.0) does the
fit.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from ..homography import apply_homography
from ..types import Tracks

PARTS = ("everything", "subject", "camera")
AGREES = 1.5  # px: a point this near to the background's motion belongs to it
FEWEST = 8  # visible points that a fit needs
LEAVES = 4.0  # px: a point this far from the background's motion is on the subject


def fit_background_motion(tracks: Tracks, outside: np.ndarray | None = None) -> np.ndarray:
    """(T, 3, 3): where the background of the first frame is in each frame. outside (N,): points known not to
    be on the subject.

    A frame in which too few points are visible keeps the motion of the frame before.
    """
    import cv2

    xy, visible = tracks.xy.numpy(), tracks.visible.numpy()
    counted = np.ones(tracks.count, bool) if outside is None else outside
    homographies = [np.eye(3)]
    for frame in range(1, tracks.frames):
        both = counted & visible[0] & visible[frame]
        homography = None
        if both.sum() >= FEWEST:
            homography, _ = cv2.findHomography(xy[0, both], xy[frame, both], cv2.RANSAC, AGREES)
        homographies.append(homographies[-1] if homography is None else homography)
    return np.stack(homographies)


def select_part(tracks: Tracks, part: str, subject: np.ndarray | None = None) -> Tracks:
    """The tracks (`everything`), the subject's own motion with the camera's taken out, or the camera's motion
    alone.

    subject (N,): the points on the subject. Without it, those that leave the background's motion by more than
    LEAVES.
    """
    if part not in PARTS:
        raise ValueError(f"part: expected one of {', '.join(PARTS)}, got {part!r}")
    if part == "everything":
        return tracks
    homographies = fit_background_motion(tracks, None if subject is None else ~subject)
    xy = tracks.xy.double().numpy()
    if part == "camera":
        moved = np.stack([apply_homography(homography, xy[0]) for homography in homographies])
        inside = ((moved >= 0) & (moved <= [tracks.width - 1, tracks.height - 1])).all(-1)
        return replace(tracks, xy=torch.from_numpy(moved).float(), visible=torch.from_numpy(inside))
    still = np.stack(
        [apply_homography(np.linalg.inv(homography), place) for homography, place in zip(homographies, xy)]
    )
    away = np.where(tracks.visible.numpy(), np.linalg.norm(still - xy[0], axis=-1), 0).max(0)
    on: np.ndarray = np.asarray(away > LEAVES) if subject is None else subject
    if not on.any():
        raise ValueError(
            "subject: expected points that move against the background, got none (paint a mask over the "
            "subject)"
        )
    return replace(tracks, xy=torch.from_numpy(still).float()[:, on], visible=tracks.visible[:, on])


def cover_canvas(tracks: Tracks, width: int, height: int) -> Tracks:
    """The tracks of a video as they are once its picture is scaled to cover width × height and cut in the
    middle. What falls off is hidden.
    """
    scale = max(width / tracks.width, height / tracks.height)
    shift = torch.tensor([(width - tracks.width * scale) / 2, (height - tracks.height * scale) / 2])
    xy = (tracks.xy + 0.5) * scale + shift - 0.5
    inside = ((xy >= -0.5) & (xy <= torch.tensor([width - 0.5, height - 0.5]))).all(-1)
    kept = (inside & tracks.visible).any(0)
    if not kept.any():
        raise ValueError(f"tracks: expected some on a canvas of {width}x{height}, got none")
    return Tracks(xy[:, kept], (tracks.visible & inside)[:, kept], width, height, tracks.fps)


def move_box(
    tracks: Tracks, source: tuple[float, float, float, float], target: tuple[float, float, float, float]
) -> Tracks:
    """Motion retargeted: what is in the box `source` (x, y, width, height) goes to the box `target`, its
    motion scaled with it.
    """
    for name, box in (("source", source), ("target", target)):
        if not (len(box) == 4 and box[2] > 0 and box[3] > 0 and all(np.isfinite(box))):
            raise ValueError(f"{name}: expected a box x, y, width, height with a size above 0, got {box}")
    scale = torch.tensor([target[2] / source[2], target[3] / source[3]])
    return replace(tracks, xy=(tracks.xy - torch.tensor(source[:2])) * scale + torch.tensor(target[:2]))
