"""The settings of a moving buffer: its partition, its levels, and the partitions that weights know.

Knows nothing of tensors, noise or files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

if TYPE_CHECKING:
    from .config import NetworkConfig

Start = Literal["uniform", "grow"]
STARTS = ("uniform", "grow")


def chunks_of(frames: int, chunk_frames: int) -> int:
    """Chunks of a queue. ValueError where they do not divide it."""
    if chunk_frames < 1 or frames % chunk_frames:
        raise ValueError(f"chunk_frames: expected a divisor of {frames} latent frames, got {chunk_frames}")
    return frames // chunk_frames


class Partition(NamedTuple):
    """A division of the moving buffer that weights were trained for.

    micro_steps None: any number of them, for weights that have met every level of a slot's segment.
    """

    chunk_frames: int
    chunks: int
    reference_frames: int = 0
    micro_steps: int | None = None

    @property
    def label(self) -> str:
        """The partition in the paper's letters."""
        words = f"c={self.chunk_frames} N={self.chunks}"
        if self.reference_frames:
            words += f" K={self.reference_frames}"
        return words if self.micro_steps is None else f"{words} s={self.micro_steps}"


@dataclass(frozen=True)
class BufferConfig:
    """A queue of latent frames at staggered noise levels: StreamDiT, FIFO-Diffusion (StreamDiT, section 3.2).

    Special cases: one chunk is plain text-to-video with `micro_steps` steps, or with reference frames
    chunk-wise extension. Chunks of one frame with one micro-step are the diagonal of FIFO-Diffusion.

    Args:
        chunk_frames: latent frames of a chunk (c), which share a level and leave together.
        chunks: chunks in the queue (N).
        micro_steps: denoising steps in each slot (s).
        reference_frames: clean latent frames before the queue (K).
        gamma: exponent of the level function, sigma = 1 - t ** gamma at progress t. 1 is linear.
        guidance: of the text against the empty text. 1 is none, and half the work.
        start: how the queue is filled. "uniform": from the intermediate latents of one uniform run (the
            paper). "grow": from one chunk of noise, behind which the queue grows.
        trained: the partitions that the weights were trained for. None named is this one alone.
    """

    chunk_frames: int = 2
    chunks: int = 4
    micro_steps: int = 1
    reference_frames: int = 0
    gamma: float = 1.0
    guidance: float = 1.0
    start: Start = "uniform"
    trained: tuple[Partition, ...] = ()

    follows: ClassVar[frozenset[str]] = frozenset({"motion", "prompt", "rewind", "strength"})
    guides: ClassVar[bool] = False  # it is led by no latents of a picture moved along the tracks
    from_image: ClassVar[bool] = False
    takes_video: ClassVar[bool] = True

    def __post_init__(self):
        for name in ("chunk_frames", "chunks", "micro_steps"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"{name}: expected a whole number from 1, got {value!r}")
        if not isinstance(self.reference_frames, int) or self.reference_frames < 0:
            raise ValueError(
                f"reference_frames: expected a whole number from 0, got {self.reference_frames!r}"
            )
        if not self.gamma > 0:
            raise ValueError(f"gamma: expected above 0, got {self.gamma}")
        if not self.guidance >= 1:
            raise ValueError(f"guidance: expected at least 1, got {self.guidance}")
        if self.start not in STARTS:
            raise ValueError(f"start: expected one of {STARTS}, got {self.start!r}")

    @classmethod
    def partition(
        cls,
        frames: int,
        chunk_frames: int,
        steps: int,
        *,
        reference_frames: int = 0,
        gamma: float = 1.0,
    ) -> BufferConfig:
        """The partition of a queue whose frames get `steps` steps each. ValueError where the chunks do not
        divide the queue, or the chunks' number does not divide the steps.

        Args:
            frames: latent frames of the queue.
            chunk_frames: latent frames of a chunk.
            steps: denoising steps of a frame.
            reference_frames: clean latent frames before the queue.
            gamma: bends the levels along the queue.
        """
        chunks = chunks_of(frames, chunk_frames)
        if steps < 1 or steps % chunks:
            raise ValueError(f"steps: expected a multiple of {chunks} chunks, got {steps}")
        return cls(chunk_frames, chunks, steps // chunks, reference_frames, gamma)

    @property
    def queue_frames(self) -> int:
        """Latent frames that are being denoised (N c)."""
        return self.chunks * self.chunk_frames

    @property
    def frames(self) -> int:
        """Latent frames of a forward (B = K + N c)."""
        return self.reference_frames + self.queue_frames

    @property
    def forward_frames(self) -> int:
        """Latent frames of a forward."""
        return self.frames

    @property
    def label(self) -> str:
        """The settings in the paper's letters."""
        return Partition(self.chunk_frames, self.chunks, self.reference_frames, self.micro_steps).label

    def memory_bytes(self, network: NetworkConfig, tokens: int, itemsize: int) -> int:
        """Bytes that the sampler keeps for the whole stream: the float32 latents of its queue.

        Args:
            network: whose latents are queued.
            tokens: of a latent frame.
            itemsize: bytes of a number of the network, which a queue does not keep.
        """
        cells = tokens * network.patch[1] * network.patch[2]
        return self.frames * cells * network.latent_channels * 4

    @property
    def steps(self) -> int:
        """Denoising steps of every frame (T = s N)."""
        return self.micro_steps * self.chunks

    def with_steps(self, steps: int) -> BufferConfig:
        """The same chunks with other micro-steps, so that every frame gets `steps` steps."""
        if steps < 1 or steps % self.chunks:
            raise ValueError(f"steps: expected a multiple of {self.chunks} chunks, got {steps}")
        return replace(self, micro_steps=steps // self.chunks)

    def divided(
        self,
        *,
        chunk_frames: int | None = None,
        chunks: int | None = None,
        micro_steps: int | None = None,
        reference_frames: int | None = None,
        guidance: float | None = None,
        start: Start | None = None,
    ) -> BufferConfig:
        """Other settings of the same weights. None leaves one as it is. ValueError for what does not divide,
        and for what the weights were not trained for.

        Args:
            chunk_frames: latent frames of a chunk.
            chunks: of the queue. Without it other chunks divide the same queue.
            micro_steps: of a slot. Without it every frame keeps its number of steps.
            reference_frames: clean latent frames before the queue.
            guidance: weight of the text.
            start: how a stream begins.
        """
        c = self.chunk_frames if chunk_frames is None else chunk_frames
        if chunks is None:
            chunks = self.chunks if c == self.chunk_frames else chunks_of(self.queue_frames, c)
        made = replace(
            self,
            chunk_frames=c,
            chunks=chunks,
            micro_steps=max(1, self.steps // chunks) if micro_steps is None else micro_steps,
            reference_frames=self.reference_frames if reference_frames is None else reference_frames,
            guidance=self.guidance if guidance is None else guidance,
            start=self.start if start is None else start,
        )
        self.check_trained(made)
        return made if micro_steps is not None else made.with_steps(self.steps)

    def adjusted(self, steps: int | None, buffer: Mapping[str, Any] | None) -> BufferConfig:
        """The settings with what a stream asks for. ValueError for what the weights were not trained for.

        Args:
            steps: denoising steps of a frame. None leaves the model's own.
            buffer: settings of `divided`.
        """
        made = self.divided(**(buffer or {}))
        if steps is None:
            return made
        made = made.with_steps(steps)
        self.check_trained(made)
        return made

    def check_trained(self, wanted: BufferConfig) -> None:
        """ValueError, with the list of what they were, unless the weights were trained for these settings."""
        own = Partition(self.chunk_frames, self.chunks, self.reference_frames)
        known = self.trained or (own,)
        for each in known:
            steps = wanted.micro_steps if each.micro_steps is None else each.micro_steps
            if (*each[:3], steps) == (
                wanted.chunk_frames,
                wanted.chunks,
                wanted.reference_frames,
                wanted.micro_steps,
            ):
                return
        got = Partition(wanted.chunk_frames, wanted.chunks, wanted.reference_frames, wanted.micro_steps)
        listed = ", ".join(each.label for each in known)
        raise ValueError(
            f"partition: expected one that these weights were trained for ({listed}), got {got.label}"
        )

    def level(self, progress: float) -> float:
        """The noise level at a progress of 0 (pure noise) to 1 (data)."""
        return 1.0 - progress**self.gamma

    def sigmas(self, micro_step: int) -> tuple[float, ...]:
        """The level of each chunk before this micro-step (0..s), oldest first.

        After the last one the oldest chunk is at 0 exactly, and the others are where their older
        neighbours were.
        """
        if not 0 <= micro_step <= self.micro_steps:
            raise ValueError(f"micro_step: expected 0..{self.micro_steps}, got {micro_step}")
        done = [self.micro_steps * (self.chunks - 1 - chunk) + micro_step for chunk in range(self.chunks)]
        return tuple(self.level(steps / self.steps) for steps in done)
