"""Where points go while people steer. Pixels of a 64×48 canvas at 16 frames a second."""

import math

import pytest
import torch

from motionstream_core.live.controls import SetCamera, parse_control
from motionstream_core.live.live_camera import LiveCamera, project
from motionstream_core.live.live_tracks import FADE_FRAMES, HIDDEN, ONLINE, PREDRAWN, STATIC, LiveTracks

START = torch.tensor([[10.0, 20.0], [30.0, 20.0], [50.0, 40.0]])
SPEED = torch.tensor([[0.5, 0.0], [0.0, 0.0], [0.0, -0.25]])


def source(start, count):
    frames = torch.arange(start, start + count)[:, None, None]
    return START + frames * SPEED, torch.ones(count, 3, dtype=torch.bool)


def motion(**options) -> LiveTracks:
    made = LiveTracks(source, 64, 48, 16.0, static=torch.tensor([False, True, False]), **options)
    made(0, 1)
    return made


def same(places):
    return places


def ask(live: LiveTracks, control: str, /, **fields) -> bool:
    return live.apply(parse_control({"type": control, **fields}), same)


def test_without_controls_the_points_are_exactly_those_of_the_tracks():
    live = motion()
    first, second = live(1, 8), live(9, 8)
    assert torch.equal(torch.cat([first.xy, second.xy]), source(1, 16)[0])
    assert torch.equal(second.anchors, START) and second.visible.all() and second.drives_pixels.all()


def test_chunks_must_be_asked_for_in_order():
    live = motion()
    with pytest.raises(ValueError, match="expected frame 1, got 5"):
        live(5, 4)


def test_a_grabbed_handle_goes_where_the_hand_goes_within_one_chunk_and_the_others_keep_their_paths():
    live = motion()
    assert ask(live, "grab", hand=0, handle=0)
    assert ask(live, "move", hand=0, to=[[10, 30], [18, 30]])
    piece = live(1, 8)
    torch.testing.assert_close(piece.xy[-1, 0], torch.tensor([18.0, 30.0]))
    torch.testing.assert_close(piece.xy[:, 1:], source(1, 8)[0][:, 1:])
    steps = piece.xy[1:, 0] - piece.xy[:-1, 0]
    assert steps.norm(dim=-1).max() < 18 / 8 + 1e-4  # the 18 px of the way, in equal steps
    torch.testing.assert_close(live(9, 4).xy[:, 0], torch.tensor([[18.0, 30.0]]).expand(4, 2))


@pytest.mark.parametrize("mode", ["keep", "pin", "fade"])
def test_letting_go_never_makes_a_point_jump(mode):
    live = motion()
    ask(live, "grab", hand=2, handle=2)
    ask(live, "move", hand=2, to=[[20, 10]])
    held = live(1, 4).xy[-1, 2]
    assert ask(live, "release", hand=2, mode=mode)
    piece = live(5, 4 * FADE_FRAMES)
    torch.testing.assert_close(held, torch.tensor([20.0, 10.0]))
    moved = (
        SPEED[2] * torch.arange(1, 4 * FADE_FRAMES + 1)[:, None]
        if mode == "keep"
        else torch.zeros(4 * FADE_FRAMES, 2)
    )
    torch.testing.assert_close(piece.xy[:, 2], held + moved)
    assert piece.drives_pixels.all()
    assert piece.visible[:, 2].sum() == (FADE_FRAMES if mode == "fade" else 4 * FADE_FRAMES)


@pytest.mark.parametrize("mode", ["keep", "pin", "fade"])
def test_a_hand_that_lets_go_before_the_chunk_still_gets_where_it_was_asked_to_go(mode):
    live = motion()
    for control in (
        {"type": "grab", "handle": 2},
        {"type": "move", "to": [[20, 10]]},
        {"type": "release", "mode": mode},
    ):
        assert live.apply(parse_control({"hand": 0, **control}), same)
    assert not ask(live, "move", hand=0, to=[[60, 40]]) and not ask(live, "release", hand=0)
    assert ask(live, "grab", hand=0, handle=0)  # the hand is free for another
    ask(live, "move", hand=0, to=[[12, 22]])
    piece = live(1, 4)
    torch.testing.assert_close(piece.xy[-1, [2, 0]], torch.tensor([[20.0, 10.0], [12.0, 22.0]]))
    after = live(5, 4)
    torch.testing.assert_close(
        after.xy[-1, 2], torch.tensor([20.0, 10.0]) + (4 * SPEED[2] if mode == "keep" else 0)
    )
    torch.testing.assert_close(after.xy[-1, 0], torch.tensor([12.0, 22.0]))


