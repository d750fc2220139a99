"""The pack inside a real ComfyUI: it loads, runs, is cached, and says what is wrong with bad input while the
host lives on.
"""

from __future__ import annotations

import asyncio
import copy
import io
import json
import time
import uuid

import av
import pytest
from harness.graphs import DOCUMENT, changed, node, streaming
from harness.host import Host, Refused, ended_as, errors_of
from PIL import Image

OURS = {
    "MotionStreamLoader",
    "MotionStreamTrackEditor",
    "MotionStreamCameraTracks",
    "MotionStreamVideoTracks",
    "MotionStreamMotionEncoder",
    "MotionStreamSampler",
    "MotionStreamPreview",
}
LONG = 20_000


def outcome(entry: dict) -> str:
    """How a prompt ended: "success", "interrupted", or the text of its error."""
    return "; ".join(error["exception_message"].strip() for error in errors_of(entry)) or ended_as(entry)


def post(host: Host, **message) -> int:
    """The status that the control route answers with."""
    try:
        host.post("/motionstream/control", message)
    except Refused as refused:
        return refused.status
    return 200


def refusal(host: Host, prompt: dict) -> str:
    """What the host says of a prompt that must fail: when it is queued or while it runs."""
    try:
        history = host.run(prompt)
    except Refused as error:
        return str(error)
    assert history["status"]["status_str"] == "error", "expected the prompt to fail, got success"
    return outcome(history)


@pytest.fixture
def lives_on(host, weights):
    """After the test, the host still answers and makes a video."""
    yield
    assert host.alive, host.log_tail()
    assert outcome(host.run(streaming(weights, frames=5, seed=uuid.uuid4().int % 2**32))) == "success"


def runs_of(host: Host, client: str) -> list[dict]:
    return host.get_json(f"/motionstream/runs?client_id={client}")["runs"]


def started(host: Host, client: str, prompt_id: str) -> dict:
    """The run of a prompt, once the sampler has begun."""
    end = time.monotonic() + 120
    while time.monotonic() < end:
        for run in runs_of(host, client):
            if run["prompt_id"] == prompt_id:
                return run
        time.sleep(0.02)
    raise TimeoutError(
        f"expected prompt {prompt_id} to begin streaming; the host's last words:\n{host.log_tail()}"
    )


