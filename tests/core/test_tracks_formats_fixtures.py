"""Files in other packs' spellings are read as they were meant. tests/fixtures/tracks/README.md says where
each is from.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from motionstream_core.tracks.formats import hide_outside_mask, read_tracks, tracks_from_host, tracks_to_host
from motionstream_core.tracks.track_arrays import load_npz, save_npz
from motionstream_core.tracks.track_json import tracks_from_json, tracks_to_json
from motionstream_core.tracks.types import Tracks

FOLDER = Path(__file__).parents[1] / "fixtures" / "tracks"
EXPECTED = dict(np.load(FOLDER / "expected.npz"))
NAMES = sorted(name for name in EXPECTED if not name.endswith("_visible"))


def file_of(name: str) -> Path:
    return next(path for path in FOLDER.glob(f"{name}.*"))


@pytest.mark.parametrize("name", NAMES)
def test_a_file_of_another_pack_is_read_as_it_was_meant(name):
    made, xy = read_tracks(file_of(name), 832, 480), EXPECTED[name]
    seen = EXPECTED.get(f"{name}_visible", np.ones(xy.shape[:2], dtype=bool))
    assert made.visible.numpy().tolist() == seen.tolist()
    np.testing.assert_array_equal(made.xy.numpy()[seen], xy.astype(np.float32)[seen])
    assert (made.width, made.height) == (832, 480)


def test_no_fixture_is_left_unread():
    written = {path.stem for path in FOLDER.iterdir() if path.suffix in (".json", ".npz", ".npy", ".txt")}
    assert written == {
        *NAMES,
        "expected",
        "wan_move_visibility",
        "host_generate_tracks",
        "host_generate_tracks_bezier_masked",
        "host_tracks_from_coords",
    }


def test_a_list_of_strings_is_read_as_the_nodes_own_value_too():
    strings = json.loads((FOLDER / "cotracker_node_list_of_strings.json").read_text())
    assert all(isinstance(one, str) for one in strings)
    made = tracks_from_json(strings, 832, 480)
    assert torch.equal(made.xy, read_tracks(FOLDER / "cotracker_node_list_of_strings.json", 832, 480).xy)


def test_omnicams_bridge_brings_its_own_canvas_and_rate():
    made = read_tracks(FOLDER / "omnicam_ati_bridge.json")
    assert (made.width, made.height, made.fps) == (832, 480, 24.0)
    for broken in (
        '{"format": "majoor.omnicam.ati-bridge.v1"}',
        '{"format": "majoor.omnicam.ati-bridge.v1", "trajectories": [{"samples": []}]}',
    ):
        with pytest.raises(ValueError, match="expected"):
            tracks_from_json(broken, 832, 480)


def host_value(name: str) -> dict:
    return {key: torch.from_numpy(value) for key, value in np.load(FOLDER / f"{name}.npz").items()}


def test_the_hosts_generated_tracks_are_five_ways_from_its_start_to_its_end():
    made = tracks_from_host(host_value("host_generate_tracks"), 832, 480)
    assert made.count == 5 and made.visible.all()
    middle = made.xy[:, 2]
    assert torch.allclose(middle[[0, -1]], torch.tensor([[83.2, 384.0], [748.8, 336.0]]), atol=1e-3)
    assert torch.allclose(middle[6], middle[[0, -1]].mean(0), atol=1e-3)
    gaps = (made.xy[:, 1:] - made.xy[:, :-1]).norm(dim=-1)
    assert torch.allclose(gaps, torch.full_like(gaps, 0.05 * (832 + 480) / 2), atol=1e-3)


def test_the_hosts_masked_tracks_have_one_visibility_for_all():
    value = host_value("host_generate_tracks_bezier_masked")
    assert value["track_visibility"].shape == (13, 1)
    made = tracks_from_host(value, 832, 480)
    assert (
        made.visible.shape == (13, 5) and made.visible[:, 3].tolist() == [True] * 5 + [False] * 4 + [True] * 4
    )
    unmasked = tracks_from_host({"track_path": value["track_path"]}, 832, 480)
    mask = torch.ones(13, 8, 8)
    mask[5:9] = 0
    assert torch.equal(hide_outside_mask(unmasked, mask).visible, made.visible)
    assert hide_outside_mask(unmasked, torch.zeros(1, 8, 8)).visible.sum() == 0
    with pytest.raises(ValueError, match="mask: expected 13 frames"):
        hide_outside_mask(unmasked, torch.ones(7, 8, 8))


def test_what_the_host_makes_of_a_text_is_what_we_make_of_it():
    ours = read_tracks(FOLDER / "kjnodes_spline_editor_three.json", 832, 480)
    theirs = tracks_from_host(host_value("host_tracks_from_coords"), 832, 480)
    assert torch.equal(ours.xy, theirs.xy) and torch.equal(ours.visible, theirs.visible)


def rough() -> Tracks:
    rng = torch.Generator().manual_seed(4)
    xy = torch.rand(30, 7, 2, generator=rng) * torch.tensor([832.0, 480.0])
    return Tracks(xy, torch.rand(30, 7, generator=rng) > 0.2, 832, 480, 23.976)


@pytest.mark.parametrize("style", ["ati", "pairs"])
def test_text_keeps_every_visible_place_to_the_last_bit(style):
    tracks = rough()
    made = tracks_from_json(tracks_to_json(tracks, style), 832, 480)
    assert torch.equal(made.visible, tracks.visible)
    assert torch.equal(made.xy[made.visible], tracks.xy[tracks.visible])


@pytest.mark.parametrize("name", ["host_generate_tracks", "host_generate_tracks_bezier_masked"])
def test_the_hosts_tracks_survive_a_file_and_our_own_value(name, tmp_path):
    tracks = tracks_from_host(host_value(name), 832, 480, 24.0)
    save_npz(tracks, tmp_path / "kept.npz")
    for made in (load_npz(tmp_path / "kept.npz"), tracks_from_host(tracks_to_host(tracks), 832, 480, 24.0)):
        assert torch.equal(made.xy, tracks.xy) and torch.equal(made.visible, tracks.visible)
        assert (made.width, made.height, made.fps) == (832, 480, 24.0)


@pytest.mark.parametrize("shape", [(30, 7), (1, 30, 7), (30, 7, 1), (1, 30, 7, 1), (30, 1)])
def test_visibility_is_read_in_every_shape_and_as_confidence(shape):
    tracks = rough()
    seen = torch.where(tracks.visible, 0.9, 0.2)
    seen = seen[:, :1] if shape == (30, 1) else seen.reshape(shape)
    made = tracks_from_host({"track_path": tracks.xy, "track_visibility": seen}, 832, 480)
    assert torch.equal(
        made.visible, tracks.visible[:, :1].expand(30, 7) if shape == (30, 1) else tracks.visible
    )
