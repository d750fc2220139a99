"""A stream that people steer while it runs: small untrained networks on the CPU, controls posted between two
chunks.
"""

import json
from dataclasses import replace
from functools import partial

import pytest
import torch
from core.small import drag, joined, picture
from core.small import stream as small_stream

from motionstream_core.live.boundary import MailboxFull, Repeated
from motionstream_core.live.controls import CONTROLS, MOTION_CONTROLS, parse_control
from motionstream_core.live.performance import read_performance, write_performance
from motionstream_core.live.session import LiveSession
from motionstream_core.model.cache import CacheShape
from motionstream_core.streaming import stream as stream_module
from motionstream_core.streaming.options import StreamOptions
from motionstream_core.streaming.pipeline import StreamPipeline
from motionstream_core.streaming.stream import controls_of, track_source

FRAMES = 49
# One chunk after another: what is posted on seeing a chunk takes effect in the next one.
stream = partial(small_stream, overlap_decode=False)


def play(networks, posts=(), frames=FRAMES, session=None, image=None, **options):
    """The chunks kept in the end. posts: {chunk index after which they are posted: [messages]}; a chunk's
    posts count once.
    """
    session, posts, kept = session or LiveSession(), dict(posts), []
    for chunk in stream(
        networks,
        picture() if image is None else image,
        drag(FRAMES),
        "red ball moves right",
        frames,
        control=session,
        **options,
    ):
        del kept[chunk.index :]
        kept.append(chunk)
        for message in posts.pop(chunk.index, ()):
            session.post(message)
    return kept, session


GRAB = [{"type": "grab", "hand": 0, "handle": 0}, {"type": "move", "hand": 0, "to": [[6, 8], [12, 26]]}]
STEERED = {
    1: GRAB,
    2: [{"type": "camera", "pan": [8, 0], "zoom": 0.2}, {"type": "prompt", "text": "night"}],
    3: [
        {"type": "release", "hand": 0, "mode": "keep"},
        {"type": "add", "kind": "path", "points": [[20, 20], [4, 4]], "seconds": 0.5},
    ],
    4: [{"type": "scene"}],
    5: [{"type": "camera"}, {"type": "remove", "handle": 1}],
}


def test_a_watched_stream_without_controls_is_the_same_video(networks):
    alone = list(stream(networks, picture(), drag(FRAMES), "red ball moves right", FRAMES))
    watched, _ = play(networks)
    assert torch.equal(joined(alone), joined(watched))


@pytest.mark.parametrize(
    "message",
    [*GRAB[:1], {"type": "camera", "pan": [40, 0]}, {"type": "prompt", "text": "night"}, {"type": "scene"}],
)
def test_a_control_changes_the_frames_from_the_next_chunk_on_and_none_before(networks, message):
    posts = {2: [message, *GRAB[1:]] if message["type"] == "grab" else [message]}
    before, after = play(networks)[0], play(networks, posts)[0]
    assert [torch.equal(a.frames, b.frames) for a, b in zip(before, after)][:5] == [
        True,
        True,
        True,
        False,
        False,
    ]
    assert [chunk.epoch for chunk in after][:5] == [0, 0, 0, 1, 1]


def test_a_performance_played_again_gives_the_same_frames_bit_for_bit(networks):
    live, session = play(networks, STEERED)
    text = write_performance(session.performance, seed=0)
    again, replayed = play(networks, session=LiveSession(script=read_performance(text).controls))
    assert torch.equal(joined(live), joined(again))
    assert all(torch.equal(a.xy, b.xy) and torch.equal(a.visible, b.visible) for a, b in zip(live, again))
    assert write_performance(replayed.performance, seed=0) == text
    assert [entry["type"] for entry in json.loads(text)["controls"]] == [
        message["type"] for posts in STEERED.values() for message in posts
    ]


def test_a_thing_selected_in_a_running_stream_is_a_handle_and_is_selected_again_by_the_performance(networks):
    posts = {
        1: [{"type": "add", "kind": "object", "points": [[2, 2], [14, 14]]}],
        2: [{"type": "grab", "hand": 0, "handle": 1}, {"type": "move", "hand": 0, "to": [[20, 20]]}],
        3: [{"type": "scene"}, {"type": "add", "kind": "object", "points": [[900, 900]]}],
    }
    chunks, session = play(networks, posts, carry="layered", image=with_a_thing())
    before, after = len(chunks[1].xy[0]), len(chunks[2].xy[0])
    assert after > before + 3 and len(chunks[-1].xy[0]) == after  # beyond the picture nothing is cut
    again = play(
        networks,
        session=LiveSession(script=read_performance(write_performance(session.performance, seed=0)).controls),
        carry="layered",
        image=with_a_thing(),
    )[0]
    assert torch.equal(joined(chunks), joined(again))


def with_a_thing():
    """The picture with a bright square in its corner."""
    made = 0.2 * picture()
    made[4:12, 4:12] = torch.tensor([1.0, 0.9, 0.1])
    return made


