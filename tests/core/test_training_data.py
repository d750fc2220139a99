"""Training data from folders of videos: clips without cuts, true tracks, bad files named, nothing lost or
doubled by a kill.
"""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections import deque
from pathlib import Path

import numpy as np
import pytest
import torch

cv2 = pytest.importorskip("cv2")

from motionstream_core.codec.tiny import CodecConfig, TinyCodec  # noqa: E402
from motionstream_core.codec.video import write_video  # noqa: E402
from motionstream_core.model.presets import PRESETS  # noqa: E402
from motionstream_core.model.weights.networks import open_networks  # noqa: E402
from motionstream_core.training.data import folder as folder_module  # noqa: E402
from motionstream_core.training.data import manifest as manifest_module  # noqa: E402
from motionstream_core.training.data.folder import FolderRecipe, read_captions, write_folder  # noqa: E402
from motionstream_core.training.data.footage import ClipShape, read_pictures, scene_changed  # noqa: E402
from motionstream_core.training.data.pool import Pool, caption_text  # noqa: E402

SIDE, FRAMES = 64, 9
SHAPE = ClipShape(SIDE, SIDE, FRAMES, 16, FRAMES)
RECIPE = FolderRecipe(SHAPE, (12, 12), warp=True)


def texture(seed: int, side: int = 220) -> np.ndarray:
    rng, out = np.random.default_rng(seed), np.zeros((side, side, 3), np.float32)
    for cells in (6, 12, 24, 48):
        out += (
            cv2.resize(
                rng.random((cells, cells, 3)).astype(np.float32), (side, side), interpolation=cv2.INTER_CUBIC
            )
            / cells**0.5
        )
    return (out - out.min()) / (out.max() - out.min())


def moving(seed: int, frames: int, dx: int = 1, dy: int = 0) -> torch.Tensor:
    """A picture that goes dx, dy px a frame, there and back within its border."""
    picture, steps = texture(seed), [30 - abs(t % 60 - 30) for t in range(frames)]
    return torch.from_numpy(
        np.stack([picture[70 - dy * s : 70 - dy * s + SIDE, 70 - dx * s : 70 - dx * s + SIDE] for s in steps])
    )


def codec() -> TinyCodec:
    torch.manual_seed(0)
    return TinyCodec(CodecConfig(encoder=(8, 8, 8), decoder=(8, 8, 8, 8))).eval().requires_grad_(False)


def write(videos: Path, out: Path, recipe: FolderRecipe = RECIPE, encoder=None):
    return write_folder(videos, out, PRESETS["tiny"], encoder or codec(), recipe)


def manifest_of(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]


def kept(out: Path) -> list[tuple[str, int]]:
    return [tuple(row["clip"]) for row in manifest_of(out) if row.get("state") == "kept"]


class Quick:
    """A tracker for tests that are not about tracking: plain flow, added up."""

    cuts = ()

    def start(self, frame, points):
        self.dis, self.grey, self.xy = (
            cv2.DISOpticalFlow_create(0),
            cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY),
            points.copy(),
        )

    def step(self, frame):
        grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
        flow = self.dis.calc(self.grey, grey, None)
        x, y = self.xy.round().astype(int).clip(0, SIDE - 1).T
        self.xy, self.grey = self.xy + flow[y, x], grey
        return self.xy.copy(), ((self.xy >= 0) & (self.xy < SIDE)).all(1)


REAL = folder_module.FlowTracker


@pytest.fixture(autouse=True, scope="module")
def quick():
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(folder_module, "FlowTracker", Quick)
        yield


@pytest.fixture
def real(quick, monkeypatch):
    monkeypatch.setattr(folder_module, "FlowTracker", REAL)


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    """Three videos of several clips, with captions beside and in a file."""
    videos = tmp_path_factory.mktemp("videos")
    write_video(videos / "a.mp4", moving(0, 30, dx=1), 16)
    write_video(videos / "sub" / "b.mp4", moving(1, 21, dx=-1, dy=1), 16)
    write_video(videos / "c.mkv", moving(2, 20, dx=2), 16)
    (videos / "a.txt").write_text("red cat\n moves right ")
    (videos / "captions.jsonl").write_text('{"video": "sub/b.mp4", "caption": "camera pans left"}\n')
    return videos


