"""Camera files and the host's camera values, against poses made another way."""

import json
import math

import numpy as np
import pytest
import torch

from motionstream_core.tracks.camera.files import read_camera
from motionstream_core.tracks.camera.host import (
    camera_between_views,
    camera_from_embedding,
    camera_from_geometry,
    depth_from_geometry,
)
from motionstream_core.tracks.camera.moves import (
    CameraPath,
    camera_tracks,
    depth_from_disparity,
    preset_path,
    regular_grid,
)
from motionstream_core.tracks.camera.poses import (
    CONVENTIONS,
    REACH,
    Trajectory,
    choose_scale,
    covered_fov,
    find_troubles,
    matrices,
    poses_at,
    quaternions,
    share_of_fast_steps,
    slerp,
    to_path,
    world_to_camera,
)

FRAMES, WIDTH, HEIGHT, FOCAL = 12, 640, 360, 500.0
SCIPY = pytest.importorskip("scipy.spatial.transform")


def truth() -> np.ndarray:
    """(FRAMES, 4, 4) world-to-camera, OpenCV: it begins anywhere in the world, turns about all axes and goes
    along a bend. By scipy.
    """
    share = np.linspace(0, 1, FRAMES)
    turns = SCIPY.Rotation.from_euler(
        "yxz", np.stack([40 + 25 * share, -10 + 5 * share**2, 3 * share], 1), degrees=True
    ).as_matrix()
    centres = np.stack([2 + 1.5 * share, -1 + 0.4 * np.sin(3 * share), 0.5 + share**2], 1)
    full = np.tile(np.eye(4), (FRAMES, 1, 1))
    full[:, :3, :3] = turns
    full[:, :3, 3] = -np.einsum("tij,tj->ti", turns, centres)
    return full


FLIP = np.diag([1.0, -1.0, -1.0, 1.0])


def spelled(convention: str) -> np.ndarray:
    full = FLIP @ truth() if convention.startswith("OpenGL") else truth()
    return np.linalg.inv(full) if convention.endswith("camera-to-world") else full


def colmap(folder, model: str = "PINHOLE 640 360 500 500 320 180", points: bool = True):
    """images.txt, cameras.txt, points3D.txt, the images out of order."""
    full = truth()
    lines = [
        "# Image list with two lines of data per image:",
        "#   IMAGE_ID, QW, QX, QY, QZ, TX, TY, TZ, CAMERA_ID, NAME",
    ]
    for frame in (3, 0, 11, 10, 2, 1, 9, 8, 7, 6, 5, 4):
        x, y, z, w = SCIPY.Rotation.from_matrix(full[frame, :3, :3]).as_quat()
        pose = " ".join(f"{value:.12f}" for value in (w, x, y, z, *full[frame, :3, 3]))
        lines += [
            f"{frame + 40} {pose} 1 take one/frame{frame}.png",
            " ".join(f"{10 * n} 20 {n}" for n in range(6)) if frame == 0 else "",
        ]
    (folder / "images.txt").write_text("\n".join(lines) + "\n")
    (folder / "cameras.txt").write_text(f"# Camera list\n1 {model}\n")
    if points:
        seen = np.linalg.inv(full[0]) @ np.array([[n - 3.0, 0.5 * n, 4.0 + n, 1.0] for n in range(6)]).T
        rows = [f"{n} {x} {y} {z} 128 128 128 0.5 1 2 3 4" for n, (x, y, z, _) in enumerate(seen.T)]
        (folder / "points3D.txt").write_text(
            "\n".join(["# 3D points", *rows, "99 1e3 1e3 1e3 0 0 0 1.0 1 1"])
        )
    return folder / "images.txt"


def transforms(folder):
    frames = [
        {"file_path": f"images/f{n}.png", "transform_matrix": matrix.tolist()}
        for n, matrix in enumerate(spelled(CONVENTIONS[3]))
    ]
    value = {"w": WIDTH, "h": HEIGHT, "fl_x": FOCAL, "fl_y": FOCAL, "k1": 0.1, "frames": frames[::-1]}
    (folder / "transforms.json").write_text(json.dumps(value))
    return folder / "transforms.json"


