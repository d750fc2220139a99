"""The tracking benchmark: its truth, its scores, and the default tracker on awkward videos."""

import argparse
import json

import numpy as np
import pytest

cv2 = pytest.importorskip("cv2")

from motionstream_core.evaluation.lab import tracking  # noqa: E402
from motionstream_core.evaluation.lab.tracking_media import (  # noqa: E402
    HALVES,
    IN_REPOSITORY,
    Material,
    find_material,
)
from motionstream_core.evaluation.lab.tracking_scenes import (  # noqa: E402
    Look,
    Size,
    camera_sequence,
    objects_sequence,
    there_and_back,
)
from motionstream_core.tracks.camera.moves import regular_grid  # noqa: E402
from motionstream_core.tracks.video.patch_tracker import FlowTracker, track_video  # noqa: E402

SMALL = Size(160, 96, 10, 10, 6)


@pytest.fixture(scope="module")
def material() -> Material:
    return find_material(IN_REPOSITORY, "heldout", SMALL.frames)


def first_picture(material: Material) -> np.ndarray:
    return next(iter(material.pictures.values()))


def test_the_two_halves_of_the_repositorys_own_media_share_nothing():
    one, other = (find_material(IN_REPOSITORY, half, 4) for half in HALVES)
    assert one.pictures and other.pictures and not set(one.names) & set(other.names)
    same = [(a == b).all() for a in one.sprites for b in other.sprites]
    assert len(one.sprites) > 5 and not any(same)


def test_listed_files_are_found_by_name_and_go_to_their_half(tmp_path):
    for name in ("coffee.png", "chelsea.png", "other.png"):
        cv2.imwrite(str(tmp_path / name), np.full((220, 240, 3), 90, np.uint8))
    assert find_material(tmp_path, "development", 2).names == ["coffee.png"]
    assert find_material(tmp_path, "heldout", 2).names == ["chelsea.png"]
    with pytest.raises(ValueError, match="media folder that exists"):
        find_material(tmp_path / "none", "heldout", 2)


def test_the_truth_is_where_the_picture_went(material):
    truth = camera_sequence("picture", first_picture(material)[None], SMALL, Look(noise=0), 3)
    frame = SMALL.frames - 1
    both = truth.visible[frame] & (np.abs(truth.xy[frame] - [79.5, 47.5]) < [70, 38]).all(1)
    assert both.sum() > 20 and np.linalg.norm(truth.xy[frame] - truth.points, axis=1).max() > 1
    levels = [
        cv2.remap(
            truth.frames[t], *(truth.xy[t][both, i].astype(np.float32) for i in (0, 1)), cv2.INTER_LINEAR
        ).astype(float)
        for t in (0, frame)
    ]
    assert np.median(np.abs(levels[0] - levels[1])) < 4


def test_a_point_under_another_object_is_hidden_in_truth(material):
    truth = objects_sequence("picture", first_picture(material)[None], material, SMALL, Look(), 5)
    assert truth.owner.any() and not truth.visible.all() and truth.visible[0].all() and truth.known.all()


def test_video_run_there_and_back_ends_where_it_began():
    video = np.random.default_rng(0).integers(0, 255, (8, 60, 80, 3), dtype=np.uint8)
    truth = there_and_back("noise", video, SMALL)
    assert (
        (truth.frames[0] == truth.frames[-1]).all() and truth.known[-1].all() and not truth.known[:-1].any()
    )


def test_perfect_tracks_have_perfect_scores_and_shifted_or_shameless_ones_have_not(material):
    truth = objects_sequence("picture", first_picture(material)[None], material, SMALL, Look(), 5)
    sure = np.ones(truth.visible.shape)
    perfect = tracking.scores((truth.xy, truth.visible, sure), truth)
    assert (
        perfect["error_px"] == 0
        and perfect["survival"] == perfect["precision"] == perfect["recall"] == 1
        and perfect["false_visible"] == 0
    )
    shifted = tracking.scores((truth.xy + [3.0, 4.0], np.ones_like(truth.visible), sure), truth)
    assert (
        shifted["error_px"] == pytest.approx(5) and shifted["survival"] == 0 and shifted["false_visible"] > 0
    )


def test_the_surest_places_are_kept_when_survival_is_made_equal(material):
    truth = camera_sequence("picture", first_picture(material)[None], SMALL, Look(), 3)
    wrong = np.linspace(0, 9, truth.visible.size).reshape(truth.visible.shape)
    found = (truth.xy + np.stack([wrong, np.zeros_like(wrong)], -1), truth.visible, -wrong)
    errors = [tracking.error_at(found, truth, share) for share in (0.2, 0.5, 1.0)]
    assert errors[0] < errors[1] < errors[2]


def test_the_default_tracker_is_nearer_to_the_truth_than_either_baseline_at_equal_survival(material):
    size = Size(240, 160, 16, 16, 11)
    row = tracking.measure(camera_sequence("picture", first_picture(material)[None], size, Look(), 3))
    ours = row["methods"]["default tracker"]
    assert ours["error_px"] < 0.45 and ours["survival"] > 0.85
    assert all(
        row["methods"][name]["equal"]["ours_px"] <= row["methods"][name]["equal"]["theirs_px"] + 0.02
        for name in tracking.METHODS[1:]
    )


