"""Subject and camera told apart."""

import numpy as np
import pytest
import torch

from motionstream_core.tracks.types import Tracks
from motionstream_core.tracks.video.camera_motion import cover_canvas, move_box, select_part

pytest.importorskip("cv2")
WIDTH, HEIGHT, FRAMES = 96, 64, 9


def scene() -> tuple[Tracks, np.ndarray]:
    """A grid under a drifting, zooming camera; the points in the middle move on their own as well."""
    y, x = np.mgrid[4:HEIGHT:6, 4:WIDTH:6]
    grid = np.stack([x.ravel(), y.ravel()], -1).astype(float)
    subject = (np.abs(grid - [48, 32]) < 12).all(-1)
    xy = []
    for t in range(FRAMES):
        place = grid + subject[:, None] * np.array([1.5 * t, 0.5 * t])
        xy.append((place - 40) * (1 + 0.01 * t) + 40 + [0.8 * t, -0.4 * t])
    xy = torch.tensor(np.stack(xy))
    return Tracks(xy, torch.ones(xy.shape[:2], dtype=torch.bool), WIDTH, HEIGHT), subject


@pytest.mark.parametrize("known", [True, False])
def test_the_subjects_own_motion_is_found_without_the_cameras(known):
    tracks, subject = scene()
    alone = select_part(tracks, "subject", subject if known else None)
    assert alone.count == subject.sum()
    moved = (alone.xy[-1] - alone.xy[0]).numpy()
    assert np.abs(moved - [1.5 * (FRAMES - 1), 0.5 * (FRAMES - 1)]).max() < 0.1


def test_the_cameras_motion_is_found_without_the_subjects():
    tracks, subject = scene()
    camera = select_part(tracks, "camera")
    error = (camera.xy - tracks.xy)[:, ~torch.from_numpy(subject)]
    assert error.abs().max() < 0.05 and camera.count == tracks.count


def test_everything_is_everything_and_another_word_is_refused():
    tracks, _ = scene()
    assert select_part(tracks, "everything") is tracks
    with pytest.raises(ValueError, match="part: expected"):
        select_part(tracks, "sky")


def test_a_scene_without_a_subject_is_named():
    tracks, subject = scene()
    with pytest.raises(ValueError, match="subject: expected"):
        select_part(tracks.select(torch.from_numpy(np.flatnonzero(~subject))), "subject")


def test_tracks_cover_another_canvas_as_a_picture_does():
    tracks = Tracks(torch.tensor([[[47.5, 31.5], [0.0, 31.5]]]), torch.ones(1, 2, dtype=torch.bool), 96, 64)
    square = cover_canvas(tracks, 128, 128)
    assert square.count == 1 and torch.allclose(square.xy[0, 0], torch.tensor([63.5, 63.5]))


def test_motion_goes_from_box_to_box_scaled():
    tracks, _ = scene()
    moved = move_box(tracks, (0, 0, 96, 64), (10, 20, 48, 128))
    assert torch.allclose(
        moved.xy[3, 5], tracks.xy[3, 5] * torch.tensor([0.5, 2.0]) + torch.tensor([10.0, 20.0])
    )
    with pytest.raises(ValueError, match="box"):
        move_box(tracks, (0, 0, 0, 64), (0, 0, 1, 1))