def test_a_rewind_without_new_controls_makes_the_same_frames_again(networks):
    straight, _ = play(networks, {1: GRAB})
    rewound, _ = play(networks, {1: GRAB, 5: [{"type": "rewind", "chunk": 3}]})
    assert [chunk.index for chunk in rewound] == [chunk.index for chunk in straight]
    assert torch.equal(joined(straight), joined(rewound))


def test_after_a_rewind_another_path_is_taken_and_the_dropped_one_leaves_no_trace_in_the_performance(
    networks,
):
    other = {"type": "camera", "pan": [-20, 0]}
    live, session = play(networks, {**STEERED, 5: [{"type": "rewind", "chunk": 3}, other]})
    expected, _ = play(networks, {1: STEERED[1], 2: [other]})
    assert torch.equal(joined(live), joined(expected))
    text = write_performance(session.performance)
    assert torch.equal(
        joined(play(networks, session=LiveSession(script=read_performance(text).controls))[0]), joined(live)
    )


def test_hands_of_people_let_go_in_the_past_and_the_performance_says_so(networks):
    pan = {"type": "camera", "pan": [-20, 0]}
    posts = {1: GRAB, 5: [{"type": "rewind", "chunk": 3}, pan]}
    live, session = play(networks, posts, session=LiveSession(lets_go=True))
    let_go = {"type": "release", "hand": 0, "mode": "pin"}
    assert torch.equal(joined(live), joined(play(networks, {1: GRAB, 2: [let_go, pan]})[0]))
    text = write_performance(session.performance)
    kinds = [entry["type"] for entry in json.loads(text)["controls"]]
    assert kinds == ["grab", "move", "release", "camera"]
    assert not torch.equal(joined(live), joined(play(networks, posts)[0]))  # still held: no part of the world


def test_a_rewind_reaches_back_as_far_as_the_history_has_room(networks):
    plain, _ = play(networks)
    live, _ = play(networks, {5: [{"type": "rewind", "chunk": 1}]}, history_bytes=1)
    assert torch.equal(joined(live), joined(plain))  # nothing is remembered: it goes on as if not asked
    session = LiveSession()
    for chunk in stream(
        networks, picture(), drag(FRAMES), "", FRAMES, control=session, history_bytes=4 * plain[0].cache_bytes
    ):
        if chunk.index > 1:
            assert 0 <= chunk.index - session.state["oldest_chunk"] <= 6
    assert session.state["oldest_chunk"] > 1


def test_the_history_counts_what_carries_the_pictures_of_earlier_scenes(networks):
    layered = replace(networks, carry="layered")

    def oldest(posts):
        return play(layered, posts, history_bytes=300_000)[1].state["oldest_chunk"]

    assert oldest({index: [{"type": "scene"}] for index in range(1, 7)}) > oldest({}) == 1


def test_the_history_counts_a_last_picture_that_was_decoded_after_its_moment_was_kept(networks):
    options = StreamOptions(seed=0, frames=None, fit="hold", history_bytes=10**8)
    tracks = drag(FRAMES)
    embeds = networks.text_encoder.encode("")
    source = track_source(tracks, None, "hold")
    pipeline = StreamPipeline(networks, picture(), tracks, source, embeds, options, live=True)
    chunk = pipeline.begin()
    assert chunk is not None
    pipeline.save_snapshot()
    pipeline.save_snapshot()
    before = pipeline._history_bytes()
    pipeline.finish(chunk)
    assert chunk.last.picture is not None
    assert pipeline._history_bytes() == before + chunk.last.picture.nbytes
    pipeline.close()


def test_a_pause_steps_one_chunk_at_a_time(networks):
    session, made = LiveSession(), []
    stepping = iter([{"type": "step"}, {"type": "step"}, {"type": "stop"}])

    def waiting():
        if session.status == "paused" and not session._mail:
            made.append(session.chunk)
            session.post(next(stepping))

    session.post({"type": "pause"})
    chunks = list(
        stream(networks, picture(), drag(FRAMES), "", FRAMES, control=session, check_interrupt=waiting)
    )
    assert made == [1, 2, 3] and [chunk.index for chunk in chunks] == [0, 1, 2]


def test_a_paused_stream_can_be_rewound_and_stays_paused(networks):
    session, seen = LiveSession(), []
    for chunk in stream(
        networks,
        picture(),
        drag(FRAMES),
        "",
        FRAMES,
        control=session,
        check_interrupt=lambda: _rewind_once(session, seen),
    ):
        if chunk.index == 4 and "rewound" not in seen:
            session.post({"type": "pause"})
        seen.append(chunk.index)
    assert seen[:7] == [0, 1, 2, 3, 4, "rewound", 2]


def _rewind_once(session, seen):
    if session.status != "paused" or session._mail:
        return
    if "rewound" not in seen and session.chunk == 5:
        session.post({"type": "rewind", "chunk": 2})
        seen.append("rewound")
        return
    session.post({"type": "resume"})


