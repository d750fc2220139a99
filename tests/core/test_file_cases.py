"""Files of the kinds that people have: their axes, visibility, units, times, cameras and lenses."""

import json
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from motionstream_core.tracks.arrays import read_arrays
from motionstream_core.tracks.camera.files import read_camera
from motionstream_core.tracks.camera.poses import CONVENTIONS, Trajectory
from motionstream_core.tracks.formats import read_tracks, tracks_from_host
from motionstream_core.tracks.layout import HIDDEN_KEYS, ORDERS, UNITS, VISIBLE_KEYS
from motionstream_core.tracks.track_json import tracks_from_json
from motionstream_core.tracks.types import Tracks
from motionstream_core.tracks.video.point_prompts import point_prompts

CASES = Path(__file__).parents[1] / "fixtures" / "cases"
FRAMES, COUNT, WIDTH, HEIGHT = 24, 5, 640, 360


class Notes(list):
    """What a reader says: call it with a line."""

    def __call__(self, note: str):
        self.append(note)

    @property
    def text(self) -> str:
        return "\n".join(self)


@pytest.fixture
def notes():
    return Notes()


def read(name: str, notes, **choices) -> Tracks:
    return read_tracks(CASES / "tracks" / name, WIDTH, HEIGHT, note=notes, **choices)


def moving(frames: int = FRAMES, count: int = COUNT) -> np.ndarray:
    """(T, N, 2): points apart from each other that all move along, 4 px a frame."""
    rng = np.random.default_rng(3)
    starts = rng.uniform([40, 40], [WIDTH - 200, HEIGHT - 40], (count, 2))
    return (starts[None] + np.arange(frames)[:, None, None] * [4.0, 0.5]).astype(np.float32)


def saved(tmp_path, **arrays) -> Path:
    path = tmp_path / "t.npz"
    np.savez(path, **arrays)
    return path


# ---- axis order ----


def test_points_first_arrays_are_told_by_their_motion_and_a_note_says_so(notes):
    made = read("points_first_visibility.npz", notes)
    assert (made.frames, made.count) == (FRAMES, COUNT)
    assert (made.xy[1:, 0, 0] - made.xy[:-1, 0, 0]).tolist() == pytest.approx([4.3478] * 23, abs=1e-3)
    assert made.visible[:, 2].tolist() == [True] * 10 + [False] * 14
    assert "5 points in 24 frames" in notes.text and ORDERS[1] in notes.text


@pytest.mark.parametrize("name", ["tracks", "points", "trajs", "array"])
def test_every_name_that_says_no_order_is_read_in_both(name, tmp_path, notes):
    for places in (moving(), moving().swapaxes(0, 1)):
        made = read_tracks(saved(tmp_path, **{name: places}), WIDTH, HEIGHT, note=notes)
        np.testing.assert_allclose(made.xy.numpy(), moving())
    assert len(notes) == 1  # frames first is the usual order and goes without a word


def test_a_person_chooses_the_order_where_the_motion_does_not_say_it(tmp_path, notes):
    wild = np.random.default_rng(0).uniform(0, 300, (12, 10, 2))
    path = saved(tmp_path, tracks=wild)
    assert read_tracks(path, WIDTH, HEIGHT, note=notes).frames == 12
    assert "12 frames of 10 points taken" in notes.text and "choose the order" in notes.text
    assert read_tracks(path, WIDTH, HEIGHT, order=ORDERS[2], note=notes).frames == 10
    assert read_tracks(path, WIDTH, HEIGHT, order=ORDERS[1], note=notes).frames == 12
    assert len(notes) == 1
    with pytest.raises(ValueError, match="order: expected one of"):
        read_tracks(path, WIDTH, HEIGHT, order="sideways")


def test_names_that_say_frames_first_and_few_points_are_never_turned_over(tmp_path, notes):
    dense = np.cumsum(np.ones((30, 3, 2)) * 30, axis=0) + np.arange(3)[None, :, None]  # near each other, fast
    assert read_tracks(saved(tmp_path, tracks=dense), WIDTH, HEIGHT, note=notes).count == 3
    wide = moving().swapaxes(0, 1)
    assert read_tracks(saved(tmp_path, pred_tracks=wide), WIDTH, HEIGHT, note=notes).count == FRAMES
    assert tracks_from_host({"track_path": torch.from_numpy(wide.copy())}, WIDTH, HEIGHT).count == FRAMES
    assert not notes


