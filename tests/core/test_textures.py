"""The measures of holes: blur, wrong colour, flicker each raise the measure that is there for it."""

import numpy as np
import pytest

pytest.importorskip("cv2")

from motionstream_core.evaluation import textures  # noqa: E402

STILL = np.eye(3)[None].repeat(3, 0)


@pytest.fixture(scope="module")
def clip():
    rng = np.random.default_rng(0)
    return np.broadcast_to(rng.random((48, 48, 3)), (3, 48, 48, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def hole():
    mask = np.zeros((3, 48, 48), bool)
    mask[:, 8:40, 8:40] = True
    return mask


def bands_of(made, true, mask):
    return textures.band_ratios(textures.octave_energy(made, mask), textures.octave_energy(true, mask))


def test_half_the_contrast_is_half_of_every_octave(clip, hole):
    ratios = bands_of(0.5 * clip + 0.25, clip, hole)
    np.testing.assert_allclose(ratios, 0.5, atol=1e-4)
    assert textures.band_error(ratios) == pytest.approx(1.0, abs=1e-3)
    assert textures.band_error(bands_of(clip, clip, hole)) == pytest.approx(0.0, abs=1e-6)


def test_blur_takes_the_finest_octave_first(clip, hole):
    fine, middle, coarse = bands_of(textures.blur_frames(clip, 2.0), clip, hole)
    assert fine < 0.1 < middle < coarse


def test_another_colour_is_seen_by_the_distance_with_colour_alone(clip, hole):
    colour, high = textures.patch_distances(clip + 20 / 255, clip, hole)
    assert 10 < colour < 25 and high < 0.01
    colour_of_blur, high_of_blur = textures.patch_distances(textures.blur_frames(clip, 2.0), clip, hole)
    assert high_of_blur > 5
    assert textures.patch_distances(clip, clip, hole) == (0, 0)


def test_the_same_texture_elsewhere_is_near_and_a_flat_hole_is_far(clip, hole):
    moved = np.roll(clip, (5, 7), (1, 2))
    flat = np.full_like(clip, 0.5)
    assert 5 * textures.patch_distances(moved, clip, hole)[1] < textures.patch_distances(flat, clip, hole)[1]


def test_flicker_is_the_change_of_a_place_of_the_background_whatever_the_camera_does(clip, hole):
    assert textures.flicker(clip, hole, STILL) == 0
    blinking = clip + np.array([0, 10, 0], np.float32)[:, None, None, None] / 255
    assert textures.flicker(blinking, hole, STILL) == pytest.approx(10, abs=0.01)
    pan = STILL.copy()
    pan[:, 0, 2] = [0, 3, 6]
    panned = np.stack([np.roll(frame, 3 * number, 1) for number, frame in enumerate(clip)])
    assert textures.flicker(panned, np.ones_like(hole), pan) == pytest.approx(0, abs=1e-3)
    assert textures.flicker(clip, np.ones_like(hole), pan) > 20
    assert np.isnan(textures.flicker(clip, np.zeros_like(hole), STILL))


def test_a_hole_loses_its_rim_but_not_at_the_frame(hole):
    inner = textures.erode_mask(hole)
    assert inner[0, 10:38, 10:38].all() and inner.sum() == 3 * 28 * 28
    assert textures.erode_mask(np.ones_like(hole)).all()


def test_a_clip_without_a_hole_has_no_distance(clip, hole):
    assert all(np.isnan(value) for value in textures.patch_distances(clip, clip, np.zeros_like(hole)))
