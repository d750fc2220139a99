"""What a host is left with by a long stream under steering, and by many runs that end in every way.

    PYTHONPATH=tests:. python -m harness.soak --minutes 30 [--seed S]   one live stream, steered at random
    PYTHONPATH=tests:. python -m harness.soak --runs 200 [--seed S]     runs that end at random
    make test                                                           24 of them, by tests/host/test_soak.py

Both on a real ComfyUI. The last line of stdout is one JSON document; the exit status is 1 where something was
lost or left. Memory is the host's resident size in MiB; a chunk's time is the processor time of the sampler's
own thread, in ms, so that it says the same on a busy machine.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import shutil
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import aiohttp
import av

from . import install
from .bench_pack import install_pack
from .bench_viewers import THREAD, WEIGHTS, Stream, Viewer
from .graphs import node, streaming
from .host import Host, Refused, ended_as, figures_of, prepare_base, running_host

BASE = install.CACHE / "soak"
SAMPLE_S = 20.0
SETTLED = 3  # samples at the start that say nothing of growth: caches and the history of moments fill up
MOST_ACTS = 8  # between two pictures: more would only fill the mailbox of a slow machine
PATIENCE_S = 60.0  # for the next picture
PROMPTS = ("red ball", "a night", "green hills and snow", "")
SIZE = 128  # px
OTHER_SIZE = '{"kind": "motionstream-performance", "version": 1, "width": 64, "height": 64, "controls": []}'


# ---- what a process holds ----


def held(host: Host) -> dict[str, int]:
    """Threads, open files and resident MiB of the host's process."""
    folder = Path(f"/proc/{host.process.pid}")
    pages = int((folder / "statm").read_text().split()[1])
    return {
        "threads": len(os.listdir(folder / "task")),
        "fds": len(os.listdir(folder / "fd")),
        "rss_mib": pages * 4096 // 2**20,
    }


def frames_of(path: Path) -> int:
    """The frames of a video file that can be decoded."""
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


# ---- one stream under steering ----


class Hands:
    """Controls at random: what a person does, quicker and with less sense."""

    def __init__(self, stream: Stream, viewer: Viewer, rng: random.Random):
        self.stream, self.viewer, self.rng = stream, viewer, rng
        self.said: Counter = Counter()
        self.acts = 0
        self.chunk = -1

    async def see(self) -> None:
        """Waits, after MOST_ACTS, for the picture of another chunk: people act on what they see."""
        ends = time.monotonic() + PATIENCE_S
        while (newest := self.viewer.seen[-1][1]["chunk"] if self.viewer.seen else -1) == self.chunk:
            if self.acts < MOST_ACTS or time.monotonic() > ends:
                break
            await asyncio.sleep(0.05)
        if newest != self.chunk:
            self.chunk = newest
            self.acts = 0
        self.acts += 1

    async def post(self, kind: str, /, **fields: Any) -> None:
        try:
            await self.stream.post(kind, **fields)
            self.said["taken"] += 1
        except Refused as refusal:
            self.said[f"refused_{refusal.status}"] += 1

    def place(self) -> list[float]:
        return [self.rng.uniform(0, SIZE), self.rng.uniform(0, SIZE)]

    async def act(self) -> None:
        kinds = (
            "stroke",
            "stroke",
            "stroke",
            "add",
            "camera",
            "prompt",
            "remove",
            "pause",
            "rewind",
            "scene",
        )
        kind = self.rng.choices(kinds, weights=(8, 8, 8, 4, 4, 2, 3, 1, 0.5, 0.2))[0]
        await getattr(self, kind)()

    async def stroke(self) -> None:
        hand, at = self.rng.randrange(3), self.place()
        await self.post("grab", hand=hand, at=at, radius=self.rng.uniform(4, 20))
        for _ in range(self.rng.randrange(1, 6)):
            at = [min(max(value + self.rng.uniform(-12, 12), 0), SIZE) for value in at]
            await self.post("move", hand=hand, to=[at])
            await asyncio.sleep(0.05)
        await self.post("release", hand=hand, mode=self.rng.choice(("keep", "pin", "fade")))

    async def add(self) -> None:
        kind = self.rng.choice(("pin", "path", "grid"))
        more: dict[str, Any] = {"seconds": 2.0} if kind == "path" else {}
        if kind != "grid":
            more["brush"] = {"radius": 8, "spacing": 4}
        await self.post("add", kind=kind, points=[self.place() for _ in range(3)], **more)

    async def camera(self) -> None:
        pan = [self.rng.uniform(-20, 20), self.rng.uniform(-20, 20)]
        await self.post("camera", pan=pan, zoom=self.rng.uniform(-0.2, 0.2), roll=self.rng.uniform(-10, 10))

    async def prompt(self) -> None:
        await self.post("prompt", text=self.rng.choice(PROMPTS))

    async def remove(self) -> None:
        handles = self.viewer.seen[-1][1].get("handles") or [["0"]]
        await self.post("remove", handle=self.rng.choice(handles)[0])

    async def pause(self) -> None:
        await self.post("pause")
        await self.post("step")
        await asyncio.sleep(self.rng.uniform(0, 0.5))
        await self.post("resume")

    async def rewind(self) -> None:
        await self.post("rewind", chunk=max(1, self.viewer.seen[-1][1]["chunk"] - self.rng.randrange(1, 6)))

    async def scene(self) -> None:
        await self.post("scene")


