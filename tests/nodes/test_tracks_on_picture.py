"""Tracks painted at one size stay on the content of the picture in a video of another shape."""

import pytest
import torch

from motionstream_core.common.pictures import cover
from motionstream_core.tracks.types import Tracks


@pytest.mark.parametrize("size", [(224, 128), (96, 256), (416, 240), (128, 128)])
def test_a_track_on_a_spot_is_on_it_in_a_video_of_another_shape(pack, size):
    picture = torch.zeros(1, 240, 416, 3)
    picture[:, 100:108, 240:248, 0] = 1.0

    def spot(width, height):
        red = cover(picture, width, height)[0, ..., 0]
        rows, columns = torch.meshgrid(
            torch.arange(height, dtype=torch.float32), torch.arange(width, dtype=torch.float32), indexing="ij"
        )
        return torch.stack([(columns * red).sum(), (rows * red).sum()]) / red.sum()

    tracks = Tracks(spot(128, 128).expand(3, 1, 2), torch.ones(3, 1, dtype=torch.bool), 128, 128)
    made = pack("nodes._sizes").tracks_on_picture(tracks, *size, picture.shape[1:3])
    assert (made.width, made.height) == size
    # cover scales to whole pixels and cuts at whole ones
    torch.testing.assert_close(made.xy[0, 0], spot(*size), atol=0.75, rtol=0)


def test_without_a_picture_tracks_are_stretched(pack):
    tracks = Tracks(torch.full((2, 1, 2), 30.0), torch.ones(2, 1, dtype=torch.bool), 128, 128)
    made = pack("nodes._sizes").tracks_on_picture(tracks, 256, 128, None)
    assert made.xy[0, 0].tolist() == [60.0, 30.0]
