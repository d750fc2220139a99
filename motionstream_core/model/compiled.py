"""Faster forwards behind one switch, each beside its plain twin, the eager forward: in eight bits, compiled,
a captured CUDA graph.

Owns when the fast path may be taken: in the steady state alone, where every shape and slot is the same from
chunk to chunk. Until then, and while the fast path is being made, the plain twin answers. A fast path whose
output is not the plain twin's is never taken, and `state` says why.
Knows nothing of noise, chunks or latents. A FastDiT is to a rollout what a WanDiT is.
"""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor

from .attention import Backend
from .blockwise import BlockwiseDiT
from .cache import KVCache
from .context import AttentionContext, RollingContext
from .dit import TextContext, WanDiT
from .fp8 import Fp8DiT

MODES = ("off", "compile", "graphs", "fp8", "fp8+compile", "fp8+graphs")
TOLERANCE = {
    torch.float32: 1e-3,
    torch.bfloat16: 3e-2,
    torch.float16: 1e-2,
}  # of the plain output's standard deviation, on average
EIGHT_BITS_TOLERANCE = 3e-2
Forward = Callable[..., Tensor]


def accelerate(dit: Any, mode: str, backend: Any = "inductor") -> Any:
    """`dit` itself (off), or a FastDiT around it. ValueError for an unknown way, for graphs off a CUDA
    device, or for fp8 where there is none.
    """
    if mode not in MODES:
        raise ValueError(f"fast: expected one of {', '.join(MODES)}, got {mode!r}")
    if mode == "off":
        return dit
    eight_bits, then = mode.startswith("fp8"), mode.removeprefix("fp8").lstrip("+")
    if then == "graphs" and dit.device.type != "cuda":
        raise ValueError(f"fast: expected a CUDA device for graphs, got {dit.device}")
    source = Fp8DiT(dit) if eight_bits else dit
    if then == "compile":
        return FastDiT(dit, Compiled(dit, source, backend))
    return FastDiT(dit, Graphed(dit, source) if then == "graphs" else Direct(dit, source))


def is_cache_full(cache: KVCache | None, frames: int) -> bool:
    """Whether sink and window are full: from here on a forward of a whole chunk always has the same shapes
    and slots.
    """
    if not isinstance(cache, KVCache) or torch.is_grad_enabled():
        return False
    return (cache.in_sink, cache.in_window, frames) == (
        cache.shape.sink,
        cache.shape.window,
        cache.shape.chunk,
    )


class FastDiT:
    """The calls of WanDiT. state: what the fast path is doing, in a word. "plain" before the steady
    state.
    """

    def __init__(self, dit: Any, mode: Direct | Compiled | Graphed):
        self.plain, self.mode = dit, mode
        self.config = dit.config

    @property
    def dtype(self) -> torch.dtype:
        return self.plain.dtype

    @property
    def device(self) -> torch.device:
        return self.plain.device

    @property
    def state(self) -> str:
        return self.mode.state

    def make_cache(self, *args, **more) -> KVCache:
        """See WanDiT.make_cache. A stream begins: what was captured for the one before is let go first."""
        if isinstance(self.mode, Graphed):
            self.mode.forget()
        return self.plain.make_cache(*args, **more)

    def encode_text(self, embeds: Tensor) -> TextContext:
        return self.plain.encode_text(embeds)

    def __call__(
        self, x: Tensor, timestep: Tensor, text: TextContext, context: AttentionContext | None = None
    ) -> Tensor:
        """See WanDiT.forward."""
        if isinstance(context, RollingContext) and isinstance(context.cache, KVCache):
            if is_cache_full(context.cache, x.shape[2]):
                if not context.write:
                    made = self.mode(x, timestep, text, context.cache, context.backend)
                elif isinstance(self.mode, Compiled):
                    made = self.mode.commit(x, timestep, text, context)
                else:
                    made = None  # the clean-context pass moves the cache
                if made is not None:
                    return made
        return self.plain(x, timestep, text, context)


class Direct:
    """Another forward as it is, once its output has been held against the plain one's."""

    def __init__(self, dit: Any, source: Any):
        self._plain, self._fast, self._most = (
            _reading(dit),
            _reading(source),
            most_error(source),
        )
        self._key: tuple | None = None
        self.state = "plain"

    def __call__(
        self, x: Tensor, timestep: Tensor, text: TextContext, cache: KVCache, attention: Backend
    ) -> Tensor | None:
        key = _key_of(x, text, cache, attention)
        if self._key != key:
            made, plain = (
                forward(x, timestep, text, cache, attention) for forward in (self._fast, self._plain)
            )
            self._key, self.state = key, compare_outputs(made, plain, self._most)
            return plain
        return self._fast(x, timestep, text, cache, attention) if self.state == "fast" else None


