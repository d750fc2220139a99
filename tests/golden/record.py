"""Writes runs.json anew: `PYTHONPATH=tests:. python -m golden.record [NAME …]`.

NAME: part of a run's name; without one all runs are recorded. Only when outputs are meant to change: name
the runs that may, and look at the diff. Refused on a machine other than the one that the rest is of.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import torch

from . import runs, store

ABOUT = "What every run of runs.py made. Written by golden/record.py, checked by golden/test_golden_runs.py."


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="parts of the names of the runs to record; all by default")
    names = parser.parse_args().names
    torch.set_num_threads(1)
    here = store.fingerprint()
    chosen = [name for name in runs.RUNS if not names or any(part in name for part in names)]
    kept = store.read()["runs"] if names else {}
    if names and store.read()["fingerprint"] != here:
        parser.error(f"expected the machine of the other runs, {store.read()['fingerprint']}, got {here}")
    made, total = {}, 0.0
    for name in chosen:
        made[name], seconds = record(name)
        total += seconds
        print(f"{seconds:6.2f} s  {name}: {len(made[name])} tensors", flush=True)
    all_runs = {name: tensors for name, tensors in {**kept, **made}.items() if name in runs.RUNS}
    document = {"about": ABOUT, "fingerprint": here, "weights": runs.shipped_weights(), "runs": all_runs}
    store.write(document)
    print(f"{total:6.2f} s  {len(made)} of {len(all_runs)} runs recorded in {store.FILE}")


def record(name: str) -> tuple[dict[str, store.Facts], float]:
    """The facts of every tensor of a run, and the seconds it took."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        made = runs.RUNS[name](Path(folder))
    return {key: store.facts(value) for key, value in made.items()}, time.perf_counter() - began


if __name__ == "__main__":
    main()