def realestate(folder, whole: bool = False):
    rows = ["https://www.youtube.com/watch?v=none"]
    for n, matrix in enumerate(spelled(CONVENTIONS[1]) if whole else truth()[:, :3]):
        rows.append(
            " ".join(
                str(value)
                for value in (33000 * n, FOCAL / WIDTH, FOCAL / HEIGHT, 0.5, 0.5, 0, 0, *matrix.ravel())
            )
        )
    (folder / "camera.txt").write_text("\n".join(rows))
    return folder / "camera.txt"


def llff(folder):
    right, down, back = np.eye(3)[:, 0], np.eye(3)[:, 1], -np.eye(3)[:, 2]
    world = spelled(CONVENTIONS[1])
    axes = world[:, :3, :3] @ np.stack([down, right, back], 1)
    table = np.concatenate(
        [axes, world[:, :3, 3:], np.tile([[[HEIGHT], [WIDTH], [FOCAL]]], (FRAMES, 1, 1))], 2
    )
    np.save(
        folder / "poses_bounds.npy", np.concatenate([table.reshape(FRAMES, 15), np.full((FRAMES, 2), 3.0)], 1)
    )
    return folder / "poses_bounds.npy"


READERS = {
    "COLMAP": colmap,
    "transforms.json": transforms,
    "RealEstate10K": realestate,
    "RealEstate10K with 4x4": lambda folder: realestate(folder, whole=True),
    "LLFF": llff,
}


def assert_true(camera: Trajectory):
    np.testing.assert_allclose(camera.pose, truth()[:, :3], atol=1e-6)


@pytest.mark.parametrize("name", READERS)
def test_a_file_says_its_poses_its_lens_and_its_shape(name, tmp_path):
    camera = read_camera(READERS[name](tmp_path))
    assert_true(camera)
    np.testing.assert_allclose(camera.focal, FOCAL / WIDTH)
    assert camera.aspect == pytest.approx(WIDTH / HEIGHT)


@pytest.mark.parametrize("name", READERS)
def test_a_file_with_a_convention_of_its_own_refuses_another(name, tmp_path):
    path, right = (
        READERS[name](tmp_path),
        {"COLMAP": 0, "transforms.json": 3, "RealEstate10K": 0, "RealEstate10K with 4x4": 1}.get(name),
    )
    for number, convention in enumerate(CONVENTIONS):
        if number == right:
            assert_true(read_camera(path, convention))
        else:
            with pytest.raises(ValueError, match=f"{path.name}: convention: expected .* got {convention}"):
                read_camera(path, convention)


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("suffix", ["npz", "npy", "json"])
def test_plain_matrices_are_read_in_every_convention_that_is_named(convention, suffix, tmp_path):
    path, spelling = tmp_path / f"way.{suffix}", spelled(convention)
    if suffix == "npz":
        np.savez(
            path,
            poses=spelling[:, :3].astype(np.float64),
            K=np.array([[FOCAL, 0, 320], [0, FOCAL, 180], [0, 0, 1]]),
        )
    elif suffix == "npy":
        np.save(path, spelling)
    else:
        path.write_text(
            json.dumps(
                {
                    "matrices": spelling.tolist(),
                    "intrinsics": [FOCAL, FOCAL, 320, 180],
                    "width": WIDTH,
                    "height": HEIGHT,
                }
            )
        )
    camera = read_camera(path, convention)
    assert_true(camera)
    if suffix != "npy":
        assert camera.focal[0] == pytest.approx(FOCAL / WIDTH) and camera.aspect == pytest.approx(
            WIDTH / HEIGHT
        )
    with pytest.raises(
        ValueError,
        match="convention: expected the matrices' convention to be chosen, one of OpenCV world-to-camera",
    ):
        read_camera(path)


