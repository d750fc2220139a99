"""The route that cuts a thing out of a picture for the Track Editor.

    POST /motionstream/cut   {"picture": base64 of a PNG or JPEG, "box": [left, top, right, bottom], or "at":
    [x, y]}
    -> {"width", "height", "runs"}: the mask, as lengths of runs row by row, the first outside of the thing

The page sends the picture that it shows, so no file of the host is named here. Places are pixels of it, the
middle of the first one at 0. Pages from elsewhere are refused, and one cut is made at a time.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import io
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from aiohttp import web
from PIL import Image

from ..motionstream_core.common.checked import number, point
from ..motionstream_core.tracks.cut_out import cut_out
from ..motionstream_core.tracks.masks import mask_to_runs
from ._server import Refused, answered, demand_access, read_json

PICTURE_BYTES = 8 * 2**20
LARGEST = 1024  # px, of the picture's longer side: the page sends a smaller one
FAR = 1e5
WAITING = 4  # requests; more are told to come again


def register(routes: web.RouteTableDef, cors: str | None = None):
    """Adds the route to the host's table.

    cors: the host's --enable-cors-header, an origin or "*".
    """
    worker = ThreadPoolExecutor(1, thread_name_prefix="motionstream-cut")
    waiting = asyncio.Semaphore(WAITING)

    @routes.post("/motionstream/cut")
    async def cut(request: web.Request) -> web.StreamResponse:
        return await answered(cut_picture(request, worker, waiting, cors))


async def cut_picture(
    request: web.Request, worker: ThreadPoolExecutor, waiting: asyncio.Semaphore, cors: str | None
) -> web.Response:
    demand_access(request, cors)
    if waiting.locked():
        raise Refused("too_many", f"expected at most {WAITING} cuts at once, got more")
    async with waiting:
        message = await read_json(request, PICTURE_BYTES)
        try:
            found = await asyncio.get_running_loop().run_in_executor(worker, mask_for, message)
        except ValueError as error:
            raise Refused("bad_control", str(error)) from error
    return web.json_response(found)


def mask_for(message: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to a message. Raises ValueError for one that is malformed."""
    box = message.get("box")
    if box is not None:
        if not isinstance(box, list) or len(box) != 4:
            raise ValueError("cut: expected a box [left, top, right, bottom], got something else")
        left, top, right, bottom = (number(side, "cut: box", -FAR, FAR) for side in box)
        mask = cut_out(picture_of(message.get("picture")), box=(left, top, right, bottom))
    else:
        at = point(message.get("at"), "cut: box, or at", FAR)
        mask = cut_out(picture_of(message.get("picture")), at=at)
    return {"width": mask.shape[1], "height": mask.shape[0], "runs": mask_to_runs(mask)}


def picture_of(text: Any) -> np.ndarray:
    """(H, W, 3) bytes of a base64 text."""
    if not isinstance(text, str):
        raise ValueError(f"cut: expected a picture in base64, got {type(text).__name__}")
    try:
        with Image.open(io.BytesIO(base64.b64decode(text, validate=True)), formats=["PNG", "JPEG"]) as found:
            if max(found.size) > LARGEST:
                raise ValueError(f"cut: expected a picture of at most {LARGEST} px, got {found.size}")
            return np.asarray(found.convert("RGB"))
    except (binascii.Error, OSError, Image.DecompressionBombError) as error:
        raise ValueError("cut: expected a PNG or JPEG in base64, got something else") from error
