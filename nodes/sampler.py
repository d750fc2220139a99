"""Streaming Sampler: runs the model chunk by chunk and hands frames out while it does."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

from comfy_api.latest import InputImpl, Types, io
from torch import Tensor

from ..motionstream_core.live.performance import read_performance, write_performance
from ..motionstream_core.model.weights.networks import Networks
from ..motionstream_core.model.weights.speed import SPEEDS, at_speed
from ..motionstream_core.planning.stream_memory import beside_bytes
from ..motionstream_core.streaming.recorder import StreamRecorder
from ..motionstream_core.streaming.stream import (
    FIRST_LATENTS,
    TRACK_CONTROLS,
    StreamOptions,
    cache_bytes,
    controls_of,
    stream,
)
from . import _host, _tracks
from ._adopt import codec_in, model_in
from ._ending import keep_chunks, missing_frames
from ._live import LONGEST_TAKE
from ._notes import CONTROL_WORDS, notes_on, notes_on_words
from ._run_inputs import (
    AUTO,
    SpeedTold,
    carry_of,
    check_motion,
    check_performance,
    context_of,
    track_control_of,
)
from ._types import left_out_of, schedule_of, text_embeds, text_function, text_of, vocabulary_of
from .buffer_settings import SamplerSettingsType
from .loader import CATEGORY
from .motion import MotionType

MIB = 2**20


class StreamingSampler(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MotionStreamSampler",
            display_name="Streaming Sampler",
            category=CATEGORY,
            description=(
                "Makes the video chunk by chunk, and follows you while it does. Memory and time per "
                "chunk stay the same however long it gets."
            ),
            search_aliases=["motionstream", "causal sampler", "video sampler", "live", "realtime"],
            inputs=[
                io.Model.Input(
                    "model",
                    tooltip=(
                        "The model of Load MotionStream, or a causal Wan checkpoint from the host's own "
                        "loaders."
                    ),
                ),
                io.Conditioning.Input(
                    "positive",
                    tooltip="The prompt, from CLIP Text Encode with the CLIP that belongs to the model.",
                ),
                io.Vae.Input(
                    "vae",
                    tooltip=(
                        "What decodes: the codec of Load MotionStream, the Wan VAE, or a tiny VAE "
                        "(faster, a little softer)."
                    ),
                ),
                MotionType.Input("motion", tooltip="Start image and tracks, from the Motion Encoder."),
                io.Int.Input(
                    "frames",
                    default=81,
                    min=0,
                    max=1_000_000,
                    step=1,
                    tooltip=(
                        "Length of the video in frames; there is no other limit. 0: endless, until you "
                        "stop it."
                    ),
                ),
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=2**64 - 1,
                    control_after_generate=True,
                    tooltip="The same seed gives the same video.",
                ),
                io.Int.Input(
                    "steps",
                    default=0,
                    min=0,
                    max=50,
                    tooltip="Denoising steps per chunk; 0: as many as the model was made for.",
                ),
                io.Int.Input(
                    "chunk",
                    default=-1,
                    min=-1,
                    max=64,
                    advanced=True,
                    tooltip="Latent frames (of 4 frames) made together; -1: the model's own.",
                ),
                io.Int.Input(
                    "sink",
                    default=-1,
                    min=-1,
                    max=64,
                    advanced=True,
                    tooltip="First latent frames that are never forgotten; -1: the model's own.",
                ),
                io.Int.Input(
                    "window",
                    default=-1,
                    min=-1,
                    max=256,
                    advanced=True,
                    tooltip="Past latent frames kept in view; -1: the model's own.",
                ),
                io.Boolean.Input(
                    "live",
                    optional=True,
                    default=False,
                    tooltip=(
                        "Make frames no faster than they play, so that you can steer them in a Stream "
                        "Preview."
                    ),
                ),
                io.String.Input(
                    "record",
                    optional=True,
                    default="",
                    advanced=True,
                    tooltip=(
                        "Write the video to this file of the output folder while it is made: a prefix, "
                        "as in Save Video. Empty: do not."
                    ),
                ),
                io.Int.Input(
                    "keep_mb",
                    optional=True,
                    default=0,
                    min=0,
                    max=1_000_000,
                    advanced=True,
                    tooltip=(
                        "Most memory, in MiB, for the images and latents returned. Beyond it the oldest "
                        "are let go (the recorded file has them all). 0: a quarter of the free memory."
                    ),
                ),
                io.Int.Input(
                    "rewind_mb",
                    optional=True,
                    default=512,
                    min=0,
                    max=100_000,
                    advanced=True,
                    tooltip="Most memory, in MiB, for the moments a live rewind can go back to.",
                ),
                io.Clip.Input(
                    "clip",
                    optional=True,
                    tooltip="The CLIP that belongs to the model: lets you change the prompt while it runs.",
                ),
                io.Combo.Input(
                    "control",
                    optional=True,
                    options=[AUTO, *TRACK_CONTROLS],
                    default=AUTO,
                    tooltip=(
                        "What makes the video follow the tracks. track head: the model was trained for "
                        "it. guided: any causal checkpoint, each chunk begins from the start image moved "
                        "along the tracks. none: nothing. auto: the track head where the model has one, "
                        "guided where not."
                    ),
                ),
                io.Combo.Input(
                    "first_latent",
                    optional=True,
                    options=list(FIRST_LATENTS),
                    default=FIRST_LATENTS[0],
                    advanced=True,
                    tooltip=(
                        "The first frame. prefilled: the start image as it is. denoised: made by the model "
                        "from noise, beside the image that it is shown (as TrackWan's own code does)."
                    ),
                ),
                SamplerSettingsType.Input(
                    "settings",
                    optional=True,
                    tooltip=(
                        "Settings of the model's sampler, from Moving Buffer Settings. Without: the model's "
                        "own."
                    ),
                ),
                io.String.Input(
                    "performance",
                    optional=True,
                    force_input=True,
                    tooltip="A performance, from an earlier run's output: its controls are played again.",
                ),
                io.Combo.Input(
                    "speed",
                    optional=True,
                    options=list(SPEEDS),
                    default=AUTO,
                    advanced=True,
                    tooltip=(
                        "auto: compiled on a GPU, plain on a CPU. compiled: warmed up while the stream runs "
                        "plain, then swapped in. fp8: in eight bits too. plain: the same bits every time."
                    ),
                ),
            ],
            outputs=[
                io.Image.Output(tooltip="All frames (the newest, where keep_mb is less than they need)."),
                io.Latent.Output(tooltip="The latents of the same frames."),
                io.Video.Output(
                    tooltip="The frames as a video, for Save Video. When recording: the recorded file."
                ),
                io.Tracks.Output(
                    tooltip="Where every point was told to be, frame by frame, live edits included."
                ),
                io.String.Output(
                    display_name="performance",
                    tooltip=(
                        "The live controls that made this video, as JSON: played again with the same "
                        "seed they give the same video."
                    ),
                ),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def fingerprint_inputs(cls, **inputs) -> int:
        return _host.steered_runs(cls.hidden.unique_id)

    @classmethod
    def execute(
        cls,
        model,
        positive,
        vae,
        motion,
        frames,
        seed,
        steps=0,
        chunk=-1,
        sink=-1,
        window=-1,
        live=False,
        record="",
        keep_mb=0,
        rewind_mb=512,
        clip=None,
        control=AUTO,
        first_latent=FIRST_LATENTS[0],
        settings=None,
        performance="",
        speed=AUTO,
    ) -> io.NodeOutput:
        # 1. What is plugged in, and whether it fits together.
        parts = model_in(model, positive, check_motion(motion).see is not None)
        dit = parts.dit
        codec = codec_in(vae, dit.config, motion.vae)
        height, width = motion.image.shape[:2]
        stride = dit.config.vae_stride[0]
        context = context_of(dit, chunk, sink, window)
        embeds = text_embeds(positive, dit.config)
        schedule = schedule_of(positive, dit.config)
        track_control = track_control_of(control, dit)
        recorded = read_performance(performance)
        carry = carry_of(parts, recorded)
        options = StreamOptions(
            frames or None,
            seed,
            steps or None,
            buffer=settings,
            context=context,
            track_control=track_control,
            fit=motion.fit,
            id_seed=motion.id_seed,
            groups=motion.groups,
            objects=motion.objects,
            carry=carry,
            paced=live,
            history_bytes=rewind_mb * MIB,
            backend=_host.host_attention(model),
            first_latent=first_latent,
            see=motion.see if dit.config.image_dim is not None else None,
            prompts=schedule,
            video=motion.video,
            reference=motion.reference,
            encode=text_function(clip, dit.config, lambda note: live_run.tell(note)),
            check_interrupt=_host.check_interrupt,
        )
        sampler = options.sampler(dit.config)
        about = {
            "width": width,
            "height": height,
            "fps": motion.tracks.fps,
            "chunk_frames": stride * sampler.chunk_frames,
        }
        played = check_performance(recorded, about, seed)
        # 2. Everything on its device, with room for what the stream takes.
        path = _host.recording_path(record, width, height) if record.strip() else None
        _host.load_patchers(
            [model, *codec.patchers],
            cache_bytes(dit, width, height, context),
            beside_bytes(
                dit, width, height, context, codec.kind, rewind_mb * MIB if live or not frames else 0
            ),
        )
        slow: list[str] = []
        networks = Networks(dit, parts.track_head, codec.codec, None, parts.detail, parts.running_latents)
        networks = at_speed(networks, speed, slow.append)
        budget = keep_mb * MIB if keep_mb else _host.memory_to_keep()
        recorder = StreamRecorder(motion.tracks.fps, stride, budget, path)
        live_run = _host.LiveRun(
            cls.hidden.unique_id,
            notes=notes_on(parts, motion, track_control, stride * (sampler.forward_frames - 1) + 1)
            + notes_on_words(left_out_of(positive))
            + slow,
            words=vocabulary_of(clip),
            chunks=options.chunks(dit.config),
            takes=controls_of(networks, options.encode, track_control, motion.video),
            script=played.controls,
            frames=frames,
            prompt=text_of(positive) if schedule is None else schedule.prompts[0].text,
            recording=path and path.name,
            first_frames=options.first_frames(dit.config),
            made_with={"seed": seed, "layered": int(carry == "layered")},
            **about,
        )
        # 3. The stream: each chunk is kept, and shown to who watches.
        with recorder, live_run:
            live_run.session.report(control=track_control)
            tell_speed = SpeedTold(networks, live_run.session.report, live_run.tell)
            chunks = stream(networks, motion.image, motion.tracks, embeds, options, live_run.session)
            live_run.ended_early = not keep_chunks(
                chunks,
                recorder,
                lambda made: (tell_speed(), live_run.show(made, recorder.nbytes))[1],
                live_run.tell,
                _host.out_of_memory,
                _host.to_output,
            )
        # 4. What was made.
        text = write_performance(
            live_run.session.performance,
            seed=seed,
            frames=live_run.figures["frames"],
            layered=int(carry == "layered"),
            **about,
        )
        figures = {**live_run.figures, "control": CONTROL_WORDS[track_control], "notes": live_run.notes}
        shown = shown_of(figures, text, seed, path if recorder.failure is None else None)
        return outputs(recorder, codec.to_host, (width, height), text, shown, live_run.tell)


def shown_of(figures: dict, performance: str, seed: int, path: Path | None) -> dict[str, list]:
    """What the page is told of a run: its figures, the take for a replay, the recording's place."""
    shown: dict[str, list] = {"motionstream_run": [figures]}
    if len(performance) <= LONGEST_TAKE:
        take = {"performance": performance, "seed": str(seed), "frames": figures["frames"]}
        shown["motionstream_take"] = [take]
    if path is not None:
        shown["motionstream_recording"] = [{**_host.output_item(path), "format": "video/mp4"}]
    return shown


def outputs(
    recorder: StreamRecorder,
    to_host: Callable[[Tensor], Tensor],
    size: tuple[int, int],
    performance: str,
    shown: dict[str, list],
    tell: Callable[[str], None],
) -> io.NodeOutput:
    """Everything kept, as IMAGE, LATENT, VIDEO and TRACKS, and the performance.

    Args:
        recorder: what was kept.
        to_host: moves a tensor to where the host keeps outputs.
        size: width and height of the video in pixels.
        performance: the controls, as a document.
        shown: goes to the client.
        tell: told in words what was left out.
    """
    made = recorder.take(*size)
    missing = missing_frames(recorder, made.first_frame)
    if missing is not None:
        tell(missing)
    if recorder.path is not None and recorder.failure is None:
        video = InputImpl.VideoFromFile(str(recorder.path))
    else:
        video = InputImpl.VideoFromComponents(
            Types.VideoComponents(
                images=made.frames, audio=None, frame_rate=Fraction(recorder.fps).limit_denominator(1001)
            )
        )
    return io.NodeOutput(
        made.frames,
        {"samples": to_host(made.latents)},
        video,
        _tracks.to_host(made.tracks),
        performance,
        ui=shown,
    )
