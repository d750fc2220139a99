"""Samples of the cartoon network in training: whole buffers from noise, and the conveyor that goes on for
ever, which is `sampling/buffer.py`'s.

Owns the whole buffers. Levels are this repository's sigma. Slot 0 of a buffer is the oldest. A conveyor has N
chunks of c latents and makes s steps between two emissions. It starts from the states of an ordinary sampling
whose levels its slots have.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from ...codec.tiny import TinyCodec
from ...model.config import BufferConfig
from ...sampling.buffer import BufferSnapshot, MovingBuffer
from .network import Cartoon

BUFFER, CELLS = 8, 16


def noise(count: int, frames: int, seed: int, channels: int = 16) -> Tensor:
    return torch.randn(count, channels, frames, CELLS, CELLS, generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def trajectory(net: Cartoon, x: Tensor, ids: Tensor, steps: int, scale: float) -> list[Tensor]:
    """The states at sigma = 1, 1 - 1/steps, …, 0 of Euler's method from noise x."""
    states = [x]
    for k in range(steps, 0, -1):
        levels = torch.full((x.shape[0], x.shape[2]), k / steps)
        states.append(states[-1] - net.guided(states[-1], levels, ids, scale) / steps)
    return states


def slots(chunks: int, size: int, done: float = 0.0) -> Tensor:
    """The levels of a buffer with `done` of its way to the next emission behind it: slot chunk j has (j +
    1 - done) / N.
    """
    return ((torch.arange(chunks) + 1 - done) / chunks).repeat_interleave(size)


def start_buffer(states: list[Tensor], chunks: int, size: int) -> Tensor:
    """A buffer whose every slot has its level, from the states of an ordinary sampling. Their number of
    steps must be a multiple of N.
    """
    steps = len(states) - 1
    if steps % chunks:
        raise ValueError(f"steps: expected a multiple of {chunks} chunks, got {steps}")
    parts = []
    for j in range(chunks):
        at = steps - (j + 1) * steps // chunks
        parts.append(states[at][:, :, j * size : (j + 1) * size])
    return torch.cat(parts, 2)


def conveyor(
    net: Cartoon, buffer: Tensor, ids: Tensor, *, size: int, micro: int, scale: float, seed: int
) -> Iterator[Tensor]:
    """Emits chunks (B, C, size, H, W) of clean latents without end, one every `micro` steps: the sampler's
    moving buffer, from this filled queue on.
    """
    batch, channels, frames, height, width = buffer.shape
    config = BufferConfig.partition(frames, size, micro * (frames // size))

    def predict(x: Tensor, sigma: Tensor, numbers: range) -> Tensor:
        levels = sigma.to(x).expand(batch, -1)
        return x - levels[:, None, :, None, None] * net.guided(x, levels, ids, scale)

    rng = torch.Generator().manual_seed(seed)
    stream = MovingBuffer(config, predict, (batch, channels, height, width), rng)
    none = buffer[:, :, :0]
    stream.restore(BufferSnapshot(buffer, (1.0,) * config.chunks, none, 0, rng.get_state()))
    return stream


@torch.no_grad()
def decoded(codec: TinyCodec, latents: Tensor) -> Tensor:
    """Latents (B, C, t, h, w) of a running stream to frames (B, 4 t, H, W, 3) uint8. The codec is warmed
    up with the first one.
    """
    warm = torch.cat([latents[:, :, :1], latents[:, :, :1], latents], 2)
    frames = codec.decode(warm)[:, 5:]
    return (frames.clamp(0, 1) * 255).round().byte().permute(0, 1, 3, 4, 2)
