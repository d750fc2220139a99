"""Motion transfer in the real host: targets, clicked points, boxes, odd sources, a video that drives a
running stream.
"""

import json
import shutil

import numpy as np
import pytest
import torch
from harness.graphs import changed, node, streaming
from harness.host import ended_as, figures_of
from harness.install import ROOT
from host.test_host import outcome
from PIL import Image

from motionstream_core.codec.video import write_video

pytest.importorskip("cv2")
SETTINGS = {
    "width": 128,
    "height": 128,
    "frames": 9,
    "source_frames": 12,
    "part": "subject",
    "columns": 12,
    "rows": 12,
}


@pytest.fixture(scope="module")
def media(host):
    """In the host's input folder: a video of one frame, a black one, a broken one, masks."""
    folder = host.base / "input"
    frames = torch.from_numpy(np.random.default_rng(0).random((1, 96, 128, 3))).float()
    write_video(folder / "one.mp4", frames, 16.0)
    write_video(folder / "black.mp4", torch.zeros(12, 96, 128, 3), 16.0)
    (folder / "broken.mp4").write_bytes((ROOT / "workflows" / "motionstream_source.mp4").read_bytes()[:1500])
    shutil.copy(ROOT / "workflows" / "motionstream_source.mp4", folder / "box.mp4")
    Image.new("RGB", (48, 48)).save(folder / "empty.png")
    Image.fromarray(np.pad(np.full((40, 40, 3), 255, np.uint8), ((20, 40), (30, 30), (0, 0)))).save(
        folder / "square.png"
    )
    Image.open(ROOT / "workflows" / "motionstream_source_mask.png").save(folder / "box_mask.png")
    return folder


def prompt(weights: str, source: dict, video: str = "box.mp4", frames: int = 9) -> dict:
    """A source of tracks (node 20) that moves the picture."""
    made = streaming(weights, frames=frames, seed=4, fit="error")
    for gone in ("3", "7"):
        del made[gone]
    made |= {"20": source, "21": node("LoadVideo", file=video)}
    for number, mask in (("22", "box_mask.png"), ("23", "square.png"), ("24", "empty.png")):
        made[number] = node("LoadImageMask", image=mask, channel="red")
    made["25"] = node("PrimitiveBoundingBox", x=90, y=50, width=140, height=120)
    made["26"] = node("PreviewAny", source=["20", 0])
    return changed(made, n5={"tracks": ["20", 0], "start_image": ["2", 0], "width": 128, "height": 128})


def video_tracks(**inputs) -> dict:
    return node("MotionStreamVideoTracks", **{**SETTINGS, "video": ["21", 0], **inputs})


@pytest.mark.parametrize(
    "inputs",
    [
        {"mask": ["22", 0], "target": ["23", 0]},
        {
            "mask": ["25", 0],
            "target": ["25", 0],
            "timing": "source speed",
            "fps": 16.0,
            "part": "everything",
            "smooth": 1.0,
            "shape": "fill the target",
        },
        {
            "points": json.dumps([{"x": 160, "y": 100}, {"x": 180, "y": 110}]),
            "hold_ground": False,
            "target": ["23", 0],
        },
        {"part": "camera", "mask": ["22", 0]},
    ],
    ids=["masks", "boxes", "points", "camera"],
)
def test_motion_goes_to_a_target_from_masks_boxes_and_points(host, weights, media, inputs):
    if "points" in inputs:  # a text that comes through a link
        asked = prompt(weights, video_tracks(**{**inputs, "points": ["27", 0]}))
        asked["27"] = node("PrimitiveString", value=inputs["points"])
    else:
        asked = prompt(weights, video_tracks(**inputs))
    entry = host.run(asked)
    assert outcome(entry) == "success" and figures_of(entry)["frames"] == 9


@pytest.mark.parametrize(("video", "part"), [("one.mp4", "everything"), ("black.mp4", "camera")])
def test_a_video_of_one_frame_and_a_black_one_are_motion_that_rests(host, weights, media, video, part):
    entry = host.run(prompt(weights, video_tracks(part=part), video))
    assert outcome(entry) == "success" and figures_of(entry)["frames"] == 9


@pytest.mark.parametrize(
    ("inputs", "video", "said"),
    [
        ({}, "broken.mp4", "video: expected a file that can be decoded"),
        ({"mask": ["24", 0]}, "box.mp4", "mask: expected one that marks some"),
        ({"mask": ["22", 0], "target": ["24", 0]}, "box.mp4", "target: expected one that marks some"),
        (
            {"tracker": "CoTracker3"},
            "box.mp4",
            "CoTracker3 is CC-BY-NC-4.0 (not for commercial use): expected scaled_online.pth",
        ),
        ({}, "black.mp4", "subject: expected"),
    ],
)
def test_what_cannot_be_done_is_named(host, weights, media, inputs, video, said):
    assert said in outcome(host.run(prompt(weights, video_tracks(**inputs), video)))


def test_an_interrupt_reaches_the_tracker_in_the_middle_of_a_long_video(host, weights, media):
    write_video(media / "long.mp4", (torch.zeros(100, 48, 64, 3) for _ in range(30)), 16.0)
    asked = host.queue(
        prompt(
            weights,
            video_tracks(part="everything", source_frames=0, columns=50, rows=50, smooth=0.5),
            "long.mp4",
        )
    )
    host.wait_running(asked)
    host.interrupt(asked)
    assert outcome(host.wait(asked, 60)) == "interrupted"


def live(weights: str, **inputs) -> dict:
    source = node(
        "MotionStreamLiveVideoMotion",
        start_image=["2", 0],
        video=["21", 0],
        width=128,
        height=128,
        columns=8,
        rows=8,
        **inputs,
    )
    asked = prompt(weights, source)
    del asked["5"], asked["26"]
    return changed(asked, n6={"motion": ["20", 0], "frames": 0})


def test_a_live_source_that_ends_ends_the_stream(host, weights, media):
    entry = host.run(live(weights, at_end="end", mask=["22", 0], target=["23", 0]))
    assert ended_as(entry) == "success" and figures_of(entry)["frames"] == 50


def test_bad_live_sources_are_named_before_the_stream_begins(host, weights, media):
    assert "mask: expected one that marks" in outcome(host.run(live(weights, at_end="end", mask=["24", 0])))
    assert "TAPNext is Apache-2.0: expected" in outcome(
        host.run(live(weights, at_end="loop", tracker="TAPNext"))
    )
