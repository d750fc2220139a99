"""Moving Buffer Settings: the partition of StreamDiT's buffer as a value for the Streaming Sampler."""

from __future__ import annotations

from comfy_api.latest import io

from ..motionstream_core.model.buffer_config import STARTS
from .loader import CATEGORY

SamplerSettingsType = io.Custom("MOTIONSTREAM_SAMPLER")
OWN = "the model's own"


class BufferSettings(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MotionStreamBufferSettings",
            display_name="Moving Buffer Settings",
            category=CATEGORY,
            description=(
                "How the moving buffer of a text-to-video model is divided. What the weights were not "
                "trained for is refused, with the list of what they were."
            ),
            search_aliases=["motionstream", "StreamDiT", "partition", "chunk size", "micro steps", "FIFO"],
            inputs=[
                io.Int.Input(
                    "chunk_frames",
                    default=0,
                    min=0,
                    max=64,
                    tooltip=(
                        "Latent frames (of 4 frames) of a chunk, which leave together (c). Few keep what is "
                        "there, many let it change more. 0: the model's own."
                    ),
                ),
                io.Int.Input(
                    "chunks",
                    default=0,
                    min=0,
                    max=64,
                    tooltip="Chunks in the queue (N). 0: as many as fill the model's queue.",
                ),
                io.Int.Input(
                    "micro_steps",
                    default=0,
                    min=0,
                    max=64,
                    tooltip=(
                        "Denoising steps in each slot (s). A frame gets s times N of them. 0: so that a "
                        "frame gets as many as the model was made for."
                    ),
                ),
                io.Int.Input(
                    "reference_frames",
                    default=-1,
                    min=-1,
                    max=64,
                    tooltip="Clean latent frames kept before the queue (K). -1: the model's own.",
                ),
                io.Float.Input(
                    "guidance",
                    default=0.0,
                    min=0.0,
                    max=30.0,
                    step=0.1,
                    tooltip=(
                        "Guidance of the text against the empty text. 1: none, in half the time. 0: the "
                        "model's own."
                    ),
                ),
                io.Combo.Input(
                    "start",
                    options=[OWN, *STARTS],
                    tooltip=(
                        "How the queue is filled. uniform: from one ordinary sampling of the whole queue. "
                        "grow: from one chunk of noise."
                    ),
                ),
            ],
            outputs=[
                SamplerSettingsType.Output(
                    display_name="SETTINGS", tooltip="For the Streaming Sampler's settings."
                )
            ],
        )

    @classmethod
    def execute(
        cls, chunk_frames=0, chunks=0, micro_steps=0, reference_frames=-1, guidance=0.0, start=OWN
    ) -> io.NodeOutput:
        if 0 < guidance < 1:
            raise ValueError(f"guidance: expected 0 (the model's own) or at least 1, got {guidance}")
        return io.NodeOutput(
            {
                "chunk_frames": chunk_frames or None,
                "chunks": chunks or None,
                "micro_steps": micro_steps or None,
                "reference_frames": None if reference_frames < 0 else reference_frames,
                "guidance": guidance or None,
                "start": None if start == OWN else start,
            }
        )
