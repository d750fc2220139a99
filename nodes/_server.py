"""The pack's HTTP routes: the control of a running stream, the list of a client's runs, and the frames
themselves.

    GET  /motionstream/runs?client_id=...   {"runs": [{token, prompt_id, node_id, width, height, fps, frames,
    chunk_frames, first_frames, controls}]}
    POST /motionstream/control              {"token", "type", ...} -> {"ok": true, "chunk": n}
    GET  /motionstream/stream?token=...     WebSocket: binary frames, {"type": "state", ...} and its kin out,
    {"type": "ack", "frame": i} in

A refusal is {"error": text, "code": code}. docs/live.md has the messages and the codes.

The host has no log-in, so every request needs the token of a run, which only the client that started it is
told (docs/live.md says what that is worth). Pages from elsewhere are refused by `_access`, and a body is
counted while it is read.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import Awaitable
from concurrent.futures import ThreadPoolExecutor

from aiohttp import ClientPayloadError, WSMsgType, http_exceptions, web

from ..motionstream_core.live.controls import RefusedControl
from ._access import Foreign, check_access
from ._frames import Viewer
from ._live import Run, Runs

BODY_BYTES = 256 * 1024
BODY_S = 10.0
ACK_BYTES = 1024
ACKS = 1000  # a second: a screen draws a quarter of that
LINGER_S = 10.0  # how long a viewer may take, after the end of a run, to fetch the frames that still wait
HEARTBEAT_S = 20.0


# Why a request is refused, for a program (docs/live.md), and the status of the answer.
STATUS = {
    "bad_control": 400,
    "foreign_origin": 403,
    "unknown_run": 404,
    "no_link": 404,
    "no_weights": 404,
    "no_device": 409,
    "run_ended": 409,
    "id_taken": 409,
    "too_slow": 408,
    "too_large": 413,
    "not_json": 415,
    "not_a_socket": 426,
    "too_many": 429,
}


class Refused(ValueError):
    """A request that is answered with the status of a code, the code, and this text for a person."""

    def __init__(self, code: str, text: str):
        super().__init__(text)
        self.code = code
        self.status = STATUS[code]


def register(routes: web.RouteTableDef, runs: Runs, cors: str | None = None):
    """Adds the routes to the host's table. One thread encodes the JPEGs of all viewers.

    cors: the host's --enable-cors-header, an origin or "*".
    """
    encoder = ThreadPoolExecutor(1, thread_name_prefix="motionstream-jpeg")

    @routes.get("/motionstream/runs")
    async def list_runs(request: web.Request) -> web.StreamResponse:
        return await answered(runs_of_client(request, runs, cors))

    @routes.post("/motionstream/control")
    async def control(request: web.Request) -> web.StreamResponse:
        return await answered(post_control(request, runs, cors))

    @routes.get("/motionstream/stream")
    async def stream(request: web.Request) -> web.StreamResponse:
        return await answered(stream_frames(request, runs, encoder, cors))


async def answered(work: Awaitable[web.StreamResponse]) -> web.StreamResponse:
    """The response of `work`, or the refusal it raised as {"error": text, "code": code}."""
    try:
        return await work
    except Refused as refusal:
        return web.json_response({"error": str(refusal), "code": refusal.code}, status=refusal.status)


def demand_access(request: web.Request, cors: str | None):
    """Refuses the request of a page that is not the host's own."""
    transport = request.transport
    local = transport.get_extra_info("sockname") if transport is not None else None
    try:
        check_access(request.headers.get("Host", ""), request.headers.get("Origin"), local, cors)
    except Foreign as error:
        raise Refused("foreign_origin", str(error)) from None


async def read_json(request: web.Request, most: int = BODY_BYTES) -> dict:
    """The body as a JSON object. Refused when it is of another type, too long or malformed."""
    if request.content_type != "application/json":
        raise Refused("not_json", f"expected content type application/json, got {request.content_type}")
    try:
        body = await asyncio.wait_for(_body(request, most), BODY_S)
    except (TimeoutError, asyncio.TimeoutError):  # noqa: UP041  two classes up to Python 3.10
        raise Refused("too_slow", f"expected the whole body within {BODY_S:.0f} s, got a part") from None
    except (ConnectionError, http_exceptions.HttpProcessingError, ClientPayloadError):
        raise Refused("bad_control", "expected a whole body, got one that broke off") from None
    try:
        message = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Refused(
            "bad_control", f"expected a JSON object, got something else ({str(error)[:80]})"
        ) from error
    if not isinstance(message, dict):
        raise Refused("bad_control", f"expected a JSON object, got {type(message).__name__}")
    return message


