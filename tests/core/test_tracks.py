"""Tracks: checks, other sizes, other lengths."""

import pytest
import torch

from motionstream_core.tracks.types import Tracks, require_on_canvas


def numbered(frames: int = 4, count: int = 2) -> Tracks:
    """Track n is at (10 n, frame)."""
    xy = torch.stack(
        [
            10.0 * torch.arange(count).expand(frames, -1),
            torch.arange(frames, dtype=torch.float32)[:, None].expand(-1, count),
        ],
        dim=-1,
    )
    return Tracks(xy, torch.ones(frames, count, dtype=torch.bool), 64, 32)


def frames_of(tracks: Tracks) -> list[float]:
    return tracks.xy[:, 0, 1].tolist()


@pytest.mark.parametrize(
    ("xy", "visible", "message"),
    [
        (torch.zeros(4, 2), torch.ones(4, 2), r"expected xy \(T, N, 2\) .* got \(4, 2\)"),
        (torch.zeros(4, 2, 3), torch.ones(4, 2), r"got \(4, 2, 3\)"),
        (torch.zeros(4, 2, 2), torch.ones(4, 1), r"got \(4, 2, 2\) and \(4, 1\)"),
        (torch.zeros(4, 0, 2), torch.ones(4, 0), "expected at least one track .* got 0 tracks of 4 frames"),
        (torch.zeros(0, 3, 2), torch.ones(0, 3), "got 3 tracks of 0 frames"),
    ],
)
def test_wrong_shapes_are_refused(xy, visible, message):
    with pytest.raises(ValueError, match=message):
        Tracks(xy, visible, 64, 32)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_coordinate_that_is_not_finite_is_named_with_its_track_and_frame(value):
    xy = torch.zeros(5, 3, 2)
    xy[3, 1, 0] = value
    with pytest.raises(
        ValueError, match=r"expected finite coordinates, got \((nan|inf|-inf), 0\) in track 1 at frame 3"
    ):
        Tracks(xy, torch.ones(5, 3), 64, 32)


@pytest.mark.parametrize(
    ("size", "fps"), [((0, 8), 16.0), ((8, -1), 16.0), ((8, 8), 0.0), ((8, 8), float("nan"))]
)
def test_a_canvas_or_rate_that_cannot_be_is_refused(size, fps):
    with pytest.raises(ValueError, match="expected a"):
        Tracks(torch.zeros(1, 1, 2), torch.ones(1, 1), *size, fps)


def test_rescaling_scales_each_axis():
    made = numbered().rescaled(128, 16)
    assert (made.width, made.height) == (128, 16)
    assert made.xy[3, 1].tolist() == [20.0, 1.5]


def test_resampling_keeps_the_first_and_last_frame():
    tracks = numbered(4)
    assert frames_of(tracks.resampled(7)) == [0, 0.5, 1, 1.5, 2, 2.5, 3]
    assert frames_of(tracks.resampled(2)) == [0, 3]
    assert frames_of(tracks.resampled(1)) == [0]
    assert frames_of(numbered(1).resampled(3)) == [0, 0, 0]


def test_resampling_never_mixes_in_the_place_of_a_hidden_point():
    tracks = numbered(3, 1)
    xy = tracks.xy.clone()
    xy[1] = -1000.0
    hidden = Tracks(xy, torch.tensor([[True], [False], [True]]), 64, 32).resampled(9)
    assert hidden.visible[:, 0].tolist() == [True, True, False, False, False, False, True, True, True]
    assert set(hidden.xy[hidden.visible][:, 1].tolist()) == {0.0, 2.0}


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("hold", [0, 1, 2, 3, 3, 3, 3, 3, 3]),
        ("loop", [0, 1, 2, 3, 0, 1, 2, 3, 0]),
        ("ping-pong", [0, 1, 2, 3, 2, 1, 0, 1, 2]),
    ],
)
def test_short_tracks_continue_by_their_mode_and_piece_by_piece_alike(mode, expected):
    tracks = numbered(4)
    assert frames_of(tracks.fitted(9, mode)) == expected
    pieces = [tracks.at(start, count, mode) for start, count in ((0, 1), (1, 4), (5, 4))]
    assert [frame for piece in pieces for frame in frames_of(piece)] == expected
    assert frames_of(numbered(1).at(7, 2, mode)) == [0, 0]


def test_a_stream_may_be_asked_for_a_frame_far_out():
    assert frames_of(numbered(4).at(4 * 10**9 + 1, 2, "loop")) == [1, 2]


@pytest.mark.parametrize("mode", ["hold", "loop", "ping-pong"])
def test_long_tracks_are_cut(mode):
    assert frames_of(numbered(4).fitted(2, mode)) == [0, 1]


def test_fitting_by_resampling_stretches_in_time():
    assert frames_of(numbered(4).fitted(7, "resample")) == [0, 0.5, 1, 1.5, 2, 2.5, 3]


def test_tracks_of_another_length_than_the_video_are_an_error_unless_a_mode_is_given():
    tracks = numbered(4)
    assert tracks.fitted(4, "error") is tracks
    for frames in (3, 5):
        with pytest.raises(ValueError, match=f"expected {frames} frames .* got 4"):
            tracks.fitted(frames, "error")
    with pytest.raises(ValueError, match=r"expected frames of 0 .. 3, got 2 .. 5"):
        tracks.at(2, 4, "error")


@pytest.mark.parametrize("mode", ["", "Hold", "repeat"])
def test_an_unknown_mode_is_refused(mode):
    with pytest.raises(ValueError, match="fit: expected one of error, hold, loop, ping-pong, resample, got"):
        numbered().fitted(4, mode)


def test_selecting_and_joining_are_inverse():
    tracks = numbered(4, 5)
    assert torch.equal(tracks.select([0, 1]).joined(tracks.select(slice(2, None))).xy, tracks.xy)
    assert tracks.select(torch.tensor([True, False, False, True, False])).xy[0, :, 0].tolist() == [0, 30]
    with pytest.raises(ValueError, match="expected others of the same"):
        tracks.joined(numbered(3))


def test_tracks_that_are_never_visible_on_the_canvas_are_refused():
    tracks = numbered(4, 2)
    assert require_on_canvas(tracks) is tracks
    for lost in (Tracks(tracks.xy + 100, tracks.visible, 64, 32), Tracks(tracks.xy, ~tracks.visible, 64, 32)):
        with pytest.raises(
            ValueError, match="expected at least one visible point on the canvas of 64x32, got none"
        ):
            require_on_canvas(lost)
