"""The engine's loop on a toy stage: it learns, keeps what it needs, and goes on as if nothing had
happened.
"""

import json
import math
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from core.toy_stage import WIDTH, CountedData, ToyData, ToyStage, config, state_of
from safetensors.torch import load_file

from motionstream_core.codec.video import read_video
from motionstream_core.training.data.pool import Epochs, Pool
from motionstream_core.training.engine import checkpoints, interrupt
from motionstream_core.training.engine.engine import train
from motionstream_core.training.engine.records import NO_TENSORBOARD
from motionstream_core.training.engine.stage import Draws, SharedDraws

ROOT = Path(__file__).resolve().parents[2]


def quiet(line):
    """Nobody looks."""


def run(out, steps=12, stage=None, data=None, **values):
    return train(
        stage or ToyStage(),
        data or ToyData(),
        config(steps=steps, **values),
        out,
        {"preset": "toy", "commit": "abc"},
        quiet,
    )


def newest(out):
    return checkpoints.complete(out / "checkpoints")[-1]


def assert_same_state(one, other):
    (tensors, about), (others, also) = state_of(one), state_of(other)
    assert tensors.keys() == others.keys() and len(tensors) > 10
    assert [name for name in tensors if not torch.equal(tensors[name], others[name])] == []
    assert (
        about["numbers"] == also["numbers"]
        and about["step"] == also["step"]
        and about["data"] == also["data"]
    )


def stopped_at(step):
    """A progress that presses Ctrl-C when a step's line is shown."""

    def progress(line):
        if f"step {step}/" in line:
            os.kill(os.getpid(), signal.SIGINT)

    return progress


def test_the_roles_learn_and_the_average_follows(tmp_path):
    before = ToyStage().validate(ToyStage().modules, torch.Generator().manual_seed(7))["error"]
    result = run(tmp_path, 450, batch=16)
    assert result["validation/error"] < 0.5 * before and result["step"] == 450
    state = load_file(result["weights"])
    student = ToyStage().modules["student"]
    student.load_state_dict(state)
    assert ToyStage().validate({"student": student}, torch.Generator().manual_seed(7))[
        "error"
    ] == pytest.approx(result["validation/error"], rel=1e-5)
    last = state_of(newest(tmp_path))[0]
    assert not torch.equal(last["weights.student.2.weight"], state["2.weight"]), (
        "what is exported is the average"
    )
    assert torch.equal(ToyStage().modules["student"][0].bias, state["0.bias"]), "what is frozen stays"


def test_each_role_has_its_turns_and_its_own_learning_rate(tmp_path):
    stage = ToyStage()
    run(tmp_path, 6, stage, lr={"student": 0.0, "critic": 1e-2}, weight_decay=0.0)
    assert [role for role, _ in stage.seen] == ["critic", "critic", "student"] * 2
    fresh = ToyStage().modules
    assert torch.equal(stage.modules["student"][2].weight, fresh["student"][2].weight) and not torch.equal(
        stage.modules["critic"].weight, fresh["critic"].weight
    )
    with pytest.raises(ValueError, match="expected one for the role 'critic'"):
        run(tmp_path / "other", lr={"student": 1.0})


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
@pytest.mark.parametrize("source", [ToyData, CountedData])
def test_a_run_that_was_interrupted_ends_as_one_that_was_not(tmp_path, optimizer, source):
    values = {"optimizer": optimizer, "log_every": 1, "warmup": 3, "decay": 0.5, "accumulate": 2}
    run(tmp_path / "whole", data=source(), **values)
    broken = train(
        ToyStage(), source(), config(**values), tmp_path / "parts", {"preset": "toy"}, stopped_at(5)
    )
    assert (
        broken["interrupted"]
        and broken["step"] == 5
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )
    assert run(tmp_path / "parts", data=source(), **values)["step"] == 12
    assert_same_state(newest(tmp_path / "whole"), newest(tmp_path / "parts"))
    assert all(
        torch.equal(a, b)
        for a, b in zip(
            load_file(tmp_path / "whole/student.safetensors").values(),
            load_file(tmp_path / "parts/student.safetensors").values(),
        )
    )
    steps = [json.loads(line)["step"] for line in (tmp_path / "parts/curve.jsonl").read_text().splitlines()]
    assert steps == sorted(steps) and steps[-1] == 12


