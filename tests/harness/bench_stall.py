"""A tab that hangs for two minutes while the stream goes on: part of `make bench-live`.

Three tabs watch one stream that keeps pace with its playback: one that never acknowledges while the stall
lasts, one that does, and, where there is a browser, a real page whose JavaScript is held by the debugger (its
socket stays open and reads on, as of a page that hangs).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from playwright.async_api import async_playwright

from .bench_viewers import Stream, Viewer
from .browser import FLAGS, chromium
from .host import Host

SECONDS = 120
SETTLE_S = 12
PAGE = """async ([url, token]) => {
    const socket = new WebSocket(`${url.replace('http', 'ws')}/motionstream/stream?token=${token}`)
    socket.binaryType = 'arraybuffer'
    window.seen = []
    socket.onmessage = event => {
        if (typeof event.data === 'string') return
        const length = new DataView(event.data).getUint32(0, true)
        const header = JSON.parse(new TextDecoder().decode(new Uint8Array(event.data, 4, length)))
        window.seen.push(header.frame)
        socket.send(JSON.stringify({ type: 'ack', frame: header.frame }))
    }
    socket.onclose = () => (window.closed = true)
}"""


class HeldPage:
    """A page of the browser that watches a run; its JavaScript can be held."""

    async def open(self, playwright, host: Host, token: str) -> HeldPage:
        self.browser = await playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        self.page = await self.browser.new_page()
        await self.page.goto(f"{host.url}/system_stats")
        await self.page.evaluate(PAGE, [host.url, token])
        self.session = await self.page.context.new_cdp_session(self.page)
        await self.session.send("Debugger.enable")
        return self

    async def hold(self):
        await self.session.send("Debugger.pause")

    async def go_on(self):
        await self.session.send("Debugger.resume")

    async def frames(self) -> tuple[int, int, bool]:
        """How many it got, the newest, and whether its socket was closed."""
        return tuple(
            await self.page.evaluate(
                "() => [window.seen.length, window.seen.at(-1) ?? -1, Boolean(window.closed)]"
            )
        )


async def stall(host: Host, say: Callable[[str], None], seconds: float = SECONDS) -> dict:
    if chromium() is None:
        return await watched(host, say, seconds, None)
    async with async_playwright() as playwright:
        return await watched(host, say, seconds, playwright)


async def watched(host: Host, say: Callable[[str], None], seconds: float, playwright) -> dict:
    page = None
    try:
        async with Stream(host, 9, live=True) as stream:
            beside, stalled = await stream.viewer(), await stream.viewer()
            page = await HeldPage().open(playwright, host, stream.token) if playwright is not None else None
            await stream.mark("before")
            await asyncio.sleep(min(SETTLE_S, seconds))  # all tabs well; the history of moments fills up
            before, at_first = memory_mib(host), len(stalled.seen)
            stalled.acknowledges = False
            held = await hold(page)
            await stream.mark("stalled")
            for passed in range(int(seconds / 10)):
                await asyncio.sleep(10)
                say(f"stalled tab: {10 * (passed + 1)} of {seconds:.0f} s")
            after, got = memory_mib(host), len(stalled.seen) - at_first
            await stream.mark("recovered")
            recovery = await recovered(stalled, beside, page, held)
            noted = await stream.chunks()
        made = {
            mark: [record for record in noted if record[0] == mark]
            for mark in ("before", "stalled", "recovered")
        }
        for viewer in (beside, stalled):
            await viewer.close()
    finally:
        if page is not None:
            await page.browser.close()
    times = {
        f"chunk_{mark}_ms": round(1000 * median(record[3] for record in records), 1)
        for mark, records in made.items()
        if records
    }
    bounded = {
        "most_waiting_frames": max(record[5] for record in noted),
        "made_frames": stream.figures["frames"],
    }
    return {
        "s": seconds,
        **times,
        "memory_before_mib": round(before),
        "memory_grown_mib": round(after - before, 1),
        **bounded,
        "tab_got_frames": got,
        **recovery,
    }


async def hold(page: HeldPage | None) -> int:
    """Holds the page -> the frames it had got."""
    if page is None:
        return 0
    held, _, _ = await page.frames()
    await page.hold()
    return held


async def recovered(stalled: Viewer, beside: Viewer, page: HeldPage | None, held: int) -> dict:
    """Lets the tabs go on, and says how soon each shows what the healthy one shows."""
    began = time.monotonic()
    if page is not None:
        await page.go_on()
    await stalled.recover()
    found: dict = {}
    while time.monotonic() < began + 15 and len(found) < (1 if page is None else 2):
        newest = beside.seen[-1][1]["frame"]
        if stalled.seen[-1][1]["frame"] >= newest - 2:
            found.setdefault("recovered_ms", round(1000 * (time.monotonic() - began)))
        if page is not None:
            count, frame, closed = await page.frames()
            if not closed and count > held and frame >= newest - 2:
                found.setdefault("page_recovered_ms", round(1000 * (time.monotonic() - began)))
        await asyncio.sleep(0.05)
    await asyncio.sleep(3)
    return found


def memory_mib(host: Host) -> float:
    pages = int(Path(f"/proc/{host.process.pid}/statm").read_text().split()[1])
    return pages * 4096 / 2**20
