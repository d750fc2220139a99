"""Streaming Sampler: runs the model chunk by chunk and hands frames out while it does."""

from __future__ import annotations

import math
from fractions import Fraction

from comfy_api.latest import InputImpl, Types, io
from torch import Tensor

from ..motionstream_core.model.cache import CacheShape
from ..motionstream_core.streaming.networks import Networks
from ..motionstream_core.streaming.stream import cache_bytes, stream
from . import _host
from ._types import Motion, stream_model, stream_vae, text_embeds
from .loader import CATEGORY
from .motion import MotionType


class StreamingSampler(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MotionStreamSampler",
            display_name="Streaming Sampler",
            category=CATEGORY,
            description="Makes the video chunk by chunk. Memory and time per chunk stay the same however long it gets.",
            search_aliases=["motionstream", "causal sampler", "video sampler"],
            inputs=[
                io.Model.Input("model", tooltip="The model of Load MotionStream."),
                io.Conditioning.Input("positive", tooltip="The prompt, from CLIP Text Encode with the CLIP of Load MotionStream."),
                io.Vae.Input("vae", tooltip="The video codec of Load MotionStream."),
                MotionType.Input("motion", tooltip="Start image and tracks, from the Motion Encoder."),
                io.Int.Input("frames", default=81, min=1, max=1_000_000, step=1, tooltip="Length of the video in frames; there is no other limit."),
                io.Int.Input("seed", default=0, min=0, max=2**64 - 1, control_after_generate=True, tooltip="The same seed gives the same video."),
                io.Int.Input("steps", default=3, min=1, max=50, tooltip="Denoising steps per chunk. The model was made for 3."),
                io.Int.Input("chunk", default=0, min=0, max=64, advanced=True, tooltip="Latent frames (of 4 frames) made together; 0: the model's own."),
                io.Int.Input("sink", default=0, min=0, max=64, advanced=True, tooltip="First latent frames that are never forgotten; 0: the model's own."),
                io.Int.Input("window", default=0, min=0, max=256, advanced=True, tooltip="Past latent frames kept in view; 0: the model's own."),
            ],
            outputs=[
                io.Image.Output(tooltip="All frames."),
                io.Latent.Output(tooltip="The latents of the same frames."),
                io.Video.Output(tooltip="The frames as a video, for Save Video."),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def fingerprint_inputs(cls, **inputs) -> int:
        return _host.stops(cls.hidden.unique_id)

    @classmethod
    def execute(cls, model, positive, vae, motion, frames, seed, steps=3, chunk=0, sink=0, window=0) -> io.NodeOutput:
        module = stream_model(model)
        dit, codec = module.diffusion_model, stream_vae(vae, module.diffusion_model.config)
        tracks, (height, width) = check_motion(motion).tracks, motion.image.shape[:2]
        context = CacheShape(*(value or own for value, own in zip((chunk, sink, window), own_context(dit))))
        embeds = text_embeds(positive, dit.config)
        _host.load([model, codec.patcher], cache_bytes(dit, width, height, context))
        networks = Networks(dit, module.track_head, codec.codec, None)
        count = chunk_count(frames, context.chunk, dit.config.vae_stride[0])
        images, latents = [], []
        with _host.LiveRun(cls.hidden.unique_id, width=width, height=height, fps=tracks.fps, frames=frames, chunks=count) as live:
            asked = {"fit": motion.fit, "id_seed": motion.id_seed, "context": context}
            rails = {"check_interrupt": _host.check_interrupt, "attention": _host.attention(model)}
            for made in stream(networks, motion.image, tracks, embeds, frames, seed, steps, live.session, **asked, **rails):
                live.show(made)
                images.append(_host.to_output(made.frames))
                latents.append(_host.to_output(made.latents))
        return outputs(images, latents, tracks.fps, dit.config.vae_stride[0], live.figures)


def check_motion(motion) -> Motion:
    if not isinstance(motion, Motion):
        raise ValueError(f"motion: expected the MOTION of the Motion Encoder, got {type(motion).__name__}")  # noqa: TRY004
    return motion


def own_context(dit) -> tuple[int, int, int]:
    return dit.config.context.chunk, dit.config.context.sink, dit.config.context.window


def chunk_count(frames: int, chunk: int, stride: int) -> int:
    """Chunks of a video of `frames` frames, the start image's included."""
    return 1 + math.ceil((frames - 1) / (stride * chunk))


def outputs(images: list, latents: list, fps: float, stride: int, figures: dict) -> io.NodeOutput:
    """Everything made, as IMAGE, LATENT and VIDEO, the latents cut to those the frames need; the run's figures go to the client."""
    frames = joined(images, 0)
    samples = joined(latents, 2)[:, :, : 1 + math.ceil((len(frames) - 1) / stride)]
    video = InputImpl.VideoFromComponents(Types.VideoComponents(images=frames, audio=None, frame_rate=Fraction(fps).limit_denominator(1001)))
    return io.NodeOutput(frames, {"samples": samples}, video, ui={"motionstream_run": [figures]})


def joined(pieces: list[Tensor], dim: int) -> Tensor:
    """The pieces as one tensor. Empties the list while it copies, so that a long video is not held twice."""
    shape = list(pieces[0].shape)
    shape[dim] = sum(piece.shape[dim] for piece in pieces)
    whole, start = pieces[0].new_empty(shape), 0
    pieces.reverse()
    while pieces:
        piece = pieces.pop()
        whole.narrow(dim, start, piece.shape[dim]).copy_(piece)
        start += piece.shape[dim]
    return whole
