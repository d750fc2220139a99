"""Attention behind one function. Knows nothing of positions or caches.

q (B, Lq, D), k and v (B, Lk, D) in, (B, Lq, D) out, D = heads x head_dim, no mask: what a query may see is decided by what it is given.
"""

from collections.abc import Callable
from functools import cache
from importlib.util import find_spec

import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

AttentionFunction = Callable[[Tensor, Tensor, Tensor, int], Tensor]
Backend = str | AttentionFunction


def sdpa(q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
    """PyTorch's scaled dot product attention."""
    q, k, v = (x.unflatten(-1, (heads, -1)).transpose(1, 2) for x in (q, k, v))
    return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)


def xformers(q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
    """xformers' memory efficient attention."""
    from xformers.ops import memory_efficient_attention

    q, k, v = (rearrange(x, "b l (h d) -> b l h d", h=heads).contiguous() for x in (q, k, v))
    return rearrange(memory_efficient_attention(q, k, v), "b l h d -> b l (h d)")


BACKENDS: dict[str, AttentionFunction] = {"sdpa": sdpa, "xformers": xformers}


@cache
def available_backends() -> tuple[str, ...]:
    """The named backends that can be used here."""
    return ("sdpa", "xformers") if find_spec("xformers") else ("sdpa",)


def attend(q: Tensor, k: Tensor, v: Tensor, heads: int, backend: Backend = "sdpa") -> Tensor:
    """Attention by a named backend, or by a callable (q, k, v, heads) -> (B, Lq, D) such as a host's own."""
    if callable(backend):
        return backend(q, k, v, heads)
    if backend not in available_backends():
        raise ValueError(f"attention backend: expected one of {available_backends()} or a callable, got {backend!r}")
    return BACKENDS[backend](q, k, v, heads)
