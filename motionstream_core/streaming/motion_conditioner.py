"""The motion condition of a model with a track head: track head, start-image latent, warp latent and its
masks.

Owns how the parts that `MotionConfig` names become one tensor. Knows nothing of noise or attention.
Shapes: image (3, H, W) 0..1. Tracks come from a source, `source(start_frame, count) -> TrackChunk`. The
condition is (1, C_m, t, h, w).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..codec.base import Codec, CodecState
from ..model.config import NetworkConfig
from ..model.motion import MotionEncoder, TrackHead, track_ids
from ..sampling.guided import LatentGuide
from ..tracks.types import TrackChunk, TrackSource
from .motion_source import MotionSnapshot, Objects, TrackCursor, with_first_frame
from .start_image import StartImage
from .told_points import told_points
from .warped_image import ImageCarry, WarpedImage, state_at_rest, state_behind, warp_condition

MOVED = 0.5  # px within a chunk; a point that moves farther is no point at rest


@dataclass(frozen=True)
class _Asked:
    """What was made of the frames asked for last: their warped picture and the encoder's state behind it."""

    frames: range
    warped: WarpedImage | None
    codec: CodecState


class MotionConditioner:
    """A MotionSource whose tracks the model is told of.

    The source is asked when the sampler asks, so tracks may change, and others join them, while the stream
    runs.

    Args:
        config: of a model with motion channels.
        head: its track head.
        codec: encodes the start image and the warped one.
        image: the start image.
        source: the tracks by pixel frame.
        rng: draws the tracks' ids.
        carry: how the start image is moved along the tracks, one of CARRIES.
        still: (N,) which points never move. By default none. It decides which are told of, where the model
            knows fewer points than there are.
        running: the model's latents are those of a running stream, the start image's too.
    """

    def __init__(
        self,
        config: NetworkConfig,
        head: TrackHead,
        codec: Codec,
        image: Tensor,
        source: TrackSource,
        rng: torch.Generator,
        carry: str = "nearest",
        still: Tensor | None = None,
        running: bool = False,
    ):
        if config.motion is None:
            raise ValueError("motion: expected a model with a motion condition, got one without")
        stride = config.vae_stride[1]
        self._config = config.motion
        self._codec = codec
        self._cursor = TrackCursor(source, config.vae_stride[0])
        self._ids = track_ids(config.motion.id_range, rng, config.motion.id_range)
        self.grid = (image.shape[-2] // stride, image.shape[-1] // stride)
        self._image = image
        self._encoder = MotionEncoder(
            head, self._ids[:0], self.grid, stride, config.motion.unspecified_channel, config.motion.map
        )
        self._carry = ImageCarry(carry, image)
        self._warped: WarpedImage | None = None
        self._asked: _Asked | None = None
        self._start = StartImage(config.motion, codec, image, running=running)
        self.image_latent = self._start.latent
        self._still = torch.zeros(0, dtype=torch.bool) if still is None else still.cpu()
        self._told: Tensor | None = None
        self._codec_state = codec.start_encode()

    def at(self, frames: range) -> Tensor:
        tracks = self._cursor.at(frames)
        self._follow(tracks.anchors)
        there = tracks.on(self._image.device)
        self._encoder.started = frames.start > 0
        visible = there.visible
        told = self._told_of(tracks)
        if told is not None:
            visible = visible & told.to(visible.device)
        made = [self._encoder.encode(there.xy, visible, there.drives_pixels & ~there.visible)]
        if "image" in self._config.parts:
            made.append(self._start.image_at(frames))
        warped = None
        state = self._codec_state
        if "warp" in self._config.parts:
            warped = self._carry.at(tracks)
            if self._carry.keeps_a_plate:
                # Told that a place is disoccluded, the networks smooth what stands there: they learned it on
                # smooth fills.
                warped = warped.trusted()
            latent, masks, state = warp_condition(self._codec, warped, state)
            made += [latent, masks]
        if "known" in self._config.parts:
            made.append(self._start.known_at(frames))
        self._asked = _Asked(frames, warped, state)
        return torch.cat(made, dim=1)

    def guide(self, frames: range) -> LatentGuide | None:
        return None

    def release(self, before: int) -> None:
        self._cursor.release(before)
        asked = self._asked
        assert asked is not None
        self._warped = asked.warped
        count = self._cursor.span(range(asked.frames.start, before))[1]
        if asked.warped is not None:
            self._carry.release(count)
        if before == asked.frames.stop or asked.warped is None:
            self._codec_state = asked.codec
        else:
            # The encoder goes on from the last frame that is final.
            self._codec_state = state_behind(self._codec, asked.warped, count, self._codec_state)
            self._warped = WarpedImage(asked.warped.frames[:count], asked.warped.maps[:count])
        self._asked = None

    def take(self, frames: range) -> Tensor:
        """The motion of frames that nobody will ask for again."""
        motion = self.at(frames)
        self.release(frames.stop)
        return motion

    def tracks(self, frames: range) -> TrackChunk:
        return self._cursor.released_tracks(frames)

    def warped(self) -> WarpedImage | None:
        return self._warped

    def _follow(self, anchors: Tensor):
        """Gives new tracks an id."""
        self._encoder.emb = self._encoder.emb[: len(anchors)]
        # More tracks than there are ids share some.
        new = torch.arange(len(self._encoder.emb), len(anchors), device=self._ids.device)
        self._encoder.extend(self._ids[new % len(self._ids)])

    def _told_of(self, tracks: TrackChunk) -> Tensor | None:
        """(N,) which points the model is told of. None: all. A point that begins to move is chosen among
        those that move from then on.
        """
        if self._config.points is None or len(tracks.anchors) <= self._config.points[1]:
            return None
        joined = len(tracks.anchors) - len(self._still)
        still = torch.cat([self._still, torch.zeros(max(0, joined), dtype=torch.bool)])[: len(tracks.anchors)]
        moved = ((tracks.xy - tracks.xy[:1]).abs().amax((0, 2)) > MOVED).cpu()
        if joined or self._told is None or bool((still & moved).any()):
            self._still = still & ~moved
            self._told = told_points(tracks.xy[0], self._still, self._config.points[1])
        return self._told

    def to_reference(self, places: Tensor) -> Tensor:
        return self._carry.to_reference(self._cursor.shown, places)

    def picture(self) -> Tensor:
        return self._image

    def objects(self) -> Objects:
        return self._carry.objects()

    def set_reference(self, image: Tensor) -> None:
        self._image = image.to(self._image)
        self._start = StartImage(self._config, self._codec, self._image, self._cursor.released - 1)
        self._carry.set_image(self._image)

    def as_first_frame(self, motion: Tensor, latents: Tensor) -> Tensor:
        return with_first_frame(self._config, motion, latents)

    def snapshot(self) -> MotionSnapshot:
        return MotionSnapshot(
            self._cursor.released,
            self._cursor.shown,
            self._image,
            self._carry.carrier,
            self._codec_state,
            self._encoder.emb,
            self._start,
            self._still,
            self._told,
        )

    def restore(self, snapshot: MotionSnapshot) -> None:
        assert snapshot.ids is not None and snapshot.start is not None and snapshot.still is not None
        self._cursor.restore(snapshot.released, snapshot.tracks)
        self._image = snapshot.image
        self._carry.restore(snapshot.image, snapshot.carrier)
        kept = snapshot.codec.started or not snapshot.released or snapshot.carrier is None
        self._codec_state = snapshot.codec if kept else state_at_rest(self._codec, self._image)
        self._encoder.emb = snapshot.ids
        self._start = snapshot.start
        self._still = snapshot.still
        self._told = snapshot.told
        self._asked = None
