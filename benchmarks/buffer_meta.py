"""One evaluation of a preset on meta tensors: its FLOPs by torch's own counter, and its operations' bytes.

Nothing is computed. An operation reads its inputs and writes its outputs once, as unfused kernels do. Views
are free.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from motionstream_core.model.context import bidirectional_context
from motionstream_core.model.dit import WanDiT
from motionstream_core.model.presets import ModelConfig, preset


class Bytes(TorchDispatchMode):
    """Bytes in and out of every operation that makes a tensor of its own, products and others apart."""

    def __init__(self):
        super().__init__()
        self.products = 0
        self.others = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        ins = [x for x in tree_leaves((args, kwargs)) if isinstance(x, torch.Tensor)]
        outs = [x for x in tree_leaves(made) if isinstance(x, torch.Tensor)]
        if func.is_view or func.namespace != "aten":
            return made
        moved = sum(x.numel() * x.element_size() for x in (*ins, *outs))
        name = func.overloadpacket.__name__
        if name in ("mm", "addmm", "bmm", "baddbmm") or "attention" in name:
            self.products += moved
        elif name not in ("empty", "detach", "_unsafe_view"):
            self.others += moved
        return made


def counted(name: str, width: int, height: int) -> dict[str, int]:
    """Of one evaluation of the whole queue, weights and activations in bfloat16, the text encoded already."""
    config: ModelConfig = preset(name)
    frames = config.sampler.forward_frames
    cells = frames, height // config.vae_stride[1], width // config.vae_stride[2]
    with torch.device("meta"):
        net = WanDiT(config).bfloat16()
        x = torch.empty(1, config.in_channels, *cells)
        timestep = torch.empty(1, frames)
        text = net.encode_text(torch.empty(1, config.text_len, config.text_dim, dtype=torch.bfloat16))
    context = bidirectional_context(config)
    with torch.no_grad(), FlopCounterMode(display=False) as flops:
        net(x, timestep, text, context)
    moved = Bytes()
    with torch.no_grad(), fused_attention(moved), moved:
        net(x, timestep, text, context)
    return {
        "flops": flops.get_total_flops(),
        "product_bytes": moved.products,
        "other_bytes": moved.others,
        "parameters": sum(p.numel() for p in net.parameters()),
    }


@contextmanager
def fused_attention(moved: Bytes) -> Iterator[None]:
    """Attention that reads queries, keys and values and writes its answer, as a fused kernel does: on meta
    tensors torch would write the scores out.
    """
    usual = F.scaled_dot_product_attention

    def stand_in(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        moved.products += sum(x.numel() * x.element_size() for x in (query, key, value, query))
        return torch.empty_like(query)

    F.scaled_dot_product_attention = stand_in
    try:
        yield
    finally:
        F.scaled_dot_product_attention = usual