def test_the_same_wish_may_arrive_twice_and_a_later_one_is_not_made_to_wait(monkeypatch):
    with interrupt.Interrupt() as asked:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
        assert asked
        monkeypatch.setattr(interrupt, "ONE_WISH", 0.0)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(1)


def test_accumulated_micro_batches_are_one_step_with_their_mean_gradient(tmp_path):
    stage = ToyStage()
    run(tmp_path, 1, stage, accumulate=3, clip=math.inf)
    lone = ToyStage()
    lone.step = 0
    losses = []
    import numpy as np

    from motionstream_core.training.engine.stage import seed_of

    for number in range(3):
        batch = ToyData().batch(np.random.default_rng([0, 0, number]), 4)
        losses.append(lone.loss("critic", batch, Draws.of_seed(seed_of(0, 0, number)))[0])
    optimizer = torch.optim.AdamW(lone.modules["critic"].parameters(), lr=1e-2, weight_decay=0)
    torch.stack(losses).mean().backward()
    optimizer.step()
    torch.testing.assert_close(
        stage.modules["critic"].weight, lone.modules["critic"].weight, atol=1e-6, rtol=1e-5
    )


def test_a_gradient_is_clipped_to_its_most(tmp_path):
    run(tmp_path, 2, clip=1e-3, log_every=1)
    rows = [json.loads(line) for line in (tmp_path / "curve.jsonl").read_text().splitlines()]
    assert rows[0]["critic/gradient_norm"] > 1e-3, "the norm that is shown is that before the cut"
    tensors, _ = state_of(newest(tmp_path))
    assert (
        0
        < max(
            float(value.abs().max())
            for name, value in tensors.items()
            if name.startswith("optim.critic") and name.endswith("exp_avg")
        )
        <= 1e-3
    )


def test_the_last_two_checkpoints_are_kept(tmp_path):
    run(tmp_path, 9, save_every=2)
    assert [path.name for path in checkpoints.complete(tmp_path / "checkpoints")] == [
        "step-00000008.safetensors",
        "step-00000009.safetensors",
    ]


def test_a_killed_process_loses_no_more_than_a_save_interval(tmp_path):
    command = [sys.executable, "-m", "core.toy_stage", str(tmp_path), "100000", "save_every=5", "wait=0.002"]
    process = subprocess.Popen(
        command,
        cwd=ROOT / "tests",
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    shown = 0
    while shown < 60 and time.monotonic() < deadline:
        line = process.stderr.readline()
        if " step " in line:
            shown = int(line.split(" step ")[1].split("/")[0])
    process.send_signal(signal.SIGKILL)
    shown = max(
        [
            shown,
            *(
                int(line.split(" step ")[1].split("/")[0])
                for line in process.stderr.read().splitlines()
                if " step " in line
            ),
        ]
    )
    process.wait()
    step = state_of(newest(tmp_path))[1]["step"]
    assert shown >= 60 and shown - step < 5 + 5, "lines come every 10 steps, checkpoints every 5"
    run(tmp_path, step + 7)
    run(tmp_path / "whole", step + 7)
    assert_same_state(newest(tmp_path), newest(tmp_path / "whole"))


def test_what_a_killed_process_left_half_written_is_cleared_away(tmp_path):
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    (folder / "step-00000007.safetensors.99.part").write_bytes(b"half")
    run(tmp_path, 3)
    assert [path.name for path in folder.iterdir()] == ["step-00000003.safetensors"]


def test_a_loss_that_is_no_number_stops_the_run_before_it_does_harm(tmp_path):
    with pytest.raises(
        FloatingPointError, match=r"got nan .* at step 8 of role student; the last good state is step 6 in"
    ) as caught:
        run(tmp_path, stage=ToyStage(broken_at=("student", 8)), save_every=3)
    assert str(tmp_path / "checkpoints") in str(caught.value)
    run(tmp_path / "good", 6)
    assert_same_state(newest(tmp_path), newest(tmp_path / "good"))


def test_data_that_are_no_numbers_are_named(tmp_path):
    class Spoiled(ToyData):
        def batch(self, rng, size):
            batch = super().batch(rng, size)
            batch["y"][1, 2] = float("inf")
            return batch

    with pytest.raises(
        FloatingPointError,
        match=(
            "at step 2 of role student; the data of this step are no numbers themselves: y; "
            "no checkpoint had been written yet"
        ),
    ):
        run(tmp_path, data=Spoiled())


def test_a_full_disk_leaves_the_checkpoint_before_intact(tmp_path):
    run(tmp_path, 4)
    before = newest(tmp_path).read_bytes()
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, hard))
    try:
        with pytest.raises(
            OSError,
            match=r"step-00000008.safetensors: could not be written at step 8 .*; step 4 in .* is intact",
        ):
            run(tmp_path, 8)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert [path.read_bytes() for path in (tmp_path / "checkpoints").iterdir()] == [before]
    assert run(tmp_path, 8)["step"] == 8


