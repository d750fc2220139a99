"""Tracks painted at one size, for a video of another: they stay on the content of the picture below them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from ..motionstream_core.tracks.types import Tracks


def tracks_on_picture(tracks: Tracks, width: int, height: int, picture: Sequence[int] | None) -> Tracks:
    """The tracks in pixels of width x height.

    Both sizes show the middle of the picture, scaled to cover them. Another aspect ratio shows another part
    of it (js/track_editor/document.js has the same).

    Args:
        tracks: their own width and height are those they were painted at.
        width: px.
        height: px.
        picture: height and width of the picture below them; None where there is none: they are stretched.
    """
    if picture is None or tracks.width * height == tracks.height * width:
        return tracks.rescaled(width, height)
    tall, wide = picture
    before = max(tracks.width / wide, tracks.height / tall)
    scale = max(width / wide, height / tall) / before
    shift = torch.tensor(
        [
            (width - tracks.width * scale + scale - 1) / 2,
            (height - tracks.height * scale + scale - 1) / 2,
        ]
    )
    return replace(tracks, xy=tracks.xy * scale + shift.to(tracks.xy), width=width, height=height)
