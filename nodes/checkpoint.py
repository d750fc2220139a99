"""Causal Wan Checkpoint: a MODEL of the host's loaders, and what it was made for."""

from __future__ import annotations

import logging

from comfy_api.latest import io

from ..motionstream_core.model.cache import CacheShape
from ..motionstream_core.model.weights.checkpoint_presets import CHECKPOINT_PRESETS
from ._adopt import STATEMENT, stated_config
from .loader import CATEGORY, FROM_FILE

LOG = logging.getLogger("motionstream")


class CausalCheckpoint(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        presets = "; ".join(
            f"{name}: {preset.about}, {preset.steps} steps, {preset.context}"
            for name, preset in CHECKPOINT_PRESETS.items()
        )
        return io.Schema(
            node_id="MotionStreamCheckpoint",
            display_name="Causal Wan Checkpoint",
            category=CATEGORY,
            description=(
                "Says of a MODEL from the host's own loaders which causal Wan checkpoint it is, so that "
                "the Streaming Sampler can run it."
            ),
            search_aliases=[
                "motionstream",
                "self forcing",
                "causal forcing",
                "longlive",
                "causvid",
                "krea realtime",
            ],
            inputs=[
                io.Model.Input(
                    "model",
                    tooltip=(
                        "A causal Wan checkpoint from Load Diffusion Model, a GGUF loader or a LoRA "
                        "loader behind it."
                    ),
                ),
                io.Combo.Input(
                    "preset",
                    options=[FROM_FILE, *CHECKPOINT_PRESETS],
                    default=FROM_FILE,
                    tooltip=(
                        f"What the weights were trained as: chunk, context, noise levels. {FROM_FILE}: "
                        f"from the header of a converted file. {presets}"
                    ),
                ),
            ],
            outputs=[
                io.Model.Output(tooltip="The same model, for the Motion Encoder and the Streaming Sampler.")
            ],
        )

    @classmethod
    def execute(cls, model, preset=FROM_FILE) -> io.NodeOutput:
        config = stated_config(model, None if preset == FROM_FILE else preset)
        made = model.clone()
        made.set_attachments(STATEMENT, config)
        context: CacheShape = config.rolling.cache_shape
        LOG.info(
            "MotionStream: the model streams in chunks of %d latent frames (%s), %d steps",
            context.chunk,
            context.label,
            config.sampler.steps,
        )
        return io.NodeOutput(made)