async def steered(host: Host, minutes: float, seed: int, say: Callable[[str], None]) -> dict:
    """A recorded live stream of so many minutes, steered at random about twice a second."""
    rng, samples, times, before = random.Random(seed), [], [], held(host)
    async with Stream(host, seed, live=True, record="soak", clip=["1", 1]) as stream:
        viewer = await stream.viewer()
        hands, ends, due = Hands(stream, viewer, rng), time.monotonic() + 60 * minutes, 0.0
        await stream.mark("soak")
        clocks: list[float] = []
        while time.monotonic() < ends:
            await hands.see()
            await hands.act()
            await asyncio.sleep(rng.uniform(0, 0.5))
            if time.monotonic() < due:
                continue
            due = time.monotonic() + min(SAMPLE_S, 60 * minutes / 12)
            viewer.seen = viewer.seen[-1:]
            samples.append(held(host))
            clocks = clocks[-1:] + [row[THREAD] for row in await stream.chunks()]
            times += [1000 * (b - a) for a, b in zip(clocks, clocks[1:])]
            say(f"{len(samples)}: {samples[-1]}, {len(times)} chunks, {dict(hands.said)}")
    await viewer.close()
    path = sorted((host.base / "output").glob("soak_*.mp4"))[-1]
    settled, third = samples[SETTLED:] or samples, max(1, len(times) // 3)
    return {
        "minutes": minutes,
        "chunks": len(times),
        "made_frames": stream.figures["frames"],
        "recorded_frames": frames_of(path),
        "controls": dict(hands.said),
        "rss_mib": [sample["rss_mib"] for sample in (samples[0], settled[0], settled[-1])],
        "chunk_ms_first_third": round(median(times[:third]), 1),
        "chunk_ms_last_third": round(median(times[-third:]), 1),
        "before": before,
        "after": held(host),
    }


# ---- runs that end in every way ----

# How the host says that a run ended, by what ended it.
ENDINGS = {
    "itself": "success",
    "stop": "success",
    "stop paused": "success",
    "interrupt": "interrupted",
    "error": "error",
    "tab lost": "interrupted",
    "flood": "success",
    "recorded": "success",
    "two queued": "interrupted",
}


async def until_begun(host: Host, client: str) -> str:
    """The token of the client's run."""
    end = time.monotonic() + 120
    while time.monotonic() < end:
        found = await asyncio.to_thread(host.get_json, f"/motionstream/runs?client_id={client}")
        if found["runs"]:
            return found["runs"][0]["token"]
        await asyncio.sleep(0.02)
    raise TimeoutError(f"expected a run to begin, got none\n{host.log_tail()}")


async def said(host: Host, token: str, kind: str, /, **fields: Any) -> int:
    """The status that a control was answered with."""
    try:
        await asyncio.to_thread(host.post, "/motionstream/control", {"token": token, "type": kind, **fields})
    except Refused as refusal:
        return refusal.status
    return 200


async def ended(host: Host, how: str, seed: int, rng: random.Random, weights: str) -> tuple[str, dict]:
    """One run that ends this way -> how the host says it ended, and its history entry."""
    client = uuid.uuid4().hex
    endless = how not in ("itself", "error")
    graph = streaming(weights, frames=0 if endless else 9, seed=seed, steps=1, keep_mb=16)
    del graph["7"]
    if how == "error":
        graph["11"] = node("PrimitiveStringMultiline", value=OTHER_SIZE)
        graph["6"]["inputs"]["performance"] = ["11", 0]
    if how == "recorded":
        graph["6"]["inputs"]["record"] = "ended"
    queued = await asyncio.to_thread(host.queue, graph, client)
    if endless:
        token = await until_begun(host, client)
        address = f"{host.url}/motionstream/stream?token={token}"
        async with aiohttp.ClientSession() as session, session.ws_connect(address) as tab:
            await tab.receive(timeout=30)
            await asyncio.sleep(rng.uniform(0, 0.4))
            behind = streaming(weights, frames=5, seed=seed + 50, steps=1)
            del behind["7"]
            await end_now(host, how, token, (queued, behind), tab, rng)
    entry = await asyncio.to_thread(host.wait, queued)
    return ended_as(entry), entry


async def end_now(
    host: Host, how: str, token: str, prompts: tuple[str, dict], tab: Any, rng: random.Random
) -> None:
    """Does to a run that goes on what ends it. `prompts`: the one that runs, one to be queued behind it."""
    queued, behind = prompts
    if how == "tab lost":
        tab._response.connection.transport.abort()
    if how == "stop paused":
        await said(host, token, "pause")
        await said(host, token, "rewind", chunk=1)
    if how == "flood":
        grab = [said(host, token, "grab", hand=0, at=[rng.uniform(0, SIZE)] * 2, radius=9) for _ in range(60)]
        await asyncio.gather(*grab)
    if how == "two queued":
        second = await asyncio.to_thread(host.queue, behind)
        await asyncio.to_thread(host.interrupt, queued)
        await asyncio.to_thread(host.wait, second)
    elif how in ("interrupt", "tab lost"):
        await asyncio.to_thread(host.interrupt, queued)
    else:
        await said(host, token, "stop")


async def endings(host: Host, runs: int, seed: int, weights: str = WEIGHTS, say=lambda text: None) -> dict:
    """So many runs, each ended in a way drawn at random, behind one of every way that warms up.

    Returns what the host held before and after, how often each way came, and under "wrong" every run that
    ended otherwise than its way says, or whose recording does not hold its frames.
    """
    rng, wrong, came, ways = random.Random(seed), [], Counter(), list(ENDINGS)
    for number, how in enumerate(ways):
        await ended(host, how, seed + number, rng, weights)
    before = held(host)
    for number in range(runs):
        how = ways[number] if number < len(ways) else rng.choice(ways)
        came[how] += 1
        got, entry = await ended(host, how, seed + 100 + number, rng, weights)
        if got != ENDINGS[how]:
            wrong.append(f"run {number}, {how}: {got}")
        if how == "recorded":
            path = sorted((host.base / "output").glob("ended_*.mp4"))[-1]
            recorded, made = frames_of(path), figures_of(entry)["frames"]
            path.unlink()
            if recorded != made:
                wrong.append(f"run {number}: {made} frames made, {recorded} recorded")
        if number % 20 == 19:
            say(f"{number + 1} of {runs} runs: {held(host)}")
    return {"runs": runs, "ways": dict(came), "wrong": wrong, "before": before, "after": held(host)}


def left_over(report: dict) -> list[str]:
    """What was lost or left, in words; empty = nothing."""
    before, after = report["before"], report["after"]
    found = list(report.get("wrong", []))
    if after["threads"] > before["threads"] + 2:
        found.append(f"threads: {before['threads']} before, {after['threads']} after")
    if after["fds"] > before["fds"] + 4:
        found.append(f"open files: {before['fds']} before, {after['fds']} after")
    if report.get("recorded_frames", 0) != report.get("made_frames", 0):
        found.append(f"frames: {report['made_frames']} made, {report['recorded_frames']} recorded")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="harness.soak", description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=0, help="of one stream under steering")
    parser.add_argument("--runs", type=int, default=0, help="that end at random")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the hands and the endings")
    args = parser.parse_args()
    if not args.minutes and not args.runs:
        parser.error("expected --minutes or --runs, got neither")

    def say(text: str) -> None:
        print(f"==> {text}", file=sys.stderr, flush=True)

    base = prepare_base(BASE, fresh=True)
    install_pack(base)
    report: dict = {"seed": args.seed}
    with running_host(base, fresh=False) as host:
        picture = install.ROOT / "workflows" / "motionstream_example.png"
        for name in (picture.name, "picture.png"):
            shutil.copyfile(picture, base / "input" / name)
        if args.runs:
            report["endings"] = asyncio.run(endings(host, args.runs, args.seed, say=say))
        if args.minutes:
            report["steered"] = asyncio.run(steered(host, args.minutes, args.seed, say))
    lost = [line for part in report.values() if isinstance(part, dict) for line in left_over(part)]
    print(json.dumps({**report, "lost": lost}))
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