def test_a_file_may_name_its_convention_and_a_contradiction_is_an_error(tmp_path):
    np.savez(tmp_path / "a.npz", c2w=spelled(CONVENTIONS[3]), convention="OpenGL")
    assert_true(read_camera(tmp_path / "a.npz"))
    (tmp_path / "b.json").write_text(json.dumps({"convention": "opencv w2c", "poses": truth().tolist()}))
    assert_true(read_camera(tmp_path / "b.json"))
    np.savez(tmp_path / "c.npz", c2w=spelled(CONVENTIONS[1]))
    with pytest.raises(ValueError, match="expected the matrices' axes .* to be chosen"):
        read_camera(tmp_path / "c.npz")
    assert_true(read_camera(tmp_path / "c.npz", CONVENTIONS[1]))
    with pytest.raises(
        ValueError, match="expected any axes, camera-to-world, as the file says, got OpenCV world-to-camera"
    ):
        read_camera(tmp_path / "c.npz", CONVENTIONS[0])
    with pytest.raises(
        ValueError, match="expected OpenGL, camera-to-world, as the file says, got OpenCV camera-to-world"
    ):
        read_camera(tmp_path / "a.npz", CONVENTIONS[1])


def test_colmaps_points_say_the_scale_and_without_cameras_the_lens_is_unknown(tmp_path):
    path = colmap(tmp_path)
    assert read_camera(path).unit == pytest.approx(1 / 6.5)  # the six points lie at 4 .. 9
    (tmp_path / "points3D.txt").unlink()
    (tmp_path / "cameras.txt").unlink()
    camera = read_camera(path)
    assert camera.unit is None and camera.focal is None and "angle of view is not known" in camera.notes[0]
    assert_true(camera)


def test_a_bent_lens_is_noted_and_a_fisheye_refused(tmp_path):
    assert "distortion" in read_camera(colmap(tmp_path, "OPENCV 640 360 500 500 320 180 0.1 0 0 0")).notes[0]
    assert not read_camera(colmap(tmp_path, "SIMPLE_RADIAL 640 360 500 320 180 0.001")).notes
    assert "principal point" in read_camera(colmap(tmp_path, "SIMPLE_PINHOLE 640 360 500 250 180")).notes[0]
    with pytest.raises(
        ValueError, match="cameras.txt: expected a model of SIMPLE_PINHOLE.* got OPENCV_FISHEYE"
    ):
        read_camera(colmap(tmp_path, "OPENCV_FISHEYE 640 360 500 500 320 180 0 0 0 0"))
    with pytest.raises(ValueError, match="at least 4 parameters of PINHOLE"):
        read_camera(colmap(tmp_path, "PINHOLE 640 360 500"))


def test_omnicams_bridge_is_read(tmp_path):
    frames = [
        {
            "position": [0.0, 1.0, 4 - 0.1 * n],
            "target": [0.0, 1.0, 0.0],
            "fov_degrees": 40.0,
            "roll_degrees": 5.0 * n,
        }
        for n in range(5)
    ]
    (tmp_path / "b.json").write_text(
        json.dumps(
            {"format": "majoor.omnicam.ltx-camera-bridge.v1", "width": 832, "height": 480, "frames": frames}
        )
    )
    camera = read_camera(tmp_path / "b.json")
    np.testing.assert_allclose(camera.centres, [[0, 1, 4 - 0.1 * n] for n in range(5)], atol=1e-12)
    np.testing.assert_allclose(camera.pose[0, :, :3], np.diag([1.0, -1.0, -1.0]), atol=1e-12)
    assert camera.focal[0] * 832 == pytest.approx(240 / math.tan(math.radians(20)))
    path = to_path(camera, 1.0)
    assert path.pose[-1, 2, 3] == pytest.approx(-0.4)  # forward
    roll = camera_tracks(
        np.ones((48, 48)), CameraPath(path.pose * [1, 1, 1, 0], path.focal), np.array([[40.0, 24.0]])
    )
    assert roll.xy[-1, 0, 1] > 28  # the camera's right side goes up, so what is right of the middle goes down


WRONG = {
    "mirror": (lambda m: m * np.array([1, -1, 1, 1]), "a mirror .* left-handed"),
    "transposed": (lambda m: m.transpose(0, 2, 1), "rows and columns are swapped"),
    "scaled": (lambda m: m * np.array([2, 2, 2, 1]), "expected rotations"),
    "NaN": (
        lambda m: np.where(np.arange(FRAMES)[:, None, None] == 4, np.nan, m),
        "expected finite matrices, got others in frame 4",
    ),
    "3x3": (lambda m: m[:, :3, :3], "expected one array of matrices"),
    "one matrix": (lambda m: m[0], "expected (one array of )?matrices"),
    "none": (lambda m: m[:0], "expected matrices|expected one array"),
}


