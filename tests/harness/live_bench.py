"""`make bench-live`: what steering and watching a stream costs, on the real host. Table, and as last line of
stdout one JSON document.

    viewers_*    more time per chunk with viewers than with none, percent: one that acknowledges, two, one
    that never does (stalled), one that
                 closed its connection; median and quartiles of rounds in which each kind stands between two
                 blocks without viewers
    watchers_*   the same of ten who watch by the link (MJPEG), one of whom takes nothing
    paced_*      from the posting of a control to the arrival of the first frame in which it took effect, at a
    viewer on this machine, of a
                 live stream that keeps pace with its playback; free_* the same for one that runs as fast as
                 it can
    stalled_*    two minutes of tabs that hang, beside one that does not: the sampler's time per chunk before,
    meanwhile and after, growth of the
                 host's memory, most frames that waited, and how soon the tabs were up to date again (page_*:
                 a page of a real browser)
    display_*    480x832 at 30 frames a second from a stand-in for the sampler, drawn by Stream Preview in
    headless Chromium: rate and gaps

Viewers and browser run on the machine of the host. What has been measured is kept beside the benchmark's host
until all is: a run that was stopped goes on where it was (--fresh: from the beginning).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

from motionstream_core.evaluation.results import git_commit

from . import install
from .bench_pack import install_pack
from .bench_stall import stall
from .bench_viewers import costs, latency
from .display_bench import display
from .host import Host, prepare_base, running_host

BASE = install.CACHE / "bench"
PARTS: dict[str, Callable[[Host, bool], dict]] = {
    "viewers": lambda host, short: asyncio.run(costs(host, say, 1 if short else 7)),
    "watchers": lambda host, short: asyncio.run(costs(host, say, 1 if short else 7, ("watched",))),
    "paced": lambda host, short: asyncio.run(latency(host, say, paced=True, count=5 if short else 40)),
    "free": lambda host, short: asyncio.run(latency(host, say, paced=False, count=5 if short else 40)),
    "stalled": lambda host, short: asyncio.run(stall(host, say, 20 if short else 120)),
    "display": lambda host, short: display(host),
}


def main() -> int:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--results", type=Path, default=None)
    arguments.add_argument(
        "--only", nargs="+", choices=PARTS, default=list(PARTS), help="some parts; nothing is kept"
    )
    arguments.add_argument("--short", action="store_true", help="a trial of every part; nothing is kept")
    arguments.add_argument(
        "--fresh", action="store_true", help="measure anew what an earlier run has measured"
    )
    args = arguments.parse_args()
    whole = not args.short and args.only == list(PARTS)
    base = prepare_base(BASE, fresh=False)
    install_pack(base)
    with running_host(base, fresh=False) as host:
        host.put_input(install.ROOT / "workflows" / "motionstream_example.png")
        report = {
            "device": host.get_json("/system_stats")["devices"][0]["name"],
            "cpu": platform.machine(),
            "cores": len(os.sched_getaffinity(0)),
            "commit": git_commit(),
        }
        report |= measured(
            host, args.only, args.short, MeasuredParts(base / "live_parts.json", report, whole, args.fresh)
        )
    print(table(report))
    if args.results is not None and whole:
        say(f"kept in {keep(report, args.results)}")
    print(json.dumps(report))
    return 0


class MeasuredParts:
    """The parts measured so far under the same conditions, in a file; nothing where not all parts are
    wanted.
    """

    def __init__(self, path: Path, conditions: dict, used: bool, fresh: bool):
        self.path, self.conditions, self.used, self.parts = path, conditions, used, {}
        if used and not fresh and path.is_file():
            found = json.loads(path.read_text())
            self.parts = found["parts"] if found["conditions"] == conditions else {}

    def add(self, name: str, figures: dict) -> None:
        self.parts[name] = figures
        if self.used:
            self.path.write_text(json.dumps({"conditions": self.conditions, "parts": self.parts}))


def measured(host: Host, names: list[str], short: bool, kept: MeasuredParts) -> dict:
    for name in names:
        if name in kept.parts:
            say(f"{name}: measured before")
            continue
        began = time.monotonic()
        kept.add(name, PARTS[name](host, short))
        say(f"{name}: {time.monotonic() - began:.0f} s")
    if kept.used:
        kept.path.unlink(missing_ok=True)
    return {f"{name}_{key}": value for name in names for key, value in kept.parts[name].items()}


def say(text: str) -> None:
    print(f"==> {text}", file=sys.stderr, flush=True)


def table(report: dict) -> str:
    return "\n".join(
        ["| measure | value |", "|---|---|", *(f"| {key} | {value} |" for key, value in report.items())]
    )


def keep(report: dict, folder: Path) -> Path:
    path = folder / f"live_{report['device'].split()[0].lower()}_{date.today():%Y%m}.md"
    folder.mkdir(parents=True, exist_ok=True)
    head = (
        f"# A stream steered and watched\n\nCommand: `make bench-live`. Commit: {report['commit']}. What the "
        "figures are: `tests/harness/live_bench.py`."
    )
    path.write_text(f"{head}\n\n{table(report)}\n\n```json\n{json.dumps(report)}\n```\n", encoding="utf-8")
    return path


if __name__ == "__main__":
    sys.exit(main())
