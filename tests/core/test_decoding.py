"""Decoding beside the transformer: in which order things are begun, waited for and handed out."""

from dataclasses import replace

import pytest
import torch
from core.small import SIZE, drag, joined, picture, small_networks, stream

from motionstream_core.streaming import pipeline as course_module
from motionstream_core.streaming.decoders import CudaDecoder, InlineDecoder, open_decoder


class Queues:
    """A stand-in for torch.cuda: one queue of work per stream, done only when somebody waits for it, in the
    order the events allow.
    """

    def __init__(self):
        self.log = []
        self.main, self.now = "main", "main"
        self.names = iter(["decoding", "carrying"] * 9)

    def current_stream(self, device):
        return self.main

    def Stream(self, device):  # noqa: N802
        return _Stream(self, device)

    def Event(self, enable_timing):  # noqa: N802
        return _Event(self.log)

    def stream(self, queue):
        return _Inside(self, queue)


class _Stream:
    def __init__(self, queues, device):
        self.queues, self.name = queues, next(queues.names)

    def __str__(self):
        return self.name

    def wait_stream(self, other):
        self.queues.log.append(f"{self.name} waits for {other}")

    def wait_event(self, mark):
        self.queues.log.append(f"{self.name} waits for {mark.where}")

    def synchronize(self):
        self.queues.log.append(f"host waits for {self.name}")


class _Event:
    def __init__(self, log):
        self.log = log

    def record(self, queue):
        self.where = f"mark {self.log.count('mark')}"
        self.log.append("mark")

    def synchronize(self):
        self.log.append(f"host waits for {self.where}")

    def elapsed_time(self, other):
        assert "host waits for mark 2" in self.log, "a time was asked for before the work was done"
        return 1500.0


class _Inside:
    def __init__(self, queues, queue):
        self.queues, self.queue = queues, queue

    def __enter__(self):
        self.queues.now = self.queue.name

    def __exit__(self, *error):
        self.queues.now = "main"


class Frames(torch.Tensor):
    """Frames that may be carried in the queue for that alone, where no later decode is in their way, and be
    read once somebody has waited.
    """

    queues: Queues

    def to(self, device, non_blocking=False):
        assert self.queues.now == "carrying", "frames were touched outside the queue that carries them"
        assert non_blocking, "the host waited for a copy"
        self.queues.log.append("carried")
        return self.as_subclass(torch.Tensor)

    def record_stream(self, queue):
        self.queues.log.append(f"frames are kept for {queue}")


@pytest.fixture
def queues(monkeypatch):
    monkeypatch.setattr(torch.Tensor, "record_stream", lambda self, queue: None)
    monkeypatch.setattr(Frames, "queues", Queues(), raising=False)
    return Frames.queues


def test_a_decode_waits_for_its_latents_and_is_handed_out_when_it_is_finished(queues):
    lane = CudaDecoder(torch.device("cuda"), queues)

    def work():
        queues.log.append(f"decode in {queues.now}")
        return torch.full((2, 3), 4.0).as_subclass(Frames), "state"

    decoding = lane.begin(torch.zeros(1), work)
    assert decoding.pixels is None, "they have not arrived"
    with pytest.raises(AssertionError, match="before the work was done"):
        assert decoding.seconds
    queues.log.append("other work is begun")
    frames, there = decoding.frames(torch.device("cpu"))
    assert queues.log == [
        "decoding waits for main",
        "mark",
        "decode in decoding",
        "mark",
        "carrying waits for mark 1",
        "carried",
        "mark",
        "frames are kept for carrying",
        "other work is begun",
        "host waits for mark 2",
        "frames are kept for main",
    ]
    assert decoding.pixels.equal(torch.full((2, 3), 255, dtype=torch.uint8))
    assert (
        decoding.state == "state" and decoding.seconds == 1.5 and torch.equal(there, torch.full((2, 3), 4.0))
    )


def test_the_plain_twin_decodes_at_once():
    lane, log = open_decoder(torch.device("cpu"), overlap=False), []
    decoding = lane.begin(torch.zeros(1), lambda: (log.append("decoded") or torch.ones(2), 7))
    assert type(open_decoder(torch.device("cuda"), overlap=False)) is InlineDecoder
    assert (
        type(lane) is InlineDecoder
        and not lane.overlaps
        and log == ["decoded"]
        and decoding.seconds >= 0
        and decoding.state == 7
    )
    assert all(torch.equal(part, torch.ones(2)) for part in decoding.frames(torch.device("cpu")))


class Told:
    """A network that tells when it commits."""

    def __init__(self, dit, log):
        self._dit, self._log = dit, log

    def __getattr__(self, name):
        return getattr(self._dit, name)

    def __call__(self, x, timestep, text, context):
        if context.write:
            self._log.append("clean pass")
        return self._dit(x, timestep, text, context)


def streamed(networks, log):
    frames = []
    for chunk in stream(replace(networks, dit=Told(networks.dit, log)), picture(), drag(13), "", 13, 3):
        log.append(f"chunk {chunk.index} is shown")
        frames.append(chunk)
    return joined(frames)


def test_a_chunk_is_shown_before_its_clean_pass_and_the_last_one_has_none():
    log = []
    streamed(small_networks(), log)
    assert log == ["chunk 0 is shown", "clean pass", "chunk 1 is shown", "clean pass", "chunk 2 is shown"]


def test_a_queue_of_its_own_for_decoding_gives_the_same_frames(monkeypatch, queues):
    monkeypatch.setattr(course_module, "open_decoder", lambda *asked: CudaDecoder(asked[0], queues))
    networks, log = small_networks(), queues.log
    decode = networks.codec.decode_chunk

    def seen(*arguments):
        assert queues.now == "decoding"
        log.append("decode")
        return decode(*arguments)

    monkeypatch.setattr(networks.codec, "decode_chunk", seen)
    frames = streamed(networks, log)
    told = [
        line
        for line in log
        if line in ("decode", "clean pass") or line.startswith("host waits") or "shown" in line
    ]
    begun = ["decode", "clean pass"]
    assert told == [
        *begun,
        "host waits for mark 2",
        "chunk 0 is shown",
        *begun,
        "host waits for mark 3",  # the latents of chunk 1
        "decode",
        "host waits for mark 5",
        "chunk 1 is shown",
        "host waits for mark 8",
        "chunk 2 is shown",
        "host waits for decoding",
    ]
    monkeypatch.undo()
    assert frames.shape == (13, SIZE, SIZE, 3) and torch.equal(frames, streamed(small_networks(), []))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="expected a CUDA device")
def test_on_a_gpu_the_two_queues_give_the_frames_of_one(monkeypatch):
    from motionstream_core.cli.options import networks_on

    def made(lane):
        monkeypatch.setattr(course_module, "open_decoder", lane)
        return joined(
            stream(networks_on(small_networks(), torch.device("cuda")), picture(), drag(49), "", 49, 3)
        )

    assert torch.allclose(made(open_decoder), made(lambda *asked: InlineDecoder()), atol=1e-4)
