"""A recording is playable at every moment: while it grows, after a kill, on a full disk, behind a rewind."""

import os
import random
import resource
import shutil
import signal
from pathlib import Path

import av
import pytest
import torch

from motionstream_core.codec.recording import VideoRecording, make_ordinary
from motionstream_core.codec.video import read_video

FPS = 16


def numbered(first: int, count: int) -> torch.Tensor:
    """Frames whose grey says their number, modulo 20."""
    greys = torch.tensor([(number % 20) / 20 for number in range(first, first + count)])
    return greys[:, None, None, None].expand(count, 32, 48, 3)


def numbers(path: Path) -> list[int]:
    return [round(float(frame.mean()) * 20) for frame in read_video(path)[0]]


def boxes(path: Path) -> list[bytes]:
    data, at, found = path.read_bytes(), 0, []
    while at < len(data):
        found.append(data[at + 4 : at + 8])
        at += int.from_bytes(data[at : at + 4], "big") or len(data)
    return found


def test_it_plays_while_it_grows_and_is_an_ordinary_file_in_the_end(tmp_path):
    path = tmp_path / "folder" / "r.mp4"
    with VideoRecording(path, FPS) as video:
        for first in range(0, 40, 8):
            video.write(numbered(first, 8))
            assert len(numbers(path)) >= first + 8 - 1
    assert numbers(path) == [number % 20 for number in range(40)]
    assert boxes(path).count(b"moov") == 1 and b"moof" not in boxes(path)
    assert boxes(path).index(b"moov") < boxes(path).index(b"mdat")
    with av.open(str(path)) as container:
        assert container.streams.video[0].average_rate == FPS
        assert [float(frame.time) for frame in container.decode(video=0)] == [n / FPS for n in range(40)]
    assert list(path.parent.iterdir()) == [path]


def test_what_a_rewind_undoes_is_cut_off(tmp_path):
    path = tmp_path / "r.mp4"
    video = VideoRecording(path, FPS)
    video.write(numbered(0, 17))
    for cut in (9, 9, 25, 1, 0):
        video.cut(cut)
        video.write(numbered(video.frames, 16))
        assert numbers(path) == [number % 20 for number in range(video.frames - 1)]
    video.close()
    assert video.frames == 16 and numbers(path) == list(range(16))
    with av.open(str(path)) as container:
        assert [float(frame.time) for frame in container.decode(video=0)] == [n / FPS for n in range(16)]


def test_a_recording_without_frames_leaves_no_file(tmp_path):
    VideoRecording(tmp_path / "r.mp4", FPS).close()
    assert not list(tmp_path.iterdir())


def record_for_ever(path: Path, told: int):
    """In a process of its own: writes, and says how many frames it has written."""
    rows = torch.linspace(0, 1, 64)[:, None].expand(64, 96)
    video = VideoRecording(path, FPS)
    for number in range(100_000):
        frame = torch.stack([(rows + number / 40) % 1, rows.flip(0), rows], -1)
        video.write(frame.expand(2, -1, -1, -1))
        os.write(told, f"{video.frames:8d}".encode())


@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("seed", range(3))
def test_a_killed_process_leaves_all_but_its_last_second(tmp_path, kill, seed):
    path, wanted = tmp_path / "r.mp4", random.Random(seed).randint(20, 300)
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        try:
            record_for_ever(path, writing)
        finally:
            os._exit(1)
    os.close(writing)
    written = 0
    while written < wanted:
        written = int(os.read(reading, 8))
    os.kill(child, kill)
    os.waitpid(child, 0)
    while said := os.read(reading, 8):
        written = int(said)
    os.close(reading)
    frames, fps = read_video(path)
    assert len(frames) >= written - FPS
    assert fps == FPS


def test_a_full_disk_raises_once_and_leaves_the_frames_before_it(tmp_path):
    path = tmp_path / "r.mp4"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    video = VideoRecording(path, FPS)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
        with pytest.raises(OSError):
            for first in range(0, 1000, 8):
                video.write(torch.rand(8, 32, 48, 3, generator=torch.Generator().manual_seed(first)))
        video.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert not [link for link in Path("/proc/self/fd").iterdir() if str(path) in os.path.realpath(link)]
    assert 2 <= len(read_video(path)[0]) == video.frames
    video.close()


def test_without_room_for_an_ordinary_file_it_stays_as_it_is(tmp_path, monkeypatch, caplog):
    path = tmp_path / "r.mp4"
    video = VideoRecording(path, FPS)
    video.write(numbered(0, 16))

    room = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: room)
    video.close()
    assert numbers(path) == list(range(16)) and list(tmp_path.iterdir()) == [path]
    assert "stays an mp4 of fragments" in caplog.text
    assert not make_ordinary(tmp_path / "none.mp4")
