"""The motion condition of a stream, made chunk by chunk: track head, start-image latent, warp latent and its masks.

Owns how the parts that `MotionConfig` names become one tensor. Knows nothing of noise or attention.
Shapes: image (3, H, W) 0..1; tracks come from a source, `source(start_frame, count) -> xy (count, N, 2), visible (count, N)`;
the condition is (1, C_m, t, h, w). Latent frame 0 covers pixel frame 0, latent frame k > 0 covers pixel frames 4k-3 … 4k.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from ..codec.tiny import CodecState, TinyCodec
from ..model.motion import MotionEncoder, TrackHead, pack_time, track_ids
from ..model.presets import ModelConfig
from ..tracks.carry import PixelCarrier
from ..tracks.warp import fill_uncovered

TrackSource = Callable[[int, int], tuple[Tensor, Tensor]]
REACH = 16.0  # px; how quickly trust in the warp falls with the distance to the nearest track


def pixel_span(start: int, count: int, stride: int = 4) -> tuple[int, int]:
    """First pixel frame and number of pixel frames of `count` latent frames from `start` on."""
    first = 0 if start == 0 else stride * (start - 1) + 1
    return first, stride * (start + count - 1) + 1 - first


def warp_condition(codec: TinyCodec, carrier: PixelCarrier, xy: Tensor, visible: Tensor, state: CodecState) -> tuple[Tensor, Tensor, CodecState]:
    """The start image carried along the tracks and encoded -> latent (1, C, t, h, w), masks (1, 8, t, h, w), encoder state.

    Places that the motion uncovers are filled smoothly from around them before encoding. The masks say, for each of the four pixel frames
    of a latent frame, how much of a cell is uncovered and how near (exp(−distance / 16 px)) the next visible track is.
    """
    warp = carrier(xy, visible)
    frames = fill_uncovered(warp.frames, warp.uncovered)
    first = not state.started
    latent, state = codec.encode_chunk(frames[None], state)
    maps = torch.cat([warp.uncovered, torch.exp(-warp.distance / REACH)], dim=1)
    cells = F.avg_pool2d(maps, frames.shape[-1] // latent.shape[-1])
    return latent, pack_time(cells.transpose(0, 1), first=first)[None], state


class Conditioner:
    """The rollout's `motion`: call it with (start_latent, count), in order, and get the condition (1, C_m, count, h, w).

    The source is asked only when a chunk begins, so tracks may change while the stream runs; their number may not.
    """

    def __init__(self, config: ModelConfig, head: TrackHead, codec: TinyCodec, image: Tensor, source: TrackSource, rng: torch.Generator):
        if config.motion is None:
            raise ValueError("motion: expected a model with a motion condition, got one without")
        self.parts = config.motion.parts
        self.codec, self.source = codec, source
        self.stride = config.vae_stride[1]
        self.grid = (image.shape[-2] // self.stride, image.shape[-1] // self.stride)
        xy0 = source(0, 1)[0][0]
        self.encoder = MotionEncoder(head, track_ids(len(xy0), rng), self.grid, self.stride)
        self.carrier = PixelCarrier(image, xy0) if config.motion.warp else None
        self.image_latent = codec.encode(image[None, None])
        self.warp_state = codec.start_encode()
        self.next = 0

    def __call__(self, start: int, count: int) -> Tensor:
        if start != self.next:
            raise ValueError(f"motion: expected the chunk at latent frame {self.next}, got {start}")
        self.next = start + count
        xy, visible = self.source(*pixel_span(start, count))
        made = [self.encoder.encode(xy, visible)]
        if "image" in self.parts:
            blank = self.image_latent.new_zeros(1, self.image_latent.shape[1], count, *self.grid)
            if start == 0:
                blank[:, :, :1] = self.image_latent
            made.append(blank)
        if self.carrier is not None:
            latent, masks, self.warp_state = warp_condition(self.codec, self.carrier, xy, visible, self.warp_state)
            made += [latent, masks]
        return torch.cat(made, dim=1)
