"""The Track Editor's document, sampled."""

import json
from pathlib import Path

import numpy as np
import pytest

from motionstream_core.tracks.document.parse import (
    Document,
    Stroke,
    document_to_tracks,
    parse_document,
    sample_curve,
)

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "spline.json").read_text(encoding="utf-8"))


def document(*tracks, **keys):
    return {"version": 1, "width": 64, "height": 32, "frames": 9, "fps": 8, "tracks": list(tracks), **keys}


def line(**keys):
    return {"points": [{"x": 4, "y": 4}, {"x": 60, "y": 4}], **keys}


def tracks_of(value):
    return document_to_tracks(parse_document(json.dumps(value)))


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda case: case["name"])
def test_the_golden_points_are_found(case):
    made = document_to_tracks(parse_document(json.dumps(case["document"])), case["frames"])
    assert made.count == case["count"]
    assert made.visible[case["asked"]].tolist() == case.get(
        "visible", [[True] * made.count] * len(case["asked"])
    )
    np.testing.assert_allclose(made.xy[case["asked"]].numpy(), case["xy"], atol=GOLDEN["tolerance"], rtol=0)


@pytest.mark.parametrize("curve", GOLDEN["curves"], ids=lambda curve: curve["name"])
def test_the_golden_curves_are_found(curve):
    made = sample_curve(
        tuple(tuple(point) for point in curve["points"]), curve["interpolation"], curve.get("tension", 0.0)
    )
    np.testing.assert_allclose(made, curve["polyline"], atol=GOLDEN["tolerance"], rtol=0)


def test_a_document_gives_its_own_size_length_and_rate():
    made = tracks_of(document(line()))
    assert (made.width, made.height, made.frames, made.fps, made.count) == (64, 32, 9, 8.0, 1)


@pytest.mark.parametrize(
    "empty",
    [document(), document({"points": []}), document(line(visible=False))],
    ids=["no tracks", "no points", "muted"],
)
def test_a_document_that_gives_no_point_is_an_error(empty):
    with pytest.raises(ValueError, match="expected at least one visible track with points, got none"):
        tracks_of(empty)


def test_points_may_leave_the_canvas_but_some_must_be_on_it():
    leaving = document({"points": [{"x": -30, "y": 4}, {"x": 90, "y": 4}]})
    assert tracks_of(leaving).on_canvas().any()
    with pytest.raises(ValueError, match="on the canvas of 64x32, got none: x from 200 to 300"):
        tracks_of(document({"points": [{"x": 200, "y": 4}, {"x": 300, "y": 4}]}))


