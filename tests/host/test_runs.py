"""Runs on the real host: what comes out, what is kept, what an interrupt, a queue and a vanishing viewer do."""

import asyncio
import json
import time
import uuid

import aiohttp
import numpy as np
import pytest
from harness.graph import FRAMES, SAMPLER, SIZE, document, figures, graph, saved_video
from harness.host import Refused, ended_as

from motionstream_core.codec.video import read_video

LONG = 100_000  # frames: more than any test waits for


def frames_of(comfy, entry, tmp_path):
    path = tmp_path / "video.mp4"
    path.write_bytes(comfy.fetch(saved_video(entry)))
    return read_video(path)


def endless(seed: int) -> dict:
    return graph(sampler_frames=LONG, sampler_seed=seed, encoder_fit="loop")


def cached_nodes(entry: dict) -> list[str]:
    return next(message["nodes"] for kind, message in entry["status"]["messages"] if kind == "execution_cached")


def wait_for_run(comfy, client_id: str) -> dict:
    """What the pack tells this client of its streaming run, once it streams."""
    return comfy._until(lambda: next(iter(comfy.get_json(f"/motionstream/runs?client_id={client_id}")["runs"]), None), 60, "a streaming run")


def test_a_prompt_becomes_a_video_with_the_asked_frames(living, tmp_path):
    entry = living.run(graph(sampler_seed=1))
    frames, fps = frames_of(living, entry, tmp_path)
    assert ended_as(entry) == "success" and (tuple(frames.shape), fps) == ((FRAMES, SIZE, SIZE, 3), 16.0)
    assert figures(entry)["frames"] == FRAMES and figures(entry)["fps"] > 0


@pytest.mark.parametrize("frames", [1, 2, 14])
def test_any_number_of_frames_can_be_asked_for(living, tmp_path, frames):
    entry = living.run(graph(document(frames=frames), sampler_seed=2))
    assert len(frames_of(living, entry, tmp_path)[0]) == frames


def test_the_same_prompt_again_is_answered_from_the_cache(living):
    living.run(graph(sampler_seed=3))
    assert SAMPLER in cached_nodes(living.run(graph(sampler_seed=3)))
    assert SAMPLER not in cached_nodes(living.run(graph(sampler_seed=4)))


def test_the_same_seed_gives_the_same_video_and_another_seed_another(living, tmp_path):
    first, same, other = (frames_of(living, living.run(graph(sampler_seed=seed, sampler_sink=sink)), tmp_path)[0] for seed, sink in ((5, 0), (5, 1), (6, 0)))
    assert np.array_equal(first, same), "sink 0 stands for the model's own, which is 1"
    assert not np.array_equal(first, other)


def test_the_hosts_own_vae_nodes_take_our_vae(living):
    prompt = graph(sampler_seed=7)
    prompt["10"] = {"class_type": "VAEDecode", "inputs": {"samples": ["6", 1], "vae": ["2", 2]}}
    prompt["11"] = {"class_type": "PreviewImage", "inputs": {"images": ["10", 0]}}
    prompt["12"] = {"class_type": "VAEEncode", "inputs": {"pixels": ["3", 1], "vae": ["2", 2]}}
    prompt["13"] = {"class_type": "VAEDecode", "inputs": {"samples": ["12", 0], "vae": ["2", 2]}}
    prompt["14"] = {"class_type": "PreviewImage", "inputs": {"images": ["13", 0]}}
    outputs = living.run(prompt)["outputs"]
    assert (len(outputs["11"]["images"]), len(outputs["14"]["images"])) == (FRAMES, 1)


def test_the_hosts_own_track_nodes_feed_the_motion_encoder(living):
    prompt = graph(sampler_seed=8, encoder_tracks=["10", 0])
    way = {"width": SIZE, "height": SIZE, "start_x": 0.3, "start_y": 0.5, "end_x": 0.7, "end_y": 0.5, "num_frames": FRAMES, "num_tracks": 5, "track_spread": 0.05}
    prompt["10"] = {"class_type": "GenerateTracks", "inputs": {**way, "bezier": False, "mid_x": 0.5, "mid_y": 0.5, "interpolation": "linear"}}
    assert ended_as(living.run(prompt)) == "success"


