"""Video to Video: a MOTION whose stream is made from another video, by SDEdit on the moving buffer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from comfy_api.latest import io
from torch import Tensor

from ..motionstream_core.common.pictures import cover
from ..motionstream_core.streaming.source_video import AT_END, STRENGTH, SourceVideo
from ..motionstream_core.tracks.video.live_video import frames_at_rate
from . import _host
from ._inputs import size_inputs
from ._live_video import LivePictures
from ._pictures import pictures_in
from ._sources import source_frames_of
from .loader import CATEGORY
from .motion import MODEL_FPS, MotionType
from .text_to_video import trackless_motion


class VideoToVideo(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MotionStreamVideoToVideo",
            display_name="Video to Video",
            category=CATEGORY,
            description=(
                "Makes a video of any length into another one under the prompt: it is encoded chunk by chunk "
                "and enters the moving buffer at a noise level. For a text-to-video model such as the "
                "built-in cartoon."
            ),
            search_aliases=["motionstream", "v2v", "SDEdit", "StreamDiT", "restyle", "img2img video"],
            inputs=[
                *size_inputs(),
                io.Float.Input(
                    "strength",
                    default=STRENGTH,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip=(
                        "The noise level at which the source enters. 0: the source as it is. 1: nothing of "
                        "it. The Stream Preview changes it while it runs."
                    ),
                ),
                io.Combo.Input(
                    "at_end",
                    options=list(AT_END),
                    tooltip=(
                        "After the source's last frame: end ends the stream, loop begins it anew, hold rests "
                        "there."
                    ),
                ),
                io.Float.Input(
                    "fps",
                    default=MODEL_FPS,
                    min=0.1,
                    max=1000.0,
                    step=0.1,
                    tooltip="Frames a second of the stream; a video is read at this rate.",
                ),
                io.Video.Input(
                    "video", optional=True, tooltip="The source, read frame by frame as the stream needs it."
                ),
                io.Image.Input(
                    "images",
                    optional=True,
                    tooltip="The source as images, one for every frame, in place of a video.",
                ),
            ],
            outputs=[MotionType.Output(display_name="MOTION", tooltip="For the Streaming Sampler.")],
        )

    @classmethod
    def execute(
        cls, width, height, strength, at_end=AT_END[0], fps=MODEL_FPS, video=None, images=None
    ) -> io.NodeOutput:
        notes = _host.NodeNotes()
        if (video is None) == (images is None):
            got = "both" if video is not None else "none"
            raise ValueError(f"source: expected a video or images, got {got}")
        if images is not None:
            pictures = pictures_in(images, "images", notes)
            source = SourceVideo(lambda: image_pictures(pictures), strength, at_end, len(pictures))
        else:
            length, live = length_of(video, fps), isinstance(video, LivePictures)
            source = SourceVideo(lambda: video_pictures(video, fps), strength, at_end, length, live)
        # What cannot be read is said now, not in the middle of a stream.
        opened = source.open()
        first = next(opened, None)
        if first is None:
            raise ValueError("video: expected at least one frame, got none")
        shown = cover(torch.from_numpy(first.copy()).float() / 255, width, height)
        return io.NodeOutput(trackless_motion(shown, fps, source))


def image_pictures(images: Tensor) -> Iterator[np.ndarray]:
    """IMAGE (T, H, W, 3) 0..1 as pictures (H, W, 3) uint8."""
    for image in images:
        yield (image.float().clamp(0, 1) * 255).round().byte().cpu().numpy()


def video_pictures(video: Any, fps: float) -> Iterator[np.ndarray]:
    """The pictures of a VIDEO at this rate."""
    for picture, _ in frames_at_rate(source_frames_of(video, None, None, lambda note: None)[0], fps):
        yield picture


def length_of(video: Any, fps: float) -> int | None:
    """Frames of a VIDEO at this rate, where it can say its length."""
    try:
        seconds = float(video.get_duration())
    except (AttributeError, ValueError, TypeError, OSError):
        return None
    return max(1, round(seconds * fps))
