"""A VIDEO that is still being made: the pictures of a camera, for nodes of this pack that read them as the
stream needs them.
"""

from __future__ import annotations

from collections.abc import Callable

from ..motionstream_core.live.picture_feed import PictureFeed, TimedPictures

ONLY_OURS = (
    "Live Camera: expected Live Motion from Video or Video to Video behind it, got a node that wants a whole "
    "video; record the stream and use the file"
)


class LivePictures:
    """Stands where the host has a VIDEO. It has no length and no file.

    `check` is called while somebody waits for a picture, and may raise.
    """

    def __init__(self, feed: PictureFeed, fps: float, check: Callable[[], None]):
        self._feed, self._fps, self._check = feed, fps, check

    def frames(self) -> TimedPictures:
        """The pictures from now on."""
        return self._feed.pictures(self._fps, self._check)

    def _refuse(self, *args, **kwargs):
        raise ValueError(ONLY_OURS)

    # What the host's nodes ask of a VIDEO
    get_components = save_to = as_trimmed = get_stream_source = get_duration = _refuse
    get_frame_count = get_frame_rate = get_container_format = _refuse

    def get_dimensions(self) -> tuple[int, int]:
        """Width and height of the first picture."""
        height, width = next(self.frames())[0].shape[:2]
        return width, height
