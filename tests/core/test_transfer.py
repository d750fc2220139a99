"""The measure of motion transfer: nought for what follows, the displacement for what stands still."""

import argparse

import numpy as np
import pytest
import torch
from PIL import Image

pytest.importorskip("cv2")

from motionstream_core.codec.video import write_video  # noqa: E402
from motionstream_core.evaluation import transfer  # noqa: E402
from motionstream_core.tracks.types import Tracks  # noqa: E402

SIDE, FRAMES = 128, 9


def clip() -> torch.Tensor:
    """A picture of soft noise that goes 2 px right a frame."""
    rng = np.random.default_rng(0)
    noise = torch.from_numpy(rng.random((1, 3, 24, 24))).float()
    picture = (
        torch.nn.functional.interpolate(noise, size=(SIDE, 2 * SIDE), mode="bicubic")
        .clamp(0, 1)[0]
        .permute(1, 2, 0)
    )
    return torch.stack([picture[:, SIDE - 2 * t : 2 * SIDE - 2 * t] for t in range(FRAMES)])


def tracks() -> Tracks:
    x, y = np.meshgrid(np.arange(24, 90, 6), np.arange(16, 112, 6))
    start = torch.from_numpy(np.stack([x.ravel(), y.ravel()], -1)).float()
    xy = start[None] + torch.arange(FRAMES)[:, None, None] * torch.tensor([2.0, 0.0])
    return Tracks(xy, torch.ones(xy.shape[:2], dtype=torch.bool), SIDE, SIDE)


def test_what_follows_scores_nought_and_what_stands_still_its_displacement():
    frames, told = clip(), tracks()
    follows, still = (
        transfer.scores(frames, told, frames),
        transfer.scores(frames[:1].expand_as(frames), told, frames),
    )
    assert (
        follows["epe"] < 0.3
        and follows["epe_moving"] < 0.3
        and follows["found"] > 0.9
        and follows["ncc"] <= 1
        and follows["psnr"] > 90
    )
    assert (
        still["epe"] == pytest.approx(9, abs=0.3)
        and still["epe_moving"] == pytest.approx(10, abs=0.4)
        and still["psnr"] < 30
    )


def test_the_motion_of_a_video_is_read_at_its_speed(tmp_path):
    write_video(tmp_path / "v.mp4", clip(), 8)
    found = transfer.source_tracks(tmp_path / "v.mp4", frames=81, grid=12)
    assert found.frames == 17 and (found.width, found.height, found.fps) == (SIDE, SIDE, 16)
    way = (found.xy[16] - found.xy[0])[found.visible[16]]
    assert torch.allclose(way.median(0).values, torch.tensor([16.0, 0.0]), atol=0.3)
    assert len(transfer.source_frames(tmp_path / "v.mp4", 17)) == 17


def test_the_command_keeps_three_rows_a_video_and_one_of_another_picture(
    tmp_path, networks, monkeypatch, capsys
):
    monkeypatch.setattr(transfer, "open_networks", lambda path: networks)
    monkeypatch.setattr(transfer, "SIZE", SIDE)
    write_video(tmp_path / "v.mp4", clip(), 16)
    parser = argparse.ArgumentParser()
    transfer.add_arguments(parser)
    Image.new("RGB", (32, 32), (200, 120, 40)).save(tmp_path / "picture.png")
    Image.fromarray(np.pad(np.full((8, 8, 3), 255, np.uint8), ((8, 16), (4, 20), (0, 0)))).save(
        tmp_path / "mask.png"
    )
    onto = [str(tmp_path / name) for name in ("picture.png", "mask.png", "mask.png")]
    transfer.run(
        parser.parse_args(
            [str(tmp_path / "v.mp4"), "--frames", "5", "--results", str(tmp_path), "--onto", *onto]
        )
    )
    (page,) = tmp_path.glob("transfer_cpu_*.md")
    assert [
        line.split("|")[2].strip() for line in page.read_text().splitlines() if line.startswith("| v.mp4")
    ] == ["model", "codec", "still", "model"]
    assert "v.mp4 onto picture.png" in page.read_text()
    assert '"epe_moving"' in capsys.readouterr().out
