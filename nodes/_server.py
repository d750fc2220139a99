"""The pack's HTTP routes: the control of a running stream, the list of a client's runs, and the frames
themselves.

    GET  /motionstream/runs?client_id=...   {"runs": [{token, prompt_id, node_id, width, height, fps, frames,
    chunk_frames, controls}]}
    POST /motionstream/control              {"token", "type", ...} -> {"ok": true, "chunk": n}
    GET  /motionstream/stream?token=...     WebSocket: binary frames and {"type": "state", ...} out, {"type":
    "ack", "frame": i} in

docs/live.md has the messages.

The host has no log-in, so every request needs the token of a run, which only the client that started it is
told; a page from elsewhere (Origin other than Host) is refused, and a body is counted while it is read.
"""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from aiohttp import WSMsgType, web

from ..motionstream_core.live.session import MailboxFull, Repeated, SessionEnded
from ._frames import Viewer
from ._live import Runs

BODY_BYTES = 256 * 1024
ACK_BYTES = 1024
LINGER_S = 10.0  # how long a viewer may take, after the end of a run, to fetch the frames that still wait
HEARTBEAT_S = 20.0


CODES = {
    400: "bad_control",
    403: "foreign_origin",
    404: "unknown_run",
    409: "run_ended",
    413: "too_large",
    415: "not_json",
    426: "not_a_socket",
    429: "too_many",
}


class Refused(ValueError):
    """A request that is answered with a 4xx status, this text and a code that a client acts on."""

    def __init__(self, status: int, text: str, code: str | None = None):
        super().__init__(text)
        self.status = status
        self.code = code or CODES[status]


def register(routes, runs: Runs):
    """Adds the routes to the host's table. One thread encodes the JPEGs of all viewers."""
    encoder = ThreadPoolExecutor(1, thread_name_prefix="motionstream-jpeg")

    @routes.get("/motionstream/runs")
    async def list_runs(request: web.Request) -> web.Response:
        return await answered(runs_of_client(request, runs))

    @routes.post("/motionstream/control")
    async def control(request: web.Request) -> web.Response:
        return await answered(post_control(request, runs))

    @routes.get("/motionstream/stream")
    async def stream(request: web.Request) -> web.StreamResponse:
        return await answered(stream_frames(request, runs, encoder))


async def answered(work) -> web.StreamResponse:
    """The response of `work`, or the refusal it raised as {"error": text, "code": code}."""
    try:
        return await work
    except Refused as refusal:
        return web.json_response({"error": str(refusal), "code": refusal.code}, status=refusal.status)


def demand_same_origin(request: web.Request):
    origin, host = request.headers.get("Origin"), request.headers.get("Host", "")
    if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
        raise Refused(403, f"expected a request from {host}, got one from {origin[:80]}")


async def read_json(request: web.Request) -> dict:
    """The body as a JSON object; Refused when it is of another type, too long or malformed."""
    if request.content_type != "application/json":
        raise Refused(415, f"expected content type application/json, got {request.content_type}")
    body = bytearray()
    async for piece in request.content.iter_chunked(16 * 1024):
        body += piece
        if len(body) > BODY_BYTES:
            raise Refused(413, f"expected at most {BODY_BYTES} bytes, got more")
    try:
        message = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Refused(400, f"expected a JSON object, got something else ({str(error)[:80]})") from error
    if not isinstance(message, dict):
        raise Refused(400, f"expected a JSON object, got {type(message).__name__}")
    return message


def find_run(runs: Runs, token: object):
    run = runs.find(token)
    if run is None:
        ending = runs.ending(token)
        raise (
            Refused(404, "expected the token of a run, got an unknown one")
            if ending is None
            else Refused(409, f"the run has ended ({ending})")
        )
    return run


async def runs_of_client(request: web.Request, runs: Runs) -> web.Response:
    demand_same_origin(request)
    return web.json_response({"runs": runs.of_client(request.query.get("client_id", ""))})


async def post_control(request: web.Request, runs: Runs) -> web.Response:
    demand_same_origin(request)
    message = await read_json(request)
    run = find_run(runs, message.get("token"))
    try:
        chunk = run.session.post(message)
    except SessionEnded as error:
        raise Refused(409, str(error)) from error
    except Repeated as error:
        raise Refused(409, str(error), "id_taken") from error
    except MailboxFull as error:
        raise Refused(429, str(error)) from error
    except ValueError as error:
        raise Refused(400, str(error)) from error
    return web.json_response({"ok": True, "chunk": chunk})


async def stream_frames(request: web.Request, runs: Runs, encoder: ThreadPoolExecutor) -> web.StreamResponse:
    demand_same_origin(request)
    run = find_run(runs, request.query.get("token"))
    socket = web.WebSocketResponse(max_msg_size=ACK_BYTES, heartbeat=HEARTBEAT_S)
    if not socket.can_prepare(request).ok:
        raise Refused(426, "expected a WebSocket, got a plain request")
    loop, news = asyncio.get_running_loop(), asyncio.Event()
    try:
        viewer = run.attach(lambda: loop.is_closed() or loop.call_soon_threadsafe(news.set))
    except ValueError as error:
        raise Refused(429, str(error)) from error
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
    """Until the socket closes. Anything but an acknowledgement closes it (1008: policy violation)."""
    async for message in socket:
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
    """States at once, frames as the viewer's credits allow; closes the socket when the run has ended and all
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
