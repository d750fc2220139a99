"""What a host's VIDEO shows is what is followed; a prefix has the date that the host's nodes have."""

from datetime import datetime
from fractions import Fraction
from types import SimpleNamespace

import pytest
import torch

from motionstream_core.codec.video import write_video


class Video:
    """A VIDEO as a newer host makes it: a file, with a crop that is not made yet."""

    def __init__(self, path, frames, crop=None):
        self.path, self.frames, self.crop = path, frames, crop

    def has_pending_frame_edits(self):
        return self.crop is not None

    def get_stream_source(self):
        return str(self.path)

    def get_components(self):
        return SimpleNamespace(images=self.frames[:, :, self.crop], frame_rate=Fraction(25, 2))


@pytest.mark.parametrize("most", [None, 3])
def test_the_edited_frames_of_a_video_are_followed(pack, tmp_path, most):
    frames = torch.zeros(6, 32, 64, 3)
    frames[:, :, 32:] = torch.rand(6, 32, 32, 3)
    write_video(tmp_path / "half.mp4", frames, 16.0)
    sources = pack("nodes._sources")
    whole, _ = sources.source_frames_of(Video(tmp_path / "half.mp4", frames), None, most, print)
    assert next(whole)[0].shape == (32, 64, 3)
    video = Video(tmp_path / "half.mp4", frames, slice(32, None))
    made, count = sources.source_frames_of(video, None, most, print)
    made = list(made)
    assert len(made) == count == (most or 6)
    assert [seconds for _, seconds in made] == pytest.approx([0.08 * number for number in range(count)])
    torch.testing.assert_close(
        torch.from_numpy(made[2][0]) / 255.0, frames[2, :, 32:], atol=0.5 / 255 + 1e-6, rtol=0
    )


@pytest.mark.parametrize(
    ("prefix", "filled"),
    [
        ("takes/%date:yyyy-MM-dd%/take", "takes/2026-03-09/take"),
        ("%date:yy_M_d hh-mm-ss%", "26_3_9 07-05-04"),
        ("%date%_x", "2026-03-09_x"),
        ("no date, %width% of 100%", "no date, %width% of 100%"),
    ],
)
def test_a_prefix_has_the_date_of_the_run(pack, prefix, filled):
    assert pack("nodes._prefixes").with_date(prefix, datetime(2026, 3, 9, 7, 5, 4)) == filled
