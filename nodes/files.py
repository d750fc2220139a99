"""Load Tracks and Save Tracks: tracks from and to files, and the text that other packs' nodes take and
give.
"""

from __future__ import annotations

import json

from comfy_api.latest import io

from ..motionstream_core.tracks.formats import hide_outside_mask, read_tracks, tracks_from_text
from ..motionstream_core.tracks.layout import ORDERS, UNITS
from ..motionstream_core.tracks.track_arrays import save_npz
from ..motionstream_core.tracks.track_json import tracks_from_json, tracks_to_json
from ..motionstream_core.tracks.types import Tracks
from . import _host
from ._tracks import canvas_of, groups_of, objects_of, to_host, to_tracks
from .loader import CATEGORY

NO_FILE = "none"
MAX_LISTED = 1_000_000  # positions that are written as text: ten times the bytes, and minutes of reading
SUFFIXES = (".npz", ".npy", ".json", ".txt", ".pth")
FORMATS = {
    "npz (exact)": None,
    "json: ATI, LTX": "ati",
    "json: KJNodes": "kjnodes",
    "json: CoTracker nodes": "cotracker",
    "json: pairs": "pairs",
}


class LoadTracks(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MotionStreamLoadTracks",
            display_name="Load Tracks",
            category=CATEGORY,
            description=(
                "Tracks from a file of the input folder, or from the text that another pack's node gives."
            ),
            search_aliases=[
                "motionstream",
                "import tracks",
                "npz",
                "ATI",
                "KJNodes",
                "spline editor",
                "CoTracker",
            ],
            inputs=[
                io.Combo.Input(
                    "file",
                    options=[NO_FILE, *_host.input_files(SUFFIXES)],
                    default=NO_FILE,
                    tooltip="A file of the input folder: .npz, .npy, .json, or ATI's .pth.",
                ),
                io.Int.Input(
                    "width",
                    default=832,
                    min=1,
                    max=16_384,
                    tooltip=(
                        "Canvas of tracks that do not say theirs: the size of the picture they were drawn on."
                    ),
                ),
                io.Int.Input("height", default=480, min=1, max=16_384, tooltip="Its height."),
                io.Float.Input(
                    "fps",
                    default=16.0,
                    min=1.0,
                    max=120.0,
                    step=0.01,
                    tooltip="Rate of tracks that do not say theirs.",
                ),
                io.String.Input(
                    "text",
                    optional=True,
                    force_input=True,
                    tooltip=(
                        "Points as text in place of a file: of KJNodes' spline editor, LTX, ATI, CoTracker."
                    ),
                ),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="Hides the tracks in every frame in which this mask is empty.",
                ),
                io.Combo.Input(
                    "order",
                    options=list(ORDERS),
                    optional=True,
                    advanced=True,
                    tooltip="Which axis of a file's arrays is time, where the file does not tell: point "
                    "trackers write both.",
                ),
                io.Combo.Input(
                    "units",
                    options=list(UNITS),
                    optional=True,
                    advanced=True,
                    tooltip="What the places are: pixels, or shares of the picture from 0 to 1.",
                ),
            ],
            outputs=[
                io.Tracks.Output(tooltip="The tracks, on their own canvas."),
                io.Int.Output(display_name="width", tooltip="Width of that canvas."),
                io.Int.Output(display_name="height", tooltip="Its height."),
                io.Int.Output(display_name="frames", tooltip="Length of the tracks."),
                io.Int.Output(display_name="count", tooltip="How many there are."),
            ],
        )

    @classmethod
    def validate_inputs(cls, file: str = NO_FILE) -> bool | str:
        try:
            return file == NO_FILE or bool(_host.input_path(file))
        except ValueError as error:
            return str(error)

    @classmethod
    def fingerprint_inputs(cls, file, **others) -> float:
        return 0.0 if file == NO_FILE else _host.input_path(file).stat().st_mtime

    @classmethod
    def execute(
        cls, file, width, height, fps, text=None, mask=None, order=ORDERS[0], units=UNITS[0]
    ) -> io.NodeOutput:
        notes = _host.NodeNotes()
        if (file == NO_FILE) == (text is None):
            raise ValueError(f"tracks: expected a file or a text, got {'none' if text is None else 'both'}")
        if text is None:
            path = _host.input_path(file)
            found = read_tracks(path, width, height, fps, order=order, units=units, note=notes)
        elif isinstance(text, str):
            found = tracks_from_text(text, width, height, fps, order=order, units=units, note=notes)
        else:
            found = tracks_from_json(text, width, height, fps, order=order, units=units, note=notes)
        found = found if mask is None else hide_outside_mask(found, mask)
        return io.NodeOutput(to_host(found), found.width, found.height, found.frames, found.count)


