"""The shipped workflows without a browser: what is in the files, and that the real host takes and runs
them.
"""

import copy

import numpy as np
import pytest
from harness.demo import commanded_tracks, following_errors, painted_text
from harness.host import ended_as, figures_of
from harness.install import ROOT
from harness.workflow import load, nodes_of_type, shipped, to_api, widget_inputs
from host.test_steering import Performer
from PIL import Image

from motionstream_core.codec.video import read_video
from motionstream_core.model.text import BUILT_IN
from motionstream_core.streaming.prompt_schedule import parse_prompts
from motionstream_core.tracks.document.parse import document_to_tracks, parse_document
from motionstream_core.training.cartoon.vocabulary import CARTOON as CARTOON_WORDS

NAMES = [path.stem for path in sorted((ROOT / "workflows").glob("*.json"))]
PUBLIC = ("causal-wan", "motionstream-1.3b")  # others' weights, with text encoders that know every word
EACH = pytest.mark.parametrize("name", NAMES)


def values_of(workflow: dict, kind: str) -> list:
    (node,) = nodes_of_type(workflow, kind)
    return node["widgets_values"]


def test_the_workflows_are_shipped():
    assert NAMES == [
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


@EACH
def test_links_join_slots_that_know_of_them(name):
    workflow = load(shipped(name))
    nodes = {node["id"]: node for node in workflow["nodes"]}
    for link, source, out, target, into, kind in workflow["links"]:
        assert (
            link in nodes[source]["outputs"][out]["links"] and nodes[target]["inputs"][into]["link"] == link
        )
        assert kind == nodes[source]["outputs"][out]["type"] and kind in nodes[target]["inputs"][into][
            "type"
        ].split(",")
    assert (
        workflow["version"] == 0.4
        and workflow["last_node_id"] == max(nodes)
        and workflow["last_link_id"] == max(link[0] for link in workflow["links"])
    )


def box_of(node: dict) -> tuple[float, float, float, float]:
    """Place and size of a node below its title; a collapsed one is a title alone."""
    return (*node["pos"], 240, 0) if node.get("flags", {}).get("collapsed") else (*node["pos"], *node["size"])


# Their loaders have file names that a person must read and choose.
@pytest.mark.parametrize("name", [name for name in NAMES if name not in PUBLIC])
def test_the_whole_graph_shows_its_text_on_a_small_screen(name):
    """On 1280x720 the host leaves about 1200x640 for the graph, and hides text below a zoom of 57 %."""
    boxes = [box_of(node) for node in load(shipped(name))["nodes"]]
    width = max(x + w for x, _, w, _ in boxes) - min(x for x, _, _, _ in boxes)
    height = max(y + h for _, y, _, h in boxes) - min(y for _, y, _, _ in boxes) + 30
    assert min(1200 / width, 640 / height) > 0.6, (width, height)


@EACH
def test_nodes_do_not_overlap_and_have_titles(name):
    boxes = [box_of(node) for node in load(shipped(name))["nodes"]]
    for index, (x, y, width, height) in enumerate(boxes):
        for other_x, other_y, other_width, other_height in boxes[:index]:
            apart = (
                x + width <= other_x
                or other_x + other_width <= x
                or y + height + 30 <= other_y
                or other_y + other_height + 30 <= y
            )
            assert apart, (name, index)
    assert all(node["title"] for node in load(shipped(name))["nodes"])


@pytest.mark.parametrize("name", ["endless-stream", "paint-a-track"])
def test_painted_tracks_move_and_stay_on_the_canvas(name):
    workflow = load(shipped(name))
    tracks = commanded_tracks(workflow)
    assert 0 <= tracks.xy.min() and tracks.xy.max() <= 127
    moved = np.linalg.norm((tracks.xy - tracks.xy[:1]).numpy(), axis=-1).max(0)
    assert (moved > 20).sum() >= 20 and (moved == 0).sum() >= 20


def test_the_endless_tracks_end_where_they_begin():
    document = parse_document(painted_text(load(shipped("endless-stream"))))
    xy = document_to_tracks(document).xy
    assert (xy[-1] - xy[0]).abs().max() < 0.5


@EACH
def test_the_prompt_is_of_the_vocabulary_and_the_seed_fixed(name):
    workflow = load(shipped(name))
    if name not in PUBLIC:
        words = CARTOON_WORDS if "cartoon" in values_of(workflow, "MotionStreamLoader")[0] else BUILT_IN
        if nodes_of_type(workflow, "MotionStreamPromptSchedule"):
            lines = values_of(workflow, "MotionStreamPromptSchedule")[0]
            prompts = [text for _, text in parse_prompts(lines)]
        else:
            prompts = [values_of(workflow, "CLIPTextEncode")[0]]
        assert [words.unknown(prompt) for prompt in prompts] == [[]] * len(prompts)
    assert values_of(workflow, "MotionStreamSampler")[2] == "fixed"


@EACH
def test_there_is_a_thumbnail(name):
    with Image.open(shipped(name).with_suffix(".jpg")) as picture:
        assert picture.format == "JPEG" and min(picture.size) >= 256


@pytest.mark.parametrize(
    ("name", "frames"),
    [
        ("paint-a-track", 49),
        ("endless-stream", 600),
        ("camera-orbit", 49),
        ("motion-transfer", 49),
        ("camera-and-object", 49),
        ("streaming-text-to-video", 97),
        ("interactive-prompts", 121),
        ("video-to-video", 97),
    ],
)
def test_the_host_runs_it_as_shipped(host, name, frames):
    workflow = load(shipped(name))
    entry = host.run(to_api(workflow, host.object_info()))
    assert ended_as(entry) == "success", host.log_tail()
    assert figures_of(entry)["frames"] == frames


def test_the_live_stream_runs_as_shipped_until_it_is_stopped(host):
    live = Performer(host, to_api(load(shipped("live-stream")), host.object_info()))
    assert live.run["frames"] == 0 and {"prompt", "grab", "rewind"} <= set(live.run["controls"])
    live.until_chunk(2)
    live.post("stop")
    made = figures_of(live.done())["frames"]
    files = (host.base / "output" / "video").glob("motionstream-live*.mp4")
    file = max(files, key=lambda path: path.stat().st_mtime)  # other tests of this host leave theirs
    assert len(read_video(file)[0]) == made >= 13


def test_the_live_motion_of_a_video_drives_the_stream_beyond_the_videos_end_until_it_is_stopped(host):
    live = Performer(host, to_api(load(shipped("live-webcam-motion")), host.object_info()))
    assert live.run["frames"] == 0 and "grab" in live.run["controls"]
    live.until_chunk(6)
    live.post("stop")
    assert figures_of(live.done())["frames"] > 50, "the source has 49 frames at the stream's rate"


def test_a_workflow_that_cannot_be_converted_is_refused(host):
    info = host.object_info()
    for kind, change, message in (
        ("MotionStreamLoader", {"type": "NoSuchNode"}, "NoSuchNode"),
        ("MotionStreamLoader", {"mode": 4}, "mode 4"),
        ("CLIPTextEncode", {"widgets_values": []}, "expected a value for CLIPTextEncode.text"),
    ):
        workflow = copy.deepcopy(load(shipped("paint-a-track")))
        nodes_of_type(workflow, kind)[0].update(change)
        with pytest.raises(ValueError, match=message):
            to_api(workflow, info)


def test_a_widget_that_a_node_has_got_since_the_workflow_was_saved_has_its_default():
    codec = [
        "COMFY_DYNAMICCOMBO_V3",
        {"options": [{"key": "h264", "inputs": {"required": {"crf": ["FLOAT", {"default": 23.0}]}}}]},
    ]
    info = {
        "input": {
            "required": {"video": ["VIDEO", {}], "prefix": ["STRING", {"default": "v"}]},
            "optional": {"codec": codec, "kind": ["COMBO", {"options": ["a", "b"]}]},
        }
    }
    found = widget_inputs({"type": "SaveVideo", "widgets_values": ["mine"]}, info)
    assert found == {"prefix": "mine", "codec": "h264", "codec.crf": 23.0, "kind": "a"}


def test_the_measure_of_the_demo_is_nought_for_a_shifted_picture_and_large_for_a_still_one():
    rng = np.random.default_rng(0)
    first = np.kron(rng.random((32, 32, 3)), np.ones((4, 4, 1))).astype(np.float32)
    tracks = commanded_tracks(load(shipped("paint-a-track"))).fitted(9, "resample")
    still = np.repeat(first[None], 9, 0)
    centre = tracks.xy[:, 0].round().int().numpy()
    shifted = np.stack([np.roll(first, tuple((at - centre[0])[::-1]), (0, 1)) for at in centre])
    assert (
        np.median(following_errors(shifted, tracks)) <= 1.5 and np.median(following_errors(still, tracks)) > 4
    )
