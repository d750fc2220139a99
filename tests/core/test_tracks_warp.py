"""The start image moved along tracks."""

import pytest
import torch

from motionstream_core.tracks.warp import backward
from motionstream_core.tracks.warp.backward import (
    fill_disoccluded,
    nearest_track,
    warp_clips,
    warp_frames,
)


def scene(frames: int = 9, count: int = 40, size: int = 32):
    rng = torch.Generator().manual_seed(1)
    image = torch.rand(3, size, size, generator=rng)
    xy0 = torch.rand(count, 2, generator=rng) * size
    xy = xy0 + torch.randn(frames, count, 2, generator=rng).cumsum(0) * 2
    visible = torch.rand(frames, count, generator=rng) > 0.2
    return image, xy0, xy, visible


def bilinear(image, x, y):
    """Reference: one place, border clamped."""
    height, width = image.shape[-2:]
    x, y = min(max(x, 0), width - 1), min(max(y, 0), height - 1)
    left, top = int(x), int(y)
    right, bottom = min(left + 1, width - 1), min(top + 1, height - 1)
    across, down = x - left, y - top
    upper = image[:, top, left] * (1 - across) + image[:, top, right] * across
    lower = image[:, bottom, left] * (1 - across) + image[:, bottom, right] * across
    return upper * (1 - down) + lower * down


def square_drag(size: int = 64, shift: float = 24.0):
    """A white square on grey is dragged to the right over static tracks -> image, xy0, xy (2, N, 2),
    visible.
    """
    image = torch.full((3, size, size), 0.5)
    image[:, 24:40, 8:24] = 1.0
    grid = torch.stack(
        torch.meshgrid(torch.arange(2.0, size, 4), torch.arange(2.0, size, 4), indexing="xy"), dim=-1
    ).view(-1, 2)
    on = ((grid - torch.tensor([16.0, 32.0])).abs() < 8).all(-1)
    moved = grid + on[:, None] * torch.tensor([shift, 0.0])
    covered = ((moved[:, None] - moved[on]).norm(dim=-1) < 4).any(1) & ~on
    visible = torch.stack([torch.ones_like(on), ~covered])
    return image, grid, torch.stack([grid, moved]), visible


