"""Our forward equals that of diffusers' Wan transformer, whose weights go through our converter."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def measured():
    if find_spec("diffusers") is None:
        pytest.skip("diffusers is not installed here: make test does it")
    done = subprocess.run(
        [sys.executable, str(Path(__file__).parent / "diffusers_probe.py")],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("name", ["16 channels", "48 channels", "a timestep for each frame"])
def test_ours_equals_diffusers(measured, name):
    if "lacks" in measured[name]:
        pytest.skip(measured[name]["lacks"])
    assert measured[name]["scale"] > 0.5 and measured[name]["error"] < 2e-4 * measured[name]["scale"], (
        measured[name]
    )
