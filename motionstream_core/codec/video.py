"""Picture and video files ⇄ frames, by way of PyAV and Pillow.

Owns files, pixel formats and the fit of a picture to a size. Knows nothing of latents. Shapes: frames (T, H,
W, 3) float32 RGB in 0..1.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from einops import rearrange
from torch import Tensor

from ..common.pictures import to_uint8

if TYPE_CHECKING:
    from av.video.stream import VideoStream

QUALITY = "18"  # x264's crf: visually lossless
CODECS = ("libx264", "h264")


class VideoWriter:
    """An h264 file (yuv420p) that grows chunk by chunk: `with VideoWriter(path, 16) as video:
    video.write(chunk)`.

    The size is that of the first frame. What has been written is playable even when the block ends with an
    exception. A process that is killed leaves nothing playable: that is what `recording` is for.
    """

    def __init__(self, path: str | Path, fps: float):
        import av

        self.path = Path(path)
        self.frames = 0
        self.rate = rate_of(fps)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._container = av.open(
                str(self.path),
                "w",
                options={"movflags": "+faststart"} if self.path.suffix in (".mp4", ".mov") else {},
            )
        except ValueError as error:
            raise ValueError(
                f"video: expected a file name like video.mp4, got {self.path.name!r} ({error})"
            ) from None
        self._stream: VideoStream | None = None

    def write(self, frames: Tensor):
        """Appends frames (T, H, W, 3) float 0..1. Values beyond are clamped."""
        stream = self._stream
        check_size_of_frames(frames, None if stream is None else (stream.width, stream.height))
        if stream is None:
            size = (frames.shape[2], frames.shape[1])
            even_size(*size)
            stream = self._stream = h264_stream(self._container, self.rate, size)
        for picture in to_uint8_pictures(frames):
            self._encode(stream, picture)

    def close(self):
        """Writes what the encoder still holds. A file without frames is removed. The file is closed even
        where the disk is full.
        """
        try:
            if self._stream is not None:
                self._container.mux(self._stream.encode(None))
        finally:
            self._container.close()
        if self._stream is None:
            self.path.unlink(missing_ok=True)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def _encode(self, stream: VideoStream, picture: np.ndarray):
        import av

        frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
        frame.pts = self.frames
        frame.time_base = 1 / self.rate
        self.frames += 1
        self._container.mux(stream.encode(frame))


def rate_of(fps: float) -> Fraction:
    """The frame rate of a file. ValueError for one that no file can have."""
    if not 0 < fps <= 1000:
        raise ValueError(f"fps: expected above 0 and at most 1000, got {fps}")
    return Fraction(fps).limit_denominator(1001)


def check_size_of_frames(frames: Tensor, size: tuple[int, int] | None):
    """ValueError for frames that are none, or of another (width, height) than those before (None: none)."""
    if frames.ndim != 4 or frames.shape[-1] != 3:
        raise ValueError(f"video: expected frames (T, H, W, 3), got {tuple(frames.shape)}")
    height, width = frames.shape[1:3]
    if size is not None and (width, height) != size:
        raise ValueError(f"video: expected frames of {size[0]}x{size[1]}, got {width}x{height}")


def even_size(width: int, height: int):
    """ValueError for a size that yuv420p does not have."""
    if width % 2 or height % 2:
        raise ValueError(f"video: expected an even width and height (yuv420p), got {width}x{height}")


def to_uint8_pictures(frames: Tensor) -> Iterator[np.ndarray]:
    """Frames (T, H, W, 3) float, clamped to 0..1 -> each as (H, W, 3) uint8."""
    yield from to_uint8(frames).cpu().numpy()


def h264_stream(
    container: Any, rate: Fraction, size: tuple[int, int], x264: Mapping[str, str] | None = None
) -> VideoStream:
    """A new h264 stream of a container, (width, height). `x264` are more options for that encoder."""
    import av

    codec = next((name for name in CODECS if name in av.codecs_available), None)
    if codec is None:
        raise ValueError(f"video: expected an ffmpeg with {' or '.join(CODECS)}, got one without")
    options = {"crf": QUALITY, **(x264 or {})} if codec == "libx264" else {}
    stream: VideoStream = container.add_stream(codec, rate=rate, options=options)
    stream.width, stream.height = size
    stream.pix_fmt = "yuv420p"
    return stream


def write_video(path: str | Path, frames: Tensor | Iterable[Tensor], fps: float) -> int:
    """Frames (T, H, W, 3) in 0..1, or chunks of them, into an h264 file -> number of frames. ValueError when
    there are none.
    """
    with VideoWriter(path, fps) as video:
        for chunk in [frames] if isinstance(frames, Tensor) else frames:
            video.write(chunk)
    if not video.frames:
        raise ValueError("video: expected at least one frame, got none")
    return video.frames


def read_video(path: str | Path, max_frames: int | None = None) -> tuple[Tensor, float]:
    """Frames (T, H, W, 3) of the first video stream, at most `max_frames`, and its rate in frames a
    second.
    """
    import av

    if max_frames is not None and max_frames < 1:
        raise ValueError(f"max_frames: expected at least 1, got {max_frames}")
    pictures = []
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise ValueError("no video stream")
            fps = float(container.streams.video[0].average_rate or 0)
            for frame in container.decode(video=0):
                pictures.append(torch.from_numpy(frame.to_ndarray(format="rgb24")))
                if len(pictures) == max_frames:
                    break
    except FileNotFoundError:
        raise
    except (ValueError, OSError) as error:
        raise ValueError(
            f"{Path(path).name}: expected a video, got a file that cannot be read ({error})"
        ) from None
    if not pictures:
        raise ValueError(f"{Path(path).name}: expected a video, got one without frames")
    return torch.stack(pictures).float() / 255, fps


def read_image(path: str | Path) -> Tensor:
    """A picture as (H, W, 3), turned upright."""
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as file:
            picture = ImageOps.exif_transpose(file).convert("RGB")
    except FileNotFoundError:
        raise
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(
            f"{Path(path).name}: expected a picture, got a file that cannot be read ({error})"
        ) from None
    flat = torch.frombuffer(bytearray(picture.tobytes()), dtype=torch.uint8)
    return rearrange(flat, "(h w c) -> h w c", w=picture.width, c=3).float() / 255
