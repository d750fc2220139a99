"""What a file says of its lens: focal lengths, the picture's shape, and what a pinhole camera leaves out.

One rule for every reader. A fisheye or a panorama is refused. Lens distortion and a principal point off the
middle are left out, and said.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

# COLMAP's models: where fx and fy are among the parameters, and how many come before those of distortion
PINHOLES = {
    "SIMPLE_PINHOLE": (0, 0, 3),
    "PINHOLE": (0, 1, 4),
    "SIMPLE_RADIAL": (0, 0, 3),
    "RADIAL": (0, 0, 3),
    "OPENCV": (0, 1, 4),
    "FULL_OPENCV": (0, 1, 4),
}
PERSPECTIVE = ("PERSPECTIVE", *PINHOLES)
BENT = "the file's lens distortion is left out; undistorted pictures fit better"
SHIFTED = "the file's principal point is off the middle of the picture; the middle is taken"
OFF = 0.05  # of the side: a principal point this near to the middle is in it
FLAT = 0.01  # of a coefficient: a lens this little bent is not


@dataclass(frozen=True)
class Lens:
    """focal: as a multiple of the picture's width. aspect: width / height of the picture in square pixels."""

    focal: float
    aspect: float
    notes: tuple[str, ...] = ()


def lens_of(
    size: Sequence[float], focal: Sequence[float], middle: Sequence[float] | None, bends: Iterable[float] = ()
) -> Lens:
    """A lens in pixels: size (width, height), focal (fx, fy), middle (cx, cy) or None, distortion."""
    numbers = [*size, *focal]
    if not all(math.isfinite(number) and number > 0 for number in numbers):
        raise ValueError(f"expected a width, a height and focal lengths above 0, got {numbers}")
    width, height = size
    fx, fy = focal
    shares = None if middle is None else (middle[0] / width, middle[1] / height)
    return Lens(fx / width, width / height * fy / fx, lens_notes(shares, bends))


def lens_notes(middle: Iterable[float] | None, bends: Iterable[float] = ()) -> tuple[str, ...]:
    """What is left out of a lens whose principal point is at these shares of the sides."""
    notes = (BENT,) if any(abs(value) > FLAT for value in bends) else ()
    if middle is not None and any(abs(value - 0.5) > OFF for value in middle):
        notes += (SHIFTED,)
    return notes


def require_perspective(model: Any, names: Sequence[str] = PERSPECTIVE):
    """ValueError for a fisheye, a panorama and whatever else is no pinhole camera."""
    if str(model).upper() not in names:
        raise ValueError(
            f"expected a model of {', '.join(names)}, got {str(model)[:40]} (colmap image_undistorter makes "
            "it one)"
        )


def require_number(value: Any, name: str) -> float:
    """A finite number of a file."""
    fits = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not fits or not -1e300 < value < 1e300:
        raise ValueError(f"expected {name} to be a finite number, got {str(value)[:40]}")
    return float(value)


def join_notes(notes: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """Each note once, in the order in which they come."""
    return tuple(dict.fromkeys(note for some in notes for note in some))


def intrinsics(
    arrays: dict[str, np.ndarray], frames: int
) -> tuple[np.ndarray | None, float | None, tuple[str, ...]]:
    """K or intrinsics, (3, 3), (T, 3, 3) or fx, fy, cx, cy as (4,) or (T, 4), in pixels.

    The picture's size, if not beside, is twice cx, cy. -> focal lengths (T,) in widths, aspect, notes.
    """
    k = next((arrays[key] for key in ("K", "intrinsics", "intrinsic") if key in arrays), None)
    bends = next((arrays[key] for key in ("distortion", "dist_coeffs", "dist") if key in arrays), None)
    bent = lens_notes(None, [] if bends is None else np.ravel(bends).tolist())
    if k is None:
        return None, None, bent
    k = k.astype(np.float64)
    if k.shape[-2:] == (3, 3):
        k = np.stack([k[..., 0, 0], k[..., 1, 1], k[..., 0, 2], k[..., 1, 2]], -1)
    if k.shape not in ((4,), (1, 4), (frames, 4)) or not np.isfinite(k).all() or not (k > 0).all():
        raise ValueError(
            f"expected intrinsics (3, 3), ({frames}, 3, 3), (4,) or ({frames}, 4) above 0, got {k.shape}"
        )
    fx, fy, cx, cy = np.broadcast_to(k, (frames, 4)).T
    width, height = (
        float(np.ravel(arrays[key])[0]) if key in arrays and arrays[key].size else 2 * middle[0]
        for key, middle in (("width", cx), ("height", cy))
    )
    lens = lens_of((width, height), (fx[0], fy[0]), None)
    notes = lens_notes([*(cx / width), *(cy / height)])
    return fx / width, lens.aspect, (*bent, *notes)