def test_camera_tracks_are_where_opencv_projects_them():
    assert tracking.camera_projection(96, 64, 9)["largest_px"] < 0.05


def test_the_command_prints_a_table_then_json_and_keeps_both(tmp_path, capsys, monkeypatch):
    parser = argparse.ArgumentParser()
    tracking.add_arguments(parser)
    tracking.run(
        parser.parse_args(
            ["--size", "96x64", "--grid", "6x4", "--frames", "3", "--limit", "1", "--results", str(tmp_path)]
        )
    )
    printed = capsys.readouterr().out
    document = json.loads(printed.splitlines()[-1])
    assert printed.startswith("**development**") and set(document["halves"]) == set(HALVES)
    assert "at equal survival" in next(tmp_path.glob("tracking_cpu_*.md")).read_text()
    with pytest.raises(ValueError, match="size: expected"):
        tracking.run(parser.parse_args(["--size", "large"]))
    with pytest.raises(ValueError, match="kinds: expected"):
        tracking.run(parser.parse_args(["--kinds", "circus"]))


def test_one_kind_of_sequence_is_measured_without_baselines_on_request():
    document = tracking.evaluate(
        tracking.IN_REPOSITORY, Size(96, 64, 3, 6, 4), (0, 1), kinds=("objects",), baselines=False
    )
    rows = document["halves"]["heldout"]["sequences"]
    assert [row["kind"] for row in rows] == ["objects"] and list(rows[0]["methods"]) == ["default tracker"]
    assert document["halves"]["development"]["sequences"] == []


def test_a_film_that_is_cut_gives_its_longest_shot_alone(tmp_path):
    out = cv2.VideoWriter(str(tmp_path / "bikes.mp4"), cv2.VideoWriter_fourcc(*"mp4v"), 16, (64, 48))
    for number in range(150):
        out.write(np.full((48, 64, 3), 200 if 76 <= number < 137 else 20, np.uint8))
    out.release()
    shot = find_material(tmp_path, "heldout", 81).videos["bikes.mp4"]
    assert len(shot) == 61 and abs(shot.astype(float) - 200).max() < 20


def moving(frames: int, width: int, height: int) -> list[np.ndarray]:
    rng = np.random.default_rng(7)
    picture = cv2.resize(
        rng.integers(0, 255, (20, 30, 3), dtype=np.uint8),
        (width + 2 * frames, height + frames),
        interpolation=cv2.INTER_CUBIC,
    )
    return [np.ascontiguousarray(picture[t : t + height, 2 * t : 2 * t + width]) for t in range(frames)]


@pytest.mark.parametrize("size", [(97, 61), (64, 200), (33, 35)])
def test_a_video_of_an_odd_size_is_followed(size):
    grid = regular_grid(*size, 5, 5)
    tracks = track_video(moving(5, *size), lambda width, height: grid, 16.0)
    expected = grid - 4 * np.array([2, 1])
    inside = (expected >= 2).all(1)
    error = np.linalg.norm(tracks.xy[-1].numpy() - expected, axis=1)
    seen = tracks.visible[-1].numpy() & inside
    assert seen.sum() > 0.6 * inside.sum() and np.median(error[seen]) < 0.5


def test_a_subject_that_leaves_the_picture_is_hidden_and_its_track_stays_finite():
    width, height = 160, 96
    ground, subject = (
        moving(1, width, height)[0],
        np.random.default_rng(3).integers(0, 255, (24, 24, 3), dtype=np.uint8),
    )
    frames = []
    for t in range(14):
        frame, left = ground.copy(), 100 + 6 * t
        shown = min(24, width - left)
        if shown > 0:
            frame[36:60, left : left + shown] = subject[:, :shown]
        frames.append(frame)
    points = np.array([[108.0, 44.0], [112.0, 48.0], [116.0, 52.0], [20.0, 20.0]])
    tracks = track_video(frames, lambda width, height: points, 16.0)
    assert tracks.xy.isfinite().all() and not tracks.visible[-1, :3].any() and tracks.visible[-1, 3]


def test_a_single_clicked_point_is_followed():
    frames = moving(6, 160, 96)
    tracks = track_video(frames, lambda width, height: np.array([[90.0, 50.0]]), 16.0)
    assert (
        tracks.count == 1
        and tracks.visible.all()
        and np.abs(tracks.xy[-1, 0].numpy() - [80.0, 45.0]).max() < 0.5
    )


def test_only_the_points_asked_for_are_told_and_each_has_a_confidence():
    tracker = FlowTracker()
    frames = moving(2, 96, 64)
    tracker.start(frames[0], np.array([[40.0, 30.0], [50.0, 30.0]], np.float32))
    xy, visible = tracker.step(frames[1])
    assert (
        xy.shape == (2, 2)
        and visible.shape == (2,)
        and tracker.confidence.shape == (2,)
        and (tracker.confidence[visible] > 0).all()
    )
