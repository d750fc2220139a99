"""Streaming runs and who may see them, without a host."""

import json

import numpy as np
import pytest


@pytest.fixture
def live(pack):
    return pack("nodes._live")


@pytest.fixture
def frame(pack):
    return lambda index: pack("nodes._frames").Frame(index, 0, 16.0, 1.0, np.zeros((8, 8, 3), np.uint8))


@pytest.fixture
def start(live):
    def made(runs, client_id="tab"):
        run = live.Run(
            client_id,
            "prompt",
            "6",
            {"width": 32, "height": 32, "fps": 16.0, "frames": 9, "chunk_frames": 12},
            ("pause", "stop", "scene"),
        )
        runs.add(run)
        return run

    return made


def test_a_client_is_told_of_its_own_runs_and_of_no_others(live, start):
    runs = live.Runs()
    mine, other, nobodys = start(runs), start(runs, "other"), start(runs, None)
    assert runs.of_client("tab") == [mine.info]
    assert set(mine.info) == {
        "token",
        "prompt_id",
        "node_id",
        "width",
        "height",
        "fps",
        "frames",
        "chunk_frames",
        "controls",
    }
    assert runs.of_client("") == runs.of_client("None") == []
    assert runs.find(other.session.token) is other and runs.find(nobodys.session.token) is nobodys


@pytest.mark.parametrize("token", [None, 3, [], {}, "", "x"])
def test_an_unknown_token_finds_nothing(live, start, token):
    runs = live.Runs()
    start(runs)
    assert runs.find(token) is None and runs.ending(token) is None


def test_a_run_that_ended_is_listed_no_more_but_its_ending_is_known_for_a_while(live, start):
    runs = live.Runs()
    run = start(runs)
    runs.retire(run, "stopped")
    assert runs.of_client("tab") == [] and runs.find(run.session.token) is None
    assert runs.ending(run.session.token) == "stopped"
    for _ in range(live.REMEMBERED):
        runs.retire(start(runs), "done")
    assert runs.ending(run.session.token) is None


def test_a_late_viewer_sees_the_state_and_the_latest_frame_at_once(live, start, frame):
    run = start(live.Runs())
    run.offer(frame(0))
    run.offer(frame(1))
    viewer = run.attach(lambda: None)
    assert viewer.take_states() == [
        {"type": "state", "status": "running", "chunk": 0, "epoch": 0, "prompt": None}
    ]
    assert viewer.take_frame()[0].index == 1


def test_viewers_share_frames_and_a_detached_one_gets_no_more(live, start, frame):
    run = start(live.Runs())
    first, second = run.attach(lambda: None), run.attach(lambda: None)
    run.offer(frame(0))
    run.detach(first)
    run.offer(frame(1))
    assert first.take_frame()[0].index == 0 and first.take_frame() is None
    assert [second.take_frame()[0].index for _ in range(2)] == [0, 1]
    run.detach(second)
    assert not run.watched


def test_a_run_has_a_bounded_number_of_viewers(live, start):
    run = start(live.Runs())
    for _ in range(live.VIEWERS):
        run.attach(lambda: None)
    with pytest.raises(ValueError, match=str(live.VIEWERS)):
        run.attach(lambda: None)


def test_the_end_reaches_viewers_that_were_there_and_one_that_comes_after(live, start):
    runs = live.Runs()
    run = start(runs)
    before = run.attach(lambda: None)
    runs.retire(run, "done")
    after = run.attach(lambda: None)
    assert before.take_states()[-1]["status"] == after.take_states()[-1]["status"] == "done"
    assert before.drained and after.drained


def test_viewers_are_told_of_a_pause_and_a_stop_once_each(live, start):
    run = start(live.Runs())
    viewer = run.attach(lambda: None)
    run.session.wait_at_boundary(0)
    run.session.post({"type": "stop"})
    run.session.wait_at_boundary(1)
    run.session.wait_at_boundary(1)
    states = [(state["status"], state["chunk"]) for state in viewer.take_states()]
    assert states == [("running", 0), ("running", 0), ("stopping", 1)]


def test_frames_of_an_older_epoch_are_stale_once_a_newer_one_has_begun(live, start, pack):
    run, frame = start(live.Runs()), pack("nodes._frames").Frame
    viewer = run.attach(lambda: None)
    picture = np.zeros((8, 8, 3), np.uint8)
    for index in range(5):
        run.offer(frame(index, 0, 16.0, 1.0, picture))
    run.offer(frame(3, 1, 16.0, 1.0, picture, epoch=1, handles=[(0, 1.0, 2.0, 2)]))
    taken, queued = viewer.take_frame()
    assert (taken.index, taken.epoch, queued) == (3, 1, 0)
    message = taken.message(queued)
    length = int.from_bytes(message[:4], "little")
    header, jpeg = json.loads(message[4 : 4 + length]), message[4 + length :]
    assert header["handles"] == [[0, 1.0, 2.0, 2]] and header["epoch"] == 1 and jpeg[:2] == b"\xff\xd8"


def test_what_the_stream_says_about_itself_reaches_the_viewers(live, start):
    run = start(live.Runs())
    viewer = run.attach(lambda: None)
    run.session.report(prompt="night", oldest_chunk=3)
    run.session.report(prompt="night", oldest_chunk=3)
    states = viewer.take_states()
    assert len(states) == 2 and states[-1]["prompt"] == "night" and states[-1]["oldest_chunk"] == 3


def test_what_a_rewind_cuts_off_is_told_as_a_take_where_it_is_worth_one(live):
    about = {"width": 64, "height": 48, "fps": 16.0, "chunk_frames": 12, "first_frames": 1}
    run = live.Run(None, "p", "5", about, made_with={"seed": 2**60, "layered": 1})
    viewer = run.attach(lambda: None)

    def goes_back(at, to):
        run.session.post({"type": "rewind", "chunk": to})
        assert run.session.wait_at_boundary(at).rewind == to
        viewer.take_states()
        run.session.rewound(to)
        return [told for told in viewer.take_states() if told["type"] == "take"]

    assert goes_back(3, 2) == []  # a chunk in which nothing was done
    (take,) = goes_back(5, 2)
    assert (take["seed"], take["frames"]) == (str(2**60), 49)
    run.session.post({"type": "scene"})
    assert run.session.wait_at_boundary(2).go
    (take,) = goes_back(3, 2)
    performance = json.loads(take["performance"])
    assert [control["type"] for control in performance["controls"]] == ["scene"]
    assert performance["frames"] == 25 and performance["width"] == 64
    assert goes_back(3, 2) == []  # it is cut off


@pytest.mark.parametrize("begun", ["a red ball", None])
def test_viewers_are_told_the_prompt_that_runs_from_the_first_state_on(live, begun):
    about = {"width": 32, "height": 32, "fps": 16.0, "frames": 9, "chunk_frames": 12}
    run = live.Run("tab", "prompt", "6", about, prompt=begun)
    assert run.attach(lambda: None).take_states()[0]["prompt"] == begun
    for live_prompt, told in (
        (None, begun),
        ("night", "night"),
        (None, begun),
    ):  # the last: a rewind to before the live prompt
        run.session.report(prompt=live_prompt)
        assert run.state["prompt"] == told