def decoded(video: bytes) -> list:
    with av.open(io.BytesIO(video)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def test_all_nodes_are_there_with_a_tooltip_on_every_input(host):
    info = host.object_info()
    assert set(info) >= OURS
    for name in OURS:
        inputs = {
            key: spec
            for group in ("required", "optional")
            for key, spec in info[name]["input"].get(group, {}).items()
        }
        assert [key for key, spec in inputs.items() if len(spec) < 2 or not spec[1].get("tooltip")] == [], (
            name
        )
    assert "IMPORT FAILED" not in host.log.read_text(errors="replace")


def test_a_painted_track_becomes_a_video_file_and_the_second_run_is_cached(host, weights):
    prompt = streaming(weights, frames=25, seed=3)
    first = host.run(prompt)
    assert outcome(first) == "success"
    frames = decoded(host.fetch(first["outputs"]["7"]["images"][0]))
    assert len(frames) == 25 and frames[0].shape == (128, 128, 3)
    figures = first["outputs"]["6"]["motionstream_run"][0]
    assert figures["frames"] == 25 and figures["fps"] > 0 and figures["first_frame_s"] > 0
    cached = [
        message["nodes"]
        for kind, message in host.run(prompt)["status"]["messages"]
        if kind == "execution_cached"
    ]
    assert set(cached[0]) >= set("123456")


def test_the_same_seed_gives_the_same_video_and_another_seed_another(host, weights):
    def pixels(seed: int, fps: float) -> list[bytes]:
        """The frames, without loss. Another rate makes the host run the nodes again."""
        prompt = changed(streaming(weights, frames=9, seed=seed), n3={"fps": fps})
        prompt["9"] = node("PreviewImage", images=["6", 0])
        return [
            Image.open(io.BytesIO(host.fetch(image))).tobytes()
            for image in host.run(prompt)["outputs"]["9"]["images"]
        ]

    one, other, again = pixels(41, 16.0), pixels(42, 16.0), pixels(41, 15.0)
    assert len(one) == 9 and one == again
    assert one != other


def test_the_hosts_own_vae_nodes_accept_the_codec(host, weights):
    prompt = streaming(weights, frames=9, seed=5)
    prompt["9"] = node("VAEEncode", pixels=["3", 1], vae=["1", 2])
    prompt["10"] = node("VAEDecode", samples=["6", 1], vae=["1", 2])
    prompt["11"] = node("PreviewImage", images=["10", 0])
    prompt["12"] = node("VAEDecode", samples=["9", 0], vae=["1", 2])
    prompt["13"] = node("PreviewImage", images=["12", 0])
    done = host.run(prompt)
    assert outcome(done) == "success"
    assert (len(done["outputs"]["11"]["images"]), len(done["outputs"]["13"]["images"])) == (9, 1)


def document_with(*tracks: dict) -> dict:
    return {**copy.deepcopy(DOCUMENT), "tracks": list(tracks)}


BAD_DOCUMENTS = {
    "no tracks": document_with(),
    "NaN": document_with({"points": [{"x": float("nan"), "y": 5}]}),
    "infinite": document_with({"points": [{"x": 5, "y": float("inf")}]}),
    "off the canvas": document_with({"points": [{"x": 900, "y": 900}]}),
    "another version": {**DOCUMENT, "version": 99},
}


@pytest.mark.parametrize("name", BAD_DOCUMENTS)
def test_a_bad_document_is_refused_with_expected_and_got(host, weights, lives_on, name):
    text = refusal(host, streaming(weights, document=BAD_DOCUMENTS[name]))
    assert "expected" in text and "got" in text, text


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "7"])
def test_a_document_that_is_none_is_refused(host, weights, text):
    said = refusal(host, changed(streaming(weights), n3={"document": text}))
    assert "expected" in said and "got" in said, said


@pytest.mark.parametrize(
    "kind", ["a list of strings", "no tracks", "NaN", "infinite", "off the canvas", "short", "long"]
)
def test_bad_tracks_of_a_foreign_pack_end_with_expected_and_got(host, weights, lives_on, kind):
    prompt = streaming(weights, fit="error")
    prompt["9"] = node("ForeignTracks", kind=kind)
    text = refusal(host, changed(prompt, n5={"tracks": ["9", 0]}))
    assert "expected" in text and "got" in text, text


def test_whole_tracks_of_a_foreign_pack_run(host, weights):
    prompt = streaming(weights, frames=9, fit="hold")
    prompt["9"] = node("ForeignTracks", kind="whole")
    assert outcome(host.run(changed(prompt, n5={"tracks": ["9", 0]}))) == "success"


def test_tracks_of_another_length_than_the_video_are_named(host, weights, lives_on):
    text = refusal(host, streaming(weights, frames=30, fit="error"))
    assert "30" in text and "49" in text, text


@pytest.mark.parametrize("fit", ["hold", "loop", "ping-pong", "resample"])
def test_every_fit_makes_a_video_longer_than_the_tracks(host, weights, fit):
    done = host.run(streaming(weights, frames=57, fit=fit))
    assert outcome(done) == "success" and done["outputs"]["6"]["motionstream_run"][0]["frames"] == 57


def test_a_size_that_the_stride_does_not_divide_is_named(host, weights, lives_on):
    text = refusal(host, changed(streaming(weights), n5={"width": 136, "height": 128}))
    assert "divisible by 16" in text and "136x128" in text, text


@pytest.mark.parametrize("name", ["truncated.safetensors", "foreign.safetensors", "pickled.pt"])
def test_a_bad_weights_file_ends_with_expected_and_got(host, weights, lives_on, name):
    text = refusal(host, streaming(name))
    assert "expected" in text and "got" in text and name in text, text
    assert not (host.base / "trap-was-sprung").exists()


