"""Live Motion from Video: a video is tracked while the stream runs, and its motion drives the stream."""

from __future__ import annotations

from comfy_api.latest import io

from ..motionstream_core.common.pictures import cover
from ..motionstream_core.live.track_stream import AT_END, TrackStream
from ..motionstream_core.tracks.video.live_video import open_live_tracks
from ..motionstream_core.tracks.video.point_prompts import point_prompts
from ..motionstream_core.tracks.video.retarget import SHAPES, seeds_for
from ..motionstream_core.tracks.video.trackers import KINDS, open_tracker
from . import _host
from ._inputs import size_inputs
from ._pictures import picture_in, place_in
from ._sources import source_frames_of
from ._tracks import to_prompts
from ._types import Motion
from .loader import CATEGORY
from .motion import MODEL_FPS, MotionType
from .video import LICENCES, LONGEST, Region


class LiveVideoMotion(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MotionStreamLiveVideoMotion",
            display_name="Live Motion from Video",
            category=CATEGORY,
            description=(
                "Tracks a video while the stream runs, a few frames ahead of it at most, and lets its "
                "motion drive the stream. The video may be of any length."
            ),
            search_aliases=["motionstream", "live tracking", "online tracker", "webcam", "motion transfer"],
            inputs=[
                io.Image.Input(
                    "start_image",
                    tooltip=(
                        "The first frame of the video to be made. Scaled to cover width x height and cut "
                        "to it."
                    ),
                ),
                io.Video.Input(
                    "video",
                    tooltip=(
                        "The source: a recording, of a webcam for instance. It is read and tracked as "
                        "the stream needs it."
                    ),
                ),
                *size_inputs(),
                io.Combo.Input(
                    "at_end",
                    options=list(AT_END),
                    tooltip=(
                        "After the source's last frame: loop begins it anew, hold rests there, end ends "
                        "the stream."
                    ),
                ),
                io.Int.Input("columns", default=20, min=1, max=200, tooltip="Points across the first frame."),
                io.Int.Input(
                    "rows",
                    default=20,
                    min=1,
                    max=200,
                    tooltip="Points down. Fewer points are followed faster.",
                ),
                io.MultiType.Input(
                    "mask",
                    Region,
                    optional=True,
                    tooltip=(
                        "The subject in the source's first frame, a mask or boxes: only points on it are "
                        "followed."
                    ),
                ),
                io.MultiType.Input(
                    "target",
                    Region,
                    optional=True,
                    tooltip=(
                        "The subject in the start image, a mask or boxes on width x height: the motion "
                        "is moved to it and scaled with it."
                    ),
                ),
                io.MultiType.Input(
                    "points",
                    [io.String, io.Tracks],
                    optional=True,
                    tooltip=(
                        'Points to follow in the source\'s first frame: JSON [{"x": 10, "y": 20}, ...], '
                        "or tracks painted on it."
                    ),
                ),
                io.Float.Input(
                    "fps",
                    default=MODEL_FPS,
                    min=0.1,
                    max=1000.0,
                    step=0.1,
                    optional=True,
                    advanced=True,
                    tooltip="Frames a second of the stream; the source is read at this rate.",
                ),
                io.Combo.Input(
                    "shape",
                    options=list(SHAPES),
                    optional=True,
                    advanced=True,
                    tooltip=(
                        "With a target: the motion keeps its proportions, or is stretched to the "
                        "target's box."
                    ),
                ),
                io.Boolean.Input(
                    "hold_ground",
                    default=True,
                    optional=True,
                    advanced=True,
                    tooltip="With a target: points off it rest, so that only the subject moves.",
                ),
                io.Int.Input(
                    "id_seed",
                    default=0,
                    min=0,
                    max=2**32 - 1,
                    optional=True,
                    advanced=True,
                    tooltip="Seed of the random id each track gets.",
                ),
                io.Combo.Input(
                    "tracker",
                    options=list(KINDS),
                    optional=True,
                    advanced=True,
                    tooltip=(
                        f"Who follows the points. {LICENCES}. All but the first need their package and "
                        "weights in models/motionstream/trackers; nothing is downloaded."
                    ),
                ),
            ],
            outputs=[MotionType.Output(display_name="MOTION", tooltip="For the Streaming Sampler.")],
        )

    @classmethod
    def execute(
        cls,
        start_image,
        video,
        width,
        height,
        at_end,
        columns,
        rows,
        mask=None,
        target=None,
        points=None,
        fps=MODEL_FPS,
        shape=SHAPES[0],
        hold_ground=True,
        id_seed=0,
        tracker="OpenCV flow",
    ) -> io.NodeOutput:
        notes = _host.NodeNotes()
        picture = picture_in(start_image, "start_image", notes)
        subject = place_in(mask, "mask", notes)
        folders = _host.tracker_folders()
        device = _host.run_device()

        def seeds(w: int, h: int):
            clicked = None if points is None else point_prompts(to_prompts(points, w, h), w, h)
            return seeds_for(w, h, columns, rows, mask=subject, clicked=clicked, only_subject=True)

        open_tracker(tracker, folders, device)  # what is missing is said now, not in the middle of a stream
        found = open_live_tracks(
            lambda: source_frames_of(video, None, None, notes)[0],
            lambda: open_tracker(tracker, folders, device),
            seeds,
            width,
            height,
            fps,
            target=place_in(target, "target", notes),
            shape=shape,
            hold_ground=hold_ground,
            longest=max(LONGEST, width, height),
            on_frame=lambda number: _host.check_interrupt(),
        )
        stream = TrackStream(found.first, found.static, found.open, at_end)
        return io.NodeOutput(Motion(cover(picture, width, height)[0], stream, "hold", id_seed, found.groups))
