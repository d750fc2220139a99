"""Motion without a track head: any causal student is led along tracks by where its few-step schedule begins.

Owns the guide: the start image moved along the tracks and encoded, and the mask of what it covers.
No weights and no training: each chunk starts from the guide, noised less inside the moved region than
outside (region-wise SDEdit with two clocks, as in Time-to-Move). What the tracks uncover the model makes by
itself. The network sees the guide through its noisy latents alone.

Shapes: latents (B, C, t, h, w). mask (1, 1, t, h, w) 0..1, 1 where the guide holds.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

from ..codec.base import Codec, CodecState
from ..model.config import NetworkConfig
from ..model.motion import PACK
from ..sampling.guided import GuideStrength, LatentGuide
from ..tracks.types import TrackSource
from .motion_source import MotionSnapshot, Objects
from .null_motion import NullMotion
from .warped_image import ImageCarry, WarpedImage, state_at_rest, state_behind


@dataclass(frozen=True)
class _Asked:
    """What was made of the frames asked for last."""

    frames: range
    guide: LatentGuide
    warped: WarpedImage
    codec: CodecState


class GuidedMotion(NullMotion):
    """A MotionSource that leads the sampler by a guide. The model's own motion channels stay null.

    Args:
        config: of any model.
        codec: encodes the start image and the warped one.
        image: the start image (3, H, W).
        source: the tracks by pixel frame.
        strength: how strongly the guide leads.
        carry: how the start image is moved along the tracks, one of CARRIES.
    """

    def __init__(
        self,
        config: NetworkConfig,
        codec: Codec,
        image: Tensor,
        source: TrackSource,
        strength: GuideStrength | None = None,
        carry: str = "nearest",
    ):
        super().__init__(config, codec, image, source)
        self._stride = config.vae_stride[1]
        self._strength = strength or GuideStrength()
        self._carry = ImageCarry(carry, image)
        self._codec_state = codec.start_encode()
        self._asked: _Asked | None = None

    def at(self, frames: range) -> Tensor | None:
        tracks = self._cursor.at(frames)
        there = tracks.on(self._image.device)
        warped = self._carry.at(tracks)
        latents, state = self._codec.encode_chunk(warped.frames[None], self._codec_state)
        mask = warp_coverage(warped.maps[:, :1], there.drives_pixels, self._stride, frames.start == 0)
        guide = LatentGuide(latents.float(), mask, self._strength)
        self._asked = _Asked(frames, guide, warped, state)
        return self._null(frames)

    def guide(self, frames: range) -> LatentGuide:
        if self._asked is None or self._asked.frames != frames:
            got = None if self._asked is None else self._asked.frames
            raise ValueError(f"guide: expected the latent frames asked for last, {got}, got {frames}")
        return self._asked.guide

    def release(self, before: int) -> None:
        super().release(before)
        asked = self._asked
        assert asked is not None
        count = self._cursor.span(range(asked.frames.start, before))[1]
        self._carry.release(count)
        if before == asked.frames.stop:
            self._codec_state = asked.codec
        else:
            # The encoder goes on from the last frame that is final.
            self._codec_state = state_behind(self._codec, asked.warped, count, self._codec_state)
        self._asked = None

    def to_reference(self, places: Tensor) -> Tensor:
        return self._carry.to_reference(self._cursor.shown, places)

    def objects(self) -> Objects:
        return self._carry.objects()

    def set_reference(self, image: Tensor) -> None:
        super().set_reference(image)
        self._carry.set_image(self._image)

    def snapshot(self) -> MotionSnapshot:
        return MotionSnapshot(
            self._cursor.released,
            self._cursor.shown,
            self._image,
            self._carry.carrier,
            self._codec_state,
            None,
            self._start,
        )

    def restore(self, snapshot: MotionSnapshot) -> None:
        super().restore(snapshot)
        self._carry.restore(snapshot.image, snapshot.carrier)
        kept = snapshot.codec.started or not snapshot.released
        self._codec_state = snapshot.codec if kept else state_at_rest(self._codec, self._image)
        self._asked = None


def warp_coverage(disoccluded: Tensor, visible: Tensor, stride: int, first: bool) -> Tensor:
    """disoccluded (T, 1, H, W) 0..1 and visible (T, N) of a chunk -> (1, 1, t, h, w): how far a cell is
    covered in all its frames.

    A frame in which no track is visible is free: nothing says where anything is.
    """
    free = torch.where(visible.any(1)[:, None, None, None], F.avg_pool2d(disoccluded, stride), 1.0)
    if first:
        free = torch.cat([free[:1].expand(PACK - 1, -1, -1, -1), free])
    return 1 - rearrange(free, "(t f) 1 h w -> 1 1 t h w f", f=PACK).amax(-1)
