"""Points that are added live: they go again, and a chunk costs the same after thousands of them."""

import time

import pytest
import torch
from core.small import drag, picture, stream

from motionstream_core.live.controls import MAX_POINTS, SetCamera, parse_control
from motionstream_core.live.live_tracks import FADE_FRAMES, LiveTracks
from motionstream_core.live.session import LiveSession
from motionstream_core.live.track_state import FREE, MAX_FADED, NoRoom
from motionstream_core.streaming.recorder import StreamRecorder


def live_tracks() -> LiveTracks:
    made = LiveTracks(
        lambda start, count: (torch.full((count, 2, 2), 470.0), torch.ones(count, 2).bool()), 832, 480, 16.0
    )
    made(0, 1)
    return made


def ask(live: LiveTracks, control: str, /, **fields) -> bool:
    return live.apply(parse_control({"type": control, **fields}), lambda places: places)


def grab_and_let_go(live: LiveTracks, number: int, way: str):
    """An unmarked place, far from those of the grabs before."""
    handle = live.state.next_handle
    at = [10 + 40 * (number % 20), 10 + 40 * (number // 20 % 11)]
    assert ask(live, "grab", hand=0, at=at, radius=6)
    if way == "fade":
        ask(live, "release", hand=0, mode="fade")
    else:
        ask(live, "release", hand=0, mode="pin")
        assert ask(live, "remove", handle=handle)


@pytest.mark.parametrize("way", ["fade", "remove"])
def test_thousands_of_grabs_later_there_are_as_many_points_as_before(way):
    live, most = live_tracks(), []
    for number in range(2_000):
        grab_and_let_go(live, number, way)
        if number % 40 == 39:
            made = live(live.state.frame, 12)
            most.append(made.xy.shape[1])
    assert max(most[25:]) <= max(most[:25]) < MAX_FADED + 40 * 30 * 3
    assert not live.state.paths and sum(1 for _ in live.state.hands) == 0
    assert len(live.handles(made.xy, made.visible)[0]) < 100


def test_a_crowd_that_has_gone_costs_nothing():
    live = live_tracks()
    for _ in range(9):
        ask(live, "add", kind="grid", points=[[number % 800, number // 2] for number in range(1000)])
    assert live(1, 12).xy.shape[1] == 9002
    for handle in range(2, 11):
        assert ask(live, "remove", handle=handle)
    live(13, 12)
    live(25, 12)
    began = time.process_time()
    made = live(37, 12)
    assert made.xy.shape[1] == 2 + MAX_FADED
    assert time.process_time() - began < 0.1


def test_without_room_nothing_is_added_and_the_control_says_so():
    live = live_tracks()
    for _ in range(9):
        ask(live, "add", kind="grid", points=[[5, 5]] * 1024)
    ask(live, "add", kind="grid", points=[[5, 5]] * (MAX_POINTS - 2 - 9 * 1024))
    with pytest.raises(NoRoom, match="expected at most 0 more points of 10000, got 1"):
        ask(live, "add", kind="pin", points=[[1, 1]])
    assert len(live.state.points) == MAX_POINTS
    assert ask(live, "camera", zoom=0.5)  # a camera goes without the points that would help it
    assert live.state.camera.control == SetCamera(zoom=0.5)
    ask(live, "remove", handle=3)
    live(1, FADE_FRAMES + 4)
    live(FADE_FRAMES + 5, 4)
    assert ask(live, "add", kind="pin", points=[[1, 1]])


def test_a_freed_place_belongs_to_its_next_point_alone():
    live = live_tracks()
    for number in range(12):  # paths, so that a later point could be taken along by a forgotten one
        ask(
            live,
            "add",
            kind="path",
            points=[[0, number], [300, number]],
            seconds=9,
            brush={"radius": 6, "spacing": 1},
        )
    ask(live, "add", kind="pin", points=[[200, 200]])  # behind them, and stays there
    for handle in range(2, 14):
        ask(live, "remove", handle=handle)
    live(1, FADE_FRAMES + 4)
    live(FADE_FRAMES + 5, 12)
    freed = (live.state.points.mode == FREE).nonzero()[:, 0]
    kept = {int(point) for path in live.state.paths for point in path.points}
    assert len(freed) > 100 and not kept & set(freed.tolist())
    ask(live, "add", kind="pin", points=[[100, 100]])
    made = live(live.state.frame, 12)
    assert (made.xy[:, freed[0]] == 100).all() and made.visible[:, freed[0]].all()
    assert not made.drives_pixels[:, freed[1:]].any()
    assert (made.anchors[freed[1:]] < -1e5).all()  # nearest to no pixel


def test_a_rewind_brings_freed_points_back():
    live = live_tracks()
    for number in range(60):
        grab_and_let_go(live, number, "remove")
    kept = live.snapshot()
    first = live(1, 12)
    live(13, 12)
    assert (live.state.points.mode == FREE).any() or len(live.state.points) < first.xy.shape[1]
    live.restore(kept)
    again = live(1, 12)
    assert torch.equal(first.xy, again.xy) and torch.equal(first.drives_pixels, again.drives_pixels)


def test_a_stream_whose_points_come_and_go_is_made_and_recorded(networks):
    session, widths = LiveSession(), []
    with StreamRecorder(16.0, 4, 2**30) as kept:
        for chunk in stream(
            networks, picture(), drag(97), "", 97, control=session, overlap_decode=False, history_bytes=0
        ):
            widths.append(chunk.xy.shape[1])
            kept.add(chunk)
            if chunk.index == 1:
                session.post(
                    {"type": "add", "kind": "grid", "points": [[number % 32, 5] for number in range(600)]}
                )
            if chunk.index == 2:
                session.post({"type": "remove", "handle": 2})
    made = kept.take(32, 32)
    assert max(widths) == 602 and widths[-1] == 2 + MAX_FADED
    assert made.tracks.count == 602 and made.tracks.frames == 97
    assert not made.tracks.visible[-1, 2:].any() and made.frames.isfinite().all()
