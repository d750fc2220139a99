"""Motion Encoder: a start image and tracks become one MOTION, checked against the model that will follow
it.
"""

from __future__ import annotations

import torch
from comfy_api.latest import io

from ..motionstream_core.common.pictures import cover
from ..motionstream_core.model.weights.networks import check_size
from ..motionstream_core.tracks.types import require_on_canvas
from . import _host
from ._adopt import codec_in, config_in
from ._pictures import picture_in
from ._tracks import groups_of, objects_of, to_tracks
from ._types import Motion, objects_on, picture_function
from .loader import CATEGORY

MODEL_FPS = 16.0  # where no model says
FIT = ["error", "hold", "loop", "ping-pong", "resample"]
MotionType = io.Custom("MOTIONSTREAM_MOTION")


class EncodeMotion(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MotionStreamMotionEncoder",
            display_name="Motion Encoder",
            category=CATEGORY,
            description="Joins a start image and tracks into the motion that the Streaming Sampler follows.",
            search_aliases=["motionstream", "track condition"],
            inputs=[
                io.Model.Input(
                    "model",
                    tooltip=(
                        "The model of Load MotionStream, or a causal Wan checkpoint: its stride decides "
                        "which sizes fit."
                    ),
                ),
                io.Vae.Input(
                    "vae",
                    tooltip=(
                        "The video codec of Load MotionStream, or the Wan VAE of a Wan checkpoint. It "
                        "encodes the start image."
                    ),
                ),
                io.Image.Input(
                    "start_image", tooltip="The first frame. Scaled to cover width x height and cut to it."
                ),
                io.Tracks.Input(
                    "tracks",
                    tooltip=(
                        "Where points go, in pixels of width x height: from the Track Editor or any node "
                        "with TRACKS."
                    ),
                ),
                io.Int.Input(
                    "width", default=128, min=16, max=4096, step=16, tooltip="Width of the video in pixels."
                ),
                io.Int.Input(
                    "height", default=128, min=16, max=4096, step=16, tooltip="Height of the video in pixels."
                ),
                io.Combo.Input(
                    "fit",
                    options=FIT,
                    default="error",
                    tooltip="When tracks and video differ in length: error stops; hold keeps the last "
                    "place; loop starts again; "
                    "ping-pong goes back and forth; resample stretches in time.",
                ),
                io.Int.Input(
                    "id_seed",
                    default=0,
                    min=0,
                    max=2**32 - 1,
                    advanced=True,
                    tooltip="Seed of the random id each track gets.",
                ),
                io.ClipVision.Input(
                    "clip_vision",
                    optional=True,
                    tooltip=(
                        "For a model that also looks at the start image (TrackWan): CLIP vision ViT-H from "
                        "Load CLIP Vision. It sees the image as it is cut here, and the new one after a "
                        "scene change."
                    ),
                ),
            ],
            outputs=[MotionType.Output(display_name="MOTION", tooltip="For the Streaming Sampler.")],
        )

    @classmethod
    def execute(
        cls, model, vae, start_image, tracks, width, height, fit="error", id_seed=0, clip_vision=None
    ) -> io.NodeOutput:
        config = config_in(model)
        codec_in(vae, config)
        check_size(config, width, height)
        found = to_tracks(tracks, (width, height), config.fps)
        found = require_on_canvas(found.rescaled(width, height))
        handles = groups_of(tracks, found)
        groups = None if handles is None else torch.tensor(handles)
        picture = picture_in(start_image, "start_image", _host.NodeNotes())
        see = picture_function(clip_vision)
        objects = objects_on(objects_of(tracks, handles), width, height)
        image = cover(picture, width, height)[0]
        return io.NodeOutput(Motion(image, found, fit, id_seed, groups, vae, see, objects=objects))
