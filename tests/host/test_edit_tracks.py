"""Tracks edited, combined, loaded and saved in the real host, with its own GenerateTracks beside ours."""

import pytest
from harness.graphs import node
from harness.host import ended_as, errors_of
from harness.workflow import inputs_of

OURS = ["MotionStreamEditTracks", "MotionStreamCombineTracks"]
LINE = {
    "width": 128, "height": 128, "start_x": 0.2, "start_y": 0.5, "end_x": 0.8, "end_y": 0.5, "num_frames": 13, "num_tracks": 3, "track_spread": 0.1,
    "bezier": False, "mid_x": 0.5, "mid_y": 0.5, "interpolation": "linear",
}  # fmt: skip


def every_input(info: dict):
    """(name, spec) of all inputs, those of a dynamic combo's options too."""
    for name, spec in inputs_of(info):
        yield name, spec
        for option in spec[1].get("options", []) if spec[0] == "COMFY_DYNAMICCOMBO_V3" else []:
            for inner, inner_spec in inputs_of({"input": option["inputs"]}):
                yield f"{name}.{inner}", inner_spec


@pytest.mark.parametrize("name", OURS)
def test_every_input_of_every_operation_has_a_tooltip(host, name):
    info = host.object_info()[name]
    assert [key for key, spec in every_input(info) if not spec[1].get("tooltip")] == []
    assert all(info["output_tooltips"])
    assert host.get(f"/extensions/ComfyUI-MotionStream/docs/{name}.md").startswith(b"#")
