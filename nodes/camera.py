"""Load Camera and Camera Tracks: a camera that moves through a picture with depth becomes tracks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from comfy_api.latest import io
from torch import Tensor

from ..motionstream_core.tracks.camera.files import SUFFIXES, read_camera
from ..motionstream_core.tracks.camera.host import (
    camera_between_views,
    camera_from_embedding,
    camera_from_geometry,
    depth_from_geometry,
)
from ..motionstream_core.tracks.camera.moves import (
    EASINGS,
    PRESETS,
    CameraPath,
    camera_tracks,
    depth_from_disparity,
    fit_map,
    preset_path,
    regular_grid,
)
from ..motionstream_core.tracks.camera.poses import (
    AS_SAID,
    CONVENTIONS,
    Trajectory,
    choose_scale,
    covered_fov,
    find_troubles,
    to_path,
)
from . import _host
from ._pictures import Note, picture_in
from ._tracks import to_host
from .loader import CATEGORY

CameraType = io.Custom("MOTIONSTREAM_CAMERA")
MoGeGeometry, DA3Geometry = io.Custom("MOGE_GEOMETRY"), io.Custom("DA3_GEOMETRY")


class LoadCamera(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MotionStreamLoadCamera",
            display_name="Load Camera",
            category=CATEGORY,
            description=(
                "A camera's way from a file: COLMAP, transforms.json, RealEstate10K, CameraCtrl, KITTI, TUM, "
                "LLFF, ReCamMaster, OmniCam, or matrices."
            ),
            search_aliases=[
                "motionstream",
                "COLMAP",
                "NeRF",
                "transforms.json",
                "RealEstate10K",
                "CameraCtrl",
                "camera poses",
                "extrinsics",
            ],
            inputs=[
                io.Combo.Input(
                    "file",
                    options=_host.input_files(SUFFIXES),
                    tooltip=(
                        "A file of the input folder: images.txt, transforms.json, .txt, .json, .npz, .npy."
                    ),
                ),
                io.Combo.Input(
                    "convention",
                    options=[AS_SAID, *CONVENTIONS],
                    tooltip=(
                        "Axes and direction of plain matrices. OpenCV: y down, z forward; OpenGL "
                        "(Blender, NeRF): y up, z backward. Other files have their own."
                    ),
                ),
                io.Float.Input(
                    "scale",
                    default=0.0,
                    min=0.0,
                    max=1e6,
                    step=0.001,
                    tooltip="Median depths of the scene that one unit of the file is. 0: as the file's "
                    "points say (COLMAP), or such that the motion is in range.",
                ),
                io.String.Input(
                    "camera",
                    default="",
                    optional=True,
                    tooltip="Which camera of a file that holds several, by its number, name or folder. "
                    "Empty: the first.",
                ),
            ],
            outputs=[
                CameraType.Output(display_name="camera", tooltip="For Camera Tracks."),
                io.Int.Output(display_name="frames", tooltip="How many poses the file holds."),
            ],
        )

    @classmethod
    def validate_inputs(cls, file: str | None = None) -> bool | str:
        try:
            return file is None or bool(_host.input_path(file))
        except ValueError as error:
            return str(error)

    @classmethod
    def fingerprint_inputs(cls, file, **others) -> float:
        return _host.input_path(file).stat().st_mtime

    @classmethod
    def execute(cls, file, convention, scale=0.0, camera="") -> io.NodeOutput:
        found = read_camera(_host.input_path(file), convention, camera.strip())
        notes = _host.NodeNotes()
        for note in found.notes:
            notes(f"{file}: {note}")
        found = replace(found, unit=scale) if scale else found
        return io.NodeOutput(found, len(found.pose))


class CameraTracks(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MotionStreamCameraTracks",
            display_name="Camera Tracks",
            category=CATEGORY,
            description=(
                "Moves a camera through a picture: a grid of points, at the picture's depth or on a "
                "plane, seen along the camera's path."
            ),
            search_aliases=["motionstream", "camera control", "orbit", "dolly", "depth"],
            inputs=[
                io.Combo.Input(
                    "move",
                    options=list(PRESETS),
                    default="orbit",
                    tooltip="How the camera moves. A connected camera takes its place.",
                ),
                io.Float.Input(
                    "amount",
                    default=1.0,
                    min=-8.0,
                    max=8.0,
                    step=0.05,
                    tooltip="1 is a clear, calm move; negative goes the other way.",
                ),
                io.Combo.Input(
                    "easing",
                    options=list(EASINGS),
                    default="ease in-out",
                    tooltip="How the move begins and ends.",
                ),
                io.Int.Input(
                    "width", default=128, min=16, max=4096, step=16, tooltip="Width of the video in pixels."
                ),
                io.Int.Input(
                    "height", default=128, min=16, max=4096, step=16, tooltip="Height of the video in pixels."
                ),
                io.Int.Input(
                    "frames",
                    default=49,
                    min=1,
                    max=100_000,
                    tooltip="Length of the move in frames. A connected camera is stretched to them.",
                ),
                io.Float.Input(
                    "fps",
                    default=16.0,
                    min=1.0,
                    max=120.0,
                    step=0.01,
                    tooltip="Frames a second of the video.",
                ),
                io.Int.Input("columns", default=16, min=1, max=100, tooltip="Points across."),
                io.Int.Input("rows", default=16, min=1, max=100, tooltip="Points down."),
                io.Float.Input(
                    "fov",
                    default=55.0,
                    min=1.0,
                    max=170.0,
                    step=0.5,
                    advanced=True,
                    tooltip="Horizontal angle of view of the picture in degrees, "
                    "unless the camera or the geometry says it.",
                ),
                io.Int.Input(
                    "shake_seed",
                    default=0,
                    min=0,
                    max=2**32 - 1,
                    advanced=True,
                    tooltip="Seed of the handheld move.",
                ),
                io.MultiType.Input(
                    "depth",
                    [io.Image, MoGeGeometry, DA3Geometry],
                    optional=True,
                    tooltip="The depth picture of the start image, near is white: of Depth Anything, MoGe "
                    "or another depth node. Or the geometry of MoGe or "
                    "Depth Anything 3, which is exact. Without it the picture is a plane.",
                ),
                io.MultiType.Input(
                    "camera",
                    [CameraType, io.WanCameraEmbedding, io.Load3DCamera, DA3Geometry],
                    optional=True,
                    tooltip="A camera's way in place of `move`: of Load Camera, of the host's "
                    "WanCameraEmbedding, the views of Depth Anything 3, or the 3D "
                    "camera in which it begins.",
                ),
                io.Load3DCamera.Input(
                    "camera_to", optional=True, tooltip="With a 3D camera: the one in which the way ends."
                ),
            ],
            outputs=[
                io.Tracks.Output(tooltip="The tracks, for the Motion Encoder and every node with TRACKS.")
            ],
        )

    @classmethod
    def execute(
        cls,
        move,
        amount,
        easing,
        width,
        height,
        frames,
        fps,
        columns,
        rows,
        fov=55.0,
        shake_seed=0,
        depth=None,
        camera=None,
        camera_to=None,
    ) -> io.NodeOutput:
        notes = _host.NodeNotes()
        scene, view = scene_of(depth, width, height, notes)
        grid = regular_grid(width, height, columns, rows)
        if camera is None:
            path, view = preset_path(move, frames, amount, easing, shake_seed), view or fov
        else:
            way = trajectory_of(camera, camera_to, frames, easing, width / height)
            path, view = path_of(
                way.resampled(frames), scene, grid, amount, covered_fov(way, width, height) or view or fov
            )
        tracks = camera_tracks(scene, path, grid, fps, view, _host.progress(frames))
        for trouble in find_troubles(tracks):
            notes(trouble)
        return io.NodeOutput(to_host(tracks, [-1] * tracks.count))


def scene_of(depth: Any, width: int, height: int, note: Note) -> tuple[np.ndarray, float | None]:
    """The scene's depth (height, width), and the angle of view of its picture if that is known."""
    if depth is None:
        return np.ones((height, width)), None
    if isinstance(depth, Tensor):
        picture = picture_in(depth, "depth", note)[0].cpu().numpy()
        return depth_from_disparity(fit_map(picture, width, height)), None
    return depth_from_geometry(depth, width, height)


def trajectory_of(camera: Any, last: Any, frames: int, easing: str, aspect: float) -> Trajectory:
    """The way of any camera that Camera Tracks takes.

    Args:
        camera: a camera, or the first of two.
        last: where a host's camera goes to, or None.
        frames: length of the video.
        easing: how it speeds up and slows down.
        aspect: of the picture to be made.
    """
    if isinstance(camera, Trajectory):
        return camera
    if isinstance(camera, Tensor):
        return camera_from_embedding(camera)
    if isinstance(camera, dict) and "depth" in camera:
        return camera_from_geometry(camera)
    if last is None:
        raise ValueError("camera_to: expected a second 3D camera for the end of the way, got none")
    return camera_between_views(camera, last, frames, easing, aspect)


def path_of(
    camera: Trajectory, scene: np.ndarray, grid: np.ndarray, amount: float, fov: float
) -> tuple[CameraPath, float]:
    """The camera path of a trajectory over a scene.

    Args:
        camera: the trajectory.
        scene: (H, W) depth of the picture.
        grid: (N, 2) pixels of the points.
        amount: factor of the travel.
        fov: horizontal angle of view in degrees.
    """
    return to_path(camera, choose_scale(camera, scene / np.median(scene), grid, fov, amount)), fov
