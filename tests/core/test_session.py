"""The live session: controls from many threads, taken at chunk borders."""

import threading
import time

import pytest

from motionstream_core.live.boundary import MailboxFull, SessionEnded
from motionstream_core.live.controls import MAX_MOVES, Move, RefusedControl, Release, parse_control
from motionstream_core.live.session import (
    MAILBOX,
    MAILBOX_POINTS,
    MAX_REPORTED,
    LiveSession,
)


def test_every_session_has_its_own_unguessable_token():
    tokens = {LiveSession().token for _ in range(50)}
    assert len(tokens) == 50
    assert min(map(len, tokens)) >= 22


def test_a_stop_ends_the_stream_at_the_next_chunk_border_and_is_logged_with_it():
    session = LiveSession()
    assert session.wait_at_boundary(0).go
    assert session.post({"type": "stop"}) == 0
    assert not session.wait_at_boundary(1).go
    assert [(applied.control.type, applied.chunk) for applied in session.log] == [("stop", 1)]
    assert session.stopped


def test_a_pause_holds_the_stream_until_the_resume_of_another_thread():
    session = LiveSession()
    session.post({"type": "pause"})
    polls = []
    threading.Timer(0.2, session.post, ({"type": "resume"},)).start()
    began = time.monotonic()
    assert session.wait_at_boundary(3, lambda: polls.append(session.status)).go
    assert time.monotonic() - began >= 0.15
    assert len(polls) >= 2 and set(polls) == {"paused"}
    assert session.paused_s >= 0.15
    assert [(applied.control.type, applied.chunk) for applied in session.log] == [("pause", 3), ("resume", 3)]


def test_a_stop_wakes_a_paused_stream():
    session = LiveSession()
    session.post({"type": "pause"})
    threading.Timer(0.05, session.post, ({"type": "stop"},)).start()
    assert not session.wait_at_boundary(1).go


def test_an_interrupt_gets_through_a_pause():
    class Interrupted(BaseException):
        pass

    def interrupt():
        raise Interrupted

    session = LiveSession()
    session.post({"type": "pause"})
    with pytest.raises(Interrupted):
        session.wait_at_boundary(1, interrupt)


def test_a_resume_without_a_pause_changes_nothing():
    session = LiveSession()
    session.post({"type": "resume"})
    assert session.wait_at_boundary(1).go
    assert session.status == "running"


@pytest.mark.parametrize(
    "message",
    [{}, {"type": None}, {"type": "explode"}, {"type": ["stop"]}, {"type": {"a": 1}}, [], "stop", None, 3],
)
def test_a_malformed_control_is_refused_with_the_controls_that_exist(message):
    session = LiveSession()
    with pytest.raises(ValueError, match="expected"):
        session.post(message)
    assert session.wait_at_boundary(0).go and session.log == ()


def test_the_mailbox_is_bounded():
    session = LiveSession(rate=10 * MAILBOX)
    for _ in range(MAILBOX):
        session.post({"type": "resume"})
    with pytest.raises(MailboxFull, match=str(MAILBOX)):
        session.post({"type": "resume"})
    assert session.wait_at_boundary(0).go
    session.post({"type": "resume"})


@pytest.mark.parametrize("status", ["done", "stopped", "interrupted", "error"])
def test_a_control_after_the_end_is_late(status):
    session = LiveSession()
    session.close(status)
    session.close("done")
    assert session.status == status
    with pytest.raises(SessionEnded, match=status):
        session.post({"type": "stop"})


