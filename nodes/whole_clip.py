"""Whole-Clip Sampler: a bidirectional teacher makes a whole clip at once, under joint guidance."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from comfy_api.latest import InputImpl, Types, io

from ..motionstream_core.live.track_stream import TrackStream
from ..motionstream_core.model.cache import CacheShape
from ..motionstream_core.model.weights.networks import Networks
from ..motionstream_core.planning.stream_memory import beside_bytes
from ..motionstream_core.sampling.joint_guidance import Guidance
from ..motionstream_core.streaming.start_image import ENCODED
from ..motionstream_core.streaming.whole_clip import ClipOptions, make_whole_clip
from . import _host
from ._adopt import codec_in, model_in
from ._notes import notes_on
from ._run_inputs import check_motion
from ._types import text_embeds
from .loader import CATEGORY
from .motion import MotionType

PICTURE = "picture"  # of CLIP vision
AS_TRAINED = "text as picture (as trained)"
LONGEST = 4 * ENCODED - 3  # frames of its training clips


class WholeClipSampler(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MotionStreamWholeClip",
            display_name="Whole-Clip Sampler (Teacher)",
            category=CATEGORY,
            description=(
                "Makes a whole clip at once with a bidirectional teacher, such as TrackWan's. It cannot be "
                "steered, and takes about a hundred evaluations. The Streaming Sampler runs the student."
            ),
            search_aliases=["motionstream", "teacher", "bidirectional", "trackwan", "joint guidance"],
            inputs=[
                io.Model.Input(
                    "model",
                    tooltip="A bidirectional teacher, from a converted file that says it is one.",
                ),
                io.Conditioning.Input("positive", tooltip="The prompt, from CLIP Text Encode (type wan)."),
                io.Vae.Input("vae", tooltip="What decodes: the Wan VAE, or a tiny VAE."),
                MotionType.Input("motion", tooltip="Start image and tracks, from the Motion Encoder."),
                io.Int.Input(
                    "frames",
                    default=LONGEST,
                    min=5,
                    max=2001,
                    step=4,
                    tooltip=f"Length of the clip in frames. The teacher was trained on {LONGEST}.",
                ),
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=2**64 - 1,
                    control_after_generate=True,
                    tooltip="The same seed gives the same clip.",
                ),
                io.Int.Input(
                    "steps",
                    default=0,
                    min=0,
                    max=200,
                    tooltip="Denoising steps; 0: as many as the teacher was made for (30).",
                ),
                io.Float.Input(
                    "text_weight",
                    default=3.0,
                    min=0.0,
                    max=30.0,
                    step=0.1,
                    tooltip="Guidance towards the text. Both weights 0: none, and a third of the time.",
                ),
                io.Float.Input(
                    "motion_weight",
                    default=1.5,
                    min=0.0,
                    max=30.0,
                    step=0.1,
                    tooltip="Guidance towards the tracks.",
                ),
                io.Combo.Input(
                    "sees",
                    options=[PICTURE, AS_TRAINED],
                    default=PICTURE,
                    tooltip=(
                        "What goes through the network's picture layers. picture: the start image's CLIP "
                        "vision features. text as picture: the first 257 text tokens, which an error in its "
                        "trainer probably put there. Try both."
                    ),
                ),
            ],
            outputs=[
                io.Image.Output(tooltip="All frames."),
                io.Latent.Output(tooltip="The latents of the same frames."),
                io.Video.Output(tooltip="The frames as a video, for Save Video."),
            ],
        )

    @classmethod
    def execute(
        cls,
        model,
        positive,
        vae,
        motion,
        frames=LONGEST,
        seed=0,
        steps=0,
        text_weight=3.0,
        motion_weight=1.5,
        sees=PICTURE,
    ) -> io.NodeOutput:
        as_trained = sees == AS_TRAINED
        own_picture = check_motion(motion).see is not None
        if isinstance(motion.tracks, TrackStream):
            raise ValueError("motion: expected tracks that are known beforehand, got those of a live video")
        parts = model_in(model, positive, own_picture or as_trained, whole_clip=True)
        dit = parts.dit
        codec = codec_in(vae, dit.config, motion.vae)
        embeds = text_embeds(positive, dit.config)
        height, width = motion.image.shape[:2]
        tracks = motion.tracks.fitted(frames, motion.fit)
        notes = _host.NodeNotes()
        for note in notes_on(parts, motion, "track head", frames):
            notes(note)
        if frames > LONGEST:
            notes(f"The teacher was trained on {LONGEST} frames, and {frames} are asked for")
        options = ClipOptions(
            frames,
            seed,
            steps or None,
            Guidance(text_weight, motion_weight),
            motion.id_seed,
            motion.see,
            as_trained,
            _host.host_attention(model),
        )
        networks = Networks(dit, parts.track_head, codec.codec, None)
        count = len(options.levels(networks)) - 1
        options = replace(options, on_step=_host.progress(count))
        in_work = CacheShape(options.latent_frames, 0, 0)
        _host.load_patchers(
            [model, *codec.patchers], 0, beside_bytes(dit, width, height, in_work, codec.kind)
        )
        try:
            made = make_whole_clip(networks, motion.image, tracks, embeds, options)
        except Exception as error:
            if not _host.out_of_memory(error):
                raise
            raise ValueError(
                "memory: expected room for a whole clip, got too little: choose fewer frames or a smaller "
                "size"
            ) from error
        video = Types.VideoComponents(
            images=made.frames, audio=None, frame_rate=Fraction(tracks.fps).limit_denominator(1001)
        )
        latent = {"samples": codec.to_host(made.latents.cpu())}
        return io.NodeOutput(made.frames, latent, InputImpl.VideoFromComponents(video))
