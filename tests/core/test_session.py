"""The live session: controls from many threads, taken at chunk borders."""

import threading
import time

import pytest

from motionstream_core.live.session import MAILBOX, LiveSession, MailboxFull, SessionEnded


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
