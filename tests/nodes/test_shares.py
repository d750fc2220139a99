"""Text of other packs whose places are shares of the canvas is no track in pixels."""

import pytest


def test_shares_of_a_canvas_are_refused_and_pixels_are_not(pack):
    in_pixels = pack("nodes._tracks").in_pixels
    read = pack("motionstream_core.tracks.formats").tracks_from_json
    with pytest.raises(
        ValueError,
        match=(
            "expected places in pixels of 128x96, got all between 0 and 1: of KJNodes' spline editor "
            "take coord_str"
        ),
    ):
        in_pixels(read("[{'x': 0.84, 'y': 0.53}, {'x': 0.28, 'y': 0}]", 128, 96))
    for text in ("[[0, 0], [1, 1]]", "[[0.5, 0.5], [1.5, 0.5]]", "[[[0.5, 0.5]], [[90, 3]]]"):
        assert in_pixels(read(text, 128, 96)).count >= 1
    assert in_pixels(read("[[0.5, 0.5]]", 2, 2)).frames == 1
