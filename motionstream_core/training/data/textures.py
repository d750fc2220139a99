"""Textures that nobody owns, and the looks that a style word names.

Owns pictures that are drawn from noise alone, and what a style word does to frames. Every draw takes `rng`.
"""

from __future__ import annotations

import cv2
import numpy as np

from ...model.text import STYLES


def drawn_texture(rng: np.random.Generator, size: int = 320) -> np.ndarray:
    """A texture nobody owns: coloured noise of several scales, or stripes, or cells."""
    kind = rng.integers(3)
    a, b = rng.integers(0, 256, (2, 3)).astype(np.float32)
    if kind == 0:
        field_ = np.zeros((size, size), np.float32)
        for i, n in enumerate((5, 12, 30, 80)):
            coarse = rng.random((n, n)).astype(np.float32)
            field_ += cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC) / (i + 1)
        field_ = (field_ - field_.min()) / (np.ptp(field_) + 1e-6)
    elif kind == 1:
        yy, xx = np.mgrid[:size, :size].astype(np.float32)
        angle, pitch = rng.uniform(0, np.pi), rng.uniform(8, 40)
        field_ = 0.5 + 0.5 * np.sin(
            2 * np.pi * (xx * np.cos(angle) + yy * np.sin(angle)) / pitch + rng.uniform(0, 6)
        )
        field_ = np.clip((field_ - 0.5) * rng.uniform(1, 6) + 0.5, 0, 1)
    else:
        n = int(rng.integers(5, 16))
        field_ = cv2.resize(
            rng.random((n, n)).astype(np.float32), (size, size), interpolation=cv2.INTER_NEAREST
        )
        field_ = cv2.GaussianBlur(field_, (0, 0), rng.uniform(0.6, 3))
    return (a + (b - a) * field_[..., None]).clip(0, 255).astype(np.uint8)


def apply_style(frames: np.ndarray, style: str, ramp: int = 9) -> np.ndarray:
    """The style words: the look changes over the first `ramp` frames and stays. At once with a ramp of 0.
    frames (T, H, W, 3) uint8 -> same.
    """
    x = frames.astype(np.float32)
    grey = x.mean(-1, keepdims=True)
    if style == "night":
        target = x * np.array([0.28, 0.34, 0.55], np.float32)
    elif style == "sepia":
        target = grey * np.array([1.05, 0.85, 0.6], np.float32)
    elif style == "fog":
        target = 0.4 * x + 0.6 * np.array([205, 210, 215], np.float32)
    elif style == "gray-scale":
        target = np.repeat(grey, 3, -1)
    else:
        raise ValueError(f"expected a style among {', '.join(STYLES)}, got {style!r}")
    mix = np.minimum((np.arange(len(x)) + (ramp == 0)) / max(ramp, 1), 1.0)[:, None, None, None].astype(
        np.float32
    )
    return (x + (target - x) * mix).clip(0, 255).astype(np.uint8)
