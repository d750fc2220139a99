"""What a codec is: frames to latents and back, as a whole clip or chunk by chunk.

Owns the protocol, the state of a stream and what all codecs share. Knows no network.

    state = codec.start_decode()
    for latents in chunks:
        frames, state = codec.decode_chunk(latents, state)

Shapes: frames (B, T, 3, H, W) float in 0..1 with T = 1 + 4k at the start of a clip and T = 4k later on.
Latents (B, C, t, H/s, W/s), zero mean and unit variance per channel, with t = 1 + k at the start and k later
on. Latent frame 0 holds frame 0 alone, latent frame k > 0 holds frames 4k-3 … 4k.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

TIME_STRIDE = 4


@dataclass
class CodecState:
    """The past of a stream: what each layer that looks back was given last, in the order in which they run.
    Empty at the start of a clip.
    """

    memory: list[Tensor | None]
    started: bool = False


class Codec(Protocol):
    """A causal video codec of time stride 4."""

    @property
    def latent_channels(self) -> int: ...

    @property
    def stride(self) -> int:
        """Pixels across a latent cell."""
        ...

    def start_encode(self) -> CodecState:
        """The state of a new stream of frames."""
        ...

    def encode_chunk(self, frames: Tensor, state: CodecState) -> tuple[Tensor, CodecState]:
        """The next frames of a stream -> their latents and the state behind them."""
        ...

    def start_decode(self) -> CodecState:
        """The state of a new stream of latents."""
        ...

    def decode_chunk(self, latents: Tensor, state: CodecState) -> tuple[Tensor, CodecState]:
        """The next latents of a stream -> their frames and the state behind them."""
        ...

    def encode(self, frames: Tensor) -> Tensor:
        """A whole clip."""
        ...

    def decode(self, latents: Tensor) -> Tensor:
        """A whole clip."""
        ...


class ChunkedCodec:
    """A whole clip by the calls for a chunk, for codecs whose new state is an empty one."""

    latent_channels: int
    stride: int

    def start_encode(self) -> CodecState:
        return CodecState([])

    def start_decode(self) -> CodecState:
        return CodecState([])

    def encode_chunk(self, frames: Tensor, state: CodecState) -> tuple[Tensor, CodecState]:
        raise NotImplementedError

    def decode_chunk(self, latents: Tensor, state: CodecState) -> tuple[Tensor, CodecState]:
        raise NotImplementedError

    def encode(self, frames: Tensor) -> Tensor:
        """A whole clip: frames (B, 1 + 4k, 3, H, W) in 0..1 -> latents (B, C, 1 + k, H/s, W/s)."""
        return self.encode_chunk(frames, self.start_encode())[0]

    def decode(self, latents: Tensor) -> Tensor:
        """A whole clip: latents (B, C, t, h, w) -> frames (B, 4t - 3, 3, s h, s w) in 0..1."""
        return self.decode_chunk(latents, self.start_decode())[0]

    def check_frames(self, frames: Tensor, state: CodecState) -> None:
        """ValueError unless these frames can be the next of a stream."""
        extra = 0 if state.started else 1
        if frames.ndim != 5 or frames.shape[1] % TIME_STRIDE != extra or frames.shape[1] == 0:
            raise ValueError(
                f"frames: expected (B, {extra} + a multiple of {TIME_STRIDE}, 3, H, W), got "
                f"{tuple(frames.shape)}"
            )
        if frames.shape[-1] % self.stride or frames.shape[-2] % self.stride:
            raise ValueError(
                f"frames: expected width and height divisible by {self.stride}, got "
                f"{frames.shape[-1]}x{frames.shape[-2]}"
            )

    def check_latents(self, latents: Tensor) -> None:
        """ValueError unless these are latents of the codec."""
        if latents.ndim != 5 or latents.shape[1] != self.latent_channels:
            raise ValueError(
                f"latent: expected (B, {self.latent_channels}, t, h, w), got {tuple(latents.shape)}"
            )
