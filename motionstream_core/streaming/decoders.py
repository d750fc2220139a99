"""Decoding beside the transformer: on a CUDA device in a queue of its own, on a CPU in a thread of its own,
or at once.

Owns the order between the two: a decode begins when its latents are finished, decodes follow one another, and
frames are handed out when they are there. Codecs whose state goes from chunk to chunk keep it where the
decoding runs. Knows nothing of what the frames are for.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from time import perf_counter
from typing import Any

import torch
from torch import Tensor

from ..codec.base import CodecState
from ..common.pictures import to_uint8

HOST = torch.device("cpu")
Work = Callable[[], tuple[Tensor, CodecState]]


class InlineDecoder:
    """The plain twin: the work is done where it is begun."""

    overlaps = False  # whether other work runs while this does

    def begin(self, latents: Tensor, work: Work) -> Decoded:
        began = perf_counter()
        frames, state = work()
        if frames.is_cuda:
            torch.cuda.synchronize(frames.device)
        return Decoded(frames, state, began)

    def close(self):
        """Nothing is on its way."""


class Decoded:
    """Frames that are finished, and the codec's state behind them. known: whether the state can be asked for
    without waiting.
    """

    known = True
    pixels: Tensor | None = None  # nobody has made bytes of them

    def __init__(self, frames: Tensor, state: CodecState, began: float):
        self._frames, self.state = frames, state
        self.seconds = perf_counter() - began

    def start(self):
        """Waits until the decode can begin: its latents are finished."""

    def frames(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """The frames where they were made, and on `device`."""
        return self._frames, self._frames.to(device)


class CudaDecoder:
    """A queue of its own on a CUDA device, and one that carries frames: the next decode, and with it the next
    chunk, may already be under way in the first. cuda: torch.cuda, or what a test sets in its place.
    """

    overlaps = True

    def __init__(self, device: torch.device, cuda: Any = torch.cuda):
        self._device, self._cuda = device, cuda
        self._queue, self._carrying = cuda.Stream(device), cuda.Stream(device)

    def begin(self, latents: Tensor, work: Work) -> Finishing:
        """Begins `work` once `latents`, of the caller's queue, are finished. Comes back at once."""
        self._queue.wait_stream(self._cuda.current_stream(self._device))
        with self._cuda.stream(self._queue):
            start, end = (self._cuda.Event(enable_timing=True) for _ in range(2))
            start.record(self._queue)
            frames, state = work()
            pixels = to_uint8(frames)
            end.record(self._queue)
        # Its memory is not given to anyone else before the decoding has read it.
        latents.record_stream(self._queue)
        # To page-locked memory, right behind the decode: nobody has to ask first.
        with self._cuda.stream(self._carrying):
            self._carrying.wait_event(end)
            arrived = self._cuda.Event(enable_timing=False)
            there = frames.to(HOST, non_blocking=True)
            shown = pixels.to(HOST, non_blocking=True)
            arrived.record(self._carrying)
        for made in (frames, pixels):
            made.record_stream(self._carrying)
        return Finishing(self, frames, state, (start, end, arrived), (there, shown))

    def close(self):
        """Waits for what is on its way."""
        self._queue.synchronize()


class Finishing:
    """A decode in flight on a CUDA device. Nothing of it may be read before `frames` gives it.

    Args:
        lane: the decoder it belongs to.
        frames: where they are made.
        state: the codec's, behind them.
        events: the decode's begin and end, and the arrival of both copies.
        copies: frames and their bytes in page-locked memory.
    """

    known = True

    def __init__(
        self,
        lane: CudaDecoder,
        frames: Tensor,
        state: CodecState,
        events: tuple[Any, Any, Any],
        copies: tuple[Tensor, Tensor],
    ):
        self._lane = lane
        self._frames = frames
        self.state = state
        self._events = events
        self._copies = copies
        self.pixels: Tensor | None = None  # as uint8 on the host, once the frames have been given

    def start(self):
        """Waits until the decode can begin: its latents are finished."""
        self._events[0].synchronize()

    def frames(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """Waits for the frames and no other work: where they were made, and on `device`."""
        lane = self._lane
        self._events[2].synchronize()
        self._frames.record_stream(lane._cuda.current_stream(lane._device))
        there, self.pixels = self._copies
        return self._frames, there if device.type == "cpu" else self._frames.to(device)

    @property
    def seconds(self) -> float:
        """What the decoding took, once its frames have been given."""
        start, end, _ = self._events
        return start.elapsed_time(end) / 1000


class ThreadDecoder:
    """A thread of its own, one decode after another. While it lives, the threads that torch computes with are
    divided between the two: on a machine that does something else as well, a pool of as many threads as there
    are cores waits for its slowest at every operation.
    """

    overlaps = True

    def __init__(self):
        self._all = torch.get_num_threads()
        half = max(1, self._all // 2)
        self._thread = ThreadPoolExecutor(1, "motionstream-decode", torch.set_num_threads, (half,))
        torch.set_num_threads(max(1, self._all - half))

    def begin(self, latents: Tensor, work: Work) -> Awaited:
        """Begins `work` as soon as the decodes before it are done. Comes back at once."""
        return Awaited(self._thread.submit(_without_gradients, work, torch.is_inference_mode_enabled()))

    def close(self):
        """Waits for what is on its way, ends the thread and gives the threads back."""
        self._thread.shutdown(cancel_futures=True)
        torch.set_num_threads(self._all)


class Awaited:
    """Frames that a thread is making. What it raises is raised where they are asked for."""

    pixels: Tensor | None = None

    def __init__(self, made: Future[Decoded]):
        self._made = made

    @property
    def known(self) -> bool:
        return self._made.done()

    @property
    def state(self) -> CodecState:
        """The codec's state behind the frames. Waits for it."""
        return self._made.result().state

    @property
    def seconds(self) -> float:
        return self._made.result().seconds

    def start(self):
        """The latents that a thread is given are finished."""

    def frames(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """Waits for the frames: where they were made, and on `device`."""
        return self._made.result().frames(device)


def _without_gradients(work: Work, inference: bool) -> Decoded:
    """`work` in the mode of the thread that asked for it: the modes of torch are a thread's own."""
    with torch.inference_mode() if inference else torch.no_grad():
        return InlineDecoder().begin(torch.empty(0), work)


Decoder = InlineDecoder | CudaDecoder | ThreadDecoder
DecodeFuture = Decoded | Finishing | Awaited


def overlaps_decode(device: torch.device, asked: bool | None, light: bool) -> bool:
    """Whether frames of networks on `device` are decoded while the next chunk is made.

    Args:
        device: of the networks.
        asked: what the options say. None: on a CUDA device, and on a CPU where torch has threads for both and
            the networks are light.
        light: whether decoding is no small part of the work.
    """
    if asked is None:
        return device.type == "cuda" or (device.type == "cpu" and light and torch.get_num_threads() > 1)
    return asked and device.type in ("cpu", "cuda")


def open_decoder(device: torch.device, overlap: bool | None = None, light: bool = False) -> Decoder:
    """Where they are decoded. Close it: it may hold threads."""
    if not overlaps_decode(device, overlap, light):
        return InlineDecoder()
    return CudaDecoder(device) if device.type == "cuda" else ThreadDecoder()
