"""The next chunk is begun while the frames of this one are on their way: the same frames, and nobody who
watches or steers loses any.
"""

import threading

import pytest
import torch
from core.small import drag, joined, picture, stream
from core.test_live_stream import FRAMES, GRAB, STEERED, play

from motionstream_core.live.performance import read_performance, write_performance
from motionstream_core.live.session import LiveSession
from motionstream_core.streaming.decoders import InlineDecoder, ThreadDecoder, open_decoder


def streamed(networks, frames=FRAMES, **options):
    return stream(networks, picture(), drag(FRAMES), "red ball moves right", frames, **options)


def watch(networks, monkeypatch, log):
    """Writes down what begins and ends: transformer passes (by whether they commit) and decodes."""
    decode, forward = networks.codec.decode_chunk, type(networks.dit).forward

    def seen(*arguments):
        log.append("decode begins")
        made = decode(*arguments)
        log.append("decode ends")
        return made

    def passed(self, x, timestep, text, context):
        log.append("clean pass" if context.write else "step")
        return forward(self, x, timestep, text, context)

    monkeypatch.setattr(networks.codec, "decode_chunk", seen)
    monkeypatch.setattr(type(networks.dit), "forward", passed)


def test_frames_decoded_in_a_thread_of_their_own_are_the_same(networks):
    plain, beside = (
        list(streamed(networks, overlap_decode=False)),
        list(streamed(networks, overlap_decode=True)),
    )
    assert torch.equal(joined(plain), joined(beside)) and [chunk.start for chunk in plain] == [
        chunk.start for chunk in beside
    ]
    assert all(torch.equal(a.latents, b.latents) and torch.equal(a.xy, b.xy) for a, b in zip(plain, beside))
    assert all(chunk.timings["decode_s"] > 0 and chunk.latency_s > 0 for chunk in beside)


def test_the_next_chunk_takes_its_steps_while_this_one_is_decoded(networks, monkeypatch):
    log, stepped = [], threading.Event()
    watch(networks, monkeypatch, log)
    decode = networks.codec.decode_chunk

    def slow(latents, state):
        if (
            log.count("decode ends") == 1
        ):  # chunk 1: its decode ends when the steps of chunk 2 are made, or not at all
            assert stepped.wait(60), "the next chunk was not begun beside the decode"
        return decode(latents, state)

    def interrupted():
        if log.count("step") >= 4:  # two of chunk 1, two of chunk 2
            stepped.set()

    monkeypatch.setattr(networks.codec, "decode_chunk", slow)
    assert len(joined(list(streamed(networks, overlap_decode=True, check_interrupt=interrupted)))) == FRAMES


def test_the_first_frames_wait_for_no_other_chunk(networks, monkeypatch):
    log = []
    watch(networks, monkeypatch, log)
    next(streamed(networks, overlap_decode=True))
    assert "step" not in log and log.count("decode ends") == 1


def test_what_is_seen_and_steered_takes_effect_in_the_first_chunk_not_yet_begun(networks):
    before, _ = play(networks, overlap_decode=True)
    after, session = play(networks, {2: GRAB}, overlap_decode=True)
    assert [torch.equal(a.frames, b.frames) for a, b in zip(before, after)] == [True] * 4 + [False] * (
        len(after) - 4
    )
    assert [chunk.epoch for chunk in after] == [0] * 4 + [1] * (len(after) - 4)
    assert {chunk for chunk, _ in session.performance} == {4}


def test_a_performance_given_ahead_is_the_same_video_played_plainly(networks):
    live, session = play(networks, STEERED, overlap_decode=True)
    text = write_performance(session.performance, seed=0)
    for beside in (False, True):
        again, replayed = play(
            networks, session=LiveSession(script=read_performance(text).controls), overlap_decode=beside
        )
        assert torch.equal(joined(live), joined(again)), beside
        assert all(
            torch.equal(a.xy, b.xy) and a.handles == b.handles and a.epoch == b.epoch
            for a, b in zip(live, again)
        )
        assert write_performance(replayed.performance, seed=0) == text


def test_a_rewind_drops_what_was_begun_and_makes_the_same_again(networks):
    first, again, session = {}, {}, LiveSession()
    for chunk in streamed(
        networks, None, fit="hold", control=session, overlap_decode=True, history_bytes=2**30
    ):
        (again if chunk.index in again or chunk.index in first else first)[chunk.index] = chunk
        if chunk.index == 4 and not again:
            session.post({"type": "rewind", "chunk": 2})
        if chunk.index == 4 and again:
            session.post({"type": "stop"})
    assert sorted(again)[0] == 2 and set(again) >= {2, 3, 4}
    assert all(torch.equal(first[index].frames, again[index].frames) for index in (2, 3, 4))


