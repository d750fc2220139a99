"""The detail head: what it can do, where a stream uses it, its file, its training."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from core.small import drag, joined, picture, stream

from motionstream_core.__main__ import main
from motionstream_core.live.session import LiveSession
from motionstream_core.model.detail import DetailHead
from motionstream_core.model.weights.bundle import load_bundle, save_bundle
from motionstream_core.model.weights.networks import open_networks, save_networks
from motionstream_core.streaming.warped_image import forward_warp
from motionstream_core.tracks.warp.forward import ForwardWarp
from motionstream_core.training.data.drawn_media import build_drawn_media
from motionstream_core.training.methods.detail import FIELDS, Pairs, write_pairs


def head(gate: float = 0.0) -> DetailHead:
    """A small one with weights of its own, or one whose gate is open or shut everywhere."""
    torch.manual_seed(1)
    made = DetailHead((4, 4, 4)).eval().requires_grad_(False)
    if gate:
        made.leave.bias[:4] = gate  # after the shuffle the first of the 7 channels
    else:
        torch.nn.init.normal_(made.leave.weight, std=0.1)
    return made


def run(networks, frames=17, **options):
    return joined(stream(networks, picture(), drag(frames), "red ball moves right", frames, **options))


def test_an_open_gate_shows_the_carried_picture_and_a_shut_one_the_decoded_frames(networks):
    tracks = drag(17)
    carried = forward_warp(
        ForwardWarp(picture().permute(2, 0, 1), tracks.xy[0]), tracks.xy, tracks.visible
    ).frames.permute(0, 2, 3, 1)
    plain = run(networks)
    assert torch.allclose(run(replace(networks, detail=head(100.0))), carried, atol=1e-5)
    assert torch.allclose(run(replace(networks, detail=head(-100.0))), plain, atol=1e-5)
    assert not torch.allclose(carried, plain, atol=1e-2)


def test_the_head_changes_frames_and_no_latents_and_can_be_left_out(networks):
    detailed = replace(networks, detail=head())
    with_head, without = (
        list(stream(detailed, picture(), drag(17), "", 17, detail=detail)) for detail in (True, False)
    )
    assert torch.equal(joined(without), joined(stream(networks, picture(), drag(17), "", 17)))
    assert not torch.equal(joined(with_head), joined(without))
    assert all(torch.equal(a.latents, b.latents) for a, b in zip(with_head, without))


def test_frames_in_pieces_are_those_of_all_at_once():
    made, rng = head(), torch.Generator().manual_seed(0)
    frames, carried, maps = (torch.rand(5, channels, 16, 24, generator=rng) for channels in (3, 3, 2))
    whole = made(frames, carried, maps)
    pieces = torch.cat(
        [made(frames[s], carried[s], maps[s]) for s in (slice(0, 1), slice(1, 3), slice(3, 5))]
    )
    assert torch.allclose(whole, pieces, atol=1e-6)
    assert whole.shape == frames.shape


def test_a_rewound_stream_has_the_same_detail_again(networks):
    detailed, session, seen, again = replace(networks, detail=head()), LiveSession(), {}, {}
    for chunk in stream(detailed, picture(), drag(25), "", 25, control=session):
        (again if chunk.index in seen else seen)[chunk.index] = chunk.frames
        if chunk.index == 2 and not again:
            session.post({"type": "rewind", "chunk": 1})
    assert {1, 2} <= set(again)
    assert all(torch.equal(seen[index], frames) for index, frames in again.items())


def test_a_stream_without_a_track_head_carries_nothing_and_has_no_detail(networks):
    detailed = replace(networks, detail=head(100.0))
    assert torch.equal(run(detailed, track_control="guided"), run(networks, track_control="guided"))


def test_pictures_that_do_not_fit_each_other_are_refused():
    with pytest.raises(ValueError, match="expected frames, warped and maps"):
        head()(torch.zeros(2, 3, 16, 16), torch.zeros(2, 3, 16, 8), torch.zeros(2, 2, 16, 16))
    with pytest.raises(ValueError, match="divisible by 8"):
        head()(torch.zeros(1, 3, 12, 12), torch.zeros(1, 3, 12, 12), torch.zeros(1, 2, 12, 12))


def test_a_weights_file_keeps_the_head_and_says_when_it_cannot_be_read(networks, tmp_path):
    path = tmp_path / "with.safetensors"
    save_networks(path, replace(networks, detail=head()))
    found = open_networks(path).detail
    assert found is not None and found.widths == (4, 4, 4)
    assert all(
        torch.allclose(a, b, atol=4e-3)
        for a, b in zip(found.state_dict().values(), head().state_dict().values())
    )
    save_networks(path, networks)
    assert open_networks(path).detail is None
    save_networks(path, replace(networks, detail=head()))
    bundle = load_bundle(path)
    save_bundle(
        path, bundle.config, bundle.components, settings={**bundle.settings, "detail": {"widths": [4, 4]}}
    )
    with pytest.raises(ValueError, match="expected 3 widths"):
        open_networks(path)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """Noise for decoded frames, the truth carried: all there is to learn is to open the gate."""
    folder, rng = tmp_path_factory.mktemp("pairs"), np.random.default_rng(0)
    truth = rng.integers(0, 255, (24, 3, 16, 16)).astype(np.uint8)
    noise = rng.integers(0, 255, (24, 3, 16, 16)).astype(np.uint8)
    np.savez(
        folder / "0000_00000.npz",
        frames=noise,
        carried=truth,
        maps=np.zeros((24, 2, 16, 16), np.uint8),
        truth=truth,
    )
    return folder


def test_training_learns_to_take_what_is_right_and_goes_on(pairs, tmp_path):
    words = [
        "train",
        "detail",
        "--data",
        str(pairs),
        "--held",
        str(pairs),
        "--batch",
        "4",
        "--optimizer",
        "adamw",
        "--lr",
        "0.01",
        "--warmup",
        "0",
        "--ema",
        "0",
        "--decay",
        "0",
    ]
    assert main([*words, "--steps", "2", "--out", str(tmp_path)]) == 0
    assert main([*words, "--steps", "60", "--out", str(tmp_path)]) == 0
    curve = [
        line for line in (tmp_path / "curve.jsonl").read_text().splitlines() if "validation/psnr" in line
    ]
    first, last = (json.loads(line) for line in (curve[0], curve[-1]))
    assert first["step"] == 2 and last["step"] == 60
    assert last["validation/psnr"] > first["validation/psnr"] + 6
    assert last["validation/psnr_decoded"] < 10 < 60 < last["validation/psnr_carried"]
    assert (tmp_path / "detail.safetensors").is_file()


def test_pairs_are_turned_alike(pairs):
    batch = Pairs(pairs).batch(np.random.default_rng(0), 16)
    assert set(batch) == set(FIELDS)
    assert torch.equal(batch["carried"], batch["truth"])
    upright = Pairs(pairs)._row(0)["truth"]
    assert any(not torch.equal(row, torch.from_numpy(upright) / 255) for row in batch["truth"])


def test_folders_that_hold_no_pairs_are_refused(tmp_path):
    with pytest.raises(ValueError, match="expected files of `train pairs`"):
        Pairs(tmp_path)
    np.savez(tmp_path / "0000_00000.npz", latents=np.zeros((2, 3)))
    with pytest.raises(ValueError, match="expected the fields frames"):
        Pairs(tmp_path)


def test_written_pairs_hold_what_a_stream_decodes_to_and_are_kept_on_a_second_run(tmp_path, monkeypatch):
    monkeypatch.setattr("motionstream_core.training.methods.detail.SCENES", 1)
    monkeypatch.setattr("motionstream_core.training.methods.detail.LONG", (25, 0.0))
    build_drawn_media(tmp_path)
    told: list[str] = []
    write_pairs(open_networks(), tmp_path / "train.npz", tmp_path / "pairs", 1, 1, told.append)
    batch = Pairs(tmp_path / "pairs").batch(np.random.default_rng(0), 8)
    assert len(told) == 1
    assert {name: tuple(value.shape[1:]) for name, value in batch.items()} == {
        "frames": (3, 128, 128),
        "carried": (3, 128, 128),
        "maps": (2, 128, 128),
        "truth": (3, 128, 128),
    }
    assert (
        (batch["frames"] - batch["truth"]).square().mean()
        < 0.05
        < (batch["frames"].flip(0) - batch["truth"]).abs().max()
    )
    write_pairs(open_networks(), tmp_path / "train.npz", tmp_path / "pairs", 1, 1, told.append)
    assert len(told) == 1
