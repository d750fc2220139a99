"""Frames of a video at the wanted rate and size, and clips cut from them: time stamps count, memory does not
grow.
"""

import tracemalloc
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from core.test_training_data import SHAPE, SIDE, texture

from motionstream_core.training.data.footage import (
    ClipShape,
    cut_into_clips,
    fit_frame,
    read_pictures,
    repeat_frames,
)


def variable(path: Path, times: list[float], frames: torch.Tensor):
    """A video whose frames are shown at the given seconds."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width = stream.height = SIDE
        stream.pix_fmt, stream.time_base, stream.codec_context.time_base = (
            "yuv420p",
            Fraction(1, 1000),
            Fraction(1, 1000),
        )
        stream.codec_context.max_b_frames = 0
        for seconds, picture in zip(times, (frames * 255).round().byte().numpy()):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = round(seconds * 1000), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def test_a_video_of_variable_frame_rate_keeps_its_speed(tmp_path):
    times = [t / 48 for t in range(24)] + [0.5 + t / 24 for t in range(36)]  # 48 frames a second, then 24
    picture = texture(6)
    shifts = [round(24 * seconds) for seconds in times]
    variable(
        tmp_path / "vfr.mkv",
        times,
        torch.from_numpy(np.stack([picture[60 : 60 + SIDE, 70 - s : 70 - s + SIDE] for s in shifts])),
    )
    frames = [frame for frame, _ in read_pictures(tmp_path / "vfr.mkv", SHAPE)]
    assert len(frames) == pytest.approx(2 * 16, abs=1)
    wanted = [
        picture[60 : 60 + SIDE, 70 - round(1.5 * k) : 70 - round(1.5 * k) + SIDE] * 255 for k in range(30)
    ]
    assert np.mean([np.abs(frame - want).mean() for frame, want in zip(frames, wanted)]) < 6


def test_time_is_that_of_the_timestamps():
    at = [0.0, 0.063, 0.125, 0.188, 0.25]  # 16 a second, rounded to ms as in Matroska
    assert [(f, n) for f, n, _ in repeat_frames(iter(zip("abcde", at)), 16)] == [(c, 1) for c in "abcde"]
    assert [(f, n) for f, n, _ in repeat_frames(iter([("a", 0.0), ("b", 0.5), ("c", 0.55)]), 8)] == [
        ("a", 4),
        ("b", 1),
        ("c", 1),
    ]
    halved = [f for f, n, _ in repeat_frames(((t, t / 32) for t in range(10)), 16) for _ in range(n)]
    assert halved == [0, 2, 4, 6, 8, 9]
    assert [(f, anew) for f, n, anew in repeat_frames(iter([("a", 0.0), ("b", 9.0), ("c", 9.1)]), 10)] == [
        ("a", True),
        ("b", True),
        ("c", False),
    ]
    assert [f for f, _, _ in repeat_frames(iter([("a", 0.0), ("b", 7.0)]), 0)] == ["a", "b"]


def test_a_turned_frame_is_set_upright_and_any_size_covers():
    import av

    picture = np.zeros((40, 80, 3), np.uint8)
    picture[:, :40] = 250  # bright on the left

    class Turned:
        width, height, rotation = 80, 40, -90

        def reformat(self, **wanted):
            return av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(**wanted)

    upright = fit_frame(Turned(), 16, 32)
    assert upright.shape == (32, 16, 3) and upright[:12].min() > 200 and upright[-12:].max() < 50
    assert fit_frame(av.VideoFrame.from_ndarray(picture, format="rgb24"), 64, 64).shape == (64, 64, 3)


def test_clips_overlap_or_leave_frames_out_by_the_stride():
    frames = [(np.full((8, 8, 3), t, np.uint8), t == 0) for t in range(30)]

    def starts(stride):
        found = []
        cut_into_clips(
            iter(frames),
            ClipShape(8, 8, 9, 16, stride),
            lambda start, clip: found.append((start, int(clip[0, 0, 0, 0]), len(clip))),
        )
        assert all(start == first and length == 9 for start, first, length in found)
        return [start for start, _, _ in found]

    assert (starts(4), starts(9), starts(13)) == ([0, 4, 8, 12, 16, 20], [0, 9, 18], [0, 13])


def test_memory_does_not_grow_with_the_length_of_a_video():
    picture = (texture(0, 600) * 255).astype(np.uint8)
    shape = ClipShape(128, 128, 9, 16, 9)

    def peak(frames):
        stream = ((picture[t % 300 : t % 300 + 128, :128].copy(), t == 0) for t in range(frames))
        tracemalloc.start()
        cut_into_clips(stream, shape, lambda start, clip: None)
        out = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return out

    assert peak(400) < 1.3 * peak(40) < 5 * 9 * picture[:128, :128].nbytes
