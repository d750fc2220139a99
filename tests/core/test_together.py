"""Points of one thing that keep together while some of them are hidden."""

import numpy as np
import pytest
import torch

from motionstream_core.tracks.types import Tracks
from motionstream_core.tracks.video.moving_least_squares import fill_hidden_points, moving_similarity
from motionstream_core.tracks.video.retarget import Seeds, retarget_tracks

RNG = np.random.default_rng(0)
START = RNG.uniform(20, 60, (40, 2)).astype(np.float32)


def turned(angle: float, scale: float = 1.0, shift=(0.0, 0.0)) -> np.ndarray:
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    return ((START - 40) @ np.array([[c, s], [-s, c]]) + 40 + shift).astype(np.float32)


@pytest.mark.parametrize(
    "angle, scale, shift", [(0.0, 1.0, (9, -4)), (0.6, 1.0, (0, 0)), (-0.4, 1.5, (30, 8))]
)
def test_hidden_points_turn_scale_and_shift_with_the_visible_ones(angle, scale, shift):
    truth = turned(angle, scale, shift)
    visible = np.arange(40) % 3 == 0
    wrong = np.where(visible[:, None], truth, START + 100)
    xy, seen = fill_hidden_points(START, wrong, visible)
    assert seen.all()
    assert np.abs(xy - truth).max() < 1e-3
    assert np.array_equal(xy[visible], truth[visible])


def test_a_thing_that_bends_is_followed_locally():
    truth = START + np.stack([0 * START[:, 0], 0.01 * (START[:, 0] - 40) ** 2], 1).astype(np.float32)
    visible = RNG.random(40) < 0.6
    found = fill_hidden_points(START, truth, visible)[0]
    stiff = START + (truth[visible] - START[visible]).mean(0)
    assert np.abs(found - truth)[~visible].mean() < 0.7 * np.abs(stiff - truth)[~visible].mean()


def test_a_thing_that_is_gone_stays_gone():
    visible = np.arange(40) < 3
    xy, seen = fill_hidden_points(START, turned(0.3), visible)
    assert np.array_equal(seen, visible) and np.array_equal(xy, turned(0.3))
    assert fill_hidden_points(START, turned(0.3), np.zeros(40, bool))[1].sum() == 0


def test_points_on_one_spot_do_not_break_it():
    xy = moving_similarity(np.full((4, 2), 7.0), np.full((4, 2), 9.0), np.array([[7.0, 7.0], [8.0, 7.0]]))
    assert np.isfinite(xy).all() and np.allclose(xy[0], 9)


def test_a_retargeted_subject_is_whole_while_half_of_the_source_is_hidden():
    frames, width, height = 5, 80, 80
    path = np.stack([START + [4.0 * t, 0] for t in range(frames)]).astype(np.float32)
    visible = np.ones((frames, 40), bool)
    visible[2:, ::2] = False
    path[2:, ::2] += 17  # where a lost tracker might put them
    tracks = Tracks(torch.from_numpy(path), torch.from_numpy(visible), width, height)
    seeds = Seeds(START, np.ones(40, bool), (20.0, 20.0, 40.0, 40.0))
    target = [{"x": 10, "y": 10, "width": 40, "height": 40}]
    made = retarget_tracks(tracks, seeds, "subject", width, height, target, rest=False)
    moved = (made.xy - made.xy[:1]).numpy()
    assert made.visible.all()
    assert np.allclose(moved[-1], [16.0, 0.0], atol=0.2)
