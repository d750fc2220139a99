"""What is measured on a generated clip, and nothing else: no model, no files.

Shapes: clips (T, H, W, 3) float 0..1, numpy. xy (T, N, 2) pixels. visible (T, N) bool. masks (T, H, W) bool.

The measure of track following is the NCC error: around each commanded point the ground-truth patch of that
frame is searched in the generated frame, and the distance of the best normalised cross-correlation from the
commanded point is the error. It needs no point tracker, and the codec's reconstruction of the truth scores 0.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

PATCH = 19
SEARCH = 10
FLAT = 3.0 / 255  # patches whose standard deviation is below this have nothing to be found by


def psnr(a: np.ndarray, b: np.ndarray, mask: np.ndarray | None = None) -> float:
    """Peak signal-to-noise ratio in dB over all pixels, or over the pixels of a mask. Nan for an empty
    mask.
    """
    error = (np.asarray(a, np.float64) - np.asarray(b, np.float64)) ** 2
    error = error if mask is None else error[mask]
    return float("nan") if error.size == 0 else float(-10 * np.log10(max(error.mean(), 1e-10)))


def ncc_error(
    reference: np.ndarray,
    generated: np.ndarray,
    xy: np.ndarray,
    visible: np.ndarray,
    reference_xy: np.ndarray | None = None,
) -> np.ndarray:
    """(T, N) error in px of every commanded point, nan where not visible, too near the border or without
    texture.

    Args:
        reference: (T, H, W, 3) 0..1, or one frame.
        generated: (T, H, W, 3) 0..1.
        xy: (T, N, 2) pixels, where the points were told to be.
        visible: (T, N) bool.
        reference_xy: where the patches lie in the reference, if not at `xy`. With a reference of one frame
            these are its points at frame 0.
    """
    frames, count = visible.shape
    ref_xy = xy if reference_xy is None else reference_xy
    out = np.full((frames, count), np.nan, np.float32)
    for t in range(frames):
        rt = min(t, len(reference) - 1)
        chosen = np.flatnonzero(
            visible[t]
            & _is_inside(xy[t], generated.shape[1:3], PATCH // 2)
            & _is_inside(ref_xy[rt], reference.shape[1:3], PATCH // 2)
        )
        if len(chosen):
            out[t, chosen] = _ncc_frame(reference[rt], generated[t], ref_xy[rt][chosen], xy[t][chosen])
    return out


def _is_inside(xy: np.ndarray, size: tuple[int, int], margin: int) -> np.ndarray:
    h, w = size
    return (xy[:, 0] >= margin) & (xy[:, 0] < w - margin) & (xy[:, 1] >= margin) & (xy[:, 1] < h - margin)


def _patches(image: np.ndarray, xy: np.ndarray, side: int) -> torch.Tensor:
    """Bilinear patches (N, side, side) of luminance around points (pixel centres at +0.5)."""
    grey = torch.from_numpy(np.ascontiguousarray(image @ np.array([0.299, 0.587, 0.114]), dtype=np.float32))[
        None, None
    ]
    h, w = grey.shape[-2:]
    offset = torch.arange(side, dtype=torch.float32) - side // 2
    px = torch.from_numpy(np.asarray(xy, np.float32))
    gx = (px[:, 0, None, None] + offset[None, None, :]).expand(-1, side, -1) * 2 / w - 1
    gy = (px[:, 1, None, None] + offset[None, :, None]).expand(-1, -1, side) * 2 / h - 1
    grid = torch.stack([gx, gy], -1).reshape(1, -1, side, 2)
    return F.grid_sample(grey, grid, mode="bilinear", padding_mode="border", align_corners=False).reshape(
        len(px), side, side
    )


def _ncc_frame(
    reference: np.ndarray, generated: np.ndarray, ref_xy: np.ndarray, xy: np.ndarray
) -> np.ndarray:
    template = _patches(reference, ref_xy, PATCH)
    region = _patches(generated, xy, PATCH + 2 * SEARCH)
    template = template - template.mean((1, 2), keepdim=True)
    spread = template.square().mean((1, 2)).sqrt()
    n = len(xy)
    cross = F.conv2d(region[None], template[:, None], groups=n)[0] / PATCH**2
    mean = F.avg_pool2d(region[None], PATCH, 1)[0]
    variance = (F.avg_pool2d(region[None].square(), PATCH, 1)[0] - mean.square()).clamp_min(1e-6)
    score = cross / (variance.sqrt() * spread[:, None, None].clamp_min(1e-6))
    best = score.flatten(1).argmax(1)
    side = 2 * SEARCH + 1
    dy, dx = best // side - SEARCH, best % side - SEARCH
    error = (dx.float() ** 2 + dy.float() ** 2).sqrt()
    error[spread < FLAT] = float("nan")
    return error.numpy()


def pck(errors: np.ndarray, threshold: float) -> float:
    """Share of measured points within `threshold` px."""
    known = errors[np.isfinite(errors)]
    return float("nan") if known.size == 0 else float((known <= threshold).mean())


def ghost(generated: np.ndarray, truth: np.ndarray, first: np.ndarray, mask: np.ndarray) -> float:
    """How much of the first frame still stands in `mask` (T, H, W): 0 none, 1 all of it.

    The projection of (generated − truth) on (first frame − truth).
    """
    away = (first[None] - truth)[mask].astype(np.float64)
    return (
        float("nan")
        if away.size == 0
        else float(((generated - truth)[mask] * away).sum() / max((away**2).sum(), 1e-9))
    )
