"""Doctor and Benchmark: what is installed, what fits and what is slow on this machine, in words."""

from __future__ import annotations

from comfy_api.latest import io, ui

from ..motionstream_core.cli.bench import measure
from ..motionstream_core.cli.bench import table as bench_table
from ..motionstream_core.model.cache import CacheShape
from ..motionstream_core.model.presets import PRESETS
from ..motionstream_core.model.weights.checkpoint_presets import CHECKPOINT_PRESETS, named_config
from ..motionstream_core.model.weights.networks import Networks, check_size
from ..motionstream_core.planning.examination import checkpoint_lines, examine
from ..motionstream_core.planning.stream_memory import DECODERS, GIB, PRECISIONS, Plan, advice, beside_bytes
from ..motionstream_core.streaming.stream import cache_bytes
from . import _host
from ._adopt import codec_in, model_in
from .loader import CATEGORY

SHOWN = {
    "stream_fps": "frames a second",
    "first_frame_s": "seconds to the first frame",
    "chunk_p50_s": "seconds a chunk, median",
    "chunk_p95_s": "seconds a chunk, 95 of 100",
    "motion_s": "of them motion",
    "denoise_s": "of them denoising",
    "cache_s": "of them the cache pass",
    "decode_s": "of them decoding",
    "cache_mib": "MiB of rolling cache",
    "peak_mib": "MiB at most",
    "of_peak": "share of the device's matrix speed",
}


class Doctor(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MotionStreamDoctor",
            display_name="MotionStream Doctor",
            category=CATEGORY,
            description=(
                "Tells what this machine has and lacks, and whether a model fits its memory before you "
                "load it."
            ),
            search_aliases=["motionstream", "diagnose", "memory", "vram", "planner"],
            is_output_node=True,
            inputs=[
                io.Combo.Input(
                    "preset",
                    options=[*CHECKPOINT_PRESETS, *PRESETS],
                    default="self-forcing",
                    tooltip="The checkpoint or network that you would like to run.",
                ),
                io.Int.Input(
                    "width", default=832, min=16, max=4096, step=16, tooltip="Width of the video in pixels."
                ),
                io.Int.Input(
                    "height", default=480, min=16, max=4096, step=16, tooltip="Height of the video in pixels."
                ),
                io.String.Input(
                    "context",
                    default="",
                    tooltip=(
                        "Chunk, sink and window in latent frames, such as c3s3w3. Empty: as the preset "
                        "was trained."
                    ),
                ),
                io.Combo.Input(
                    "precision",
                    options=list(PRECISIONS),
                    default="bf16",
                    tooltip="How the weights are stored.",
                ),
                io.Combo.Input(
                    "decoder",
                    options=list(DECODERS),
                    default="wan",
                    tooltip="wan: the Wan VAE. taehv: Load Tiny VAE. tiny: the codec of the built-in model.",
                ),
                io.Float.Input(
                    "memory_gib",
                    default=0.0,
                    min=0.0,
                    max=1024.0,
                    step=0.5,
                    tooltip="Memory of the card in GiB; 0: what is free on this one now.",
                ),
            ],
            outputs=[io.String.Output(display_name="report", tooltip="What was found, in words.")],
        )

    @classmethod
    def execute(
        cls, preset, width, height, context="", precision="bf16", decoder="wan", memory_gib=0.0
    ) -> io.NodeOutput:
        config = named_config(preset)
        check_size(config, width, height)
        shape = CacheShape.parse(context.strip()) if context.strip() else config.rolling.cache_shape
        memory = int(memory_gib * GIB) if memory_gib else _host.free_memory()
        lines = [
            *examine().lines,
            "",
            *checkpoint_lines(_host.diffusion_models()),
            "",
            advice(Plan(config, width, height, shape, precision, decoder), memory),
        ]
        text = "\n".join(lines)
        return io.NodeOutput(text, ui=ui.PreviewText(text))

    @classmethod
    def fingerprint_inputs(cls, **inputs) -> float:
        return float("nan")  # what is free changes: never from the cache


class Benchmark(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MotionStreamBenchmark",
            display_name="MotionStream Benchmark",
            category=CATEGORY,
            description=(
                "Streams a short test with your model and VAE on your machine and tells what is fast and "
                "what is slow."
            ),
            search_aliases=["motionstream", "speed", "fps"],
            is_output_node=True,
            inputs=[
                io.Model.Input(
                    "model", tooltip="The model of Load MotionStream, or a causal Wan checkpoint."
                ),
                io.Vae.Input("vae", tooltip="What decodes."),
                io.Int.Input(
                    "width", default=128, min=16, max=4096, step=16, tooltip="Width of the video in pixels."
                ),
                io.Int.Input(
                    "height", default=128, min=16, max=4096, step=16, tooltip="Height of the video in pixels."
                ),
                io.Int.Input(
                    "frames", default=97, min=25, max=10_000, step=12, tooltip="Length of the test in frames."
                ),
                io.Int.Input(
                    "steps",
                    default=0,
                    min=0,
                    max=50,
                    tooltip="Denoising steps per chunk; 0: as many as the model was made for.",
                ),
            ],
            outputs=[
                io.String.Output(display_name="report", tooltip="The figures, in words and as a table.")
            ],
        )

    @classmethod
    def execute(cls, model, vae, width, height, frames, steps=0) -> io.NodeOutput:
        parts = model_in(model)
        codec = codec_in(vae, parts.dit.config)
        check_size(parts.dit.config, width, height)
        _host.load_patchers(
            [model, *codec.patchers],
            cache_bytes(parts.dit, width, height),
            beside_bytes(parts.dit, width, height, None, codec.kind),
        )
        report = measure(
            Networks(parts.dit, parts.track_head, codec.codec, None, parts.detail, parts.running_latents),
            width,
            height,
            frames,
            256,
            steps or None,
            None,
            _host.host_attention(model),
            _host.check_interrupt,
        )
        text = "\n".join([*in_words(report), "", bench_table(report)])
        return io.NodeOutput(text, ui=ui.PreviewText(text))

    @classmethod
    def fingerprint_inputs(cls, **inputs) -> float:
        return float("nan")


def in_words(report: dict) -> list[str]:
    """The figures that matter, and what to do about the slowest stage."""
    lines = [f"{report[key]:.3g} {words}" for key, words in SHOWN.items() if key in report]
    costs = {stage: report[stage] for stage in ("motion_s", "denoise_s", "cache_s", "decode_s")}
    slowest = max(costs, key=lambda stage: costs[stage])
    lines.append(
        f"Most of a chunk goes into {SHOWN[slowest].removeprefix('of them ')} "
        f"({costs[slowest] / max(sum(costs.values()), 1e-9):.0%}). {REMEDY[slowest]}"
    )
    lines.append(
        "Faster than it plays at 16 frames a second: it can be steered live."
        if report["stream_fps"] >= 16
        else "Slower than it plays at 16 frames a second."
    )
    return lines


REMEDY = {
    "motion_s": "Fewer tracks make it faster.",
    "denoise_s": "Fewer steps, a shorter window or a smaller size make it faster.",
    "cache_s": "A shorter window or a smaller size makes it faster.",
    "decode_s": "Decode with Load Tiny VAE, or at a smaller size.",
}
