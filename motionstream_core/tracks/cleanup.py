"""A person's tracks made such that a model can follow them: not too fast, not too jerky, and begun on the
object that was meant.

Owns the limits and the search for the object under a point. OpenCV (Apache-2.0) cuts the object out. Shapes:
xy (T, N, 2) pixels, visible (T, N), image (H, W, 3) 0..1 of the canvas. paths (N, T, 2) float64.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations_with_replacement

import numpy as np
import torch

from .types import Tracks

ROUNDS = 12
STIFFEST = 1e9  # weight of the third differences; beyond it the stiffest curve is a parabola
SLACK = 1.001  # of a limit, for rounding
MOST_HANDLES = 256
RESTS = 1.0  # px: a track that stays this near to its start rests and is not snapped
INSIDE = 2.0  # px from the object's border
LEAST_AREA = 0.1  # of reach², of what counts as an object
RINGS = (2.0, 3.0, 4.0)  # reaches: how wide what may be the object is


def clean_tracks(tracks: Tracks, speed: float = 0.0, jerk: float = 0.0) -> Tracks:
    """No point faster than `speed` px a frame and no jerk above `jerk` px a frame³. 0 = no limit.

    A point that is too fast keeps its way and falls behind on it. It catches up where the way is slow, and
    ends short of the end if it cannot.
    A jerky way becomes the nearest one (least squares) within the limit that begins and ends in the same
    places. Tracks within the limits stay as they are. While a point is hidden its way runs straight between
    the places where it was and will be seen. A point that fell behind is visible where it was both at that
    moment and at the moment it fell back to.
    """
    for name, limit in (("speed", speed), ("jerk", jerk)):
        if not (math.isfinite(limit) and limit >= 0):
            raise ValueError(f"{name} limit: expected at least 0, got {limit}")
    visible = tracks.visible.cpu().numpy().T
    before = bridge_hidden(tracks.xy.double().cpu().numpy().transpose(1, 0, 2), visible)
    odd: np.ndarray = np.zeros(len(before), dtype=bool)
    if speed:
        odd |= longest_steps(before) > speed * SLACK
    if jerk:
        odd |= largest_jerks(before) > jerk * SLACK
    if not odd.any():
        return tracks
    paths = before[odd]
    seen = visible[odd]
    calm = limit_jerk(paths, jerk) if jerk else paths
    aim = speed
    late = None
    for _ in range(ROUNDS):
        limited, late = limit_speed(calm, aim) if speed else (calm, None)
        paths = limit_jerk(limited, jerk) if jerk else limited
        fastest = longest_steps(paths).max()
        if not speed or fastest <= speed * SLACK:
            break
        aim *= min(0.98, speed / fastest)  # softening may overshoot
    if late is not None:
        seen = seen & np.take_along_axis(seen, late, 1)
    xy = tracks.xy.clone()
    shown = tracks.visible.clone()
    which = torch.from_numpy(odd).to(xy.device)
    xy[:, which] = torch.from_numpy(paths.transpose(1, 0, 2)).to(xy)
    shown[:, which] = torch.from_numpy(seen.T.copy()).to(shown.device)
    return replace(tracks, xy=xy, visible=shown)


def bridge_hidden(paths: np.ndarray, visible: np.ndarray) -> np.ndarray:
    """Ways that run straight through the frames in which a point is hidden. Before it is first and after it
    is last seen it waits.
    """
    now = np.arange(paths.shape[1])
    out = paths.copy()
    for n, seen in enumerate(visible):
        if seen.any() and not seen.all():
            out[n] = np.stack([np.interp(now, now[seen], paths[n, seen, axis]) for axis in (0, 1)], -1)
    return out


def longest_steps(paths: np.ndarray) -> np.ndarray:
    """(N,): the longest step, px a frame."""
    return np.linalg.norm(np.diff(paths, axis=1), axis=-1).max(1, initial=0)


def largest_jerks(paths: np.ndarray) -> np.ndarray:
    """(N,): the largest third difference, px a frame³."""
    return (
        np.linalg.norm(np.diff(paths, n=3, axis=1), axis=-1).max(1, initial=0)
        if paths.shape[1] > 3
        else np.zeros(len(paths))
    )


def limit_speed(paths: np.ndarray, limit: float) -> tuple[np.ndarray, np.ndarray]:
    """The same ways, gone at `limit` px a frame where they are faster, and (N, T) the frame that each moment
    has fallen back to.
    """
    gone = np.concatenate(
        [np.zeros((len(paths), 1)), np.linalg.norm(np.diff(paths, axis=1), axis=-1).cumsum(1)], 1
    )
    reached = gone.copy()
    for frame in range(1, paths.shape[1]):
        reached[:, frame] = np.minimum(gone[:, frame], reached[:, frame - 1] + limit)
    out, late = paths.copy(), np.tile(np.arange(paths.shape[1]), (len(paths), 1))
    for n in np.flatnonzero((reached < gone - 1e-9).any(1)):
        kept = np.concatenate([np.diff(gone[n]) > 0, [True]])  # of a rest, its last moment
        at = np.interp(reached[n], gone[n, kept], np.flatnonzero(kept))
        behind = reached[n] < gone[n] - 1e-9
        moments = np.where(behind, at, late[n])
        out[n] = np.stack(
            [np.interp(moments, np.arange(len(moments)), paths[n, :, axis]) for axis in (0, 1)], -1
        )
        late[n] = np.rint(moments).astype(int)
    return out, late


def limit_jerk(paths: np.ndarray, limit: float) -> np.ndarray:
    """The nearest ways of which no jerk is above `limit`, ends kept: the least stiff that holds, found by
    halving its logarithm.
    """
    out = paths.copy()
    rough = np.flatnonzero(largest_jerks(paths) > limit)
    if not len(rough):
        return out
    low, high = np.full(len(rough), -6.0), np.full(len(rough), math.log10(STIFFEST))
    best = fit_parabolas(paths[rough])
    for _ in range(24):
        middle = (low + high) / 2
        tried = smooth_paths(paths[rough], 10**middle)
        holds = largest_jerks(tried) <= limit
        best[holds] = tried[holds]
        low, high = np.where(holds, low, middle), np.where(holds, middle, high)
    out[rough] = best
    return out


def fit_parabolas(paths: np.ndarray) -> np.ndarray:
    """The parabolas from the first to the last place that lie nearest: ways without any jerk."""
    share = np.linspace(0, 1, paths.shape[1])[None, :, None]
    straight = paths[:, :1] + share * (paths[:, -1:] - paths[:, :1])
    bow = share * (1 - share)
    return straight + bow * ((paths - straight) * bow).sum(1, keepdims=True) / (bow**2).sum()


def smooth_paths(paths: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """argmin over y of |y − path|² + weight · |third differences of y|² with both ends of the path kept
    (Whittaker 1923). weight (N,).

    The inner places solve a symmetric system of seven diagonals, by an LDLᵀ of all tracks side by side.
    """
    length, inner, third = paths.shape[1], paths.shape[1] - 2, (-1.0, 3.0, -3.0, 1.0)
    diagonals = np.zeros((4, length))  # of the transposed third differences times themselves
    for a, b in combinations_with_replacement(range(4), 2):
        diagonals[b - a, a : a + length - 3] += third[a] * third[b]
    right = paths[:, 1:-1].copy()
    for k in range(1, min(4, inner + 1)):
        right[:, k - 1] -= weight[:, None] * diagonals[k, 0] * paths[:, 0]
        right[:, inner - k] -= weight[:, None] * diagonals[k, length - 1 - k] * paths[:, -1]
    bands = [weight[:, None] * diagonals[k, 1 : 1 + inner] for k in range(4)]
    bands[0] = bands[0] + 1
    lower, pivots = [np.zeros((len(paths), inner)) for _ in range(4)], np.zeros((len(paths), inner))
    for i in range(inner):
        before = [j for j in range(max(0, i - 3), i)]
        pivots[:, i] = bands[0][:, i] - sum(lower[i - j][:, j] ** 2 * pivots[:, j] for j in before)
        for k in range(1, min(4, inner - i)):
            shared = sum(
                lower[i - j][:, j] * lower[i + k - j][:, j] * pivots[:, j] for j in before if i + k - j < 4
            )
            lower[k][:, i] = (bands[k][:, i] - shared) / pivots[:, i]
        right[:, i] -= sum(lower[i - j][:, j, None] * right[:, j] for j in before)
    right /= pivots[..., None]
    for i in reversed(range(inner)):
        right[:, i] -= sum(lower[k][:, i, None] * right[:, i + k] for k in range(1, min(4, inner - i)))
    return np.concatenate([paths[:, :1], right, paths[:, -1:]], 1)


# ---- onto the object ----


def snap_to_objects(
    tracks: Tracks, image: np.ndarray, reach: float = 16.0, groups: Sequence[int] | None = None
) -> tuple[Tracks, int]:
    """Moving tracks begun on the object that lies under, or within `reach` px of, where they were begun, and
    how many of them were moved.

    groups (N,): tracks of one number are one handle, such as the points of a brush. They look for one object
    together, and those of them that miss it are moved onto it, each to its nearest place on it with its whole
    way. −1, and tracks that rest, stay. Without groups each looks for its own.
    """
    image = np.asarray(image)
    if image.shape != (tracks.height, tracks.width, 3):
        raise ValueError(
            f"image: expected ({tracks.height}, {tracks.width}, 3), the tracks' canvas, got {image.shape}"
        )
    if not (math.isfinite(reach) and reach >= 1):
        raise ValueError(f"reach: expected at least 1 px, got {reach}")
    numbers = np.arange(tracks.count) if groups is None else np.asarray(groups)
    moves = ((tracks.xy - tracks.xy[:1]).norm(dim=-1).amax(0) > RESTS).cpu().numpy() & (numbers >= 0)
    handles = np.unique(numbers[moves])
    if len(handles) > MOST_HANDLES:
        raise ValueError(
            f"snap: expected at most {MOST_HANDLES} handles, got {len(handles)} (thin the tracks out first)"
        )
    pixels = np.ascontiguousarray(np.clip(np.rint(image * 255.0), 0, 255).astype(np.uint8))
    starts = tracks.xy[0].double().cpu().numpy()
    shift = np.zeros((tracks.count, 2))
    for handle in handles:
        own = moves & (numbers == handle)
        shift[own] = shifts_onto(find_object(pixels, starts[own], reach), starts[own])
    return replace(
        tracks, xy=(tracks.xy.double() + torch.from_numpy(shift).to(tracks.xy.device)).float()
    ), int((shift != 0).any(1).sum())


def find_object(pixels: np.ndarray, places: np.ndarray, reach: float) -> np.ndarray:
    """(H, W) bool: the object that stands out from the colours round it and that `places` (K, 2) are on or
    within `reach` of. Nothing if none does.

    A graph cut within a ring of known background, tried ever wider: an object that lies in the ring itself
    cannot stand out from it. Of the pieces it finds, the one that the places are in or nearest to. pixels (H,
    W, 3) uint8.
    """
    import cv2

    height, width = pixels.shape[:2]
    found = np.zeros((height, width), dtype=bool)
    for ring in RINGS:
        left, top = np.floor(np.maximum(places.min(0) - 1.5 * ring * reach, 0)).astype(int)
        right, bottom = (
            np.ceil(np.minimum(places.max(0) + 1.5 * ring * reach, [width - 1, height - 1])).astype(int) + 1
        )
        if right - left < 3 or bottom - top < 3:
            break
        rows, columns = np.mgrid[top:bottom, left:right]
        away = np.min([np.hypot(columns - x, rows - y) for x, y in places], axis=0)
        labels = np.where(away <= ring * reach, cv2.GC_PR_FGD, cv2.GC_BGD).astype(np.uint8)
        if len(np.unique(labels)) < 2:
            break
        cv2.setRNGSeed(0)
        patch = np.ascontiguousarray(pixels[top:bottom, left:right])
        models = np.zeros((1, 65)), np.zeros((1, 65))
        # With a mask OpenCV looks at no rectangle, but its stubs want one.
        cv2.grabCut(patch, labels, (0, 0, 0, 0), *models, 4, cv2.GC_INIT_WITH_MASK)
        piece = find_nearest_piece(labels == cv2.GC_PR_FGD, places - [left, top], reach)
        if piece.any():
            found[top:bottom, left:right] = piece
            break
    return found


def find_nearest_piece(on: np.ndarray, places: np.ndarray, reach: float) -> np.ndarray:
    """Of the connected pieces of (H, W) bool the one that the places are in or nearest to, if any is within
    `reach` and no mere speck.
    """
    import cv2

    count, parts, about, _ = cv2.connectedComponentsWithStats(on.astype(np.uint8))
    column, row = np.clip(np.rint(places).astype(int), 0, [on.shape[1] - 1, on.shape[0] - 1]).T
    best, gap = 0, reach
    for part in range(1, count):
        if about[part, cv2.CC_STAT_AREA] >= LEAST_AREA * reach**2:
            away = cv2.distanceTransform((parts != part).astype(np.uint8), cv2.DIST_L2, 5)[row, column].mean()
            best, gap = (part, away) if away < gap else (best, gap)
    return parts == best if best else np.zeros_like(on)


def shifts_onto(on: np.ndarray, places: np.ndarray) -> np.ndarray:
    """(K, 2): the shift that takes each place to the nearest one well within the object. None for those
    within it, or without an object.
    """
    import cv2

    shift = np.zeros_like(places)
    if not on.any():
        return shift
    depth = cv2.distanceTransform(np.pad(on, 1).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
    rows, columns = np.nonzero(depth >= min(INSIDE, depth.max()))
    height, width = on.shape
    for k, (x, y) in enumerate(places):
        column, row = int(np.clip(round(x), 0, width - 1)), int(np.clip(round(y), 0, height - 1))
        if not on[row, column]:
            nearest = np.argmin((columns - x) ** 2 + (rows - y) ** 2)
            shift[k] = columns[nearest] - x, rows[nearest] - y
    return shift
