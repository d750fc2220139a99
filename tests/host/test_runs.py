"""What the other nodes of the host, any length and a full queue do to a run."""

import io

import av
import pytest
from harness.graphs import changed, node, streaming
from harness.host import Refused, ended_as, figures_of, video_of


@pytest.mark.parametrize("frames", [1, 2, 14])
def test_any_number_of_frames_can_be_asked_for(host, weights, frames):
    entry = host.run(streaming(weights, frames=frames, seed=2))
    with av.open(io.BytesIO(host.fetch(video_of(entry)))) as video:
        assert len(list(video.decode(video=0))) == frames
    assert figures_of(entry)["frames"] == frames


def test_the_hosts_own_track_nodes_feed_the_motion_encoder(host, weights):
    way = {
        "width": 128,
        "height": 128,
        "start_x": 0.3,
        "start_y": 0.5,
        "end_x": 0.7,
        "end_y": 0.5,
        "num_frames": 13,
        "num_tracks": 5,
        "track_spread": 0.05,
    }
    prompt = changed(streaming(weights, frames=13, fit="error"), n5={"tracks": ["9", 0]})
    prompt["9"] = node("GenerateTracks", bezier=False, mid_x=0.5, mid_y=0.5, interpolation="linear", **way)
    assert ended_as(host.run(prompt)) == "success"


def test_the_second_of_two_prompts_runs_when_the_first_is_interrupted(host, weights):
    first = host.queue(streaming(weights, frames=100_000, seed=13))
    second = host.queue(streaming(weights, frames=9, seed=14))
    host.wait_running(first)
    host.interrupt(first)
    assert [ended_as(host.wait(prompt)) for prompt in (first, second)] == ["interrupted", "success"]


def test_a_prompt_that_the_validation_refuses_leaves_the_queue_empty(host, weights):
    with pytest.raises(Refused):
        host.queue(changed(streaming(weights), n6={"frames": -1}))
    queue = host.get_json("/queue")
    assert queue == {"queue_running": [], "queue_pending": []}


def test_a_context_of_ones_own_can_be_without_sink_and_window(host, weights):
    whole, bare = (
        figures_of(host.run(streaming(weights, frames=14, seed=3, **context)))["cache_bytes"]
        for context in ({}, {"sink": 0, "window": 0})
    )
    assert bare < whole


def test_a_chunk_of_no_frames_is_named(host, weights):
    entry = host.run(streaming(weights, frames=14, seed=3, chunk=0))
    assert "chunk >= 1" in str(entry["status"]["messages"])
