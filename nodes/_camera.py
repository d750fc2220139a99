"""The pictures of a tab's camera on their way to the run that it queued.

    GET /motionstream/cameras?client_id=...   {"cameras": [{token, prompt_id, node_id, device, side, fps}]}
    GET /motionstream/camera?token=...        WebSocket. In: binary, u32 little-endian length of a header, the
    header as JSON {"t": ms}, a JPEG or WebP. In: text {"type": "problem", "text": ...}. Out: {"type":
    "state", "received", "used", "held", "refused", "lost"} twice a second

The token of a camera is told to the client whose run wants the pictures, and to no other. The socket is
closed when that run is over. docs/live.md has the messages.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import struct
import threading
from collections.abc import Callable
from dataclasses import asdict

from aiohttp import WSMsgType, web

from ..motionstream_core.live.picture_feed import PICTURE_BYTES, PictureFeed
from ._server import HEARTBEAT_S, Refused, answered, demand_access

HEADER_BYTES = 1024
PROBLEM = 200  # characters
STATE_S = 0.5
POLICY = 1008  # of WebSocket: what came is against the rules


class Camera:
    """A wish for pictures: whom it is told to, as what, and where they go.

    Args:
        client_id: the tab that queued the run.
        about: prompt_id, node_id, device, side, fps.
        alive: whether the run goes on.
    """

    def __init__(self, client_id: str, about: dict, alive: Callable[[], bool]):
        self.token = secrets.token_urlsafe(16)
        self.client_id, self.alive = client_id, alive
        self.info = {"token": self.token, **about}
        self.feed = PictureFeed()
        self.sender: object = None  # the socket that sends now. A newer one takes its place


class Cameras:
    """The cameras that are wanted now, by token."""

    def __init__(self):
        self._wanted: dict[str, Camera] = {}
        self._lock = threading.Lock()

    def add(self, camera: Camera):
        with self._lock:
            over = [each for each in self._wanted.values() if not each.alive()]
            self._wanted[camera.token] = camera
        for each in over:
            self.retire(each)

    def find(self, token: object) -> Camera | None:
        with self._lock:
            found = self._wanted.get(token) if isinstance(token, str) else None
        if found is not None and not found.alive():
            self.retire(found)
            return None
        return found

    def retire(self, camera: Camera):
        with self._lock:
            self._wanted.pop(camera.token, None)
        camera.feed.close()

    def of_client(self, client_id: str) -> list[dict]:
        with self._lock:
            wanted = list(self._wanted.values())
        return [each.info for each in wanted if each.client_id == client_id and each.alive()]


def register(routes: web.RouteTableDef, cameras: Cameras, cors: str | None = None):
    """Adds the routes to the host's table.

    cors: the host's --enable-cors-header, an origin or "*".
    """

    @routes.get("/motionstream/cameras")
    async def list_cameras(request: web.Request) -> web.StreamResponse:
        return await answered(cameras_of_client(request, cameras, cors))

    @routes.get("/motionstream/camera")
    async def camera(request: web.Request) -> web.StreamResponse:
        return await answered(receive_pictures(request, cameras, cors))


async def cameras_of_client(request: web.Request, cameras: Cameras, cors: str | None) -> web.Response:
    demand_access(request, cors)
    return web.json_response({"cameras": cameras.of_client(request.query.get("client_id", ""))})


async def receive_pictures(request: web.Request, cameras: Cameras, cors: str | None) -> web.StreamResponse:
    demand_access(request, cors)
    camera = cameras.find(request.query.get("token"))
    if camera is None:
        raise Refused("unknown_run", "expected the token of a camera that is wanted, got an unknown one")
    most = 4 + HEADER_BYTES + PICTURE_BYTES
    socket = web.WebSocketResponse(max_msg_size=most, heartbeat=HEARTBEAT_S, compress=False)
    if not socket.can_prepare(request).ok:
        raise Refused("not_a_socket", "expected a WebSocket, got a plain request")
    await socket.prepare(request)
    camera.sender = socket
    teller = asyncio.create_task(tell_state(socket, camera))
    try:
        await take_messages(socket, camera)
    finally:
        teller.cancel()
        await asyncio.gather(teller, return_exceptions=True)
        if camera.sender is socket:
            camera.sender = None
            camera.feed.fail("the page has closed its connection")
        if not camera.alive():
            cameras.retire(camera)
    return socket


async def tell_state(socket: web.WebSocketResponse, camera: Camera):
    """The figures, until the run is over or another socket has come: then this one is closed."""
    while camera.alive() and not camera.feed.closed and camera.sender is socket:
        await socket.send_json({"type": "state", **asdict(camera.feed.figures)})
        await asyncio.sleep(STATE_S)
    await socket.close()


async def take_messages(socket: web.WebSocketResponse, camera: Camera):
    """Until the socket closes. Anything malformed closes it, and says why."""
    async for message in socket:
        try:
            if message.type == WSMsgType.BINARY:
                header, picture = unpacked(message.data)
                camera.feed.put(picture, seconds_of(header))
            elif message.type == WSMsgType.TEXT:
                camera.feed.fail(problem_of(message.data))
        except ValueError as error:
            # A close frame has room for 123 bytes.
            await socket.close(code=POLICY, message=str(error).encode()[:120])
            return


def unpacked(message: bytes) -> tuple[dict, bytes]:
    """A binary message -> its header and its picture."""
    length = struct.unpack_from("<I", message)[0] if len(message) >= 4 else 0
    if not 0 < length <= min(HEADER_BYTES, len(message) - 4):
        raise ValueError(f"camera: expected a header in {len(message)} bytes, got one of {length}")
    return object_in(message[4 : 4 + length]), bytes(message[4 + length :])


def seconds_of(header: dict) -> float:
    moment = header.get("t")
    if isinstance(moment, bool) or not isinstance(moment, (int, float)):
        raise ValueError(f"camera: expected t in milliseconds, got {type(moment).__name__}")
    return moment / 1000


def problem_of(text: str) -> str:
    message = object_in(text)
    if message.get("type") != "problem" or not isinstance(message.get("text"), str):
        raise ValueError('camera: expected {"type": "problem", "text": …}, got something else')
    return message["text"][:PROBLEM]


def object_in(text: str | bytes) -> dict:
    try:
        message = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError("camera: expected JSON, got something else") from error
    if not isinstance(message, dict):
        raise ValueError(f"camera: expected a JSON object, got {type(message).__name__}")
    return message
