"""The stream for people who watch and for players: a page with the picture alone, and the picture as MJPEG.

    POST /motionstream/watch                 {"token", "link": true or false} -> {"watch": text or null,
    "watchers": n}: makes the run's watch link, or ends it
    POST /motionstream/device                {"token", "device", "on": true or false} -> {"devices": [name],
    "on": [name]}: shows the run on a device, or no longer. Without a device it only tells
    GET  /motionstream/watch?watch=...       a page, the picture alone on black
    GET  /motionstream/watch/stream?watch=...    multipart/x-mixed-replace, a JPEG a part

A link is a token of its own. It gives pictures and nothing else, and dies with the run or when it is ended.
docs/live.md has the messages and the codes.
"""

from __future__ import annotations

import asyncio
import html
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

from aiohttp import web

from ..motionstream_core.live.device_sinks import installed_devices
from ..motionstream_core.live.sinks import Picture
from ._live import Run, Runs
from ._server import Refused, answered, demand_access, find_run, read_json

BOUNDARY = "motionstream-frame"
STALLED_S = 20.0  # a watcher that takes nothing for this long is let go
HELD_S = 5.0  # a picture that stays is sent again, which finds out who has left
HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; img-src 'self'; style-src 'unsafe-inline'",
}
PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>MotionStream</title>
<style>
html, body {{ margin: 0; height: 100%; background: #000; overflow: hidden; color: #888 }}
body {{ display: grid; place-items: center; font: 16px sans-serif }}
img {{ width: 100vw; height: 100vh; object-fit: contain; display: block }}
</style>
<body>{body}</body></html>
"""
ENDED = "This link has ended."


class Watcher:
    """A FrameSink that keeps the newest picture for whoever takes it. `wake` is called, from any thread, when
    there is something new.
    """

    def __init__(self, wake: Callable[[], None]):
        self._wake = wake
        self._lock = threading.Lock()
        self._picture: Picture | None = None
        self.closed = False

    def open(self, width: int, height: int, fps: float):
        """Nothing is needed."""

    def write(self, picture: Picture, at: float):
        with self._lock:
            self._picture = picture
        self._wake()

    def close(self):
        self.closed = True
        self._wake()

    def take(self) -> Picture | None:
        """The newest picture, once."""
        with self._lock:
            picture, self._picture = self._picture, None
        return picture


def register(routes: web.RouteTableDef, runs: Runs, cors: str | None = None):
    """Adds the routes to the host's table. One thread encodes the JPEGs of all watchers.

    cors: the host's --enable-cors-header, an origin or "*".
    """
    encoder = ThreadPoolExecutor(1, thread_name_prefix="motionstream-watch")

    @routes.post("/motionstream/watch")
    async def link(request: web.Request) -> web.StreamResponse:
        return await answered(set_link(request, runs, cors))

    @routes.post("/motionstream/device")
    async def device(request: web.Request) -> web.StreamResponse:
        return await answered(set_device(request, runs, cors))

    @routes.get("/motionstream/watch")
    async def page(request: web.Request) -> web.StreamResponse:
        return await answered(watch_page(request, runs, cors))

    @routes.get("/motionstream/watch/stream")
    async def pictures(request: web.Request) -> web.StreamResponse:
        return await answered(stream_pictures(request, runs, encoder, cors))


def find_watched(runs: Runs, link: object) -> Run:
    run = runs.find_watched(link)
    if run is None:
        raise Refused("no_link", "expected a watch link of a run that goes on, got one that has ended")
    return run


async def set_link(request: web.Request, runs: Runs, cors: str | None) -> web.Response:
    demand_access(request, cors)
    message = await read_json(request)
    wanted = message.get("link")
    if not isinstance(wanted, bool):
        raise Refused("bad_control", f"link: expected true or false, got {type(wanted).__name__}")
    run = find_run(runs, message.get("token"))
    link = run.make_link() if wanted else run.end_link()
    return web.json_response({"watch": link, "watchers": run.outlet.count})


async def set_device(request: web.Request, runs: Runs, cors: str | None) -> web.Response:
    demand_access(request, cors)
    message = await read_json(request)
    run = find_run(runs, message.get("token"))
    name, on = message.get("device"), message.get("on")
    if name is not None:
        if not isinstance(name, str) or not isinstance(on, bool):
            raise Refused("bad_control", "device: expected a name, and on: true or false, got something else")
        try:
            # A device may take its time to open.
            await asyncio.get_running_loop().run_in_executor(None, run.set_device, name, on)
        except Exception as error:  # a driver may raise anything
            raise Refused("no_device", f"{name[:40]}: {error}"[:400]) from error
    return web.json_response({"devices": installed_devices(), "on": run.devices})


async def watch_page(request: web.Request, runs: Runs, cors: str | None) -> web.Response:
    demand_access(request, cors)
    link = request.query.get("watch")
    if runs.find_watched(link) is None:
        body, status = ENDED, 404
    else:
        source = html.escape(f"watch/stream?watch={quote(str(link))}")
        body, status = f'<img alt="" src="{source}">', 200
    return web.Response(text=PAGE.format(body=body), status=status, content_type="text/html", headers=HEADERS)


async def stream_pictures(
    request: web.Request, runs: Runs, encoder: ThreadPoolExecutor, cors: str | None
) -> web.StreamResponse:
    demand_access(request, cors)
    run = find_watched(runs, request.query.get("watch"))
    kind = f"multipart/x-mixed-replace; boundary={BOUNDARY}"
    response = web.StreamResponse(headers={**HEADERS, "Content-Type": kind})
    if request.method == "HEAD":
        return response
    loop = asyncio.get_running_loop()
    news = asyncio.Event()

    def wake():
        if not loop.is_closed():
            loop.call_soon_threadsafe(news.set)

    watcher = Watcher(wake)
    try:
        run.watch(watcher)
    except ValueError as error:
        raise Refused("too_many", str(error)) from error
    try:
        await response.prepare(request)
        await send_pictures(response, watcher, news, encoder)
    except (ConnectionError, TimeoutError, asyncio.TimeoutError):  # noqa: UP041  two classes up to Python 3.10
        if request.transport is not None:
            request.transport.abort()
    finally:
        run.unwatch(watcher)
    return response


async def send_pictures(
    response: web.StreamResponse, watcher: Watcher, news: asyncio.Event, encoder: ThreadPoolExecutor
):
    """The newest picture whenever the watcher has taken the last one, until it is closed. Raises TimeoutError
    for one that takes nothing.
    """
    loop = asyncio.get_running_loop()
    # A browser shows a part when the next boundary is there, so each part brings it.
    await response.write(f"--{BOUNDARY}\r\n".encode())
    shown: Picture | None = None
    while True:
        news.clear()
        picture = watcher.take()
        if picture is None and watcher.closed:
            break
        if picture is None:
            try:
                await asyncio.wait_for(news.wait(), HELD_S)
                continue
            except (TimeoutError, asyncio.TimeoutError):  # noqa: UP041  two classes up to Python 3.10
                picture = shown
        if picture is not None:
            shown = picture
            jpeg = await loop.run_in_executor(encoder, picture.jpeg)
            await asyncio.wait_for(response.write(part(jpeg)), STALLED_S)
    await asyncio.wait_for(response.write_eof(), STALLED_S)


def part(jpeg: bytes) -> bytes:
    head = f"Content-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
    return head.encode() + jpeg + f"\r\n--{BOUNDARY}\r\n".encode()