async def _body(request: web.Request, most: int) -> bytearray:
    body = bytearray()
    async for piece in request.content.iter_chunked(16 * 1024):
        body += piece
        if len(body) > most:
            raise Refused("too_large", f"expected at most {most} bytes, got more")
    return body


def find_run(runs: Runs, token: object) -> Run:
    run = runs.find(token)
    if run is None:
        ending = runs.ending(token)
        if ending is None:
            raise Refused("unknown_run", "expected the token of a run, got an unknown one")
        raise Refused("run_ended", f"the run has ended ({ending})")
    return run


async def runs_of_client(request: web.Request, runs: Runs, cors: str | None) -> web.Response:
    demand_access(request, cors)
    return web.json_response({"runs": runs.of_client(request.query.get("client_id", ""))})


async def post_control(request: web.Request, runs: Runs, cors: str | None) -> web.Response:
    demand_access(request, cors)
    message = await read_json(request)
    run = find_run(runs, message.get("token"))
    try:
        chunk = run.session.post(message)
    except RefusedControl as error:
        raise Refused(error.code, str(error)) from error
    return web.json_response({"ok": True, "chunk": chunk})


async def stream_frames(
    request: web.Request, runs: Runs, encoder: ThreadPoolExecutor, cors: str | None
) -> web.StreamResponse:
    demand_access(request, cors)
    run = find_run(runs, request.query.get("token"))
    socket = web.WebSocketResponse(max_msg_size=ACK_BYTES, heartbeat=HEARTBEAT_S)
    if not socket.can_prepare(request).ok:
        raise Refused("not_a_socket", "expected a WebSocket, got a plain request")
    loop = asyncio.get_running_loop()
    news = asyncio.Event()

    def wake():
        if not loop.is_closed():
            loop.call_soon_threadsafe(news.set)

    try:
        viewer = run.attach(wake)
    except ValueError as error:
        raise Refused("too_many", str(error)) from error
    try:
        await socket.prepare(request)
        sender = asyncio.create_task(send_frames(socket, viewer, news, encoder))
        try:
            await receive_acks(socket, viewer)
        finally:
            sender.cancel()
            await asyncio.gather(sender, return_exceptions=True)
    finally:
        run.detach(viewer)
    return socket


async def receive_acks(socket: web.WebSocketResponse, viewer: Viewer):
    """Until the socket closes. Anything but an acknowledgement, and a flood of them, closes it (1008: policy
    violation).
    """
    times: deque[float] = deque(maxlen=ACKS)
    async for message in socket:
        now = time.monotonic()
        if len(times) == ACKS and now - times[0] < 1.0:
            await socket.close(code=1008, message=b"expected fewer acknowledgements")
            return
        times.append(now)
        frame = parse_ack(message.data) if message.type == WSMsgType.TEXT else None
        if frame is None:
            await socket.close(code=1008, message=b'expected {"type": "ack", "frame": number}')
            return
        viewer.acknowledge(frame)


def parse_ack(text: str) -> int | None:
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(message, dict) or message.get("type") != "ack" or type(message.get("frame")) is not int:
        return None
    return message["frame"]


async def send_frames(
    socket: web.WebSocketResponse, viewer: Viewer, news: asyncio.Event, encoder: ThreadPoolExecutor
):
    """States at once, frames as the viewer's credits allow. Closes the socket when the run has ended and all
    is sent.
    """
    loop = asyncio.get_running_loop()
    while not viewer.drained:
        news.clear()
        for state in viewer.take_states():
            await socket.send_json(state)
        taken = viewer.take_frame()
        if taken is not None:
            frame, queued = taken
            await socket.send_bytes(await loop.run_in_executor(encoder, frame.message, queued))
            continue
        if viewer.drained:
            break
        try:
            await asyncio.wait_for(news.wait(), LINGER_S if viewer.ended else None)
        except (TimeoutError, asyncio.TimeoutError):  # noqa: UP041  two classes up to Python 3.10
            break
    await socket.close()
