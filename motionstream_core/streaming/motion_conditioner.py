"""The motion condition of a stream, made chunk by chunk: track head, start-image latent, warp latent and its
masks.

Owns how the parts that `MotionConfig` names become one tensor. Knows nothing of noise or attention.
Shapes: image (3, H, W) 0..1; tracks come from a source, `source(start_frame, count) -> Piece`; the condition
is (1, C_m, t, h, w). Latent frame 0 covers pixel frame 0, latent frame k > 0 covers pixel frames 4k-3 … 4k.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ..codec.tiny import CodecState, TinyCodec
from ..model.motion import ID_RANGE, MotionEncoder, TrackHead, pack_time, track_ids
from ..model.presets import ModelConfig
from ..tracks.types import TrackChunk, TrackSource
from ..tracks.warp.backward import fill_uncovered
from ..tracks.warp.forward import ForwardWarp

REACH = 16.0  # px; how quickly trust in the warp falls with the distance to the nearest track


@dataclass(frozen=True)
class MotionSnapshot:
    """A condition between two chunks, so that it can go on from there again."""

    emb: Tensor
    started: bool
    image: Tensor
    carrier: ForwardWarp | None
    warp_state: CodecState
    next: int
    piece: TrackChunk | None


def pixel_span(start: int, count: int, stride: int = 4) -> tuple[int, int]:
    """First pixel frame and number of pixel frames of `count` latent frames from `start` on."""
    first = 0 if start == 0 else stride * (start - 1) + 1
    return first, stride * (start + count - 1) + 1 - first


class WarpedImage(NamedTuple):
    """The picture that motion is taken from, carried along the tracks: frames (T, 3, H, W) 0..1, places that
    the motion uncovers filled smoothly from around them; maps (T, 2, H, W): uncovered 0 or 1, and how near
    (exp(−distance / 16 px)) the next visible track is.
    """

    frames: Tensor
    maps: Tensor


def carrier_for(known: ForwardWarp | None, image: Tensor, anchors: Tensor) -> ForwardWarp:
    """The known carrier of this picture, or a new one where the tracks' places in it, anchors (N, 2), have
    changed.
    """
    return known if known is not None and torch.equal(known.anchors, anchors) else ForwardWarp(image, anchors)


def origin_of(carrier: ForwardWarp | None, piece: TrackChunk | None, places: Tensor) -> Tensor:
    """Where in the picture that motion is taken from the things are that stand at `places` (K, 2) in the last
    frame made -> (K, 2).
    """
    return (
        places
        if carrier is None or piece is None
        else carrier.origin(piece.xy[-1], piece.carried[-1], places)
    )


def carry(carrier: ForwardWarp, xy: Tensor, visible: Tensor) -> WarpedImage:
    """xy (T, N, 2), visible (T, N) -> what the carrier's picture looks like there."""
    warp = carrier(xy, visible)
    return WarpedImage(
        fill_uncovered(warp.frames, warp.uncovered),
        torch.cat([warp.uncovered, torch.exp(-warp.distance / REACH)], dim=1),
    )


def warp_condition(
    codec: TinyCodec, carried: WarpedImage, state: CodecState
) -> tuple[Tensor, Tensor, CodecState]:
    """The carried picture, encoded -> latent (1, C, t, h, w), masks (1, 8, t, h, w), encoder state.

    The masks are the maps' means over a cell, for each of the four pixel frames of a latent frame.
    """
    first = not state.started
    latent, state = codec.encode_chunk(carried.frames[None], state)
    cells = F.avg_pool2d(carried.maps, carried.frames.shape[-1] // latent.shape[-1])
    return latent, pack_time(cells.transpose(0, 1), first=first)[None], state


class MotionConditioner:
    """The rollout's `motion`: call it with (start_latent, count), in order, and get the condition (1, C_m,
    count, h, w).

    The source is asked only when a chunk begins, so tracks may change, and others join them, while the stream
    runs.
    """

    def __init__(
        self,
        config: ModelConfig,
        head: TrackHead,
        codec: TinyCodec,
        image: Tensor,
        source: TrackSource,
        rng: torch.Generator,
    ):
        if config.motion is None:
            raise ValueError("motion: expected a model with a motion condition, got one without")
        self.parts = config.motion.parts
        self.codec, self.source = codec, source
        self.ids = track_ids(ID_RANGE, rng)
        self.stride = config.vae_stride[1]
        self.grid = (image.shape[-2] // self.stride, image.shape[-1] // self.stride)
        self.image = image
        self.encoder = MotionEncoder(
            head, self.ids[:0], self.grid, self.stride, config.motion.unspecified_channel
        )
        self.carrier: ForwardWarp | None = None
        self.carried: WarpedImage | None = None
        self.image_latent = codec.encode(image[None, None])
        self.warp_state = codec.start_encode()
        self.piece: TrackChunk | None = None
        self.next = 0

    def __call__(self, start: int, count: int) -> Tensor:
        if start != self.next:
            raise ValueError(f"motion: expected the chunk at latent frame {self.next}, got {start}")
        self.next = start + count
        piece = self.source(*pixel_span(start, count))
        self._follow(piece.anchors)
        self.piece = piece
        there = piece.on(self.image.device)
        made = [self.encoder.encode(there.xy, there.visible, there.carried & ~there.visible)]
        if "image" in self.parts:
            blank = self.image_latent.new_zeros(1, self.image_latent.shape[1], count, *self.grid)
            if start == 0:
                blank[:, :, :1] = self.image_latent
            made.append(blank)
        if self.carrier is not None:
            self.carried = carry(self.carrier, there.xy, there.carried)
            latent, masks, self.warp_state = warp_condition(self.codec, self.carried, self.warp_state)
            made += [latent, masks]
        return torch.cat(made, dim=1)

    def _follow(self, anchors: Tensor):
        """Gives new tracks an id, and takes the picture apart anew where the tracks' places in it have
        changed.
        """
        self.encoder.emb = self.encoder.emb[: len(anchors)]
        self.encoder.extend(self.ids[len(self.encoder.emb) : len(anchors)])
        if "warp" in self.parts:
            self.carrier = carrier_for(self.carrier, self.image, anchors)

    def origin(self, places: Tensor) -> Tensor:
        """Where in the picture that motion is taken from the things are that stand at `places` (K, 2) in the
        last frame made -> (K, 2).
        """
        return origin_of(self.carrier, self.piece, places)

    def rebase(self, image: Tensor):
        """From now on motion is taken from another picture (3, H, W), in which the source's anchors must then
        be.
        """
        self.image = image.to(self.image)
        self.carrier = None

    def as_start(self, motion: Tensor, latents: Tensor) -> Tensor:
        """The condition (1, C_m, t, h, w) of these latents, as if the first of them were the start
        image's.
        """
        if "image" not in self.parts:
            return motion
        motion = motion.clone()
        motion[:, self.parts["image"]] = 0
        motion[:, self.parts["image"], :1] = latents[:, :, :1].to(motion)
        return motion

    def snapshot(self) -> MotionSnapshot:
        return MotionSnapshot(
            self.encoder.emb,
            self.encoder.started,
            self.image,
            self.carrier,
            self.warp_state,
            self.next,
            self.piece,
        )

    def restore(self, kept: MotionSnapshot):
        self.encoder.emb, self.encoder.started = kept.emb, kept.started
        self.image, self.carrier, self.warp_state = kept.image, kept.carrier, kept.warp_state
        self.next, self.piece = kept.next, kept.piece
