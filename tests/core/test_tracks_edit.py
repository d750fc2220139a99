"""Tracks edited, combined and cleaned up."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from motionstream_core.tracks import cleanup
from motionstream_core.tracks.camera.moves import camera_tracks, preset_path, regular_grid
from motionstream_core.tracks.cleanup import clean_tracks, snap_to_objects
from motionstream_core.tracks.compose import (
    DEPTHS,
    camera_over_objects,
    carry_objects,
    join_tracks,
    match_tracks,
)
from motionstream_core.tracks.edit import (
    CENTRES,
    Timing,
    jitter_tracks,
    parse_keys,
    retime_tracks,
    select_in_mask,
    select_range,
    select_spread,
    select_visible,
    smooth_tracks,
    transform_tracks,
)
from motionstream_core.tracks.types import Tracks

FRAMES = 25


def lines(count: int = 6, frames: int = FRAMES, size: int = 64) -> Tracks:
    """Points on a row of starts, each going straight to the right at its own speed."""
    share = torch.linspace(0, 1, frames)[:, None]
    x = 4 + 6.0 * torch.arange(count) + share * (4 + 3 * torch.arange(count))
    y = (10.0 + 7 * torch.arange(count)).expand(frames, -1)
    visible = torch.ones(frames, count, dtype=torch.bool)
    return Tracks(torch.stack([x, y], -1), visible, size, size, 12.0)


def wobbly(frames: int = 49, seed: int = 0) -> Tracks:
    rng = torch.Generator().manual_seed(seed)
    straight = torch.stack([torch.linspace(10, 100, frames), torch.linspace(20, 90, frames)], -1)[:, None]
    noise = 2.5 * torch.randn(frames, 4, 2, generator=rng)
    return Tracks(straight + noise, torch.ones(frames, 4, dtype=torch.bool), 128, 128)


EDITS = {
    "in mask": lambda t: t.select(select_in_mask(t, np.eye(4) > 0)),
    "range": lambda t: t.select(select_range(t, 1, -1, 2)),
    "visible": lambda t: t.select(select_visible(t, 0.5)),
    "thin": lambda t: t.select(select_spread(t, 3)),
    "transform": lambda t: transform_tracks(t, (3, -2), (1.5, -1), 30, CENTRES[1], 0.5),
    "jitter": lambda t: jitter_tracks(t, 1.0),
    "smooth": lambda t: smooth_tracks(t, 2.0),
    "retime": lambda t: retime_tracks(t, Timing("ease in", 2.0, True, 2, 3, "ping-pong", 31)),
    "clean": lambda t: clean_tracks(t, 0.3, 0.01),
    "snap": lambda t: snap_to_objects(t, np.zeros((t.height, t.width, 3)))[0],
    "join": lambda t: join_tracks(t, lines(2, 7, 32), "hold"),
    "carry": lambda t: carry_objects(t, match_tracks(lines(5, 9, 32), t, "resample")),
    "camera over": lambda t: camera_over_objects(t, match_tracks(lines(5, 9, 32), t, "resample")),
}


@pytest.mark.parametrize("name", EDITS)
@pytest.mark.parametrize("hidden", [False, True])
def test_every_edit_gives_new_sound_tracks_and_leaves_its_own_as_they_were(name, hidden):
    tracks = lines()
    if hidden:
        tracks = replace(
            tracks, visible=torch.rand(tracks.visible.shape, generator=torch.Generator().manual_seed(1)) > 0.4
        )
    before = tracks.xy.clone(), tracks.visible.clone()
    made = EDITS[name](tracks)
    assert torch.equal(tracks.xy, before[0]) and torch.equal(tracks.visible, before[1])
    assert (
        made.xy.dtype == torch.float32
        and made.visible.dtype == torch.bool
        and made.xy.shape[:2] == made.visible.shape
    )
    assert made.xy.isfinite().all() and (made.width, made.height, made.fps) == (64, 64, 12.0)
    assert made.visible.any()


@pytest.mark.parametrize(
    "name", sorted(set(EDITS) - {"snap", "join", "range", "in mask", "carry", "camera over"})
)
def test_a_single_point_in_a_single_frame_can_be_edited(name):
    tracks = Tracks(torch.tensor([[[5.0, 6.0]]]), torch.ones(1, 1, dtype=torch.bool), 64, 64)
    made = EDITS[name](tracks) if name != "retime" else retime_tracks(tracks, Timing("ease in", 2.0, True))
    assert made.frames == 1 and made.count == 1


# ---- which ones ----


def test_a_mask_of_any_size_chooses_by_the_first_frame():
    tracks = Tracks(
        torch.tensor([[[-0.5, 0.0], [31.4, 10.0], [31.6, 10.0], [63.4, 63.4], [70.0, 3.0]]]).repeat(3, 1, 1),
        torch.ones(3, 5).bool(),
        64,
        64,
    )
    left = np.array([[1.0, 0.0]])
    assert select_in_mask(tracks, left).tolist() == [True, True, False, False, False]
    assert select_in_mask(tracks, left, inside=False).tolist() == [False, False, True, True, True]
    assert select_in_mask(tracks, np.kron(left, np.ones((64, 32)))).tolist() == [
        True,
        True,
        False,
        False,
        False,
    ]
    with pytest.raises(ValueError, match="points that begin in the mask, got none of 5"):
        select_in_mask(tracks, np.zeros((8, 8)))
    with pytest.raises(ValueError, match="mask: expected finite values"):
        select_in_mask(tracks, np.full((8, 8), np.nan))


def test_a_range_counts_from_both_ends():
    tracks = lines()
    assert select_range(tracks, 1, 4).tolist() == [1, 2, 3, 4]
    assert select_range(tracks, -3, -1).tolist() == [3, 4, 5]
    assert select_range(tracks, 0, -1, 4).tolist() == [0, 4]
    for first, last in ((0, 6), (4, 2), (-7, -1)):
        with pytest.raises(ValueError, match="range: expected tracks of 0 .. 5"):
            select_range(tracks, first, last)


def test_what_is_rarely_seen_is_left_out():
    tracks = lines()
    visible = tracks.visible.clone()
    visible[: FRAMES // 2, 2] = False
    visible[:, 4] = False
    tracks = replace(tracks, visible=visible)
    assert select_visible(tracks, 1.0).tolist() == [True, True, False, True, False, True]
    assert select_visible(tracks, 0.5).tolist() == [True, True, True, True, False, True]
    assert not select_visible(tracks, 0.0)[4]
    with pytest.raises(ValueError, match="visible in 100% of the frames, got none"):
        select_visible(replace(tracks, xy=tracks.xy + 1000), 1.0)


def test_thinned_tracks_are_spread_at_least_as_well_as_every_fourth_of_a_grid():
    grid = torch.from_numpy(regular_grid(64, 64, 8, 8)).float()[None].repeat(3, 1, 1)
    shuffled = torch.randperm(64, generator=torch.Generator().manual_seed(2))
    tracks = Tracks(grid[:, shuffled], torch.ones(3, 64, dtype=torch.bool), 64, 64)
    chosen = select_spread(tracks, 16)
    places = tracks.xy[0, chosen]
    gaps = torch.cdist(places, places) + 1e3 * torch.eye(16)
    assert len(set(chosen.tolist())) == 16 and chosen.tolist() == sorted(chosen.tolist())
    assert gaps.min() >= 8 * 2**0.5 - 1e-4
    assert select_spread(tracks, 999).tolist() == list(range(64))


# ---- places ----


def test_a_transform_scales_and_turns_about_the_centre_and_then_moves():
    tracks = Tracks(
        torch.tensor([[[10.0, 20.0], [30.0, 20.0]], [[12.0, 20.0], [30.0, 26.0]]]),
        torch.ones(2, 2).bool(),
        64,
        48,
    )
    turned = transform_tracks(tracks, turn=90)  # clockwise on a canvas whose y goes down: right becomes down
    assert torch.allclose(turned.xy[0], torch.tensor([[20.0, 10.0], [20.0, 30.0]]), atol=1e-5)
    made = transform_tracks(tracks, move=(1, 2), scale=(2, 3), centre=CENTRES[1])
    assert torch.allclose(
        made.xy[0, 0], torch.tensor([31.5 + 2 * (10 - 31.5) + 1, 23.5 + 3 * (20 - 23.5) + 2])
    )
    still = transform_tracks(tracks, motion=0)
    assert torch.equal(still.xy[1], tracks.xy[0])
    assert torch.allclose(transform_tracks(tracks, motion=-2).xy[1], torch.tensor([[6.0, 20.0], [30.0, 8.0]]))
    with pytest.raises(ValueError, match="centre: expected one of"):
        transform_tracks(tracks, centre="somewhere")


def test_jitter_is_that_of_its_seed_and_begins_at_rest():
    tracks = lines(40, 60)
    made = jitter_tracks(tracks, 2.0, 4.0, seed=5)
    assert torch.equal(made.xy, jitter_tracks(tracks, 2.0, 4.0, seed=5).xy)
    assert not torch.equal(made.xy, jitter_tracks(tracks, 2.0, 4.0, seed=6).xy)
    assert torch.equal(made.xy[0], tracks.xy[0])
    away = made.xy - tracks.xy
    assert 2.0 < away[30:].std() < 4.0  # the difference of two draws of σ 2
    rough = jitter_tracks(tracks, 2.0, 0.0, seed=5).xy - tracks.xy
    assert away.diff(dim=0).std() < 0.4 * rough.diff(dim=0).std()
    state = torch.get_rng_state()
    jitter_tracks(tracks, 1.0)
    assert torch.equal(state, torch.get_rng_state())


def test_smoothing_takes_wobble_and_leaves_ends_straight_motion_and_gaps():
    tracks = lines()
    assert torch.allclose(smooth_tracks(tracks, 3.0).xy, tracks.xy, atol=1e-4)
    rough = wobbly()
    made = smooth_tracks(rough, 2.0)
    assert torch.equal(made.xy[[0, -1]], rough.xy[[0, -1]])
    assert made.xy.diff(n=2, dim=0)[2:-2].std() < 0.25 * rough.xy.diff(n=2, dim=0)[2:-2].std()
    jump = Tracks(
        torch.cat([torch.full((9, 1, 2), 5.0), torch.full((9, 1, 2), 50.0)]), torch.ones(18, 1).bool(), 64, 64
    )
    visible = jump.visible.clone()
    visible[8:10] = False
    assert torch.equal(smooth_tracks(replace(jump, visible=visible), 3.0).xy, jump.xy)
    assert not torch.equal(smooth_tracks(jump, 3.0).xy, jump.xy)
    assert torch.equal(smooth_tracks(rough, 0).xy, rough.xy)


# ---- time ----


def clock(frames: int = 21) -> Tracks:
    """One point whose x is the frame."""
    x = torch.arange(frames, dtype=torch.float32)
    return Tracks(
        torch.stack([x, torch.zeros(frames)], -1)[:, None], torch.ones(frames, 1, dtype=torch.bool), 64, 64
    )


def times(**timing) -> list[float]:
    return retime_tracks(clock(), Timing(**timing)).xy[:, 0, 0].tolist()


def test_retiming_bends_reverses_holds_and_repeats():
    assert times() == list(range(21))
    assert times(reverse=True) == list(range(20, -1, -1))
    assert times(speed=2.0)[:12] == [0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 20]
    assert times(speed=2.0, after="loop")[9:13] == [18, 20, 2, 4]
    assert times(speed=2.0, after="ping-pong")[9:13] == [18, 20, 18, 16]
    assert times(speed=0.5)[-1] == 10
    assert (
        times(hold_start=5, hold_end=5)[4:8] == [0, 0, 2, 4]
        and times(hold_start=5, hold_end=5)[15:] == [20] * 6
    )
    assert times(curve="ease in")[10] == pytest.approx(5) and times(curve="ease out")[10] == pytest.approx(15)
    assert times(curve="ease in-out")[10] == pytest.approx(10)
    assert times(keys=((0, 0), (0.5, 1), (1, 0)))[::5] == pytest.approx([0, 10, 20, 10, 0])
    assert len(times(frames=41)) == 41 and times(frames=41)[1] == 0.5


def test_a_point_hidden_for_a_while_is_hidden_at_the_moments_that_become_of_it():
    tracks = clock()
    visible = tracks.visible.clone()
    visible[5:10] = False
    made = retime_tracks(replace(tracks, visible=visible), Timing(reverse=True))
    assert made.visible[:, 0].tolist() == visible[:, 0].flip(0).tolist()


@pytest.mark.parametrize(
    ("timing", "message"),
    [
        ({"curve": "bouncy"}, "expected a curve of linear"),
        ({"speed": 0}, "speed: expected above 0"),
        ({"after": "stop"}, "hold, loop, ping-pong after it"),
        ({"hold_start": -1}, "frames of at least 0"),
        ({"hold_start": 11, "hold_end": 10}, "rests of fewer than 21 frames"),
        ({"keys": ((0, 0), (0, 1))}, "at rising times"),
        ({"keys": ((0, 0), (1, 1.5))}, "from 0 to 1"),
    ],
)
def test_a_timing_that_is_none_is_refused(timing, message):
    with pytest.raises(ValueError, match=message):
        times(**timing)


def test_keys_are_read_as_people_write_them():
    assert parse_keys("") == ()
    assert parse_keys("0 0, 0.5 0.8, 1 1") == parse_keys("0:0;0.5:0.8;1:1") == ((0, 0), (0.5, 0.8), (1, 1))
    for text in ("0 0 0", "a b", "1"):
        with pytest.raises(ValueError, match="keys: expected"):
            parse_keys(text)


# ---- two sets ----


def test_a_second_set_comes_to_the_canvas_rate_and_length_of_the_first():
    first = lines(3, 25)  # 12 frames a second
    second = replace(clock(13), width=32, height=32, fps=6.0)
    both = join_tracks(first, second, "error")
    assert both.count == 4 and both.frames == 25
    assert both.xy[[0, 2, 24], 3, 0].tolist() == pytest.approx(
        [0, 2, 24]
    )  # twice as large, twice as many frames
    with pytest.raises(ValueError, match="expected 25 frames"):
        join_tracks(first, replace(clock(13), fps=12.0), "error")


def grid_camera(move: str, depth: np.ndarray, frames: int = 13, amount: float = 0.8) -> Tracks:
    return camera_tracks(
        depth, preset_path(move, frames, amount), regular_grid(depth.shape[1], depth.shape[0], 14, 14)
    )


@pytest.mark.parametrize("move", ["zoom", "roll", "truck"])
@pytest.mark.parametrize("depth", DEPTHS)
def test_resting_objects_under_an_affine_camera_go_where_the_camera_takes_them(move, depth):
    plane, asked = np.ones((64, 96)), np.array([[20.3, 31.7], [70.1, 12.9], [47.5, 31.5]])
    camera = grid_camera(move, plane)
    objects = Tracks(torch.from_numpy(asked).float()[None].repeat(13, 1, 1), torch.ones(13, 3).bool(), 96, 64)
    wanted = camera_tracks(plane, preset_path(move, 13, 0.8), asked)
    assert (carry_objects(objects, camera, depth).xy - wanted.xy)[wanted.visible].abs().max() < 0.05
    assert (wanted.xy[-1] - wanted.xy[0]).abs().max() > 4


def test_a_moving_object_is_carried_by_the_surface_it_is_on_or_the_one_it_started_on():
    depth = np.full((64, 96), 4.0)
    depth[:, 48:] = 1.0  # the right half is near and moves four times as far
    camera = grid_camera("truck", depth, amount=0.3)
    there = torch.stack([torch.linspace(20, 76, 13), torch.full((13,), 32.0)], -1)[:, None]
    objects = Tracks(there, torch.ones(13, 1).bool(), 96, 64)
    passes, keeps = (carry_objects(objects, camera, depth).xy[-1, 0, 0] - there[-1, 0, 0] for depth in DEPTHS)
    near, far = (camera.xy[-1, at, 0] - camera.xy[0, at, 0] for at in (14 * 7 + 11, 14 * 7 + 2))
    assert passes == pytest.approx(float(near), abs=0.1) and keeps == pytest.approx(float(far), abs=0.1)
    assert abs(near) > 3 * abs(far)


def test_an_object_is_visible_where_it_was_and_where_the_camera_sees_its_place():
    camera = grid_camera("truck", np.ones((64, 96)))
    visible = camera.visible.clone()
    visible[6:, camera.xy[0, :, 0] < 48] = False
    camera = replace(camera, visible=visible)
    mine = torch.ones(13, 2).bool()
    mine[:3, 1] = False
    objects = Tracks(torch.tensor([[20.0, 30.0], [75.0, 30.0]])[None].repeat(13, 1, 1), mine, 96, 64)
    assert carry_objects(objects, camera).visible.T.tolist() == [
        [True] * 6 + [False] * 7,
        [False] * 3 + [True] * 10,
    ]


def test_background_points_of_an_object_are_left_out_and_those_behind_it_hidden():
    camera = grid_camera("static", np.ones((64, 96)))
    there = torch.stack([torch.linspace(20, 76, 13), torch.full((13,), 32.0)], -1)[:, None]
    objects = Tracks(there, torch.ones(13, 1).bool(), 96, 64)
    made = camera_over_objects(objects, camera, clearance=10.0)
    start_gap = (camera.xy[0] - there[0, 0]).norm(dim=-1)
    assert made.count == 1 + int((start_gap > 10).sum()) and 1 < made.count < camera.count + 1
    gaps = (made.xy[:, 1:] - there).norm(dim=-1)
    assert torch.equal(made.visible[:, 1:], gaps > 10)
    assert camera_over_objects(objects, camera, background=False).count == 1
    with pytest.raises(ValueError, match="camera: expected tracks of the same"):
        carry_objects(objects, grid_camera("static", np.ones((64, 64))))


def test_a_camera_of_one_point_or_of_points_on_a_line_still_carries():
    objects = lines(3, 5)
    one = Tracks(
        torch.linspace(0, 8, 5)[:, None, None].expand(5, 1, 2).clone(), torch.ones(5, 1).bool(), 64, 64
    )
    assert torch.allclose(carry_objects(objects, one).xy - objects.xy, one.xy - one.xy[:1], atol=1e-5)
    row = replace(
        one,
        xy=one.xy + torch.tensor([[[0.0, 0.0], [9.0, 0.0], [18.0, 0.0]]]),
        visible=torch.ones(5, 3).bool(),
    )
    assert torch.allclose(carry_objects(objects, row).xy - objects.xy, one.xy - one.xy[:1], atol=1e-3)


# ---- clean-up ----


def test_a_speed_limit_keeps_the_way_and_lets_a_point_catch_up():
    x = torch.tensor([0.0, 0, 0, 30, 30, 30, 30, 30, 30, 30, 30, 30])
    tracks = Tracks(torch.stack([x, x / 2], -1)[:, None], torch.ones(12, 1).bool(), 64, 64)
    made = clean_tracks(tracks, speed=5.0)
    steps = (made.xy[1:] - made.xy[:-1]).norm(dim=-1)
    assert steps.max() <= 5.01 and steps[2:8].min() > 4.9
    assert torch.allclose(made.xy[..., 1], made.xy[..., 0] / 2, atol=1e-4)
    assert torch.equal(made.xy[-1], tracks.xy[-1])
    assert (clean_tracks(tracks, speed=1.0).xy[-1] < tracks.xy[-1]).all()


def test_tracks_within_the_limits_stay_as_they_are():
    tracks = lines()
    assert clean_tracks(tracks, 100.0, 100.0) is tracks and clean_tracks(tracks) is tracks
    fast = tracks.xy.clone()
    fast[10:, 3, 0] += 40
    made = clean_tracks(replace(tracks, xy=fast), speed=3.0)
    others = [n for n in range(6) if n != 3]
    assert torch.equal(made.xy[:, others], tracks.xy[:, others]) and not torch.equal(
        made.xy[:, 3], fast[:, 3]
    )


@pytest.mark.parametrize(("speed", "jerk"), [(0, 0.5), (0, 0.01), (3.0, 0.5), (2.6, 0.05)])
def test_both_limits_hold_together_and_the_ends_stay_under_a_jerk_limit(speed, jerk):
    tracks = wobbly()
    made = clean_tracks(tracks, speed, jerk)
    paths = made.xy.double().numpy().transpose(1, 0, 2)
    assert cleanup.largest_jerks(paths).max() <= jerk + 1e-4 and (
        not speed or cleanup.longest_steps(paths).max() <= speed * 1.002
    )
    assert torch.allclose(made.xy[0], tracks.xy[0])
    if not speed:
        assert torch.allclose(made.xy[-1], tracks.xy[-1])
    assert (made.xy - tracks.xy).norm(dim=-1).mean() < 12


def test_the_stiffened_way_is_that_of_a_dense_solver():
    paths, weight = wobbly(40).xy.double().numpy().transpose(1, 0, 2), np.array([0.1, 3.0, 1e3, 1e6])
    made, third = cleanup.smooth_paths(paths, weight), np.diff(np.eye(40), n=3, axis=0)
    for n in range(4):
        system = np.eye(40) + weight[n] * third.T @ third
        wanted = np.linalg.solve(
            system[1:-1, 1:-1], paths[n, 1:-1] - system[1:-1][:, [0, -1]] @ paths[n][[0, -1]]
        )
        np.testing.assert_allclose(made[n, 1:-1], wanted, atol=1e-6)


def test_a_jump_while_hidden_is_no_speed_and_one_too_far_is_gone_through_while_hidden():
    xy = torch.cat([torch.full((5, 1, 2), 10.0), torch.full((15, 1, 2), 30.0)])
    visible = torch.ones(20, 1).bool()
    visible[4:14] = False
    tracks = Tracks(xy, visible, 64, 64)
    assert clean_tracks(tracks, speed=4.0) is tracks
    made = clean_tracks(tracks, speed=1.0)
    assert (made.xy[1:] - made.xy[:-1]).norm(dim=-1).max() <= 1.01
    assert not (made.visible & ~visible).any()


@pytest.mark.parametrize("limits", [(-1, 0), (0, float("nan"))])
def test_limits_that_are_none_are_refused(limits):
    with pytest.raises(ValueError, match="limit: expected at least 0"):
        clean_tracks(lines(), *limits)


# ---- onto the object ----


def ball(x: float = 60, y: float = 60, radius: float = 15, size: int = 128) -> tuple[np.ndarray, np.ndarray]:
    """A red ball on noisy gray, and where it is."""
    rows, columns = np.mgrid[:size, :size]
    on = np.hypot(columns - x, rows - y) < radius
    image = 0.3 + np.random.default_rng(0).normal(0, 0.02, (size, size, 3))
    image[on] = [0.9, 0.2, 0.1]
    return image, on


def drag(*starts: tuple[float, float], to: tuple[float, float] = (20, -8)) -> Tracks:
    ways = torch.linspace(0, 1, 9)[:, None, None] * torch.tensor(to)
    return Tracks(torch.tensor(starts) + ways, torch.ones(9, len(starts)).bool(), 128, 128)


@pytest.mark.parametrize("start", [(80.0, 60.0), (45.0, 47.0), (60.0, 79.0)])
def test_a_drag_begun_beside_an_object_is_put_onto_it(start):
    pytest.importorskip("cv2")
    image, on = ball()
    tracks = drag(start)
    made, moved = snap_to_objects(tracks, image, 16)
    x, y = made.xy[0, 0].round().int().tolist()
    assert moved == 1 and on[y, x] and not on[int(start[1]), int(start[0])]
    assert torch.allclose(made.xy - made.xy[:1], tracks.xy - tracks.xy[:1], atol=1e-4)
    assert (made.xy[0, 0] - tracks.xy[0, 0]).norm() < 12  # no farther than needed


def test_what_is_on_the_object_rests_or_is_far_from_any_stays():
    pytest.importorskip("cv2")
    image, _ = ball()
    for tracks in (
        drag((60.0, 60.0)),
        drag((55.0, 50.0)),
        drag((110.0, 20.0)),
        drag((80.0, 60.0), to=(0, 0)),
    ):
        made, moved = snap_to_objects(tracks, image, 16)
        assert moved == 0 and torch.equal(made.xy, tracks.xy)


def test_the_points_of_one_handle_look_for_one_object_and_pins_stay():
    pytest.importorskip("cv2")
    image, on = ball()
    brush = [(72.0 + dx, 60.0 + dy) for dx in (-6.0, 0.0, 6.0) for dy in (-6.0, 0.0, 6.0)]
    tracks = drag(*brush, (82.0, 60.0))
    made, moved = snap_to_objects(tracks, image, 16, [0] * 9 + [-1])
    places = made.xy[0, :9].round().int().tolist()
    assert all(on[y, x] for x, y in places) and moved == sum(not on[int(y), int(x)] for x, y in brush) > 0
    assert torch.equal(made.xy[:, 9], tracks.xy[:, 9])


def test_snapping_refuses_another_canvas_and_too_many_handles():
    with pytest.raises(ValueError, match=r"image: expected \(128, 128, 3\)"):
        snap_to_objects(drag((5.0, 5.0)), np.zeros((64, 64, 3)))
    with pytest.raises(ValueError, match="expected at most 256 handles, got 300"):
        snap_to_objects(drag(*[(5.0, 5.0)] * 300), np.zeros((128, 128, 3)))
