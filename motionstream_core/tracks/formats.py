"""Tracks in other people's spellings: files, pasted text, and the host's TRACKS.

Owns which reader a file or text goes to. `track_json.py` has sampled points in JSON, `track_arrays.py` has
NumPy files and arrays. Every reader gives tracks or a ValueError naming what was expected and got.
Coordinates are pixels of the canvas. Tracks that say their own canvas and rate (a document, OmniCam's bridge,
our .npz) keep them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from .arrays import PICKLED
from .document.parse import document_to_tracks, is_document, parse_document
from .layout import ORDERS, PIXELS, Note, kind_of, require_pixels, warn
from .point_lists import parse_json
from .track_arrays import load_npz, tracks_from_arrays
from .track_json import MAX_TEXT, is_bridge, tracks_from_json
from .types import Tracks


def tracks_from_host(value: Any, width: int, height: int, fps: float = 16.0) -> Tracks:
    """The host's TRACKS: {"track_path": (T, N, 2), "track_visibility": (T, N) or (T, 1), absent = all
    visible}, in pixels of width × height.

    Other packs use the same type name for payloads of their own. The ValueError names the type that came.
    """
    if not isinstance(value, Mapping):
        raise ValueError(f"TRACKS: expected a dict with track_path (T, N, 2), got {kind_of(value)}")
    path = value.get("track_path")
    if not isinstance(path, (Tensor, np.ndarray)) or path.ndim != 3 or path.shape[-1] != 2:
        shape = getattr(path, "shape", None)
        where = (
            f"in a dict with {sorted(map(str, value))[:8]}" if shape is None else f"of shape {tuple(shape)}"
        )
        got = f"{kind_of(path)} {where}"
        raise ValueError(f"TRACKS: expected track_path (T, N, 2), got {got}")
    visible = value.get("track_visibility")
    return require_pixels(tracks_from_arrays(path, visible, width, height, fps), "TRACKS")


def tracks_to_host(tracks: Tracks) -> dict[str, Any]:
    """TRACKS as the host's nodes read them, with the width, height and fps that they lack beside."""
    return {
        "track_path": tracks.xy,
        "track_visibility": tracks.visible,
        "width": tracks.width,
        "height": tracks.height,
        "fps": tracks.fps,
    }


def read_tracks(
    path: str | Path,
    width: int | None = None,
    height: int | None = None,
    fps: float = 16.0,
    *,
    order: str = ORDERS[0],
    units: str = PIXELS,
    note: Note = warn,
) -> Tracks:
    """A file of tracks: .npz, .npy, ATI's .pth, an editor's document, or sampled points in JSON.

    Args:
        path: the file.
        width: of the canvas of tracks that say none, as `height` and `fps`. A document has its own.
        height: see `width`.
        fps: see `width`.
        order: one of ORDERS.
        units: one of UNITS.
        note: told what was guessed and what was passed over.
    """
    path = Path(path)
    if path.suffix.lower() in (".npz", ".npy", *PICKLED):
        return load_npz(path, width, height, fps, order=order, units=units, note=note)
    if path.stat().st_size > MAX_TEXT:
        raise ValueError(
            f"{path.name}: expected at most {MAX_TEXT} bytes (an .npz holds more), got {path.stat().st_size}"
        )
    try:
        text = path.read_text(encoding="utf-8-sig")
        return tracks_from_text(text, width, height, fps, order=order, units=units, note=note)
    except UnicodeDecodeError:
        raise ValueError(f"{path.name}: expected JSON or .npz, got a binary file") from None
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from None


def tracks_from_text(
    text: str,
    width: int | None,
    height: int | None,
    fps: float = 16.0,
    *,
    order: str = ORDERS[0],
    units: str = PIXELS,
    note: Note = warn,
) -> Tracks:
    """A track document or OmniCam's bridge, with canvases of their own, or sampled points.

    Args:
        text: JSON.
        width: of the canvas of sampled points, as `height` and `fps`.
        height: see `width`.
        fps: see `width`.
        order: one of ORDERS.
        units: one of UNITS.
        note: told what was passed over.
    """
    if len(text) > MAX_TEXT:
        raise ValueError(
            f"tracks: expected at most {MAX_TEXT} characters (an .npz holds more), got {len(text)}"
        )
    value = parse_json(text)
    if is_document(value):
        return document_to_tracks(parse_document(text))
    if (width is None or height is None) and not is_bridge(value):
        raise ValueError("expected a width and a height for tracks that hold none, got none")
    return tracks_from_json(value, width or 1, height or 1, fps, order=order, units=units, note=note)


def hide_outside_mask(tracks: Tracks, mask: Tensor) -> Tracks:
    """Hidden in every frame in which the mask (T, H, W) is empty too, as the host's nodes read a mask of
    tracks. A mask of one frame is for all.
    """
    if mask.ndim != 3 or mask.shape[0] not in (1, tracks.frames):
        raise ValueError(f"mask: expected {tracks.frames} frames (T, H, W) or one, got {tuple(mask.shape)}")
    shown = (mask > 0).any(-1).any(-1).cpu()
    return replace(tracks, visible=tracks.visible & shown[:, None].to(tracks.visible.device))