@pytest.mark.parametrize("name", WRONG)
def test_matrices_that_are_none_are_refused_in_words(name, tmp_path):
    change, message = WRONG[name]
    np.save(tmp_path / "bad.npy", change(truth()))
    with pytest.raises(ValueError, match=f"bad.npy: .*{message}"):
        read_camera(tmp_path / "bad.npy", CONVENTIONS[0])


TEXTS = {
    "empty.txt": ("", "expected COLMAP's images.txt, or lines of 19 numbers .* got 'an empty file'"),
    "words.txt": ("left then right", "expected COLMAP's images.txt"),
    "short.txt": ("0 1 1 .5 .5 0 0 1 0 0", "expected"),
    "flat.txt": (" ".join(["0 0 0 .5 .5 0 0 1 0 0 0 0 1 0 0 0 0 1 0"]), "expected focal lengths above 0"),
    "broken.json": ('{"frames": [', "expected JSON"),
    "frames.json": ('{"frames": [{"transform_matrix": [[1]]}]}', "camera: expected matrices"),
    "other.json": ('{"name": "x"}', "expected one array of matrices"),
    "ragged.json": ('{"poses": [[1, 2], [3]]}', "expected matrices of numbers"),
    "bridge.json": (
        '{"format": "majoor.omnicam.ltx-camera-bridge.v1", "frames": 3}',
        "expected width, height and frames",
    ),
    "images.bin": ("x", "expected COLMAP's text, got its binary form"),
    "odd.npz": ("x", "expected an .npz or .npy with numbers"),
}


@pytest.mark.parametrize("name", TEXTS)
def test_files_that_are_no_camera_are_refused_in_words(name, tmp_path):
    text, message = TEXTS[name]
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=f"{name}: {message}"):
        read_camera(tmp_path / name)
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(ValueError, match="binary.txt: expected a camera file of text"):
        read_camera(tmp_path / "binary.txt")


# ---- into tracks ----


def test_tracks_from_a_file_are_those_of_an_independent_projection(tmp_path):
    cv2 = pytest.importorskip("cv2")
    camera = read_camera(colmap(tmp_path))
    width, height = 96, 54
    rows, columns = np.mgrid[0:height, 0:width]
    depth = 5 + 0.02 * columns + 0.03 * rows
    grid = regular_grid(width, height, 9, 6)
    fov = covered_fov(camera, width, height)
    scale = choose_scale(camera, depth / np.median(depth), grid, fov)
    made = camera_tracks(depth, to_path(camera, scale), grid, fov=fov)
    focal, middle = FOCAL * width / WIDTH, [(width - 1) / 2, (height - 1) / 2]
    z = (
        depth[np.rint(grid[:, 1]).astype(int), np.rint(grid[:, 0]).astype(int)] / np.median(depth) * 6.5
    )  # in the file's unit
    seen = np.concatenate([(grid - middle) / focal * z[:, None], z[:, None], np.ones((len(z), 1))], 1)
    world = (np.linalg.inv(truth()[0]) @ seen.T).T[:, :3]
    lens = np.array([[focal, 0, middle[0]], [0, focal, middle[1]], [0, 0, 1]])
    for frame, pose in enumerate(truth()):
        wanted = cv2.projectPoints(world, cv2.Rodrigues(pose[:3, :3])[0], pose[:3, 3], lens, None)[0][:, 0]
        before = (pose[:3, :3] @ world.T).T[:, 2] + pose[2, 3] > 0.2
        assert np.abs(made.xy[frame].numpy() - wanted)[before].max() < 0.05


def test_the_angle_of_view_is_that_of_the_cut_picture():
    camera = Trajectory(np.eye(4)[None, :3], np.array([FOCAL / WIDTH]), WIDTH / HEIGHT)
    assert covered_fov(camera, 640, 360) == pytest.approx(2 * math.degrees(math.atan(320 / 500)))
    assert covered_fov(camera, 360, 360) == pytest.approx(
        2 * math.degrees(math.atan(180 / 500))
    )  # cut at the sides
    assert covered_fov(camera, 640, 180) == pytest.approx(
        2 * math.degrees(math.atan(320 / 500))
    )  # cut above and below
    assert covered_fov(Trajectory(np.eye(4)[None, :3]), 640, 360) is None


