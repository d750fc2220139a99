"""What a network makes of a picture that its cross attention looks at: Wan image to video.

Owns the embedding of CLIP vision's features, under Wan's names (`img_emb`).
"""

from __future__ import annotations

from torch import Tensor, nn


class PictureEmbedding(nn.Module):
    """Features of a picture (B, tokens, width), from CLIP vision -> (B, tokens, D), as in Wan image to
    video.
    """

    def __init__(self, width: int, dim: int):
        super().__init__()
        self.proj = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, width), nn.GELU(), nn.Linear(width, dim), nn.LayerNorm(dim)
        )

    def forward(self, features: Tensor) -> Tensor:
        return self.proj(features)
