"""Runs every test: JavaScript's first, then pytest's, whose closing line comes last. Exits with 1 when any failed.

`python tests/harness/run_tests.py [pytest arguments]`; what cannot run on this machine is named, and counted by nobody as passed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TOOLS = Path(sys.executable).parent


def environment() -> dict[str, str]:
    """The environment with .venv's own programs first: node is one of them."""
    return {**os.environ, "PATH": f"{TOOLS}{os.pathsep}{os.environ.get('PATH', '')}"}


def javascript() -> int:
    env = environment()
    node = shutil.which("node", path=env["PATH"])
    if node is None:
        print("NOT RUN: the tests of JavaScript, for want of node (install the package nodejs)", flush=True)
        return 0
    tests = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "tests" / "js").glob("*.test.js"))
    return subprocess.run([node, "--test", *tests], cwd=ROOT, env=env).returncode


def python(arguments: list[str]) -> int:
    return subprocess.run([sys.executable, "-m", "pytest", "-ra", *(arguments or ["tests"])], cwd=ROOT, env=environment()).returncode


def main(arguments: list[str]) -> int:
    failed = javascript()
    if failed:
        print("FAILED: the tests of JavaScript, above", flush=True)
    return python(arguments) or failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
