"""Tracks in other people's spellings."""

import json
import pickle

import numpy as np
import pytest
import torch

from motionstream_core.tracks.formats import read_tracks, tracks_from_host, tracks_to_host
from motionstream_core.tracks.track_arrays import load_npz, save_npz
from motionstream_core.tracks.track_json import STYLES, tracks_from_json, tracks_to_json
from motionstream_core.tracks.types import Tracks

ONE = [{"x": 1, "y": 2}, {"x": 3, "y": 4}]
TWO = [ONE, [{"x": 5, "y": 6}, {"x": 7.5, "y": 8}]]


def read(value) -> Tracks:
    return tracks_from_json(value if isinstance(value, str) else json.dumps(value), 64, 32)


def two_tracks(hidden: bool = False) -> Tracks:
    visible = torch.tensor([[True, not hidden], [True, True]])
    return Tracks(torch.tensor([[[1.0, 2.0], [5.0, 6.0]], [[3.0, 4.0], [7.5, 8.0]]]), visible, 64, 32, 24.0)


SPELLINGS = {
    "a flat list for one track": (ONE, [[1, 2], [3, 4]]),
    "lists of lists": (TWO, None),
    "lists in a list": ([TWO], None),
    "a list of strings": ([json.dumps(track) for track in TWO], None),
    "a string in a string": (json.dumps(json.dumps(TWO)), None),
    "single quotes": (str(TWO), None),
    "single quotes in a list of strings": ([str(track) for track in TWO], None),
    "pairs": ([[[1, 2], [3, 4]], [[5, 6], [7.5, 8]]], None),
    "one track of pairs": ([[1, 2], [3, 4]], [[1, 2], [3, 4]]),
    "extra fields": ([{"x": 1, "y": 2, "id": "a"}, {"x": 3, "y": 4}], [[1, 2], [3, 4]]),
}


@pytest.mark.parametrize("name", SPELLINGS)
def test_every_spelling_is_read(name):
    value, single = SPELLINGS[name]
    made = read(value)
    expected = torch.tensor(single)[:, None] if single else two_tracks().xy
    assert torch.equal(made.xy, expected.float())
    assert made.visible.all()


def test_a_list_of_strings_need_not_be_json_itself():
    assert torch.equal(tracks_from_json([json.dumps(track) for track in TWO], 64, 32).xy, two_tracks().xy)


GONE = [
    None,
    {"x": -100, "y": -100},
    [-100.0, -100],
    {"x": -10000, "y": -10000.0},
    {"x": 2, "y": 2, "visible": False},
    {"x": 2, "y": 2, "v": 0},
    [2, 2, 0],
]


@pytest.mark.parametrize("gone", GONE, ids=str)
def test_hidden_points_are_read_in_every_spelling(gone):
    made = read([[{"x": 2, "y": 2}, gone, {"x": 4, "y": 2}], [[1, 1], [1, 1], [1, 1]]])
    assert made.visible[:, 0].tolist() == [True, False, True]
    assert made.visible[:, 1].all()
    assert made.xy[1, 0].tolist() == [2, 2]


def test_a_point_hidden_at_first_waits_where_it_will_appear():
    made = read([None, None, [4, 5]])
    assert made.xy[:, 0].tolist() == [[4, 5]] * 3
    assert made.visible[:, 0].tolist() == [False, False, True]


def test_a_track_shorter_than_the_longest_ends_hidden():
    made = read([[[1, 1], [2, 2], [3, 3]], [[7, 7]]])
    assert made.visible.tolist() == [[True, True], [True, False], [True, False]]
    assert made.xy[2, 1].tolist() == [7, 7]