def test_controls_posted_from_many_threads_all_arrive_once():
    session = LiveSession()
    threads = [
        threading.Thread(target=lambda: [session.post({"type": "resume"}) for _ in range(5)])
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert session.wait_at_boundary(2).go
    assert len(session.log) == 40
    assert {applied.chunk for applied in session.log} == {2}


def test_watchers_are_told_of_every_change():
    seen = []
    session = LiveSession(on_change=lambda: seen.append((session.status, session.chunk)))
    session.wait_at_boundary(0)
    session.post({"type": "stop"})
    session.wait_at_boundary(1)
    session.close("stopped")
    assert ("running", 0) in seen and ("stopping", 1) in seen
    assert seen[-1] == ("stopped", 1)


# ---- what a control cannot do ----


def taken(session: LiveSession, chunk: int, *messages: dict):
    for message in messages:
        session.post(message)
    return session.wait_at_boundary(chunk).controls


def hearing(**options):
    heard = []
    session = LiveSession(on_ignored=lambda chunk, ignored: heard.append((chunk, ignored)), **options)
    return session, heard


@pytest.mark.parametrize(
    ("failure", "code", "reason"),
    [
        (
            ValueError("brush: expected at most 10000 points"),
            "failed",
            "brush: expected at most 10000 points",
        ),
        (RuntimeError("CUDA error"), "failed", "RuntimeError: CUDA error"),
        (KeyError("text"), "failed", "KeyError: 'text'"),
        (OverflowError(), "failed", "OverflowError: "),
    ],
)
def test_a_control_that_fails_is_ignored_told_and_ends_nothing(failure, code, reason):
    session, heard = hearing()
    done = []

    def apply(control):
        if control.type == "scene":
            raise failure
        done.append(control.type)
        return True

    controls = taken(session, 4, {"type": "scene", "id": "mine"}, {"type": "prompt", "text": "night"})
    session.carry_out(controls, apply)
    assert done == ["prompt"]
    ((chunk, (ignored,)),) = heard
    assert (chunk, ignored.type, ignored.id) == (4, "scene", "mine")
    assert (ignored.code, ignored.reason) == (code, reason)
    assert [control.type for _, control in session.performance] == ["prompt"]
    assert [(applied.control.type, applied.ignored) for applied in session.log] == [
        ("scene", reason),
        ("prompt", None),
    ]
    assert session.wait_at_boundary(5).go


def test_a_control_that_finds_nothing_is_told_to_its_sender():
    session, heard = hearing()
    session.carry_out(taken(session, 1, {"type": "remove", "handle": 9}), lambda control: False)
    assert heard[0][1][0].code == "no_target" and session.log[0].ignored


def test_what_a_rewind_of_the_same_boundary_undid_is_told():
    session, heard = hearing()
    session.post({"type": "scene", "id": "lost"})
    session.post({"type": "rewind", "chunk": 2})
    assert session.wait_at_boundary(5).rewind == 2
    assert [(each.id, each.code) for each in heard[0][1]] == [("lost", "undone")]
    assert session.wait_at_boundary(2).controls == ()


def test_an_interrupt_while_a_control_takes_effect_gets_through():
    class Interrupted(Exception):  # as the host's
        pass

    def apply(control):
        raise Interrupted

    session, _ = hearing()
    with pytest.raises(Interrupted):
        session.carry_out(taken(session, 1, {"type": "scene"}), apply)


def test_no_more_is_told_at_a_boundary_than_a_message_holds():
    session, heard = hearing(rate=10**6)
    session.carry_out(taken(session, 1, *[{"type": "scene"}] * MAILBOX), lambda control: False)
    assert [len(ignored) for _, ignored in heard] == [MAX_REPORTED]
    assert list(session.performance) == []


# ---- what waits in a pause ----


def in_pause(session: LiveSession, chunk: int, *messages: dict, refused: list | None = None):
    """The boundary of a stream that was paused while these were posted, then resumed."""
    session.post({"type": "pause"})
    left = iter(messages)

    def poll():
        for message in left:
            try:
                session.post(message)
            except MailboxFull as full:
                assert refused is not None
                refused.append(str(full))
            if len(session._mail) > 20:
                return
        session.post({"type": "resume"})

    return session.wait_at_boundary(chunk, poll)


def test_mail_in_a_pause_is_bounded_in_number_and_it_can_still_be_ended():
    session, refused = LiveSession(rate=10**6), []
    boundary = in_pause(session, 1, *[{"type": "scene"}] * (MAILBOX + 100), refused=refused)
    assert boundary.go and len(boundary.controls) == MAILBOX and len(refused) == 100


def test_mail_in_a_pause_is_bounded_in_points():
    session, refused = LiveSession(rate=10**6), []
    large = {"type": "add", "kind": "grid", "points": [[1, 1]] * 1024}
    boundary = in_pause(session, 1, *[large] * 100, refused=refused)
    assert len(boundary.controls) == MAILBOX_POINTS // 1024 and "points in waiting controls" in refused[0]


def test_who_drags_through_a_long_pause_can_still_let_go():
    session = LiveSession(rate=10**6)
    moves = [{"type": "move", "hand": 0, "to": [[number, 0]]} for number in range(5 * MAILBOX)]
    messages = [{"type": "grab", "hand": 0, "handle": 1}, *moves, {"type": "release", "hand": 0}]
    controls = in_pause(session, 1, *messages).controls
    assert len(controls) <= MAILBOX and controls[-1] == Release(0, "pin")
    last = controls[-2]
    assert isinstance(last, Move) and len(last.to) <= MAX_MOVES and last.to[-1] == (5 * MAILBOX - 1, 0)
    places = [x for control in controls[1:-1] for x, _ in control.to]
    assert places == sorted(places)
    assert all(parse_control(control.message()) == control for control in controls)


# ---- refusals ----


def test_every_refusal_has_a_code():
    session = LiveSession(rate=2, takes=("scene", "stop"))
    found = {}

    def refused(name: str, message):
        with pytest.raises(RefusedControl) as refusal:
            session.post(message)
        found[name] = refusal.value.code

    session.post({"type": "scene", "id": "once"})
    refused("taken before", {"type": "scene", "id": "once"})
    refused("malformed", {"type": "explode"})
    refused("not of this run", {"type": "pause"})
    refused("a bad id", {"type": "scene", "id": 3})
    session.post({"type": "scene"})
    refused("too fast", {"type": "scene"})
    session.close("done")
    refused("late", {"type": "scene"})
    assert found == {
        "taken before": "id_taken",
        "malformed": "bad_control",
        "not of this run": "bad_control",
        "a bad id": "bad_control",
        "too fast": "too_many",
        "late": "run_ended",
    }