def test_a_folder_of_videos_becomes_samples_that_the_pool_reads(three, tmp_path, real):
    summary = write(three, tmp_path)
    assert (summary["videos"], summary["clips"], summary["static"], summary["bad"]) == (3, 7, 0, [])
    assert kept(tmp_path) == [
        ("a.mp4", 0),
        ("a.mp4", 9),
        ("a.mp4", 18),
        ("c.mkv", 0),
        ("c.mkv", 9),
        ("sub/b.mp4", 0),
        ("sub/b.mp4", 9),
    ]
    pool = Pool(tmp_path, ("latents", "warp", "masks", "xy", "visible", "tokens"))
    assert pool.clips == 7
    batch = pool.read([("videos_00000.npz", row) for row in range(7)])
    assert {name: tuple(value.shape[1:]) for name, value in batch.items()} == {
        "latents": (16, 3, 8, 8),
        "warp": (16, 3, 8, 8),
        "masks": (8, 3, 8, 8),
        "xy": (9, 256, 2),
        "visible": (9, 256),
        "tokens": (16,),
        "caption": (512,),
    }
    assert [caption_text(row) for row in batch["caption"]] == ["red cat moves right"] * 3 + [""] * 2 + [
        "camera pans left"
    ] * 2
    assert batch["tokens"][0].count_nonzero() == 4 and not batch["tokens"][3].any()
    for row, speed in ((0, (1, 0)), (3, (2, 0)), (5, (-1, 1))):
        seen = batch["visible"][row].all(0)
        travelled = batch["xy"][row, -1, seen] - batch["xy"][row, 0, seen]
        assert seen.sum() >= 16 and (travelled - 8 * torch.tensor(speed)).abs().median() < 0.25


def test_the_latents_are_those_of_the_clip(three, tmp_path):
    write(three, tmp_path)
    frames = [picture for picture, _ in read_pictures(three / "a.mp4", SHAPE)][9:18]
    expected = codec().encode(torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2)[None].float() / 255)[0]
    assert torch.equal(Pool(tmp_path).read([("videos_00000.npz", 1)])["latents"][0], expected.half().float())


@pytest.mark.parametrize(
    "after", [255 - moving(0, 20) * 255, moving(7, 20) * 255], ids=["other colours", "like colours"]
)
def test_no_clip_reaches_across_a_cut(tmp_path, after, real):
    write_video(tmp_path / "v" / "cut.mp4", torch.cat([moving(4, 14), after / 255]), 16)
    summary = write(tmp_path / "v", tmp_path / "out")
    assert summary["cuts"] == 1
    assert kept(tmp_path / "out") == [("cut.mp4", 0), ("cut.mp4", 14), ("cut.mp4", 23)]


def test_a_fast_pan_is_no_cut(tmp_path, real):
    picture = texture(3)
    frames = [(picture[20 : 20 + SIDE, 4 * t : 4 * t + SIDE] * 255).astype(np.uint8) for t in range(18)]
    assert not any(scene_changed(a, b) for a, b in zip(frames, frames[1:]))
    write_video(tmp_path / "v" / "pan.mp4", torch.from_numpy(np.stack(frames)).float() / 255, 16)
    assert write(tmp_path / "v", tmp_path / "out")["cuts"] == 0


def test_clips_in_which_nothing_moves_are_dropped(tmp_path, real):
    write_video(tmp_path / "v" / "still.mp4", moving(5, 1).expand(20, -1, -1, -1), 16)
    write_video(tmp_path / "v" / "lively.mp4", moving(5, 10), 16)
    summary = write(tmp_path / "v", tmp_path / "out")
    assert (summary["clips"], summary["static"]) == (1, 2)


