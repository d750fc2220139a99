"""The watch link: what it shows, to how many, and when it is over."""

import asyncio
import io
import re
import threading

import numpy as np
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from PIL import Image

ABOUT = {"width": 32, "height": 16, "fps": 100.0, "frames": 9, "chunk_frames": 12}


class Served:
    """The routes with one run, and what a test does with them."""

    def __init__(self, pack, client, run, runs):
        self.pack, self.client, self.run, self.runs = pack, client, run, runs

    def make(self, count: int, first: int = 0, shade: int = 200):
        frames = self.pack("nodes._frames")
        for index in range(first, first + count):
            pixels = np.full((16, 32, 3), shade, np.uint8)
            self.run.offer(frames.Frame(index, index // 12, 100.0, 1.0, pixels))

    async def link(self, wanted: bool = True) -> str | None:
        body = {"token": self.run.session.token, "link": wanted}
        async with self.client.post("/motionstream/watch", json=body) as answer:
            assert answer.status == 200
            return (await answer.json())["watch"]

    def stream(self, link, **options):
        return self.client.get(f"/motionstream/watch/stream?watch={link}", **options)


@pytest.fixture
def serving(pack, serve):
    live, watch = pack("nodes._live"), pack("nodes._watch")

    def prepare(routes):
        runs = live.Runs()
        run = live.Run("tab", "prompt", "6", ABOUT, ("pause", "stop", "scene", "remove"))
        runs.add(run)
        watch.register(routes, runs)
        return run, runs

    return lambda work: serve(prepare, lambda client, run, runs: work(Served(pack, client, run, runs)))


async def pictures(answer, count: int) -> list[Image.Image]:
    """The next pictures of an MJPEG stream, read as a plain player reads them."""
    found = []
    while len(found) < count:
        head = await asyncio.wait_for(answer.content.readuntil(b"\r\n\r\n"), 10)
        length = int(re.search(rb"Content-Length: (\d+)", head)[1])
        jpeg = await asyncio.wait_for(answer.content.readexactly(length), 10)
        found.append(Image.open(io.BytesIO(jpeg)))
    return found


def test_a_plain_client_reads_the_frames_of_the_run(serving):
    async def work(served):
        served.make(1)
        async with served.stream(await served.link()) as answer:
            assert answer.headers["Content-Type"].startswith("multipart/x-mixed-replace; boundary=")
            assert answer.headers["Cache-Control"] == "no-store"
            (first,) = await pictures(answer, 1)
            served.make(3, first=1, shade=90)
            rest = await pictures(answer, 1)
        return first, rest[-1]

    first, last = serving(work)
    assert first.size == (32, 16) and abs(np.asarray(first).astype(int) - 200).max() < 6
    assert abs(np.asarray(last).astype(int) - 90).max() < 6


def test_the_page_has_the_picture_and_no_script(serving):
    async def work(served):
        link = await served.link()
        async with served.client.get(f"/motionstream/watch?watch={link}") as answer:
            text, headers = await answer.text(), answer.headers
        async with served.client.get("/motionstream/watch?watch=%22%3E%3Cscript%3E") as other:
            return link, text, headers, other.status, await other.text()

    link, text, headers, status, other = serving(work)
    assert f'src="watch/stream?watch={link}"' in text and "<script" not in text
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["Referrer-Policy"] == "no-referrer"
    assert status == 404 and "<script" not in other and "<img" not in other


def test_the_link_gives_pictures_and_nothing_else(serving, pack):
    async def work(served):
        pack("nodes._server").register(routes := web.RouteTableDef(), served.runs)
        link = await served.link()
        assert link != served.run.session.token and served.runs.find(link) is None
        app = web.Application()
        app.add_routes(routes)
        async with TestClient(TestServer(app)) as client:
            body = {"token": link, "type": "stop"}
            async with client.post("/motionstream/control", json=body) as answer:
                assert answer.status == 404
            async with client.get(f"/motionstream/stream?token={link}") as answer:
                assert answer.status == 404
        async with served.client.post("/motionstream/watch", json={"token": link, "link": False}) as answer:
            assert answer.status == 404
        async with served.stream(served.run.session.token) as answer:
            assert answer.status == 404
            return (await answer.json())["code"]

    assert serving(work) == "no_link"


@pytest.mark.parametrize("body", [{}, {"link": 1}, {"link": "yes", "token": "x"}, {"link": None}])
def test_a_malformed_request_for_a_link_is_refused(serving, body):
    async def work(served):
        async with served.client.post("/motionstream/watch", json=body) as answer:
            return answer.status, (await answer.json())["code"]

    assert serving(work) == (400, "bad_control")


def test_pages_from_elsewhere_are_refused(serving):
    async def work(served):
        link, headers = await served.link(), {"Origin": "http://elsewhere"}
        found = []
        for path in (f"/motionstream/watch?watch={link}", f"/motionstream/watch/stream?watch={link}"):
            async with served.client.get(path, headers=headers) as answer:
                found.append(answer.status)
        body = {"token": served.run.session.token, "link": True}
        async with served.client.post("/motionstream/watch", json=body, headers=headers) as answer:
            return [*found, answer.status]

    assert serving(work) == [403, 403, 403]


@pytest.mark.parametrize("how", ["click", "done", "error"])
def test_the_link_dies_by_a_click_or_with_the_run_and_lets_its_watchers_go(serving, how):
    async def work(served):
        served.make(1)
        link = await served.link()
        async with served.stream(link) as answer:
            await pictures(answer, 1)
            if how == "click":
                assert await served.link(False) is None
            else:
                served.runs.retire(served.run, how)
            await asyncio.wait_for(answer.content.read(), 10)
        async with served.stream(link) as late:
            assert late.status == 404
        for _ in range(100):
            if served.run.outlet.count == 0:
                break
            await asyncio.sleep(0.05)
        served.run.outlet.join(5)
        return served.run.outlet.count, await served.link() if how == "click" else "", link

    count, again, link = serving(work)
    assert count == 0 and again != link
    assert not [each for each in threading.enumerate() if each.name == "motionstream-outlet"]


def test_the_run_goes_on_while_a_watcher_takes_nothing(serving):
    async def work(served):
        link = await served.link()
        async with served.stream(link) as stalled, served.stream(link) as other:
            served.make(1)
            await pictures(stalled, 1)
            stalled.connection.transport.pause_reading()
            loop = asyncio.get_running_loop()
            began = loop.time()
            for first in range(1, 241, 12):
                served.make(12, first)
            took = loop.time() - began
            await pictures(other, 3)
            return took

    assert serving(work) < 0.5


def test_a_watcher_that_takes_nothing_for_long_is_let_go(serving, pack, monkeypatch):
    watch = pack("nodes._watch")
    monkeypatch.setattr(watch, "STALLED_S", 0.3)
    monkeypatch.setattr(watch, "HELD_S", 0.01)
    monkeypatch.setattr(watch, "part", lambda jpeg: bytes(2**20))

    async def work(served):
        link = await served.link()
        async with served.stream(link) as answer:
            answer.connection.transport.pause_reading()
            served.make(1)
            for _ in range(400):
                if served.run.outlet.count == 0:
                    return True
                await asyncio.sleep(0.02)
        return False

    assert serving(work)


def test_one_watcher_too_many_is_told_so(serving, pack):
    async def work(served):
        link, most = await served.link(), 16
        answers = [await served.stream(link) for _ in range(most)]
        late = await served.stream(link)
        status = late.status, (await late.json())["code"]
        for answer in answers:
            assert answer.status == 200
            answer.close()
        for _ in range(100):
            if served.run.outlet.count == 0:
                break
            served.make(1)
            await asyncio.sleep(0.05)
        return status, served.run.outlet.count

    assert serving(work) == ((429, "too_many"), 0)


class Device:
    """A stand-in for a device: notes what it is told. `broken` raises when it is opened, or written to."""

    def __init__(self, broken: str = ""):
        self.broken, self.said = broken, []

    def open(self, width, height, fps):
        if self.broken == "open":
            raise RuntimeError("no such camera on this machine")
        self.said.append((width, height, fps))

    def write(self, picture, at):
        if self.broken == "write":
            raise OSError("unplugged")
        self.said.append(picture.index)

    def close(self):
        self.said.append("closed")


@pytest.mark.parametrize("how", ["click", "done", "interrupted", "fails"])
def test_a_run_is_shown_on_a_device_until_it_is_let_go(serving, pack, monkeypatch, how):
    device = Device("write" if how == "fails" else "")
    monkeypatch.setattr(pack("nodes._live"), "open_device", lambda name: device)

    async def work(served):
        async def ask(**more):
            body = {"token": served.run.session.token, **more}
            async with served.client.post("/motionstream/device", json=body) as answer:
                return answer.status, await answer.json()

        assert (await ask(device="NDI", on=True))[1]["on"] == ["NDI"]
        served.make(2)
        await asyncio.sleep(0.3)
        if how == "click":
            assert (await ask(device="NDI", on=False))[1]["on"] == []
        elif how != "fails":
            served.runs.retire(served.run, how)
        for _ in range(100):
            if "closed" in device.said and not served.run.outlet.count:
                break
            await asyncio.sleep(0.02)
        return served.run.outlet.count, served.run.devices

    count, devices = serving(work)
    assert count == 0 and device.said.count("closed") == 1
    # A device gets the newest picture: on a busy machine the first one may have been replaced.
    assert device.said[0] == (32, 16, 100.0) and (how == "fails" or 1 in device.said[1:3])
    assert devices == [] or how in ("done", "interrupted")
    for thread in threading.enumerate():
        if thread.name.startswith("motionstream-sink"):
            thread.join(5)
            assert not thread.is_alive()


@pytest.mark.parametrize(
    "body, said",
    [
        ({"device": "NDI", "on": True}, "no such camera"),
        ({"device": "a wall", "on": True}, "expected one of"),
        ({"device": 3, "on": True}, "expected a name"),
        ({"device": "NDI", "on": "yes"}, "expected a name"),
    ],
)
def test_a_device_that_cannot_be_opened_is_said(serving, pack, monkeypatch, body, said):
    live = pack("nodes._live")
    real = live.open_device
    monkeypatch.setattr(live, "open_device", lambda name: Device("open") if name == "NDI" else real(name))

    async def work(served):
        body["token"] = served.run.session.token
        async with served.client.post("/motionstream/device", json=body) as answer:
            return answer.status, (await answer.json())["error"], served.run.outlet.count

    status, text, count = serving(work)
    assert status in (400, 409) and said in text and count == 0