@pytest.mark.parametrize("name", ["../../outside.safetensors", "/etc/passwd", "nowhere.safetensors"])
def test_a_weights_name_outside_the_folder_is_refused_when_it_is_queued(host, weights, lives_on, name):
    with pytest.raises(Refused) as refused:
        host.run(streaming(name))
    assert name in str(refused.value) and "untrained.safetensors" in str(refused.value)


def test_a_missing_image_is_told_to_the_person_who_queued(host, weights):
    prompt = streaming(weights)
    del prompt["3"]["inputs"]["image"]
    said = asyncio.run(errors_told(host, prompt))
    assert any("expected a connected image" in text and "got none" in text for text in said), said


async def errors_told(host: Host, prompt: dict) -> list[str]:
    """The errors that the browser tab which queued the prompt is told of while it runs."""
    import aiohttp

    client, told = uuid.uuid4().hex, []
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{host.url}/ws?clientId={client}", max_msg_size=0) as socket,
    ):
        queued = await asyncio.to_thread(host.queue, prompt, client)
        while True:
            message = await socket.receive(120)
            if message.type != aiohttp.WSMsgType.TEXT:
                continue
            event = json.loads(message.data)
            if event["type"] == "execution_error":
                told.append(event["data"]["exception_message"])
            if (
                event["type"] == "executing"
                and event["data"]["node"] is None
                and event["data"]["prompt_id"] == queued
            ):
                return told


def test_another_models_latent_in_place_of_motion_is_refused(host, weights, lives_on):
    prompt = streaming(weights)
    prompt["9"] = node("EmptyLatentImage", width=64, height=64, batch_size=1)
    assert "motion" in refusal(host, changed(prompt, n6={"motion": ["9", 0]})).lower()


def test_an_interrupt_in_the_middle_of_a_chunk_ends_the_run_soon(host, weights, lives_on):
    client = uuid.uuid4().hex
    prompt = host.queue(streaming(weights, frames=LONG, seed=7), client)
    run = started(host, client, prompt)
    time.sleep(0.3)
    asked = time.monotonic()
    host.interrupt(prompt)
    assert outcome(host.wait(prompt)) == "interrupted"
    assert time.monotonic() - asked < 20
    assert runs_of(host, client) == []
    assert post(host, token=run["token"], type="stop") == 409


def test_an_interrupt_reaches_a_paused_run(host, weights, lives_on):
    client = uuid.uuid4().hex
    prompt = host.queue(streaming(weights, frames=LONG, seed=8), client)
    run = started(host, client, prompt)
    assert post(host, token=run["token"], type="pause") == 200
    time.sleep(1)
    host.interrupt(prompt)
    assert outcome(host.wait(prompt, 60)) == "interrupted"


def test_two_runs_queued_at_once_both_end_well(host, weights):
    first, second = (host.queue(streaming(weights, frames=25, seed=seed)) for seed in (21, 22))
    done = [host.wait(prompt) for prompt in (first, second)]
    assert [outcome(history) for history in done] == ["success", "success"]
    videos = [decoded(host.fetch(history["outputs"]["7"]["images"][0])) for history in done]
    assert [len(video) for video in videos] == [25, 25]
    assert any((a != b).any() for a, b in zip(*videos, strict=True))


def test_stop_keeps_what_was_made_and_the_next_run_is_whole(host, weights):
    client = uuid.uuid4().hex
    prompt = host.queue(streaming(weights, frames=2000, seed=9), client)
    run = started(host, client, prompt)
    assert post(host, token=run["token"], type="stop") == 200
    done = host.wait(prompt)
    assert outcome(done) == "success"
    assert 0 < done["outputs"]["6"]["motionstream_run"][0]["frames"] < 2000


def test_a_viewer_sees_frames_in_order_and_one_that_vanishes_does_no_harm(host, weights, lives_on):
    client = uuid.uuid4().hex
    prompt = host.queue(streaming(weights, frames=LONG, seed=10), client)
    run = started(host, client, prompt)
    numbers = asyncio.run(watch_and_vanish(host, run["token"]))
    assert numbers == sorted(set(numbers)) and len(numbers) == 6
    assert post(host, token=run["token"], type="stop") == 200
    done = host.wait(prompt)
    assert outcome(done) == "success" and done["outputs"]["6"]["motionstream_run"][0]["frames"] > numbers[-1]


