"""Null motion: tracks are sampled for display and output, the model is unconditioned."""

from __future__ import annotations

from torch import Tensor

from ..codec.base import Codec, CodecState
from ..model.config import NetworkConfig
from ..sampling.guided import LatentGuide
from ..tracks.types import TrackChunk, TrackSource
from .motion_source import MotionSnapshot, TrackCursor, with_first_frame
from .start_image import StartImage
from .warped_image import Objects, WarpedImage


class NullMotion:
    """A MotionSource that tells the model nothing of its tracks.

    A model with motion channels finds zeros in its map, and the start image as it always does.

    Args:
        config: of any model.
        codec: encodes the start image.
        image: the start image (3, H, W).
        source: the tracks by pixel frame.
    """

    def __init__(self, config: NetworkConfig, codec: Codec, image: Tensor, source: TrackSource):
        stride = config.vae_stride[1]
        self._config = config.motion
        self._cursor = TrackCursor(source, config.vae_stride[0])
        self._image = image
        self.grid = (image.shape[-2] // stride, image.shape[-1] // stride)
        self._codec = codec
        self._start = StartImage(config.motion, codec, image)
        self.image_latent = self._start.latent

    def at(self, frames: range) -> Tensor | None:
        self._cursor.at(frames)
        return self._null(frames)

    def _null(self, frames: range) -> Tensor | None:
        if self._config is None:
            return None
        made = self.image_latent.new_zeros(1, self._config.channels, len(frames), *self.grid)
        parts = self._config.parts
        if "image" in parts:
            made[:, parts["image"]] = self._start.image_at(frames)
        if frames.start == 0 and "warp" in parts:
            made[:, parts["warp"], :1] = self.image_latent
        if "known" in parts:
            made[:, parts["known"]] = self._start.known_at(frames)
        return made

    def guide(self, frames: range) -> LatentGuide | None:
        return None

    def release(self, before: int) -> None:
        self._cursor.release(before)

    def tracks(self, frames: range) -> TrackChunk:
        return self._cursor.released_tracks(frames)

    def warped(self) -> WarpedImage | None:
        return None

    def to_reference(self, places: Tensor) -> Tensor:
        return places

    def picture(self) -> Tensor:
        return self._image

    def objects(self) -> Objects:
        return {}

    def set_reference(self, image: Tensor) -> None:
        self._image = image.to(self._image)
        self._start = StartImage(self._config, self._codec, self._image, self._cursor.released - 1)

    def as_first_frame(self, motion: Tensor, latents: Tensor) -> Tensor:
        return with_first_frame(self._config, motion, latents)

    def snapshot(self) -> MotionSnapshot:
        return MotionSnapshot(
            self._cursor.released, self._cursor.shown, self._image, None, CodecState([]), None, self._start
        )

    def restore(self, snapshot: MotionSnapshot) -> None:
        self._cursor.restore(snapshot.released, snapshot.tracks)
        self._image = snapshot.image
        assert snapshot.start is not None
        self._start = snapshot.start
