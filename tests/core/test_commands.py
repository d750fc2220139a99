"""The command line, run in this process on small untrained networks."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

from motionstream_core.__main__ import main
from motionstream_core.codec.video import read_video
from motionstream_core.model.weights.networks import save_networks, untrained_networks
from motionstream_core.tracks.track_arrays import save_npz
from motionstream_core.tracks.types import Tracks

ROOT = Path(__file__).parents[2]
LINE = [{"x": 4 + t, "y": 16} for t in range(5)]
DOCUMENT = {
    "version": 1,
    "width": 32,
    "height": 32,
    "frames": 9,
    "fps": 8,
    "tracks": [{"points": [{"x": 4, "y": 16}, {"x": 28, "y": 16}]}],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("commands")
    save_networks(folder / "w.safetensors", untrained_networks("tiny"))
    Image.linear_gradient("L").resize((48, 32)).convert("RGB").save(folder / "image.png")
    (folder / "line.json").write_text(json.dumps(LINE))
    (folder / "document.json").write_text(json.dumps(DOCUMENT))
    save_npz(Tracks(torch.full((5, 3, 2), 8.0), torch.ones(5, 3), 32, 48), folder / "t.npz")
    return folder


def generate(folder: Path, tracks: str, *more: str, out: str = "v.mp4") -> int:
    files = {"--image": "image.png", "--tracks": tracks, "--out": out, "--weights": "w.safetensors"}
    paths = [part for option, name in files.items() for part in (option, str(folder / name))]
    return main(["generate", *paths, "--device", "cpu", "--steps", "1", *more])


@pytest.mark.parametrize(
    ("tracks", "more", "expected"),
    [
        ("document.json", [], {"frames": 9, "width": 32, "height": 32, "fps": 8.0, "tracks": 1}),
        ("document.json", ["--size", "48x32"], {"frames": 9, "width": 48, "height": 32}),
        ("line.json", [], {"frames": 5, "width": 48, "height": 32, "fps": 16.0}),
        ("line.json", ["--frames", "7", "--fit", "ping-pong"], {"frames": 7}),
        (
            "t.npz",
            ["--prompt", "a red ball moves right"],
            {"frames": 5, "width": 32, "height": 48, "tracks": 3},
        ),
    ],
)
def test_generate_writes_the_video_it_reports(folder, capsys, tracks, more, expected):
    assert generate(folder, tracks, *more) == 0
    out, err = capsys.readouterr()
    report = json.loads(out.strip().splitlines()[-1])
    assert expected.items() <= report.items()
    frames, fps = read_video(report["video"])
    assert frames.shape == (report["frames"], report["height"], report["width"], 3)
    assert fps == report["fps"]
    assert report["first_frame_s"] > 0
    assert f"frame {report['frames']}/{report['frames']}" in err


def test_generate_plays_a_performance(folder, capsys):
    controls = [
        {"chunk": 1, "type": "grab", "hand": 0, "handle": 0},
        {"chunk": 1, "type": "move", "hand": 0, "to": [[4, 4], [28, 28]]},
    ]
    (folder / "p.json").write_text(
        json.dumps({"kind": "motionstream-performance", "version": 1, "controls": controls})
    )
    assert generate(folder, "document.json") == 0
    assert generate(folder, "document.json", "--performance", str(folder / "p.json"), out="p.mp4") == 0
    plain, played = read_video(folder / "v.mp4")[0], read_video(folder / "p.mp4")[0]
    assert plain.shape == played.shape and (plain - played).abs().max() > 0.05
    (folder / "bad.json").write_text("{}")
    assert generate(folder, "document.json", "--performance", str(folder / "bad.json")) != 0
    assert "performance: expected" in capsys.readouterr().err


def test_the_same_seed_gives_the_same_video(folder, capsys):
    for out, seed in (("a.mp4", "3"), ("b.mp4", "3")):
        assert generate(folder, "document.json", "--seed", seed, out=out) == 0
    assert torch.equal(read_video(folder / "a.mp4")[0], read_video(folder / "b.mp4")[0])


@pytest.mark.parametrize(
    ("tracks", "more", "message"),
    [
        ("line.json", ["--frames", "7"], "expected 7 frames .* got 5"),
        ("line.json", ["--frames", "0"], "expected at least 1, got 0"),
        ("line.json", ["--size", "40x32"], "expected a width divisible by 16 .* got 40x32"),
        ("none.json", [], r"none\.json"),
        ("image.png", [], r"image\.png: expected JSON or \.npz, got a binary file"),
        ("line.json", ["--weights", "none.safetensors"], r"none\.safetensors"),
        ("line.json", ["--device", "abacus"], "device: expected auto, cpu or cuda, got 'abacus'"),
        ("line.json", ["--device", "cuda:99"], "expected one of .* cuda devices or cpu, got 'cuda:99'"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_no_video(folder, capsys, tracks, more, message):
    assert generate(folder, tracks, *more, out="wrong.mp4") == 2
    err = capsys.readouterr().err.strip()
    assert len(err.splitlines()) == 1
    assert err.startswith("error: ")
    assert re.search(message, err), err
    assert not (folder / "wrong.mp4").exists()


def test_words_outside_the_vocabulary_are_told(folder, capsys):
    assert generate(folder, "line.json", "--prompt", "a red zeppelin") == 0
    assert "left out: a, zeppelin" in capsys.readouterr().err


def test_bench_reports_speed_and_memory(folder, capsys, tmp_path):
    files = ["--weights", str(folder / "w.safetensors"), "--results", str(tmp_path)]
    assert (
        main(
            [
                "bench",
                *files,
                "--size",
                "32x32",
                "--frames",
                "61",
                "--steps",
                "1",
                "--tracks",
                "5",
                "--device",
                "cpu",
            ]
        )
        == 0
    )
    report = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    assert report["stream_fps"] > 0
    assert report["context"] == "c3s1w3"
    assert report["cache_mib"] > 0
    kept = next(tmp_path.glob("w-bench_cpu_*.md")).read_text()
    assert json.loads(kept.split("```json\n")[1].split("\n```")[0]) == report


def test_doctor_names_what_is_missing(folder, capsys):
    assert main(["doctor", "--weights", str(folder / "w.safetensors")]) == 0
    assert json.loads(capsys.readouterr().out.strip().splitlines()[-1])["ok"]
    assert main(["doctor", "--weights", str(folder / "gone.safetensors")]) == 1
    report = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    assert "gone.safetensors" in report["problems"]["weights"]


def test_the_module_runs_and_imports_no_command_it_was_not_asked_for():
    code = (
        "import sys, motionstream_core.__main__ as m\ntry: m.main(['--help'])\nexcept SystemExit: "
        "pass\nprint('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert "generate" in done.stdout
    assert done.stdout.strip().endswith("False")


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_the_other_rooms_commands_are_there(command, capsys):
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    assert "usage" in capsys.readouterr().out