class Compiled:
    """torch.compile, made in a thread of its own on copies while the plain forward streams on, swapped in
    when it is ready and right.

    Of our own networks one block is compiled and serves all of them and the clean-context pass too. A host's
    network is compiled whole, and its clean-context pass stays plain. On a CUDA device the thread also has a
    queue of its own. Other shapes are compiled anew.
    """

    def __init__(self, dit: Any, source: Any, backend: Any = "inductor"):
        self._plain = dit
        self._most = most_error(source)
        self._blocks = BlockwiseDiT(source, backend) if isinstance(source, (WanDiT, Fp8DiT)) else None
        self._compiled: Forward = (
            torch.compile(_reading(source), backend=backend, dynamic=False)
            if self._blocks is None
            else _reading(self._blocks)
        )
        self._asked: tuple | None = None  # what was compiled last, or is being compiled
        self._ready: tuple | None = None
        self._thread: threading.Thread | None = None
        self.state = "plain"

    def __call__(
        self, x: Tensor, timestep: Tensor, text: TextContext, cache: KVCache, attention: Backend
    ) -> Tensor | None:
        key = _key_of(x, text, cache, attention)
        if self._ready == key:
            return self._compiled(x, timestep, text, cache, attention)
        if self._asked != key and (self._thread is None or not self._thread.is_alive()):
            self._asked, self._ready, self.state = key, None, "compiling"
            cache.rope.table(
                cache.slots(x.shape[2])
            )  # before the copy: what the compiler sees of the memo is what it will find in the stream
            arguments = (x.clone(), timestep.clone(), text, copy_cache(cache), attention)
            queue = _queue_behind(x.device)
            self._thread = threading.Thread(
                target=self._make, args=(key, arguments, queue), daemon=True, name="motionstream-compile"
            )
            self._thread.start()
            # An interpreter that ends while C++ runs in this thread aborts.
            atexit.register(self._thread.join)
        return None

    def commit(
        self, x: Tensor, timestep: Tensor, text: TextContext, context: RollingContext
    ) -> Tensor | None:
        """The clean-context pass by the same blocks. None until they are ready."""
        cache = context.cache
        assert isinstance(cache, KVCache)
        if self._blocks is None or self._ready != _key_of(x, text, cache, context.backend):
            return None
        return self._blocks(x, timestep, text, context)

    def join(self, seconds: float | None = None) -> None:
        """Waits for what is being made."""
        if self._thread is not None:
            self._thread.join(seconds)

    def _make(self, key: tuple, arguments: tuple, queue: Any) -> None:
        with _inside(queue), torch.no_grad():
            try:
                made, plain = self._compiled(*arguments), _reading(self._plain)(*arguments)
                state = compare_outputs(made, plain, self._most)
                if state == "fast" and self._blocks is not None:
                    state = self._compare_commits(*arguments)
            # A compiler may fail in any way; the stream goes on with the plain forward, and says so
            except Exception as error:
                state = f"plain: the compiler failed: {type(error).__name__}: {error}"
        if queue is not None:
            queue.synchronize()  # before the copies are let go, whose memory is the stream's
        self._ready = key if state == "fast" else None
        self.state = state
        atexit.unregister(threading.current_thread().join)

    def _compare_commits(
        self, x: Tensor, timestep: Tensor, text: TextContext, cache: KVCache, attention: Backend
    ) -> str:
        """Whether the clean-context pass leaves the keys and values of the plain one in the last layer.

        Args:
            x: latents of a chunk.
            timestep: of them.
            text: of the chunk.
            cache: a copy, which stays at its place.
            attention: the backend.
        """
        left = []
        for forward in (self._blocks, self._plain):
            assert forward is not None
            forward(x, timestep, text, Rehearsal(cache, write=True, output=False, backend=attention))
            kept = (cache._rotated[-1], cache._values[-1], cache._window_keys[-1])
            left.append([buffer.clone() for buffer in kept])
        states = [compare_outputs(made, plain, self._most) for made, plain in zip(*left)]
        return next((state for state in states if state != "fast"), "fast")


class Rehearsal(RollingContext):
    """A clean-context pass after which the cache's frames stay where they are."""

    def end(self, frames: int) -> None:
        """No-op: nothing is evicted."""


