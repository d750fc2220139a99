"""The start image carried forward: moved pixels arrive, vacated places are known, pieces equal the whole."""

import pytest
import torch

from motionstream_core.tracks.warp.backward import fill_disoccluded, warp_frames
from motionstream_core.tracks.warp.forward import ForwardWarp


def grid_points(x0, y0, x1, y1, step=4.0):
    ys, xs = torch.meshgrid(torch.arange(y0, y1, step), torch.arange(x0, x1, step), indexing="ij")
    return torch.stack([xs, ys], -1).reshape(-1, 2)


def square_scene(shift=(24.0, 0.0), frames=5):
    """A bright square on a dark ramp; the square's tracks move, the ground's rest. Ground tracks under the
    square's way are hidden there.
    """
    image = torch.linspace(0.1, 0.4, 64).expand(3, 64, 64).clone()
    image[:, 24:40, 8:24] = 1.0
    square, ground = grid_points(9, 25, 24, 40, 3.0), grid_points(2, 2, 64, 64, 6.0)
    ground = ground[~((ground[:, 0] > 5) & (ground[:, 0] < 27) & (ground[:, 1] > 21) & (ground[:, 1] < 43))]
    share = torch.linspace(0, 1, frames)[:, None, None]
    xy = torch.cat([square + share * torch.tensor(shift), ground.expand(frames, -1, -1)], dim=1)
    left = 8 + share[:, 0] * shift[0]
    hidden = (ground[:, 0] >= left) & (ground[:, 0] < left + 16) & (ground[:, 1] >= 24) & (ground[:, 1] < 40)
    return image, xy, torch.cat([torch.ones(frames, len(square), dtype=torch.bool), ~hidden], dim=1)


def test_a_moved_square_arrives_and_leaves_no_ghost():
    image, xy, visible = square_scene()
    made = ForwardWarp(image, xy[0])(xy, visible)
    assert made.frames[-1, :, 26:38, 34:46].min() > 0.95
    vacated = made.disoccluded[-1, 0, 26:38, 10:22]
    assert vacated.mean() > 0.9
    filled = fill_disoccluded(made.frames, made.disoccluded)[-1, :, 26:38, 10:22]
    ghost = warp_frames(image, xy[0], xy, visible).frames[-1, :, 26:38, 10:22]
    assert filled.mean() < 0.5 < 0.9 < ghost.mean()


def test_tracks_at_rest_give_back_the_image():
    image, xy, visible = square_scene((0.0, 0.0))
    made = ForwardWarp(image, xy[0])(xy, torch.ones_like(visible))
    torch.testing.assert_close(made.frames, image.expand(5, -1, -1, -1), atol=1e-5, rtol=0)
    assert made.disoccluded.max() == 0


def test_a_pan_uncovers_the_border_it_comes_from():
    image, points = torch.rand(3, 64, 64), grid_points(2, 2, 64, 64, 6.0)
    xy = torch.stack([points, points + torch.tensor([10.0, 0.0])])
    made = ForwardWarp(image, points)(xy, torch.ones(2, len(points), dtype=torch.bool))
    assert made.disoccluded[1, 0, :, :8].min() == 1 and made.disoccluded[1, 0, 2:-2, 12:-2].max() == 0
    torch.testing.assert_close(made.frames[1, :, :, 12:], image[:, :, 2:-10], atol=1e-5, rtol=0)


def test_chunks_equal_the_clip_and_every_frame_stands_alone():
    image, xy, visible = square_scene(frames=9)
    carrier = ForwardWarp(image, xy[0])
    whole = carrier(xy, visible)
    for start, stop in ((0, 1), (1, 5), (5, 9)):
        for a, b in zip(carrier(xy[start:stop], visible[start:stop]), whole, strict=True):
            assert torch.equal(a, b[start:stop])


def test_a_frame_without_visible_tracks_is_the_image():
    image, xy, visible = square_scene()
    made = ForwardWarp(image, xy[0])(xy, torch.zeros_like(visible))
    torch.testing.assert_close(made.frames, image.expand(5, -1, -1, -1), atol=1e-5, rtol=0)
    assert made.disoccluded.max() == 0


def test_shapes_that_do_not_fit_are_refused():
    image, xy, visible = square_scene()
    with pytest.raises(ValueError, match=r"expected xy \(T, \d+, 2\)"):
        ForwardWarp(image, xy[0])(xy[:, :-1], visible)