def test_lists_of_frames_are_read_where_that_is_chosen():
    text = json.dumps(moving(6, 2).tolist())
    assert tracks_from_json(text, WIDTH, HEIGHT).count == 6
    made = tracks_from_json(text, WIDTH, HEIGHT, order=ORDERS[1])
    np.testing.assert_allclose(made.xy.numpy(), moving(6, 2))
    with pytest.raises(ValueError, match="expected as many points in every frame, got 1 to 2"):
        tracks_from_json("[[[1, 1]], [[2, 2], [3, 3]]]", WIDTH, HEIGHT, order=ORDERS[1])


# ---- visibility ----


def test_tapirs_visibles_hide_what_they_say(notes):
    made = read("tapir_time_first_visibles.npz", notes)
    assert (made.frames, made.count) == (FRAMES, COUNT) and not made.visible[10:, 2].any() and not notes


@pytest.mark.parametrize("name", [*VISIBLE_KEYS, *HIDDEN_KEYS])
@pytest.mark.parametrize("kind", [bool, np.uint8, np.float32])
def test_every_known_spelling_of_a_visibility_is_read(name, kind, tmp_path, notes):
    seen = np.ones((FRAMES, COUNT), dtype=bool)
    seen[3:7, 1] = False
    told = seen if name in VISIBLE_KEYS else ~seen
    path = saved(tmp_path, tracks=moving(), **{name: told.astype(kind)})
    assert np.array_equal(read_tracks(path, WIDTH, HEIGHT, note=notes).visible.numpy(), seen)
    assert not notes


def test_an_array_that_nobody_understands_is_named(tmp_path, notes):
    path = saved(tmp_path, tracks=moving(), seen_or_so=np.ones((FRAMES, COUNT)), width=WIDTH, height=HEIGHT)
    assert read_tracks(path, note=notes).visible.all()
    assert notes.text == (
        "t.npz: arrays without use here passed over: seen_or_so; every point counts as visible"
    )


@pytest.mark.parametrize("name", ["visibility", "occlusion"])
def test_a_visibility_beyond_0_to_1_is_refused(name, tmp_path):
    with pytest.raises(ValueError, match=f"t.npz: tracks: expected {name} of 0 to 1, got .* -4 to 7"):
        told = np.linspace(-4, 7, FRAMES * COUNT).reshape(FRAMES, COUNT)
        read_tracks(saved(tmp_path, tracks=moving(), **{name: told}), WIDTH, HEIGHT)


def test_a_point_that_its_file_hides_may_have_no_place(notes):
    made = read("nan_hidden_vis.npz", notes)
    assert not made.visible[10:, 2].any() and made.visible[:10].all()
    assert torch.equal(made.xy[10:, 2], made.xy[9, 2].expand(14, 2))


def test_no_place_at_first_is_the_first_known_one_and_never_one_waits(tmp_path):
    places = moving()
    places[:5, 0] = np.nan
    places[:, 1] = np.inf
    seen = np.isfinite(places).all(-1)
    made = read_tracks(saved(tmp_path, tracks=places, visibility=seen), WIDTH, HEIGHT)
    assert torch.equal(made.xy[:5, 0], made.xy[5, 0].expand(5, 2)) and (made.xy[:, 1] == 0).all()
    host = {"track_path": torch.from_numpy(places), "track_visibility": torch.from_numpy(seen)}
    assert torch.equal(tracks_from_host(host, WIDTH, HEIGHT).xy, made.xy)
    with pytest.raises(ValueError, match=r"expected finite coordinates, got .* in track 0 at frame 0"):
        read_tracks(saved(tmp_path, tracks=places, visibility=np.ones_like(seen)), WIDTH, HEIGHT)


# ---- units and third columns ----


def test_shares_of_the_picture_are_refused_or_scaled_where_that_is_chosen(notes):
    with pytest.raises(ValueError, match="shares.npz: .*expected places in pixels of 640x360, got all"):
        read("shares.npz", notes)
    made = read("shares.npz", notes, units=UNITS[1])
    assert made.xy[0, 0].tolist() == pytest.approx([40, 100], abs=1e-3)
    with pytest.raises(ValueError, match="expected shares of the picture, 0 to 1, got"):
        read("tapir_time_first_visibles.npz", notes, units=UNITS[1])