def test_a_grab_by_place_takes_all_points_within_the_radius_and_keeps_their_shape():
    live = motion()
    assert ask(live, "grab", hand=1, at=[20, 20], radius=12)
    ask(live, "move", hand=1, to=[[22, 25]])
    piece = live(1, 4)
    torch.testing.assert_close(piece.xy[-1, :2], START[:2] + torch.tensor([2.0, 5.0]))
    torch.testing.assert_close(piece.xy[-1, 2], source(4, 1)[0][0, 2])


def test_a_grab_of_an_unmarked_place_puts_points_there_and_moves_them():
    live = motion()
    assert ask(live, "grab", hand=0, at=[10, 40], radius=4)
    ask(live, "move", hand=0, to=[[16, 40]])
    piece = live(1, 4)
    added = piece.anchors[3:]
    assert len(added) > 4 and ((added - torch.tensor([10.0, 40.0])).norm(dim=-1) <= 4.01).all()
    torch.testing.assert_close(piece.xy[-1, 3:], added + torch.tensor([6.0, 0.0]))


def with_an_object() -> LiveTracks:
    """A square from (36, 6) to (55, 25) is cut out: handle 3. Track 1 goes on at (30, 20), beside it."""
    live = motion()
    mask = torch.zeros(48, 64, dtype=torch.bool)
    mask[6:26, 36:56] = True
    assert live.add_object(mask, torch.zeros(2))
    live(1, 1)
    return live


def test_a_hand_anywhere_within_an_object_takes_the_whole_of_it_and_nothing_beside_it():
    live = with_an_object()
    before = live.state.points.screen.clone()
    assert ask(live, "grab", hand=0, at=[37, 24], radius=9)  # by its corner: track 1 is 8 px away
    assert ask(live, "move", hand=0, to=[[47, 34]])
    after = live(2, 8)
    moved = (after.xy[-1] - before).norm(dim=-1)
    torch.testing.assert_close(after.xy[-1, 3:].double(), before[3:] + 10)
    assert moved[1] == 0 and len(after.anchors) == len(before)  # no new points either


def test_beside_an_object_a_hand_takes_what_is_within_its_radius():
    live = with_an_object()
    assert ask(live, "grab", hand=0, at=[30, 22], radius=4)
    assert ask(live, "move", hand=0, to=[[30, 40]])
    after = live(2, 8)
    assert after.xy[-1, 1].tolist() == [30, 38] and after.xy[-1, 3:, 1].max() < 26


def test_the_handle_of_an_object_is_in_its_middle_and_is_grabbed_there():
    live = with_an_object()
    piece = live(2, 1)
    ((handle, x, y, kind),) = live.handles(piece.xy, piece.visible)[0][3:]
    assert (handle, kind) == (3, STATIC) and math.dist((x, y), (45.5, 15.5)) <= 3
    assert ask(live, "grab", hand=0, handle=3)
    assert ask(live, "move", hand=0, to=[[20, 30]])
    piece = live(3, 8)
    assert live.handles(piece.xy, piece.visible)[-1][3] == (3, 20.0, 30.0, ONLINE)


@pytest.mark.parametrize("mode", ["keep", "pin"])
def test_what_was_on_a_thing_before_it_was_selected_goes_with_it(mode):
    live = motion()
    mask = torch.zeros(48, 64, dtype=torch.bool)
    mask[10:30, 0:40] = True  # tracks 0 and 1 are on it
    assert live.add_object(mask, torch.zeros(2))
    before = live(1, 1).xy[0]
    assert (live.state.points.handle[:3] == torch.tensor([3, 3, 2])).all()
    assert ask(live, "grab", hand=0, at=[2, 12], radius=2)
    assert ask(live, "move", hand=0, to=[[12, 22]])
    live(2, 8)
    assert ask(live, "release", hand=0, mode=mode)
    after = live(10, 8).xy[-1]
    on = torch.tensor([0, 1, *range(3, len(after))])
    torch.testing.assert_close(after[on], before[on] + 10)