async def watch_and_vanish(host: Host, token: str) -> list[int]:
    """One viewer that never acknowledges and drops its connection without a word; the frame numbers of
    another, which drops it too.
    """
    import aiohttp

    address = f"{host.url}/motionstream/stream?token={token}"
    async with aiohttp.ClientSession() as silent_session:
        silent = await silent_session.ws_connect(address)
        await silent.receive(60)
        drop(silent)
    numbers = []
    async with aiohttp.ClientSession() as session:
        socket = await session.ws_connect(address)
        while len(numbers) < 6:
            message = await socket.receive(60)
            if message.type == aiohttp.WSMsgType.BINARY:
                length = int.from_bytes(message.data[:4], "little")
                header = json.loads(message.data[4 : 4 + length])
                assert message.data[4 + length :][:2] == b"\xff\xd8"
                numbers.append(header["frame"])
                await socket.send_json({"type": "ack", "frame": header["frame"]})
        drop(socket)
    return numbers


def drop(socket):
    """Closes the connection below the WebSocket, as a browser that crashes does."""
    socket.get_extra_info("socket").shutdown(2)


def test_the_control_route_takes_only_small_json_of_its_own_page_with_a_known_token(host):
    answers = asyncio.run(refusals(host))
    assert answers == {
        "another type": 415,
        "too long": 413,
        "too long in pieces": 413,
        "no JSON": 400,
        "a list": 400,
        "too deep": 400,
        "no token": 404,
        "a list for a token": 404,
        "unknown token": 404,
        "another page": 403,
        "another page's socket": 403,
        "another page's list": 403,
        "a socket without a run": 404,
    }


async def refusals(host: Host) -> dict[str, int]:
    """What the routes answer to requests they must refuse."""
    import aiohttp

    control, page = f"{host.url}/motionstream/control", {"Origin": "http://elsewhere.example"}
    typed, good = {"Content-Type": "application/json"}, json.dumps({"token": "none", "type": "stop"})

    async def pieces():
        for _ in range(40):
            yield b" " * 10_000

    async with aiohttp.ClientSession() as session:

        async def post(data, **headers) -> int:
            async with session.post(control, data=data, headers={**typed, **headers}) as answer:
                if answer.status != 403:  # another page is refused by the host itself, without a body
                    body = await answer.json()
                    assert body["error"] and body["code"], body
                return answer.status

        async def get(path: str, **headers) -> int:
            async with session.get(f"{host.url}{path}", headers=headers) as answer:
                return answer.status

        socket = {
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
        }
        return {
            "another type": await post(good, **{"Content-Type": "text/plain"}),
            "too long": await post('{"a":"' + "x" * 300_000 + '"}'),
            "too long in pieces": await post(pieces()),
            "no JSON": await post("{nope"),
            "a list": await post("[1]"),
            "too deep": await post("[" * 100_000),
            "no token": await post('{"type": "stop"}'),
            "a list for a token": await post('{"token": ["a"], "type": "stop"}'),
            "unknown token": await post(good),
            "another page": await post(good, **page),
            "another page's socket": await get("/motionstream/stream?token=none", **socket, **page),
            "another page's list": await get("/motionstream/runs?client_id=none", **page),
            "a socket without a run": await get("/motionstream/stream?token=none", **socket),
        }


def test_a_run_is_listed_to_its_own_client_only(host, weights):
    client = uuid.uuid4().hex
    prompt = host.queue(streaming(weights, frames=LONG, seed=30), client)
    run = started(host, client, prompt)
    assert runs_of(host, "another") == [] and runs_of(host, "") == []
    assert post(host, token=run["token"], type="explode") == 400
    host.interrupt(prompt)
    assert outcome(host.wait(prompt)) == "interrupted"
