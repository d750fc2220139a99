"""The cartoon's text-to-video network: the transformer with the words of the cartoon's vocabulary.

Owns the words' table and the velocity with its skip, guided or not. Shapes: x (B, C, T, H, W), levels (B, T),
ids (B, 20).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ...model.context import bidirectional_context
from ...model.dit import WanDiT
from ...model.presets import ModelConfig, preset
from ...model.skip import velocity_of
from ...model.text import WordEncoder
from ...model.windows import plain_attention
from .vocabulary import CARTOON, TEXT_LENGTH


class Cartoon(nn.Module):
    """Transformer and words. The empty prompt is padding alone.

    bf16: matrix products in bfloat16. Weights, norms and the velocity stay float32.
    """

    bf16 = False

    def __init__(self, config: ModelConfig | None = None):
        super().__init__()
        self.config = config or preset("cartoon")
        self.dit = WanDiT(self.config)
        self.words = WordEncoder(self.config.text_dim, TEXT_LENGTH, CARTOON)

    def forward(self, x: Tensor, levels: Tensor, ids: Tensor) -> Tensor:
        """The velocity noise - x0."""
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self.bf16):
            text = self.dit.encode_text(self.words(ids))
            output = self.dit(x, 1000 * levels, text, bidirectional_context(self.config, plain_attention))
        return velocity_of(output.float(), x, levels)

    def guided(self, x: Tensor, levels: Tensor, ids: Tensor, scale: float) -> Tensor:
        """The velocity away from the empty prompt's. A scale of 1 is the plain one."""
        if scale == 1:
            return self(x, levels, ids)
        both = self(torch.cat([x, x]), torch.cat([levels, levels]), torch.cat([ids, torch.zeros_like(ids)]))
        with_text, without = both.chunk(2)
        return without + scale * (with_text - without)
