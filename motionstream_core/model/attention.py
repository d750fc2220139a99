"""Attention behind one function. Knows nothing of positions or caches.

q (B, Lq, D), k and v (B, Lk, D) in, (B, Lq, D) out, D = heads x head_dim, no mask: what a query may see is
decided by what it is given.
"""

from collections.abc import Callable
from functools import cache
from importlib.util import find_spec

import torch
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


def sage(q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
    """SageAttention: keys and queries in eight bits. Ask `check_backend` first."""
    from sageattention import sageattn

    q, k, v = (rearrange(x, "b l (h d) -> b l h d", h=heads) for x in (q, k, v))
    return rearrange(sageattn(q, k, v, tensor_layout="NHD"), "b l h d -> b l (h d)")


BACKENDS: dict[str, AttentionFunction] = {"sdpa": sdpa, "xformers": xformers, "sage": sage}
PACKAGES = {"xformers": "xformers", "sage": "sageattention"}
MOST_ERROR = 0.02  # of the spread of the plain answer, on average


@cache
def available_backends() -> tuple[str, ...]:
    """The named backends that can be used here."""
    return tuple(name for name in BACKENDS if name not in PACKAGES or find_spec(PACKAGES[name]))


def check_backend(
    backend: Backend, heads: int, head_dim: int, device: torch.device, dtype: torch.dtype, tokens: int = 256
) -> float:
    """How far a backend's answer is from the plain one's on random values, as a share of its spread.
    ValueError where that is too far.

    The values are of the size that normalised queries and keys have. One answer for a device and a dtype is
    enough, before a stream.

    Args:
        backend: the backend in question.
        heads: of the network.
        head_dim: width of a head.
        device: where the network runs.
        dtype: of keys and queries.
        tokens: how many are compared.
    """
    rng = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(1, tokens, heads * head_dim, generator=rng).to(device, dtype) for _ in range(3))
    plain = sdpa(q, k, v, heads).float()
    error = float((attend(q, k, v, heads, backend).float() - plain).abs().mean() / plain.std())
    if not error <= MOST_ERROR:
        raise ValueError(
            f"attention backend: expected an error of at most {MOST_ERROR} of the plain answer's spread on "
            f"{device}, got {error:.3g} from {backend!r}"
        )
    return error


def attend(q: Tensor, k: Tensor, v: Tensor, heads: int, backend: Backend = "sdpa") -> Tensor:
    """Attention by a named backend, or by a callable (q, k, v, heads) -> (B, Lq, D) such as a host's own.

    Args:
        q: (B, Lq, D).
        k: (B, Lk, D).
        v: (B, Lk, D).
        heads: of the network.
        backend: a name, or the callable.
    """
    if callable(backend):
        return backend(q, k, v, heads)
    if backend not in available_backends():
        raise ValueError(
            f"attention backend: expected one of {available_backends()} or a callable, got {backend!r}"
        )
    return BACKENDS[backend](q, k, v, heads)
