"""Two codecs of the same latents as one: frames go in through the first and come out through the second, such
as a Wan VAE and a TAEHV.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from .tiny import CodecState


class SplitCodec:
    """Encodes with `encoder`, decodes with `decoder`; both with the calls of TinyCodec."""

    def __init__(self, encoder: Any, decoder: Any):
        if encoder.latent_channels != decoder.latent_channels:
            raise ValueError(
                f"vae: expected two of the same latent channels, got {encoder.latent_channels} to encode "
                f"and {decoder.latent_channels} to decode"
            )
        self.encoder, self.decoder = encoder, decoder
        self.latent_channels = decoder.latent_channels
        self.start_encode, self.encode_chunk, self.encode = (
            encoder.start_encode,
            encoder.encode_chunk,
            encoder.encode,
        )
        self.start_decode = decoder.start_decode

    def decode_chunk(self, latents: Tensor, state: CodecState) -> tuple[Tensor, CodecState]:
        return self.decoder.decode_chunk(latents, state)

    def decode(self, latents: Tensor) -> Tensor:
        return self.decoder.decode(latents)
