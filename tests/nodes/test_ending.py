"""How a run ends before its end: by memory, by a full disk, by NaN, by anything else."""

import errno
import re

import pytest
import torch

SIZE = 16


@pytest.fixture(scope="module")
def ending(pack):
    return pack("nodes._ending")


@pytest.fixture(scope="module")
def chunk(pack):
    kind = pack("motionstream_core.streaming.chunk").Chunk

    def made(index: int):
        frames = torch.full((8, SIZE, SIZE, 3), 0.1 * index)
        xy, seen = torch.zeros(8, 1, 2), torch.ones(8, 1, dtype=torch.bool)
        latents = torch.zeros(1, 4, 2, 2, 2)
        return kind(index, 8 * index, frames, latents, {}, 0.0, 0.0, 0, xy, seen)

    return made


@pytest.fixture
def run(pack, ending, chunk):
    """run(count, error, path) -> what was told, the recorder, whether the stream came to its end."""
    recorder_of = pack("motionstream_core.streaming.recorder").StreamRecorder

    def made(count, error=None, path=None, show=lambda chunk: None, before=lambda recorder: None):
        def chunks():
            yield from map(chunk, range(count))
            if error is not None:
                raise error

        told = []
        with recorder_of(16.0, 4, 2**30, path) as recorder:
            before(recorder)
            full = lambda error: isinstance(error, MemoryError)  # noqa: E731
            whole = ending.keep_chunks(chunks(), recorder, show, told.append, full)
        return told, recorder, whole

    return made


def test_a_stream_that_comes_to_its_end_says_nothing(run):
    told, recorder, whole = run(3)
    assert whole and not told and len(recorder.take(SIZE, SIZE).frames) == 24


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MemoryError(), "Out of memory in chunk 3: .* lower keep_mb: 0 MiB were kept"),
        (ZeroDivisionError("by zero"), "An error in chunk 3: .* ZeroDivisionError: by zero"),
        (ValueError("cuDNN: expected sense"), "An error in chunk 3: .* cuDNN: expected sense"),
    ],
)
def test_an_error_in_the_middle_keeps_what_was_made_and_is_told(run, error, words):
    told, recorder, whole = run(3, error)
    assert not whole and len(told) == 1
    assert len(recorder.take(SIZE, SIZE).frames) == 24
    assert re.search(words, told[0])


@pytest.mark.parametrize("made", [0, 1])
def test_an_error_before_anything_was_made_is_the_run_s(run, made):
    with pytest.raises(ZeroDivisionError):
        run(made, ZeroDivisionError())
    with pytest.raises(ValueError, match="expected room for one chunk after the start image, got none"):
        run(made, MemoryError())


def test_an_error_while_a_chunk_is_shown_keeps_that_chunk(run):
    def show(chunk):
        if chunk.index == 2:
            raise MemoryError

    told, recorder, whole = run(9, show=show)
    assert not whole and len(recorder.take(SIZE, SIZE).frames) == 24 and "Out of memory in chunk 3" in told[0]


def test_an_interrupt_of_the_host_gets_through(run):
    class Interrupted(BaseException):
        pass

    with pytest.raises(Interrupted):
        run(3, Interrupted())


def test_nan_ends_a_stream_with_what_was_good(pack, chunk, run):
    finite = pack("motionstream_core.streaming.chunk")
    bad = chunk(4)
    bad.latents[0, 0, 0, 0, 0] = float("nan")
    with pytest.raises(finite.NotFinite, match="chunk 4: expected finite numbers, got NaN in its latents"):
        bad.check_finite()
    text = "chunk 3: expected finite numbers, got NaN in its frames"
    told, recorder, whole = run(3, finite.NotFinite(text))
    assert not whole and told[0].startswith(text)
    assert len(recorder.take(SIZE, SIZE).frames) == 24


def test_a_full_disk_stops_the_run_with_its_frames_and_a_file_that_plays(pack, run, tmp_path):
    def before(recorder):
        file = recorder._recording.recording._file
        left = [3000]

        class Full:
            def write(self, data):
                if left[0] < len(data):
                    raise OSError(errno.ENOSPC, "No space left on device")
                left[0] -= len(data)
                return file.write(data)

            def __getattr__(self, name):
                return getattr(file, name)

        recorder._recording.recording._file = Full()

    told, recorder, whole = run(50, path=tmp_path / "run.mp4", before=before)
    assert not whole and "The disk is full: the run was stopped. run.mp4 holds" in told[0]
    frames, _ = pack("motionstream_core.codec.video").read_video(tmp_path / "run.mp4")
    made = recorder.take(SIZE, SIZE).frames
    assert 8 < len(frames) <= len(made) < 50 * 8
    assert (frames - made[: len(frames)]).abs().mean() < 0.02
