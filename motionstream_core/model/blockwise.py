"""One block compiled and used for all of them, in all four forwards of a steady chunk.

Owns the compiled function of a block: weights, cache buffers and rotary tables are its inputs, so that the
compiler traces one block and finds it again for every other, for every stream of the size and for the
clean-context pass. The rest of the forward, some fifteen kernels, stays eager.
A steady forward writes the window's unrotated keys every time. They are read once a chunk has been committed,
and the commit writes them last.

Shapes as in `dit`: h (B, T, S, D), e (B, T, 6, D), keys and values (B, L, D).
"""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from .attention import Backend, attend
from .context import AttentionContext, RollingContext
from .dit import BlockContext, WanDiT, block_forward, dit_forward
from .fp8 import Fp8DiT
from .rope import rotate
from .text_context import TextContext, WanModule

OUTSIDE = ("patch_embedding", "time_embedding", "time_projection", "head", "place_embedding")


@dataclass
class _Buffers:
    """The cache of one layer as a context: a chunk's keys and values go to `start`.

    Args:
        keys: rotated, of sink, window and chunk.
        values: of the same.
        window_keys: unrotated, of window and chunk.
        table: cosines and sines of the chunk's slots.
        start: tokens of sink and window.
        sink: tokens of the sink.
        heads: of the network.
        backend: attention.
    """

    keys: Tensor
    values: Tensor
    window_keys: Tensor
    table: tuple[Tensor, Tensor]
    start: int
    sink: int
    heads: int
    backend: Backend

    def attend(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        self.store(layer, k, v)
        end = self.start + k.shape[1]
        turned = rotate(q, self.table)
        return attend(turned, self.keys[:, :end], self.values[:, :end], self.heads, self.backend)

    def store(self, layer: int, k: Tensor, v: Tensor) -> None:
        end = self.start + k.shape[1]
        self.keys[:, self.start : end] = rotate(k, self.table)
        self.values[:, self.start : end] = v
        self.window_keys[:, self.start - self.sink : end - self.sink] = k


def steady_block(
    block: WanModule,
    h: Tensor,
    e: Tensor,
    text: tuple[Tensor, Tensor, tuple[Tensor, Tensor] | None],
    buffers: tuple[Tensor, Tensor, Tensor, tuple[Tensor, Tensor]],
    numbers: tuple[int, int, int],
    backend: Backend,
    dtype: torch.dtype,
    keys_only: bool,
) -> Tensor:
    """One block of a steady forward, of tensors and numbers alone: what is compiled.

    Args:
        block: its parameters.
        h: (B, T, S, D) float32.
        e: (B, T, 6, D) float32, the modulation.
        text: keys and values, and those of a picture.
        buffers: the layer's keys, values and window keys, and the rotary table.
        numbers: tokens of sink and window, tokens of the sink, heads.
        backend: attention.
        dtype: of the matrix products.
        keys_only: see BlockContext.
    """
    k, v, image = text
    keys, values, window_keys, table = buffers
    start, sink, heads = numbers
    context: Any = _Buffers(keys, values, window_keys, table, start, sink, heads, backend)
    return block_forward(block, h, e, k, v, BlockContext(0, heads, dtype, context, image, keys_only))


class _SteadyBlock:
    """A block whose call hands its layer's buffers of the cache to the compiled function."""

    takes_context = True

    def __init__(self, block: WanModule, compiled: Any):
        self._block = block
        self._compiled = compiled

    def __call__(
        self, h: Tensor, e: Tensor, k: Tensor, v: Tensor, within: BlockContext
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """See `Block.forward`.

        Args:
            h: (B, T, S, D) float32.
            e: (B, T, 6, D) float32.
            k: the text's keys.
            v: the text's values.
            within: its context is over a full KVCache.
        """
        context = within.context
        assert isinstance(context, RollingContext)
        cache: Any = context.cache
        layer = within.layer
        table = cache.rope.table(cache.slots(h.shape[1]))
        buffers = (cache._rotated[layer], cache._values[layer], cache._window_keys[layer], table)
        numbers = (cache.filled * cache.tokens, cache.shape.sink * cache.tokens, within.heads)
        text = (k, v, within.image)
        made = self._compiled(
            self._block, h, e, text, buffers, numbers, context.backend, within.dtype, within.keys_only
        )
        return made, ()


class BlockwiseDiT:
    """The calls of a WanDiT over a full cache, whose blocks are one compiled function. ValueError for another
    network than ours.
    """

    def __init__(self, source: Any, backend: Any = "inductor"):
        if not isinstance(source, (WanDiT, Fp8DiT)):
            raise ValueError(f"fast: expected the pack's own transformer, got {type(source).__name__}")
        net: Any = source if isinstance(source, WanDiT) else source.net
        self.config = source.config
        compiled = torch.compile(steady_block, backend=backend, dynamic=False)
        self._net = SimpleNamespace(
            blocks=[_SteadyBlock(block, compiled) for block in net.blocks],
            **{name: getattr(net, name) for name in OUTSIDE if hasattr(net, name)},
        )

    def __call__(
        self, x: Tensor, timestep: Tensor, text: TextContext, context: AttentionContext | None = None
    ) -> Tensor:
        """See WanDiT.forward."""
        return dit_forward(self._net, self.config, x, timestep, text, context)
