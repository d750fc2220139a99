"""How a filled hole looks beside the true one: energy by octave, distance of patches, flicker.

Owns what PSNR cannot say of a hole, where blur scores best and real texture worst. No model, no files.
Shapes: clips (T, H, W, 3) float 0..1, numpy. masks (T, H, W) bool. camera (T, 3, 3), frame 0 to frame t.
Positions have pixel centres at +0.5.
"""

from __future__ import annotations

import cv2
import numpy as np

OCTAVES = (1.0, 2.0, 4.0)  # px: a band holds what a Gaussian of this size removes and one of half of it keeps
RIM = 2  # px: a hole's border shows what stands beside it
SIDE = 7  # px, of a patch
DIRECTIONS = 128  # of the sliced distance
MOST = 4000  # patches of a clip
HIGH = 2.0  # px: the high-passed patch has lost what a Gaussian of this size keeps
UNIT = 255.0


def blur_frames(clip: np.ndarray, size: float) -> np.ndarray:
    """Every frame under a Gaussian of `size` px. As it is for 0."""
    if size == 0:
        return np.asarray(clip, np.float32)
    return np.stack(
        [
            cv2.GaussianBlur(np.asarray(frame, np.float32), (0, 0), size, borderType=cv2.BORDER_REFLECT_101)
            for frame in clip
        ]
    )


def erode_mask(mask: np.ndarray, rim: int = RIM) -> np.ndarray:
    """The mask without its outer `rim` px. The frame's own border does not count."""
    kernel = np.ones((2 * rim + 1,) * 2, np.uint8)
    return np.stack([cv2.erode(part.astype(np.uint8), kernel) > 0 for part in mask])


def octave_energy(clip: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """(3,): sum of squares in each of OCTAVES over the pixels of a mask."""
    scales = [blur_frames(clip, size) for size in (0.0, *OCTAVES)]
    bands = [fine - coarse for fine, coarse in zip(scales, scales[1:])]
    return np.array([float((band[mask].astype(np.float64) ** 2).sum()) for band in bands])


def band_ratios(made: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Ratios of the rms in each octave, of two sums of `octave_energy` over the same pixels."""
    return np.sqrt(np.asarray(made) / np.maximum(true, 1e-12))


def band_error(ratios: np.ndarray) -> float:
    """Mean |log2| of the ratios: 0 has the truth, 1 half or twice its texture."""
    return float(np.abs(np.log2(np.maximum(ratios, 1e-6))).mean())


def sample_patches(clip: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """At most MOST patches (K, 147) of 7×7 px with their centres in the mask, 0..255."""
    half = SIDE // 2
    inner = np.zeros_like(mask)
    inner[:, half:-half, half:-half] = mask[:, half:-half, half:-half]
    where = np.flatnonzero(inner)
    where = rng.permutation(where)[:MOST]
    frame, row, column = np.unravel_index(where, mask.shape)
    offset = np.arange(-half, half + 1)
    rows = row[:, None, None] + offset[None, :, None]
    columns = column[:, None, None] + offset[None, None, :]
    return UNIT * clip[frame[:, None, None], rows, columns].reshape(len(where), SIDE * SIDE * 3)


def sliced_distance(made: np.ndarray, true: np.ndarray, seed: int = 0) -> float:
    """Sliced Wasserstein distance of two sets of patches, nan where one has none.

    The mean over DIRECTIONS random unit vectors of the mean distance between sorted projections.
    """
    if not len(made) or not len(true):
        return float("nan")
    rng = np.random.default_rng(seed)
    ways = rng.normal(size=(made.shape[1], DIRECTIONS))
    ways /= np.linalg.norm(ways, axis=0)
    share = np.linspace(0, 1, 512)
    parts = [np.quantile(part.astype(np.float64) @ ways, share, axis=0) for part in (made, true)]
    return float(np.abs(parts[0] - parts[1]).mean())


def patch_distances(made: np.ndarray, true: np.ndarray, mask: np.ndarray) -> tuple[float, float]:
    """Sliced distances of a hole's patches to the true ones, with their colour and high-passed."""
    out = []
    for high in (False, True):
        pair = [part - blur_frames(part, HIGH) if high else part for part in (made, true)]
        # The same places of both, so that the truth itself scores 0.
        drawn, wanted = (sample_patches(part, mask, np.random.default_rng(0)) for part in pair)
        out.append(sliced_distance(drawn, wanted))
    return out[0], out[1]


def flicker(clip: np.ndarray, mask: np.ndarray, camera: np.ndarray) -> float:
    """Mean change from frame to frame of the same place of the background, of 255. Nan where none is seen in
    two frames running.

    `mask`: the background's pixels that count. Frames are brought back to frame 0's coordinates first.
    """
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    size = clip.shape[2], clip.shape[1]
    still, seen = [], []
    for frame, part, matrix in zip(clip, mask, camera):
        back = (np.linalg.inv(half) @ np.linalg.inv(matrix) @ half)[:2]
        still.append(cv2.warpAffine(np.asarray(frame, np.float32), back, size, flags=cv2.INTER_LINEAR))
        seen.append(cv2.warpAffine(part.astype(np.float32), back, size, flags=cv2.INTER_LINEAR) > 0.999)
    change = np.abs(np.diff(np.stack(still), axis=0))
    both = np.stack(seen)[1:] & np.stack(seen)[:-1]
    return float("nan") if not both.any() else float(UNIT * change[both].mean())