def test_bad_files_are_skipped_and_listed_with_the_reason(three, tmp_path):
    videos = tmp_path / "v"
    write_video(videos / "good.mp4", moving(0, 10), 16)
    write_video(videos / "one.mp4", moving(0, 1), 16)
    write_video(videos / "letters.mp4", moving(0, 10), 16)
    (videos / "letters.txt").write_bytes(b"\xff\xfe\xfa")
    (videos / "text.mp4").write_text("I am no video")
    (videos / "empty.mov").write_bytes(b"")
    data = (three / "a.mp4").read_bytes()
    (videos / "corrupt.mp4").write_bytes(data[:200] + bytes(len(data) - 200))
    (videos / "notes.pdf").write_text("not looked at")
    summary = write(videos, tmp_path / "out")
    listed = [json.loads(line) for line in (tmp_path / "out" / "bad_files.jsonl").read_text().splitlines()]
    reasons = {row["video"]: row["reason"] for row in listed}
    assert summary["bad"] == listed and summary["clips"] == 1
    assert sorted(reasons) == ["corrupt.mp4", "empty.mov", "letters.mp4", "one.mp4", "text.mp4"]
    assert (
        "at least 9 frames in a row at 16 a second, got 1" in reasons["one.mp4"]
        and "UTF-8" in reasons["letters.mp4"]
    )
    assert "Invalid data" in reasons["text.mp4"] and "decoded" in reasons["empty.mov"]


