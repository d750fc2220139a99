"""Motion without a track head: any causal student is led along tracks by where its few-step schedule begins.

Owns the guide (the start image carried along the tracks and encoded, and the mask of what it covers) and the
guided denoising of a chunk.
No weights and no training: each chunk starts from the guide, noised less inside the moved region than
outside; at every step but the last the prediction inside is set back to the guide, and at the last one by
`keep` only. What the tracks uncover the model makes by itself.
The network never sees the guide other than through its noisy latents: a model that has motion channels finds
zeros in them.

Shapes: latents (B, C, t, h, w); mask (1, 1, t, h, w) 0..1, 1 where the guide holds; levels (1, 1, t, h, w).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

from ..model.config import ModelConfig
from ..model.motion import PACK
from ..sampling.guided import GuideStrength, LatentGuide
from ..tracks.types import TrackSource
from ..tracks.warp.forward import ForwardWarp
from .motion_conditioner import MotionSnapshot, carrier_for, carry, origin_of
from .null_motion import NullMotion


class GuidedMotion(NullMotion):
    """A Conditioner's place in a guided stream. `guide` is the rollout's, and speaks of the chunk that
    `follow` was last told of.
    """

    def __init__(
        self,
        config: ModelConfig,
        codec: Any,
        image: Tensor,
        source: TrackSource,
        lead: GuideStrength | None = None,
    ):
        super().__init__(config, codec, image, source)
        self.codec, self.lead = codec, lead or GuideStrength()
        self.carrier: ForwardWarp | None = None
        self.state = codec.start_encode()
        self.now: LatentGuide | None = None

    def follow(self, count: int):
        first = self.next == 0
        super().follow(count)
        piece = self.piece
        assert piece is not None
        self.carrier = carrier_for(self.carrier, self.image, piece.anchors)
        there = piece.on(self.image.device)
        frames, maps = carry(self.carrier, there.xy, there.carried)
        latents, self.state = self.codec.encode_chunk(frames[None], self.state)
        mask = covered(maps[:, :1], there.carried, self.stride[1], first)
        self.now = LatentGuide(latents.float(), mask, self.lead)

    def guide(self, start: int, count: int) -> LatentGuide:
        if self.now is None or self.next != start + count:
            raise ValueError(
                f"guide: expected the chunk that ends at latent frame {self.next}, got {start + count}"
            )
        return self.now

    def origin(self, places: Tensor) -> Tensor:
        return origin_of(self.carrier, self.piece, places)

    def rebase(self, image: Tensor):
        super().rebase(image)
        self.carrier = None

    def snapshot(self) -> MotionSnapshot:
        return MotionSnapshot(
            torch.empty(0), self.next > 0, self.image, self.carrier, self.state, self.next, self.piece
        )

    def restore(self, kept: MotionSnapshot):
        super().restore(kept)
        self.carrier, self.state = kept.carrier, kept.warp_state


def covered(uncovered: Tensor, visible: Tensor, stride: int, first: bool) -> Tensor:
    """uncovered (T, 1, H, W) 0..1 and visible (T, N) of a chunk -> (1, 1, t, h, w): how far a cell is covered
    in all its frames.

    A frame in which no track is visible is free: nothing says where anything is.
    """
    free = torch.where(visible.any(1)[:, None, None, None], F.avg_pool2d(uncovered, stride), 1.0)
    if first:
        free = torch.cat([free[:1].expand(PACK - 1, -1, -1, -1), free])
    return 1 - rearrange(free, "(t f) 1 h w -> 1 1 t h w f", f=PACK).amax(-1)


def null_motion(config: ModelConfig, image_latent: Tensor) -> Callable[[int, int], Tensor] | None:
    """What a model with motion channels is told when its track head is off: zeros, and the start image in
    latent frame 0; None without such channels.
    """
    if config.motion is None:
        return None
    parts, channels = config.motion.parts, config.motion.channels

    def motion(start: int, count: int) -> Tensor:
        made = image_latent.new_zeros(1, channels, count, *image_latent.shape[-2:])
        for name in ("image", "warp"):
            if start == 0 and name in parts:
                made[:, parts[name], :1] = image_latent
        return made

    return motion
