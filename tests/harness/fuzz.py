"""Inputs out of joint for every reader and every control: taken, or refused with a ValueError that says what
was expected; within two seconds and 512 MiB.

    python -m harness.fuzz --seconds 3600 --seed 7 [--reader npz]     hours of it, from a new seed
    make test                                                        some seconds, by tests/core/test_fuzz.py

Owns the mutations and the verdict. `fuzz_readers` has the readers and what they are fed with. A case follows
from its reader, the seed and its number, and what is found is printed with them.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import signal
import sys
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

HANG_S = 2.0  # of CPU time
STOP_S = 20.0
GROWTH = 512 * 2**20
ODD: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1,
    3.5,
    2**31,
    2**63,
    -(2**64),
    10**9,
    50_000_000,
    1e308,
    -1e-320,
    10**310,
    10**400,
    float("nan"),
    float("inf"),
    -float("inf"),
    "",
    "x",
    "1e999",
    "camera",
    "\ud800",
    "\x00",
    "٣",
    "²",
    [],
    {},
    [[]],
    [{}],
    {"x": 1},
    [None],
    [[1, 2], [3]],
    ["1", 2],
)


@dataclass
class Reader:
    """`make` gives a case from a generator; `read` reads it in a folder of its own."""

    make: Callable[[random.Random], Any]
    read: Callable[[Any, Path], None]


@dataclass
class Verdict:
    cases: int = 0
    taken: int = 0
    found: list[str] = field(default_factory=list)
    kinds: Counter = field(default_factory=Counter)


class Hang(BaseException):
    """A case that came to no end."""


def broken(value: Any, rng: random.Random, share: float = 0.02) -> Any:
    """The value with some of its parts put out of joint."""
    if rng.random() < share / 2:
        return rng.choice(ODD)
    if isinstance(value, (list, tuple)):
        return _broken_list(value, rng, share)
    if isinstance(value, dict):
        made = {key: broken(item, rng, share) for key, item in value.items() if rng.random() > share / 2}
        if made and rng.random() < share:
            made[rng.choice(list(made))] = rng.choice(ODD)
        if made and rng.random() < share:
            made[str(rng.choice(ODD))] = made.pop(rng.choice(list(made)))
        return made
    if isinstance(value, (int, float)) and not isinstance(value, bool) and rng.random() < 2 * share:
        return float(value) * rng.choice([-1, 0, 0.5, 1e-9, 7.7, 1e3, 1e9]) if abs(value) < 1e300 else 1
    if isinstance(value, str) and rng.random() < share:
        return rng.choice([value[: len(value) // 2], value * 3, value.upper(), f" {value}", "\x00" + value])
    return value


def _broken_list(value: list | tuple, rng: random.Random, share: float) -> list:
    made = [broken(item, rng, share) for item in value if rng.random() > share / 2]
    if made and rng.random() < share:
        at = rng.randrange(len(made))
        made[at : at + 1] = [made[at]] * rng.choice([0, 2, 100, 3000])
    if made and rng.random() < share:
        made[rng.randrange(len(made))] = rng.choice(ODD)
    if rng.random() < share / 4:
        for _ in range(rng.choice([1, 3, 20, 3000])):
            made = [made]
    return made


def broken_bytes(data: bytes, rng: random.Random) -> bytes:
    """The bytes with some of them changed, cut out, doubled or cut off."""
    made = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 5, 20])):
        if not made:
            break
        at = rng.randrange(len(made))
        end = min(len(made), at + rng.choice([1, 2, 4, 8, 64]))
        match rng.randrange(5):
            case 0:
                made[at] = rng.randrange(256)
            case 1:
                del made[at:end]
            case 2:
                made[at:at] = made[at:end] * rng.choice([1, 3])
            case 3:
                made[at:end] = bytes(rng.randrange(256) for _ in range(end - at))
            case _:
                if rng.random() < 0.3:
                    del made[at:]
    return bytes(made)


def to_text(value: Any) -> str:
    """JSON, as a browser or a stranger might write it; depth beyond Python's own is written by hand."""
    try:
        return json.dumps(value)
    except (RecursionError, ValueError):
        return "[" * 5000 + "]" * 5000


def judge(reader: Reader, rng: random.Random, folder: Path) -> str | None:
    """What is wrong with how a reader took a case; "" where it took it, None where it refused it well."""
    case = reader.make(rng)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.process_time()
    said: str | None = ""
    signal.setitimer(signal.ITIMER_VIRTUAL, STOP_S)
    try:
        reader.read(case, folder)
    except ValueError as error:
        said = None if "expected" in str(error) else f"unclear ValueError: {str(error)[:200]}"
    except Hang:
        said = f"no end in {STOP_S:.0f} s"
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        where = traceback.extract_tb(error.__traceback__)[-1]
        said = f"{type(error).__name__}: {str(error)[:200]} ({Path(where.filename).name}:{where.lineno})"
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    spent = time.process_time() - began
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    if spent > HANG_S:
        said = f"{spent:.1f} s of CPU"
    if grown > GROWTH:
        said = f"{grown / 2**20:.0f} MiB more"
    return f"{said}\n    {_shown(case)}" if said else said


def fuzz(name: str, reader: Reader, seed: int, seconds: float, most: int | None = None) -> Verdict:
    """Cases of one reader until the time is over, or so many."""
    signal.signal(signal.SIGVTALRM, _hang)
    verdict, end = Verdict(), time.process_time() + seconds
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        while time.process_time() < end and verdict.cases != most:
            number = verdict.cases
            said = judge(reader, random.Random(f"{name} {seed} {number}"), Path(folder))
            verdict.cases += 1
            verdict.taken += said == ""
            if said:
                kind = said.split("\n")[0][:100]
                verdict.kinds[kind] += 1
                if verdict.kinds[kind] == 1:
                    verdict.found.append(f"{name}, seed {seed}, case {number}: {said}")
    return verdict


def _hang(number, frame):
    raise Hang


def _shown(case: Any) -> str:
    try:
        return repr(case)[:600]
    except (ValueError, RecursionError):
        return f"a {type(case).__name__} too deep to show"


def main() -> int:
    from .fuzz_readers import readers

    parser = argparse.ArgumentParser(prog="harness.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="of CPU time, for all readers together")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the cases")
    parser.add_argument("--reader", help="one of them alone")
    parser.add_argument("--cases", type=int, help="of each reader, at most")
    args = parser.parse_args()
    known = readers()
    chosen = {args.reader: known[args.reader]} if args.reader else known
    found = 0
    for name, reader in chosen.items():
        verdict = fuzz(name, reader, args.seed, args.seconds / len(chosen), args.cases)
        bad = sum(verdict.kinds.values())
        found += bad
        print(f"{name:12} {verdict.cases:7} cases, {verdict.taken:6} taken, {bad} not well", flush=True)
        print("\n".join(f"  {line}" for line in verdict.found[:20]), end="\n" * bool(verdict.found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
