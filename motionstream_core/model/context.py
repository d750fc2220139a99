"""What the frames of one forward attend to.

Owns which keys a query sees, their rotary slots, the attention backend, and what is written into a cache.
Knows nothing of blocks, texts or noise.

A network asks a context and nothing else, so another kind of attention is another class in this file:
- FullContext: all frames of the forward see each other (a bidirectional teacher, text-to-video).
- WindowContext: they see each other in 3-D windows, every second time shifted (StreamDiT).
- RollingContext: a chunk sees a rolling cache's sink and window, and itself (MotionStream).
- GradRollingContext: the same for training, on a cache that gradients flow through.

Shapes: q, k, v (B, L, D) before rotation, L = frames x tokens of a frame, D = heads x head_dim.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from .attention import Backend, attend
from .cache import GradKVCache, KVCache
from .config import NetworkConfig
from .rope import Rope
from .windows import Size, TokenOrder, major_of, token_order, windows_of_layer


class AttentionContext(Protocol):
    """The context of one forward. A forward calls `begin`, `attend` in every block, then `end`."""

    @property
    def backend(self) -> Backend:
        """The attention to the text."""
        ...

    @property
    def order(self) -> TokenOrder | None:
        """The order of the tokens in this forward, known once it has begun. None: frame by frame."""
        ...

    @property
    def output(self) -> bool:
        """Whether the network's output is wanted. Without it the last block ends once `store` is done."""
        ...

    def begin(self, config: NetworkConfig, frames: int, grid: tuple[int, int], device: torch.device) -> None:
        """Before the first block of a forward of so many frames on a token grid."""
        ...

    def attend(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """The self attention of a layer -> (B, L, D)."""
        ...

    def store(self, layer: int, k: Tensor, v: Tensor) -> None:
        """The keys and values of a layer that attends to nothing any more."""
        ...

    def end(self, frames: int) -> None:
        """After the last block."""
        ...

    def stored(self, layer: int) -> tuple[Tensor, ...]:
        """What the forward has left of a layer that gradients may come back through."""
        ...

    def frozen(self) -> AttentionContext:
        """The context as it is now, for a second computation of a block in the backward pass."""
        ...


class FullContext:
    """All frames of the forward see each other."""

    output = True
    order: TokenOrder | None = None

    def __init__(self, backend: Backend = "sdpa"):
        self.backend = backend
        self._places: Tensor | None = None  # the order of the tokens, on the CPU where tables are made
        self._rope: Rope | None = None

    def begin(self, config: NetworkConfig, frames: int, grid: tuple[int, int], device: torch.device) -> None:
        self._heads = config.num_heads
        self._slots = tuple(range(frames))
        order = self._places
        rope = self._rope
        # Its tables are kept from one forward to the next: a stream's are all of one size.
        if rope is None or not rope.serves(config.head_dim, grid, device, order):
            self._rope = Rope(config.head_dim, grid, device, order)

    def attend(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        assert self._rope is not None
        k = self._rope.rotate(k, self._slots)
        return attend(self._rope.rotate(q, self._slots), k, v, self._heads, self._backend_of(layer))

    def _backend_of(self, layer: int) -> Backend:
        return self.backend

    def store(self, layer: int, k: Tensor, v: Tensor) -> None:
        raise ValueError("context: expected a cache to write into, got none")

    def end(self, frames: int) -> None:
        """No-op: nothing is kept."""

    def stored(self, layer: int) -> tuple[Tensor, ...]:
        return ()

    def frozen(self) -> FullContext:
        return self


class WindowContext(FullContext):
    """All frames see each other within 3-D windows of tokens. `backend` is the attention to the text.

    Args:
        windows: shapes in tokens, in turn by layer. A shape is shifted every second time it comes.
        wrap: whether tokens that meet across an edge of the video in a shifted window see each other.
        backend: attention to the text.
    """

    def __init__(self, windows: tuple[Size, ...], wrap: bool = False, backend: Backend = "sdpa"):
        super().__init__(backend)
        self._windows = windows
        self._wrap = wrap

    def begin(self, config: NetworkConfig, frames: int, grid: tuple[int, int], device: torch.device) -> None:
        self._video = (frames, *grid)
        self._major = major_of(self._video, self._windows, device)
        if self._major is not None:
            self.order = token_order(self._video, self._major, device)
            self._places = token_order(self._video, self._major).order
        else:
            self.order = self._places = None
        super().begin(config, frames, grid, device)

    def _backend_of(self, layer: int) -> Backend:
        return windows_of_layer(layer, self._windows, self._video, self._wrap, self._major)


@dataclass
class RollingContext:
    """A chunk sees the cache's sink and window, and itself.

    Args:
        cache: the rolling cache.
        write: the clean-context pass: the chunk's keys and values become context for the chunks that follow.
        output: whether the network's output is wanted. It must be, without `write`.
        backend: the attention, to the cache and to the text.
    """

    cache: KVCache | GradKVCache
    write: bool = False
    output: bool = True
    backend: Backend = "sdpa"

    @property
    def order(self) -> TokenOrder | None:
        """None: the cache's frames follow each other."""
        return None

    def __post_init__(self):
        if not (self.output or self.write):
            raise ValueError("output: expected one from a forward that writes nothing, got none asked for")

    def begin(self, config: NetworkConfig, frames: int, grid: tuple[int, int], device: torch.device) -> None:
        if self.cache.rope.grid != grid:
            raise ValueError(f"x: expected a token grid of {self.cache.rope.grid} (the cache's), got {grid}")
        self._heads = config.num_heads
        self._slots = self.cache.slots(frames)

    def attend(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        # The slot is the rotary index. The cache rotates the chunk's keys itself and keeps them in order.
        k, v = self.cache.extend(layer, k, v, self.write)
        return attend(self.cache.rope.rotate(q, self._slots), k, v, self._heads, self.backend)

    def store(self, layer: int, k: Tensor, v: Tensor) -> None:
        self.cache.extend(layer, k, v, self.write)

    def end(self, frames: int) -> None:
        if self.write:
            self.cache.advance(frames)

    def stored(self, layer: int) -> tuple[Tensor, ...]:
        return ()

    def frozen(self) -> RollingContext:
        return self


@dataclass
class GradRollingContext(RollingContext):
    """A RollingContext that gradients flow through."""

    cache: GradKVCache

    def stored(self, layer: int) -> tuple[Tensor, ...]:
        return self.cache.committed(layer) if self.write else ()

    def frozen(self) -> GradRollingContext:
        # By the backward pass the cache has gone on. Its copy is what the block saw.
        other = copy(self)
        other.cache = self.cache.copy()
        return other


def rolling_context(
    cache: KVCache | GradKVCache, *, write: bool = False, output: bool = True, backend: Backend = "sdpa"
) -> RollingContext:
    """The context over a cache of either kind."""
    if isinstance(cache, GradKVCache):
        return GradRollingContext(cache, write, output, backend)
    return RollingContext(cache, write, output, backend)


def bidirectional_context(config: NetworkConfig, backend: Backend = "sdpa") -> FullContext:
    """The context without a cache that the network was made for: windows where it has some."""
    if config.windows is None:
        return FullContext(backend)
    return WindowContext(config.windows, config.wrap, backend)
