"""A video file that is playable at every moment of its making: after a kill, on a full disk, behind an error.

Owns the fragmented mp4 (one frame a fragment, written at once), the cutting off of what a rewind undid, and
the ordinary file that is made of it at a clean end. Knows nothing of chunks or hosts.
Shapes: frames (T, H, W, 3) float RGB in 0..1.
"""

from __future__ import annotations

import errno
import logging
import shutil
import struct
from array import array
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import IO, Any

from torch import Tensor

from .video import check_size_of_frames, even_size, h264_stream, rate_of, to_uint8_pictures

LOG = logging.getLogger("motionstream")
# A fragment a frame without an index, offsets counted from the fragment itself: what has been written can be
# read, and a file can be cut behind any frame.
FRAGMENTED = {"movflags": "frag_every_frame+empty_moov+default_base_moof", "flush_packets": "1"}
# No frame waits in the encoder for those behind it.
AT_ONCE = {"tune": "zerolatency"}
HEADER = ("ftyp", "moov")
FRAGMENT = ("moof", "mdat")
PART = ".part"
SPARE = 4 * 2**20


class VideoRecording:
    """An h264 file of ordinary mp4 in the end, of fragments while it grows.

    Use as a context manager, or call `close`. A process that is killed leaves all frames that were written
    before but the last. Only mp4 and mov are made of fragments. `frames` counts those in the file.

    Raises ValueError for a rate or size that no file can have, OSError where the disk refuses. After an
    OSError the file holds the frames before it.
    """

    def __init__(self, path: str | Path, fps: float):
        self.path = Path(path)
        self.rate = rate_of(fps)
        self.frames = 0
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # Unbuffered: what is written is the system's, and no longer the process's to lose.
        self._file: IO[bytes] | None = open(self.path, "wb", buffering=0)
        self._muxer: _Muxer | None = None
        self._size: tuple[int, int] | None = None
        self._ends = array("q")  # bytes of the file behind each frame that is in it

    def write(self, frames: Tensor):
        """Appends frames (T, H, W, 3). Values beyond 0..1 are clamped."""
        check_size_of_frames(frames, self._size)
        size = (frames.shape[2], frames.shape[1])
        for picture in to_uint8_pictures(frames):
            if self._muxer is None:
                assert self._file is not None
                even_size(*size)
                self._size = size
                self._muxer = _Muxer(self._file, self.rate, size, self.frames)
            self._muxer.add(picture)
            self.frames += 1
            # The muxer writes a frame when it knows how long it lasts: once the next one is there.
            if self._muxer.count > 1:
                self._ends.append(self._muxer.end)

    def cut(self, frames: int):
        """Keeps the first `frames` frames: those behind them were undone."""
        if frames >= self.frames or self._file is None:
            return
        self._end_run()
        self._truncate(self._ends[frames - 1] if frames else 0)
        del self._ends[frames:]
        self.frames = frames

    def close(self):
        """Ends the file: an ordinary mp4 where the disk has room for it, else the fragments. One without
        frames is removed. Calls after the first do nothing.
        """
        if self._file is None:
            return
        try:
            # A disk that is full has been reported: the frames before it are the file.
            with suppress(OSError):
                self._end_run()
            self._truncate(self._ends[-1] if self._ends else 0)
        finally:
            file, self._file = self._file, None
            file.close()
        self.frames = len(self._ends)
        if not self.frames:
            self.path.unlink(missing_ok=True)
            return
        make_ordinary(self.path)

    def __enter__(self) -> VideoRecording:
        return self

    def __exit__(self, *exception):
        self.close()

    def _end_run(self):
        """Writes the frame that the muxer still holds. Raises OSError where the disk refuses it."""
        muxer, self._muxer = self._muxer, None
        if muxer is not None:
            muxer.close()
            self._ends.append(muxer.end)

    def _truncate(self, size: int):
        assert self._file is not None
        self._file.seek(size)
        self._file.truncate(size)


