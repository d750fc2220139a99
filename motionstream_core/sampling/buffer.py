"""The moving buffer of StreamDiT (arXiv 2507.03745): latent frames in flight at staggered noise levels.

Owns the levels of the slots, the queue, both of its starts and its snapshots.
Knows nothing of networks, text or tracks: `predict` gives the clean latents of all frames in work.

The queue holds N chunks of c latent frames, oldest first and cleanest. Every step moves all of them one
micro-step towards the data. After s micro-steps the oldest chunk is clean and leaves, and a chunk of fresh
noise enters at the tail. So each frame gets exactly s N steps, and a chunk costs s predictions.
K reference frames, clean and older than the queue, may stand before it: they are seen and not denoised.

Levels are this repository's sigma: 0 is data, 1 is noise (the paper's tau is 1 - sigma).
Shapes: latents (B, C, T, H, W). levels (T,).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from ..model.config import BufferConfig
from .flow import add_noise


class QueueEntry(NamedTuple):
    """What enters at the tail of the queue in the place of pure noise (SDEdit): video to video.

    latents (B, C, c, H, W). strength 0..1 is the level at which it enters: 1 is noise, 0 leaves it alone.
    """

    latents: Tensor
    strength: float


Predict = Callable[[Tensor, Tensor, range], Tensor]
Entries = Callable[[range], QueueEntry | None]


@dataclass(frozen=True)
class BufferSnapshot:
    """A moving buffer between two chunks."""

    queue: Tensor | None
    strengths: tuple[float, ...]
    reference: Tensor
    start: int
    rng: Tensor

    @property
    def nbytes(self) -> int:
        """Bytes of the latents that it holds."""
        tensors = [self.reference] if self.queue is None else [self.reference, self.queue]
        return sum(tensor.nbytes for tensor in tensors)


class MovingBuffer:
    """An endless iterator over chunks (B, C, c, H, W) of clean latents.

    Args:
        config: the partition.
        predict: (x, sigma, frames) -> the clean latents of x, all of x's shape. X holds the reference frames
            and the queue, sigma (T,) their levels, `frames` their numbers in the stream (negative ones are
            reference frames from before it). It is asked once a step, so a prompt or a track that changes
            bends every frame that has not left yet.
        size: (B, C, H, W) of the latents.
        rng: where all noise is drawn. The same state gives the same video.
        reference: (B, C, K, H, W), the frames before the stream, for a partition that has them.
        entries: what enters instead of noise for the frames of a chunk. None, or None from it, is noise.
        on_step: called after each prediction. May raise to stop.
    """

    def __init__(
        self,
        config: BufferConfig,
        predict: Predict,
        size: tuple[int, int, int, int],
        rng: torch.Generator,
        *,
        reference: Tensor | None = None,
        entries: Entries | None = None,
        on_step: Callable[[], None] | None = None,
        device: torch.device | str = "cpu",
    ):
        self.config = config
        self.start = 0
        self._predict = predict
        self._size = size
        self._rng = rng
        self._device = torch.device(device)
        self._entries = entries
        self._on_step = on_step
        self._reference = self._checked(reference)
        self._queue: Tensor | None = None
        self._strengths: tuple[float, ...] = ()

    def __iter__(self) -> Iterator[Tensor]:
        return self

    @property
    def nbytes(self) -> int:
        """Bytes of the queue and the reference frames: the same for the whole stream."""
        batch, channels, height, width = self._size
        return 4 * batch * channels * self.config.frames * height * width

    def __next__(self) -> Tensor:
        config = self.config
        # 1) Fill the queue, or refill its tail where the last chunk left.
        self.ready()
        # 2) One slot's way: the oldest chunk comes to level 0.
        for micro_step in range(config.micro_steps):
            self._step(config.sigmas(micro_step), config.sigmas(micro_step + 1))
        # 3) It leaves. What entered later moves up by a slot, whose levels it has by now.
        assert self._queue is not None
        chunk = self._queue[:, :, : config.chunk_frames].clone()
        self._queue = self._queue[:, :, config.chunk_frames :]
        self._strengths = self._strengths[1:]
        if config.reference_frames:
            self._reference = torch.cat([self._reference, chunk], 2)[:, :, -config.reference_frames :]
        self.start += config.chunk_frames
        return chunk

    def ready(self) -> Tensor:
        """The queue (B, C, N c, H, W) before a chunk's first micro-step, every slot at its level."""
        if self._queue is None:
            self._fill()
        elif self._queue.shape[2] < self.config.queue_frames:
            self._append()
        assert self._queue is not None
        return self._queue

    def snapshot(self) -> BufferSnapshot:
        """Where the stream is, to come back to with `restore`."""
        queue = None if self._queue is None else self._queue.clone()
        return BufferSnapshot(
            queue, self._strengths, self._reference.clone(), self.start, self._rng.get_state()
        )

    def restore(self, snapshot: BufferSnapshot) -> None:
        """Goes back to a snapshot. What follows is what followed then."""
        self._queue = None if snapshot.queue is None else snapshot.queue.clone()
        self._strengths = snapshot.strengths
        self._reference = snapshot.reference.clone()
        self.start = snapshot.start
        self._rng.set_state(snapshot.rng)

    def _fill(self) -> None:
        """A queue as it stands before a chunk's first micro-step."""
        if self.config.start == "uniform":
            self._fill_from_uniform()
            return
        # Each chunk takes its slot's steps before the next one enters behind it.
        for count in range(1, self.config.chunks + 1):
            self._append()
            if count == self.config.chunks:
                return
            for micro_step in range(self.config.micro_steps):
                before = self.config.sigmas(micro_step)[-count:]
                after = self.config.sigmas(micro_step + 1)[-count:]
                self._step(before, after)

    def _fill_from_uniform(self) -> None:
        """The states of one uniform run of the whole queue, each slot's from the step at its level."""
        config = self.config
        c = config.chunk_frames
        for noise in self._noise(config.queue_frames).split(c, 2):
            self._append(noise)
        assert self._queue is not None
        slots = [self._queue[:, :, -c:]]
        levels = [config.level(step / config.steps) for step in range(config.steps + 1)]
        # The newest slot is the noise itself; the slot before it has taken s steps, and so on to the oldest.
        for step in range(config.steps - config.micro_steps):
            self._step((levels[step],) * config.chunks, (levels[step + 1],) * config.chunks)
            taken = step + 1
            if taken % config.micro_steps == 0:
                chunk = config.chunks - 1 - taken // config.micro_steps
                slots.append(self._queue[:, :, chunk * c : (chunk + 1) * c])
        self._queue = torch.cat(slots[::-1], 2)

    def _append(self, noise: Tensor | None = None) -> None:
        """The next chunk at the tail: noise, or an entry noised to its own level."""
        c = self.config.chunk_frames
        begin = self.start + (0 if self._queue is None else self._queue.shape[2])
        noise = self._noise(c) if noise is None else noise
        entry = None if self._entries is None else self._entries(range(begin, begin + c))
        strength = 1.0
        if entry is not None:
            strength = entry.strength
            if not 0 <= strength <= 1:
                raise ValueError(f"strength: expected 0..1, got {strength}")
            if entry.latents.shape != noise.shape:
                expected, got = tuple(noise.shape), tuple(entry.latents.shape)
                raise ValueError(
                    f"entry of latent frames {begin} to {begin + c - 1}: expected {expected}, got {got}"
                )
            noise = add_noise(entry.latents.to(noise), noise, strength)
        self._queue = noise if self._queue is None else torch.cat([self._queue, noise], 2)
        self._strengths = (*self._strengths, strength)

    def _step(self, before: tuple[float, ...], after: tuple[float, ...]) -> None:
        """One Euler step of all chunks in the queue from their levels to the next ones (eq. 6)."""
        assert self._queue is not None
        here = self._levels(before)
        there = self._levels(after)
        known = self.config.reference_frames
        x = torch.cat([self._reference, self._queue], 2) if known else self._queue
        sigma = torch.cat([torch.zeros(known), here])
        frames = range(self.start - known, self.start + self._queue.shape[2])
        with torch.no_grad():
            x0 = self._predict(x, sigma.to(x.device), frames)[:, :, known:]
        # x moves along x - x0 by the share of the level that is left; a frame at level 0 stays as it is.
        share = torch.where(here > 0, there / here.clamp(min=1e-12), 1.0).to(x0)[:, None, None]
        self._queue = torch.where(share == 1, self._queue, x0 + share * (self._queue - x0))
        if self._on_step is not None:
            self._on_step()

    def _levels(self, sigmas: tuple[float, ...]) -> Tensor:
        """Chunks' levels, each scaled to where its chunk entered, as levels of frames."""
        levels = torch.tensor(sigmas, dtype=torch.float64) * torch.tensor(
            self._strengths, dtype=torch.float64
        )
        return levels.float().repeat_interleave(self.config.chunk_frames)

    def _noise(self, frames: int) -> Tensor:
        """Drawn in float32 on the generator's own device, so that a seed means the same video everywhere."""
        batch, channels, height, width = self._size
        size = (batch, channels, frames, height, width)
        return torch.randn(size, generator=self._rng, device=self._rng.device).to(self._device)

    def _checked(self, reference: Tensor | None) -> Tensor:
        batch, channels, height, width = self._size
        expected = (batch, channels, self.config.reference_frames, height, width)
        if reference is None:
            if self.config.reference_frames:
                raise ValueError(
                    f"reference: expected {self.config.reference_frames} latent frames, got none"
                )
            return torch.zeros(expected, device=self._device)
        if tuple(reference.shape) != expected:
            raise ValueError(f"reference: expected {expected}, got {tuple(reference.shape)}")
        return reference.float().to(self._device)


def with_lookahead(predict: Predict, frames: int) -> Predict:
    """FIFO-Diffusion's lookahead denoising (arXiv 2405.11473), for a model trained on clips of `frames`.

    The queue is longer than a clip: windows of `frames` frames go over it by half a window, and of each only
    the later, noisier half is taken, which has seen the cleaner half before it. The first half window needs
    `frames` / 2 reference frames before the queue.
    """
    if frames < 2 or frames % 2:
        raise ValueError(f"frames: expected an even number from 2, got {frames}")
    half = frames // 2

    def windows(x: Tensor, sigma: Tensor, numbers: range) -> Tensor:
        total = x.shape[2]
        if total < frames or total % half:
            raise ValueError(f"x: expected a multiple of {half} latent frames from {frames}, got {total}")
        parts = []
        for begin in range(0, total - half, half):
            window = slice(begin, begin + frames)
            clean = predict(x[:, :, window], sigma[window], numbers[window])
            parts.append(clean if begin == 0 else clean[:, :, half:])
        return torch.cat(parts, 2)

    return windows
