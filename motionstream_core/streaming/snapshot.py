"""A stream at a boundary, for rewinding, and the memory that it holds."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ..common.held import held_storages
from .chunk import LastFrame
from .decoders import DecodeFuture
from .motion_source import MotionSnapshot
from .source_video import SourceSnapshot
from .stream_text import TextSnapshot


@dataclass(frozen=True)
class StreamSnapshot:
    """A stream at the boundary before a chunk. Without `decoder` its state is made again from the newest
    latents: what is remade differs a little from what was.
    """

    sampler: Any
    motion: MotionSnapshot
    tracks: Any
    decoder: DecodeFuture | None
    made: int
    text: TextSnapshot
    source: SourceSnapshot | None
    last: LastFrame

    @cached_property
    def storages(self) -> dict[int, int]:
        """The memory of all but the sampler, the decoder and the last picture, in part shared with other
        moments: bytes by address.
        """
        return held_storages(self.motion, self.tracks, self.text, self.source)

    @property
    def scene(self) -> dict[int, int]:
        """The part of it that a stream which goes on from here holds anyway: the picture that motion is taken
        from, what carries it, and the prompt.
        """
        motion = self.motion
        return held_storages(motion.image, motion.carrier, motion.start, self.text)
