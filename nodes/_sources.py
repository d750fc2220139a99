"""A source of motion as a node gets it, a VIDEO of the host or images, as pictures with their moments."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ..motionstream_core.codec.timed_frames import (
    TimedFrames,
    expected_frames,
    timed_frames,
    timed_images,
)
from ._live_video import LivePictures
from ._pictures import Note, pictures_in


def has_pending_edits(video: Any) -> bool:
    """Whether the frames of a host's VIDEO differ from those of its file: a crop or another edit that the
    host makes when the video is read. A trim alone is none.
    """
    pending = getattr(video, "has_pending_frame_edits", None)
    return bool(pending()) if callable(pending) else False


def source_frames_of(
    video: Any, images: Tensor | None, most: int | None, note: Note
) -> tuple[TimedFrames, int | None]:
    """The source's pictures with their moments, and how many there are at most (None: not known)."""
    if (video is None) == (images is None):
        raise ValueError(f"source: expected a video or images, got {'both' if video is not None else 'none'}")
    if isinstance(video, LivePictures):
        return video.frames(), None
    if images is not None:
        pictures = pictures_in(images[:most], "images", note)
        return timed_images(picture.cpu().numpy() for picture in pictures), len(pictures)
    if has_pending_edits(video):
        edited = video.get_components()
        pictures = pictures_in(edited.images[:most], "video", note)
        shown = (picture.cpu().numpy() for picture in pictures)
        return timed_images(shown, float(edited.frame_rate)), len(pictures)
    begin, lasting = (
        video.get_active_trim_window() if hasattr(video, "get_active_trim_window") else (0.0, 0.0)
    )
    known = None if begin or lasting else expected_frames(video.get_stream_source())
    frames = timed_frames(video.get_stream_source(), most, begin, lasting)
    return frames, min(filter(None, (known, most)), default=None)
