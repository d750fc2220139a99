"""TRACKS at our nodes' inputs and outputs."""

import pytest
import torch


@pytest.fixture(scope="module")
def tracks(pack):
    return pack("nodes._tracks")


PATH = torch.tensor([[[1.0, 1.0]], [[3.0, 4.0]]])


def test_tracks_go_to_the_host_and_back_with_canvas_rate_and_handles(tracks):
    found = tracks.to_tracks({"track_path": PATH, "motionstream": {"width": 8, "height": 6, "fps": 24.0}})
    assert (found.width, found.height, found.fps) == (8, 6, 24.0)
    host = tracks.to_host(found, [4])
    assert host["motionstream"] == {"width": 8, "height": 6, "fps": 24.0, "groups": [4]}
    assert tracks.groups_of(host, found) == [4]
    assert torch.equal(tracks.to_tracks(host).xy, PATH)
    assert set(tracks.to_host(found, known=False)) == {"track_path", "track_visibility"}


def test_tracks_that_say_no_canvas_take_the_one_given_or_the_one_that_holds_them(tracks):
    assert tracks.canvas_of({"track_path": PATH}) is None
    found = tracks.to_tracks({"track_path": PATH})
    assert (found.width, found.height, found.fps) == (4, 5, 16.0)
    assert tracks.to_tracks({"track_path": PATH}, (64, 32), 8.0).width == 64


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "TRACKS: expected a dict with track_path"),
        ({"track_path": PATH, "motionstream": [1]}, "expected motionstream to hold width, height and fps"),
        ({"track_path": PATH, "track_visibility": "x"}, "expected numbers, got str 'x'"),
        ({"track_path": PATH, "width": "8", "height": 6}, "expected width to be above 0"),
        ({"track_path": PATH, "width": 10**310, "height": 6}, "expected width to be above 0"),
        ({"track_path": PATH, "fps": float("nan")}, "expected fps to be above 0"),
    ],
)
def test_tracks_that_are_none_are_refused_in_words(tracks, value, message):
    with pytest.raises(ValueError, match=message):
        tracks.to_tracks(value, (8, 6))


def test_a_rate_of_nothing_is_none(tracks):
    assert tracks.to_tracks({"track_path": PATH, "motionstream": {"fps": None}}, (8, 6)).fps == 16.0
