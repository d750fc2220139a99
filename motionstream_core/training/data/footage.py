"""Video files as clips: decoded frame by frame, brought to one size and rate, taken apart where the scene
changes.

Owns decoding, time and cuts. Holds one clip in memory, whatever the length of the video. Knows nothing of
tracks or latents.

A clip is (T, H, W, 3) uint8 of consecutive frames at the wanted rate. Time comes from the file's timestamps,
so a video of variable frame rate keeps its speed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

SUFFIXES = (
    ".mp4",
    ".mov",
    ".mkv",
    ".webm",
    ".avi",
    ".m4v",
    ".mpg",
    ".mpeg",
    ".ts",
    ".wmv",
    ".flv",
    ".ogv",
    ".3gp",
    ".gif",
)
EARLY = 0.25  # of an output frame: timestamps are rounded, a frame this much late still counts as there
GAP = 1.0  # s between two frames: longer, and time begins anew after it
# A file of fewer frames a second than this share of the wanted rate is taken frame by frame, or its motion
# would stutter
SLOW = 0.9
CUT = (
    0.07,
    0.30,
)  # least change of the coarse picture, and of it and half the change of the colours together


class BadVideo(ValueError):
    """A file that gives no (more) frames. The text says why."""


@dataclass(frozen=True)
class ClipShape:
    """What every clip looks like. fps 0: the frames as they are. stride: frames from the beginning of one
    clip to that of the next.
    """

    width: int
    height: int
    frames: int
    fps: float
    stride: int

    def __post_init__(self):
        if self.width < 8 or self.height < 8:
            raise ValueError(f"size: expected at least 8x8, got {self.width}x{self.height}")
        if self.frames < 5 or self.frames % 4 != 1:
            raise ValueError(f"frames: expected 1 + a multiple of 4, at least 5, got {self.frames}")
        if not 0 <= self.fps <= 240:
            raise ValueError(f"fps: expected 0 (as they are) to 240, got {self.fps}")
        if self.stride < 1:
            raise ValueError(f"stride: expected at least 1, got {self.stride}")


def find_videos(folder: Path) -> list[Path]:
    """The video files below a folder, by name, in a fixed order. ValueError for no folder and for one without
    videos.
    """
    if not folder.is_dir():
        raise ValueError(f"videos: expected a folder, got {folder}, which is none")
    found = sorted(
        (path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file()),
        key=lambda path: path.relative_to(folder).as_posix(),
    )
    if not found:
        raise ValueError(f"videos: expected video files ({', '.join(SUFFIXES)}) in {folder}, got none")
    return found


def read_pictures(path: Path, shape: ClipShape) -> Iterator[tuple[np.ndarray, bool]]:
    """The frames (H, W, 3) uint8 of a file at the wanted size and rate. True where time begins anew. BadVideo
    for what cannot be decoded.
    """
    import av
    from av.error import FFmpegError

    seen = 0
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise BadVideo("expected a picture track, got a file without")
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            rate = float(stream.average_rate or stream.guessed_rate or 16)
            fps = shape.fps if rate >= SLOW * shape.fps else 0.0
            for frame, times, anew in repeat_frames(_with_seconds(container.decode(stream), rate), fps):
                picture = fit_frame(frame, shape.width, shape.height)
                for number in range(times):
                    yield picture, anew and number == 0
                    seen += 1
    except (FFmpegError, OSError, ValueError) as error:
        if isinstance(error, BadVideo):
            raise
        raise BadVideo(
            f"expected a video that can be decoded, got {error}" + (f" after {seen} frames" if seen else "")
        ) from None


def _with_seconds(frames: Iterator[Any], rate: float) -> Iterator[tuple[Any, float]]:
    """Each frame with its time. Where the times of neighbours are swapped or equal (AVI has no better ones),
    the frames' order counts.
    """
    last = None
    for number, frame in enumerate(frames):
        now = (
            float(frame.pts * frame.time_base) if frame.pts is not None and frame.time_base else number / rate
        )
        if last is not None and -GAP <= now - last <= 0:
            now = last + 1 / rate
        yield frame, now
        last = now


def repeat_frames(frames: Iterator[tuple[Any, float]], fps: float) -> Iterator[tuple[Any, int, bool]]:
    """Each frame with how many output frames show it: output frame k shows what is there at k / fps. True
    where time begins anew.
    """
    kept, last, begin, shown, anew = None, 0.0, 0.0, 0, True
    for frame, now in frames:
        if not fps:
            yield frame, 1, anew
            anew = False
            continue
        if kept is not None:
            broken = not 0 <= now - last <= GAP
            until = last if broken else now
            times = 0
            while begin + (shown + times + EARLY) / fps < until:
                times += 1
            times = max(times, 1) if broken else times
            if times:
                yield kept, times, anew
                anew = False
            shown += times
            if broken:
                begin, shown, anew = now, 0, True
        else:
            begin = now
        kept, last = frame, now
    if fps and kept is not None:
        yield kept, 1, anew


def fit_frame(frame: Any, width: int, height: int) -> np.ndarray:
    """A decoded frame upright, scaled until it covers the size, then the middle of it (height, width, 3)
    uint8.
    """
    turns = round(getattr(frame, "rotation", 0) / 90) % 4
    wide, high = (height, width) if turns % 2 else (width, height)
    scale = max(wide / frame.width, high / frame.height)
    columns, rows = max(wide, round(frame.width * scale)), max(high, round(frame.height * scale))
    picture = frame.reformat(width=columns, height=rows, format="rgb24", interpolation="AREA").to_ndarray()
    top, left = (rows - high) // 2, (columns - wide) // 2
    return np.ascontiguousarray(np.rot90(picture[top : top + high, left : left + wide], turns))


def scene_changed(before: np.ndarray, after: np.ndarray) -> bool:
    """Whether two neighbouring frames are of two scenes: the coarse picture and the colours both changed."""
    import cv2

    small = [
        cv2.resize(x, (16, 16), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
        for x in (before, after)
    ]
    coarse = float(np.abs(small[0] - small[1]).mean())
    counts = [
        np.concatenate([np.bincount(x[..., c].ravel() >> 4, minlength=16) for c in range(3)]) / x.size
        for x in (before, after)
    ]
    colours = float(np.abs(counts[0] - counts[1]).sum()) / 2
    return coarse > CUT[0] and coarse + colours / 2 > CUT[1]


def cut_into_clips(
    frames: Iterator[tuple[np.ndarray, bool]],
    shape: ClipShape,
    decide: Callable[[int, np.ndarray], int | None],
) -> tuple[int, int]:
    """Gives every clip without a cut in it to `decide(first frame, clip)`, which may answer that it found a
    cut before that frame of the clip
    -> number of frames, of cuts."""
    held: deque[np.ndarray] = deque()
    before, number, cuts, skip = None, 0, 0, 0
    for number, (frame, anew) in enumerate(frames, 1):
        if before is not None and (anew or scene_changed(before, frame)):
            held.clear()
            cuts, skip = cuts + 1, 0
        before = frame
        if skip:
            skip -= 1
            continue
        held.append(frame)
        if len(held) == shape.frames:
            cut = decide(number - shape.frames, np.stack(held))
            cuts += cut is not None
            drop = shape.stride if cut is None else cut
            skip = max(0, drop - len(held))
            for _ in range(min(drop, len(held))):
                held.popleft()
    return number, cuts
