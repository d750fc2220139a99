"""Tracks painted at one size, for a video of another: they stay on the content of the picture below them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..motionstream_core.tracks.document.objects import PictureFit
from ..motionstream_core.tracks.types import Tracks


def tracks_on_picture(tracks: Tracks, width: int, height: int, picture: Sequence[int] | None) -> Tracks:
    """The tracks in pixels of width x height.

    Both sizes show the middle of the picture, scaled to cover them. Another aspect ratio shows another part
    of it (js/track_editor/document.js has the same).

    Args:
        tracks: their own width and height are those they were painted at.
        width: px.
        height: px.
        picture: height and width of the picture below them. None where there is none: they are stretched.
    """
    if (tracks.width, tracks.height) == (width, height):
        return tracks
    fit = picture_fit((tracks.width, tracks.height), width, height, picture)
    scale, shift = tracks.xy.new_tensor(fit[:2]), tracks.xy.new_tensor(fit[2:])
    return replace(tracks, xy=tracks.xy * scale + shift, width=width, height=height)


def picture_fit(
    painted: tuple[int, int], width: int, height: int, picture: Sequence[int] | None
) -> PictureFit:
    """From places at the size they were painted at, width and height, to those of width x height.

    picture: height and width of the picture below. None where there is none.
    """
    before_width, before_height = painted
    if picture is None or before_width * height == before_height * width:
        return PictureFit(width / before_width, height / before_height, 0.0, 0.0)
    tall, wide = picture
    scale = max(width / wide, height / tall) / max(before_width / wide, before_height / tall)
    shift_x = (width - before_width * scale + scale - 1) / 2
    shift_y = (height - before_height * scale + scale - 1) / 2
    return PictureFit(scale, scale, shift_x, shift_y)