def test_a_damaged_checkpoint_is_told_of_and_the_one_before_taken(tmp_path):
    run(tmp_path, 6, save_every=3)
    last = newest(tmp_path)
    last.write_bytes(last.read_bytes()[:-100])
    lines = []
    train(ToyStage(), ToyData(), config(steps=6), tmp_path, {"preset": "toy"}, lines.append)
    assert any("truncated" in line and "trying the one before" in line for line in lines) and any(
        "goes on from step 3" in line for line in lines
    )


def test_checkpoints_of_something_else_are_refused_in_words(tmp_path):
    run(tmp_path, 3)

    class Other(ToyStage):
        name = "other"

    with pytest.raises(ValueError, match="expected a checkpoint of stage 'other', got one of stage 'toy'"):
        run(tmp_path, 6, Other())
    with pytest.raises(ValueError, match="expected a checkpoint of preset 'huge', got one of preset 'toy'"):
        train(ToyStage(), ToyData(), config(steps=6), tmp_path, {"preset": "huge"}, quiet)
    with pytest.raises(
        ValueError, match=r"student does not fit this preset: .*0.weight expected \(16, 10\) got \(16, 12\)"
    ):
        run(tmp_path, 6, ToyWithoutTeacher(width=WIDTH - 2))
    with pytest.raises(ValueError, match="teacher: expected the frozen weights"):
        run(tmp_path, 6, ToyWithoutTeacher())
    with pytest.raises(
        ValueError, match="batch: expected 4, as step-00000003.safetensors was trained with, got 5"
    ):
        run(tmp_path, 6, batch=5)
    (tmp_path / "checkpoints" / "step-00000009.safetensors").write_bytes(
        (tmp_path / "student.safetensors").read_bytes()
    )
    assert state_of(tmp_path / "checkpoints" / "step-00000003.safetensors")[1]["step"] == 3


class ToyWithoutTeacher(ToyStage):
    def __init__(self, **values):
        super().__init__(**values)
        self.modules = {role: module for role, module in self.modules.items() if role != "teacher"}


def test_an_empty_data_folder_is_said_before_anything_is_written(tmp_path):
    (tmp_path / "shards").mkdir()
    with pytest.raises(ValueError, match=r"data: expected shards \(\*.npz\) in .*shards, got none"):
        run(tmp_path / "out", data=Pool(tmp_path / "shards"))
    with pytest.raises(ValueError, match="data: expected shards"):
        Epochs(Pool(tmp_path / "shards"))
    assert not list((tmp_path / "out").glob("checkpoints/*"))


def test_data_that_grows_is_looked_at_again_after_every_checkpoint(tmp_path):
    class Refreshable(ToyData):
        asked = 0

        def refresh(self):
            self.asked += 1
            return 1

    data = Refreshable()
    run(tmp_path, 6, data=data, save_every=2)
    assert data.asked == 3


