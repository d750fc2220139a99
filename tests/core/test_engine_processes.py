"""Several processes (gloo): divided parameters and replicas give the steps of one process; checkpoints go
from one to the other.
"""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from core.small_stages import losses, run_all
from core.toy_stage import state_of

from motionstream_core.training.engine import checkpoints

ROOT = Path(__file__).resolve().parents[2]
STAGES = ("teacher", "causal-init", "distill", "causal", "refreshed", "buffer", "segments")
STEPS = 3


def scenarios(out):
    """The same runs for one process and for two."""
    made = [{"stage": name, "out": f"{out}/{name}", "steps": STEPS} for name in STAGES]
    made += [
        {"stage": "distill", "out": f"{out}/low", "steps": STEPS, "precision": "bf16", "checkpointing": True}
    ]
    made += [{"stage": "causal-init", "out": f"{out}/recomputed", "steps": STEPS, "checkpointing": True}]
    made += [{"stage": "apart", "out": f"{out}/apart", "steps": STEPS, "parallel": "replicas"}]
    made += [
        {
            "stage": "teacher",
            "out": f"{out}/muon",
            "steps": STEPS,
            "optimizer": "muon",
            "parallel": "replicas",
        }
    ]
    return made


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two folders of runs: of one process, and of two, which also went on from runs of one and met faults."""
    one, two = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("two")
    begun = {"stage": "distill", "out": str(two / "begun"), "steps": 2}
    faulty = {"stage": "teacher", "out": str(two / "full"), "steps": 2}
    run_all([*scenarios(one), dict(begun), dict(faulty)])
    size = checkpoints.complete(two / "full/checkpoints")[0].stat().st_size
    more = [
        {**begun, "steps": STEPS},
        {**faulty, "steps": 3, "most_bytes": size // 2},
        {"stage": "no-number", "out": str(two / "nan"), "steps": 4, "save_every": 1},
    ]
    more += [
        {"stage": "teacher", "out": str(two / "odd"), "steps": 2, "accumulate": 3},
        {"stage": "teacher", "out": str(two / "muon-fsdp"), "steps": 2, "optimizer": "muon"},
    ]
    launch(scenarios(two) + more)
    return one, two


def launch(made):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--nproc-per-node",
        "2",
        "--master-port",
        str(port),
        "-m",
        "core.small_stages",
        json.dumps(made),
    ]
    env = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT / "tests", env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-4000:]


def last(folder):
    return state_of(checkpoints.complete(folder / "checkpoints")[-1])


def assert_near(tensors, others):
    """Moments, which are linear in the gradients, equal to rounding; weights too, but for the few whose
    gradient is itself rounding (Adam makes full steps of it).
    """
    assert tensors.keys() == others.keys()
    for key, value in tensors.items():
        difference = (others[key].double() - value.double()).abs()
        if key.startswith("optim"):
            assert difference.max() <= 1e-4 * value.double().abs().max() + 1e-12, key
        else:
            assert difference.max() < 2e-3 and (difference > 1e-5).double().mean() < 1e-3, key


@pytest.mark.parametrize("name", [*STAGES, "muon", "recomputed", "apart"])
def test_two_processes_have_the_losses_and_the_weights_of_one(runs, name):
    one, two = (losses(folder / name) for folder in runs)
    assert len(one) == STEPS and [key for key, _ in one] == [key for key, _ in two]
    assert max(abs(a - b) for (_, a), (_, b) in zip(one, two)) < 1e-5
    (tensors, about), (others, also) = last(runs[0] / name), last(runs[1] / name)
    assert (about["processes"], also["processes"]) == (1, 2)
    assert_near(tensors, others)


def test_bfloat16_on_two_processes_stays_near_that_of_one_and_keeps_float32_weights(runs):
    one, two, full = losses(runs[0] / "low"), losses(runs[1] / "low"), losses(runs[0] / "distill")
    for (_, a), (_, b), (_, c) in zip(one, two, full):
        assert a == pytest.approx(b, rel=0.02) and a == pytest.approx(c, rel=0.05) and a != c
    assert {
        value.dtype
        for name, value in last(runs[1] / "low")[0].items()
        if name.startswith(("weights", "ema", "optim"))
    } == {torch.float32}


def test_computed_again_is_the_same_as_kept(runs):
    assert losses(runs[0] / "recomputed") == losses(runs[0] / "causal-init")


def test_a_run_of_one_process_goes_on_with_two(runs):
    (tensors, about), (others, _) = last(runs[1] / "begun"), last(runs[0] / "distill")
    assert about["step"] == STEPS and about["processes"] == 2
    assert_near(others, tensors)


def test_a_run_of_two_processes_goes_on_with_one(runs, tmp_path):
    run_all(
        [
            {"stage": "teacher", "out": str(runs[1] / "teacher"), "steps": STEPS + 2},
            {"stage": "teacher", "out": str(tmp_path), "steps": STEPS + 2},
        ]
    )
    (tensors, about), (others, _) = last(runs[1] / "teacher"), last(tmp_path)
    assert about["step"] == STEPS + 2
    assert_near(others, tensors)


def words(folder):
    return [(folder / f"error-{rank}.txt").read_text() for rank in range(2)]


def test_a_loss_that_is_no_number_in_one_process_stops_them_all(runs):
    assert all(
        "got nan" in text and "at step 2 of role teacher; the last good state is step 2" in text
        for text in words(runs[1] / "nan")
    )
    assert last(runs[1] / "nan")[1]["step"] == 2


def test_a_disk_that_is_full_stops_them_all_and_keeps_what_was_there(runs):
    assert all(
        "could not be written at step 3" in text and "step 2 in" in text for text in words(runs[1] / "full")
    )
    assert last(runs[1] / "full")[1]["step"] == 2 and len(list((runs[1] / "full/checkpoints").iterdir())) == 1


def test_a_number_of_processes_that_cannot_share_a_step_is_refused(runs):
    assert all(
        "accumulate: expected a multiple of the 2 processes, got 3 micro-batches a step" in text
        for text in words(runs[1] / "odd")
    )
    assert all("use parallel 'replicas'" in text for text in words(runs[1] / "muon-fsdp"))
