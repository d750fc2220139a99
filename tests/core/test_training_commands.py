"""The stages from the command line, one after the other, on a folder of shards: two steps of each, each from
the weights of the one before.
"""

import json

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from motionstream_core.__main__ import main
from motionstream_core.codec.tiny import TinyCodec
from motionstream_core.model.presets import PRESETS
from motionstream_core.training.methods.roles import MotionModel


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    rng = np.random.default_rng(0)
    (folder / "shards").mkdir()
    latents = rng.standard_normal((4, 16, 10, 4, 4)).astype(np.float16)
    np.savez(
        folder / "shards/0000_00000.npz",
        latents=latents,
        warp=latents[::-1],
        masks=rng.integers(0, 255, (4, 8, 10, 4, 4)).astype(np.uint8),
        xy=(32 * rng.random((4, 37, 6, 2))).astype(np.float16),
        visible=rng.random((4, 37, 6)) < 0.8,
        tokens=rng.integers(0, 20, (4, 16)).astype(np.int16),
    )
    return folder


def train(*words):
    assert main(["train", *map(str, words)]) == 0


COMMON = ("--steps", 2, "--batch", 2, "--warmup", 0, "--decay", 0)


@pytest.fixture(scope="module")
def done(folder):
    """The whole way, once."""
    data = ("--data", folder / "shards", "--held", folder / "shards")
    train("causal", *data, *COMMON, "--out", folder / "short")
    train("teacher", *data, *COMMON, "--out", folder / "one")
    train(
        "teacher",
        *data,
        *COMMON,
        "--out",
        folder / "two",
        "--phase",
        2,
        "--init",
        folder / "one/teacher.safetensors",
    )
    train(
        "trajectories",
        "--teacher",
        folder / "two/teacher.safetensors",
        "--data",
        folder / "shards",
        "--out",
        folder / "paths",
        "--count",
        1,
        "--batch",
        2,
        "--ode-steps",
        3,
    )
    train(
        "causal-init",
        "--init",
        folder / "two/teacher.safetensors",
        "--data",
        folder / "paths",
        "--held",
        folder / "shards",
        *COMMON,
        "--out",
        folder / "init",
    )
    train(
        "causal-init",
        "--start",
        "ar",
        "--init",
        folder / "two/teacher.safetensors",
        *data,
        *COMMON,
        "--out",
        folder / "ar",
    )
    train(
        "distill",
        "--student",
        folder / "init/student.safetensors",
        "--teacher",
        folder / "two/teacher.safetensors",
        *data,
        *COMMON,
        "--critic-steps",
        1,
        "--out",
        folder / "student",
    )
    return folder


def test_every_stage_leaves_weights_that_say_where_they_come_from(done):
    parents = {
        "short/student": [],
        "one/teacher": [],
        "two/teacher": ["teacher.safetensors"],
        "init/student": ["teacher.safetensors"],
        "student/student": ["student.safetensors", "teacher.safetensors"],
    }
    for path, expected in parents.items():
        with safe_open(done / f"{path}.safetensors", "pt") as file:
            about = json.loads(next(value for value in file.metadata().values() if "provenance" in value))
        assert sorted(about["provenance"]["parents"]) == expected
        assert about["step"] == 2 and about["preset"] == "tiny"


def test_a_stage_changes_what_it_trains_and_keeps_the_track_head_from_phase_2_on(done):
    teacher, init, student = (
        load_file(done / name)
        for name in ("two/teacher.safetensors", "init/student.safetensors", "student/student.safetensors")
    )
    assert teacher.keys() == init.keys() == student.keys() == MotionModel(PRESETS["tiny"]).state_dict().keys()
    assert not torch.equal(teacher["dit.blocks.0.ffn.0.weight"], init["dit.blocks.0.ffn.0.weight"])
    assert not torch.equal(student["dit.blocks.0.ffn.0.weight"], init["dit.blocks.0.ffn.0.weight"])
    assert torch.equal(teacher["track_head.conv.weight"], student["track_head.conv.weight"])


def test_the_curve_of_a_stage_has_its_validation(done):
    rows = [json.loads(line) for line in (done / "student/curve.jsonl").read_text().splitlines()]
    assert any("validation/rollout_mse" in row for row in rows)


def test_a_finished_run_that_is_started_again_is_finished(done, capsys):
    before = (done / "one/teacher.safetensors").read_bytes()
    train("teacher", "--data", done / "shards", *COMMON, "--out", done / "one")
    assert (
        load_file(done / "one/teacher.safetensors").keys()
        and len(before) == (done / "one/teacher.safetensors").stat().st_size
    )
    assert "goes on from step 2" in capsys.readouterr().err


