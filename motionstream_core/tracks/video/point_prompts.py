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

from ..formats import tracks_from_host
from ..types import MAX_POSITIONS


def point_prompts(value: Any, width: int, height: int) -> np.ndarray:
    """value: JSON or a list of {"x", "y"} or [x, y], or of lists of them (their first ones count), in pixels
    of the source; or TRACKS, whose canvas, where they name it, is taken to be the source's picture scaled to
    cover it, as the Track Editor shows it.
    """
    if isinstance(value, Mapping):
        return _from_tracks(value, width, height)
    if isinstance(value, str):
        try:
            value = json.loads(value.replace("'", '"'))
        except ValueError as error:
            raise ValueError(f"points: expected JSON, got {value[:60]!r} ({error})") from None
    if not isinstance(value, (list, tuple)) or not value or len(value) > MAX_POSITIONS:
        raise ValueError(
            f"points: expected a list of places like {{'x': 10, 'y': 20}}, got {str(value)[:60]}"
        )
    return np.array([_place(item) for item in value], dtype=np.float32)


def _place(item: Any) -> tuple[float, float]:
    whole = item
    while isinstance(item, (list, tuple)) and item and isinstance(item[0], (list, tuple, Mapping)):
        item = item[0]
    try:
        x, y = (item["x"], item["y"]) if isinstance(item, Mapping) else item[:2]
        place = float(x), float(y)
    except (KeyError, TypeError, ValueError):
        raise ValueError(
            f"points: expected places like {{'x': 10, 'y': 20}} or [10, 20], got {str(whole)[:60]}"
        ) from None
    if not np.isfinite(place).all():
        raise ValueError(f"points: expected finite places, got {place}")
    return place


def _from_tracks(value: Mapping, width: int, height: int) -> np.ndarray:
    own = value.get("motionstream", value)
    canvas = own.get("width", width), own.get("height", height)
    tracks = tracks_from_host(value, *canvas)
    scale = max(canvas[0] / width, canvas[1] / height)
    shift = np.array([(canvas[0] - width * scale) / 2, (canvas[1] - height * scale) / 2])
    places = (tracks.xy[0].numpy() + 0.5 - shift) / scale - 0.5
    return places[tracks.visible[0].numpy()].astype(np.float32)
