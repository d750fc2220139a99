"""What a stream asks of a sampler, and what a sampler asks of a stream.

Owns the protocols on both sides and the values that pass between them. Knows nothing of how a chunk is made:
that is one file a sampler (`rolling.py`), and `open.py` picks it by its settings.

Latents (B, C, T, H, W) float32. T counts latent frames.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Protocol

import torch
from torch import Tensor

from ..model.attention import Backend
from ..model.denoiser import Denoiser
from ..model.dit import TextContext
from .guided import LatentGuide

TextSource = Callable[[int], TextContext]  # chunk index -> the text of that chunk
OnStep = Callable[[int, int], None]  # (chunk index, step); may raise to stop
Motion = Callable[[int, int], Tensor]  # (first latent frame, count) -> their motion channels


class MotionCondition(Protocol):
    """The motion of latent frames, as a sampler asks for it. Frames may be asked for again until released."""

    def at(self, frames: range) -> Tensor | None:
        """The motion channels (1 or B, C_m, T, H, W) of these frames. None for a model without any."""
        ...

    def guide(self, frames: range) -> LatentGuide | None:
        """Latents that lead these frames, which were asked for last. None where nothing does."""
        ...

    def release(self, before: int) -> None:
        """Earlier frames are final: nothing asks for them again."""
        ...

    def as_first_frame(self, motion: Tensor, latents: Tensor) -> Tensor:
        """The motion channels of these latents, as if the first of them were the start image."""
        ...


class FunctionMotion:
    """A function as a MotionCondition that keeps nothing."""

    def __init__(self, function: Motion):
        self._function = function

    def at(self, frames: range) -> Tensor:
        return self._function(frames.start, len(frames))

    def guide(self, frames: range) -> LatentGuide | None:
        return None

    def release(self, before: int) -> None:
        """No-op: the function may be asked for any frames."""

    def as_first_frame(self, motion: Tensor, latents: Tensor) -> Tensor:
        return motion


@dataclass(frozen=True)
class SamplerRun:
    """What one run asks of any sampler.

    Args:
        size: batch, latent height and latent width.
        rng: the noise. The same state gives the same latents.
        chunks: how many chunks are denoised. None is endless.
        on_step: called after every denoising step.
        backend: attention.
    """

    size: tuple[int, int, int]
    rng: torch.Generator
    chunks: int | None = None
    on_step: OnStep | None = None
    backend: Backend = "sdpa"


@dataclass(frozen=True)
class LatentChunk:
    """Latent frames start .. start + T - 1."""

    index: int
    start: int
    latents: Tensor
    clocks: tuple[StageClock, ...]

    @property
    def frames(self) -> range:
        """The numbers of its latent frames."""
        return range(self.start, self.start + self.latents.shape[2])

    @property
    def timings(self) -> dict[str, float]:
        """Seconds spent since the chunk before, by motion_s, denoise_s and cache_s: the clean-context pass of
        the chunk before, which this one stands on. On an accelerator, waits for the chunk.
        """
        laps = {"motion_s": 0.0, "denoise_s": 0.0, "cache_s": 0.0}
        for clock in self.clocks:
            laps |= clock.laps()
        return laps


class LatentSampler(Protocol):
    """Latent chunks, one after another: what a stream drives.

    Between two chunks the stream may change what its motion and its text give, change the scene, take a
    snapshot or go back to one. A sampler reads motion and text when the next chunk is asked for.
    """

    @property
    def lookahead(self) -> int:
        """Latent frames in work at once: how late a control can be."""
        ...

    @property
    def memory_bytes(self) -> int:
        """Memory that stays the same for the whole stream."""
        ...

    @property
    def ended(self) -> bool:
        """Whether the wanted chunks have been made."""
        ...

    def __next__(self) -> LatentChunk: ...

    def finish_pending(self) -> None:
        """Work of the newest chunk that nobody who waits for its frames needs, and that the next one does."""
        ...

    def change_scene(self) -> bool:
        """The newest frames become the beginning. False where there is nothing to begin with."""
        ...

    @property
    def copied_bytes(self) -> int:
        """What a whole snapshot copies now beyond latents. 0 for a sampler whose snapshots are small."""
        ...

    @property
    def recent(self) -> Tensor | None:
        """The newest latents that are still known (B, C, t, H, W). None where there are none."""
        ...

    def snapshot(self, light: bool = False) -> Any:
        """Where the sampler is, with its size as `nbytes`. light: without what can be made again."""
        ...

    def restore(self, snapshot: Any) -> None: ...


class StageClock:
    """Laps in seconds. On an accelerator they are marks in its own queue, which nobody waits for before the
    laps are asked for.
    """

    def __init__(self, device: torch.device):
        self.device = device
        self.marks: list[tuple[str, Any]] = []
        self.lap("")

    def lap(self, name: str):
        if self.device.type == "cuda":
            mark = torch.cuda.Event(enable_timing=True)
            mark.record(torch.cuda.current_stream(self.device))
        else:
            mark = perf_counter()
        self.marks.append((name, mark))

    def laps(self) -> dict[str, float]:
        if self.device.type != "cuda":
            return {name: mark - before for (_, before), (name, mark) in zip(self.marks, self.marks[1:])}
        self.marks[-1][1].synchronize()
        return {
            name: before.elapsed_time(mark) / 1000
            for (_, before), (name, mark) in zip(self.marks, self.marks[1:])
        }


def draw_noise(net: Denoiser, run: SamplerRun, frames: int) -> Tensor:
    """Noise of so many latent frames, drawn in float32 on the generator's own device, so that a seed means
    the same video everywhere.
    """
    batch, height, width = run.size
    size = (batch, net.config.latent_channels, frames, height, width)
    # Page-locked, so that nobody waits for the copy.
    staged = run.rng.device.type == "cpu" and net.device.type == "cuda"
    noise = torch.randn(size, generator=run.rng, device=run.rng.device, pin_memory=staged)
    return noise.to(net.device, non_blocking=staged)


def motion_of(motion: MotionCondition, net: Denoiser, run: SamplerRun, frames: range) -> Tensor | None:
    """The motion channels of these frames where the network is, checked. None for a model without any."""
    made = motion.at(frames)
    channels = net.config.motion
    if made is None and channels is None:
        return None
    if made is None or channels is None:
        wanted, got = ("none", "some") if channels is None else ("some", "none")
        raise ValueError(f"motion: expected {wanted} for this model, got {got}")
    made = made.float().to(net.device)
    batch, height, width = run.size
    expected = (batch, channels.channels, len(frames), height, width)
    if made.shape[1:] != expected[1:] or made.shape[0] not in (1, batch):
        raise ValueError(
            f"motion of latent frames {frames.start} to {frames.stop - 1}: expected {expected}, got "
            f"{tuple(made.shape)}"
        )
    return made.expand(expected)