def test_a_point_taken_from_another_hand_follows_the_new_one():
    live = motion()
    ask(live, "grab", hand=0, handle=0)
    ask(live, "grab", hand=1, handle=0)
    ask(live, "move", hand=0, to=[[60, 40]])
    ask(live, "move", hand=1, to=[[12, 22]])
    torch.testing.assert_close(live(1, 4).xy[-1, 0], torch.tensor([12.0, 22.0]))


def test_what_does_not_exist_is_said_to_have_done_nothing():
    live = motion()
    assert not ask(live, "move", hand=3, to=[[1, 1]])
    assert not ask(live, "release", hand=3)
    assert not ask(live, "grab", hand=3, handle=99)
    assert not ask(live, "remove", handle=99)


def test_an_added_path_starts_now_and_is_walked_in_its_time():
    live = motion()
    live(1, 4)
    assert ask(live, "add", kind="path", points=[[10, 10], [26, 10]], seconds=1.0)
    piece = live(5, 20)
    steps = torch.arange(1, 21).clamp(max=16)
    torch.testing.assert_close(piece.xy[:, 3], torch.stack([10.0 + steps, torch.full((20,), 10.0)], -1))


def test_a_released_path_that_is_kept_goes_on_from_where_it_was_put():
    live = motion()
    ask(live, "add", kind="path", points=[[10, 10], [26, 10]], seconds=1.0)
    live(1, 4)
    ask(live, "grab", hand=0, handle=3)
    ask(live, "move", hand=0, to=[[14, 30]])
    live(5, 4)
    ask(live, "release", hand=0, mode="keep")
    torch.testing.assert_close(live(9, 8).xy[-1, 3], torch.tensor([22.0, 30.0]))


def test_the_origin_says_where_an_added_point_is_anchored():
    live = motion()
    live.apply(parse_control({"type": "add", "kind": "pin", "points": [[40, 40]]}), lambda places: places - 5)
    piece = live(1, 4)
    torch.testing.assert_close(piece.anchors[3], torch.tensor([35.0, 35.0]))
    torch.testing.assert_close(piece.xy[-1, 3], torch.tensor([40.0, 40.0]))


def test_a_removed_handle_stays_where_it_was_and_the_model_is_told_no_more():
    live = motion()
    assert ask(live, "remove", handle=0)
    piece = live(1, 2 * FADE_FRAMES)
    assert (piece.xy[:, 0] == START[0]).all() and not piece.visible[-1, 0] and piece.drives_pixels[-1, 0]
    assert 0 not in {handle[0] for handle in live.handles(piece.xy, piece.visible)[-1]}


def test_the_camera_moves_everything_but_what_is_in_a_hand():
    live = motion()
    ask(live, "camera", pan=[16, -8])
    ask(live, "grab", hand=0, handle=0)
    piece = live(1, 16)
    torch.testing.assert_close(piece.xy[-1, 0], START[0])
    torch.testing.assert_close(piece.xy[-1, 1], START[1] + torch.tensor([16.0, -8.0]))
    ask(live, "release", hand=0, mode="pin")  # pinned in the world: the camera takes it along again
    torch.testing.assert_close(live(17, 16).xy[-1, 0], START[0] + torch.tensor([16.0, -8.0]))


def test_a_camera_that_scales_or_turns_gets_resting_points_where_things_rest():
    live = motion()
    ask(live, "camera", pan=[16, 0])
    assert live(1, 4).xy.shape[1] == 3  # a pan moves everything alike: nothing is needed
    ask(live, "camera", zoom=0.5)
    piece = live(5, 16)
    added = piece.anchors[3:]
    assert len(added) > 20
    screen = live.state.points.screen
    nearest = torch.cdist(added.double(), START.double() + torch.tensor([4.0, 0.0])).argmin(1)
    assert (nearest == 1).all()  # the point at rest; none beside those that move
    assert {handle[0] for handle in live.handles(piece.xy, piece.visible)[0]} == {0, 1, 2}
    ask(live, "camera", roll=5)
    assert live(21, 4).xy.shape[1] == len(screen)  # once