@pytest.mark.parametrize("name", ["half.mkv", "half.mp4", "half.avi"])
def test_a_file_cut_off_in_the_middle_gives_the_clips_before(tmp_path, name):
    write_video(tmp_path / "v" / name, moving(0, 60, dx=2), 16)
    data = (tmp_path / "v" / name).read_bytes()
    (tmp_path / "v" / name).write_bytes(data[: len(data) * 2 // 3])
    write(tmp_path / "v", tmp_path / "out")
    clips = kept(tmp_path / "out")
    assert 1 <= len(clips) <= 5 and clips == [(name, 9 * number) for number in range(len(clips))]


def test_a_mended_file_is_taken_up_by_the_next_run(tmp_path):
    write_video(tmp_path / "v" / "a.mp4", moving(0, 10), 16)
    (tmp_path / "v" / "b.mp4").write_text("half copied")
    assert len(write(tmp_path / "v", tmp_path / "out")["bad"]) == 1
    write_video(tmp_path / "v" / "b.mp4", moving(1, 10), 16)
    assert write(tmp_path / "v", tmp_path / "out")["bad"] == [] and kept(tmp_path / "out") == [
        ("a.mp4", 0),
        ("b.mp4", 0),
    ]
    assert not (tmp_path / "out" / "bad_files.jsonl").exists() and Pool(tmp_path / "out").clips == 2


def test_folders_without_usable_videos_are_refused(tmp_path):
    with pytest.raises(ValueError, match="expected a folder, got"):
        write(tmp_path / "absent", tmp_path / "out")
    (tmp_path / "v").mkdir()
    with pytest.raises(ValueError, match="expected video files .* got none"):
        write(tmp_path / "v", tmp_path / "out")
    (tmp_path / "v" / "a.mp4").write_text("no video")
    with pytest.raises(ValueError, match="at least one usable clip of 9 frames .* 1 bad files: a.mp4"):
        write(tmp_path / "v", tmp_path / "out")


def shards_of(out: Path) -> list[dict[str, np.ndarray]]:
    return [dict(np.load(path)) for path in sorted(out.glob("*.npz"))]


def assert_same_data(a: Path, b: Path):
    assert kept(a) == kept(b)
    assert [path.name for path in sorted(a.glob("*.npz"))] == [path.name for path in sorted(b.glob("*.npz"))]
    for mine, theirs in zip(shards_of(a), shards_of(b), strict=True):
        assert mine.keys() == theirs.keys() and all(np.array_equal(mine[name], theirs[name]) for name in mine)


@pytest.fixture(scope="module")
def whole(three, quick, tmp_path_factory):
    """The data of a run that nothing ended, three clips a shard."""
    out = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(folder_module, "SHARD", 3)
        write(three, out)
    return out


class Killed(BaseException):
    """Ends a run where a kill would."""


@pytest.mark.parametrize("place", ["write_shard", "join_shards", "after a shard", "while cleaning up"])
@pytest.mark.parametrize("number", [1, 2])
def test_a_run_ended_at_any_step_goes_on_without_loss_or_doubling(
    three, whole, tmp_path, monkeypatch, place, number
):
    monkeypatch.setattr(folder_module, "SHARD", 3)
    calls = deque()

    def dying(real):
        def call(*args, **options):
            calls.append(1)
            if len(calls) == number and place != "after a shard":
                raise Killed
            real(*args, **options)
            if len(calls) == number:
                raise Killed

        return call

    with monkeypatch.context() as patched:
        if place == "while cleaning up":
            patched.setattr(Path, "unlink", dying(Path.unlink))
            (tmp_path / "out").mkdir()
            calls.append(-1)  # the list of bad files is removed first
            number += 2
        else:
            name = "join_shards" if place == "after a shard" else place
            patched.setattr(manifest_module, name, dying(getattr(manifest_module, name)))
        with pytest.raises(Killed):
            write(three, tmp_path / "out")
    write(three, tmp_path / "out")
    assert_same_data(tmp_path / "out", whole)
    assert list((tmp_path / "out" / "staged").iterdir()) == []


def test_a_line_that_a_kill_cut_off_is_taken_back(three, whole, tmp_path, monkeypatch):
    monkeypatch.setattr(folder_module, "SHARD", 3)
    lines = (whole / "manifest.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "manifest.jsonl").write_bytes(lines[0] + lines[1][:20])
    write(three, tmp_path)
    assert_same_data(tmp_path, whole)


def test_kill_9_and_go_on(tmp_path, real):
    videos = tmp_path / "v"
    shape = ClipShape(SIDE, SIDE, 13, 16, 13)  # whole chunks, as the command asks for
    for number in range(2):
        write_video(videos / f"{number}.mp4", moving(number, 40), 16)
    command = [
        sys.executable,
        "-m",
        "motionstream_core",
        "train",
        "data",
        "--videos",
        str(videos),
        "--size",
        "64x64",
        "--frames",
        "13",
        "--grid",
        "12x12",
    ]
    options = {
        "cwd": Path(__file__).parents[2],
        "env": {**os.environ, "OMP_NUM_THREADS": "1"},
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
    }
    kills = 0
    for lines in (3,):
        child = subprocess.Popen([*command, "--out", str(tmp_path / "out")], **options)
        limit = time.time() + 90
        while child.poll() is None and time.time() < limit and _lines(tmp_path / "out") < lines:
            time.sleep(0.005)
        if child.poll() is None:
            os.kill(child.pid, signal.SIGKILL)
            kills += 1
        said = child.communicate()[1].decode()
    assert kills >= 1, f"the run was over before it could be killed: {said}"
    done = subprocess.run([*command, "--out", str(tmp_path / "out")], check=True, **options)
    assert json.loads(done.stdout)["clips"] == Pool(tmp_path / "out").clips == 6
    assert sorted(kept(tmp_path / "out")) == sorted(
        (f"{video}.mp4", 13 * clip) for video in range(2) for clip in range(3)
    )
    latents = Pool(tmp_path / "out").read([("videos_00000.npz", row) for row in range(6)])["latents"]
    for row, (name, start) in enumerate(kept(tmp_path / "out")):
        frames = np.stack([picture for picture, _ in read_pictures(videos / name, shape)][start : start + 13])
        expected = open_networks().codec.encode(
            torch.from_numpy(frames).permute(0, 3, 1, 2)[None].float() / 255
        )[0]
        assert torch.allclose(latents[row], expected, atol=0.02)


def _lines(out: Path) -> int:
    path = out / "manifest.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def test_other_settings_and_a_second_writer_are_refused(three, tmp_path):
    write(three, tmp_path)
    with pytest.raises(ValueError, match="settings that .* was begun with, seed 0 .now 1."):
        write(three, tmp_path, FolderRecipe(SHAPE, (12, 12), warp=True, seed=1))
    other = codec()
    other.encoder[0].conv.bias.data += 1
    with pytest.raises(ValueError, match="encoder"):
        write(three, tmp_path, encoder=other)
    settings = manifest_of(tmp_path)[0]["settings"]
    with manifest_module.Manifest(tmp_path, settings, 32), pytest.raises(ValueError, match="another process"):
        write(three, tmp_path)


def test_a_full_disk_is_said_so_and_what_is_done_is_kept(three, tmp_path, monkeypatch):
    real, calls = manifest_module.write_shard, deque()

    def full(path, samples):
        calls.append(path)
        if len(calls) == 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(path, samples)

    with monkeypatch.context() as patched:
        patched.setattr(manifest_module, "write_shard", full)
        with pytest.raises(ValueError, match="expected room on the disk"):
            write(three, tmp_path)
    assert len(kept(tmp_path)) == 2
    assert write(three, tmp_path)["clips"] == 7 and Pool(tmp_path).clips == 7


class Blocks:
    """An encoder that is no network: mean colours of 16×16 blocks, with 48 channels as Wan 2.2 has."""

    def encode(self, frames):
        first, rest = frames[:, :1], frames[:, 1:]
        time_ = torch.cat([first, rest.unflatten(1, (-1, 4)).mean(2)], 1)
        cells = torch.nn.functional.avg_pool2d(time_.flatten(0, 1), 16).unflatten(0, time_.shape[:2])
        return cells.transpose(1, 2).repeat(1, 16, 1, 1, 1)


def test_any_encoder_serves_and_without_a_carried_picture_the_whole_grid_is_kept(three, tmp_path):
    recipe = FolderRecipe(SHAPE, (10, 7), warp=False)
    write_folder(three, tmp_path / "out", PRESETS["wan2.2-5b-motion"], Blocks(), recipe)
    batch = Pool(tmp_path / "out").batch(np.random.default_rng(0), 2)
    assert (
        batch["latents"].shape == (2, 48, 3, 4, 4)
        and batch["xy"].shape == (2, 9, 70, 2)
        and "warp" not in batch
    )
    with pytest.raises(ValueError, match=r"encoder: expected latents \(16, 3, 8, 8\) .* got \(48, 3, 4, 4\)"):
        write_folder(three, tmp_path / "other", PRESETS["wan2.1-1.3b-motion"], Blocks(), recipe)
    with pytest.raises(ValueError, match="encode_chunk"):
        write(three, tmp_path / "third", encoder=Blocks())


def test_captions_come_from_files_of_either_kind_and_a_bad_line_is_named(tmp_path):
    (tmp_path / "captions.csv").write_text('file,caption\n./a.mp4,"red, and round"\n')
    (tmp_path / "captions.jsonl").write_text('{"file_name": "b.mp4", "text": "ß"}\n\n')
    assert read_captions(tmp_path) == {"a.mp4": "red, and round", "b.mp4": "ß"}
    (tmp_path / "captions.jsonl").write_text('{"file_name": "b.mp4"}\n')
    with pytest.raises(ValueError, match="captions.jsonl: .*line 1: expected one of video"):
        read_captions(tmp_path)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ((4, 64, 9, 16, 9), "size"),
        ((64, 64, 8, 16, 9), "1 . a multiple of 4"),
        ((64, 64, 9, -1, 9), "fps"),
        ((64, 64, 9, 16, 0), "stride"),
    ],
)
def test_impossible_clips_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        ClipShape(*values)


def test_sizes_that_do_not_fit_the_preset_are_refused(three, tmp_path):
    with pytest.raises(ValueError, match="divisible by 16 .* got 72x64"):
        write(three, tmp_path, FolderRecipe(ClipShape(72, 64, 9, 16, 9), (4, 4), True))
