"""The points of one painted track are one handle."""

import json

from motionstream_core.tracks.document.handles import document_groups
from motionstream_core.tracks.document.parse import document_to_tracks, parse_document


def painted(**changes):
    tracks = [
        {"points": [{"x": 30, "y": 60}, {"x": 90, "y": 60}], "brush": {"radius": 12, "spacing": 6}},
        {"points": [], "kind": "freehand"},
        {"kind": "pin", "points": [{"x": 100, "y": 100}]},
        {"points": [{"x": 1, "y": 1}, {"x": 9, "y": 9}], "visible": False},
    ]
    return parse_document(
        json.dumps(
            {"version": 1, "width": 128, "height": 96, "frames": 9, "fps": 16, "tracks": tracks, **changes}
        )
    )


def test_every_point_has_a_group_and_those_of_a_track_move_alike():
    document = painted(pin_border=True)
    tracks, groups = document_to_tracks(document), document_groups(document)
    assert len(groups) == tracks.count and set(groups) == {0, 1, 2}
    way = tracks.xy - tracks.xy[:1]
    for group in set(groups):
        members = way[:, [index for index, each in enumerate(groups) if each == group]]
        assert (members - members[:, :1]).abs().max() < 1e-4


def test_grids_regions_and_cameras_have_as_many_groups_as_points():
    tracks = [
        {
            "kind": "grid",
            "points": [{"x": 20, "y": 20}],
            "grid": {"columns": 3, "rows": 2, "width": 30, "height": 20},
        },
        {
            "kind": "camera",
            "points": [{"x": 64, "y": 48}],
            "grid": {"columns": 4, "rows": 3, "width": 100, "height": 80},
        },
    ]
    document = painted(tracks=tracks)
    groups = document_groups(document)
    assert len(groups) == document_to_tracks(document).count and set(groups) == {0, -1}


def test_without_border_pins_there_is_no_group_for_them():
    assert document_groups(painted())[-1] == 1
