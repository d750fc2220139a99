"""Training of the moving buffer: noise levels by chunk, and the loss.

Owns the draws of partitions and levels (StreamDiT, eq. 8) and the weighted error of the velocity. Pure
functions.
Slot 0 is the oldest and cleanest. Levels are this repository's sigma (0 clean, 1 noise), so slot levels rise
along the buffer.
Shapes: levels (B, T). latents (B, C, T, H, W). weight (B, 1, T, H, W).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

PARTITIONS: Mapping[int, float] = {
    8: 0.40,
    2: 0.36,
    4: 0.14,
    1: 0.10,
}  # frames of a chunk: share of the draws
SHARED = 0.5  # of the draws with one offset for all chunks, as when streaming
UNIFORM = 0.4  # of the draws of a single chunk with even levels; the others are logit-normal


def draw_partition(rng: torch.Generator, partitions: Mapping[int, float] = PARTITIONS) -> int:
    """The frames of a chunk, by lot."""
    shares = torch.tensor(list(partitions.values()))
    return list(partitions)[int(torch.multinomial(shares, 1, generator=rng))]


def draw_levels(
    batch: int,
    frames: int,
    chunk: int,
    rng: torch.Generator,
    shared: float = SHARED,
    uniform: float = UNIFORM,
    shift: float = 1.0,
) -> Tensor:
    """Noise levels (batch, frames): chunk j of N is drawn evenly from its own segment [j / N, (j + 1) / N].
    One chunk alone is plain flow matching, with `uniform` and `shift` as in `draw_single`.

    Args:
        batch: samples.
        frames: latent frames.
        chunk: latent frames of a chunk.
        rng: of the draws.
        shared: share of the samples whose place within the segment is the same in all chunks.
        uniform: see `draw_single`.
        shift: see `draw_single`.
    """
    if frames % chunk:
        raise ValueError(f"chunk: expected a divisor of {frames} frames, got {chunk}")
    count = frames // chunk
    if count == 1:
        return draw_single(batch, rng, uniform, shift=shift)[:, None].expand(batch, frames)
    own = torch.rand(batch, count, generator=rng)
    same = torch.rand(batch, 1, generator=rng).expand(batch, count)
    place = torch.where(torch.rand(batch, 1, generator=rng) < shared, same, own)
    return ((torch.arange(count) + place) / count).repeat_interleave(chunk, 1)


def draw_single(
    batch: int, rng: torch.Generator, uniform: float = UNIFORM, mean: float = 0.0, shift: float = 1.0
) -> Tensor:
    """Levels (batch,) of whole clips: even for a share of them, else the sigmoid of a normal.

    Args:
        batch: samples.
        rng: of the draws.
        uniform: share of the even ones.
        mean: of the normal.
        shift: above 1 moves the even ones towards noise, as a sampler's shift moves its steps.
    """
    even = torch.rand(batch, generator=rng)
    even = shift * even / (1 + (shift - 1) * even)
    normal = torch.sigmoid(torch.randn(batch, generator=rng) + mean)
    return torch.where(torch.rand(batch, generator=rng) < uniform, even, normal)


def slot_levels(frames: int, chunk: int, place: float = 0.5) -> Tensor:
    """The levels (frames,) of a streaming buffer whose chunks all stand at `place` of their segments."""
    count = frames // chunk
    return ((torch.arange(count) + place) / count).repeat_interleave(chunk)


def weighted_error(velocity: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """The mean squared error of a velocity, weighted by cell. Weights count by their share."""
    error = (velocity.float() - target.float()).square().mean(1, keepdim=True)
    return (error * weight).sum() / weight.sum()