def test_who_pauses_sees_all_that_was_made(networks):
    """The frames on their way are handed out before the stream waits."""
    session, seen, polls = LiveSession(), [], []

    def polled():
        if session.status == "paused":
            polls.append(list(seen))
            session.post({"type": "stop"})

    for chunk in streamed(
        networks, None, fit="hold", control=session, overlap_decode=True, check_interrupt=polled
    ):
        seen.append(chunk.index)
        if chunk.index == 2:
            session.post({"type": "pause"})
    assert polls and polls[0] == seen == [0, 1, 2, 3]


def test_one_step_makes_one_chunk(networks):
    session, seen = LiveSession(), []

    def polled():
        if session.status == "paused":
            session.post({"type": "step" if len(seen) < 6 else "stop"})

    session.post({"type": "pause"})
    steps = []
    for chunk in streamed(
        networks, None, fit="hold", control=session, overlap_decode=True, check_interrupt=polled
    ):
        seen.append(chunk.index)
        steps.append(session.chunk)
    assert seen == list(range(len(seen))) and len(seen) >= 6
    assert steps == seen, "a chunk was begun that nobody had stepped to"


@pytest.mark.parametrize("steered", [False, True])
def test_what_was_made_is_handed_out_before_an_interrupt_gets_through(networks, steered):
    seen = []

    def interrupt():
        if len(seen) == 2:  # chunks 0 and 1 were handed out, 2 is on its way, 3 takes its steps
            raise KeyboardInterrupt("cancelled")

    with pytest.raises(KeyboardInterrupt, match="cancelled"):
        for chunk in streamed(
            networks,
            overlap_decode=True,
            check_interrupt=interrupt,
            control=LiveSession() if steered else None,
        ):
            seen.append(chunk.index)
    assert seen == [0, 1, 2]


def test_a_decode_that_fails_is_told_in_its_place(networks, monkeypatch):
    decode, count = networks.codec.decode_chunk, []

    def fails(*arguments):
        count.append(1)
        if len(count) == 3:
            raise RuntimeError("no memory for chunk 2")
        return decode(*arguments)

    monkeypatch.setattr(networks.codec, "decode_chunk", fails)
    seen = []
    with pytest.raises(RuntimeError, match="no memory for chunk 2"):
        for chunk in streamed(networks, overlap_decode=True):
            seen.append(chunk.index)
    assert seen == [0, 1]


def test_the_thread_ends_with_the_stream(networks):
    def alive():
        return sum(thread.name.startswith("motionstream-decode") for thread in threading.enumerate())

    before = alive()
    for close in (False, True):
        chunks = streamed(networks, 13, fit="hold", overlap_decode=True)
        next(chunks)
        assert alive() == before + 1
        if close:
            chunks.close()
        else:
            list(chunks)
        assert alive() == before


def test_a_lane_of_its_own_keeps_the_mode_of_whoever_asks():
    for mode in (torch.inference_mode, torch.no_grad):
        with mode():
            lane = ThreadDecoder()
            asked = lane.begin(
                torch.zeros(1),
                lambda: (torch.ones(2) * 2, (torch.is_inference_mode_enabled(), torch.is_grad_enabled())),
            )
        assert asked.state == (mode is torch.inference_mode, False)
        lane.close()


@pytest.mark.parametrize(
    ("threads", "beside", "light", "expected"),
    [
        (1, None, True, InlineDecoder),
        (4, None, True, ThreadDecoder),
        (4, None, False, InlineDecoder),
        (4, False, True, InlineDecoder),
        (1, True, False, ThreadDecoder),
    ],
)
def test_on_a_cpu_decoding_has_a_thread_of_its_own_where_there_are_threads_for_both(
    threads, beside, light, expected
):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        lane = open_decoder(torch.device("cpu"), beside, light)
        counts = (
            torch.get_num_threads(),
            lane.begin(torch.zeros(1), lambda: (torch.ones(1), torch.get_num_threads())).state,
        )
        lane.close()
        assert type(lane) is expected and torch.get_num_threads() == threads
        assert counts == (
            (max(1, threads - threads // 2), max(1, threads // 2))
            if expected is ThreadDecoder
            else (threads, threads)
        )
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("messages", "not_before", "at_once"),
    [
        ([], 0.0, True),
        (GRAB, 0.0, True),
        ([{"type": "pause"}], 0.0, False),
        ([{"type": "stop"}], 0.0, False),
        ([{"type": "rewind", "chunk": 1}], 0.0, False),
        ([], float("inf"), False),
    ],
)
def test_a_border_is_passed_at_once_only_where_nobody_wants_to_wait(messages, not_before, at_once):
    session = LiveSession()
    for message in messages:
        session.post(message)
    border = session.try_boundary(3, not_before)
    assert (border is not None) == at_once
    if border is None:
        assert session.log == () and session.epoch == 0 and session.status == "running"
    else:
        assert (
            border.go
            and border.rewind is None
            and len(border.controls) == len(messages)
            and session.epoch == bool(messages)
        )
