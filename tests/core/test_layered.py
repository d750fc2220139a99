"""The start image in layers: things whole and unrounded, the same background behind them in every frame."""

import numpy as np
import pytest
import torch

from motionstream_core.tracks.warp import plate as plate_module
from motionstream_core.tracks.warp.layered import LayeredWarp
from motionstream_core.tracks.warp.motions import common_motion, fit_motion, invert_motion, move_points
from motionstream_core.tracks.warp.plate import Plate

SIZE = 64
SQUARE = (slice(24, 40), slice(8, 24))


def texture(seed=0, size=SIZE):
    coarse = torch.rand(1, 3, size // 4, size // 4, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(coarse, size=(size, size), mode="bicubic").clamp(0, 1)[0] * 0.4


def grid(x0, y0, x1, y1, step):
    rows, columns = torch.meshgrid(torch.arange(y0, y1, step), torch.arange(x0, x1, step), indexing="ij")
    return torch.stack([columns, rows], -1).reshape(-1, 2).float()


def scene():
    """A striped square on a dark texture -> image, the square's points, the ground's."""
    image = texture()
    image[:, SQUARE[0], SQUARE[1]] = 0.6 + 0.4 * (torch.arange(16) // 2 % 2).float()
    ground = grid(3, 3, SIZE, SIZE, 6.0)
    x, y = ground.unbind(-1)
    ground = ground[~((x > 5) & (x < 27) & (y > 21) & (y < 43))]
    return image, grid(9.5, 25.5, 24, 40, 3.0), ground


def paths(square, ground, shifts):
    """Tracks whose square goes to each of `shifts` (T, 2) while the ground rests."""
    shifts = torch.tensor(shifts, dtype=torch.float32)
    xy = torch.cat([square + shifts[:, None], ground.expand(len(shifts), -1, -1)], 1)
    return xy, torch.ones(xy.shape[:2], dtype=torch.bool)


def carried(image, xy, visible, handles=None, start=None):
    return LayeredWarp.of(image, xy[0] if start is None else start, handles)(xy, visible)


def rough(picture):
    """Mean step from one column to the next."""
    return float((picture[..., 1:] - picture[..., :-1]).abs().mean())


@pytest.mark.parametrize("half", [0.5, 1.5, 10.5, 11.25])
def test_a_shift_of_a_fraction_of_a_pixel_tears_no_stripes(half):
    """A smooth square, so that whatever is rough is torn."""
    image, square, ground = scene()
    ramp = torch.linspace(0.6, 1.0, 16)
    image[:, SQUARE[0], SQUARE[1]] = ramp
    made, _ = carried(image, *paths(square, ground, [[0, 0], [half, 0], [half, 0]]))
    low = int(8 + half) + 3
    inside = made.frames[-1, 0, 28:36, low : low + 10]
    expected = np.interp(np.arange(low, low + 10) - half, np.arange(8, 24), ramp.numpy())
    np.testing.assert_allclose(inside.numpy(), np.broadcast_to(expected, inside.shape), atol=0.02)
    assert rough(inside) < 1.2 * float(ramp[1] - ramp[0])


def test_a_thing_that_turns_stays_whole():
    image, square, ground = scene()
    image[:, SQUARE[0], SQUARE[1]] = 1.0
    centre = torch.tensor([16.0, 32.0])
    turns = []
    for angle in (0.0, 0.4, 0.8):
        c, s = np.cos(angle), np.sin(angle)
        matrix = torch.tensor([[c, -s], [s, c]], dtype=torch.float32)
        turns.append((square - centre) @ matrix.T + centre + torch.tensor([20.0, 0.0]) * angle)
    xy = torch.stack([torch.cat([turn, ground]) for turn in turns])
    made, after = carried(image, xy, torch.ones(xy.shape[:2], dtype=torch.bool))
    assert len(after.layers) == 1
    rows, columns = np.mgrid[:SIZE, :SIZE] + 0.5
    back = (np.stack([columns, rows], -1) - [32.0, 32.0]) @ matrix.numpy()
    inner = (np.abs(back) < 6).all(-1)
    outer = (np.abs(back) > 11).any(-1)
    assert made.frames[-1, 0].numpy()[inner].min() > 0.95
    assert made.frames[-1, 0].numpy()[outer].max() < 0.55


def test_what_is_uncovered_has_texture_and_is_the_same_in_every_frame():
    image, square, ground = scene()
    xy, visible = paths(square, ground, [[3.0 * t, 0] for t in range(11)])
    made, after = carried(image, xy, visible)
    vacated = made.frames[-3:, :, 26:38, 10:22]
    assert vacated.max() < 0.5, "nothing of the square is left"
    assert torch.equal(vacated[0], vacated[-1])
    assert rough(vacated[-1]) > 0.4 * rough(texture()[:, 26:38, 10:22])
    assert made.disoccluded[-1, 0, 26:38, 10:22].min() == 1
    assert made.disoccluded[-1, 0, 28:36, 44:50].max() == 0


def test_pieces_equal_the_whole_and_asking_changes_nothing():
    image, square, ground = scene()
    xy, visible = paths(square, ground, [[1.7 * t, 0.3 * t] for t in range(9)])
    first = LayeredWarp.of(image, xy[0])
    whole, _ = first(xy, visible)
    again, _ = first(xy, visible)
    assert torch.equal(whole.frames, again.frames)
    carry = first
    for start, stop in ((0, 1), (1, 5), (5, 9)):
        part, carry = carry(xy[start:stop], visible[start:stop])
        for a, b in zip(part, whole, strict=True):
            assert torch.equal(a, b[start:stop])


def test_tracks_at_rest_give_back_the_image():
    image, square, ground = scene()
    made, after = carried(image, *paths(square, ground, [[0, 0]] * 3))
    assert torch.equal(made.frames, image.expand(3, -1, -1, -1))
    assert made.disoccluded.max() == 0 and not after.layers


def test_a_pan_shows_a_filled_canvas_that_moves_along():
    image = texture()
    ground = grid(3, 3, SIZE, SIZE, 6.0)
    shifts = torch.tensor([[0.0, 0], [6.5, 0], [10.0, 0]])
    xy = ground + shifts[:, None]
    made, _ = carried(image, xy, torch.ones(xy.shape[:2], dtype=torch.bool))
    torch.testing.assert_close(made.frames[2, :, :, 12:], image[:, :, 2:-10], atol=1e-4, rtol=0)
    assert made.disoccluded[2, 0, :, :9].min() == 1 and made.disoccluded[2, 0, :, 12:].max() == 0
    assert rough(made.frames[2, :, :, :9]) > 0.3 * rough(image)
    half = (image[:, :, 20:-20] + image[:, :, 21:-19]) / 2
    torch.testing.assert_close(made.frames[1, :, :, 27:-13], half, atol=1e-3, rtol=0)


def test_a_plate_is_kept_where_it_was_shown_when_more_is_uncovered():
    image, square, ground = scene()
    image[:, 44:56, 44:56] = 0.9
    second = grid(45.5, 45.5, 56, 56, 3.0)
    rests = ground[((ground - 50).abs() > 9).any(-1)]
    steps = torch.zeros(2, 24, 1, 2)
    steps[0, :, 0, 0] = torch.arange(24.0).clamp(max=8) * 3
    steps[1, 12:, 0, 1] = -2.5 * torch.arange(12.0)
    xy = torch.cat([square + steps[0], second + steps[1], rests.expand(24, -1, -1)], 1)
    made, after = carried(image, xy, torch.ones(xy.shape[:2], dtype=torch.bool))
    assert len(after.layers) == 2
    hole = made.frames[:, :, 27:37, 11:20]
    assert torch.equal(hole[11], hole[23]) and made.frames[23, :, 47:53, 47:53].max() < 0.6


def test_what_hides_the_other_ones_points_is_before_it():
    image, square, ground = scene()
    image[:, 24:40, 40:56] = torch.tensor([0.9, 0.1, 0.1])[:, None, None]
    second = grid(41.5, 25.5, 56, 40, 3.0)
    rests = ground[~(((ground - torch.tensor([48.0, 32.0])).abs() < 12).all(-1))]
    for before in (0, 1):
        shifts = torch.arange(8.0)[:, None, None] * torch.tensor([2.2, 0.0])
        xy = torch.cat([square + shifts, second - shifts, rests.expand(8, -1, -1)], 1)
        visible = torch.ones(xy.shape[:2], dtype=torch.bool)
        behind = slice(len(square), len(square) + len(second)) if before == 0 else slice(0, len(square))
        left = (xy[:, : len(square)].mean(1), xy[:, len(square) : len(square) + len(second)].mean(1))[before]
        inside = ((xy - left[:, None]).abs() < 8).all(-1)
        visible[:, behind] &= ~inside[:, behind]
        made, _ = carried(image, xy, visible)
        middle = made.frames[-1, :, 28:36, 30:34]
        assert (middle[1].mean() > 0.5) == (before == 0)


def test_a_handle_is_one_thing_and_takes_nothing_along():
    """One brush on the square, nothing else painted: the square goes, the ground rests."""
    image, square, _ = scene()
    brush = square[((square - torch.tensor([16.0, 32.0])).norm(dim=-1) < 6)]
    xy = brush + torch.tensor([[0.0, 0.0], [10.0, 0.0], [20.0, 4.0]])[:, None]
    visible = torch.ones(xy.shape[:2], dtype=torch.bool)
    made, after = carried(image, xy, visible, torch.zeros(len(brush), dtype=torch.long))
    assert len(after.layers) == 1
    torch.testing.assert_close(made.frames[-1, :, :, 50:], image[:, :, 50:], atol=1e-5, rtol=0)
    assert made.frames[-1, :, 33:40, 32:40].mean() > 0.7 > 0.45 > made.frames[-1, :, 27:37, 11:21].max()


# ---- bad input ----


def finite(made):
    assert torch.isfinite(made.frames).all() and made.frames.min() > -0.01 and made.frames.max() < 1.01


@pytest.mark.parametrize(
    ("name", "places"),
    [
        ("one point", [[16.0, 32.0]]),
        ("a line", [[10.0 + 2 * k, 32.0] for k in range(6)]),
        ("one place", [[16.0, 32.0]] * 5),
    ],
)
def test_few_points_points_in_a_line_and_in_one_place_carry_the_square(name, places):
    image, _, ground = scene()
    xy, visible = paths(torch.tensor(places), ground, [[0, 0], [10, 0], [20, 0]])
    made, after = carried(image, xy, visible)
    finite(made)
    assert len(after.layers) == 1
    assert made.frames[-1, :, 28:36, 34:38].mean() > 0.6
    torch.testing.assert_close(made.frames[-1, :, 50:], image[:, 50:], atol=1e-5, rtol=0)


def test_points_that_collapse_keep_the_thing_as_large_as_it_was():
    image, square, ground = scene()
    xy, visible = paths(square, ground, [[0, 0], [8, 0], [16, 0]])
    xy[2, : len(square)] = torch.tensor([32.0, 32.0])
    made, _ = carried(image, xy, visible)
    finite(made)
    assert made.frames[2, :, 26:38, 26:38].mean() > 0.55


def test_a_thing_that_fills_the_picture_leaves_its_own_colour():
    image, points = texture(), grid(3, 3, SIZE, SIZE, 6.0)
    handle = torch.zeros(len(points), dtype=torch.long)
    xy = points + torch.tensor([[0.0, 0.0], [9.5, 0.0], [30.0, 0.0]])[:, None]
    made, _ = carried(image, xy, torch.ones(xy.shape[:2], dtype=torch.bool), handle)
    finite(made)
    alone = LayeredWarp.of(image, points[:1], torch.zeros(1, dtype=torch.long))
    finite(alone(xy[:, :1], torch.ones(3, 1, dtype=torch.bool))[0])


def test_two_things_in_one_place_are_both_there_until_they_part():
    image, square, ground = scene()
    xy = torch.cat([square, square, ground])
    xy = xy.expand(6, -1, -1).clone()
    steps = torch.arange(6.0)[:, None, None] * 3
    xy[:, : len(square)] += steps * torch.tensor([1.0, 0.0])
    xy[:, len(square) : 2 * len(square)] += steps * torch.tensor([0.0, -1.0])
    made, _ = carried(image, xy, torch.ones(xy.shape[:2], dtype=torch.bool))
    finite(made)


def test_a_thing_that_leaves_and_returns_is_shown_again_and_not_meanwhile():
    image, square, ground = scene()
    xy, visible = paths(square, ground, [[0, 0], [8, 0], [16, 0], [90, 0], [16, 0], [0, 0]])
    visible[3, : len(square)] = False
    made, after = carried(image, xy, visible)
    finite(made)
    assert made.frames[3].max() < 0.55, "gone"
    torch.testing.assert_close(made.frames[4], made.frames[2])
    assert made.frames[5, :, 27:37, 11:21].mean() > 0.7


def test_a_camera_whose_background_has_no_track_left_holds_it_where_it_was():
    image, square, ground = scene()
    xy = torch.cat([square, ground]).expand(3, -1, -1) + torch.tensor([[0.0, 0], [4, 0], [8, 0]])[:, None]
    visible = torch.ones(xy.shape[:2], dtype=torch.bool)
    visible[2] = False
    made, _ = carried(image, xy, visible)
    finite(made)
    torch.testing.assert_close(made.frames[2], made.frames[1])


def test_tracks_without_any_visible_give_the_image_and_shapes_are_checked():
    image, square, ground = scene()
    xy, visible = paths(square, ground, [[0, 0], [9, 0]])
    made, _ = carried(image, xy, torch.zeros_like(visible))
    assert torch.equal(made.frames, image.expand(2, -1, -1, -1))
    with pytest.raises(ValueError, match=r"expected xy \(T, \d+, 2\)"):
        LayeredWarp.of(image, xy[0])(xy[:, :-1], visible)


def test_points_added_later_leave_what_was_known():
    image, square, ground = scene()
    xy, visible = paths(square, ground, [[0, 0], [10, 0], [20, 0]])
    _, after = carried(image, xy, visible)
    more = torch.cat([xy[0], torch.tensor([[50.0, 50.0], [-1e6, -1e6]])])
    wider = after.with_tracks(more)
    there = torch.cat([xy[2], torch.tensor([[50.0, 50.0], [-1e6, -1e6]])])[None]
    seen = torch.ones(1, len(more), dtype=torch.bool)
    torch.testing.assert_close(wider(there, seen)[0].frames[0], after(xy[2:], visible[2:])[0].frames[0])


def test_where_a_place_comes_from():
    image, square, ground = scene()
    xy, visible = paths(square, ground, [[0, 0], [10, 0], [20.5, 0]])
    _, after = carried(image, xy, visible)
    places = torch.tensor([[36.5, 32.0], [55.0, 12.0]])
    found = after.to_reference(xy[2], visible[2], places)
    torch.testing.assert_close(found, torch.tensor([[16.0, 32.0], [55.0, 12.0]]), atol=1e-3, rtol=0)


# ---- motions ----


def test_a_motion_is_as_rich_as_its_points_tell():
    rng = np.random.default_rng(0)
    points = rng.uniform(0, 40, (12, 2))
    turn = np.array([[0.9, -0.3, 4.0], [0.3, 0.9, -2.0]])
    shear = np.array([[1.1, 0.4, 4.0], [0.0, 0.8, -2.0]])
    np.testing.assert_allclose(fit_motion(points, move_points(turn, points)), turn, atol=1e-9)
    np.testing.assert_allclose(fit_motion(points, move_points(shear, points)), shear, atol=1e-9)
    np.testing.assert_allclose(
        move_points(invert_motion(shear), move_points(shear, points)), points, atol=1e-9
    )
    one = fit_motion(points[:1], points[:1] + 3)
    np.testing.assert_allclose(one, [[1, 0, 3], [0, 1, 3]])
    few = fit_motion(points[:3], move_points(shear, points[:3]))
    assert few[0, 0] == few[1, 1] and few[0, 1] == -few[1, 0]


def test_a_background_is_what_the_widest_points_agree_on():
    rng = np.random.default_rng(1)
    wide, dense = rng.uniform(0, 100, (12, 2)), rng.uniform(40, 55, (40, 2))
    source = np.concatenate([wide, dense])
    target = source + np.where(np.arange(52)[:, None] < 12, [[2.0, 0.0]], [[9.0, 5.0]])
    motion, agree = common_motion(source, target, np.ones(52), 1.0, spread=True)
    np.testing.assert_allclose(motion[:, 2], [2.0, 0.0], atol=1e-6)
    assert agree[:12].all() and not agree[12:].any()
    _, agree = common_motion(source, target, np.ones(52), 1.0, spread=False)
    assert agree[12:].all() and not agree[:12].any()


def test_holes_of_one_chunk_are_painted_once_and_shown_from_their_own_frame_on(monkeypatch):
    holes = []
    fill = plate_module._fill_canvas

    def counted(canvas, hole, before):
        holes.append(int(hole.sum()))
        return fill(canvas, hole, before)

    monkeypatch.setattr(plate_module, "_fill_canvas", counted)
    image = texture()
    left = torch.zeros(SIZE, SIZE, dtype=torch.bool)
    left[10:20, 10:20] = True
    right = left.roll(30, 1)
    first = Plate.of(image)
    second = first.with_hole(left, 1)
    third = second.with_hole(right, 3)
    painted = third.painted()
    assert holes == [200] and painted.pending is None and painted.painted() is painted
    assert first.painted_as(painted).canvas.equal(image)
    shown = second.painted_as(painted).canvas
    assert shown[:, left].equal(painted.canvas[:, left]) and shown[:, right].equal(image[:, right])
    assert not painted.canvas[:, left].equal(image[:, left])
    wider = painted.with_margin(5).with_hole(left.roll(30, 0), 6)
    assert (
        wider.painted_as(wider.painted())
        .canvas[:, ~wider.filled]
        .equal(torch.nn.functional.pad(image, (wider.margin,) * 4)[:, ~wider.filled])
    )
    assert len(holes) == 2
    narrow = painted.painted_as(wider.painted())
    assert narrow.canvas.shape == image.shape and narrow.canvas[:, ~narrow.filled].equal(
        image[:, ~narrow.filled]
    )
