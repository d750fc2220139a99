"""What weights a name stands for here, for takes that travel: their size and hash.

    GET /motionstream/weights?name=...   {"name", "bytes", "sha256"}

A name is one that Load MotionStream offers. Nothing else of the disk can be asked for. docs/live.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from aiohttp import web

from ..motionstream_core.common.digests import file_sha256
from ._server import Refused, answered, demand_access

HASHED = 4 * 2**30  # bytes: of a larger file, and of a folder, the size alone is told
REMEMBERED = 64
NAME = 1024  # characters

Stamp = tuple[Path, int, int]  # a file, its bytes and when it was written


class WeightHashes:
    """The hashes of weights, one file at a time, remembered for as long as a file stays the same."""

    def __init__(self, find: Callable[[str], Path]):
        self._find = find
        self._known: dict[Stamp, str] = {}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="motionstream-hash")

    async def of(self, name: str) -> dict[str, str | int]:
        """Bytes and SHA-256 ("" where it is not told). ValueError for a name that is not offered here."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._of, name)

    def _of(self, name: str) -> dict[str, str | int]:
        path = self._find(name)
        if path.is_dir():
            size = sum(part.stat().st_size for part in path.rglob("*") if part.is_file())
            return {"name": name, "bytes": size, "sha256": ""}
        stat = path.stat()
        stamp = (path, stat.st_size, stat.st_mtime_ns)
        if stamp not in self._known and stat.st_size <= HASHED:
            self._known[stamp] = file_sha256(path)
            for old in list(self._known)[:-REMEMBERED]:
                del self._known[old]
        return {"name": name, "bytes": stat.st_size, "sha256": self._known.get(stamp, "")}


def register(routes: web.RouteTableDef, find: Callable[[str], Path], cors: str | None = None):
    """Adds the route to the host's table.

    find: a name of Load MotionStream -> its file or folder, ValueError for others.
    cors: the host's --enable-cors-header, an origin or "*".
    """
    hashes = WeightHashes(find)

    @routes.get("/motionstream/weights")
    async def weights(request: web.Request) -> web.StreamResponse:
        return await answered(tell_weights(request, hashes, cors))


async def tell_weights(request: web.Request, hashes: WeightHashes, cors: str | None) -> web.Response:
    demand_access(request, cors)
    name = request.query.get("name", "")
    if not name or len(name) > NAME:
        raise Refused("bad_control", f"name: expected 1 to {NAME} characters, got {len(name)}")
    try:
        return web.json_response(await hashes.of(name))
    except (ValueError, OSError):
        raise Refused(
            "no_weights", f"name: expected one that Load MotionStream offers, got {name[:80]!r}"
        ) from None
