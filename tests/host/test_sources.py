"""Tracks from cameras and videos in the real host."""

import numpy as np
import pytest
import torch
from harness.graphs import changed, node, streaming
from harness.host import ended_as, figures_of
from host.test_host import outcome

from motionstream_core.codec.video import write_video


@pytest.fixture(scope="module")
def clip(host):
    """The name of a video in the host's input folder: a picture that drifts."""
    cv2 = pytest.importorskip("cv2")
    rng = np.random.default_rng(0)
    picture = sum(
        cv2.resize(rng.random((n, n, 3)), (220, 180), interpolation=cv2.INTER_CUBIC) / n**0.5
        for n in (6, 12, 24, 48)
    )
    picture = (picture - picture.min()) / (picture.max() - picture.min())
    frames = np.stack([picture[20 : 20 + 128, 20 + t : 20 + t + 160] for t in range(17)])
    write_video(host.base / "input" / "drift.mp4", torch.from_numpy(frames).float(), 16.0)
    return "drift.mp4"


def moved_by(source: dict, weights: str, frames: int) -> dict:
    prompt = streaming(weights, frames=frames, seed=4, fit="error")
    prompt["20"] = source
    for gone in ("3", "7"):
        del prompt[gone]
    return changed(prompt, n5={"tracks": ["20", 0], "start_image": ["2", 0], "width": 128, "height": 128})


@pytest.mark.parametrize("part", ["everything", "camera"])
def test_the_motion_of_a_video_moves_another_picture(host, weights, clip, part):
    source = node(
        "MotionStreamVideoTracks",
        width=128,
        height=128,
        frames=25,
        source_frames=0,
        part=part,
        columns=12,
        rows=12,
        video=["21", 0],
    )
    prompt = moved_by(source, weights, 25)
    prompt["21"] = node("LoadVideo", file=clip)
    entry = host.run(prompt)
    assert outcome(entry) == "success" and figures_of(entry)["frames"] == 25


def test_a_still_batch_of_images_has_no_subject_and_says_so(host, weights):
    source = node(
        "MotionStreamVideoTracks",
        width=128,
        height=128,
        frames=9,
        source_frames=0,
        part="subject",
        columns=8,
        rows=8,
        images=["21", 0],
    )
    prompt = moved_by(source, weights, 9)
    prompt["21"] = node("RepeatImageBatch", image=["2", 0], amount=4)
    said = outcome(host.run(prompt))
    assert "subject: expected" in said and "mask" in said


def test_a_source_of_neither_kind_is_named(host, weights):
    source = node(
        "MotionStreamVideoTracks",
        width=128,
        height=128,
        frames=9,
        source_frames=0,
        part="everything",
        columns=8,
        rows=8,
    )
    assert "expected a video or images, got none" in outcome(host.run(moved_by(source, weights, 9)))


@pytest.mark.parametrize("move", ["orbit", "dolly-zoom", "handheld"])
def test_a_camera_moves_through_a_depth_picture(host, weights, move):
    settings = {
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
    prompt = moved_by(node("MotionStreamCameraTracks", move=move, **settings, depth=["2", 0]), weights, 13)
    assert ended_as(host.run(prompt)) == "success"