def test_a_paced_stream_makes_no_chunk_before_its_time(networks, monkeypatch):
    """However slow the machine: with nothing allowed for a chunk's own cost, a chunk waits until the ones
    before have been played.
    """
    monkeypatch.setattr(stream_module, "AHEAD", 0.0)
    waited = []
    for paced in (True, False):
        session = LiveSession()
        made = list(stream(networks, picture(), drag(17), "", 17, control=session, paced=paced))
        waited.append(session.paused_s)
    playing = len(made[1].frames) / drag(17).fps
    assert playing == 0.5  # seconds, of which a loaded machine needs a part for the chunk itself
    assert len(made) == 3 and waited[0] > 0.25 > waited[1]


def test_the_sink_of_a_changed_scene_holds_the_newest_frames(networks):
    kept, _ = play(networks, {3: [{"type": "scene"}]})
    small = play(networks, {3: [{"type": "scene"}]}, context=CacheShape(2, 0, 2))[0]
    assert torch.equal(
        joined(small), joined(play(networks, context=CacheShape(2, 0, 2))[0])
    )  # without a sink there is nothing to change
    assert not torch.equal(joined(kept), joined(play(networks)[0]))


def test_tracks_are_logged_as_they_were_commanded(networks):
    live, _ = play(networks, {1: GRAB})
    assert live[2].xy[-1, 0].tolist() == pytest.approx([12.0, 26.0])
    assert sum(len(chunk.xy) for chunk in live) == FRAMES and live[2].xy.shape[1] == 2


def test_networks_say_which_controls_they_take(networks):
    assert controls_of(networks) == tuple(kind for kind in CONTROLS if kind != "strength")
    lacking = type(networks)(networks.dit, networks.track_head, networks.codec, None)
    assert "prompt" not in controls_of(lacking) and set(MOTION_CONTROLS) <= set(controls_of(lacking))


def test_a_control_this_run_cannot_follow_is_refused():
    session = LiveSession(takes=("pause", "stop"))
    with pytest.raises(ValueError, match="expected one that this run takes"):
        session.post({"type": "prompt", "text": "night"})


def test_a_control_is_taken_once_and_not_faster_than_the_rate():
    session = LiveSession(rate=3)
    session.post({"type": "scene", "id": "a"})
    with pytest.raises(Repeated):
        session.post({"type": "scene", "id": "a"})
    session.post({"type": "scene", "id": "b"})
    session.post({"type": "scene"})
    with pytest.raises(MailboxFull, match="3 controls a second"):
        session.post({"type": "scene"})


MALFORMED = [
    {"type": "grab", "hand": 10, "handle": 1},
    {"type": "grab", "hand": True, "handle": 1},
    {"type": "grab", "hand": 0},
    {"type": "grab", "hand": 0, "at": [1, float("nan")], "radius": 4},
    {"type": "grab", "hand": 0, "at": [1, 2], "radius": -4},
    {"type": "move", "hand": 0, "to": []},
    {"type": "move", "hand": 0, "to": [[1, 2]] * 65},
    {"type": "move", "hand": 0, "to": [[1, 1e9]]},
    {"type": "move", "hand": 0, "to": "left"},
    {"type": "release", "hand": 0, "mode": "explode"},
    {"type": "add", "kind": "path", "points": [[1, 2]]},
    {"type": "add", "kind": "pin", "points": [[1, 2, 3]]},
    {"type": "add", "kind": "pin", "points": [[1, 2]], "brush": 3},
    {"type": "add", "kind": "pin", "points": [[1, 2]], "brush": {"radius": "big", "spacing": 1}},
    {"type": "camera", "zoom": float("inf")},
    {"type": "camera", "pan": 3},
    {"type": "camera", "roll": 1e6},
    {"type": "prompt", "text": "x" * 2001},
    {"type": "prompt"},
    {"type": "rewind", "chunk": 0},
    {"type": "rewind", "chunk": 1.5},
    {"type": "remove", "handle": -1},
]


@pytest.mark.parametrize("message", MALFORMED, ids=str)
def test_a_malformed_control_is_refused_with_what_was_expected_and_got(message):
    with pytest.raises(ValueError, match=r"expected .*got"):
        parse_control(message)


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "{",
        '{"kind": "x"}',
        '{"kind":"motionstream-performance","version":1,"controls":[{"chunk":-1,"type":"scene"}]}',
        '{"kind":"motionstream-performance","version":1,"controls":[{"chunk":1,"type":"stop"}]}',
        '{"kind":"motionstream-performance","version":2,"controls":[]}',
    ],
)
def test_a_malformed_performance_is_refused(text):
    with pytest.raises(ValueError, match="performance: expected"):
        read_performance(text)


def test_a_control_written_and_read_again_is_the_same():
    for message in [message for posts in STEERED.values() for message in posts]:
        control = parse_control(message)
        assert parse_control(json.loads(json.dumps(control.message()))) == control
