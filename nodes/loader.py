"""Load MotionStream: a weights file becomes MODEL, CLIP and VAE."""

from __future__ import annotations

from pathlib import Path

from comfy_api.latest import io

from ..motionstream_core.model.weights.checkpoint_presets import (
    CHECKPOINT_PRESETS,
    WHOLE_CLIP_PRESETS,
    is_single_file,
)
from ..motionstream_core.model.weights.first_use import convert_once, is_public, stamp_of
from ..motionstream_core.model.weights.networks import open_networks
from . import _host

CATEGORY = "MotionStream"
FROM_FILE = "as the file says"
PERMILLE = 1000  # steps of the progress of a conversion


class LoadMotionStream(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MotionStreamLoader",
            display_name="Load MotionStream",
            category=CATEGORY,
            description=(
                "Loads a streaming, track-following video model with its text encoder and its video codec. "
                "Public causal Wan weights are the network alone."
            ),
            search_aliases=[
                "motionstream",
                "streaming model",
                "track model",
                "trackwan",
                "convert checkpoint",
            ],
            inputs=[
                io.Combo.Input(
                    "weights",
                    options=_host.weight_names(),
                    default=_host.BUILT_IN_NAME,
                    tooltip=(
                        "The model that comes with the pack, a file of models/motionstream, or public "
                        "causal weights of models/diffusion_models: a .pt, or a diffusers folder (with a / "
                        "behind its name), which is converted once, beside itself."
                    ),
                ),
                io.Combo.Input(
                    "preset",
                    options=[FROM_FILE, *CHECKPOINT_PRESETS, *WHOLE_CLIP_PRESETS],
                    default=FROM_FILE,
                    optional=True,
                    advanced=True,
                    tooltip=(
                        "For public weights that do not say what they were trained as: Self Forcing's .pt, "
                        "a TrackWan file without its config.json. Everything else says it itself."
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
    def fingerprint_inputs(cls, weights: str = _host.BUILT_IN_NAME, preset: str = FROM_FILE) -> str:
        return f"{stamp_of(_host.weight_path(weights))}"

    @classmethod
    def execute(cls, weights: str, preset: str = FROM_FILE) -> io.NodeOutput:
        path = _host.weight_path(weights)
        chosen = None if preset == FROM_FILE else preset
        if is_public(path):
            path = converted(path, chosen)
        elif chosen is not None:
            raise ValueError(
                f"preset: expected {FROM_FILE!r} for a file of this pack, which says it itself, got {chosen}"
            )
        return io.NodeOutput(
            *(
                _host.load_checkpoint(path)
                if is_single_file(path)
                else _host.to_patchers(open_networks(path, _host.check_interrupt))
            )
        )


def converted(source: Path, preset: str | None) -> Path:
    """The file that public weights are converted into, once, with progress and the host's interrupt."""
    step = _host.progress(PERMILLE)

    def on_bytes(done: int, total: int):
        step((PERMILLE - 1) * done // max(total, 1))

    notes = _host.NodeNotes()
    return convert_once(source, preset, _host.models_folder(), say=notes, on_bytes=on_bytes)