class Graphed:
    """A CUDA graph of a steady forward, captured once for a cache and replayed on the same buffers. Another
    text is copied into them.

    All that a graph reads stays where it was: the cache moves its frames in place and is in the steady state
    at every replay, weights and rotary tables are the network's, the rest are copies of its own. The
    clean-context pass stays plain: it moves the cache's counters, which are the host's.
    """

    def __init__(self, dit: Any, source: Any):
        self._plain, self._fast, self._most = (
            _reading(dit),
            _reading(source),
            most_error(source),
        )
        self._graph: Any = None
        self.forget()

    def forget(self) -> None:
        """Lets go of the graph and of all that it belongs to."""
        self._graph = None
        self._out: Tensor | None = None
        self._inputs: tuple[Tensor, Tensor, TextContext] | None = None
        self._cache: KVCache | None = None
        self._key: tuple | None = None
        self._shown: TextContext | None = None  # the text whose copy the buffers hold
        self.state = "plain"

    def __call__(
        self, x: Tensor, timestep: Tensor, text: TextContext, cache: KVCache, attention: Backend
    ) -> Tensor | None:
        key = (*_key_of(x, text, cache, attention), len(text.image))
        if self._cache is not cache or self._key != key:
            self.forget()
            self._cache, self._key = cache, key
            self._capture(x, timestep, text, cache, attention)
        if self.state != "fast" or self._inputs is None or self._out is None:
            return None
        own_x, own_timestep, own_text = self._inputs
        own_x.copy_(x)
        own_timestep.copy_(timestep)
        if self._shown is not text:
            for own, new in zip(own_text.tensors, text.tensors):
                own.copy_(new)
            self._shown = text
        self._graph.replay()
        return self._out.clone()

    def _capture(
        self, x: Tensor, timestep: Tensor, text: TextContext, cache: KVCache, attention: Backend
    ) -> None:
        self._inputs, self._shown = (x.clone(), timestep.clone(), text.map(Tensor.clone)), text
        arguments = (*self._inputs, cache, attention)
        try:
            queue = _queue_behind(x.device)
            with _inside(
                queue
            ):  # warm: libraries pick their kernels and work spaces, and the rotary tables are made
                plain = self._plain(*arguments)
                self._fast(*arguments)
            torch.cuda.current_stream(x.device).wait_stream(queue)
            self._graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(
                self._graph, capture_error_mode="thread_local"
            ):  # other threads of a host may use the device meanwhile
                self._out = self._fast(*arguments)
            self._graph.replay()
            self.state = compare_outputs(self._out, plain, self._most)
        # A capture may fail in any way; the stream goes on with the plain forward, and says so
        except Exception as error:
            self._graph, self._out, self._inputs = None, None, None
            self.state = f"plain: the capture failed: {type(error).__name__}: {error}"


def _queue_behind(device: torch.device) -> Any:
    """A queue of its own on a CUDA device, behind all that the caller's has been given. Elsewhere None."""
    if device.type != "cuda":
        return None
    queue = torch.cuda.Stream(device)
    queue.wait_stream(torch.cuda.current_stream(device))
    return queue


def _inside(queue: Any) -> Any:
    return nullcontext() if queue is None else torch.cuda.stream(queue)


def most_error(source: Any) -> float | None:
    """How far the output of this forward may be from the plain one's. None: TOLERANCE."""
    return EIGHT_BITS_TOLERANCE if isinstance(source, Fp8DiT) else None


def compare_outputs(made: Tensor, plain: Tensor, most: float | None = None) -> str:
    """ "fast" where the fast output is the plain one's within `most`, or TOLERANCE, of its spread on average.
    Otherwise words.
    """
    scale = plain.float().std().clamp(min=1e-6)
    error = float((made.float() - plain.float()).abs().mean() / scale)
    return (
        "fast"
        if error <= (most or TOLERANCE.get(plain.dtype, 1e-3))
        else f"plain: the fast output was {error:.3g} of its spread away"
    )


def copy_cache(cache: KVCache) -> KVCache:
    """The same keys and values in buffers of their own, with rotary tables of their own: another thread may
    write to both.
    """
    other = KVCache(
        cache.shape,
        cache.layers,
        cache._rotated[0].shape[2],
        cache.rope.copy(),
        batch=cache._rotated[0].shape[0],
        dtype=cache._rotated[0].dtype,
    )
    other.restore(cache.snapshot())
    return other


def _key_of(x: Tensor, text: TextContext, cache: KVCache, attention: Backend) -> tuple:
    """What two forwards must share for one check to be enough."""
    return x.shape, x.dtype, cache.shape, attention, text.keys[0].shape


def _reading(dit: Any) -> Forward:
    """The forward of a chunk that only reads the cache."""

    def forward(x: Tensor, timestep: Tensor, text: TextContext, cache: KVCache, attention: Backend) -> Tensor:
        """One forward that only reads the cache.

        Args:
            x: (B, C, T, H, W) noisy latents.
            timestep: (B, T).
            text: of the chunk.
            cache: keys and values of the past.
            attention: the backend.
        """
        return dit(x, timestep, text, RollingContext(cache, backend=attention))

    return forward
