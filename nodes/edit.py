"""Edit Tracks and Combine Tracks: tracks in, other tracks out."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import torch
from comfy_api.latest import io

from ..motionstream_core.common.pictures import cover
from ..motionstream_core.tracks.cleanup import clean_tracks, snap_to_objects
from ..motionstream_core.tracks.compose import DEPTHS, camera_over_objects, join_tracks, match_tracks
from ..motionstream_core.tracks.edit import (
    CENTRES,
    CURVES,
    Timing,
    jitter_tracks,
    parse_keys,
    retime_tracks,
    select_in_mask,
    select_range,
    select_spread,
    select_visible,
    smooth_tracks,
    transform_tracks,
)
from ..motionstream_core.tracks.types import ENDLESS, MODES, Tracks
from . import _host
from ._pictures import mask_in, picture_in
from ._tracks import canvas_of, groups_of, join_groups, objects_of, rate_of, to_host, to_tracks
from .loader import CATEGORY

LOG = logging.getLogger("motionstream")
Option = io.DynamicCombo.Option
FAR = 16_384.0


def number_input(name: str, default: float, low: float, high: float, tooltip: str, step: float = 0.01):
    """A number input of a node.

    Args:
        name: of the input.
        default: its value at first.
        low: the smallest allowed.
        high: the largest allowed.
        tooltip: its words.
        step: of the widget.
    """
    return io.Float.Input(name, default=default, min=low, max=high, step=step, tooltip=tooltip)


def whole_input(name: str, default: int, low: int, high: int, tooltip: str):
    """A whole-number input of a node.

    Args:
        name: of the input.
        default: its value at first.
        low: the smallest allowed.
        high: the largest allowed.
        tooltip: its words.
    """
    return io.Int.Input(name, default=default, min=low, max=high, tooltip=tooltip)


OPERATIONS = [
    Option(
        "transform",
        [
            number_input("move_x", 0, -FAR, FAR, "Pixels to the right.", 1),
            number_input("move_y", 0, -FAR, FAR, "Pixels down.", 1),
            number_input("scale_x", 1, -100, 100, "How much wider, about the centre; −1 mirrors."),
            number_input("scale_y", 1, -100, 100, "How much higher."),
            number_input("turn", 0, -36_000, 36_000, "Degrees clockwise about the centre.", 1),
            io.Combo.Input(
                "centre", options=list(CENTRES), tooltip="What scaling and turning leave in place."
            ),
            number_input(
                "motion",
                1,
                -100,
                100,
                "How far points go from where they begin: 2 is twice as far, 0 is at rest, −1 the other way.",
            ),
        ],
    ),
    Option(
        "retime",
        [
            io.Combo.Input("curve", options=list(CURVES), tooltip="How the way begins and ends."),
            number_input(
                "speed",
                1,
                0.01,
                100,
                "How often the way is gone in the time: 2 is twice as fast, 0.5 goes half of it.",
            ),
            io.Boolean.Input("reverse", default=False, tooltip="From the end of the way to its start."),
            whole_input("hold_start", 0, 0, 100_000, "Frames at rest before the motion."),
            whole_input("hold_end", 0, 0, 100_000, "Frames at rest after it."),
            io.Combo.Input(
                "after",
                options=list(ENDLESS),
                tooltip=(
                    "What follows a way that is done early: rest, again from the start, or back and forth."
                ),
            ),
            whole_input("frames", 0, 0, 100_000, "Length of the new tracks; 0: as long as they are."),
            io.String.Input(
                "keys",
                default="",
                tooltip=(
                    'A curve of your own in place of the named one: "time way" from 0 to 1, such as 0 0, '
                    "0.5 0.8, 1 1. A way may go back."
                ),
            ),
        ],
    ),
    Option(
        "smooth",
        [
            number_input(
                "smooth_frames",
                2,
                0,
                1000,
                "Wobble shorter than about this many frames goes; where tracks begin and end stays.",
                0.1,
            )
        ],
    ),
    Option(
        "clean up",
        [
            number_input(
                "speed_limit",
                0,
                0,
                FAR,
                "Pixels a frame that no point may exceed: a faster one falls behind on its way. 0: no limit.",
                0.1,
            ),
            number_input(
                "jerk_limit",
                0,
                0,
                FAR,
                "Pixels a frame³ that no point may exceed: sudden starts and corners are rounded off. 0: "
                "no limit.",
                0.01,
            ),
        ],
    ),
    Option(
        "snap to object",
        [
            io.Image.Input("image", tooltip="The start image, in which the objects are looked for."),
            number_input(
                "reach",
                16,
                1,
                1024,
                "How far, in pixels, a track may begin beside the object that was meant.",
                1,
            ),
        ],
    ),
    Option(
        "select in mask",
        [
            io.Mask.Input(
                "mask",
                tooltip="An area of the first frame; a mask of another size is stretched over the canvas.",
            ),
            io.Boolean.Input(
                "inside", default=True, tooltip="Keep tracks that begin in the mask; off: those that do not."
            ),
        ],
    ),
    Option(
        "select range",
        [
            whole_input(
                "first",
                0,
                -100_000,
                100_000,
                "Number of the first track to keep; negative numbers count from the end.",
            ),
            whole_input("last", -1, -100_000, 100_000, "Number of the last one; −1 is the last of all."),
            whole_input("every", 1, 1, 100_000, "Keep every so many of them."),
        ],
    ),
    Option(
        "select visible",
        [
            number_input(
                "share",
                1,
                0,
                1,
                "Keep tracks that are visible on the canvas in at least this share of the frames.",
            )
        ],
    ),
    Option("thin out", [whole_input("count", 100, 1, 100_000, "Keep at most so many, well spread.")]),
    Option(
        "jitter",
        [
            number_input("amount", 1, 0, 1000, "Pixels by which every track wobbles on its own.", 0.1),
            number_input(
                "calm", 4, 0, 300, "Frames over which the wobble changes; 0: anew in every frame.", 0.5
            ),
            whole_input("jitter_seed", 0, 0, 2**32 - 1, "Seed of the wobble."),
        ],
    ),
]

CHOICES: dict[str, Callable[[Tracks, dict], Any]] = {
    "select in mask": lambda tracks, p: select_in_mask(
        tracks, mask_in(p["mask"], "mask", p["note"]), p["inside"]
    ),
    "select range": lambda tracks, p: select_range(tracks, p["first"], p["last"], p["every"]),
    "select visible": lambda tracks, p: select_visible(tracks, p["share"]),
    "thin out": lambda tracks, p: select_spread(tracks, p["count"]),
}
CHANGES: dict[str, Callable[[Tracks, dict], Tracks]] = {
    "transform": lambda tracks, p: transform_tracks(
        tracks, (p["move_x"], p["move_y"]), (p["scale_x"], p["scale_y"]), p["turn"], p["centre"], p["motion"]
    ),
    "retime": lambda tracks, p: retime_tracks(
        tracks,
        Timing(
            p["curve"],
            p["speed"],
            p["reverse"],
            p["hold_start"],
            p["hold_end"],
            p["after"],
            p["frames"],
            parse_keys(p["keys"]),
        ),
    ),
    "smooth": lambda tracks, p: smooth_tracks(tracks, p["smooth_frames"]),
    "clean up": lambda tracks, p: clean_tracks(tracks, p["speed_limit"], p["jerk_limit"]),
    "jitter": lambda tracks, p: jitter_tracks(tracks, p["amount"], p["calm"], p["jitter_seed"]),
}


class EditTracks(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MotionStreamEditTracks",
            display_name="Edit Tracks",
            category=CATEGORY,
            description="Moves, retimes, smooths, cleans up, selects or thins out tracks from any node.",
            search_aliases=[
                "motionstream",
                "transform tracks",
                "retime",
                "smooth tracks",
                "select tracks",
                "jitter",
                "speed limit",
            ],
            inputs=[
                io.Tracks.Input("tracks", tooltip="Tracks from any node."),
                io.DynamicCombo.Input("operation", options=OPERATIONS, tooltip="What to do with the tracks."),
            ],
            outputs=[
                io.Tracks.Output(tooltip="The edited tracks."),
                io.Int.Output(display_name="count", tooltip="How many they are."),
                io.Int.Output(display_name="frames", tooltip="Their length."),
            ],
        )

    @classmethod
    def execute(cls, tracks, operation) -> io.NodeOutput:
        name, known = operation["operation"], canvas_of(tracks) is not None
        picture = operation.get("image", operation.get("mask"))
        found = to_tracks(tracks, None if picture is None else (picture.shape[2], picture.shape[1]))
        groups = groups_of(tracks, found)
        objects = objects_of(tracks, groups)
        before = found.xy[0]
        notes = _host.NodeNotes()
        if name == "transform" and operation["centre"] == CENTRES[1] and not known:
            raise ValueError(
                "centre: expected tracks that say their canvas, got those of another pack (choose the "
                "middle of the tracks)"
            )
        if name in CHOICES:
            chosen = CHOICES[name](found, {**operation, "note": notes})
            groups = None if groups is None else torch.tensor(groups)[chosen].tolist()
            found = found.select(chosen)
        elif picture is not None and name == "snap to object":
            shown = picture_in(picture, "image", notes)
            image = cover(shown, found.width, found.height)[0].cpu().numpy()
            found, moved = snap_to_objects(found, image, operation["reach"], groups)
            LOG.info("MotionStream: %d of %d tracks were snapped to objects", moved, found.count)
        else:
            found = CHANGES[name](found, operation)
        if name not in CHOICES and not torch.equal(found.xy[0], before):
            objects = {}  # the points begin elsewhere now, off what was cut out
        objects = {n: mask for n, mask in objects.items() if groups is not None and n in groups}
        return io.NodeOutput(to_host(found, groups, known, objects), found.count, found.frames)


COMBINATIONS = [
    Option(
        "side by side",
        [
            io.Combo.Input(
                "fit",
                options=list(MODES),
                tooltip="When the second tracks are of another length than the first: error stops; "
                "hold, loop and ping-pong continue them; resample stretches them in time.",
            )
        ],
    ),
    Option(
        "camera over objects",
        [
            io.Combo.Input(
                "depth",
                options=list(DEPTHS),
                tooltip=(
                    "How far away an object is: it moves with the camera's points where it is, or as "
                    "where it started."
                ),
            ),
            number_input(
                "clearance",
                8,
                0,
                1024,
                "Half the distance, in pixels, from an object's point to its border: the camera's points "
                "nearer than that belong to "
                "the object or are hidden by it.",
                1,
            ),
            io.Boolean.Input(
                "background",
                default=True,
                tooltip="Also give the camera's own tracks; off: the objects alone.",
            ),
            io.Combo.Input(
                "fit",
                options=list(MODES),
                tooltip="When the camera's tracks are of another length than the objects'.",
            ),
        ],
    ),
]


class CombineTracks(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MotionStreamCombineTracks",
            display_name="Combine Tracks",
            category=CATEGORY,
            description=(
                "Two sets of tracks become one: side by side, or the motion of a camera on top of that "
                "of objects."
            ),
            search_aliases=["motionstream", "join tracks", "concat tracks", "merge", "camera and object"],
            inputs=[
                io.Tracks.Input(
                    "tracks_1",
                    tooltip="The first tracks, or the objects'. Canvas, rate and length are theirs.",
                ),
                io.Tracks.Input(
                    "tracks_2",
                    tooltip="The second tracks, or the camera's: points of the background that it moves.",
                ),
                io.DynamicCombo.Input(
                    "how",
                    options=COMBINATIONS,
                    tooltip="Both sets as they are, or the objects carried along by the camera.",
                ),
            ],
            outputs=[
                io.Tracks.Output(tooltip="The combined tracks: the first ones, then the second ones."),
                io.Int.Output(display_name="count", tooltip="How many they are."),
                io.Int.Output(display_name="frames", tooltip="Their length."),
            ],
        )

    @classmethod
    def execute(cls, tracks_1, tracks_2, how) -> io.NodeOutput:
        canvas, fps = canvas_of(tracks_1) or canvas_of(tracks_2), rate_of(tracks_1) or rate_of(tracks_2)
        first = to_tracks(tracks_1, canvas, fps)
        second = to_tracks(tracks_2, canvas or (first.width, first.height), fps)
        groups = groups_of(tracks_1, first)
        objects = objects_of(tracks_1, groups)
        if how["how"] == "side by side":
            both = join_tracks(first, second, how["fit"])
            others = groups_of(tracks_2, second)
            above = max([-1, *(groups if groups is not None else range(first.count))]) + 1
            objects |= {n + above: mask for n, mask in objects_of(tracks_2, others).items()}
            groups = join_groups(groups, others, (first.count, second.count))
        else:
            camera = match_tracks(second, first, how["fit"])
            both = camera_over_objects(first, camera, how["depth"], how["clearance"], how["background"])
            groups = join_groups(
                groups, [-1] * (both.count - first.count), (first.count, both.count - first.count)
            )
        host = to_host(both, groups, canvas is not None, objects)
        return io.NodeOutput(host, both.count, both.frames)
