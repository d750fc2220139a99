"""Viewers of a run as the benchmark plays them, and what they cost: parts of `make bench-live`.

Times are read from one clock (CLOCK_MONOTONIC) by the host's process and this one.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
import uuid
from collections.abc import Callable, Sequence
from statistics import median, quantiles

import aiohttp

from .graphs import streaming
from .host import Host, figures_of

WEIGHTS = "built-in (tiny, 128x128)"
KINDS = ("one", "two", "stalled", "closed")
WATCHERS = 10
BLOCK_CHUNKS = 5
MOST_S = 170


class Viewer:
    """A tab: gets frames of a run and acknowledges them, or does not until it is told to."""

    def __init__(self, host: Host, token: str, acknowledges: bool = True):
        self.address, self.acknowledges = f"{host.url}/motionstream/stream?token={token}", acknowledges
        self.seen: list[tuple[float, dict]] = []
        self.socket: aiohttp.ClientWebSocketResponse | None = None
        self.task = asyncio.create_task(self._watch())

    async def _watch(self):
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(self.address, heartbeat=None) as socket,
        ):
            self.socket = socket
            async for message in socket:
                if message.type != aiohttp.WSMsgType.BINARY:
                    continue
                length = int.from_bytes(message.data[:4], "little")
                header = json.loads(message.data[4 : 4 + length])
                self.seen.append((time.monotonic(), header))
                if self.acknowledges:
                    await self.acknowledge(header["frame"])

    async def acknowledge(self, frame: int):
        if self.socket is not None:
            await self.socket.send_json({"type": "ack", "frame": frame})

    async def recover(self):
        """A stalled tab goes on: it acknowledges what it got."""
        self.acknowledges = True
        for _, header in list(self.seen):
            await self.acknowledge(header["frame"])

    async def close(self):
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


class Watcher:
    """A player at the watch link: reads MJPEG, or nothing after its first picture."""

    def __init__(self, host: Host, link: str, reads: bool = True):
        self.address, self.reads = f"{host.url}/motionstream/watch/stream?watch={link}", reads
        self.pictures = 0
        self.task = asyncio.create_task(self._watch())

    async def _watch(self):
        async with aiohttp.ClientSession() as session, session.get(self.address, timeout=None) as answer:
            while True:
                self.pictures += (await answer.content.readany()).count(b"image/jpeg")
                connection = answer.connection
                if self.pictures and not self.reads and connection and connection.transport:
                    connection.transport.pause_reading()
                    await asyncio.Event().wait()

    async def close(self):
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


class Stream:
    """One endless run of the shipped weights, from its start to its stop."""

    def __init__(self, host: Host, seed: int, **sampler):
        self.host, self.seed, self.sampler = host, seed, sampler

    # Self is of Python 3.11
    async def __aenter__(self) -> Stream:
        graph = streaming(WEIGHTS, frames=0, seed=self.seed, keep_mb=16, **self.sampler)
        graph["2"]["inputs"]["image"] = "motionstream_example.png"
        del graph["7"]
        client = uuid.uuid4().hex
        self.queued = await asyncio.to_thread(self.host.queue, graph, client)
        self.token = await self._began(client)
        return self

    async def _began(self, client: str) -> str:
        end = time.monotonic() + 120
        while time.monotonic() < end:
            runs = (await asyncio.to_thread(self.host.get_json, f"/motionstream/runs?client_id={client}"))[
                "runs"
            ]
            if runs:
                return runs[0]["token"]
            await asyncio.sleep(0.02)
        raise TimeoutError(f"expected the run to begin, got nothing\n{self.host.log_tail()}")

    async def post(self, kind: str, /, **fields):
        await asyncio.to_thread(
            self.host.post, "/motionstream/control", {"token": self.token, "type": kind, **fields}
        )

    async def mark(self, name: str):
        await asyncio.to_thread(self.host.post, "/bench/mark", {"mark": name})

    async def chunks(self) -> list[list]:
        return await asyncio.to_thread(self.host.get_json, "/bench/chunks")

    async def watcher(self, **options) -> Watcher:
        """One at the watch link that has got its first picture."""
        asked = {"token": self.token, "link": True}
        link = (await asyncio.to_thread(self.host.post, "/motionstream/watch", asked))["watch"]
        made = Watcher(self.host, link, **options)
        while not made.pictures:
            await asyncio.sleep(0.02)
        return made

    async def viewer(self, **options) -> Viewer:
        """One that has got its first frame."""
        made = Viewer(self.host, self.token, **options)
        while not made.seen:
            await asyncio.sleep(0.02)
        return made

    async def __aexit__(self, kind, error, trace):
        if kind is not None:
            await asyncio.to_thread(self.host.interrupt, self.queued)
            return
        await self.post("stop")
        self.figures = figures_of(await asyncio.to_thread(self.host.wait, self.queued))


CLOCK, THREAD = (
    2,
    6,
)  # of what the bench pack notes of a chunk: the wall clock, the processor time of the sampler's own thread


def durations(chunks: list[list], mark: str, clock: int = CLOCK) -> list[float]:
    """Seconds from chunk to chunk under one mark, the first left out: it was begun under another."""
    times = [chunk[clock] for chunk in chunks if chunk[0] == mark]
    return [b - a for a, b in zip(times[1:], times[2:])]


async def watched_as(stream: Stream, kind: str, mark: str, chunk_s: float) -> None:
    """One block of chunks with the viewers of this kind."""
    if kind == "watched":
        viewers = [await stream.watcher(reads=number > 0) for number in range(WATCHERS)]
        return await in_block(stream, viewers, mark, chunk_s)
    viewers = [
        await stream.viewer(acknowledges=kind != "stalled") for _ in range({"none": 0, "two": 2}.get(kind, 1))
    ]
    if kind == "closed":
        await viewers.pop().close()
    await in_block(stream, viewers, mark, chunk_s)


async def in_block(stream: Stream, viewers: Sequence[Viewer | Watcher], mark: str, chunk_s: float) -> None:
    """A block of chunks with these, who leave after it."""
    await stream.mark(mark)
    await asyncio.sleep(chunk_s * (BLOCK_CHUNKS + 1.5))
    await stream.mark("")
    for viewer in viewers:
        await viewer.close()


async def costs(
    host: Host, say: Callable[[str], None], rounds: int = 7, kinds: Sequence[str] = KINDS
) -> dict:
    """More time per chunk with viewers than with none. In every round each kind has a block of chunks between
    two blocks without viewers, all in one stream that runs as fast as it can; a kind's figure is the median
    of the rounds, its spread the quartiles. No round begins after MOST_S.
    The same of the sampler's own thread, in its processor time: what it does for viewers, whatever else the
    machine is busy with.
    """
    more: dict[str, dict[str, list[float]]] = {
        clock: {kind: [] for kind in kinds} for clock in ("added", "thread_added")
    }
    alone, ends = [], time.monotonic() + MOST_S
    async with Stream(host, 101) as stream:
        await stream.mark("warm")
        while len(durations(await stream.chunks(), "warm")) < BLOCK_CHUNKS:
            await asyncio.sleep(1)
        chunk_s = median(durations(await stream.chunks(), "warm"))
        for number in range(rounds):
            if time.monotonic() > ends:
                break
            order = [name for kind in random.sample(kinds, len(kinds)) for name in ("none", kind)] + ["none"]
            for at, kind in enumerate(order):
                await watched_as(stream, kind, f"{at} {kind}", chunk_s)
            noted = await stream.chunks()
            for name, clock in (("added", CLOCK), ("thread_added", THREAD)):
                took = [
                    median(durations(noted, f"{at} {kind}", clock) or [float("nan")])
                    for at, kind in enumerate(order)
                ]
                alone += took[::2] if clock == CLOCK else []
                for at in range(1, len(order), 2):
                    more[name][order[at]].append(100 * (2 * took[at] / (took[at - 1] + took[at + 1]) - 1))
            say(f"viewers: round {number + 1} of {rounds}")
    report: dict = {
        "chunk_alone_ms": round(1000 * median(alone), 1),
        "chunk_alone_spread_percent": round(100 * (max(alone) / min(alone) - 1), 1),
        "rounds": len(more["added"][kinds[0]]),
    }
    for name, kind, values in (
        (name, kind, values) for name, kinds in more.items() for kind, values in kinds.items()
    ):
        low, _, high = quantiles(values, n=4) if len(values) > 1 else (values * 3)
        report |= {
            f"{name}_{kind}_percent": round(median(values), 2),
            f"{name}_{kind}_quartiles": [round(low, 2), round(high, 2)],
        }
    return report


async def latency(host: Host, say: Callable[[str], None], paced: bool, count: int = 40) -> dict:
    """Milliseconds from posting a control to the first frame with it."""
    found: list[float] = []
    rng = random.Random(0)
    async with Stream(host, 7 + paced, live=paced) as stream:
        viewer = await stream.viewer()
        for number in range(count):
            await asyncio.sleep(rng.uniform(0.05, 0.8))
            epoch, posted = viewer.seen[-1][1]["epoch"], time.monotonic()
            await stream.post("camera", roll=float(number % 7))
            while viewer.seen[-1][1]["epoch"] == epoch:
                await asyncio.sleep(0.002)
            found.append(1000 * (next(at for at, header in viewer.seen if header["epoch"] > epoch) - posted))
            if number % 10 == 9:
                say(f"controls of a {'paced' if paced else 'free'} stream: {number + 1} of {count}")
    await viewer.close()
    p95 = quantiles(found, n=20)[-1] if len(found) > 1 else found[0]
    return {
        "p50_ms": round(median(found)),
        "p95_ms": round(p95),
        "count": count,
        "made_fps": stream.figures["fps"],
    }