def test_shares_are_refused_at_every_entrance():
    shares = moving() / [WIDTH, HEIGHT]
    gone = shares.copy()
    gone[-3:, 0] = 1.2  # one that leaves the picture
    for places in (shares, gone):
        for entrance in (
            lambda places=places: tracks_from_json(json.dumps(places.swapaxes(0, 1).tolist()), WIDTH, HEIGHT),
            lambda places=places: tracks_from_host({"track_path": torch.from_numpy(places)}, WIDTH, HEIGHT),
            lambda places=places: point_prompts(places[0].tolist(), WIDTH, HEIGHT),
        ):
            with pytest.raises(ValueError, match="expected places in pixels of 640x360"):
                entrance()


def test_places_in_a_corner_are_pixels():
    for text in ("[[0, 0], [1, 1]]", "[[0.5, 0.5], [1.5, 0.5]]", "[[[0.5, 0.5]], [[90, 3]]]"):
        assert tracks_from_json(text, 128, 96).count >= 1
    assert tracks_from_json("[[0.5, 0.5]]", 2, 2).frames == 1


def test_a_third_column_is_the_visibility_or_refused(tmp_path):
    seen = np.ones((FRAMES, COUNT, 1), dtype=np.float32)
    seen[4:6, 0] = 0
    made = read_tracks(saved(tmp_path, tracks=np.concatenate([moving(), seen], -1)), WIDTH, HEIGHT)
    assert made.visible[:, 0].tolist() == [True] * 4 + [False] * 2 + [True] * 18
    deep = np.concatenate([moving(), 3 * seen + 2], -1)
    with pytest.raises(ValueError, match="the third column of 0 to 1, got values from 2 to 5: a depth or a"):
        read_tracks(saved(tmp_path, tracks=deep), WIDTH, HEIGHT)
    with pytest.raises(ValueError, match="the third number of a point, its visibility, to be from 0 to 1"):
        tracks_from_json("[[5, 5, 3.5], [6, 6, 3.5]]", WIDTH, HEIGHT)


def test_fields_that_change_a_points_meaning_are_named_and_hidden_ones_hide(notes):
    points = [{"x": 5, "y": 5, "t": 7, "occluded": True}, {"x": 6, "y": 6, "t": 9, "occluded": False}]
    made = tracks_from_json(json.dumps(points), WIDTH, HEIGHT, note=notes)
    assert made.visible[:, 0].tolist() == [False, True] and notes.text.startswith("tracks: t of the points")


def test_omnicams_samples_are_at_the_frames_that_they_name():
    samples = [{"frame": 4 * n, "x_px": 10 + n, "y_px": 5} for n in range(3)]
    bridge = {
        "format": "majoor.omnicam.ati-bridge.v1",
        "width": 64,
        "height": 32,
        "fps": 24,
        "trajectories": [{"samples": samples}],
    }
    made = tracks_from_json(json.dumps(bridge), 1, 1)
    assert made.frames == 9 and made.visible[:, 0].nonzero().flatten().tolist() == [0, 4, 8]


# ---- ATI's own file ----


def test_atis_own_file_is_read_without_running_it(notes):
    made = read("ati_track.pth", notes)
    assert (made.frames, made.count, made.fps) == (121, 2, 24.0)
    assert made.xy[0].tolist() == [[100, 200], [300, 50]]
    assert made.visible[0].all() and not made.visible[-1, 1]


def test_a_pickle_of_anything_else_is_not_run(tmp_path):
    ran = tmp_path / "ran"

    class Bomb:
        def __reduce__(self):
            return (Path.touch, (ran,))

    for number, value in enumerate((Bomb(), {"tracks": [1]}, (b"", Bomb()))):
        path = tmp_path / f"{number}.pth"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a/data.pkl", pickle.dumps(value, protocol=2))
        with pytest.raises(ValueError, match=f"{number}.pth: expected .* an .npz inside, got a pickle"):
            read_tracks(path, WIDTH, HEIGHT)
    torch.save({"tracks": torch.zeros(3)}, tmp_path / "t.pth")
    with pytest.raises(ValueError, match="t.pth: expected"):
        read_tracks(tmp_path / "t.pth", WIDTH, HEIGHT)
    assert not ran.exists()


# ---- cameras: time, camera, lens ----


def test_numbers_in_names_are_the_time_and_gaps_are_filled_and_said():
    camera = read_camera(CASES / "cameras" / "colmap_gap" / "images.txt")
    np.testing.assert_allclose(np.diff(camera.centres[:, 0]), [0.1] * 19, atol=1e-9)
    assert "10 poses lack between numbers in names 6 and 15" in camera.notes[0]


