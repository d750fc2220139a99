"""The make targets leave nothing behind, heal what was damaged, and run beside each other."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from harness import install

ROOT = Path(__file__).parents[2]
CHILD = """
import sys
sys.path.insert(0, "tests")
from harness.launch import end_with
end_with(int(sys.argv[1]))
"""
PARENT = """
import os, subprocess, sys
command = [sys.executable, "-c", sys.argv[1], str(os.getpid())]
child = subprocess.Popen(command, start_new_session=True)
print(child.pid, flush=True)
child.wait()
"""


def alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs /proc")
def test_a_host_does_not_outlive_who_started_it():
    command = [sys.executable, "-c", PARENT, CHILD]
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert alive(child)
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    end = time.monotonic() + 20
    while alive(child) and time.monotonic() < end:
        time.sleep(0.1)
    assert not alive(child)


def test_a_package_with_a_file_cut_off_is_found(tmp_path, monkeypatch):
    site = tmp_path / "lib" / "python3.11" / "site-packages"
    for name, size in (("whole", 5), ("cut", 9), ("gone", 5)):
        (site / name).mkdir(parents=True)
        if name != "gone":
            (site / name / "a.py").write_text("x = 1")
        info = site / f"{name}-1.2.dist-info"
        info.mkdir()
        (info / "RECORD").write_text(f"{name}/a.py,sha256=x,{size}\n{name}/__pycache__/a.pyc,,\n")
    monkeypatch.setattr(install, "VENV", tmp_path)
    assert install.damaged_packages() == {"cut": "1.2", "gone": "1.2"}


def test_two_demos_have_folders_of_their_own(tmp_path, monkeypatch):
    from harness import demo

    monkeypatch.setattr(install, "CACHE", tmp_path)
    with demo.own_folder() as first, demo.own_folder() as second:
        second.mkdir()
        assert first != second and first.name == "demo"
    assert not second.exists()
    with demo.own_folder() as third:
        assert third == first


def test_the_demo_says_whether_a_sentence_was_kept():
    from harness import demo, workflow

    from motionstream_core.training.cartoon.drawing import render
    from motionstream_core.training.cartoon.scene import Scene, Thing

    told = workflow.load(demo.SENTENCE)
    run = {"first_frame_s": 0.12345, "fps": 5.678}
    kept = []
    for colour, verb in (("red", "moves right"), ("blue", "stays")):
        thing = Thing("car", colour, verb, 0.2, 0.75, 0.19, 1)
        frames = render(Scene("hills", "day", (thing,), 1), 33).astype("float32") / 255
        made = demo.told_report(frames, run, told)
        kept.append([made[f"t2v_{key}"] for key in ("found", "colour", "verb", "frames", "fps")])
    assert kept == [[True, True, True, 33, 5.68], [True, False, False, 33, 5.68]]
