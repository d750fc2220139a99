"""Points that people clicked, in the spellings they come in: JSON, a list of places, or the first frame of
tracks.

Owns reading them as places in a source's first frame. Shapes: (N, 2) float pixels of the source, x right, y
down.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from ..layout import require_pixels
from ..types import Tracks

PointPrompts = str | list[Any] | tuple[Any, ...] | Tracks
MAX_DEPTH = 16
MAX_TEXT = 2**21
MAX_CLICKED = 100_000


def point_prompts(value: PointPrompts, width: int, height: int) -> np.ndarray:
    """Places (N, 2) in a source of width × height.

    value: JSON or a list of {"x", "y"} or [x, y], or of lists of them (their first ones count), in pixels of
    the source. Or tracks, whose canvas is taken to be the source's picture scaled to cover it, as the Track
    Editor shows it. Places that are shares of the picture are refused.
    """
    if isinstance(value, Tracks):
        return _first_places(value, width, height)
    if isinstance(value, str):
        if len(value) > MAX_TEXT:
            raise ValueError(f"points: expected at most {MAX_TEXT} characters, got {len(value)}")
        try:
            value = json.loads(value.replace("'", '"'))
        except (ValueError, RecursionError) as error:
            raise ValueError(f"points: expected JSON, got {value[:60]!r} ({error})") from None
    if not isinstance(value, (list, tuple)) or not value or len(value) > MAX_CLICKED:
        raise ValueError(
            f"points: expected a list of places like {{'x': 10, 'y': 20}}, got {str(value)[:60]}"
        )
    places = np.array([_place(item) for item in value], dtype=np.float64)
    clicked = torch.from_numpy(places)[None]
    require_pixels(Tracks(clicked, torch.ones(clicked.shape[:2]), width, height), "points")
    return places.astype(np.float32)


def _place(item: Any) -> tuple[float, float]:
    whole = item
    for _ in range(MAX_DEPTH):
        if not (isinstance(item, (list, tuple)) and item and isinstance(item[0], (list, tuple, Mapping))):
            break
        item = item[0]
    try:
        x, y = (item["x"], item["y"]) if isinstance(item, Mapping) else item[:2]
        place = float(x), float(y)
    except (KeyError, TypeError, ValueError, OverflowError):
        raise ValueError(
            f"points: expected places like {{'x': 10, 'y': 20}} or [10, 20], got {_excerpt(whole)}"
        ) from None
    if not np.isfinite(np.array(place, dtype=np.float32)).all():
        raise ValueError(f"points: expected finite places, got {place}")
    return place


def _excerpt(value: Any) -> str:
    """A value in a message. Lists nested without end have no text of their own."""
    try:
        return str(value)[:60]
    except RecursionError:
        return "lists nested too deeply"


def _first_places(tracks: Tracks, width: int, height: int) -> np.ndarray:
    """Where the visible tracks begin, in the picture that covers their canvas."""
    scale = max(tracks.width / width, tracks.height / height)
    shift = np.array([(tracks.width - width * scale) / 2, (tracks.height - height * scale) / 2])
    places = (tracks.xy[0].numpy() + 0.5 - shift) / scale - 0.5
    return places[tracks.visible[0].numpy()].astype(np.float32)