BAD = {
    "text that is no JSON": ("{'version': 1", "expected JSON, got"),
    "an empty text": ("  ", "got an empty text"),
    "a list": ("[]", "expected an object, got list"),
    "an unknown version": (document(line(), version=3), "expected version 1 or 2, got 3"),
    "a missing version": ({"tracks": []}, "expected version 1 or 2, got None"),
    "missing tracks": (
        {"version": 1, "width": 8, "height": 8, "frames": 1, "fps": 1},
        "expected tracks to be of type list, got nothing",
    ),
    "a width of nought": (
        document(line(), width=0),
        "expected width to be a whole number from 1 to 16384, got 0",
    ),
    "half a frame": (document(line(), frames=8.5), "expected frames to be a whole number"),
    "an infinite width": (document(line(), width=float("inf")), "expected width to be a whole number"),
    "no rate": (document(line(), fps=0), "expected fps above 0"),
    "an unknown kind": (
        document(line(kind="circle")),
        "track 0: expected kind to be one of path, freehand, pin, line, grid, region, camera, object, got "
        "'circle'",
    ),
    "an unknown interpolation": (
        document(line(interpolation=["spline"])),
        "expected interpolation to be one of linear, spline",
    ),
    "a track that is no object": (document([1, 2]), "track 0: expected an object, got list"),
    "a point without y": (
        document(line(), {"points": [{"x": 1}]}),
        "track 1, point 0: y: expected a number from -1000000 to 1000000, got None",
    ),
    "a coordinate that is not a number": (
        document({"points": [{"x": float("nan"), "y": 1}]}),
        "track 0, point 0: x: expected a number .* got nan",
    ),
    "an infinite coordinate": (
        document({"points": [{"x": 1, "y": float("inf")}]}),
        "point 0: y: expected a number .* got inf",
    ),
    "a coordinate in words": (document({"points": [{"x": "3", "y": 1}]}), "x: expected a number .* got '3'"),
    "a start in words": (document(line(start="soon")), "start: expected a number"),
    "a brush without spacing": (document(line(brush={"radius": 3})), "brush spacing: expected a number"),
    "a brush that is a number": (document(line(brush=3)), "expected brush to be of type mapping, got 3"),
    "visible in words": (document(line(visible="yes")), "expected visible to be of type bool, got 'yes'"),
    "too many points": (
        document({"points": [{"x": 1, "y": 1}] * 4097}),
        "expected at most 4096 points, got 4097",
    ),
    "too many brush points": (
        document(line(brush={"radius": 60, "spacing": 0.001})),
        "expected at most 10000 points, got a radius of 60",
    ),
    "too many points in all": (
        document(*[line(brush={"radius": 20, "spacing": 0.5})] * 3),
        "expected at most 10000 points, got more",
    ),
    "a line that is no kind of curve": (
        document(line(interpolation="circle")),
        "expected interpolation to be one of linear, spline, cardinal, bspline",
    ),
    "a tension of two": (
        document(line(tension=2)),
        "track 0: expected tension to be a number from 0 to 1, got 2",
    ),
    "a scale of nought": (document(line(scale=0)), "expected scale to be a number from 0.01 to 100, got 0"),
    "an endless turn": (
        document(line(turn=float("inf"))),
        "expected turn to be a number from -36000 to 36000, got inf",
    ),
    "no keys": (document(line(speed=[])), "track 0: speed: expected 1 to 256 keys with t and s"),
    "keys that are numbers": (document(line(speed=[1, 2])), "speed: expected 1 to 256 keys with t and s"),
    "a key outside the time": (
        document(line(speed=[{"t": 2, "s": 0}])),
        "speed: expected t to be a number from 0 to 1, got 2",
    ),
    "keys that fall": (
        document(line(speed=[{"t": 0, "s": 1}, {"t": 1, "s": 0}])),
        r"of s that never falls, got \(1, 0\) after \(0, 1\)",
    ),
    "keys at one time": (
        document(line(speed=[{"t": 0, "s": 0}, {"t": 0, "s": 1}])),
        "expected keys of rising t",
    ),
    "an unknown ease": (
        document(line(speed=[{"t": 0, "s": 0, "ease": "bounce"}])),
        "expected ease to be one of linear, in, out, in-out, smooth, hold",
    ),
    "ranges in words": (document(line(shown="always")), "expected shown to be of type list"),
    "no ranges": (document(line(shown=[])), "shown: expected 1 to 256 ranges"),
    "a range of three": (document(line(shown=[[1, 2, 3]])), "shown: expected 1 to 256 ranges"),
    "a range without an end": (document(line(shown=[[1, None]])), "shown: expected a number"),
    "a grid without a grid": (
        document(line(kind="grid")),
        "track 0: grid: expected width, height, columns and rows for a track of kind grid, got nothing",
    ),
    "a camera without a grid": (document(line(kind="camera")), "for a track of kind camera, got nothing"),
    "half a column": (
        document(line(kind="grid", grid={"width": 9, "height": 9, "columns": 1.5, "rows": 2})),
        "expected columns to be a whole number",
    ),
    "too many rows": (
        document(line(kind="grid", grid={"width": 9, "height": 9, "columns": 200, "rows": 200})),
        "expected at most 10000 points, got 200 x 200",
    ),
    "a region without an area": (
        document(line(kind="region")),
        "track 0: region: expected lines, radius and spacing",
    ),
    "a region of no lines": (
        document(line(kind="region", region={"lines": [[]], "radius": 3, "spacing": 3})),
        "region: expected lines of 1 to 1024 points",
    ),
    "a region too fine": (
        document(line(kind="region", region={"lines": [[{"x": 0, "y": 0}]], "radius": 900, "spacing": 0.01})),
        "region: expected at most 40000",
    ),
    "a brush beyond counting": (
        document(line(brush={"radius": 1e6, "spacing": 5e-324})),
        "brush: expected at most 10000 points",
    ),
    "carries in words": (document(line(carries="yes")), "expected carries to be of type bool"),
    "too much text": (" " * 2**20 + "{}", "expected at most 1048576 characters"),
    "deep nesting": ("[" * 100_000, "expected JSON"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_document_is_refused_with_what_was_expected_and_got(name):
    value, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        document_to_tracks(parse_document(value if isinstance(value, str) else json.dumps(value)))


def test_a_video_too_long_for_its_points_is_refused_before_it_is_sampled():
    long = Document(64, 64, 100_000, 16.0, (Stroke(((1.0, 1.0),)),) * 101)
    with pytest.raises(ValueError, match="10000000 positions, got 101 points in 100000 frames"):
        document_to_tracks(long)
    with pytest.raises(ValueError, match="frames: expected 1 to 100000, got 10000000"):
        document_to_tracks(long, 10_000_000)
