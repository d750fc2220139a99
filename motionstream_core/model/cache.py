"""The rolling KV cache: what of the past a chunk may see, written cXsYwZ (chunk, sink, window in latent
frames).

Owns which latent frames are kept and in which slot they sit. The first `sink` frames ever committed stay for
ever, then come the last `window` frames beyond them, then the chunk in work. The rotary index of a frame is
its slot: sink keys are stored rotated, window keys unrotated and turned again when an eviction moves them. No
masks, counters are Python ints (MotionStream, section 3.3).

Shapes: k and v (B, frames x tokens_per_frame, D), keys before rotation. The same four calls on both caches:
    slots(frames)                 the slots of a chunk that would come next
    extend(layer, k, v, commit)   kept keys (rotated) and values followed by the chunk's. With commit the
    chunk is remembered
    advance(frames)               after a committed forward: the chunk becomes context, what falls out of the
    window is forgotten
    reset()                       forget everything
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy as shallow_copy
from dataclasses import dataclass

import torch
from torch import Tensor

from .rope import Rope


@dataclass(frozen=True)
class CacheShape:
    """Chunk, sink and window in latent frames."""

    chunk: int
    sink: int
    window: int

    def __post_init__(self):
        if self.chunk < 1 or self.sink < 0 or self.window < 0:
            raise ValueError(f"cache: expected chunk >= 1, sink >= 0 and window >= 0, got {self.label}")

    @property
    def label(self) -> str:
        return f"c{self.chunk}s{self.sink}w{self.window}"

    @property
    def frames(self) -> int:
        """Latent frames seen at once in the steady state: sink, window and the chunk in work."""
        return self.sink + self.window + self.chunk

    def kv_bytes(self, tokens: int, dim: int, layers: int, itemsize: int) -> int:
        """Bytes of a `KVCache`: rotated keys and values of all frames, plain keys of window and chunk.

        Args:
            tokens: of a latent frame.
            dim: width of the keys.
            layers: of the network.
            itemsize: bytes of a number.
        """
        frames = 2 * self.frames + self.window + self.chunk
        return frames * tokens * dim * layers * itemsize

    @classmethod
    def parse(cls, label: str) -> "CacheShape":
        """ "c3s1w3" -> CacheShape(3, 1, 3)."""
        match = re.fullmatch(r"c(\d+)s(\d+)w(\d+)", label)
        if match is None:
            raise ValueError(f"cache: expected a label such as 'c3s1w3', got {label!r}")
        return cls(*map(int, match.groups()))


class _Counters:
    """Which frames are kept: the part both caches share. Frames are counted from the first one committed
    since the reset.

    at_once: whether a forward may fill every free slot, as when what is kept is made again in one piece.
    """

    at_once = False

    def __init__(self, shape: CacheShape, layers: int, rope: Rope):
        self.shape = shape
        self.layers = layers
        self.rope = rope
        self.tokens = rope.tokens_per_frame
        self.reset()

    def reset(self):
        self.total = 0
        self.in_sink = 0
        self.in_window = 0

    @contextmanager
    def rewriting(self, total: int, *, at_once: bool = False) -> Iterator[None]:
        """While frames that were seen before are written again. Afterwards `total` frames have been seen.
        at_once: a forward may fill every free slot.
        """
        self.at_once = at_once
        try:
            yield
        finally:
            self.at_once = False
        self.total = total

    @property
    def filled(self) -> int:
        return self.in_sink + self.in_window

    def slots(self, frames: int) -> tuple[int, ...]:
        """Slots of the next `frames` latent frames. ValueError beyond one chunk, or beyond the free slots
        where more is committed at once.
        """
        most = max(self.shape.chunk, self.shape.frames - self.filled) if self.at_once else self.shape.chunk
        if not 1 <= frames <= most:
            raise ValueError(f"chunk: expected 1 to {most} latent frames ({self.shape.label}), got {frames}")
        return tuple(range(self.filled, self.filled + frames))

    def _count(self, frames: int) -> int:
        """Counts `frames` new frames in and returns how many leave the window."""
        to_sink = min(frames, self.shape.sink - self.in_sink)
        window = self.in_window + frames - to_sink
        evicted = max(0, window - self.shape.window)
        self.total += frames
        self.in_sink += to_sink
        self.in_window = window - evicted
        return evicted

    def _window_slots(self) -> tuple[int, ...]:
        return tuple(range(self.shape.sink, self.shape.sink + self.in_window))


@dataclass(frozen=True)
class CacheSnapshot:
    """What a KVCache held: its counters, and copies of the kept keys and values of every layer."""

    counters: tuple[int, int, int]
    kept: tuple[tuple[Tensor, ...], ...]

    @property
    def nbytes(self) -> int:
        return sum(x.nbytes for layer in self.kept for x in layer)


class KVCache(_Counters):
    """For inference: every buffer is allocated here, once. A forward writes its chunk behind the kept frames
    and reads a view.

    Three buffers a layer: keys as attention reads them (rotated) and values, both for sink + window + chunk
    frames, and the unrotated keys of window + chunk frames. An eviction shifts in place and turns the
    window's keys to their new slots.
    """

    def __init__(
        self,
        shape: CacheShape,
        layers: int,
        dim: int,
        rope: Rope,
        *,
        batch: int = 1,
        dtype: torch.dtype = torch.float32,
    ):
        super().__init__(shape, layers, rope)

        def buffers(frames: int) -> list[Tensor]:
            return [
                torch.zeros(batch, frames * self.tokens, dim, dtype=dtype, device=rope.device)
                for _ in range(layers)
            ]

        self._bytes_of_token = batch * dim * dtype.itemsize * layers
        self._rotated = buffers(shape.frames)
        self._values = buffers(shape.frames)
        self._window_keys = buffers(shape.window + shape.chunk)

    @property
    def nbytes(self) -> int:
        """Memory of all buffers in bytes: constant for the life of the cache."""
        return sum(x.nbytes for group in (self._rotated, self._values, self._window_keys) for x in group)

    @property
    def kept_bytes(self) -> int:
        """What a snapshot takes now."""
        return (2 * self.filled + self.in_window) * self.tokens * self._bytes_of_token

    def extend(self, layer: int, k: Tensor, v: Tensor, commit: bool = False) -> tuple[Tensor, Tensor]:
        if torch.is_grad_enabled() and (k.requires_grad or v.requires_grad):
            raise ValueError(
                "KVCache: expected a forward without gradients, got keys that require grad (use "
                "GradKVCache to train)"
            )
        keys, values, window_keys = self._rotated[layer], self._values[layer], self._window_keys[layer]
        start, end = self.filled * self.tokens, self.filled * self.tokens + k.shape[1]
        keys[:, start:end] = self.rope.rotate(k, self.slots(k.shape[1] // self.tokens))
        values[:, start:end] = v
        if commit:
            sink_end = self.shape.sink * self.tokens
            skip = min(max(0, sink_end - start), k.shape[1])
            window_keys[:, max(0, start - sink_end) : max(0, end - sink_end)] = k[:, skip:]
        return keys[:, :end], values[:, :end]

    def forget_window(self):
        """The sink alone is kept."""
        self.total, self.in_window = self.in_sink, 0

    def advance(self, frames: int):
        evicted = self._count(frames)
        if not evicted:
            return
        sink_end, kept = self.shape.sink * self.tokens, self.in_window * self.tokens
        for layer in range(self.layers):
            _shift_left(self._values[layer][:, sink_end:], kept, evicted * self.tokens)
            _shift_left(self._window_keys[layer], kept, evicted * self.tokens)
            if kept:
                turned = self.rope.rotate(self._window_keys[layer][:, :kept], self._window_slots())
                self._rotated[layer][:, sink_end : sink_end + kept] = turned

    def snapshot(self) -> CacheSnapshot:
        """A copy of what is kept, to go back to."""
        kept, window = self.filled * self.tokens, self.in_window * self.tokens
        ends = (kept, kept, window)
        layers = zip(self._rotated, self._values, self._window_keys)
        return CacheSnapshot(
            (self.total, self.in_sink, self.in_window),
            tuple(tuple(x[:, :end].clone() for x, end in zip(layer, ends)) for layer in layers),
        )

    def restore(self, snapshot: CacheSnapshot):
        """Back to what was kept then. Nothing is allocated."""
        self.total, self.in_sink, self.in_window = snapshot.counters
        for layer, kept in zip(zip(self._rotated, self._values, self._window_keys), snapshot.kept):
            for buffer, copy in zip(layer, kept):
                buffer[:, : copy.shape[1]] = copy


def _shift_left(buffer: Tensor, length: int, by: int):
    """buffer[:, :length] = buffer[:, by : by + length], in place, in pieces that do not overlap."""
    for start in range(0, length, by):
        size = min(by, length - start)
        buffer[:, start : start + size] = buffer[:, start + by : start + by + size]


class GradKVCache(_Counters):
    """For training: nothing is written in place, so gradients flow through committed keys and values unless
    `detached`.
    """

    def __init__(self, shape: CacheShape, layers: int, rope: Rope, *, detached: bool = False):
        self.detached = detached
        super().__init__(shape, layers, rope)

    def reset(self):
        super().reset()
        self._sink: dict[int, tuple[Tensor, Tensor]] = {}
        self._window: dict[int, tuple[Tensor, Tensor, Tensor]] = {}
        self._pending: dict[int, tuple[Tensor, Tensor, Tensor]] = {}

    def extend(self, layer: int, k: Tensor, v: Tensor, commit: bool = False) -> tuple[Tensor, Tensor]:
        rotated = self.rope.rotate(k, self.slots(k.shape[1] // self.tokens))
        if commit:
            kept = (rotated, k, v)
            self._pending[layer] = (rotated.detach(), k.detach(), v.detach()) if self.detached else kept
        parts = [held[layer] for held in (self._sink, self._window) if layer in held]
        keys = torch.cat([*(part[0] for part in parts), rotated], dim=1)
        values = torch.cat([*(part[-1] for part in parts), v], dim=1)
        return keys, values

    def committed(self, layer: int) -> tuple[Tensor, ...]:
        """What a forward that commits has left for a layer, until `advance`."""
        return self._pending.get(layer, ())

    def copy(self) -> "GradKVCache":
        """The same keys and values in a cache that goes its own way."""
        other = shallow_copy(self)
        other._sink, other._window, other._pending = dict(self._sink), dict(self._window), dict(self._pending)
        return other

    def advance(self, frames: int):
        sink_tokens = min(frames, self.shape.sink - self.in_sink) * self.tokens
        self._count(frames)
        for layer, (rotated, k, v) in self._pending.items():
            if sink_tokens:
                new = (rotated[:, :sink_tokens], v[:, :sink_tokens])
                self._sink[layer] = _append(self._sink.get(layer), new)
            if self.in_window:
                _, old_k, old_v = self._window.get(layer, (None, k[:, :0], v[:, :0]))
                kept = self.in_window * self.tokens
                k = torch.cat([old_k, k[:, sink_tokens:]], dim=1)[:, -kept:]
                v = torch.cat([old_v, v[:, sink_tokens:]], dim=1)[:, -kept:]
                self._window[layer] = (self.rope.rotate(k, self._window_slots()), k, v)
        self._pending = {}


def _append(old: tuple[Tensor, Tensor] | None, new: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    if old is None:
        return new
    return torch.cat([old[0], new[0]], dim=1), torch.cat([old[1], new[1]], dim=1)
