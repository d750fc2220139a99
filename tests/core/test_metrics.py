"""The measures measure what they say: shifts are found, chance is chance, ghosts are seen."""

import numpy as np
import pytest

from motionstream_core.evaluation import metrics


def textured(rng, size=96):
    return rng.random((size, size, 3))


def points(rng, count=40, size=96, margin=32):
    return rng.uniform(margin, size - margin, (1, count, 2)).astype(np.float32)


@pytest.mark.parametrize("shift", [(0, 0), (3, 0), (-4, 5), (8, -7)])
def test_the_ncc_error_of_a_shifted_picture_is_the_length_of_the_shift(shift):
    rng = np.random.default_rng(0)
    image, xy = textured(rng), points(rng)
    moved = np.roll(image, (shift[1], shift[0]), (0, 1))
    errors = metrics.ncc_error(image[None], moved[None], xy, np.ones((1, 40), bool))
    np.testing.assert_allclose(errors, np.hypot(*shift), atol=1e-5)


def test_an_unrelated_picture_scores_near_chance():
    rng = np.random.default_rng(1)
    errors = metrics.ncc_error(
        textured(rng)[None], textured(rng)[None], points(rng, 200), np.ones((1, 200), bool)
    )
    assert 5 < np.nanmedian(errors) < 12


def test_hidden_flat_and_border_points_are_not_measured():
    rng = np.random.default_rng(2)
    image = textured(rng)
    image[:48] = 0.5
    xy = np.array([[[48.0, 20.0], [48.0, 75.0], [2.0, 75.0], [60.0, 75.0]]], np.float32)
    errors = metrics.ncc_error(image[None], image[None], xy, np.array([[True, True, True, False]]))
    assert np.isnan(errors[0]).tolist() == [True, False, True, True]


def test_psnr_of_a_known_error_and_of_a_mask():
    a, b = np.zeros((2, 4, 4, 3)), np.full((2, 4, 4, 3), 0.1)
    assert metrics.psnr(a, b) == pytest.approx(20.0)
    mask = np.zeros((2, 4, 4), bool)
    assert np.isnan(metrics.psnr(a, b, mask))
    mask[0] = True
    b[1] = 1
    assert metrics.psnr(a, b, mask) == pytest.approx(20.0)


def test_pck_counts_measured_points_only():
    assert metrics.pck(np.array([0.0, 3.9, 4.1, np.nan]), 4.0) == pytest.approx(2 / 3)


def test_a_full_ghost_is_one_and_no_ghost_is_zero():
    rng = np.random.default_rng(3)
    first, truth = textured(rng, 16), textured(rng, 16)[None]
    mask = np.ones((1, 16, 16), bool)
    assert metrics.ghost(first[None], truth, first, mask) == pytest.approx(1.0)
    assert metrics.ghost(truth, truth, first, mask) == pytest.approx(0.0)
    assert metrics.ghost(0.5 * truth + 0.5 * first[None], truth, first, mask) == pytest.approx(0.5)
