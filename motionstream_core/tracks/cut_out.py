"""A thing cut out of a picture, where a person has clicked on it or drawn a box round it.

Owns the graph cut (OpenCV's GrabCut) and what stands in for it where OpenCV is missing. Deterministic: the
same picture and place give the same mask.
Shapes: picture (H, W, 3) uint8. masks (H, W) bool. Places in pixels, the middle of pixel (0, 0) at 0.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

CUT_SIDE = 320  # px: of a larger picture a smaller one is cut
SEED = 0.02  # of the shorter side: radius round a click that is the thing for sure
ROUNDS = 5  # of the graph cut
NEAR_COLOUR = 60.0  # of 255, Euclidean: a place of nearly the clicked colour may be the thing
LEAST = 12  # px: a smaller cut is none
MOST = 0.85  # of the picture: a larger one is the ground, not a thing

Box = tuple[float, float, float, float]


def cut_out(picture: np.ndarray, box: Box | None = None, at: tuple[float, float] | None = None) -> np.ndarray:
    """The mask of the thing in a box (left, top, right, bottom), or at a place. Nothing where there is none.

    Raises ValueError for a picture, a box or a place that is none.
    """
    _check(picture, box, at)
    height, width = picture.shape[:2]
    scale = min(1.0, CUT_SIDE / max(width, height))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = _resized(picture, size)
    ratio = np.array([size[0] / width, size[1] / height])
    if box is not None:
        sides = (np.array(box).reshape(2, 2) + 0.5) * ratio - 0.5
        mask = _in_box(small, sides)
    else:
        assert at is not None
        mask = _at_place(small, (np.array(at) + 0.5) * ratio - 0.5)
    if scale < 1 and mask.any():
        mask = _resized(mask.astype(np.float32), (width, height), smooth=True) > 0.5
    return mask if LEAST <= mask.sum() <= MOST * mask.size else np.zeros_like(mask)


def _check(picture: np.ndarray, box: Box | None, at: tuple[float, float] | None):
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8 or not picture.size:
        raise ValueError(f"cut: expected a picture (H, W, 3) of bytes, got {picture.shape} {picture.dtype}")
    height, width = picture.shape[:2]
    if box is not None:
        left, top, right, bottom = box
        inside = left < width - 0.5 and top < height - 0.5 and right > -0.5 and bottom > -0.5
        if not (right - left >= 2 and bottom - top >= 2 and inside):
            raise ValueError(f"cut: expected a box of at least 2x2 px in {width}x{height}, got {box}")
    elif at is None:
        raise ValueError("cut: expected a box or a place, got neither")
    elif not (-0.5 <= at[0] < width - 0.5 and -0.5 <= at[1] < height - 0.5):
        raise ValueError(f"cut: expected a place in {width}x{height}, got ({at[0]:g}, {at[1]:g})")


def _in_box(picture: np.ndarray, sides: np.ndarray) -> np.ndarray:
    """sides (2, 2): left top, right bottom. What is not the ground round the box."""
    height, width = picture.shape[:2]
    left, top = np.clip(np.floor(sides[0] + 0.5), 0, [width - 1, height - 1]).astype(int)
    right, bottom = np.clip(np.ceil(sides[1] + 0.5), 1, [width, height]).astype(int)
    maybe = np.zeros((height, width), bool)
    maybe[top:bottom, left:right] = True
    if maybe.all():
        # The ground must be seen somewhere: a box round everything leaves a rim to it.
        maybe[[0, -1]], maybe[:, [0, -1]] = False, False
    middle = np.zeros_like(maybe)
    mask = _cut(picture, maybe, middle, maybe)
    if not mask.any():
        mask = maybe & _unlike_rim(picture, maybe)
    return _closed(_pieces_of(mask, 0.15))


def _at_place(picture: np.ndarray, at: np.ndarray) -> np.ndarray:
    height, width = picture.shape[:2]
    rows, columns = np.mgrid[:height, :width]
    away = np.hypot(columns - at[0], rows - at[1])
    radius = max(1.0, SEED * min(width, height))
    sure = away <= radius
    colour = np.median(picture[sure], axis=0)
    alike = np.linalg.norm(picture.astype(np.float32) - colour, axis=2) <= NEAR_COLOUR
    likely = _piece_at(alike | sure, at)
    if likely.sum() > MOST * likely.size:
        return np.zeros_like(likely)
    rim = np.zeros_like(likely)
    rim[[0, -1]], rim[:, [0, -1]] = True, True
    mask = _cut(picture, ~(rim & ~likely), sure, likely)
    mask = _piece_at(mask, at) if mask.any() else likely
    return _closed(mask)


def _cut(picture: np.ndarray, maybe: np.ndarray, sure: np.ndarray, likely: np.ndarray) -> np.ndarray:
    """The graph cut: outside of `maybe` is ground, `sure` is the thing, `likely` is where it begins. Nothing
    without OpenCV, or where there is no ground or no thing to tell from it.
    """
    try:
        import cv2
    except ImportError:
        return np.zeros_like(maybe)
    labels = np.where(maybe, np.where(likely, cv2.GC_PR_FGD, cv2.GC_PR_BGD), cv2.GC_BGD).astype(np.uint8)
    labels[sure] = cv2.GC_FGD
    if len(np.unique(labels % 2)) < 2:
        return np.zeros_like(maybe)
    cv2.setRNGSeed(0)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    # With a mask OpenCV looks at no rectangle, but its stubs want one.
    cv2.grabCut(np.ascontiguousarray(picture), labels, (0, 0, 0, 0), *models, ROUNDS, cv2.GC_INIT_WITH_MASK)
    return labels % 2 == 1


def _unlike_rim(picture: np.ndarray, maybe: np.ndarray) -> np.ndarray:
    """What has another colour than the ground round the box has anywhere near."""
    ground = picture[~maybe].reshape(-1, 3).astype(np.float32)
    ground = ground[:: max(1, len(ground) // 64)]
    gap = np.linalg.norm(picture[:, :, None].astype(np.float32) - ground, axis=3).min(2)
    return gap > NEAR_COLOUR


def _labelled(mask: np.ndarray) -> np.ndarray | None:
    """(H, W): numbers of the connected pieces, 0 for none. None without OpenCV."""
    try:
        import cv2
    except ImportError:
        return None
    return cv2.connectedComponents(mask.astype(np.uint8))[1]


def _piece_at(mask: np.ndarray, at: np.ndarray) -> np.ndarray:
    """The piece at a place. The nearest one where there is none."""
    x, y = np.clip(np.rint(at).astype(int), 0, [mask.shape[1] - 1, mask.shape[0] - 1])
    if not mask[y, x]:
        rows, columns = np.nonzero(mask)
        if not len(rows):
            return mask
        nearest = np.argmin((columns - x) ** 2 + (rows - y) ** 2)
        y, x = rows[nearest], columns[nearest]
    parts = _labelled(mask)
    return _flooded(mask, y, x) if parts is None else parts == parts[y, x]


def _flooded(mask: np.ndarray, row: int, column: int) -> np.ndarray:
    """What of the mask hangs together with a place of it."""
    reached = np.zeros_like(mask)
    reached[row, column] = True
    while True:
        grown = reached.copy()
        grown[1:] |= reached[:-1]
        grown[:-1] |= reached[1:]
        grown[:, 1:] |= reached[:, :-1]
        grown[:, :-1] |= reached[:, 1:]
        grown &= mask
        if np.array_equal(grown, reached):
            return reached
        reached = grown


def _pieces_of(mask: np.ndarray, share: float) -> np.ndarray:
    """Without pieces smaller than this share of the largest."""
    parts = _labelled(mask)
    if parts is None or not mask.any():
        return mask
    numbers, sizes = np.unique(parts[parts > 0], return_counts=True)
    return np.isin(parts, numbers[sizes >= share * sizes.max()])


def _closed(mask: np.ndarray) -> np.ndarray:
    """The mask with its small holes closed: those smaller than a twentieth of it."""
    holes = _labelled(~mask)
    if holes is None:
        return mask
    numbers, sizes = np.unique(holes[holes > 0], return_counts=True)
    rim = np.unique(np.concatenate([holes[0], holes[-1], holes[:, 0], holes[:, -1]]))
    small = numbers[(sizes < 0.05 * mask.sum()) & ~np.isin(numbers, rim)]
    return mask | np.isin(holes, small)


def _resized(picture: np.ndarray, size: tuple[int, int], smooth: bool = False) -> np.ndarray:
    """To width × height, by the mean of what falls on a pixel, or smoothly."""
    if picture.shape[1::-1] == size:
        return picture
    values = torch.from_numpy(np.ascontiguousarray(picture)).float()
    planes = values[None, None] if values.ndim == 2 else values.permute(2, 0, 1)[None]
    if smooth:
        made = F.interpolate(planes, size=size[::-1], mode="bilinear", align_corners=False)[0]
    else:
        made = F.interpolate(planes, size=size[::-1], mode="area")[0]
    made = made[0] if values.ndim == 2 else made.permute(1, 2, 0)
    return made.numpy() if picture.dtype != np.uint8 else made.round().clamp(0, 255).byte().numpy()
