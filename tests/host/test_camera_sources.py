"""Cameras from files and from the host's own nodes become tracks in the real host."""

import json

import numpy as np
import pytest
import torch
from harness.graphs import node
from host.test_edit_tracks import dynamic, every_input, said, saved

from motionstream_core.tracks.types import Tracks

SETTINGS = {
    "move": "static",
    "amount": 1.0,
    "easing": "linear",
    "width": 128,
    "height": 128,
    "frames": 13,
    "fps": 16.0,
    "columns": 8,
    "rows": 8,
    "fov": 55.0,
    "shake_seed": 0,
}
EMBEDDING = {
    "camera_pose": "Pan Right",
    "width": 128,
    "height": 128,
    "length": 13,
    "speed": 1.0,
    "fx": 0.5,
    "fy": 0.5,
    "cx": 0.5,
    "cy": 0.5,
}


def tracks_of(host, prompt: dict, name: str, **inputs) -> Tracks:
    return saved(
        host,
        {**prompt, "8": node("MotionStreamCameraTracks", **{**SETTINGS, **inputs})},
        ["8", 0],
        f"cameras/{name}",
    )


def written(host, name: str, matrices: np.ndarray, **more) -> str:
    folder = host.base / "input" / "cameras"
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(json.dumps({"matrices": matrices.tolist(), **more}))
    return f"cameras/{name}"


def truck(frames: int = 13) -> np.ndarray:
    """World-to-camera of a camera that goes 9 units to the right."""
    full = np.tile(np.eye(4), (frames, 1, 1))
    full[:, 0, 3] = -np.linspace(0, 9, frames)
    return full


def test_the_new_node_has_tooltips_and_a_help_page(host):
    for name in ("MotionStreamLoadCamera", "MotionStreamCameraTracks"):
        assert [
            key for key, spec in every_input(host.object_info()[name]) if not spec[1].get("tooltip")
        ] == []
        assert host.get(f"/extensions/ComfyUI-MotionStream/docs/{name}.md").startswith(b"#")


def test_a_file_moves_the_picture_as_far_as_is_in_range(host):
    file = written(
        host, "truck.json", truck(), K=[[128, 0, 64], [0, 128, 64], [0, 0, 1]], width=128, height=128
    )
    load = node("MotionStreamLoadCamera", file=file, convention="OpenCV world-to-camera", scale=0.0)
    made = tracks_of(host, {"1": load}, "truck", camera=["1", 0])
    gone = (made.xy[-1] - made.xy[0])[:, 0]
    assert torch.allclose(gone, torch.full_like(gone, -0.4 * 128), atol=0.05) and torch.allclose(
        made.xy[-1, :, 1], made.xy[0, :, 1], atol=1e-3
    )
    exact = node("MotionStreamLoadCamera", file=file, convention="OpenCV world-to-camera", scale=0.01)
    fewer = tracks_of(host, {"1": exact}, "exact", camera=["1", 0], frames=25, amount=2.0)
    assert fewer.frames == 25 and float((fewer.xy[-1] - fewer.xy[0])[:, 0].mean()) == pytest.approx(
        -9 * 0.01 * 2 * 128, abs=0.05
    )


def test_the_hosts_camera_embedding_moves_the_picture_as_its_name_says(host):
    right = tracks_of(host, {"1": node("WanCameraEmbedding", **EMBEDDING)}, "right", camera=["1", 0])
    lens = 0.5 * 1280 / 720  # how the host makes its 16:9 focal length of a square picture's
    gone = (right.xy[-1] - right.xy[0])[:, 0]
    assert torch.allclose(gone, torch.full_like(gone, -0.4 * lens * 128), atol=0.2)
    nearer = tracks_of(
        host,
        {"1": node("WanCameraEmbedding", **{**EMBEDDING, "camera_pose": "Zoom In"})},
        "in",
        camera=["1", 0],
    )
    away = (nearer.xy[-1] - 63.5).norm(dim=-1) / (nearer.xy[0] - 63.5).norm(dim=-1)
    assert torch.allclose(away, torch.full_like(away, 1 / 0.6), atol=0.02)
    rolled = tracks_of(
        host,
        {"1": node("WanCameraEmbedding", **{**EMBEDDING, "camera_pose": "ClockWise (CW)"})},
        "roll",
        camera=["1", 0],
        amount=1.0,
    )
    turned = (rolled.xy - 63.5).norm(dim=-1)
    assert (
        torch.allclose(turned[-1], turned[0], atol=0.05)
        and (rolled.xy[-1] - rolled.xy[0]).norm(dim=-1).max() > 20
    )


def viewer(yaw: float) -> dict:
    mode = dynamic("mode", "orbit", {"yaw": yaw, "pitch": 0.0, "distance": 4.0})
    return node(
        "CreateCameraInfo",
        target_x=0.0,
        target_y=0.0,
        target_z=0.0,
        roll=0.0,
        fov=40.0,
        zoom=1.0,
        camera_type="perspective",
        **mode,
    )


def test_two_of_the_hosts_3d_cameras_are_an_orbit(host):
    prompt = {"1": viewer(0.0), "2": viewer(20.0)}
    made = tracks_of(host, prompt, "orbit", camera=["1", 0], camera_to=["2", 0], columns=9, rows=9)
    middle = made.xy[:, 40]
    assert (middle - 63.5).norm(dim=-1).max() < 0.05 and (made.xy[-1] - made.xy[0]).norm(dim=-1).max() > 2
    assert "camera_to: expected a second 3D camera" in said(
        host,
        {
            "1": viewer(0.0),
            "8": node("MotionStreamCameraTracks", **SETTINGS, camera=["1", 0]),
            "9": node(
                "MotionStreamSaveTracks",
                tracks=["8", 0],
                filename_prefix="cameras/bad",
                format="npz (exact)",
                frames=0,
                width=0,
                height=0,
            ),
        },
    )


def test_a_convention_that_is_not_named_or_not_the_files_is_said(host):
    file = written(host, "plain.json", truck())
    sink = {
        "9": node(
            "MotionStreamSaveTracks",
            tracks=["8", 0],
            filename_prefix="cameras/bad",
            format="npz (exact)",
            frames=0,
            width=0,
            height=0,
        )
    }
    graph = {"8": node("MotionStreamCameraTracks", **SETTINGS, camera=["1", 0]), **sink}
    load = {"1": node("MotionStreamLoadCamera", file=file, convention="as the file says", scale=0.0)}
    assert "the file does not name it" in said(host, {**load, **graph})
    mirrored = written(host, "mirror.json", truck() * np.array([1, -1, 1, 1]))
    load = {
        "1": node("MotionStreamLoadCamera", file=mirrored, convention="OpenCV world-to-camera", scale=0.0)
    }
    assert "a mirror" in said(host, {**load, **graph})
    load = {"1": node("MotionStreamLoadCamera", file="../host.log", convention="as the file says", scale=0.0)}
    assert "input folder" in said(host, {**load, **graph})


def test_motion_too_fast_for_the_model_is_said_in_the_console(host):
    file = written(host, "fast.json", truck(4))
    load = node("MotionStreamLoadCamera", file=file, convention="OpenCV world-to-camera", scale=0.1)
    tracks_of(host, {"1": load}, "fast", camera=["1", 0], frames=4)
    assert "faster than models are trained on" in host.log.read_text()
