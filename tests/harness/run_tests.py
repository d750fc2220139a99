"""`make test`: the JavaScript tests under node, then every Python test under pytest, whose closing line comes
last.
"""

from __future__ import annotations

import os
import subprocess
import sys

from . import install

# Two processes, a file in one of them: the tests compute on one thread. In the order of the collection, so
# that what drives the host and the browser comes last, when the other process has nothing left.
EVERYTHING = ["-n", "2", "--no-loadscope-reorder", "tests"]


def main() -> int:
    scripts = sorted((install.ROOT / "tests" / "js").glob("*.test.js"))
    print("JavaScript tests", flush=True)
    node = subprocess.run(
        [install.VENV / "bin" / "node", "--test", "--test-reporter=dot", *scripts],
        cwd=install.ROOT,
        check=False,
    )
    print("\nPython tests", flush=True)
    pytest = [sys.executable, "-m", "pytest", "-c", "tests/pytest.ini", *(sys.argv[1:] or EVERYTHING)]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(pytest, cwd=install.ROOT, env=environment, check=False)
    if node.returncode:
        print("JavaScript tests: failed, see above", file=sys.stderr)
    return done.returncode or node.returncode


if __name__ == "__main__":
    sys.exit(main())
