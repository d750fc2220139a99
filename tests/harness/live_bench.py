"""`make bench-live`: what steering and watching a stream costs, on the real host. Table, and as last line of stdout one JSON document.

    control_ms        from the posting of a control to the arrival of the first frame in which it took effect, at a viewer on this machine,
                      of a live stream that keeps pace with its playback; control_free_ms the same for one that runs as fast as it can
    added_*_percent   more time per chunk with viewers than with none: one that acknowledges, two, one that never does (stalled), one that
                      closed its connection; the median of rounds in which the kinds take turns. Viewers run on the same machine.
    display_*         480x832 at 30 frames a second from a stand-in for the sampler, shown by headless Chromium: rate and gaps (where there is a browser)
    stalled_*         after 2 minutes of a viewer that never acknowledges, beside one that does: frames each got, growth of the host's memory
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import random
import subprocess
import sys
import time
import uuid
from datetime import date
from pathlib import Path
from statistics import median, quantiles

import aiohttp

from . import install
from .display_bench import display, install_pack
from .graphs import streaming
from .host import Host, figures_of, prepare_base, running_host

FRAMES = 241
ROUNDS = 5
CONTROLS = 60
STALL_S = 120
WEIGHTS = "built-in (tiny, 128x128)"
KINDS = ("none", "one", "two", "stalled", "closed")


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--results", type=Path, default=None)
    arguments.add_argument("--stall", type=float, default=STALL_S, help="seconds of the stalled viewer")
    args = arguments.parse_args()
    base = prepare_base(install.CACHE / "bench")
    install_pack(base)
    with running_host(base, fresh=False) as host:
        (host.base / "input").mkdir(exist_ok=True)
        host.put_input(install.ROOT / "workflows" / "motionstream_example.png")
        report = {"device": host.get_json("/system_stats")["devices"][0]["name"], "cpu": platform.machine(), "frames": FRAMES, "rounds": ROUNDS}
        report |= asyncio.run(costs_of_viewers(host))
        report |= {f"control_{name}": value for name, value in asyncio.run(latency(host, paced=True)).items()}
        report |= {f"control_free_{name}": value for name, value in asyncio.run(latency(host, paced=False)).items()}
        report |= asyncio.run(stall(host, args.stall))
        report |= display(host)
    print(table(report))
    if args.results is not None:
        print(f"kept in {keep(report, args.results)}", file=sys.stderr)
    print(json.dumps(report))
    return 0


def graph(frames: int, seed: int, **sampler) -> dict:
    prompt = streaming(WEIGHTS, frames=frames, seed=seed, **sampler)
    prompt["2"]["inputs"]["image"] = "motionstream_example.png"
    del prompt["7"]
    return prompt


class Viewer:
    """A tab: gets frames of a run and acknowledges them, or does not."""

    def __init__(self, host: Host, token: str, acknowledges: bool = True):
        self.address, self.acknowledges = f"{host.url}/motionstream/stream?token={token}", acknowledges
        self.seen: list[tuple[float, dict]] = []
        self.task = asyncio.create_task(self._watch())

    async def _watch(self):
        async with aiohttp.ClientSession() as session, session.ws_connect(self.address, heartbeat=None) as socket:
            async for message in socket:
                if message.type != aiohttp.WSMsgType.BINARY:
                    continue
                length = int.from_bytes(message.data[:4], "little")
                header = json.loads(message.data[4 : 4 + length])
                self.seen.append((time.monotonic(), header))
                if self.acknowledges:
                    await socket.send_json({"type": "ack", "frame": header["frame"]})

    async def close(self):
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


async def began(host: Host, client: str, queued: str) -> dict:
    while True:
        runs = (await asyncio.to_thread(host.get_json, f"/motionstream/runs?client_id={client}"))["runs"]
        for run in runs:
            if run["prompt_id"] == queued:
                return run
        await asyncio.sleep(0.01)


async def one_run(host: Host, kind: str, seed: int) -> float:
    """Seconds per frame of one run, watched as `kind` says."""
    client = uuid.uuid4().hex
    queued = await asyncio.to_thread(host.queue, graph(FRAMES, seed), client)
    run = await began(host, client, queued)
    viewers = [Viewer(host, run["token"], kind != "stalled") for _ in range({"none": 0, "two": 2}.get(kind, 1))]
    if kind == "closed":
        await asyncio.sleep(0.5)
        await viewers[0].close()
    entry = await asyncio.to_thread(host.wait, queued)
    for viewer in viewers:
        await viewer.close()
    return 1 / figures_of(entry)["fps"]


async def costs_of_viewers(host: Host) -> dict:
    await one_run(host, "one", 1)
    took = {kind: [] for kind in KINDS}
    for number in range(ROUNDS):
        for kind in random.sample(KINDS, len(KINDS)):
            took[kind].append(await one_run(host, kind, 100 + number * len(KINDS) + KINDS.index(kind)))
        say(f"viewers: round {number + 1} of {ROUNDS}")
    alone = median(took["none"])
    added = {f"added_{kind}_percent": round(100 * (median(took[kind]) / alone - 1), 2) for kind in KINDS[1:]}
    return {"fps_alone": round(1 / alone, 2), "spread_alone_percent": round(100 * (max(took["none"]) / min(took["none"]) - 1), 2), **added}


async def latency(host: Host, paced: bool) -> dict:
    """Milliseconds from posting a control to the first frame with it."""
    client, rng = uuid.uuid4().hex, random.Random(0)
    queued = await asyncio.to_thread(host.queue, graph(0, 7 + paced, live=paced), client)
    run = await began(host, client, queued)
    viewer, found = Viewer(host, run["token"]), []
    while not viewer.seen:
        await asyncio.sleep(0.05)
    for number in range(CONTROLS):
        await asyncio.sleep(rng.uniform(0.1, 1.5))
        epoch, posted = viewer.seen[-1][1]["epoch"], time.monotonic()
        body = {"token": run["token"], "type": "camera", "roll": float(number % 7)}
        await asyncio.to_thread(host.post, "/motionstream/control", body)
        while viewer.seen[-1][1]["epoch"] == epoch:
            await asyncio.sleep(0.002)
        found.append(1000 * (next(at for at, header in viewer.seen if header["epoch"] > epoch) - posted))
    await asyncio.to_thread(host.post, "/motionstream/control", {"token": run["token"], "type": "stop"})
    figures = figures_of(await asyncio.to_thread(host.wait, queued))
    await viewer.close()
    say(f"controls: {CONTROLS} of a {'paced' if paced else 'free'} stream")
    return {"p50_ms": round(median(found)), "p95_ms": round(quantiles(found, n=20)[-1]), "fps": figures["fps"]}


async def stall(host: Host, seconds: float) -> dict:
    client = uuid.uuid4().hex
    queued = await asyncio.to_thread(host.queue, graph(0, 9, live=True, keep_mb=16), client)
    run = await began(host, client, queued)
    stalled, tab = Viewer(host, run["token"], acknowledges=False), Viewer(host, run["token"])
    await asyncio.sleep(min(20.0, seconds / 4))  # the history of moments fills up
    before = memory_mib(host)
    await asyncio.sleep(seconds)
    after = memory_mib(host)
    await asyncio.to_thread(host.post, "/motionstream/control", {"token": run["token"], "type": "stop"})
    figures = figures_of(await asyncio.to_thread(host.wait, queued))
    await stalled.close()
    await tab.close()
    say("stalled viewer")
    got = {"stalled_got_frames": len(stalled.seen), "beside_it_got_frames": len(tab.seen), "stalled_run_frames": figures["frames"]}
    return {"stalled_s": seconds, **got, "stalled_grown_mib": round(after - before, 1)}


def memory_mib(host: Host) -> float:
    pages = int(Path(f"/proc/{host.process.pid}/statm").read_text().split()[1])
    return pages * 4096 / 2**20


def say(text: str) -> None:
    print(f"==> {text}", file=sys.stderr, flush=True)


def table(report: dict) -> str:
    return "\n".join(["| measure | value |", "|---|---|", *(f"| {key} | {value} |" for key, value in report.items())])


def keep(report: dict, folder: Path) -> Path:
    path = folder / f"live_{report['device'].split()[0].lower()}_{date.today():%Y%m}.md"
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False, cwd=install.ROOT).stdout.strip() or "unknown"
    folder.mkdir(parents=True, exist_ok=True)
    head = f"# A stream steered and watched\n\nCommand: `make bench-live`. Commit: {commit}. What the figures are: `tests/harness/live_bench.py`."
    path.write_text(f"{head}\n\n{table(report)}\n\n```json\n{json.dumps(report)}\n```\n", encoding="utf-8")
    return path


if __name__ == "__main__":
    sys.exit(main())