class SaveTracks(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MotionStreamSaveTracks",
            display_name="Save Tracks",
            category=CATEGORY,
            description=(
                "Writes tracks to a file of the output folder, and gives them as text for other packs' nodes."
            ),
            search_aliases=["motionstream", "export tracks", "npz", "ATI", "KJNodes"],
            is_output_node=True,
            inputs=[
                io.Tracks.Input("tracks", tooltip="Tracks from any node."),
                io.String.Input(
                    "filename_prefix",
                    default="tracks/motionstream",
                    tooltip="Name of the file, and its folder within the output folder.",
                ),
                io.Combo.Input(
                    "format",
                    options=list(FORMATS),
                    tooltip=(
                        "npz keeps everything; JSON has hidden points far off the canvas, and no size or "
                        "rate."
                    ),
                ),
                io.Int.Input(
                    "frames",
                    default=0,
                    min=0,
                    max=100_000,
                    tooltip="Stretch the tracks to so many frames; ATI wants 121. 0: as they are.",
                ),
                io.Int.Input(
                    "width",
                    default=0,
                    min=0,
                    max=16_384,
                    tooltip=(
                        "Scale them to this canvas; of tracks that say no canvas, the one they have. 0: "
                        "as they are."
                    ),
                ),
                io.Int.Input("height", default=0, min=0, max=16_384, tooltip="Height of that canvas."),
            ],
            outputs=[
                io.String.Output(
                    display_name="text",
                    tooltip=(
                        "The tracks as JSON, of the chosen spelling (npz: ATI's), for other packs' nodes."
                    ),
                ),
                io.Tracks.Output(tooltip="The tracks as they were saved."),
            ],
        )

    @classmethod
    def execute(cls, tracks, filename_prefix, format, frames=0, width=0, height=0) -> io.NodeOutput:
        found, known = scale_to_canvas(tracks, width, height)
        found = found.resampled(frames) if frames else found
        style = FORMATS[format]
        if style is None and not known:
            raise ValueError("canvas: expected tracks that say theirs, or a width and a height, got neither")
        # What is not asked for as text is not made, beyond what other nodes could take.
        many = found.frames * found.count > MAX_LISTED
        if many and style is not None:
            raise ValueError(
                f"format: expected at most {MAX_LISTED} positions in JSON, got {found.frames * found.count}: "
                "choose npz"
            )
        text = "" if many else tracks_to_json(found, style or "ati")
        path, subfolder = _host.output_path(filename_prefix, ".npz" if style is None else ".json")
        if style is None:
            save_npz(found, path)
        else:
            path.write_text(text, encoding="utf-8")
        said = (
            json.loads(text) if style == "cotracker" else text
        )  # those nodes hand on the list itself, and what reads tracks expects it so
        if many:
            said = _host.block_output(
                f"text: expected at most {MAX_LISTED} positions, got more: use the file"
            )
        saved = {"filename": path.name, "subfolder": subfolder, "type": "output"}
        return io.NodeOutput(
            said,
            to_host(found, groups_of(tracks, found), known, objects_of(tracks, groups_of(tracks, found))),
            ui={"motionstream_files": [saved], "text": [path.name]},
        )


def scale_to_canvas(tracks, width: int, height: int) -> tuple[Tracks, bool]:
    """TRACKS on the canvas asked for, and whether they have one now."""
    if (width == 0) != (height == 0):
        raise ValueError(f"canvas: expected both a width and a height, or neither, got {width}x{height}")
    if not width:
        return to_tracks(tracks), canvas_of(tracks) is not None
    found = to_tracks(tracks, (width, height))
    return found.rescaled(width, height), True
