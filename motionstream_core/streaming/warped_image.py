"""The start image moved along the tracks, and what a network is shown of it.

Owns the forward warp of a chunk with its masks. Knows nothing of streams.
Shapes: frames (T, 3, H, W) 0..1; maps (T, 2, H, W): uncovered 0 or 1, and how near (exp(−distance / 16 px))
the next visible track is.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ..codec.base import Codec, CodecState
from ..model.motion import pack_time
from ..tracks.types import TrackChunk
from ..tracks.warp.backward import fill_uncovered
from ..tracks.warp.forward import ForwardWarp

REACH = 16.0  # px; how quickly trust in the warp falls with the distance to the nearest track


class WarpedImage(NamedTuple):
    """The picture that motion is taken from, moved along the tracks. Places that the motion uncovers are
    filled smoothly from around them.
    """

    frames: Tensor
    maps: Tensor


def carrier_for(known: ForwardWarp | None, image: Tensor, anchors: Tensor) -> ForwardWarp:
    """The known carrier of this picture, or a new one where the tracks' places in it, anchors (N, 2), have
    changed.
    """
    return known if known is not None and torch.equal(known.anchors, anchors) else ForwardWarp(image, anchors)


def origin_of(carrier: ForwardWarp | None, tracks: TrackChunk | None, places: Tensor) -> Tensor:
    """Where in the picture that motion is taken from the things are that stand at `places` (K, 2) in the last
    frame made -> (K, 2).
    """
    if carrier is None or tracks is None:
        return places
    return carrier.origin(tracks.xy[-1], tracks.carried[-1], places)


def carry(carrier: ForwardWarp, xy: Tensor, visible: Tensor) -> WarpedImage:
    """xy (T, N, 2), visible (T, N) -> what the carrier's picture looks like there."""
    warp = carrier(xy, visible)
    return WarpedImage(
        fill_uncovered(warp.frames, warp.uncovered),
        torch.cat([warp.uncovered, torch.exp(-warp.distance / REACH)], dim=1),
    )


def warp_condition(codec: Codec, warped: WarpedImage, state: CodecState) -> tuple[Tensor, Tensor, CodecState]:
    """The warped picture, encoded -> latent (1, C, t, h, w), masks (1, 8, t, h, w), encoder state.

    The masks are the maps' means over a cell, for each of the four pixel frames of a latent frame.
    """
    first = not state.started
    latent, state = codec.encode_chunk(warped.frames[None], state)
    cells = F.avg_pool2d(warped.maps, warped.frames.shape[-1] // latent.shape[-1])
    return latent, pack_time(cells.transpose(0, 1), first=first)[None], state


def state_behind(codec: Codec, warped: WarpedImage, count: int, state: CodecState) -> CodecState:
    """The encoder's state behind the first `count` pixel frames of a warped picture."""
    return codec.encode_chunk(warped.frames[None, :count], state)[1]


def state_at_rest(codec: Codec, image: Tensor) -> CodecState:
    """The encoder's state behind a picture (3, H, W) that nothing has moved yet: for a moment whose own state
    was not kept.
    """
    return codec.encode_chunk(image[None, None], codec.start_encode())[1]
