"""Track Editor: the document painted in the browser becomes TRACKS, and the picture it was painted on its
start image.
"""

from __future__ import annotations

import json
from dataclasses import replace

from comfy_api.latest import io, ui

from ..motionstream_core.common.pictures import cover
from ..motionstream_core.tracks.document.handles import document_groups
from ..motionstream_core.tracks.document.objects import document_objects, objects_under_strokes
from ..motionstream_core.tracks.document.parse import document_to_tracks, parse_document
from ..motionstream_core.tracks.masks import object_message
from . import _host
from ._pictures import masks_in, picture_in
from ._sizes import picture_fit, tracks_on_picture
from ._tracks import to_host
from .loader import CATEGORY

EMPTY = {
    "version": 1,
    "width": 128,
    "height": 128,
    "frames": 49,
    "fps": 16,
    "pin_border": True,
    "tracks": [],
}
NO_IMAGE = "Track Editor: expected a connected image for the IMAGE output, got none"


class TrackEditor(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MotionStreamTrackEditor",
            display_name="Track Editor",
            category=CATEGORY,
            description="Paint where things go: draw paths and strokes on the image, pin what must stay.",
            search_aliases=[
                "motionstream",
                "paint tracks",
                "trajectory",
                "motion paths",
                "spline editor",
                "motion brush",
                "drag",
            ],
            has_intermediate_output=True,
            inputs=[
                io.Image.Input(
                    "image",
                    optional=True,
                    tooltip=(
                        "The picture to paint on; its middle, scaled to cover width x height, starts the "
                        "video."
                    ),
                ),
                io.String.Input(
                    "document",
                    default=json.dumps(EMPTY),
                    multiline=True,
                    socketless=True,
                    extra_dict={"widgetType": "MOTIONSTREAM_TRACKS"},
                    tooltip="What is painted, as a JSON document (docs/track-document.md).",
                ),
                io.Int.Input(
                    "width", default=128, min=16, max=4096, step=16, tooltip="Width of the video in pixels."
                ),
                io.Int.Input(
                    "height", default=128, min=16, max=4096, step=16, tooltip="Height of the video in pixels."
                ),
                io.Int.Input(
                    "frames", default=49, min=1, max=100_000, tooltip="Length of the tracks in frames."
                ),
                io.Float.Input(
                    "fps",
                    default=16.0,
                    min=1.0,
                    max=120.0,
                    step=0.01,
                    tooltip="Frames a second of the video.",
                ),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip=(
                        "Things of the picture that were cut out elsewhere, one a mask (SAM): a stroke that "
                        "begins on one takes it along, and Select object takes it after a run."
                    ),
                ),
            ],
            outputs=[
                io.Tracks.Output(tooltip="The tracks, for the Motion Encoder and every node with TRACKS."),
                io.Image.Output(tooltip="The image, scaled to cover width x height and cut to it."),
                io.Int.Output(display_name="width", tooltip="Width of the video."),
                io.Int.Output(display_name="height", tooltip="Height of the video."),
                io.Int.Output(display_name="frames", tooltip="Length of the tracks."),
            ],
        )

    @classmethod
    def validate_inputs(cls, document: str | None = None) -> bool | str:
        try:
            # On the server's event loop, where everybody waits: the points are made when the node runs.
            if document is not None:
                parse_document(document)
        except ValueError as error:
            return str(error)
        return True

    @classmethod
    def execute(cls, document, width, height, frames, fps, image=None, mask=None) -> io.NodeOutput:
        painted = parse_document(document)
        tracks = document_to_tracks(painted, frames)
        if image is not None:
            image = picture_in(image, "image", _host.NodeNotes())
        size = None if image is None else image.shape[1:3]
        tracks = tracks_on_picture(tracks, width, height, size)
        fit = picture_fit((painted.width, painted.height), width, height, size)
        masks = [] if mask is None else masks_in(mask, "mask", (width, height))
        objects = objects_under_strokes(painted, masks, fit) | document_objects(painted, width, height, fit)
        host_tracks = to_host(replace(tracks, fps=fps), document_groups(painted), objects=objects)
        if image is None:
            picture, backdrop = _host.block_output(NO_IMAGE), []
        else:
            picture, backdrop = cover(image, width, height), save_backdrop(cls, image)
        shown = {
            "motionstream_backdrop": backdrop,
            "motionstream_size": [{"width": width, "height": height, "frames": frames, "fps": fps}],
            "motionstream_masks": [object_message(0, each) for each in masks if each.any()],
        }
        return io.NodeOutput(host_tracks, picture, width, height, frames, ui=shown)


def save_backdrop(cls, image) -> list:
    """The connected picture as a temporary file that the browser paints on: [{filename, subfolder, type}]."""
    return ui.ImageSaveHelper.save_images(
        image, "motionstream_backdrop", io.FolderType.temp, cls, compress_level=1
    )
