"""Tracks edited, combined, loaded and saved in the real host, with its own GenerateTracks beside ours."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from harness.graphs import changed, node
from harness.host import Refused
from harness.workflow import inputs_of
from host.test_host import outcome

from motionstream_core.tracks.track_arrays import load_npz
from motionstream_core.tracks.track_json import tracks_from_json

OURS = [
    "MotionStreamEditTracks",
    "MotionStreamCombineTracks",
    "MotionStreamLoadTracks",
    "MotionStreamSaveTracks",
]
FIXTURES = Path(__file__).parents[1] / "fixtures" / "tracks"
LINE = {
    "width": 128,
    "height": 128,
    "start_x": 0.2,
    "start_y": 0.5,
    "end_x": 0.8,
    "end_y": 0.5,
    "num_frames": 13,
    "num_tracks": 3,
    "track_spread": 0.1,
    "bezier": False,
    "mid_x": 0.5,
    "mid_y": 0.5,
    "interpolation": "linear",
}
CAMERA = {
    "move": "zoom",
    "amount": 0.5,
    "easing": "linear",
    "width": 128,
    "height": 128,
    "frames": 13,
    "fps": 16.0,
    "columns": 12,
    "rows": 12,
    "fov": 55.0,
    "shake_seed": 0,
}
OPERATIONS = {
    "transform": {
        "move_x": 4.0,
        "move_y": 0.0,
        "scale_x": 1.0,
        "scale_y": 1.0,
        "turn": 0.0,
        "centre": "middle of the tracks",
        "motion": 1.0,
    },
    "retime": {
        "curve": "ease in",
        "speed": 1.0,
        "reverse": True,
        "hold_start": 0,
        "hold_end": 0,
        "after": "hold",
        "frames": 0,
        "keys": "",
    },
    "smooth": {"smooth_frames": 2.0},
    "clean up": {"speed_limit": 3.0, "jerk_limit": 0.0},
    "snap to object": {"image": ["90", 0], "reach": 8.0},
    "select in mask": {"mask": ["91", 0], "inside": True},
    "select range": {"first": 0, "last": -1, "every": 2},
    "select visible": {"share": 1.0},
    "thin out": {"count": 2},
    "jitter": {"amount": 1.0, "calm": 4.0, "jitter_seed": 3},
}


def dynamic(name: str, chosen: str, settings: dict) -> dict:
    """A dynamic combo's value as a prompt spells it."""
    return {name: chosen, **{f"{name}.{key}": value for key, value in settings.items()}}


def edited(source: list, operation: str) -> dict:
    return node(
        "MotionStreamEditTracks", tracks=source, **dynamic("operation", operation, OPERATIONS[operation])
    )


def saved(host, prompt: dict, source: list, prefix: str):
    """What Save Tracks writes of the output `source` -> Tracks; the host says no canvas for its own, so one
    is given.
    """
    prompt = {
        **prompt,
        "99": node(
            "MotionStreamSaveTracks",
            tracks=source,
            filename_prefix=prefix,
            format="npz (exact)",
            frames=0,
            width=128,
            height=128,
        ),
    }
    entry = host.run(prompt)
    assert outcome(entry) == "success"
    (file,) = entry["outputs"]["99"]["motionstream_files"]
    return load_npz(host.base / "output" / file["subfolder"] / file["filename"])


def every_input(info: dict):
    """(name, spec) of all inputs, those of a dynamic combo's options too."""
    for name, spec in inputs_of(info):
        yield name, spec
        for option in spec[1].get("options", []) if spec[0] == "COMFY_DYNAMICCOMBO_V3" else []:
            for inner, inner_spec in inputs_of({"input": option["inputs"]}):
                yield f"{name}.{inner}", inner_spec


@pytest.mark.parametrize("name", OURS)
def test_every_input_of_every_operation_has_a_tooltip_and_every_node_a_help_page(host, name):
    info = host.object_info()[name]
    assert [key for key, spec in every_input(info) if not spec[1].get("tooltip")] == []
    assert all(info["output_tooltips"])
    assert host.get(f"/extensions/ComfyUI-MotionStream/docs/{name}.md").startswith(b"#")


def test_the_tests_name_every_operation(host):
    spec = dict(inputs_of(host.object_info()["MotionStreamEditTracks"]))["operation"]
    assert {option["key"] for option in spec[1]["options"]} == set(OPERATIONS)


def test_every_operation_runs_on_the_hosts_own_tracks(host):
    prompt = {
        "1": node("GenerateTracks", **LINE),
        "90": node("LoadImage", image="picture.png"),
        "91": node("SolidMask", value=1.0, width=128, height=128),
    }
    for number, name in enumerate(OPERATIONS, start=10):
        prompt[str(number)] = edited(["1", 0], name)
        prompt[str(number + 100)] = node(
            "WanMoveVisualizeTracks",
            images=["90", 0],
            tracks=[str(number), 0],
            line_resolution=4,
            circle_size=2,
            opacity=1.0,
            line_width=1,
        )
        prompt[str(number + 200)] = node("PreviewImage", images=[str(number + 100), 0])
    assert outcome(host.run(prompt)) == "success"


def test_a_chain_of_edits_comes_out_as_worked_out_by_hand(host):
    prompt = {
        "1": node("GenerateTracks", **LINE),
        "2": edited(["1", 0], "transform"),
        "3": edited(["2", 0], "retime"),
        "4": edited(["3", 0], "thin out"),
    }
    made = saved(host, prompt, ["4", 0], "edits/chain")
    share = 1 - torch.linspace(0, 1, 13) ** 2
    assert made.count == 2 and made.frames == 13
    assert torch.allclose(made.xy[:, 0, 0], 0.2 * 128 + share * 0.6 * 128 + 4, atol=0.25)


