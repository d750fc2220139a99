"""The system's Firefox for Playwright: a launcher between the two, over WebDriver BiDi.

Owns the Firefox process and the wire. Answers in Firefox's place what this Playwright asks and a Firefox of
this age does not know, and takes BiDi commands that Playwright has no words for (fingers on the glass, the
pixels of the screen) at POST /command.

    python firefox.py FIREFOX PORT_FILE FIREFOX'S ARGUMENTS…
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import re
import shutil
import signal
import sys
import urllib.request
from pathlib import Path

from aiohttp import ClientSession, WSMsgType, web

FIREFOX = ("firefox", "firefox-esr")
MISSING = (
    "no firefox on this machine: install the system package firefox or firefox-esr (Debian: sudo apt-get "
    "install firefox-esr)"
)
ANSWERED_HERE = (
    "emulation.setMediaFeaturesOverride",
)  # Firefox 153 has no such command; pages see no emulated media features
# A machine without a touch screen hears of fingers, too; the list of downloads does not open over the page
# and take the next click.
PREFERENCES = {"dom.w3c_touch_events.enabled": 1, "browser.download.alwaysOpenPanel": False}
LISTENING = re.compile(r"WebDriver BiDi listening on (ws://\S+)")
OWN_IDS = 1_000_000_000  # Playwright counts from 1
WAIT_S = 30


def firefox() -> str | None:
    """The browser's path, None where the system has none."""
    return next((path for path in map(shutil.which, FIREFOX) if path), None)


def launcher(folder: Path, executable: str) -> tuple[Path, Path]:
    """An executable for Playwright to start -> it, and the file that will hold the address for `command`."""
    script, address = folder / "firefox", folder / "address"
    script.write_text(
        f'#!/bin/sh\nexec "{sys.executable}" "{Path(__file__).resolve()}" "{executable}" "{address}" "$@"\n'
    )
    script.chmod(0o755)
    return script, address


def command(address: Path, method: str, params: dict) -> dict:
    """One BiDi command in Playwright's session -> its result; RuntimeError with Firefox's own words."""
    data = json.dumps({"method": method, "params": params}).encode()
    request = urllib.request.Request(address.read_text(), data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=WAIT_S) as answer:
        found = json.loads(answer.read())
    if found.get("type") == "error":
        raise RuntimeError(f"{method}: {found['error']}: {found['message']}")
    return found["result"]


class Bridge:
    """Playwright's socket on one side, Firefox's on the other."""

    def __init__(self, target: str):
        self.target = target
        self.ids = itertools.count(OWN_IDS)
        self.asked: dict[int, asyncio.Future] = {}
        self.session = None

    async def socket(self, request: web.Request) -> web.WebSocketResponse:
        near = web.WebSocketResponse(max_msg_size=0)
        await near.prepare(request)
        async with (
            ClientSession() as client,
            client.ws_connect(self.target + request.path, max_msg_size=0) as far,
        ):
            self.session = far
            pumps = [
                asyncio.ensure_future(pump)
                for pump in (self.to_firefox(near, far), self.to_playwright(near, far))
            ]
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            for pump in pumps:
                pump.cancel()
        return near

    async def to_firefox(self, near, far) -> None:
        async for message in near:
            if message.type != WSMsgType.TEXT:
                continue
            asked = json.loads(message.data)
            if asked.get("method") in ANSWERED_HERE:
                await near.send_str(json.dumps({"type": "success", "id": asked["id"], "result": {}}))
            else:
                await far.send_str(message.data)

    async def to_playwright(self, near, far) -> None:
        async for message in far:
            if message.type != WSMsgType.TEXT:
                continue
            answer = json.loads(message.data)
            waiting = self.asked.pop(answer.get("id") or 0, None)
            if waiting:
                waiting.set_result(answer)
            else:
                await near.send_str(named(answer) or message.data)

    async def command(self, request: web.Request) -> web.Response:
        if self.session is None:
            return web.json_response(
                {"type": "error", "error": "no session", "message": "expected Playwright to be connected"}
            )
        number = next(self.ids)
        self.asked[number] = asyncio.get_running_loop().create_future()
        answer = self.asked[number]
        await self.session.send_str(json.dumps({"id": number, **await request.json()}))
        return web.json_response(await asyncio.wait_for(answer, WAIT_S))


def named(message: dict) -> str | None:
    """The message with a name for a download that is no navigation, which Playwright would pass over; None =
    it needs none.
    """
    if message.get("method") not in (
        "browsingContext.downloadWillBegin",
        "browsingContext.downloadEnd",
    ) or message["params"].get("navigation"):
        return None
    message["params"]["navigation"] = message["params"]["url"]
    return json.dumps(message)


def keep_preferences(arguments: list[str]) -> None:
    """PREFERENCES into the profile that Playwright has made."""
    profile = Path(arguments[arguments.index("--profile") + 1])
    with open(profile / "user.js", "a") as file:
        file.writelines(
            f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in PREFERENCES.items()
        )


async def listening(process) -> str:
    """Firefox's own address, as it says it on stderr."""
    async for line in process.stderr:
        text = line.decode(errors="replace")
        found = LISTENING.search(text)
        if found:
            return found[1]
        sys.stderr.write(text)
    raise RuntimeError("expected Firefox to say where it listens, got its end")


async def drain(process) -> None:
    async for line in process.stderr:
        sys.stderr.buffer.write(line)
        sys.stderr.flush()


async def main(executable: str, address: Path, arguments: list[str]) -> None:
    keep_preferences(arguments)
    process = await asyncio.create_subprocess_exec(executable, *arguments, stderr=asyncio.subprocess.PIPE)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, process.terminate)
    bridge = Bridge(await listening(process))
    app = web.Application(client_max_size=2**26)
    app.add_routes([web.post("/command", bridge.command), web.get("/{path:.*}", bridge.socket)])
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    address.write_text(f"http://127.0.0.1:{port}/command")
    print(f"WebDriver BiDi listening on ws://127.0.0.1:{port}", file=sys.stderr, flush=True)
    drained = asyncio.ensure_future(drain(process))
    await process.wait()
    drained.cancel()
    with contextlib.suppress(Exception):
        await asyncio.wait_for(runner.cleanup(), 3)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:]))
    os._exit(0)
