"""OSC for one run: a UDP port on loopback, off until the run's client asks for it.

    POST /motionstream/osc    {"token", "port": 0 or 1024 … 65535} -> {"port": n}: listens there, 0: no longer

What comes is told to the viewers of the run as {"type": "osc", "values": {address: [number, …]}}, the newest
of each address. The page makes controls of it, by the map that the person has learned. The port is closed
with the run.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from aiohttp import web

from ..motionstream_core.live.osc import parse_packet
from ._live import Run, Runs
from ._server import Refused, answered, demand_access, find_run, read_json

LOOPBACK = "127.0.0.1"
PACKETS = 1000  # a second. More are dropped
LEAST_PORT = 1024


class OscListener(asyncio.DatagramProtocol):
    """Reads packets and hands their numbers on. Malformed ones are dropped and counted."""

    def __init__(self, hear: Callable[[dict[str, list[float]]], None]):
        self._hear = hear
        self._second, self._count = 0, 0
        self.dropped = 0
        self._transport: asyncio.BaseTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport):
        self._transport = transport

    def datagram_received(self, data: bytes, addr: object):
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._count = second, 0
        self._count += 1
        if self._count > PACKETS:
            self.dropped += 1
            return
        try:
            messages = parse_packet(data)
        except ValueError:
            self.dropped += 1
            return
        self._hear({address: list(values) for address, values in messages if values})

    def close(self):
        if self._transport is not None:
            self._transport.close()


def register(routes: web.RouteTableDef, runs: Runs, cors: str | None = None):
    """Adds the route to the host's table.

    cors: the host's --enable-cors-header, an origin or "*".
    """

    @routes.post("/motionstream/osc")
    async def osc(request: web.Request) -> web.StreamResponse:
        return await answered(set_port(request, runs, cors))


async def set_port(request: web.Request, runs: Runs, cors: str | None) -> web.Response:
    demand_access(request, cors)
    message = await read_json(request)
    run = find_run(runs, message.get("token"))
    port = message.get("port")
    if type(port) is not int or not (port == 0 or LEAST_PORT <= port <= 65535):
        raise Refused("bad_control", f"port: expected 0 or {LEAST_PORT} … 65535, got {str(port)[:40]}")
    run.hang_up()
    if port:
        await listen(run, port)
    return web.json_response({"port": port})


async def listen(run: Run, port: int):
    loop = asyncio.get_running_loop()
    listener = OscListener(run.hear)
    try:
        await loop.create_datagram_endpoint(lambda: listener, local_addr=(LOOPBACK, port))
    except OSError as error:
        raise Refused("no_device", f"port {port}: {error}") from error

    def close():
        if not loop.is_closed():
            loop.call_soon_threadsafe(listener.close)

    run.listen_until_end(close)