def test_resampling_keeps_the_ends_and_goes_between_as_slerp_does():
    camera = Trajectory(truth()[:, :3], np.linspace(0.5, 1.0, FRAMES))
    made = camera.resampled(3 * (FRAMES - 1) + 1)
    np.testing.assert_allclose(made.pose[::3], camera.pose, atol=1e-9)
    between = SCIPY.Slerp(range(FRAMES), SCIPY.Rotation.from_matrix(truth()[:, :3, :3]))(
        np.linspace(0, FRAMES - 1, 34)
    ).as_matrix()
    np.testing.assert_allclose(made.pose[:, :, :3], between, atol=1e-9)
    np.testing.assert_allclose(
        made.centres[1], camera.centres[0] + (camera.centres[1] - camera.centres[0]) / 3, atol=1e-9
    )
    assert len(camera.resampled(1).pose) == 1 and len(Trajectory(camera.pose[:1]).resampled(7).pose) == 7


def test_quaternions_go_there_and_back_at_any_angle():
    turns = SCIPY.Rotation.random(200, random_state=0)
    half = SCIPY.Rotation.from_rotvec(np.pi * np.eye(3))
    for rotation in (turns, half):
        np.testing.assert_allclose(
            matrices(quaternions(rotation.as_matrix())), rotation.as_matrix(), atol=1e-9
        )
    q = quaternions(turns.as_matrix())
    np.testing.assert_allclose(np.abs((slerp(q, q, np.full(200, 0.3)) * q).sum(1)), 1, atol=1e-9)


def test_an_unknown_scale_is_chosen_in_range_and_slower_where_tracks_would_be_too_fast():
    depth, grid = np.ones((64, 96)), regular_grid(96, 64, 8, 8)
    way = np.zeros((49, 3))
    way[:, 0] = np.linspace(0, 700, 49)
    calm = Trajectory(poses_at(np.tile(np.eye(3), (49, 1, 1)), way))
    assert choose_scale(calm, depth, grid, 55.0) * 700 == pytest.approx(REACH)
    assert choose_scale(calm, depth, grid, 55.0, 0.5) * 700 == pytest.approx(REACH / 2)
    wild = Trajectory(
        poses_at(np.tile(np.eye(3), (49, 1, 1)), np.where(np.arange(49)[:, None] % 2, way[-1:], 0 * way))
    )
    scale = choose_scale(wild, depth, grid, 55.0)
    assert 0 < scale * 700 < REACH / 2 and share_of_fast_steps(depth, to_path(wild, scale), grid, 55.0) <= 0.1
    assert choose_scale(Trajectory(calm.pose, unit=0.3), depth, grid, 55.0, 2.0) == pytest.approx(0.6)
    still = Trajectory(np.tile(np.eye(4)[:3], (5, 1, 1)))
    assert np.allclose(to_path(still, choose_scale(still, depth, grid, 55.0)).pose, still.pose)


def test_what_a_model_will_not_like_is_said_in_words():
    depth, grid = np.ones((64, 96)), regular_grid(96, 64, 8, 8)
    assert find_troubles(camera_tracks(depth, preset_path("pan", 49, 0.5), grid)) == []
    (fast,) = find_troubles(camera_tracks(depth, preset_path("pan", 4, 1.0), grid))
    assert "faster than models are trained on, in frames 1 to 3; use more frames" in fast
    said = find_troubles(camera_tracks(depth, preset_path("dolly", 49, 4.0), grid))
    assert any(
        "next to nothing of the picture is seen" in one and "gone into the scene" in one for one in said
    )


def test_a_camera_that_goes_into_the_scene_keeps_tracks_finite():
    way = np.zeros((9, 3))
    way[:, 2] = np.linspace(0, 3, 9)
    path = to_path(Trajectory(poses_at(np.tile(np.eye(3), (9, 1, 1)), way), unit=1.0), 1.0)
    made = camera_tracks(np.ones((32, 32)), path, regular_grid(32, 32, 5, 5))
    assert made.xy.isfinite().all() and made.visible[0].all() and not made.visible[-1].any()


# ---- the host's values ----


