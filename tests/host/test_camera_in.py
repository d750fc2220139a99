"""A camera into a running stream, in a real ComfyUI. A plain client plays the tab: its pictures are a
textured square of ours that moves over a resting ground.
"""

from __future__ import annotations

import asyncio
import io
import json
import struct
import uuid

import aiohttp
import numpy as np
import pytest
from harness.graphs import changed, node, streaming
from harness.host import Host, ended_as, figures_of
from host.test_host import outcome
from PIL import Image

from motionstream_core.tracks.formats import read_tracks

SIZE, SQUARE = 128, 40
RATE = 30


def texture(seed: int, side: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    noise = Image.fromarray(rng.integers(0, 255, (side // 4, side // 4, 3), dtype=np.uint8))
    return np.asarray(noise.resize((side, side), Image.Resampling.BICUBIC))


GROUND, THING = texture(1, SIZE) // 3, texture(2, SQUARE)


def seen(left: float) -> bytes:
    """What the camera sees: the square's left edge is there."""
    picture = GROUND.copy()
    at = round(left)
    picture[44 : 44 + SQUARE, at : at + SQUARE] = THING
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=92)
    return file.getvalue()


def message(milliseconds: float, picture: bytes) -> bytes:
    header = json.dumps({"t": milliseconds}).encode()
    return struct.pack("<I", len(header)) + header + picture


def driven(weights: str, frames: int, seed: int, **camera) -> dict:
    """The motion of a camera on a still picture. TRACKS are saved by 11."""
    prompt = streaming(weights, frames=frames, seed=seed, live=True)
    for gone in ("3", "7", "8"):
        del prompt[gone]
    settings = {"device": "camera", "side": "320", "fps": 16.0, **camera}
    prompt["21"] = node("MotionStreamLiveCamera", **settings)
    prompt["20"] = node(
        "MotionStreamLiveVideoMotion",
        start_image=["2", 0],
        video=["21", 0],
        width=128,
        height=128,
        at_end="hold",
        columns=16,
        rows=16,
    )
    kept = {"filename_prefix": "camera", "format": "npz (exact)", "frames": 0, "width": 0, "height": 0}
    prompt["11"] = node("MotionStreamSaveTracks", tracks=["6", 3], **kept)
    del prompt["5"]
    return changed(prompt, n6={"motion": ["20", 0]})


class Tab:
    """A page of the host as far as a camera needs one: it queues, hears of the wish, and sends."""

    def __init__(self, host: Host):
        self.host, self.client = host, uuid.uuid4().hex
        self.figures: list[dict] = []
        self.code: int | None = None

    async def run(self, prompt: dict, send) -> dict:
        """Queues, and calls send(socket) once the run wants pictures -> the history entry."""
        address = self.host.url.replace("http", "ws")
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{address}/ws?clientId={self.client}", max_msg_size=0) as events,
        ):
            asked = await asyncio.to_thread(self.host.queue, prompt, self.client)
            wish = await self.wish(events)
            async with session.ws_connect(f"{address}/motionstream/camera?token={wish['token']}") as socket:
                listener = asyncio.create_task(self.listen(socket))
                sender = asyncio.create_task(send(socket))
                entry = await asyncio.to_thread(self.host.wait, asked)
                await asyncio.wait_for(listener, 10)
                sender.cancel()
                await asyncio.gather(sender, return_exceptions=True)
        return entry

    async def wish(self, events) -> dict:
        async for each in events:
            if each.type == aiohttp.WSMsgType.TEXT:
                told = json.loads(each.data)
                if told["type"] == "motionstream.camera":
                    return told["data"]
        raise AssertionError("expected a wish for a camera, got the end of the events")

    async def listen(self, socket):
        async for each in socket:
            self.figures.append(json.loads(each.data))
        self.code = socket.close_code


def commanded(host: Host) -> np.ndarray:
    """Where every point of the newest saved tracks was told to be, (T, N, 2)."""
    newest = max(host.base.glob("output/camera*.npz"), key=lambda path: path.stat().st_mtime)
    return read_tracks(newest).xy.numpy()


def test_what_moves_before_the_camera_moves_the_stream(host, weights):
    tab = Tab(host)

    async def send(socket):
        loop = asyncio.get_running_loop()
        began = loop.time()
        while True:
            passed = loop.time() - began
            # A second or so of rest, since nobody knows when the first frame is taken, and then a slow way.
            left = 20 + min(40.0, max(0.0, 6 * (passed - 4)))
            await socket.send_bytes(message(1000 * passed, seen(left)))
            await asyncio.sleep(1 / RATE)

    entry = asyncio.run(tab.run(driven(weights, frames=97, seed=61), send))
    assert outcome(entry) == "success" and figures_of(entry)["frames"] == 97
    assert tab.code == 1000 and tab.figures[-1]["received"] > 60
    assert tab.figures[-1]["used"] > 40
    xy = commanded(host)
    first, last = xy[0], xy[-1]
    inside = (abs(first[:, 0] - 40) < 12) & (abs(first[:, 1] - 64) < 12)
    outside = (first[:, 1] < 30) | (first[:, 1] > 100)
    assert inside.sum() >= 4 and outside.sum() >= 20
    went = last - first
    # How much of the way falls into 97 frames depends on the machine.
    assert np.median(went[inside, 0]) > 10, went[inside]
    assert abs(np.median(went[inside, 1])) < 3
    assert np.median(np.linalg.norm(went[outside], axis=1)) < 2


def test_a_camera_that_goes_away_leaves_a_stream_that_goes_on(host, weights):
    tab = Tab(host)

    async def send(socket):
        for number in range(20):
            await socket.send_bytes(message(1000 * number / RATE, seen(20 + number)))
            await asyncio.sleep(1 / RATE)
        await socket.send_str('{"type": "problem", "text": "the camera is gone"}')

    entry = asyncio.run(tab.run(driven(weights, frames=61, seed=62), send))
    assert outcome(entry) == "success" and figures_of(entry)["frames"] == 61
    assert tab.figures[-1]["lost"] and tab.figures[-1]["held"] > 20


def test_a_refused_permission_is_said_and_a_file_plays_the_part(host, weights):
    async def send(socket):
        await socket.send_str('{"type": "problem", "text": "the browser does not allow it"}')

    said = outcome(asyncio.run(Tab(host).run(driven(weights, frames=9, seed=63), send)))
    assert "the browser does not allow it" in said and "connect a video" in said
    pytest.importorskip("cv2")
    prompt = driven(weights, frames=9, seed=64, video=["22", 0])
    prompt["22"] = node("LoadVideo", file="motionstream_source.mp4")
    entry = asyncio.run(Tab(host).run(prompt, send))
    assert outcome(entry) == "success" and figures_of(entry)["frames"] == 9


def test_a_prompt_of_nobody_has_no_camera_and_says_so(host, weights):
    assert "no browser tab" in outcome(host.run(driven(weights, frames=9, seed=65)))


@pytest.mark.parametrize(
    "bad", [b"", b"\x00" * 8, message(0, b"no picture"), message(0, seen(20))[:40]], ids=str
)
def test_what_is_no_picture_closes_the_socket_and_the_run_may_be_cancelled(host, weights, bad):
    tab = Tab(host)

    async def send(socket):
        await socket.send_bytes(bad)

    said = outcome(asyncio.run(tab.run(driven(weights, frames=9, seed=66), send)))
    assert tab.code == 1008 and "closed its connection" in said
    assert ended_as(host.run(streaming(weights, frames=5, seed=67))) == "success"
