"""The start image moved along the tracks, and what a network is shown of it.

Owns the warped start image of a chunk with its masks. Knows nothing of streams.
Shapes: frames (T, 3, H, W) 0..1. maps (T, 2, H, W): disoccluded 0..1, and how near (exp(−distance / 16 px))
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
from ..tracks.warp.backward import WarpResult, fill_disoccluded
from ..tracks.warp.forward import ForwardWarp
from ..tracks.warp.layered import LayeredWarp, Objects

REACH = 16.0  # px; how quickly trust in the warp falls with the distance to the nearest track


class WarpedImage(NamedTuple):
    """The picture that motion is taken from, moved along the tracks. Places that the motion uncovers are
    filled.
    """

    frames: Tensor
    maps: Tensor

    def trusted(self) -> WarpedImage:
        """The same picture, said to be disoccluded nowhere."""
        return WarpedImage(self.frames, torch.cat([torch.zeros_like(self.maps[:, :1]), self.maps[:, 1:]], 1))


Carrier = ForwardWarp | LayeredWarp


class ImageCarry:
    """The picture that motion is taken from, and how it is moved along the tracks in the frames asked for.

    Args:
        kind: one of CARRIES. "nearest": every pixel goes with its nearest track, and disoccluded places are
            filled frame by frame. "layered": things that move as one before a clean plate, which is kept.
        image: the picture (3, H, W).
    """

    def __init__(self, kind: str, image: Tensor):
        self.carrier: Carrier | None = None
        self._kind = kind
        self._image = image
        self._asked: tuple[TrackChunk, Carrier] | None = None

    @property
    def keeps_a_plate(self) -> bool:
        """Whether disoccluded places show the same texture in every frame, and not a blur of what is near."""
        return self._kind == "layered"

    def set_image(self, image: Tensor) -> None:
        """From now on another picture is moved."""
        self._image = image
        self.carrier = None

    def at(self, tracks: TrackChunk) -> WarpedImage:
        """The picture in these frames. Ask as often as wanted until they are released."""
        self.carrier = self._follow(tracks)
        if isinstance(self.carrier, ForwardWarp):
            there = tracks.on(self._image.device)
            self._asked = tracks, self.carrier
            return forward_warp(self.carrier, there.xy, there.drives_pixels)
        warp, after = self.carrier(tracks.xy, tracks.drives_pixels)
        self._asked = tracks, after
        return as_shown(warp)

    def release(self, count: int) -> None:
        """The first `count` of the frames asked for last are final."""
        assert self._asked is not None
        tracks, after = self._asked
        self._asked = None
        if count < len(tracks.xy) and isinstance(self.carrier, LayeredWarp):
            after = self.carrier(tracks.xy[:count], tracks.drives_pixels[:count])[1]
        self.carrier = after

    def to_reference(self, tracks: TrackChunk | None, places: Tensor) -> Tensor:
        """Where in the picture the things are that stand at `places` (K, 2) in the last frame of these
        tracks -> (K, 2).
        """
        if self.carrier is None or tracks is None or len(tracks.anchors) != len(self.carrier.anchors):
            return places
        return self.carrier.to_reference(tracks.xy[-1], tracks.drives_pixels[-1], places)

    def objects(self) -> Objects:
        """The masks of objects where the frame released last shows them, by handle."""
        return self.carrier.objects_now() if isinstance(self.carrier, LayeredWarp) else {}

    def restore(self, image: Tensor, carrier: Carrier | None) -> None:
        self._image = image
        self.carrier = carrier
        self._asked = None

    def _follow(self, tracks: TrackChunk) -> Carrier:
        known = self.carrier
        same = known is not None and torch.equal(known.anchors, tracks.anchors)
        if self._kind == "nearest":
            return known if known is not None and same else ForwardWarp(self._image, tracks.anchors)
        if not isinstance(known, LayeredWarp):
            return LayeredWarp.of(self._image, tracks.anchors, tracks.handles, tracks.objects)
        if same and known.has_handles(tracks.handles, tracks.objects):
            return known
        return known.with_tracks(tracks.anchors, tracks.handles, tracks.objects)


def as_shown(warp: WarpResult) -> WarpedImage:
    """What a layered carry made, which has its holes filled."""
    return WarpedImage(warp.frames, torch.cat([warp.disoccluded, torch.exp(-warp.distance / REACH)], dim=1))


def forward_warp(carrier: ForwardWarp, xy: Tensor, visible: Tensor) -> WarpedImage:
    """xy (T, N, 2), visible (T, N) -> what the carrier's picture looks like there."""
    warp = carrier(xy, visible)
    return WarpedImage(
        fill_disoccluded(warp.frames, warp.disoccluded),
        torch.cat([warp.disoccluded, torch.exp(-warp.distance / REACH)], dim=1),
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
