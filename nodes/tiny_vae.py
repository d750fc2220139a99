"""Load Tiny VAE: a TAEHV file becomes a VAE, with the latents it was made for."""

from __future__ import annotations

from comfy_api.latest import io

from ..motionstream_core.codec.taehv import KINDS
from . import _host
from .loader import CATEGORY


class LoadTinyVAE(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MotionStreamTinyVAE",
            display_name="Load Tiny VAE",
            category=CATEGORY,
            description=(
                "Loads a tiny video autoencoder (TAEHV) for Wan: many times faster than the Wan VAE, and "
                "a little softer."
            ),
            search_aliases=["motionstream", "taehv", "taew2_1", "taew2_2", "lighttae"],
            inputs=[
                io.Combo.Input(
                    "file",
                    options=_host.tiny_vae_names(),
                    tooltip=(
                        "A file of models/vae_approx or models/vae, such as taew2_1 or taew2_2 (.pth or "
                        ".safetensors)."
                    ),
                ),
                io.Combo.Input(
                    "kind",
                    options=list(KINDS),
                    default=next(iter(KINDS)),
                    tooltip=(
                        "What latents the file was made for; weights alone cannot tell. madebyollin's "
                        "taew2_1 and taew2_2: taew. LightX2V's lighttaew2_1 and lighttaew2_2: lighttae."
                    ),
                ),
            ],
            outputs=[
                io.Vae.Output(
                    tooltip="A video VAE for the Streaming Sampler; also for VAE Encode and VAE Decode."
                )
            ],
        )

    @classmethod
    def execute(cls, file, kind) -> io.NodeOutput:
        if kind not in KINDS:
            raise ValueError(f"kind: expected one of {', '.join(KINDS)}, got {kind!r}")
        return io.NodeOutput(_host.tiny_vae(_host.tiny_vae_path(file), KINDS[kind]))