def steady(frames) -> np.ndarray:
    """(T, 4, 4) camera-to-world: 0.1 to the right a frame."""
    full = np.tile(np.eye(4), (len(frames), 1, 1))
    full[:, 0, 3] = 0.1 * np.asarray(frames)
    return full


NUMBERS = (0, 1, 2, 6, 7)


def transforms_gap(folder, **more):
    frames = [
        {"file_path": f"i/f{n}.png", "transform_matrix": m.tolist(), **more}
        for n, m in zip(NUMBERS, steady(NUMBERS))
    ]
    path = folder / "transforms.json"
    path.write_text(json.dumps({"frames": frames}))
    return read_camera(path)


def realestate_gap(folder):
    poses = np.linalg.inv(steady(NUMBERS))[:, :3].reshape(-1, 12)
    lines = [f"{33366 * n} 0.8 1.2 0.5 0.5 0 0 {' '.join(map(str, pose))}" for n, pose in zip(NUMBERS, poses)]
    (folder / "r.txt").write_text("\n".join(lines))
    return read_camera(folder / "r.txt")


def tum_gap(folder):
    (folder / "t.txt").write_text("\n".join(f"{n / 30:.6f} {0.1 * n} 0 0 0 0 0 1" for n in NUMBERS))
    return read_camera(folder / "t.txt")


def arrays_gap(folder):
    np.savez(folder / "a.npz", c2w=steady(NUMBERS), convention="OpenCV", times=np.array(NUMBERS))
    return read_camera(folder / "a.npz")


def omnicam_gap(folder):
    frames = [
        {"frame": n, "position": [0.1 * n, 0, 0], "target": [0.1 * n, 0, -1], "fov_degrees": 40.0}
        for n in NUMBERS
    ]
    bridge = {"format": "majoor.omnicam.ltx-camera-bridge.v1", "width": 8, "height": 5, "frames": frames}
    (folder / "o.json").write_text(json.dumps(bridge))
    return read_camera(folder / "o.json")


@pytest.mark.parametrize(
    "reader", [transforms_gap, realestate_gap, tum_gap, arrays_gap, omnicam_gap], ids=lambda r: r.__name__
)
def test_every_reader_takes_a_files_own_time(reader, tmp_path):
    camera = reader(tmp_path)
    assert len(camera.pose) == 8
    np.testing.assert_allclose(np.diff(camera.centres[:, 0]), [0.1] * 7, atol=1e-6)
    assert "3 poses lack" in camera.notes[-1]


def test_uneven_times_are_brought_to_even_steps_and_even_ones_are_not_touched(tmp_path):
    times = np.array([0.0, 1.0, 2.3, 3.6, 4.1])
    np.savez(tmp_path / "a.npz", c2w=steady(times), convention="OpenCV", times=times)
    camera = read_camera(tmp_path / "a.npz")
    assert np.ptp(np.diff(camera.centres[:, 0])) < 1e-9 and "uneven" in camera.notes[-1]
    jitter = np.array([0, 33366, 66733, 100100])
    np.savez(tmp_path / "a.npz", c2w=steady(range(4)), convention="OpenCV", times=jitter)
    camera = read_camera(tmp_path / "a.npz")
    assert len(camera.pose) == 4 and not camera.notes


def test_of_two_cameras_one_is_taken_and_the_other_named():
    path = CASES / "cameras" / "colmap_two_cameras" / "images.txt"
    first = read_camera(path)
    assert first.aspect == pytest.approx(640 / 360)
    assert "1 (cam1) is taken, the others are 2 (cam2)" in first.notes[0]
    for name in ("2", "cam2", "2 (cam2)"):
        second = read_camera(path, camera=name)
        assert second.aspect == pytest.approx(360 / 640) and len(second.pose) == len(first.pose)
    with pytest.raises(ValueError, match=r"camera: expected one of 1 \(cam1\), 2 \(cam2\), got '3'"):
        read_camera(path, camera="3")