def test_an_interrupt_ends_a_run_in_mid_chunk_and_the_next_one_runs(living):
    client = uuid.uuid4().hex
    prompt_id = living.queue(endless(9), client)
    wait_for_run(living, client)
    time.sleep(0.5)
    asked = time.monotonic()
    living.interrupt(prompt_id)
    entry = living.wait(prompt_id, 60)
    assert ended_as(entry) == "interrupted" and time.monotonic() - asked < 10
    assert living.get_json(f"/motionstream/runs?client_id={client}") == {"runs": []}
    assert ended_as(living.run(graph(sampler_seed=10))) == "success"


def test_two_prompts_queued_at_once_both_run(living):
    first, second = living.queue(graph(sampler_seed=11)), living.queue(graph(sampler_seed=12))
    assert [ended_as(living.wait(prompt)) for prompt in (first, second)] == ["success", "success"]


def test_the_second_of_two_prompts_runs_when_the_first_is_interrupted(living):
    client = uuid.uuid4().hex
    first, second = living.queue(endless(13), client), living.queue(graph(sampler_seed=14))
    wait_for_run(living, client)
    living.interrupt(first)
    assert [ended_as(living.wait(prompt)) for prompt in (first, second)] == ["interrupted", "success"]


def test_stop_keeps_what_was_made_and_is_not_cached_as_the_whole(living, tmp_path):
    client, prompt = uuid.uuid4().hex, endless(15)
    prompt_id = living.queue(prompt, client)
    token = wait_for_run(living, client)["token"]
    asyncio.run(watch(living.url, token, 3))
    assert living.post("/motionstream/control", {"token": token, "type": "stop"})["ok"]
    entry = living.wait(prompt_id, 60)
    frames, _ = frames_of(living, entry, tmp_path)
    assert ended_as(entry) == "success" and 3 <= len(frames) < LONG
    with pytest.raises(Refused, match="ended"):
        living.post("/motionstream/control", {"token": token, "type": "stop"})
    again = living.queue(prompt, client)
    wait_for_run(living, client)
    living.interrupt(again)
    living.wait(again, 60)


async def watch(url: str, token: str, count: int, acknowledge: bool = True) -> list[bytes]:
    """The first `count` frames a viewer gets; then it vanishes without a word."""
    session, got = aiohttp.ClientSession(), []
    socket = await session.ws_connect(f"{url}/motionstream/stream?token={token}", max_msg_size=0)
    async for message in socket:
        if message.type == aiohttp.WSMsgType.BINARY:
            got.append(message.data)
            if acknowledge:
                await socket.send_json({"type": "ack", "frame": header_of(message.data)["frame"]})
        if len(got) >= count:
            break
    socket._response.connection.transport.abort()
    await session.close()
    return got


def header_of(message: bytes) -> dict:
    length = int.from_bytes(message[:4], "little")
    return json.loads(message[4 : 4 + length])


@pytest.mark.parametrize("acknowledge", [True, False])
def test_a_viewer_that_vanishes_costs_the_run_nothing(living, acknowledge):
    client = uuid.uuid4().hex
    prompt_id = living.queue(graph(sampler_frames=121, sampler_seed=16 + acknowledge, encoder_fit="loop"), client)
    token = wait_for_run(living, client)["token"]
    frames = asyncio.run(watch(living.url, token, 2, acknowledge))
    headers = [header_of(frame) for frame in frames]
    assert [sorted(header) for header in headers] == [["chunk", "fps", "frame", "latency_ms", "queued", "t_made"]] * 2
    entry = living.wait(prompt_id)
    assert ended_as(entry) == "success" and figures(entry)["frames"] == 121


@pytest.mark.parametrize(
    ("body", "status"),
    [({"token": "nobody", "type": "stop"}, 404), ({"type": "stop"}, 404), ([], 400), ({"token": ["a"], "type": "stop"}, 404)],
)
def test_control_without_a_runs_token_is_refused(living, body, status):
    with pytest.raises(Refused) as refusal:
        living.post("/motionstream/control", body)
    assert refusal.value.status == status
