"""Runs a prompt on the host and tells, while it runs, what the host tells its clients over its WebSocket."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable, Iterator

import aiohttp

from .host import RUN_S, Host

ENDS = {"execution_success", "execution_error", "execution_interrupted"}


def run_telling(host: Host, prompt: dict, say: Callable[[str], None]) -> dict:
    """Queues an API prompt, calls `say` at every node and at every step of the sampler -> its history
    entry.
    """
    return asyncio.run(_run(host, prompt, say))


async def _run(host: Host, prompt: dict, say: Callable[[str], None]) -> dict:
    client = uuid.uuid4().hex
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{host.url}/ws?clientId={client}", max_msg_size=0) as socket,
    ):
        prompt_id = await asyncio.to_thread(host.queue, prompt, client)
        while True:
            message = await socket.receive(timeout=RUN_S)
            if message.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR):
                break
            event = json.loads(message.data) if message.type == aiohttp.WSMsgType.TEXT else {}
            for line in told(event, prompt):
                say(line)
            if event.get("type") in ENDS and event["data"].get("prompt_id") == prompt_id:
                break
    return await asyncio.to_thread(host.wait, prompt_id)


def told(event: dict, prompt: dict) -> Iterator[str]:
    """An event of the host, in words."""
    data = event.get("data", {})
    kind = prompt.get(str(data.get("node")), {}).get("class_type")
    if event.get("type") == "executing" and kind:
        yield kind
    elif event.get("type") == "progress" and kind:
        yield f"{kind}: {data['value']} of {data['max']}"
