"""The tiny causal video codec: frames to latents and back, as a whole clip or chunk by chunk.

Owns the autoencoder of the built-in model. Knows nothing of noise, tracks or text.

The architecture is of the TAEHV kind (madebyollin/taehv describes the idea): plain convolutions, "memory
blocks" that see their own input of one time step earlier, and no other way to look back in time. So the whole
past that a chunk needs is one feature map per memory block, and the batch form and the streaming form are the
same function called once or many times. A linear skip of each cell's mean colours (learned, but started at
the identity) goes round encoder and decoder: training starts from a blurred picture instead of grey.

Shapes: frames (B, T, 3, H, W) float in 0..1 with T = 1 + 4k at the start of a clip and T = 4k later on.
latents (B, C, t, H/8, W/8), zero mean and unit variance per channel, with t = 1 + k at the start and k later
on.
Latent frame 0 holds frame 0 alone (repeated four times, as Wan's stride has it). Latent frame k > 0 holds
frames 4k-3 … 4k.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from .base import TIME_STRIDE, CodecState

SPACE_STRIDE = 8
BOUND = 3.0


@dataclass(frozen=True)
class CodecConfig:
    """Widths of the codec. `encoder` and `decoder` are channels at 1/2, 1/4, 1/8 (encoder) and 1/8, 1/4, 1/2,
    1/1 (decoder).
    """

    latent_channels: int = 16
    encoder: tuple[int, int, int] = (32, 64, 96)
    decoder: tuple[int, int, int, int] = (128, 96, 48, 24)


class MemoryBlock(nn.Module):
    """Residual block on the current and the previous time step of its own input: x (B, T, C, H, W) -> same
    shape.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.conv1 = nn.Conv2d(2 * channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv3 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor, past: Tensor | None) -> tuple[Tensor, Tensor]:
        first = torch.zeros_like(x[:, :1]) if past is None else past
        previous = torch.cat([first, x[:, :-1]], dim=1)
        batch = x.shape[0]
        pair = rearrange([x, previous], "two b t c h w -> (b t) (two c) h w")
        y = F.relu(self.conv1(pair), inplace=True)
        y = F.relu(self.conv2(y), inplace=True)
        y = self.conv3(y) + rearrange(x, "b t c h w -> (b t) c h w")
        return rearrange(F.relu(y), "(b t) c h w -> b t c h w", b=batch), x[
            :, -1:
        ].clone()  # of its own: a view would keep the whole chunk