def embedding(pose: np.ndarray, fx: float, width: int = 48, height: int = 32) -> torch.Tensor:
    """The host's layout of Plücker rays, written from its description: 4 frames a slot, the first frame four
    times.
    """
    world = np.linalg.inv(np.concatenate([pose, np.tile([[[0, 0, 0, 1.0]]], (len(pose), 1, 1))], 1))
    world = np.linalg.inv(world[0]) @ world
    columns, rows = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    rays = np.stack(
        [(columns - width / 2) / (fx * width), (rows - height / 2) / (fx * width), np.ones_like(rows)], -1
    )
    rays = rays / np.linalg.norm(rays, axis=-1, keepdims=True)
    frames = []
    for matrix in world:
        way = rays @ matrix[:3, :3].T
        frames.append(np.concatenate([np.cross(np.broadcast_to(matrix[:3, 3], way.shape), way), way], -1))
    video = np.stack([frames[0]] * 3 + frames)  # (T + 3, H, W, 6)
    slots = [
        np.stack([video[4 * t + k, ..., c] for c in range(6) for k in range(4)])
        for t in range(len(video) // 4)
    ]
    return torch.from_numpy(np.stack(slots, 1)[None]).float()


def test_a_camera_embedding_gives_its_camera_back():
    pose = truth()[:9, :3]
    camera = camera_from_embedding(embedding(pose, 0.8))
    assert len(camera.pose) == 9 and camera.focal[0] == pytest.approx(0.8, abs=1e-4)
    wanted = to_path(Trajectory(pose), 1.0).pose
    np.testing.assert_allclose(camera.pose, wanted, atol=1e-4)
    for bad in (torch.zeros(1, 24, 3, 8, 8), torch.zeros(1, 12, 3, 8, 8), "camera"):
        with pytest.raises(ValueError, match="camera embedding: expected"):
            camera_from_embedding(bad)


def viewer(yaw: float, distance: float = 4.0, **more) -> dict:
    """A 3D camera as the host's Create Camera Info has it in its orbit mode."""
    x, z = distance * math.sin(math.radians(yaw)), distance * math.cos(math.radians(yaw))
    return {
        "position": {"x": x, "y": 0.0, "z": z},
        "target": {"x": 0.0, "y": 0.0, "z": 0.0},
        "fov": 40.0,
        "cameraType": "perspective",
        "zoom": 1.0,
        **more,
    }


def test_two_3d_cameras_are_an_orbit_round_what_they_look_at():
    camera = camera_between_views(viewer(0), viewer(30), 7, "linear", 1.5)
    np.testing.assert_allclose(np.linalg.norm(camera.centres, axis=1), 4.0, atol=1e-9)
    angles = np.degrees(np.arctan2(camera.centres[:, 0], camera.centres[:, 2]))
    np.testing.assert_allclose(angles, np.linspace(0, 30, 7), atol=1e-6)
    assert camera.unit == 0.25 and covered_fov(camera, 96, 64) == pytest.approx(
        2 * math.degrees(math.atan(1.5 * math.tan(math.radians(20))))
    )
    middle = camera_tracks(np.ones((64, 96)), to_path(camera, 0.25), np.array([[47.5, 31.5]]), fov=50.0)
    assert np.abs(middle.xy.numpy() - [47.5, 31.5]).max() < 1e-3  # the target stays where it is
    depth = np.ones((64, 96))
    depth[30:40, 40:60] = 0.5
    near = camera_tracks(depth, to_path(camera, 0.25), np.array([[50.0, 35.0]]), fov=50.0)
    assert (
        near.xy[-1, 0, 0] < 40
    )  # the camera goes to the right, so what is before the target goes to the left


def test_a_quaternion_counts_before_the_target_and_means_the_same():
    x, y, z, w = SCIPY.Rotation.from_euler("y", 30, degrees=True).as_quat()
    plain = camera_between_views(viewer(30), viewer(60), 5, "linear", 1.0)
    quaternion = {"x": x, "y": y, "z": z, "w": w}
    turned = camera_between_views(
        viewer(30, quaternion=quaternion, target={"x": 9.0, "y": 9.0, "z": 9.0}), viewer(60), 5, "linear", 1.0
    )
    np.testing.assert_allclose(turned.pose[0, :, :3], plain.pose[0, :, :3], atol=1e-9)


@pytest.mark.parametrize(
    ("camera", "message"),
    [
        (None, "expected a 3D camera"),
        ({"boxes": 1}, r"expected a 3D camera .* got \['boxes'\]"),
        (viewer(0, cameraType="orthographic"), "expected a perspective camera"),
        (viewer(0, distance=0.0), "expected a target away from"),
        (viewer(0, fov=0.0), "vertical fov"),
        (viewer(0, position={"x": 1}), "expected position with x, y and z"),
        (viewer(0, position={"x": float("nan"), "y": 0, "z": 0}), "expected a finite position"),
    ],
)
def test_3d_cameras_that_are_none_are_refused(camera, message):
    with pytest.raises(ValueError, match=message):
        camera_between_views(camera, viewer(10), 5, "linear", 1.0)


def test_views_of_a_depth_model_bring_camera_scale_and_lens():
    intrinsics = torch.tensor([[252.0, 0, 126], [0, 252.0, 70], [0, 0, 1]]).expand(1, FRAMES, 3, 3)
    depth = torch.full((FRAMES, 54, 96), 2.5)
    depth[0, 0] = float("inf")
    geometry = {
        "depth": depth,
        "image": torch.zeros(FRAMES, 54, 96, 3),
        "mode": "multiview",
        "extrinsics": torch.from_numpy(truth()[None, :, :3]),
        "intrinsics": intrinsics,
    }
    camera = camera_from_geometry(geometry)
    assert_true(camera)
    assert camera.unit == pytest.approx(0.4) and camera.focal[0] == pytest.approx(1.0)
    with pytest.raises(ValueError, match="multiview mode.*got mode 'mono'"):
        camera_from_geometry({"depth": depth, "mode": "mono"})


def test_geometry_gives_true_depth_and_the_angle_of_the_cut_picture():
    depth = torch.linspace(1, 5, 40 * 60).reshape(1, 40, 60)
    depth[0, 0, 0], depth[0, 1, 1], depth[0, 2, 2] = float("inf"), float("nan"), 0
    moge = {"depth": depth, "intrinsics": torch.tensor([[[0.9, 0, 0.5], [0, 1.35, 0.5], [0, 0, 1]]])}
    mapped, fov = depth_from_geometry(moge, 60, 40)
    assert np.isfinite(mapped).all() and (mapped > 0).all() and mapped[0, 0] == mapped.max()
    assert np.median(mapped) == pytest.approx(1.0, abs=0.01) and fov == pytest.approx(
        2 * math.degrees(math.atan(0.5 / 0.9))
    )
    assert depth_from_geometry(moge, 40, 40)[1] == pytest.approx(2 * math.degrees(math.atan(20 / (0.9 * 60))))
    assert depth_from_geometry({"depth": depth}, 60, 40)[1] is None
    for bad in ({"points": 1}, None, {"depth": torch.zeros(3, 3)}):
        with pytest.raises(ValueError, match="geometry: expected one with depth"):
            depth_from_geometry(bad, 60, 40)
    with pytest.raises(ValueError, match="depth: expected positive finite numbers"):
        depth_from_geometry({"depth": torch.full((1, 8, 8), float("nan"))}, 60, 40)


def test_places_of_a_depth_picture_that_are_no_numbers_are_farthest():
    picture = np.linspace(0, 1, 64).reshape(8, 8)
    picture[3, 3], picture[4, 4] = np.nan, np.inf
    depth = depth_from_disparity(picture)
    assert depth[3, 3] == depth[4, 4] == depth[0, 0] == pytest.approx(4.0) and np.isfinite(depth).all()
    for bad in (np.full((4, 4), np.nan), np.zeros(3)):
        with pytest.raises(ValueError, match="depth picture: expected finite"):
            depth_from_disparity(bad)


def test_a_trajectory_is_checked():
    good = truth()[:, :3]
    for bad in (
        {"pose": good[:, :2]},
        {"pose": good[:0]},
        {"pose": np.where(good > 1, np.nan, good)},
        {"pose": good, "focal": np.ones(3)},
        {"pose": good, "focal": np.zeros(FRAMES)},
        {"pose": good, "unit": 0.0},
    ):
        with pytest.raises(ValueError, match="camera: expected"):
            Trajectory(**bad)
    with pytest.raises(ValueError, match="convention: expected one of"):
        world_to_camera(truth(), "Blender")
