"""Tracks from Video: the motion of a video, as tracks."""

from __future__ import annotations

import numpy as np
from comfy_api.latest import io

from ..motionstream_core.codec.video import iter_frames
from ..motionstream_core.tracks.camera import fitted_map, regular_grid
from ..motionstream_core.tracks.formats import tracks_to_host
from ..motionstream_core.tracks.separate import PARTS, covering, part_of
from ..motionstream_core.tracks.video_tracker import track_video
from . import _host
from .loader import CATEGORY


class VideoTracks(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MotionStreamVideoTracks",
            display_name="Tracks from Video",
            category=CATEGORY,
            description="Follows points through a video, so that its motion can move another picture. Needs OpenCV, no download, no GPU.",
            search_aliases=["motionstream", "motion transfer", "point tracking", "optical flow"],
            inputs=[
                io.Int.Input("width", default=128, min=16, max=4096, step=16, tooltip="Width of the video to be made; the source is scaled to cover it."),
                io.Int.Input("height", default=128, min=16, max=4096, step=16, tooltip="Height of the video to be made."),
                io.Int.Input("frames", default=49, min=0, max=100_000, tooltip="Frames to be made: the motion is stretched to them. 0: as many as the source has."),
                io.Int.Input("source_frames", default=0, min=0, max=1_000_000, tooltip="Frames of the source to follow. 0: all."),
                io.Combo.Input("part", options=list(PARTS), default="everything", tooltip="All motion; the subject's own without the camera's; the camera's alone."),
                io.Int.Input("columns", default=50, min=1, max=200, tooltip="Points across the first frame."),
                io.Int.Input("rows", default=50, min=1, max=200, tooltip="Points down."),
                io.Video.Input("video", optional=True, tooltip="The source, read frame by frame."),
                io.Image.Input("images", optional=True, tooltip="The source as images, in place of a video."),
                io.Mask.Input("mask", optional=True, tooltip="The subject in the source's first frame. For everything: only points on it are followed."),
            ],
            outputs=[
                io.Tracks.Output(tooltip="The tracks, for the Motion Encoder and every node with TRACKS."),
                io.Int.Output(display_name="frames", tooltip="Length of the tracks."),
            ],
        )

    @classmethod
    def execute(cls, width, height, frames, source_frames, part, columns, rows, video=None, images=None, mask=None) -> io.NodeOutput:
        if (video is None) == (images is None):
            raise ValueError(f"source: expected a video or images, got {'both' if video is not None else 'none'}")
        most = source_frames or None
        source, fps, total = video_source(video, most) if video is not None else image_source(images, most)
        chosen: dict[str, np.ndarray] = {}

        def points(w: int, h: int) -> np.ndarray:
            grid = regular_grid(w, h, columns, rows)
            if mask is not None:
                cells = np.rint(grid).astype(int)
                on = fitted_map(mask[0].cpu().numpy(), w, h)[cells[:, 1], cells[:, 0]] > 0.5
                if not on.any():
                    raise ValueError("mask: expected one that covers some of the points, got an empty one")
                chosen["subject"] = on
            return grid[chosen["subject"]] if mask is not None and part == "everything" else grid

        found = track_video(source, points, fps, on_frame=_host.progress(total))
        found = covering(part_of(found, part, chosen.get("subject")), width, height)
        found = found.fitted(frames, "resample") if frames else found
        about = {"width": width, "height": height, "fps": found.fps, "groups": [-1] * found.count}
        return io.NodeOutput({**tracks_to_host(found), "motionstream": about}, found.frames)


def video_source(video, most: int | None):
    """The frames of a VIDEO one by one, its rate, and how many there are at most."""
    reader = iter_frames(video.get_stream_source(), most)
    first = next(reader, None)
    if first is None:
        raise ValueError("video: expected at least one frame, got none")

    def frames():
        yield first[0]
        for frame, _ in reader:
            yield frame

    return frames(), first[1], most


def image_source(images, most: int | None):
    images = images[:most]
    return (np.rint(255 * image[..., :3].clamp(0, 1).cpu().numpy()).astype(np.uint8) for image in images), 16.0, len(images)

