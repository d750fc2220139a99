"""A video file's pictures one by one with the moment each is shown: what a tracker reads.

Owns decoding by time stamps (variable frame rates included), the turning of phone videos and the part of a
file that is asked for. Knows nothing of tracks. Shapes: a picture (H, W, 3) uint8 RGB. Its moment in seconds,
rising.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..common.pictures import three_channels

TimedFrame = tuple[np.ndarray, float]
TimedFrames = Generator[TimedFrame, None, None]
LEAST_SIDE = 12  # px: of the tracker's smallest patch
MOST_PIXELS = 2**25  # as many as 8K has
RATE = 16.0  # frames a second of what has no rate


def timed_frames(
    source: str | Path | BinaryIO, most: int | None = None, begin: float = 0.0, lasting: float = 0.0
) -> TimedFrames:
    """The frames of a video with their times, decoded as they are asked for.

    most: pictures at most. begin, lasting: seconds. lasting 0 is to the end.
    A file that breaks off is decoded as far as it goes. Raises ValueError for what is no video, what cannot
    be decoded, and what has no picture in that part.
    """
    import av
    import av.error

    made = 0
    try:
        with av.open(str(source) if isinstance(source, Path) else source) as container:
            if not container.streams.video:
                raise ValueError("video: expected a file with a picture track, got one without")
            stream = container.streams.video[0]
            check_side(stream.width, stream.height)
            stream.thread_type = "AUTO"
            rate = float(stream.average_rate or stream.guessed_rate or RATE)
            last, zero = -np.inf, None
            for number, frame in enumerate(_frames(container, stream)):
                seconds = number / rate if frame.time is None else float(frame.time)
                zero = seconds if zero is None else zero
                if seconds - zero < begin - 1e-6:
                    continue
                if (most is not None and made >= most) or (
                    lasting > 0 and seconds - zero >= begin + lasting - 1e-6
                ):
                    break
                last = max(seconds, last + 1e-3 / rate)
                made += 1
                yield _picture(frame), last
    except av.error.FFmpegError as error:
        after = f" after {made} frames" if made else ""
        raise ValueError(f"video: expected a file that can be decoded, got {error}{after}") from None
    if not made:
        raise ValueError("video: expected at least one frame, got none")


def check_side(width: int, height: int):
    """ValueError for pictures too small to follow anything in, or too large for a memory to hold several."""
    if min(width, height) < LEAST_SIDE or width * height > MOST_PIXELS:
        raise ValueError(
            f"video: expected pictures from {LEAST_SIDE}x{LEAST_SIDE} to {MOST_PIXELS} pixels, got "
            f"{width}x{height}"
        )


def expected_frames(source: str | Path | BinaryIO) -> int | None:
    """How many frames the file says it has, without decoding any. None where it does not say or cannot be
    read (the decoding will tell).
    """
    import av
    import av.error

    try:
        with av.open(str(source) if isinstance(source, Path) else source) as container:
            streams = container.streams.video
            if not streams:
                return None
            if streams[0].frames:
                return streams[0].frames
            seconds, rate = (container.duration or 0) / av.time_base, float(streams[0].average_rate or 0)
            return round(seconds * rate) or None
    except av.error.FFmpegError:
        return None


def timed_images(images: Iterable[np.ndarray], fps: float = RATE) -> TimedFrames:
    """Pictures (H, W, 3) float 0..1, also of 1, 2 or 4 channels, shown at one rate."""
    for number, image in enumerate(images):
        yield np.rint(255 * np.clip(three_channels(np.asarray(image)), 0, 1)).astype(np.uint8), number / fps


def _frames(container, stream) -> Iterator:
    """The decoded frames. Damage at the very end is where a file was cut off. Anywhere else it is an error,
    as is a file of nothing else.
    """
    import av
    import av.error

    damage, decoded = None, False
    for packet in container.demux(stream):
        if damage is not None and packet.size:
            raise damage
        try:
            for frame in packet.decode():
                decoded = True
                yield frame
        except av.error.InvalidDataError as error:
            damage = error
    if damage is not None and not decoded:
        raise damage


def _picture(frame) -> np.ndarray:
    """A decoded frame, upright."""
    picture, turns = frame.to_ndarray(format="rgb24"), round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(picture, turns)) if turns else picture
