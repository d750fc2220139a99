"""The pack as the host sees it after its start."""

import json

import pytest
from harness.host import PACK
from harness.workflow import inputs_of, load, shipped, to_api

NODES = {
    "MotionStreamLoader": "Load MotionStream",
    "MotionStreamTrackEditor": "Track Editor",
    "MotionStreamMotionEncoder": "Motion Encoder",
    "MotionStreamEmptyMotion": "Empty Motion (Text to Video)",
    "MotionStreamVideoToVideo": "Video to Video",
    "MotionStreamPromptSchedule": "Prompt Schedule",
    "MotionStreamBufferSettings": "Moving Buffer Settings",
    "MotionStreamSampler": "Streaming Sampler",
    "MotionStreamPreview": "Stream Preview",
    "MotionStreamVideoTracks": "Tracks from Video",
    "MotionStreamLiveVideoMotion": "Live Motion from Video",
    "MotionStreamLiveCamera": "Live Camera",
    "MotionStreamWholeClip": "Whole-Clip Sampler (Teacher)",
}
EXAMPLE = "motionstream_example.png"
WORKFLOWS = [
    "camera-and-object",
    "camera-orbit",
    "causal-wan",
    "endless-stream",
    "interactive-prompts",
    "live-stream",
    "live-webcam-motion",
    "motion-transfer",
    "motionstream-1.3b",
    "paint-a-track",
    "streaming-text-to-video",
    "video-to-video",
]


def test_the_host_knows_every_node_by_its_name(host):
    info = host.object_info()
    assert {name: info[name]["display_name"] for name in NODES if name in info} == NODES
    assert "IMPORT FAILED" not in host.log.read_text()


@pytest.mark.parametrize("name", NODES)
def test_every_input_and_output_has_a_tooltip(host, name):
    node = host.object_info()[name]
    assert [key for key, spec in inputs_of(node) if not spec[1].get("tooltip")] == []
    assert all(node["output_tooltips"]) and len(node["output_tooltips"]) == len(node["output"])


@pytest.mark.parametrize("name", NODES)
def test_every_node_has_a_help_page(host, name):
    assert host.get(f"/extensions/{PACK}/docs/{name}.md").startswith(b"#")


def test_the_browser_gets_one_extension(host):
    served = [path for path in host.get_json("/extensions") if PACK in path]
    assert f"/extensions/{PACK}/motionstream.js" in served


def test_the_example_picture_lies_in_the_input_folder(host):
    assert (host.base / "input" / EXAMPLE).is_file()
    assert EXAMPLE in host.object_info()["LoadImage"]["input"]["required"]["image"][0]
    assert all(
        (host.base / "input" / f"motionstream_{name}").is_file()
        for name in (
            "source.mp4",
            "source_mask.png",
            "example_mask.png",
            "example_depth.png",
            "car.mp4",
            "wide.jpg",
        )
    )


def test_the_template_browser_offers_the_workflows(host):
    assert sorted(host.get_json("/workflow_templates")[PACK]) == sorted(WORKFLOWS)


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_shipped_workflow_names_only_nodes_and_inputs_of_the_host(host, name):
    info = host.object_info()
    for node in to_api(load(shipped(name)), info).values():
        known = {key for key, _ in inputs_of(info[node["class_type"]])}
        assert {key.partition(".")[0] for key in node["inputs"]} <= known, node["class_type"]


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_shipped_workflow_has_a_thumbnail_and_a_fixed_seed(name):
    path = shipped(name)
    assert path.with_suffix(".jpg").read_bytes()[:2] == b"\xff\xd8"
    (sampler,) = [
        node for node in json.loads(path.read_text())["nodes"] if node["type"] == "MotionStreamSampler"
    ]
    assert "fixed" in sampler["widgets_values"]
