"""Runs ruff, pyright and tsc --checkJs, all three even when one finds something; exits with 1 when any did."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from run_tests import ROOT, environment

TOOLS = Path(sys.executable).parent
PACKAGES = ROOT / "node_modules"
CHECKS = {
    "ruff": [TOOLS / "ruff", "check", "."],
    "pyright": [TOOLS / "node", PACKAGES / "pyright" / "index.js", "--project", "tests/harness/pyrightconfig.json"],
    "tsc": [TOOLS / "node", PACKAGES / "typescript" / "bin" / "tsc", "--project", "js"],
}


def main() -> int:
    failed = []
    for name, command in CHECKS.items():
        print(f"== {name}", flush=True)
        if subprocess.run([str(word) for word in command], cwd=ROOT, env=environment()).returncode:
            failed.append(name)
    print(f"check: {'found something: ' + ', '.join(failed) if failed else 'all clean'}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