class _Muxer:
    """One run of encoder and muxer into a file. Its first frame is the file's frame number `first`.

    The muxer of a later run writes its header again and counts time from 0: the header is left out and the
    times are moved.
    """

    def __init__(self, file: IO[bytes], rate: Fraction, size: tuple[int, int], first: int):
        import av

        self._boxes = _Boxes(file, first)
        self._container = av.open(self._boxes, "w", format="mp4", options=FRAGMENTED)
        self._stream = h264_stream(self._container, rate, size, AT_ONCE)
        self._rate = rate
        self.count = 0

    @property
    def end(self) -> int:
        """Bytes of the file so far."""
        return self._boxes.end

    def add(self, picture: Any):
        import av

        frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
        frame.pts = self.count
        frame.time_base = 1 / self._rate
        self.count += 1
        self._container.mux(self._stream.encode(frame))
        base = self._stream.time_base
        assert base is not None, "set when the muxer opens"
        self._boxes.ticks = round(1 / (self._rate * base))
        self._boxes.flush()

    def close(self):
        """Writes the last frame."""
        self._container.close()
        self._boxes.flush()


class _Boxes:
    """The file object that a muxer writes to: whole boxes go on to the file, all but a later
    header and the index at the end."""

    def __init__(self, file: IO[bytes], first: int):
        self._file = file
        self._first = first
        self._waiting = bytearray()
        self.end = file.seek(0, 2)
        self.ticks = 0  # of one frame, once the muxer has said so

    def write(self, data: bytes) -> int:
        self._waiting += data
        return len(data)

    def flush(self):
        """Writes the boxes that are whole. Raises OSError for a disk that is full."""
        found = b"".join(bytes(self._moved(kind, box)) for kind, box in self._whole() if self._wanted(kind))
        view = memoryview(found)
        while view:
            view = view[self._file.write(view) :]
        self.end += len(found)

    def _whole(self) -> Iterator[tuple[str, bytearray]]:
        while len(self._waiting) >= 8:
            size = struct.unpack_from(">I", self._waiting)[0]
            if size < 8 or len(self._waiting) < size:
                return
            box = self._waiting[:size]
            del self._waiting[:size]
            yield box[4:8].decode("latin-1"), box

    def _wanted(self, kind: str) -> bool:
        return kind in FRAGMENT or (kind in HEADER and not self._first)

    def _moved(self, kind: str, box: bytearray) -> bytearray:
        """A fragment with its time counted from the file's first frame.

        The box tfdt is a version, flags, then the time.
        """
        at = box.find(b"tfdt") if kind == "moof" and self._first else -1
        if at >= 0:
            form = ">Q" if box[at + 4] == 1 else ">I"
            time = struct.unpack_from(form, box, at + 8)[0]
            struct.pack_into(form, box, at + 8, time + self._first * self.ticks)
        return box


def make_ordinary(path: Path) -> bool:
    """Makes an ordinary mp4, its index at the beginning, of one in fragments, without encoding anew.

    False where that failed, for want of room above all: the file is what it was.
    """
    import av

    part = path.with_name(f".{path.stem}{PART}{path.suffix}")
    try:
        # A muxer that finds the disk full keeps its file open, and with it the disk full.
        room = shutil.disk_usage(path.parent).free
        if room < path.stat().st_size + SPARE:
            raise OSError(errno.ENOSPC, "no room for a second copy")
        options = {"movflags": "+faststart"}
        with av.open(str(path)) as source, av.open(str(part), "w", options=options) as made:
            video = source.streams.video[0]
            add = getattr(made, "add_stream_from_template", None) or (
                lambda template: made.add_stream(template=template)
            )
            stream = add(video)
            for packet in source.demux(video):
                if packet.dts is not None:
                    packet.stream = stream
                    made.mux(packet)
        part.replace(path)
    except (OSError, ValueError) as error:
        LOG.warning("MotionStream: %s stays an mp4 of fragments, which plays as well: %s", path.name, error)
        with suppress(OSError):
            part.unlink(missing_ok=True)
        return False
    return True
