"""Live Camera: the pictures of the tab's camera or screen, as a VIDEO that is still being made."""

from __future__ import annotations

import time

import torch
from comfy_api.latest import io

from ..motionstream_core.live.picture_feed import NoPictures
from . import _host
from ._sources import source_frames_of
from .loader import CATEGORY
from .motion import MODEL_FPS

SIDES = [160, 256, 320, 480, 640, 1280]


class LiveCamera(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MotionStreamLiveCamera",
            display_name="Live Camera",
            category=CATEGORY,
            description=(
                "Your camera or screen while the stream runs, for Live Motion from Video and Video to Video. "
                "The pictures go from this tab to the run that it queued, and nowhere else."
            ),
            search_aliases=["motionstream", "webcam", "camera", "screen capture", "live video", "v4l"],
            inputs=[
                io.String.Input(
                    "device",
                    default="camera",
                    tooltip=(
                        "camera: the browser's usual one. screen: a screen, window or tab that you choose. "
                        "Or the name of a camera. The list below sets it."
                    ),
                ),
                io.Combo.Input(
                    "side",
                    options=[str(side) for side in SIDES],
                    default="320",
                    tooltip=(
                        "Longer side of the pictures that are sent, in pixels. 320 is enough for motion; for "
                        "Video to Video take the stream's own."
                    ),
                ),
                io.Float.Input(
                    "fps",
                    default=MODEL_FPS,
                    min=1.0,
                    max=60.0,
                    step=0.1,
                    tooltip="Frames a second of the stream. The camera may be faster or slower.",
                ),
                io.Video.Input(
                    "video",
                    optional=True,
                    tooltip=(
                        "A file that plays the camera's part where there is none: no permission, no device, "
                        "or a prompt that no browser tab has queued."
                    ),
                ),
            ],
            outputs=[
                io.Video.Output(display_name="VIDEO", tooltip="For Live Motion and Video to Video."),
                io.Image.Output(
                    display_name="first_picture", tooltip="The picture when the run began: a start image."
                ),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def fingerprint_inputs(cls, **inputs) -> float:
        """What a camera sees is never the same."""
        return time.time()

    @classmethod
    def execute(cls, device, side, fps, video=None) -> io.NodeOutput:
        notes = _host.NodeNotes()
        live = _host.open_camera(cls.hidden.unique_id, device.strip() or "camera", int(side), fps)
        problem = "no browser tab has queued this prompt"
        if live is not None:
            try:
                picture = next(live.frames())[0]
                return io.NodeOutput(live, to_image(picture))
            except NoPictures as error:
                problem = str(error)
        if video is None:
            raise ValueError(
                f"Live Camera: {problem}; allow the camera in the browser, or connect a video in its place"
            )
        notes(f"Live Camera: {problem}; the video plays its part")
        return io.NodeOutput(video, to_image(next(source_frames_of(video, None, None, notes)[0])[0]))


def to_image(picture) -> torch.Tensor:
    """(H, W, 3) uint8 -> IMAGE (1, H, W, 3) 0..1."""
    return torch.from_numpy(picture.copy()).float()[None] / 255
