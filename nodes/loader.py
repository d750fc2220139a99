"""Load MotionStream: a weights file becomes MODEL, CLIP and VAE."""

from __future__ import annotations

from comfy_api.latest import io

from ..motionstream_core.model.weights.checkpoint_presets import is_single_file
from ..motionstream_core.model.weights.networks import open_networks
from . import _host

CATEGORY = "MotionStream"


class LoadMotionStream(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MotionStreamLoader",
            display_name="Load MotionStream",
            category=CATEGORY,
            description=(
                "Loads a streaming, track-following video model with its text encoder and its video codec."
            ),
            search_aliases=["motionstream", "streaming model", "track model"],
            inputs=[
                io.Combo.Input(
                    "weights",
                    options=_host.weight_names(),
                    default=_host.BUILT_IN_NAME,
                    tooltip=(
                        "The model that comes with the pack, or a file in the host's folder "
                        "models/motionstream."
                    ),
                ),
            ],
            outputs=[
                io.Model.Output(
                    tooltip="The causal video model, for the Motion Encoder and the Streaming Sampler."
                ),
                io.Clip.Output(
                    tooltip="The text encoder, for CLIP Text Encode. It knows a small vocabulary."
                ),
                io.Vae.Output(
                    tooltip="The video codec, for the Streaming Sampler; also for VAE Encode and VAE Decode."
                ),
            ],
        )

    @classmethod
    def fingerprint_inputs(cls, weights: str = _host.BUILT_IN_NAME) -> str:
        about = _host.weight_path(weights).stat()
        return f"{about.st_mtime_ns} {about.st_size}"

    @classmethod
    def execute(cls, weights: str) -> io.NodeOutput:
        path = _host.weight_path(weights)
        return io.NodeOutput(
            *(
                _host.checkpoint(path)
                if is_single_file(path)
                else _host.patched(open_networks(path, _host.check_interrupt))
            )
        )
