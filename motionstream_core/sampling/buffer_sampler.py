"""The sampler of StreamDiT: a network on the moving buffer, a chunk of finished frames at a time.

Owns what a step asks the network: text and motion of all frames in work, guidance, and attention without a
cache. The queue, its levels and its noise are `buffer.py`'s.

Latents (B, C, T, H, W) float32. T counts latent frames.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ..model.config import BufferConfig
from ..model.context import bidirectional_context
from ..model.denoiser import Denoiser
from ..model.dit import TextContext
from .buffer import BufferSnapshot, Entries, MovingBuffer
from .sampler import LatentChunk, MotionCondition, SamplerRun, StageClock, TextSource, motion_of
from .step import predict_x0


@dataclass(frozen=True)
class BufferSamplerSnapshot:
    """A buffer sampler between two chunks."""

    index: int
    buffer: BufferSnapshot

    @property
    def nbytes(self) -> int:
        return self.buffer.nbytes


class BufferSampler:
    """A LatentSampler over a moving buffer.

    Text and the motion of all frames in work are read again for every chunk that leaves: a prompt or a track
    that changes bends every frame that has not left yet, and nothing is flushed.

    Args:
        config: the partition, and the guidance.
        net: a network with attention among all frames of a forward.
        motion: the motion of the frames. None for a model without motion channels.
        text: the text of a chunk.
        null_text: the text that guidance leads away from. Needed where the config's guidance is not 1.
        run: size, noise and length.
        reference: the frames before the stream, for a partition that has them.
        entries: what enters in the place of noise (video to video).
    """

    def __init__(
        self,
        config: BufferConfig,
        net: Denoiser,
        *,
        motion: MotionCondition | None,
        text: TextSource,
        null_text: TextContext | None = None,
        run: SamplerRun,
        reference: Tensor | None = None,
        entries: Entries | None = None,
    ):
        if config.guidance != 1 and null_text is None:
            raise ValueError(f"null_text: expected one for a guidance of {config.guidance}, got none")
        if config.reference_frames and net.config.motion is not None:
            raise ValueError(
                "reference_frames: expected 0 for a model with motion channels, got "
                f"{config.reference_frames}"
            )
        batch, height, width = run.size
        self.config = config
        self._net = net
        self._motion = motion
        self._text = text
        self._null_text = null_text
        self._run = run
        self._index = 0
        self._context = bidirectional_context(net.config, run.backend)
        self._buffer = MovingBuffer(
            config,
            self._predict,
            (batch, net.config.latent_channels, height, width),
            run.rng,
            reference=reference,
            entries=entries,
            on_step=self._stepped,
            device=net.device,
        )
        self._step = 0
        self._told: Tensor | None = None  # the motion of the whole queue, as it is for this chunk

    @property
    def lookahead(self) -> int:
        """Latent frames in work at once."""
        return self.config.queue_frames

    @property
    def memory_bytes(self) -> int:
        """Bytes of the queue: the buffer is the only memory."""
        return self._buffer.nbytes

    @property
    def ended(self) -> bool:
        """Whether the wanted chunks have been made."""
        return self._run.chunks is not None and self._index >= self._run.chunks

    # Self is of Python 3.11
    def __iter__(self) -> BufferSampler:
        return self

    def __next__(self) -> LatentChunk:
        if self.ended:
            raise StopIteration
        clock = StageClock(self._net.device)
        start = self._buffer.start
        self._step = 0
        # Controls come between two chunks, so that its micro-steps share one answer. Frames in work are asked
        # for again with the next chunk, until theirs leaves.
        if self._motion is not None:
            frames = range(start, start + self.config.queue_frames)
            self._told = motion_of(self._motion, self._net, self._run, frames)
        clock.lap("motion_s")
        latents = next(self._buffer)
        clock.lap("denoise_s")
        if self._motion is not None:
            self._motion.release(start + self.config.chunk_frames)
        chunk = LatentChunk(self._index, start, latents, (clock,))
        self._index += 1
        return chunk

    def finish_pending(self) -> None:
        """No-op: a chunk leaves nothing behind."""

    def change_scene(self) -> bool:
        """False: the frames in work belong to this scene, and there is no sink to fill anew."""
        return False

    copied_bytes = 0
    recent: Tensor | None = None

    def snapshot(self, light: bool = False) -> BufferSamplerSnapshot:
        """Where the sampler is, to come back to: small as it is."""
        return BufferSamplerSnapshot(self._index, self._buffer.snapshot())

    def restore(self, snapshot: BufferSamplerSnapshot) -> None:
        self._index = snapshot.index
        self._buffer.restore(snapshot.buffer)

    def _predict(self, x: Tensor, sigma: Tensor, frames: range) -> Tensor:
        """The clean latents of all frames in work, guided where the config says so."""
        # A queue that grows is the beginning of the whole one.
        motion = None if self._told is None else self._told[:, :, : len(frames)]
        text = self._text(self._index)
        x0 = predict_x0(self._net, x, sigma, motion, text, self._context)
        if self.config.guidance == 1 or self._null_text is None:
            return x0
        null = predict_x0(self._net, x, sigma, motion, self._null_text, self._context)
        return null + self.config.guidance * (x0 - null)

    def _stepped(self) -> None:
        if self._run.on_step is not None:
            self._run.on_step(self._index, self._step)
        self._step += 1
