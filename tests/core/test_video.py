"""Picture and video files."""

import pytest
import torch
from PIL import Image

from motionstream_core.codec.video import VideoWriter, read_image, read_video, write_video
from motionstream_core.common.pictures import cover


def clip(frames: int = 7, width: int = 48, height: int = 32) -> torch.Tensor:
    """A smooth picture that grows lighter."""
    rows, columns = torch.linspace(0, 0.6, height)[:, None], torch.linspace(0, 0.6, width)[None]
    picture = torch.stack(
        [rows.expand(height, width), columns.expand(height, width), torch.full((height, width), 0.3)], dim=-1
    )
    return picture + torch.linspace(0, 0.3, frames)[:, None, None, None]


def test_a_video_comes_back_nearly_as_it_was_written(tmp_path):
    frames = clip()
    assert write_video(tmp_path / "folder" / "v.mp4", frames, 16) == 7
    made, fps = read_video(tmp_path / "folder" / "v.mp4")
    assert made.shape == frames.shape
    assert made.dtype == torch.float32
    assert fps == 16.0
    assert (made - frames).abs().mean() < 0.02


def test_chunks_give_the_same_video_as_the_clip_at_once(tmp_path):
    frames = clip(9)
    write_video(tmp_path / "whole.mp4", frames, 24)
    write_video(tmp_path / "chunks.mp4", iter(frames.split([1, 4, 4])), 24)
    whole, chunks = read_video(tmp_path / "whole.mp4")[0], read_video(tmp_path / "chunks.mp4")[0]
    assert whole.shape == chunks.shape
    assert (whole - chunks).abs().max() < 0.05, "x264 does not always make the same file of the same frames"


def test_a_fractional_rate_is_kept(tmp_path):
    write_video(tmp_path / "v.mp4", clip(4), 30000 / 1001)
    assert read_video(tmp_path / "v.mp4")[1] == pytest.approx(30000 / 1001)


def test_reading_stops_at_the_wanted_number_of_frames(tmp_path):
    write_video(tmp_path / "v.mp4", clip(9), 16)
    assert read_video(tmp_path / "v.mp4", max_frames=3)[0].shape[0] == 3


def test_what_was_written_before_an_exception_is_playable(tmp_path):
    with pytest.raises(RuntimeError), VideoWriter(tmp_path / "v.mp4", 16) as video:
        video.write(clip(5))
        raise RuntimeError("stopped")
    assert read_video(tmp_path / "v.mp4")[0].shape[0] == 5


@pytest.mark.parametrize(
    ("frames", "fps", "message"),
    [
        (torch.zeros(2, 3, 16, 16), 16, r"expected frames \(T, H, W, 3\), got \(2, 3, 16, 16\)"),
        (torch.zeros(2, 15, 16, 3), 16, "expected an even width and height .* got 16x15"),
        ([torch.zeros(1, 16, 16, 3), torch.zeros(1, 32, 16, 3)], 16, "expected frames of 16x16, got 16x32"),
        ([], 16, "expected at least one frame, got none"),
        (torch.zeros(1, 16, 16, 3), 0, "fps: expected above 0"),
    ],
)
def test_frames_that_make_no_video_are_refused(tmp_path, frames, fps, message):
    with pytest.raises(ValueError, match=message):
        write_video(tmp_path / "v.mp4", frames, fps)


def test_a_file_name_that_is_no_video_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"expected a file name like video.mp4, got 'v.words'"):
        write_video(tmp_path / "v.words", clip(1), 16)


def test_files_that_are_no_video_or_picture_are_refused(tmp_path):
    (tmp_path / "v.mp4").write_bytes(b"these are words" * 100)
    with pytest.raises(ValueError, match=r"v.mp4: expected a video"):
        read_video(tmp_path / "v.mp4")
    with pytest.raises(ValueError, match=r"v.mp4: expected a picture"):
        read_image(tmp_path / "v.mp4")
    with pytest.raises(FileNotFoundError):
        read_video(tmp_path / "none.mp4")


def test_a_picture_is_read_upright_as_rgb(tmp_path):
    Image.new("RGBA", (6, 4), (255, 0, 51, 255)).save(tmp_path / "p.png")
    made = read_image(tmp_path / "p.png")
    assert made.shape == (4, 6, 3)
    assert made[0, 0].tolist() == pytest.approx([1.0, 0.0, 0.2])
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (6, 4)).save(tmp_path / "turned.jpg", exif=exif)
    assert read_image(tmp_path / "turned.jpg").shape == (6, 4, 3)


def test_a_picture_covers_the_size_and_is_cut_in_the_middle():
    picture = torch.zeros(32, 96, 3)
    picture[:, 32:64] = 1.0
    assert cover(picture, 32, 32).min() == 1.0
    assert cover(picture, 16, 16).shape == (16, 16, 3)
    assert cover(picture, 96, 32) is picture