def test_folders_of_a_rig_and_a_batch_are_cameras_too(tmp_path):
    frames = [
        {"file_path": f"{side}/f{n}.png", "transform_matrix": m.tolist(), "camera_angle_x": angle}
        for side, angle in (("left", 1.0), ("right", 0.5))
        for n, m in enumerate(steady(range(4)))
    ]
    (tmp_path / "transforms.json").write_text(json.dumps({"frames": frames}))
    camera = read_camera(tmp_path / "transforms.json", camera="right")
    assert len(camera.pose) == 4 and camera.focal[0] == pytest.approx(0.5 / np.tan(0.25))
    w2c = np.linalg.inv(steady(range(4)))[:, :3]
    k = np.tile(np.array([[300.0, 0, 259], [0, 300, 147], [0, 0, 1]]), (1, 4, 1, 1))
    np.savez(tmp_path / "v.npz", extrinsic=w2c[None], intrinsic=k, convention="OpenCV")  # as VGGT gives them
    camera = read_camera(tmp_path / "v.npz")
    assert len(camera.pose) == 4 and not camera.notes and camera.focal[0] == pytest.approx(300 / 518)
    np.savez(tmp_path / "v.npz", extrinsic=np.stack([w2c, w2c]), convention="OpenCV")
    assert "holds 2 cameras; 1 is taken" in read_camera(tmp_path / "v.npz").notes[0]


def test_a_fisheye_is_refused_and_a_bent_lens_noted_wherever_it_is_stated(tmp_path):
    with pytest.raises(ValueError, match="c4_fisheye.json: expected a model of .* got OPENCV_FISHEYE"):
        read_camera(CASES / "cameras" / "c4_fisheye.json")
    with pytest.raises(ValueError, match="expected a perspective camera, got is_fisheye"):
        transforms_gap(tmp_path, is_fisheye=True)
    with pytest.raises(ValueError, match="got EQUIRECTANGULAR"):
        transforms_gap(tmp_path, camera_model="EQUIRECTANGULAR")
    notes = read_camera(CASES / "cameras" / "c4_perframe.json").notes
    assert "distortion" in notes[0] and "principal point" in notes[1]
    np.savez(tmp_path / "a.npz", c2w=steady(range(3)), convention="OpenCV", distortion=np.array([-0.3, 0.1]))
    assert "distortion" in read_camera(tmp_path / "a.npz").notes[0]


def test_the_aspect_of_pixels_that_are_not_square_is_that_of_the_picture(tmp_path):
    (tmp_path / "images.txt").write_text("1 1 0 0 0 0 0 0 1 a.png\n\n")
    (tmp_path / "cameras.txt").write_text("1 PINHOLE 640 480 500 1000 320 240")
    camera = read_camera(tmp_path / "images.txt")  # half as wide as high, a pixel
    assert camera.aspect * camera.focal[0] == pytest.approx(1000 / 480)
    value = {"w": 640, "h": 480, "fl_x": 500, "fl_y": 1000}
    frames = [{"transform_matrix": np.eye(4).tolist()}]
    (tmp_path / "transforms.json").write_text(json.dumps({**value, "frames": frames}))
    assert read_camera(tmp_path / "transforms.json").aspect == pytest.approx(camera.aspect)


# ---- cameras: more kinds of files ----


def assert_steady(camera: Trajectory, frames: int):
    np.testing.assert_allclose(
        camera.centres - camera.centres[0], [[0.1 * n, 0, 0] for n in range(frames)], atol=1e-6
    )


def test_lines_of_12_16_and_8_numbers_are_read_or_asked_about(tmp_path):
    camera = read_camera(CASES / "cameras" / "c5_kitti.txt")
    assert_steady(camera, 6)
    assert "read as KITTI's poses (OpenCV camera-to-world)" in camera.notes[0]
    path = tmp_path / "m.txt"
    path.write_text("\n".join(" ".join(map(str, m.ravel())) for m in steady(range(5))))
    with pytest.raises(ValueError, match="expected the matrices' convention to be chosen"):
        read_camera(path)
    assert_steady(read_camera(path, CONVENTIONS[1]), 5)
    path.write_text("\n".join(f"{n} {0.1 * n} 0 0 0 0 0 1" for n in range(4)))
    assert_steady(read_camera(path), 4)


