"""Points followed through sources of any length, and their motion in another time."""

import numpy as np
import pytest
import torch

from motionstream_core.tracks.types import Tracks
from motionstream_core.tracks.video.follow import (
    Followed,
    follow,
    follow_points,
    interpolate_positions,
    mean_rate,
    retime_tracks,
)


class Drift:
    """A tracker that says every point goes one pixel right a frame."""

    def follow(self, frames, points):
        for number, frame in enumerate(frames):
            yield points + np.array([number * frame.shape[1] / 64, 0], np.float32), np.ones(len(points), bool)


def shots(count: int, rate: float = 10.0, width: int = 64):
    picture = np.zeros((48, width, 3), np.uint8)
    return ((picture, number / rate) for number in range(count))


def corner(width, height):
    return np.array([[10.0, 20.0]])


def test_a_long_source_is_kept_in_bounded_memory_and_its_motion_is_whole():
    found = follow(shots(10_000), corner, Drift(), kept=100)
    assert found.frames == 10_000 and found.tracks.frames <= 101
    made = retime_tracks(found, 50, 16.0)
    assert (
        made.frames == 50
        and made.fps == 16
        and torch.allclose(made.xy[:, 0, 0], 10 + torch.linspace(0, 9999, 50), atol=0.1)
    )


def test_no_more_of_the_source_is_read_than_its_speed_needs():
    read = []
    found = follow(shots(10_000), corner, Drift(), seconds=2.0, on_frame=read.append)
    assert len(read) == found.frames == 21
    made = retime_tracks(found, 33, 16.0, "source speed")
    assert torch.allclose(made.xy[:, 0, 0], 10 + torch.arange(33) * 10 / 16, atol=1e-3)


def test_positions_come_before_the_source_has_been_read():
    read = []
    made = follow_points(shots(1000), corner, Drift(), on_frame=read.append)
    for _ in range(3):
        next(made)
    assert len(read) == 3


def test_uneven_frames_are_put_where_their_moments_are():
    times = torch.tensor([0.0, 0.1, 0.9, 1.0], dtype=torch.float64)
    xy = 100 * times.float()[:, None, None].expand(-1, 1, 2)
    found = Followed(Tracks(xy, torch.ones(4, 1), 200, 200), times, 4)
    assert torch.allclose(retime_tracks(found, 11, 10.0).xy[:, 0, 0], torch.linspace(0, 100, 11), atol=1e-3)
    assert torch.allclose(
        retime_tracks(found, 0, 20.0, "source speed").xy[:, 0, 0], torch.linspace(0, 100, 21), atol=1e-3
    )
    assert retime_tracks(found, 0, 16.0).frames == 4 and mean_rate(times) == 3


def test_a_source_that_is_over_rests_and_one_frame_is_motion_that_rests():
    found = follow(shots(5), corner, Drift())
    held = retime_tracks(found, 33, 16.0, "source speed")
    assert held.xy[-1, 0, 0] == held.xy[8, 0, 0] == 14
    assert (retime_tracks(follow(shots(1), corner, Drift()), 9, 16.0).xy == torch.tensor([10.0, 20.0])).all()


def test_a_point_that_is_hidden_in_one_of_two_frames_is_as_in_the_nearer():
    xy, visible = interpolate_positions(
        torch.zeros(2, 2), torch.tensor([True, True]), torch.ones(2, 2), torch.tensor([True, False]), 0.4
    )
    assert xy.tolist() == [[pytest.approx(0.4)] * 2, [0, 0]] and visible.tolist() == [True, True]
    xy, visible = interpolate_positions(
        torch.zeros(2, 2), torch.tensor([True, True]), torch.ones(2, 2), torch.tensor([True, False]), 0.6
    )
    assert xy[1].tolist() == [1, 1] and visible.tolist() == [True, False]


def test_a_large_picture_is_followed_small_and_its_points_come_back_large():
    pytest.importorskip("cv2")
    sizes = []

    class Looks(Drift):
        def follow(self, frames, points):
            for number, frame in enumerate(frames):
                sizes.append(frame.shape[:2])
                yield points + np.array([number, 0], np.float32), np.ones(len(points), bool)

    found = follow(shots(3, width=128), corner, Looks(), longest=64)
    assert set(sizes) == {(24, 64)}
    assert torch.allclose(
        found.tracks.xy[:, 0], torch.tensor([[10.0, 20.0], [12.0, 20.0], [14.0, 20.0]]), atol=1e-4
    )


def test_bad_sources_and_requests_are_named_and_an_interrupt_gets_through():
    with pytest.raises(ValueError, match="at least one frame"):
        follow([], corner, Drift())
    with pytest.raises(ValueError, match="at least one"):
        follow(shots(3), lambda width, height: np.zeros((0, 2)), Drift())
    with pytest.raises(ValueError, match="one size 64x48, got 32x48 at frame 1"):
        follow(
            [(np.zeros((48, 64, 3), np.uint8), 0.0), (np.zeros((48, 32, 3), np.uint8), 0.1)], corner, Drift()
        )
    with pytest.raises(ValueError, match="timing"):
        retime_tracks(follow(shots(2), corner, Drift()), 5, 16.0, "backwards")
    with pytest.raises(ValueError, match="rate"):
        retime_tracks(follow(shots(2), corner, Drift()), 5, 0.0)

    def interrupt(number):
        if number == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        follow(shots(100), corner, Drift(), on_frame=interrupt)
