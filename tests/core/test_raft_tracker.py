"""RAFT in the place of the default tracker's flow, on torchvision's own networks with random weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from harness.launch import stand_in_for_torchvision
from safetensors.torch import save_file

from motionstream_core.tracks.video.patch_tracker import FlowTracker
from motionstream_core.tracks.video.patches import Picture
from motionstream_core.tracks.video.raft_tracker import Raft, RaftFlow
from motionstream_core.tracks.video.trackers import open_tracker

stand_in_for_torchvision()
optical_flow = pytest.importorskip("torchvision.models.optical_flow")

SIZE = (100, 140)  # below RAFT's least height, and no multiple of eight
MOVE = np.array([3.0, -2.0], np.float32)


def texture(seed: int = 0) -> np.ndarray:
    rough = torch.rand((1, 3, 30, 40), generator=torch.Generator().manual_seed(seed))
    smooth = torch.nn.functional.interpolate(rough, (240, 320), mode="bicubic").clamp(0, 1)
    return (smooth[0].permute(1, 2, 0) * 255).byte().numpy()


def clip(count: int) -> list[np.ndarray]:
    """A texture that moves by MOVE a frame."""
    whole = texture()
    corners = [(60 - round(MOVE[0] * n), 60 - round(MOVE[1] * n)) for n in range(count)]
    return [whole[y : y + SIZE[0], x : x + SIZE[1]].copy() for x, y in corners]


@pytest.fixture
def folder(tmp_path):
    torch.manual_seed(0)
    small = optical_flow.raft_small(weights=None)
    torch.save(small.state_dict(), tmp_path / "raft_small_C_T_V2-01064c6d.pth")
    return tmp_path


def test_a_flow_is_that_of_torchvision_and_of_the_frames_own_size(folder):
    before, after = clip(2)
    flow = RaftFlow(folder / "raft_small_C_T_V2-01064c6d.pth", "cpu")
    found = flow.between(Picture.of(before), Picture.of(after))
    assert found.shape == (*SIZE, 2) and found.dtype == np.float32
    network = flow._network
    padded = [
        torch.nn.functional.pad(
            torch.from_numpy(frame).permute(2, 0, 1)[None].float() / 127.5 - 1,
            (0, 4, 0, 28),
            mode="replicate",
        )
        for frame in (before, after)
    ]
    with torch.no_grad():
        expected = network(*padded)[-1][0, :, : SIZE[0], : SIZE[1]].permute(1, 2, 0).numpy()
    assert np.abs(found - expected).max() < 1e-5 and np.abs(expected).max() > 1e-3


def test_weights_say_which_network_they_are(folder):
    large = optical_flow.raft_large(weights=None)
    save_file({k: v.contiguous() for k, v in large.state_dict().items()}, folder / "raft_large.safetensors")
    assert sum(
        p.numel() for p in RaftFlow(folder / "raft_large.safetensors", "cpu")._network.parameters()
    ) == (sum(p.numel() for p in large.parameters()))
    save_file({"weight": torch.zeros(3)}, folder / "raft_large.safetensors")
    with pytest.raises(ValueError, match=r"RAFT: expected weights of this network in raft_large.safetensors"):
        RaftFlow(folder / "raft_large.safetensors", "cpu")


def test_missing_weights_are_named(tmp_path):
    with pytest.raises(ValueError, match=r"RAFT is BSD.*expected raft_large_C_T_SKHT_V2-ff5fadd5.pth or"):
        open_tracker("RAFT", [tmp_path])


class Known:
    """The true flow of `clip`, and how often it was asked."""

    calls = 0

    def between(self, before: Picture, after: Picture) -> np.ndarray:
        self.calls += 1
        return np.broadcast_to(MOVE, (*before.raw.shape, 2)).astype(np.float32)


def test_the_default_tracker_follows_by_another_flow_and_starts_anew_with_each_video(folder):
    points = np.array([[40.0, 60.0], [90.0, 50.0], [70.0, 70.0]], np.float32)
    flow = Known()
    truth = points[None] + np.arange(6)[:, None, None] * MOVE
    found = np.stack([xy for xy, _ in FlowTracker(flow=flow).follow(iter(clip(6)), points)])
    assert flow.calls == 5 and np.abs(found - truth).max() < 0.2
    tracker = open_tracker("RAFT", [folder])
    assert isinstance(tracker, Raft)
    runs = [list(tracker.follow(iter(clip(3)), points)) for _ in range(2)]
    assert all(np.array_equal(a[0], b[0]) for a, b in zip(*runs)) and tracker.cuts == []
