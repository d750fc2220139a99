"""The picture that a stream begins with, as the channels of a network that is shown it: its latent, what
stands behind it, and the mask of what is known.

Owns the encoding of grey behind a picture, which goes on as far as anyone has trained on it, and then stays.
A network that was trained on clips of 121 frames (31 latent frames) says nothing of what comes later: that
the last latent is held is this pack's own choice.
Shapes: image (3, H, W) 0..1. latents (1, C, t, h, w). Latent frames are counted from the picture's own.
"""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from ..codec.base import TIME_STRIDE, Codec, CodecState
from ..model.config import KNOWN_CHANNELS, MotionConfig

GREY = 0.5  # 0 in -1..1
COLD = 2  # latents after which an encoder that began with a still picture has settled
ENCODED = 31  # latent frames of a clip of 121 frames


class StartImage:
    """One picture, which stands at latent frame `begin` of a stream. What was encoded once is kept.

    Args:
        config: the model's motion channels, or None.
        codec: encodes the picture.
        image: the picture.
        begin: the latent frame that it is.
        running: the model's latents are those of a running stream: the picture has stood still for a while.
    """

    def __init__(
        self, config: MotionConfig | None, codec: Codec, image: Tensor, begin: int = 0, running: bool = False
    ):
        self.begin = begin
        self.image = image
        self._config = config
        self._codec = codec
        self._running = running
        self._grey: list[Tensor] = []
        self._state: CodecState | None = None

    @cached_property
    def latent(self) -> Tensor:
        """(1, C, 1, h, w)."""
        count = 1 + TIME_STRIDE * COLD if self._running else 1
        still = self.image[None, None].expand(-1, count, -1, -1, -1)
        made, state = self._codec.encode_chunk(still, self._codec.start_encode())
        made = made[:, :, -1:]
        if self._config is not None and self._config.grey:
            self._state = state
        return made

    def image_at(self, frames: range) -> Tensor:
        """The picture's latent at its own latent frame. Behind it zeros, or grey where the model wants
        that.
        """
        assert self._config is not None
        latent = self.latent
        if self._config.grey:
            return torch.cat([self._at(frame - self.begin) for frame in frames], dim=2)
        made = latent.new_zeros(*latent.shape[:2], len(frames), *latent.shape[3:])
        if frames.start == self.begin:
            made[:, :, :1] = latent
        return made

    def known_at(self, frames: range) -> Tensor:
        """The mask of what is known: ones at the picture's latent frame, zeros behind it."""
        made = self.latent.new_zeros(1, KNOWN_CHANNELS, len(frames), *self.latent.shape[3:])
        if frames.start == self.begin:
            made[:, :, :1] = 1
        return made

    def _at(self, frame: int) -> Tensor:
        if frame <= 0:
            return self.latent
        wanted = min(frame, ENCODED - 1)
        if len(self._grey) < wanted:
            # As many as a chunk asks for are encoded one by one: the encoder's memory is that of four frames.
            assert self._state is not None
            grey = torch.full_like(self.image, GREY).expand(1, TIME_STRIDE, -1, -1, -1)
            while len(self._grey) < wanted:
                made, self._state = self._codec.encode_chunk(grey, self._state)
                self._grey.append(made)
        if len(self._grey) == ENCODED - 1:
            self._state = None  # nothing more is encoded
        return self._grey[wanted - 1]