def test_zoom_and_roll_turn_about_the_middle_of_the_picture():
    camera = LiveCamera(64, 48, 16.0)
    camera.set(SetCamera(zoom=1.0, roll=90.0))
    matrix = camera.advance(16)[-1]
    middle = torch.tensor([[31.5, 23.5]], dtype=torch.float64)
    torch.testing.assert_close(project(matrix, middle), middle)
    moved = project(matrix, middle + torch.tensor([[4.0, 0.0]], dtype=torch.float64))
    torch.testing.assert_close(moved, middle + torch.tensor([[0.0, 8.0]], dtype=torch.float64))


def test_an_orbit_is_the_view_of_a_plane_turned_about_its_middle():
    camera = LiveCamera(64, 48, 16.0)
    camera.set(SetCamera(orbit=30.0))
    matrix = camera.advance(16)[-1]
    angle, point = math.radians(30), torch.tensor([10.0, -6.0], dtype=torch.float64)
    depth = 64 + point[0] * math.sin(angle)  # the plane is one width away, the focal length too
    expected = torch.stack([point[0] * math.cos(angle), point[1]]) * 64 / depth
    middle = torch.tensor([31.5, 23.5], dtype=torch.float64)
    torch.testing.assert_close(project(matrix, (middle + point)[None])[0], middle + expected)


def test_a_camera_that_goes_on_for_ever_stays_within_bounds():
    camera = LiveCamera(64, 48, 16.0)
    camera.set(SetCamera(zoom=8.0, roll=720.0, orbit=360.0))
    assert (
        project(camera.advance(2000)[-1], torch.tensor([[0.0, 0.0], [63.0, 47.0]], dtype=torch.float64))
        .isfinite()
        .all()
    )


def test_handles_tell_what_is_online_static_and_predrawn():
    live = motion()
    ask(live, "grab", hand=0, handle=2)
    piece = live(1, 4)
    kinds = {number: kind for number, x, y, kind in live.handles(piece.xy, piece.visible)[-1]}
    assert kinds == {0: PREDRAWN, 1: STATIC, 2: ONLINE}
    live.source = lambda start, count: (source(start, count)[0], torch.zeros(count, 3, dtype=torch.bool))
    piece = live(5, 4)
    assert {handle[3] for handle in live.handles(piece.xy, piece.visible)[0]} == {HIDDEN, ONLINE}


def test_points_of_one_group_are_one_handle_and_move_together():
    live = motion(groups=torch.tensor([4, 4, -1]))
    assert [handle[0] for handle in live.handles(*source(0, 1))[0]] == [4]
    ask(live, "grab", hand=0, handle=4)
    ask(live, "move", hand=0, to=[[12, 23]])
    torch.testing.assert_close(live(1, 4).xy[-1, :2], START[:2] + torch.tensor([2.0, 3.0]))


def test_a_snapshot_brings_everything_back():
    live = motion()
    ask(live, "camera", zoom=1.0, pan=[3, 3])
    ask(live, "grab", hand=0, handle=0)
    ask(live, "move", hand=0, to=[[20, 20]])
    live(1, 4)
    kept = live.snapshot()
    first = live(5, 4)
    ask(live, "add", kind="grid", points=[[1, 1], [9, 9]])
    ask(live, "release", hand=0, mode="fade")
    live(9, 4)
    live.restore(kept)
    again = live(5, 4)
    assert torch.equal(first.xy, again.xy) and torch.equal(first.anchors, again.anchors)


# ---- frames in flight ----


def steered() -> LiveTracks:
    live = motion()
    ask(live, "camera", pan=[4, -2], zoom=0.3, roll=5)
    ask(live, "add", kind="path", points=[[10, 10], [26, 10]], seconds=1.0)
    ask(live, "grab", hand=0, handle=0)
    ask(live, "move", hand=0, to=[[20, 20], [30, 5]])
    return live