def test_fresh_weights_are_those_of_the_seed(done, tmp_path):
    for name, seed in (("one", 3), ("two", 3), ("other", 4)):
        torch.manual_seed(len(name) * 100 + seed)  # whatever was drawn before
        train(
            "causal",
            "--data",
            done / "shards",
            "--steps",
            0,
            "--batch",
            2,
            "--seed",
            seed,
            "--out",
            tmp_path / name,
        )
    one, two, other = (load_file(tmp_path / name / "student.safetensors") for name in ("one", "two", "other"))
    assert all(torch.equal(one[key], two[key]) for key in one)
    assert not torch.equal(one["dit.blocks.0.ffn.0.weight"], other["dit.blocks.0.ffn.0.weight"])


def test_a_run_goes_on_from_the_files_it_began_with_alone(done, tmp_path, capsys):
    common = ("--data", done / "shards", "--batch", 2, "--out", tmp_path / "out")
    train("causal", *common, "--steps", 1, "--init", done / "one/teacher.safetensors")
    assert (
        main(
            [
                "train",
                "causal",
                *map(str, common),
                "--steps",
                "2",
                "--init",
                str(done / "two/teacher.safetensors"),
            ]
        )
        != 0
    )
    assert "expected the weights that this run began with, got others" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("--sample-every", "sample-every: expected --held and --codec too"),
        ("--validate-every", "validate-every: expected --held too"),
    ],
)
def test_what_nothing_can_be_shown_of_is_not_asked_for_in_vain(done, tmp_path, asked, told, capsys):
    assert (
        main(
            [
                "train",
                "causal",
                "--data",
                str(done / "shards"),
                *map(str, COMMON),
                asked,
                "1",
                "--out",
                str(tmp_path),
            ]
        )
        != 0
    )
    assert told in capsys.readouterr().err


def test_a_head_may_be_told_of_tracks_that_say_nothing(done, tmp_path, capsys):
    shard = dict(np.load(done / "shards/0000_00000.npz"))
    (tmp_path / "said").mkdir()
    np.savez(tmp_path / "said/0000_00000.npz", **shard, unspecified=~shard["visible"])
    said = ("--data", tmp_path / "said", *COMMON, "--unspecified")
    train("teacher", *said, "--init", done / "two/teacher.safetensors", "--out", tmp_path / "teacher")
    assert load_file(tmp_path / "teacher/teacher.safetensors")["track_head.conv.weight"].shape == (
        16,
        4 * 65,
        1,
        1,
        1,
    )
    assert (
        main(
            [
                "train",
                "teacher",
                "--data",
                str(done / "shards"),
                *map(str, COMMON),
                "--unspecified",
                "--out",
                str(tmp_path / "bad"),
            ]
        )
        != 0
    )
    assert "got a shard without unspecified" in capsys.readouterr().err


def test_the_student_meets_refreshed_sinks_on_request(done, tmp_path, capsys):
    data = ("--data", done / "shards", *COMMON)
    torch.manual_seed(0)
    save_file(TinyCodec().state_dict(), tmp_path / "codec.safetensors")
    train(
        "causal",
        *data,
        "--refresh-share",
        1,
        "--codec",
        tmp_path / "codec.safetensors",
        "--out",
        tmp_path / "often",
    )
    train("causal", *data, "--codec", tmp_path / "codec.safetensors", "--out", tmp_path / "never")
    one, two = (load_file(tmp_path / name / "student.safetensors") for name in ("often", "never"))
    assert not torch.equal(one["dit.blocks.0.ffn.0.weight"], two["dit.blocks.0.ffn.0.weight"])
    assert (
        main(["train", "causal", *map(str, data), "--refresh-share", "0.5", "--out", str(tmp_path / "bad")])
        != 0
    )
    assert "expected a codec (--codec FILE" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("teacher", "--preset", "wan2.1-1.3b"), "expected one with motion"),
        (("teacher", "--data", "nowhere"), "expected a folder of shards"),
        (("causal-init", "--init", "one/teacher.safetensors"), "expected files in"),
        (
            ("distill", "--student", "shards/0000_00000.npz", "--teacher", "one/teacher.safetensors"),
            "expected a .safetensors file",
        ),
    ],
)
def test_what_does_not_fit_is_said_in_words(done, words, told, capsys):
    words = [done / word if "/" in word or word == "nowhere" else word for word in words]
    words += [] if "--data" in words else ["--data", done / "shards"]
    assert main(["train", *map(str, words), *map(str, COMMON), "--out", str(done / "bad")]) != 0
    assert told in capsys.readouterr().err