def test_nerfstudios_camera_path_is_read(tmp_path):
    path = tmp_path / "camera_path.json"
    poses = [{"camera_to_world": m.ravel().tolist(), "fov": 50, "aspect": 1.5} for m in steady(range(4))]
    path.write_text(json.dumps({"camera_type": "perspective", "camera_path": poses}))
    camera = read_camera(path)
    assert_steady(camera, 4)
    assert camera.focal[0] * camera.aspect == pytest.approx(0.5 / np.tan(np.radians(25)))
    path.write_text(json.dumps({"camera_type": "equirectangular", "camera_path": poses}))
    with pytest.raises(ValueError, match="got equirectangular"):
        read_camera(path)
    path.write_text(json.dumps({"camera_path": [{"fov": 50}]}))
    with pytest.raises(ValueError, match="expected camera_to_world of 16 numbers"):
        read_camera(path)


def test_recammasters_json_is_read_one_camera_at_a_time(tmp_path):
    def text(x: float, y: float) -> str:  # Unreal: x forward, y right, z up; centimetres
        return f"[1 0 0 0] [0 1 0 0] [0 0 1 0] [{x} {y} 0 1] "

    value = {f"frame{n}": {"cam01": text(0, 10 * n), "cam02": text(10 * n, 0)} for n in range(12)}
    (tmp_path / "e.json").write_text(json.dumps(value))
    camera = read_camera(tmp_path / "e.json")
    assert "cam01 is taken, the others are cam02" in camera.notes[0]
    np.testing.assert_allclose(camera.pose[:, :, 3], [[-10 * n, 0, 0] for n in range(12)], atol=1e-9)
    ahead = read_camera(tmp_path / "e.json", camera="cam02")
    np.testing.assert_allclose(ahead.pose[:, :, 3], [[0, 0, -10 * n] for n in range(12)], atol=1e-9)


# ---- sizes and damage ----


def test_damaged_track_files_are_refused_in_words():
    for name, message in (
        ("member.npz", "'xy.txt' among its arrays"),
        ("wide.npz", "expected a canvas of at least 1x1 and at most"),
        ("tokens.npy", "expected an .npz or .npy with numbers, got"),
        ("bridge-fps.json", "expected width, height and fps in"),
    ):
        with pytest.raises(ValueError, match=f"{name}: .*{message}"):
            read_tracks(CASES / "damaged" / name, WIDTH, HEIGHT)
    with pytest.raises(ValueError, match="points: expected (places like|JSON)"):
        point_prompts((CASES / "damaged" / "clicked-deep.json").read_text(), WIDTH, HEIGHT)


def test_damaged_camera_files_are_refused_in_words(tmp_path):
    damaged = CASES / "damaged"
    with pytest.raises(ValueError, match="expected k1 to be a finite number"):
        read_camera(damaged / "transforms-k1.json")
    images = tmp_path / "images.txt"
    images.write_text("1 1 0 0 0 0 0 0 1 a.png\n\n")
    (tmp_path / "cameras.txt").write_text((damaged / "colmap-focal0.txt").read_text())
    with pytest.raises(ValueError, match="cameras.txt: expected a width, a height and focal lengths above 0"):
        read_camera(images)
    (tmp_path / "cameras.txt").write_text("1 PINHOLE 4 4 1 1 1 1")
    (tmp_path / "points3D.txt").write_text((damaged / "colmap-points.txt").read_text())
    with pytest.raises(ValueError, match="points3D.txt: expected POINT3D_ID X Y Z, got 'x 0 0 1'"):
        read_camera(images)


def test_a_header_is_held_against_the_bytes_that_are_there(tmp_path):
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000, 1000, 2), }"
    header += b" " * (117 - len(header)) + b"\n"
    (tmp_path / "big.npy").write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
    with pytest.raises(ValueError, match=r"big.npy: expected .* a header of 16000000000 bytes"):
        read_arrays(tmp_path / "big.npy")
    with zipfile.ZipFile(tmp_path / "big.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("tracks.npy", (tmp_path / "big.npy").read_bytes())
    with pytest.raises(ValueError, match=r"big.npz: expected .* tracks: a header of 16000000000 bytes"):
        read_arrays(tmp_path / "big.npz")


@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_are_read_as_numpy_reads_them(order, tmp_path):
    array = np.asarray(np.arange(24.0).reshape(2, 3, 4), order=order)
    np.save(tmp_path / "a.npy", array)
    np.savez_compressed(tmp_path / "a.npz", a=array, b=np.float32(3), c=np.zeros((0, 2)))
    assert np.array_equal(read_arrays(tmp_path / "a.npy")["array"], array)
    found = read_arrays(tmp_path / "a.npz")
    assert np.array_equal(found["a"], array) and found["b"] == 3 and found["c"].shape == (0, 2)
