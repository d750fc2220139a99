"""Captions of training data by the host's own umt5 classes, at a tiny size: what goes into a shard is what
the host's CLIP says.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROBE = Path(__file__).parent / "umt5_probe.py"


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    from harness import install

    if not (install.VENV / ".motionstream-host").is_file():
        pytest.skip("ComfyUI is not set up here: make test does it")
    command = [sys.executable, str(PROBE), str(install.host_source()), str(tmp_path_factory.mktemp("umt5"))]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_a_caption_is_embedded_as_the_host_does_it_for_wan(measured):
    assert (
        measured["tokenizer"] == "WanT5Tokenizer"
        and measured["shape"] == [512, 16]
        and 3 < measured["tokens"] < 30
    ), "zeros behind the last token"
    assert measured["spread"] > 0.5 and measured["error"] < 2e-3 * measured["spread"], "float16"
    assert measured["apart"] > 0.5, "another caption is another embedding"


def test_files_that_are_no_umt5_are_refused_in_words(measured):
    assert len(measured["refused"]) == 3 and all(
        "expected a umt5 text encoder" in said for said in measured["refused"]
    )