def test_every_pixel_shows_the_image_where_its_nearest_visible_track_came_from():
    image, xy0, xy, visible = scene(frames=2, size=16)
    made = warp_frames(image, xy0, xy, visible).frames
    for t in range(2):
        for row in range(16):
            for column in range(16):
                centre = torch.tensor([column // 2 * 2 + 0.5, row // 2 * 2 + 0.5])
                away = (xy[t] - centre).norm(dim=-1)
                away[~visible[t]] = torch.inf
                n = int(away.argmin())
                at = torch.tensor([column, row]) + xy0[n] - xy[t, n]
                torch.testing.assert_close(
                    made[t, :, row, column], bilinear(image, *at.tolist()), atol=1e-4, rtol=0
                )


@pytest.mark.parametrize(("count", "size"), [(1, 16), (5, 33), (300, 64), (3000, 48)])
def test_nearest_tracks_are_the_nearest_up_to_the_rounding_of_squared_distances(count, size):
    rng = torch.Generator().manual_seed(count)
    xy = (torch.rand(3, count, 2, generator=rng) * 1.4 - 0.2) * size
    visible = torch.rand(3, count, generator=rng) > 0.5
    visible[:, 0] = True
    label = nearest_track(xy, visible, size, size)
    centres = torch.arange(0, size, 2) + 0.5
    place = torch.stack(torch.meshgrid(centres, centres, indexing="xy"), dim=-1)
    away = (place[None, :, :, None] - xy[:, None, None]).norm(dim=-1)
    away = away.masked_fill(~visible[:, None, None], torch.inf)
    chosen = away.gather(-1, label[..., None])[..., 0]
    assert (chosen.square() - away.amin(-1).square()).max() < 0.2


def test_chunk_by_chunk_equals_the_clip_at_once():
    image, xy0, xy, visible = scene(frames=13)
    whole = warp_frames(image, xy0, xy, visible)
    parts = [warp_frames(image, xy0, xy[a:b], visible[a:b]) for a, b in ((0, 1), (1, 4), (4, 13))]
    for index, name in enumerate(whole._fields):
        assert torch.equal(torch.cat([part[index] for part in parts]), whole[index]), name
    filled = torch.cat([fill_disoccluded(part.frames, part.disoccluded) for part in parts])
    assert torch.equal(filled, fill_disoccluded(whole.frames, whole.disoccluded))


def test_a_batch_equals_its_clips():
    scenes = [torch.stack(pair) for pair in zip(scene(), scene(frames=9, count=40))]
    scenes[0] = torch.stack([scenes[0][0], scenes[0][1].flip(-1)])
    batch = warp_clips(*scenes)
    for b in range(2):
        for got, expected in zip(batch, warp_frames(*(part[b] for part in scenes))):
            assert torch.equal(got[b], expected)


def test_a_frame_without_visible_tracks_is_the_image():
    image, xy0, xy, visible = scene()
    visible[3] = False
    made = warp_frames(image, xy0, xy, visible)
    torch.testing.assert_close(made.frames[3], image, atol=1e-5, rtol=0)
    assert made.disoccluded[3].max() == 0
    assert made.distance[3].min() >= 32 * 2**0.5 - 1e-3


def test_resting_tracks_leave_the_image_as_it_is_and_uncover_nothing():
    image, xy0, _, _ = scene()
    made = warp_frames(image, xy0, xy0[None], torch.ones(1, len(xy0)))
    torch.testing.assert_close(made.frames[0], image, atol=1e-5, rtol=0)
    assert made.disoccluded.max() == 0


def test_the_place_an_object_has_left_is_uncovered_and_the_fill_leaves_no_ghost():
    made = warp_frames(*square_drag())
    inner = (slice(28, 36), slice(12, 20))
    assert (made.frames[1][:, 28:36, 36:44] == 1).all(), "the square arrives"
    assert made.frames[1][0][inner].mean() > 0.9, "unfilled, a ghost stands where it was"
    assert made.disoccluded[1, 0][inner].min() > 0.99
    assert made.disoccluded[1, 0][:, 50:].max() == 0
    filled = fill_disoccluded(made.frames, made.disoccluded)
    assert (filled[1][0][inner] - 0.5).abs().max() < 0.05
    assert torch.equal(filled[0], made.frames[0])


def test_content_owned_by_a_hidden_track_counts_as_covered():
    image, xy0, xy, visible = square_drag()
    on = (xy[1] != xy[0]).any(-1)
    visible[1, on] = False
    assert warp_frames(image, xy0, xy, visible).disoccluded[1].max() == 0


def test_a_camera_move_uncovers_what_lies_beyond_the_border():
    image, xy0, _, _ = scene()
    made = warp_frames(image, xy0, (xy0 + torch.tensor([8.0, 0.0]))[None], torch.ones(1, len(xy0)))
    assert made.disoccluded[0, 0, :, :6].min() == 1
    assert made.disoccluded[0, 0, :, 8:].max() == 0


def test_a_frame_with_nothing_covered_becomes_its_mean_colour():
    frame = torch.rand(1, 3, 24, 40, generator=torch.Generator().manual_seed(2))
    filled = fill_disoccluded(frame, torch.ones(1, 1, 24, 40))
    assert filled.isfinite().all()
    assert (filled - frame.mean((-1, -2), keepdim=True)).abs().max() < 0.1


def test_wrong_shapes_name_expected_and_got():
    image, xy0, xy, visible = scene()
    with pytest.raises(ValueError, match="expected image .* got"):
        warp_frames(image, xy0[:3], xy, visible)


def test_pixels_are_claimed_in_blocks_as_at_once(monkeypatch):
    from motionstream_core.tracks.warp import forward

    image = torch.rand(3, 24, 32, generator=torch.Generator().manual_seed(1))
    xy0 = torch.rand(40, 2, generator=torch.Generator().manual_seed(2)) * torch.tensor([32.0, 24.0])
    whole = forward.assign_pixels(image, xy0)
    monkeypatch.setattr(forward, "CLAIMED", 1000)
    assert torch.equal(forward.assign_pixels(image, xy0), whole)


def test_nearest_tracks_in_strips_are_those_of_whole_frames(monkeypatch):
    rng = torch.Generator().manual_seed(5)
    xy = torch.rand(3, 300, 2, generator=rng) * torch.tensor([40.0, 30.0])
    visible = torch.rand(3, 300, generator=rng) < 0.7
    whole = nearest_track(xy, visible, 31, 40)
    sizes = []
    add = torch.add
    monkeypatch.setattr(torch, "add", lambda *args, out: (sizes.append(out.numel()), add(*args, out=out))[1])
    for room in (1, 20 * 300, 3 * 20 * 300, 2 * 16 * 20 * 300):
        sizes.clear()
        monkeypatch.setitem(backward.BLOCK, "cpu", room)
        assert nearest_track(xy, visible, 31, 40).equal(whole)
        assert max(sizes) <= max(room, 20 * 300), "never more than asked for, or a row"
