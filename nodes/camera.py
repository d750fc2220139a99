"""Camera Tracks: a camera that moves through a picture with depth becomes tracks."""

from __future__ import annotations

import logging

import numpy as np
from comfy_api.latest import io

from ..motionstream_core.tracks.camera import EASINGS, PRESETS, camera_tracks, depth_from_disparity, fitted_map, preset_path, regular_grid, too_fast
from ..motionstream_core.tracks.formats import tracks_to_host
from .loader import CATEGORY

LOG = logging.getLogger("motionstream")


class CameraTracks(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MotionStreamCameraTracks",
            display_name="Camera Tracks",
            category=CATEGORY,
            description="Moves a camera through a picture: a grid of points, at the picture's depth or on a plane, seen along the camera's path.",
            search_aliases=["motionstream", "camera", "orbit", "dolly", "depth"],
            inputs=[
                io.Combo.Input("move", options=list(PRESETS), default="orbit", tooltip="How the camera moves."),
                io.Float.Input("amount", default=1.0, min=-8.0, max=8.0, step=0.05, tooltip="1 is a clear, calm move; negative goes the other way."),
                io.Combo.Input("easing", options=list(EASINGS), default="ease in-out", tooltip="How the move begins and ends."),
                io.Int.Input("width", default=128, min=16, max=4096, step=16, tooltip="Width of the video in pixels."),
                io.Int.Input("height", default=128, min=16, max=4096, step=16, tooltip="Height of the video in pixels."),
                io.Int.Input("frames", default=49, min=1, max=100_000, tooltip="Length of the move in frames."),
                io.Float.Input("fps", default=16.0, min=1.0, max=120.0, step=0.01, tooltip="Frames a second of the video."),
                io.Int.Input("columns", default=16, min=1, max=100, tooltip="Points across."),
                io.Int.Input("rows", default=16, min=1, max=100, tooltip="Points down."),
                io.Float.Input("fov", default=55.0, min=1.0, max=170.0, step=0.5, advanced=True, tooltip="Horizontal angle of view of the picture in degrees."),
                io.Int.Input("shake_seed", default=0, min=0, max=2**32 - 1, advanced=True, tooltip="Seed of the handheld move."),
                io.Image.Input(
                    "depth",
                    optional=True,
                    tooltip="The depth picture of the start image, near is white: of Depth Anything, MoGe or another depth node. Without it the picture is a plane.",
                ),
            ],
            outputs=[io.Tracks.Output(tooltip="The tracks, for the Motion Encoder and every node with TRACKS.")],
        )

    @classmethod
    def execute(cls, move, amount, easing, width, height, frames, fps, columns, rows, fov=55.0, shake_seed=0, depth=None) -> io.NodeOutput:
        far = np.ones((height, width)) if depth is None else depth_from_disparity(fitted_map(depth[0].cpu().numpy(), width, height))
        tracks = camera_tracks(far, preset_path(move, frames, amount, easing, shake_seed), regular_grid(width, height, columns, rows), fps, fov)
        fast = too_fast(tracks)
        if fast > 0.1:
            LOG.warning("MotionStream: %.0f %% of the camera's tracks move faster than models are trained on; use more frames or a smaller amount", 100 * fast)
        about = {"width": width, "height": height, "fps": fps, "groups": [-1] * tracks.count}
        return io.NodeOutput({**tracks_to_host(tracks), "motionstream": about})
