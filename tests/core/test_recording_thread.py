"""Encoding in a thread of its own: nobody waits for it, nothing is lost in order, and errors come back."""

import errno
import threading

import pytest
import torch
from core.test_recording import numbered, numbers

from motionstream_core.codec import recording_thread
from motionstream_core.codec.recording import VideoRecording
from motionstream_core.codec.recording_thread import RecordingThread
from motionstream_core.common.pictures import to_uint8

FPS = 16


@pytest.fixture
def held(monkeypatch):
    """An event that every write waits for."""
    free = threading.Event()
    write = VideoRecording.write

    def waits(self, frames):
        assert free.wait(10)
        write(self, frames)

    monkeypatch.setattr(VideoRecording, "write", waits)
    return free


def test_the_caller_goes_on_while_a_chunk_is_encoded_and_all_arrive_in_order(tmp_path, held):
    path = tmp_path / "r.mp4"
    thread = RecordingThread(path, FPS)
    thread.write(0, numbered(0, 8))  # would hang here if the caller encoded
    held.set()
    thread.write(8, numbered(8, 8))
    thread.write(12, to_uint8(numbered(12, 8)))  # a rewind, and bytes
    thread.wait()
    assert thread.recording.frames == 20
    thread.close()
    thread.close()
    assert numbers(path) == [number % 20 for number in range(20)]
    assert "motionstream-record" not in [each.name for each in threading.enumerate()]


def test_no_more_chunks_wait_than_the_bound(tmp_path, held):
    thread = RecordingThread(tmp_path / "r.mp4", FPS)
    given = []

    def give():
        for number in range(6):
            thread.write(8 * number, numbered(8 * number, 8))
            given.append(number)

    giver = threading.Thread(target=give)
    giver.start()
    giver.join(0.5)
    assert giver.is_alive()
    assert len(given) <= 1 + recording_thread.WAITING
    held.set()
    giver.join(10)
    thread.close()
    assert len(given) == 6
    assert thread.recording.frames == 48


def test_a_full_disk_is_told_and_what_comes_later_is_dropped(tmp_path, monkeypatch):
    thread = RecordingThread(tmp_path / "r.mp4", FPS)
    thread.write(0, numbered(0, 8))
    thread.wait()
    full = OSError(errno.ENOSPC, "no space")

    def refuses(self, frames):
        raise full

    monkeypatch.setattr(VideoRecording, "write", refuses)
    thread.write(8, numbered(8, 8))
    thread.wait()
    assert thread.failure is full
    thread.write(16, numbered(16, 8))
    thread.wait()
    thread.close()
    assert numbers(tmp_path / "r.mp4") == list(range(8))


def test_any_other_error_ends_the_caller(tmp_path):
    thread = RecordingThread(tmp_path / "r.mp4", FPS)
    thread.write(0, torch.zeros(2, 31, 48, 3))
    with pytest.raises(ValueError, match="even width and height"):
        thread.wait()
    thread.close()
