"""Tracks from Video: the motion of a video, as tracks for another picture."""

from __future__ import annotations

from comfy_api.latest import io

from ..motionstream_core.tracks.edit import smooth_tracks
from ..motionstream_core.tracks.video.camera_motion import PARTS
from ..motionstream_core.tracks.video.follow import KEPT, TIMINGS, Followed, follow, retime_tracks
from ..motionstream_core.tracks.video.point_prompts import point_prompts
from ..motionstream_core.tracks.video.retarget import SHAPES, Seeds, retarget_tracks, seeds_for
from ..motionstream_core.tracks.video.trackers import KINDS, open_tracker
from . import _host
from ._inputs import size_inputs
from ._pictures import Note, place_in
from ._sources import source_frames_of
from ._tracks import to_host, to_prompts
from .loader import CATEGORY

LONGEST = 960  # px; larger pictures are followed at this size, or at the target's where that is larger
LICENCES = "; ".join(kind.words for kind in KINDS.values())
Region = [io.Mask, io.BoundingBox]


class VideoTracks(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MotionStreamVideoTracks",
            display_name="Tracks from Video",
            category=CATEGORY,
            description=(
                "Follows points through a video, so that its motion can move another picture. Needs "
                "OpenCV, no download, no GPU."
            ),
            search_aliases=[
                "motionstream",
                "motion transfer",
                "point tracking",
                "optical flow",
                "retarget",
                "CoTracker",
                "TAPIR",
                "TAPNext",
                "RAFT",
            ],
            inputs=[
                *size_inputs(
                    "Width of the video to be made; without a target the source is scaled to cover it."
                ),
                io.Int.Input(
                    "frames",
                    default=49,
                    min=0,
                    max=100_000,
                    tooltip="Frames to be made. 0: as many as the source needs.",
                ),
                io.Int.Input(
                    "source_frames",
                    default=0,
                    min=0,
                    max=1_000_000,
                    tooltip="Frames of the source to follow. 0: all.",
                ),
                io.Combo.Input(
                    "part",
                    options=list(PARTS),
                    default="everything",
                    tooltip="All motion; the subject's own without the camera's; the camera's alone.",
                ),
                io.Int.Input("columns", default=50, min=1, max=200, tooltip="Points across the first frame."),
                io.Int.Input("rows", default=50, min=1, max=200, tooltip="Points down."),
                io.Video.Input("video", optional=True, tooltip="The source, read frame by frame."),
                io.Image.Input(
                    "images",
                    optional=True,
                    tooltip="The source as images (16 a second), in place of a video.",
                ),
                io.MultiType.Input(
                    "mask",
                    Region,
                    optional=True,
                    tooltip=(
                        "The subject in the source's first frame: a mask or boxes. For everything and "
                        "without a target: only points on it are followed."
                    ),
                ),
                io.MultiType.Input(
                    "target",
                    Region,
                    optional=True,
                    tooltip=(
                        "The subject in the new picture, a mask or boxes on width x height: the "
                        "subject's motion is moved to it and scaled with it."
                    ),
                ),
                io.MultiType.Input(
                    "points",
                    [io.String, io.Tracks],
                    optional=True,
                    tooltip=(
                        'Points of the subject to follow in the source\'s first frame: JSON [{"x": 10, '
                        '"y": 20}, ...], or tracks painted on it.'
                    ),
                ),
                io.Combo.Input(
                    "timing",
                    options=list(TIMINGS),
                    optional=True,
                    tooltip=(
                        "Whole source: stretched into the frames. Source speed: a second stays a second; "
                        "the end is left out, or the points rest."
                    ),
                ),
                io.Float.Input(
                    "fps",
                    default=16.0,
                    min=0.1,
                    max=1000.0,
                    step=0.1,
                    optional=True,
                    tooltip="Frames a second of the video to be made.",
                ),
                io.Float.Input(
                    "smooth",
                    default=0.0,
                    min=0.0,
                    max=100.0,
                    step=0.1,
                    optional=True,
                    advanced=True,
                    tooltip="Takes out wobble of less than about so many frames. 0: nothing.",
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
                    tooltip=(
                        "With a target and the subject alone: points off the target rest, so that only "
                        "the subject moves."
                    ),
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
            outputs=[
                io.Tracks.Output(tooltip="The tracks, for the Motion Encoder and every node with TRACKS."),
                io.Int.Output(display_name="frames", tooltip="Length of the tracks."),
            ],
        )

    @classmethod
    def execute(
        cls,
        width,
        height,
        frames,
        source_frames,
        part,
        columns,
        rows,
        video=None,
        images=None,
        mask=None,
        target=None,
        points=None,
        timing=TIMINGS[0],
        fps=16.0,
        smooth=0.0,
        shape=SHAPES[0],
        hold_ground=True,
        tracker="OpenCV flow",
    ) -> io.NodeOutput:
        notes = _host.NodeNotes()
        source, total = source_frames_of(video, images, source_frames or None, notes)
        subject = place_in(mask, "mask", notes)
        goal = place_in(target, "target", notes)
        seeded: list[Seeds] = []

        def seeds(w: int, h: int):
            clicked = None if points is None else point_prompts(to_prompts(points, w, h), w, h)
            alone = part == "everything" and target is None
            seeded.append(seeds_for(w, h, columns, rows, mask=subject, clicked=clicked, only_subject=alone))
            return seeded[0].xy

        speed = timing != TIMINGS[0]
        found = follow(
            source,
            seeds,
            open_tracker(tracker, _host.tracker_folders(), _host.run_device()),
            kept=KEPT if frames else None,
            seconds=(frames - 1) / fps if frames and speed else None,
            longest=max(LONGEST, width, height),
            on_frame=_host.progress(total),
        )
        note_losses(found, None if speed else total, notes)
        timed = retime_tracks(found, frames, fps, timing)
        made = retarget_tracks(timed, seeded[0], part, width, height, goal, shape, hold_ground)
        made = smooth_tracks(made, smooth)
        return io.NodeOutput(to_host(made, [-1] * made.count), made.frames)


def note_losses(found: Followed, expected: int | None, note: Note):
    """What a person should know of the source: cuts, and frames that could not be read."""
    if found.cuts:
        frames = ", ".join(map(str, found.cuts))
        note(f"the source's scene changes before frame {frames}: from there on no point is visible")
    if expected is not None and found.frames < expected:
        note(f"the source should have {expected} frames, {found.frames} could be read (a cut-off file?)")
