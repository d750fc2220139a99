"""Two codecs of the same latents as one: frames go in through the first and come out through the second, such
as a Wan VAE and a TAEHV.
"""

from __future__ import annotations

from torch import Tensor

from .base import Codec, CodecState


class SplitCodec:
    """Encodes with `encoder`, decodes with `decoder`."""

    def __init__(self, encoder: Codec, decoder: Codec):
        if encoder.latent_channels != decoder.latent_channels:
            raise ValueError(
                f"vae: expected two of the same latent channels, got {encoder.latent_channels} to encode "
                f"and {decoder.latent_channels} to decode"
            )
        self.encoder = encoder
        self.decoder = decoder
        self.latent_channels = decoder.latent_channels
        self.stride = decoder.stride

    def start_encode(self) -> CodecState:
        return self.encoder.start_encode()

    def encode_chunk(self, frames: Tensor, state: CodecState) -> tuple[Tensor, CodecState]:
        return self.encoder.encode_chunk(frames, state)

    def encode(self, frames: Tensor) -> Tensor:
        return self.encoder.encode(frames)

    def start_decode(self) -> CodecState:
        return self.decoder.start_decode()

    def decode_chunk(self, latents: Tensor, state: CodecState) -> tuple[Tensor, CodecState]:
        return self.decoder.decode_chunk(latents, state)

    def decode(self, latents: Tensor) -> Tensor:
        return self.decoder.decode(latents)