def test_the_exported_weights_say_where_they_come_from(tmp_path):
    about = {
        "preset": "toy",
        "commit": "abc",
        "data": "noise",
        "parent": {"file": "base.safetensors", "sha256": "00"},
    }
    result = train(ToyStage(), ToyData(), config(steps=3), tmp_path, about, quiet)
    told = checkpoints.read_about(result["weights"])
    assert (
        told["provenance"] == about
        and told["stage"] == "toy"
        and told["step"] == 3
        and told["config"]["lr"] == {"student": 1e-2, "critic": 1e-2}
    )
    assert told["seconds"] > 0 and told["processes"] == 1 and told["torch"] == torch.__version__


def test_the_curve_is_written_and_a_missing_tensorboard_is_said(tmp_path):
    lines = []
    train(
        ToyStage(),
        ToyData(),
        config(steps=4, log_every=2, validate_every=2),
        tmp_path,
        {"preset": "toy"},
        lines.append,
    )
    rows = [json.loads(line) for line in (tmp_path / "curve.jsonl").read_text().splitlines()]
    assert {"student/loss", "critic/loss", "critic/gradient_norm", "critic/size", "validation/error"} <= {
        key for row in rows for key in row
    }
    try:
        import tensorboard  # noqa: F401
    except ImportError:
        assert NO_TENSORBOARD.format(tmp_path / "curve.jsonl") in lines
    else:
        assert list((tmp_path / "tensorboard").iterdir())
    assert any("toy step 4/4 (100%), loss student" in line for line in lines)


def test_sample_videos_have_the_tracks_drawn_on(tmp_path):
    run(tmp_path, 4, sample_every=2)
    assert [path.name for path in sorted((tmp_path / "samples").iterdir())] == ["000002.mp4", "000004.mp4"]
    frames, fps = read_video(tmp_path / "samples/000004.mp4")
    assert frames.shape[0] == 5 and fps == 16 and frames.shape[2] == 2 * frames.shape[1] * 32 // 18
    scale = frames.shape[1] // 18
    places = [frames[k, int(9.5 * scale), int((x + 0.5) * scale)] for k, x in ((0, 2), (4, 28))]
    assert all((place.max() - place.min()) > 0.3 for place in places), (
        "the track's colour is where it was commanded to be"
    )
    assert frames[0, 2 * scale, -2 * scale].std() < 0.05, "the rest is the grey picture"


def test_a_run_may_be_bounded_by_time(tmp_path):
    result = run(tmp_path, None, ToyStage(wait=0.01), minutes=0.5 / 60, decay=0.5)
    assert 0.4 < result["seconds"] < 5 and result["step"] > 3
    again = run(tmp_path, None, minutes=0.5 / 60)
    assert again["step"] == result["step"], "the minutes are those of the whole run"


def test_a_choice_that_all_processes_share_is_that_of_the_step():
    one, other = SharedDraws(11), SharedDraws(11)
    first = [one.choice(5) for _ in range(8)]
    assert first == [other.choice(5) for _ in range(8)]
    assert len(set(first)) > 1, "one after the other they differ"
    assert {SharedDraws(n).choice(5) for n in range(40)} == set(range(5))


@pytest.mark.parametrize(
    "values, words",
    [
        ({"steps": None}, "expected either steps or minutes"),
        ({"minutes": 1.0}, "expected either steps or minutes"),
        ({"batch": 0}, "batch: expected 1 or more, got 0"),
        ({"optimizer": "sgd"}, "optimizer: expected one of"),
        ({"precision": "fp8"}, "precision: expected one of"),
        ({"ema_decay": 1.5}, "ema_decay: expected a share"),
        ({"lr": {"student": float("nan")}}, "lr of student: expected 0 or more, got nan"),
        ({"save_seconds": -1.0}, "save_seconds: expected 0 or more"),
    ],
)
def test_a_config_that_makes_no_sense_is_refused(values, words):
    with pytest.raises(ValueError, match=words):
        config(**values)