class Convolution(nn.Module):
    """A 2-D convolution applied to every time step, optionally after nearest upsampling by two."""

    def __init__(
        self, cin: int, cout: int, kernel: int = 3, stride: int = 1, upsample: bool = False, relu: bool = True
    ):
        super().__init__()
        self.conv = nn.Conv2d(cin, cout, kernel, stride=stride, padding=kernel // 2)
        self.upsample = upsample
        self.relu = relu

    def forward(self, x: Tensor) -> Tensor:
        batch = x.shape[0]
        y = rearrange(x, "b t c h w -> (b t) c h w")
        if self.upsample:
            y = F.interpolate(y, scale_factor=2, mode="nearest")
        y = self.conv(y)
        y = F.relu(y, inplace=True) if self.relu else y
        return rearrange(y, "(b t) c h w -> b t c h w", b=batch)


class TimePool(nn.Module):
    """Two time steps into one: (B, 2t, C, H, W) -> (B, t, C, H, W)."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv = Convolution(2 * channels, channels, kernel=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(rearrange(x, "b (t two) c h w -> b t (two c) h w", two=2))


class TimeGrow(nn.Module):
    """One time step into two: (B, t, C, H, W) -> (B, 2t, C, H, W)."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv = Convolution(channels, 2 * channels, kernel=1)

    def forward(self, x: Tensor) -> Tensor:
        return rearrange(self.conv(x), "b t (two c) h w -> b (t two) c h w", two=2)


def _run(layers: nn.ModuleList, x: Tensor, memory: list[Tensor | None]) -> tuple[Tensor, list[Tensor | None]]:
    """Runs the layers in order. Memory blocks take and leave one entry of `memory` each."""
    after: list[Tensor | None] = []
    index = 0
    for layer in layers:
        if isinstance(layer, MemoryBlock):
            x, kept = layer(x, memory[index])
            after.append(kept)
            index += 1
        else:
            x = layer(x)
    return x, after


class TinyCodec(nn.Module):
    """Causal video autoencoder, stride 4×8×8.

    `encode` and `decode` take a whole clip. `encode_chunk` and `decode_chunk` take the next piece of a stream
    with the state that the piece before left (`start_encode()`, `start_decode()` give the state of a new
    stream) and give the same numbers.
    """

    latent_mean: Tensor
    latent_std: Tensor
    convolutions = "plain"  # of the decoder on a CPU: one of `channels_last.ORDERS`

    def __init__(self, config: CodecConfig | None = None):
        super().__init__()
        self.config = config = config or CodecConfig()
        e2, e4, e8 = config.encoder
        d8, d4, d2, d1 = config.decoder
        z = config.latent_channels
        self.encoder = nn.ModuleList(
            [
                Convolution(12, e2),
                Convolution(e2, e2),
                Convolution(e2, e4, stride=2),
                TimePool(e4),
                MemoryBlock(e4),
                Convolution(e4, e8, stride=2),
                TimePool(e8),
                MemoryBlock(e8),
                MemoryBlock(e8),
                Convolution(e8, z, relu=False),
            ]
        )
        self.decoder = nn.ModuleList(
            [
                Convolution(z, d8),
                MemoryBlock(d8),
                MemoryBlock(d8),
                Convolution(d8, d4, upsample=True),
                MemoryBlock(d4),
                MemoryBlock(d4),
                TimeGrow(d4),
                Convolution(d4, d2, upsample=True),
                MemoryBlock(d2),
                MemoryBlock(d2),
                TimeGrow(d2),
                Convolution(d2, d1 * 4),
                PixelShuffle(),
                Convolution(d1, 3, relu=False),
            ]
        )
        self.encoder_skip = nn.Conv2d(TIME_STRIDE * 3, z, 1)
        self.decoder_skip = nn.Conv2d(z, TIME_STRIDE * 3, 1)
        self._init_skip()
        self.register_buffer("latent_mean", torch.zeros(z))
        self.register_buffer("latent_std", torch.ones(z))

    def _init_skip(self) -> None:
        """A coarse start: the first latent channels are the four frames' mean colours per 8×8 cell, and the
        decoder paints them back.
        """
        gain = 3.0
        colours = min(TIME_STRIDE * 3, self.config.latent_channels)
        for conv, weight, bias in ((self.encoder_skip, gain, -gain / 2), (self.decoder_skip, 1 / gain, 0.5)):
            offset = conv.bias
            assert offset is not None  # both are made with one
            nn.init.zeros_(conv.weight)
            nn.init.zeros_(offset)
            for i in range(colours):
                conv.weight.data[i, i] = weight
                offset.data[i] = bias
        for last in (self.encoder[-1], self.decoder[-1]):
            assert isinstance(last, Convolution)
            offset = last.conv.bias
            assert offset is not None
            last.conv.weight.data.mul_(0.1)
            offset.data.zero_()

    stride = SPACE_STRIDE

    @property
    def latent_channels(self) -> int:
        return self.config.latent_channels

    def _blocks(self, layers: nn.ModuleList) -> int:
        return sum(isinstance(layer, MemoryBlock) for layer in layers)

    def start_encode(self) -> CodecState:
        return CodecState([None] * self._blocks(self.encoder))

    def start_decode(self) -> CodecState:
        return CodecState([None] * self._blocks(self.decoder))

    def encode_chunk(self, frames: Tensor, state: CodecState) -> tuple[Tensor, CodecState]:
        """frames (B, T, 3, H, W) in 0..1, T = 1 + 4k on a new state and 4k later -> latents (B, C, t, H/8,
        W/8), next state.

        Raises ValueError when T, H or W do not fit the stride.
        """
        raw, after = self.encode_raw(frames, state)
        return self.normalise(raw), after

    def encode_raw(self, frames: Tensor, state: CodecState) -> tuple[Tensor, CodecState]:
        """Like `encode_chunk`, before normalisation (training of the codec itself)."""
        extra = 0 if state.started else 1
        if frames.shape[1] % TIME_STRIDE != extra or frames.shape[1] == 0:
            raise ValueError(
                f"expected {extra} + a multiple of {TIME_STRIDE} frames "
                f"{'in a running' if state.started else 'at the start of a'} stream, "
                f"got {frames.shape[1]}"
            )
        if frames.shape[-1] % SPACE_STRIDE or frames.shape[-2] % SPACE_STRIDE:
            raise ValueError(
                f"expected width and height divisible by {SPACE_STRIDE}, got "
                f"{frames.shape[-1]}x{frames.shape[-2]}"
            )
        if not state.started:
            frames = torch.cat([frames[:, :1].expand(-1, TIME_STRIDE - 1, -1, -1, -1), frames], dim=1)
        x = rearrange(frames, "b t c (h p) (w q) -> b t (c p q) h w", p=2, q=2)
        coarse = self._coarse(frames)
        x, memory = _run(self.encoder, x, state.memory)
        x = x + coarse
        x = BOUND * torch.tanh(x / BOUND)
        return rearrange(x, "b t c h w -> b c t h w"), CodecState(memory, True)

    def _coarse(self, frames: Tensor) -> Tensor:
        """frames (B, 4t, 3, H, W) -> (B, t, C, H/8, W/8) from the mean colours of every cell."""
        cells = F.avg_pool2d(
            rearrange(frames, "b (t four) c h w -> (b t) (four c) h w", four=TIME_STRIDE), SPACE_STRIDE
        )
        return rearrange(self.encoder_skip(cells), "(b t) c h w -> b t c h w", b=frames.shape[0])

    def normalise(self, raw: Tensor) -> Tensor:
        return (raw - self.latent_mean.view(-1, 1, 1, 1)) / self.latent_std.view(-1, 1, 1, 1)

    def denormalise(self, latents: Tensor) -> Tensor:
        return latents * self.latent_std.view(-1, 1, 1, 1) + self.latent_mean.view(-1, 1, 1, 1)

    def decode_chunk(self, latents: Tensor, state: CodecState) -> tuple[Tensor, CodecState]:
        """latents (B, C, t, h, w) -> frames (B, T, 3, 8h, 8w) in 0..1 (T = 4t - 3 on a new state, else 4t),
        next state.
        """
        frames, after = self.decode_raw(self.denormalise(latents), state)
        return frames.clamp(0.0, 1.0), after

    def decode_raw(self, raw: Tensor, state: CodecState) -> tuple[Tensor, CodecState]:
        """Like `decode_chunk`, on latents before normalisation and without the clamp (training of the codec
        itself).
        """
        x = rearrange(raw, "b c t h w -> b t c h w")
        skip = rearrange(
            self.decoder_skip(rearrange(x, "b t c h w -> (b t) c h w")),
            "(b t) (four c) h w -> (b t four) c h w",
            b=raw.shape[0],
            four=TIME_STRIDE,
        )
        skip = F.interpolate(skip, scale_factor=SPACE_STRIDE, mode="bilinear", align_corners=False)
        x, memory = self._run_decoder(x, state.memory)
        x = x + rearrange(skip, "(b t) c h w -> b t c h w", b=raw.shape[0])
        return (x if state.started else x[:, TIME_STRIDE - 1 :]), CodecState(memory, True)

    def _run_decoder(self, x: Tensor, memory: list[Tensor | None]) -> tuple[Tensor, list[Tensor | None]]:
        """The decoder's layers in the order of memory that was asked for, where nobody asks for gradients."""
        plain = self.convolutions == "plain" or torch.is_grad_enabled() or x.dtype != torch.float32
        if plain or x.device.type != "cpu":
            return _run(self.decoder, x, memory)
        from .channels_last import run_channels_last

        half = self.convolutions == "bfloat16"
        return run_channels_last(self.decoder, x, memory, torch.bfloat16 if half else torch.float32)

    def encode(self, frames: Tensor) -> Tensor:
        """A whole clip: frames (B, 1 + 4k, 3, H, W) in 0..1 -> latents (B, C, 1 + k, H/8, W/8)."""
        return self.encode_chunk(frames, self.start_encode())[0]

    def decode(self, latents: Tensor) -> Tensor:
        """A whole clip: latents (B, C, t, h, w) -> frames (B, 4t - 3, 3, 8h, 8w) in 0..1."""
        return self.decode_chunk(latents, self.start_decode())[0]


class PixelShuffle(nn.Module):
    """Channels into pixels: (B, T, 4C, H, W) -> (B, T, C, 2H, 2W)."""

    def forward(self, x: Tensor) -> Tensor:
        return rearrange(x, "b t (c p q) h w -> b t c (h p) (w q)", p=2, q=2)