def test_a_camera_carries_objects_and_what_is_hidden_stays_so(host):
    prompt = {
        "1": node("GenerateTracks", **LINE),
        "2": node("MotionStreamCameraTracks", **CAMERA),
        "3": node(
            "MotionStreamCombineTracks",
            tracks_1=["1", 0],
            tracks_2=["2", 0],
            **dynamic(
                "how",
                "camera over objects",
                {"depth": "of the place it is at", "clearance": 8.0, "background": True, "fit": "error"},
            ),
        ),
    }
    alone, both = saved(host, prompt, ["1", 0], "edits/alone"), saved(host, prompt, ["3", 0], "edits/both")
    assert alone.count == 3 < both.count < 3 + 144
    zoomed = 63.5 + (alone.xy[-1] - 63.5) * 2**0.5
    assert torch.allclose(both.xy[-1, :3], zoomed, atol=0.5) and torch.allclose(
        both.xy[0, :3], alone.xy[0], atol=1e-3
    )
    other = {
        **prompt,
        "3": node(
            "MotionStreamCombineTracks",
            tracks_1=["1", 0],
            tracks_2=["2", 0],
            **dynamic("how", "side by side", {"fit": "error"}),
        ),
    }
    assert saved(host, other, ["3", 0], "edits/beside").count == 3 + 144


def test_a_file_goes_in_and_comes_out_as_it_was_and_text_goes_to_the_hosts_nodes(host):
    shutil.copyfile(FIXTURES / "cotracker_node_list_of_strings.json", host.base / "input" / "cotracker.json")
    load = node("MotionStreamLoadTracks", file="cotracker.json", width=832, height=480, fps=24.0)
    save = node(
        "MotionStreamSaveTracks",
        tracks=["1", 0],
        filename_prefix="edits/same",
        format="npz (exact)",
        frames=0,
        width=0,
        height=0,
    )
    text = changed(
        {"2": save}, n2={"format": "json: ATI, LTX", "frames": 25, "filename_prefix": "edits/text"}
    )["2"]
    host_node = node("WanMoveTracksFromCoords", track_coords=["3", 0])
    again = node("MotionStreamLoadTracks", file="none", width=832, height=480, fps=24.0, text=["3", 0])
    last = changed({"2": save}, n2={"tracks": ["5", 0], "filename_prefix": "edits/again"})["2"]
    shown = node("PreviewAny", source=["4", 1])
    strings = changed(
        {"2": text}, n2={"format": "json: CoTracker nodes", "filename_prefix": "edits/strings"}
    )["2"]
    both = {
        "8": strings,
        "9": node("WanMoveTracksFromCoords", track_coords=["8", 0]),
        "10": node("PreviewAny", source=["9", 1]),
    }
    entry = host.run(
        {"1": load, "2": save, "3": text, "4": host_node, "5": again, "6": last, "7": shown, **both}
    )
    assert outcome(entry) == "success" and entry["outputs"]["7"]["text"] == entry["outputs"]["10"][
        "text"
    ] == ["25"]
    files = {
        key: host.base / "output" / "edits" / entry["outputs"][key]["motionstream_files"][0]["filename"]
        for key in ("2", "3", "6")
    }
    expected = dict(np.load(FIXTURES / "expected.npz"))
    made = load_npz(files["2"])
    seen = expected["cotracker_node_list_of_strings_visible"]
    assert (made.width, made.height, made.fps) == (
        832,
        480,
        24.0,
    ) and made.visible.numpy().tolist() == seen.tolist()
    assert (made.xy.numpy()[seen] == expected["cotracker_node_list_of_strings"][seen]).all()
    written, back = tracks_from_json(files["3"].read_text(), 832, 480), load_npz(files["6"])
    assert (
        written.frames == 25
        and torch.equal(back.visible, written.visible)
        and torch.equal(back.xy[back.visible], written.xy[written.visible])
    )
    assert json.loads(files["3"].read_text())[0][0].keys() == {"x", "y"}


def said(host, prompt: dict) -> str:
    try:
        return outcome(host.run(prompt))
    except Refused as refused:
        return str(refused)


def test_what_cannot_be_done_is_said(host):
    generate = {"1": node("GenerateTracks", **LINE)}
    save = {
        "9": node(
            "MotionStreamSaveTracks",
            tracks=["2", 0],
            filename_prefix="edits/bad",
            format="npz (exact)",
            frames=0,
            width=0,
            height=0,
        )
    }
    far = edited(["1", 0], "select range")
    far["inputs"]["operation.first"] = 7
    assert "range: expected tracks of 0 .. 2" in said(host, {**generate, "2": far, **save})
    middle = edited(["1", 0], "transform")
    middle["inputs"]["operation.centre"] = "middle of the canvas"
    assert "expected tracks that say their canvas" in said(host, {**generate, "2": middle, **save})
    assert "expected tracks that say theirs, or a width and a height" in said(
        host, {**generate, "2": edited(["1", 0], "smooth"), **save}
    )
    assert "expected a file or a text, got none" in said(
        host, {"2": node("MotionStreamLoadTracks", file="none", width=8, height=8, fps=16.0), **save}
    )
    assert "input folder" in said(
        host,
        {
            "2": node("MotionStreamLoadTracks", file="../outside.safetensors", width=8, height=8, fps=16.0),
            **save,
        },
    )
    foreign = {"1": node("ForeignTracks", kind="a list of strings"), "2": edited(["1", 0], "smooth"), **save}
    assert "expected a dict with track_path" in said(host, foreign)
