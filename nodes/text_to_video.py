"""Empty Motion: a MOTION without a picture and without tracks, for text to video."""

from __future__ import annotations

import torch
from comfy_api.latest import io
from torch import Tensor

from ..motionstream_core.streaming.source_video import SourceVideo
from ..motionstream_core.tracks.types import Tracks
from ._types import Motion
from .loader import CATEGORY
from .motion import MotionType


class EmptyMotion(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MotionStreamEmptyMotion",
            display_name="Empty Motion (Text to Video)",
            category=CATEGORY,
            description=(
                "The size and the rate of a video that is made from words alone: no start image, no tracks. "
                "For a text-to-video model such as the built-in cartoon."
            ),
            search_aliases=["motionstream", "text to video", "t2v", "StreamDiT", "empty latent", "realtime"],
            inputs=[
                io.Int.Input("width", default=128, min=16, max=4096, step=16, tooltip="Pixels across."),
                io.Int.Input("height", default=128, min=16, max=4096, step=16, tooltip="Pixels down."),
                io.Float.Input(
                    "fps",
                    default=16.0,
                    min=1.0,
                    max=120.0,
                    step=0.01,
                    tooltip="Frames a second.",
                ),
            ],
            outputs=[MotionType.Output(display_name="MOTION", tooltip="For the Streaming Sampler.")],
        )

    @classmethod
    def execute(cls, width: int, height: int, fps: float) -> io.NodeOutput:
        return io.NodeOutput(trackless_motion(torch.zeros(height, width, 3), fps))


def trackless_motion(image: Tensor, fps: float, video: SourceVideo | None = None) -> Motion:
    """A MOTION of the image's size whose tracks tell nobody anything. image (H, W, 3)."""
    height, width = image.shape[:2]
    # Tracks hold at least one point; it is hidden and has no handle.
    point = torch.tensor([[[width / 2, height / 2]]])
    tracks = Tracks(point, torch.zeros(1, 1, dtype=torch.bool), width, height, fps)
    return Motion(image, tracks, "hold", 0, torch.tensor([-1]), video=video, pictured=False)