BAD = {
    "no JSON": ("left, then right", "expected JSON, got 'left, then right'"),
    "broken single quotes": ("[{'x': 1", "expected JSON"),
    "no tracks": ("[]", "expected at least one track, got none"),
    "an empty track": ([ONE, []], "expected points in every track, got an empty list"),
    "an object": ({"points": ONE}, "expected a list of points or of tracks, got dict"),
    "a number": ("3", "got int"),
    "one point": ([1, 2], "got one point"),
    "points and tracks mixed": (
        [{"x": 1, "y": 1}, [{"x": 1, "y": 1}]],
        "points alone or tracks alone in one list",
    ),
    "a word among points": ([[{"x": 1, "y": 1}, 7]], "got 7 at 1 among points"),
    "a point without y": ([{"x": 1}], "expected x and y to be finite numbers, got .* in track 0 at frame 0"),
    "a coordinate in words": ([ONE, [{"x": 1, "y": 1}, {"x": "1", "y": 1}]], "got .* in track 1 at frame 1"),
    "true as a coordinate": ([{"x": True, "y": 1}], "expected x and y to be finite numbers"),
    "not a number": ('[{"x": NaN, "y": 1}]', "got .*nan.* in track 0 at frame 0"),
    "infinite": ("[[1, 1], [1, Infinity]]", "got .*inf.* in track 0 at frame 1"),
    "beyond every float": ("[[1, 1], [1, 1e999]]", "in track 0 at frame 1"),
    "an integer beyond every float": (f"[[1, 1], [1, {10**400}]]", "in track 0 at frame 1"),
    "nesting without end": ("[" * 100_000 + "]" * 100_000, "nested too deeply"),
    "nesting too deep": ("[" * 40 + "]" * 40, "nested at most 16 deep"),
    "all off the canvas": ([[-5, 1], [200, 1]], "expected at least one visible point on the canvas of 64x32"),
    "all hidden": ([None, None], "0 of 2 visible"),
    "too many positions": (
        [[[1, 1]] * 8000] + [[[1, 1]]] * 8000,
        "expected at most 5000000 positions, got 8001 tracks of up to 8000 frames",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_json_is_refused_with_what_was_expected_and_got(name):
    value, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        read(value)


@pytest.mark.parametrize("style", STYLES)
def test_every_style_is_read_back(style):
    tracks = two_tracks(hidden=True)
    made = read(tracks_to_json(tracks, style))
    assert torch.equal(made.visible, tracks.visible)
    slack = 0.5 if style in ("kjnodes", "cotracker") else 0.0
    assert (made.xy - tracks.xy)[tracks.visible].abs().max() <= slack


@pytest.mark.parametrize("style", ["ati", "kjnodes"])
@pytest.mark.parametrize("size", [(832, 480), (480, 832), (1280, 720), (2048, 2048)], ids=str)
def test_a_point_hidden_in_one_of_the_four_frames_that_ati_takes_the_mean_of_leads_nothing_astray(
    style, size
):
    width, height = size
    corner = torch.tensor([[width - 1.0, height - 1.0]]).expand(4, 1, 2)
    text = tracks_to_json(
        Tracks(corner, torch.tensor([[True], [True], [True], [False]]), width, height), style
    )
    listed = json.loads(text)
    places = [(point["x"], point["y"]) for point in (listed[0] if isinstance(listed[0], list) else listed)]
    normal = (
        (torch.tensor(places, dtype=torch.float32).mean(0) - torch.tensor([width, height]) / 2)
        / min(size)
        * 2
    )  # as the host's process_tracks and patch_motion count
    beyond = (-torch.tensor([width, height]) / min(size) - normal).clamp(min=0)
    assert torch.exp(-beyond.square().sum() * 220) < 1e-6


def test_styles_are_spelled_as_their_packs_spell_them():
    tracks = two_tracks()
    assert json.loads(tracks_to_json(tracks))[1] == [{"x": 5.0, "y": 6.0}, {"x": 7.5, "y": 8.0}]
    assert json.loads(tracks_to_json(tracks.select([0]), "kjnodes")) == ONE
    assert json.loads(tracks_to_json(tracks, "kjnodes"))[0] == ONE
    assert json.loads(json.loads(tracks_to_json(tracks, "cotracker"))[0]) == ONE
    with pytest.raises(ValueError, match="style: expected one of ati"):
        tracks_to_json(tracks, "csv")


def test_the_hosts_tracks_go_there_and_back():
    tracks = two_tracks(hidden=True)
    host = tracks_to_host(tracks)
    assert host["track_path"].shape == (2, 2, 2)
    assert host["track_path"].dtype == torch.float32
    assert host["track_visibility"].dtype == torch.bool
    made = tracks_from_host(host, 64, 32, 24.0)
    assert torch.equal(made.xy, tracks.xy)
    assert torch.equal(made.visible, tracks.visible)


def test_one_visibility_for_all_tracks_is_spread_and_none_means_visible():
    path = torch.zeros(3, 4, 2, dtype=torch.float16)
    made = tracks_from_host({"track_path": path, "track_visibility": torch.tensor([[1], [0], [1]])}, 64, 32)
    assert made.visible.tolist() == [[True] * 4, [False] * 4, [True] * 4]
    assert made.xy.dtype == torch.float32
    assert tracks_from_host({"track_path": path}, 64, 32).visible.all()


class Tracked:
    """The payload of some other pack."""


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (Tracked(), "expected a dict with track_path .* got .*Tracked"),
        (None, "got NoneType"),
        ([{"id": 1}], "got list"),
        ({"boxes": 1}, r"got NoneType in a dict with \['boxes'\]"),
        ({"track_path": [[1, 2]]}, "expected track_path .* got list"),
        ({"track_path": torch.zeros(3, 2)}, r"got Tensor of shape \(3, 2\)"),
        (
            {"track_path": torch.zeros(3, 2, 2), "track_visibility": torch.ones(3, 5)},
            r"expected a visibility of \(3, 2\) or \(3, 1\), got \(3, 5\)",
        ),
        ({"track_path": torch.full((3, 2, 2), torch.nan)}, "in track 0 at frame 0"),
    ],
)
def test_a_foreign_payload_is_named(value, message):
    with pytest.raises(ValueError, match=message):
        tracks_from_host(value, 64, 32)