def test_asking_for_frames_changes_nothing_and_gives_the_same_again():
    live, other = steered(), steered()
    first = live.tracks_at(range(1, 13))
    live.tracks_at(range(1, 30))
    live.tracks_at(range(5, 9))
    assert torch.equal(live.tracks_at(range(1, 13)).xy, first.xy)
    made = other(1, 12)
    assert torch.equal(made.xy, first.xy) and torch.equal(made.visible, first.visible)
    live.advance(13)
    assert torch.equal(live(13, 12).xy, other(13, 12).xy)


def test_the_call_is_asking_and_releasing():
    live, other = steered(), steered()
    for start in (1, 13, 25):
        asked = live.tracks_at(range(start, start + 12))
        live.advance(start + 12)
        made = other(start, 12)
        assert torch.equal(asked.xy, made.xy) and torch.equal(asked.anchors, made.anchors)
        assert live.state.camera.speeds == other.state.camera.speeds
        assert torch.equal(live.state.camera.matrix, other.state.camera.matrix)


def test_a_sampler_with_frames_in_flight_sees_its_hands_arrive_with_what_it_releases():
    live = motion(reach=4)
    ask(live, "grab", hand=0, handle=0)
    ask(live, "move", hand=0, to=[[18, 28]])
    seen = live.tracks_at(range(1, 13))
    torch.testing.assert_close(seen.xy[3:, 0], torch.tensor([[18.0, 28.0]]).expand(9, 2))
    live.advance(5)
    again = live.tracks_at(range(5, 17))
    torch.testing.assert_close(again.xy[:8, 0], seen.xy[4:, 0])
    torch.testing.assert_close(again.xy[:8, 1:], seen.xy[4:, 1:])


def test_a_control_bends_every_frame_that_is_not_final():
    live = motion(reach=4)
    before = live.tracks_at(range(1, 13))
    live.advance(5)
    ask(live, "camera", pan=[16, 0])
    after = live.tracks_at(range(5, 13))
    moved = after.xy[:, 1] - before.xy[4:, 1]
    torch.testing.assert_close(moved[:, 0], torch.arange(1.0, 9.0))
    torch.testing.assert_close(moved[:, 1], torch.zeros(8))


def test_frame_nought_can_be_asked_for_with_those_after_it():
    plain = LiveTracks(source, 64, 48, 16.0)
    ask(plain, "camera", pan=[16, 0])
    together = plain.tracks_at(range(9))
    torch.testing.assert_close(together.xy[:, 1, 0], 30 + torch.arange(9.0))
    plain.advance(5)
    assert torch.equal(plain.tracks_at(range(5, 9)).xy, together.xy[5:])


def test_final_frames_cannot_be_asked_for():
    live = motion()
    for frames in (range(0, 4), range(1, 1), range(1, 9, 2)):
        with pytest.raises(ValueError, match="live motion: expected frames from 1 on, got range"):
            live.tracks_at(frames)
    with pytest.raises(ValueError, match="expected a frame after 1, got 1"):
        live.advance(1)


def test_a_grab_that_finds_nothing_leaves_the_hand_as_it_is():
    live = motion()
    ask(live, "grab", hand=0, handle=0)
    assert not ask(live, "grab", hand=0, handle=99)
    assert ask(live, "move", hand=0, to=[[12, 22]])
    torch.testing.assert_close(live(1, 4).xy[-1, 0], torch.tensor([12.0, 22.0]))


def test_a_control_that_fails_changes_nothing():
    def broken(places):
        raise RuntimeError("out of memory")

    for message in (
        {"type": "grab", "hand": 0, "at": [10, 40], "radius": 4},
        {"type": "add", "kind": "path", "points": [[1, 1], [9, 9]]},
        {"type": "pin_border"},
        {"type": "camera", "zoom": 1.0},
    ):
        live, other = motion(), motion()
        with pytest.raises(RuntimeError):
            live.apply(parse_control(message), broken)
        assert torch.equal(live(1, 12).xy, other(1, 12).xy)