def test_npz_keeps_everything(tmp_path):
    tracks = two_tracks(hidden=True)
    save_npz(tracks, tmp_path / "t.npz")
    made = load_npz(tmp_path / "t.npz")
    assert torch.equal(made.xy, tracks.xy)
    assert torch.equal(made.visible, tracks.visible)
    assert (made.width, made.height, made.fps) == (64, 32, 24.0)


def test_foreign_npz_and_npy_need_a_size(tmp_path):
    path = two_tracks().xy.numpy().astype(np.float64)
    np.savez(tmp_path / "wan.npz", track_path=path, track_visibility=np.ones((2, 2), np.uint8))
    np.save(tmp_path / "bare.npy", path)
    for name in ("wan.npz", "bare.npy"):
        assert load_npz(tmp_path / name, 64, 32).xy.tolist() == path.tolist()
        with pytest.raises(ValueError, match=f"{name}: expected a width"):
            load_npz(tmp_path / name)


def test_files_that_are_no_numbers_are_refused(tmp_path):
    save_npz(two_tracks(), tmp_path / "whole.npz")
    (tmp_path / "cut.npz").write_bytes((tmp_path / "whole.npz").read_bytes()[:-40])
    (tmp_path / "pickled.npz").write_bytes(pickle.dumps({"xy": 1}))
    np.savez(tmp_path / "objects.npz", xy=np.array([{}], dtype=object))
    np.savez(tmp_path / "words.npz", xy=np.array(["a"]))
    np.savez(tmp_path / "other.npz", boxes=np.zeros(3))
    (tmp_path / "empty.npz").write_bytes(b"")
    for name in ("cut", "pickled", "objects", "words", "other", "empty"):
        with pytest.raises(ValueError, match=f"{name}.npz: expected"):
            load_npz(tmp_path / f"{name}.npz", 64, 32)


def test_read_tracks_tells_documents_lists_and_arrays_apart(tmp_path):
    document = {
        "version": 1,
        "width": 32,
        "height": 32,
        "frames": 5,
        "fps": 8,
        "tracks": [{"points": [{"x": 1, "y": 1}]}],
    }
    (tmp_path / "document.json").write_text(json.dumps(document))
    (tmp_path / "list.json").write_text(json.dumps(TWO))
    save_npz(two_tracks(), tmp_path / "t.npz")
    assert (
        read_tracks(tmp_path / "document.json").frames,
        read_tracks(tmp_path / "document.json").width,
    ) == (5, 32)
    assert read_tracks(tmp_path / "list.json", 64, 32, 16.0).count == 2
    assert read_tracks(tmp_path / "t.npz").fps == 24.0
    with pytest.raises(ValueError, match=r"list.json: expected a width and a height"):
        read_tracks(tmp_path / "list.json")
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(ValueError, match=r"binary.json: expected JSON or .npz"):
        read_tracks(tmp_path / "binary.json", 64, 32)
