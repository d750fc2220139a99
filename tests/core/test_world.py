"""The synthetic world's ground truth: tracks follow the pixels, visibility follows the alpha."""

import numpy as np
import pytest

pytest.importorskip("cv2", reason="the synthetic world needs OpenCV (a training dependency)")

from motionstream_core.evaluation import metrics
from motionstream_core.model.text import unknown_words
from motionstream_core.training.data import selection
from motionstream_core.training.data.textures import apply_style
from motionstream_core.training.data.world import (
    Motion,
    Scene,
    Sprite,
    caption,
    random_scene,
    render,
    rest_motion,
)


def picture(rng, size=300):
    import cv2

    return cv2.resize(
        rng.integers(0, 256, (size // 3, size // 3, 3), dtype=np.uint8),
        (size, size),
        interpolation=cv2.INTER_CUBIC,
    )


def disc(colour, size=40):
    yy, xx = np.mgrid[:size, :size] + 0.5 - size / 2
    image = np.zeros((size, size, 4), np.uint8)
    image[..., :3] = colour
    image[..., 3] = 255 * (xx**2 + yy**2 < (size / 2 - 1) ** 2)
    return image


def straight(frames, dx, dy):
    t, zero = np.linspace(0, 1, frames), np.zeros(frames)
    return Motion(dx * t, dy * t, zero, zero)


def scene(rng, sprites=(), camera=None, frames=9):
    view = np.array([[1, 0, -80], [0, 1, -80], [0, 0, 1]], float)
    return Scene(128, frames, picture(rng), view, camera or rest_motion(frames), tuple(sprites))


def sprite(colour, centre, motion, size=40):
    place = np.array([[1, 0, centre[0] - size / 2], [0, 1, centre[1] - size / 2], [0, 0, 1]], float)
    return Sprite(disc(colour, size), "large circle", place, motion, centre)


def test_background_tracks_follow_the_pixels_under_a_camera_move():
    rng = np.random.default_rng(0)
    clip = render(scene(rng, camera=straight(9, 14.0, -9.0)), rng)
    errors = metrics.ncc_error(clip.frames / 255.0, clip.frames / 255.0, clip.xy, clip.visible)
    assert np.nanmax(errors) == 0
    first = metrics.ncc_error(
        clip.frames[:1] / 255.0, clip.frames / 255.0, clip.xy, clip.visible, reference_xy=clip.xy[:1]
    )
    assert np.nanmedian(first) == 0
    assert metrics.pck(first, 1.0) > 0.97


def test_a_sprite_moves_by_its_path_and_hides_what_lies_below():
    rng = np.random.default_rng(1)
    below, above = (
        sprite((200, 30, 30), (90, 64), rest_motion(9)),
        sprite((30, 30, 200), (30, 64), straight(9, 60.0, 0.0)),
    )
    clip = render(scene(rng, [below, above]), rng)
    on_above = clip.owner == 1
    np.testing.assert_allclose(
        clip.xy[-1, on_above] - clip.xy[0, on_above],
        np.broadcast_to([60.0, 0.0], (on_above.sum(), 2)),
        atol=1e-4,
    )
    assert clip.visible[:, on_above].all()
    on_below = clip.owner == 0
    assert clip.visible[0, on_below].all()
    assert clip.visible[-1, on_below].mean() < 0.1
    assert tuple(clip.frames[-1, 64, 90]) == pytest.approx((30, 30, 200), abs=3)


def test_points_that_leave_the_frame_are_hidden():
    rng = np.random.default_rng(2)
    clip = render(scene(rng, camera=straight(9, 100.0, 0.0)), rng)
    inside = ((clip.xy >= 0) & (clip.xy < 128)).all(-1)
    assert not clip.visible[~inside].any()
    assert clip.visible[-1].mean() < 0.5


def test_the_same_seed_renders_the_same_clip():
    def make():
        rng = np.random.default_rng(3)
        return render(random_scene(rng, [picture(rng)], np.stack([disc((9, 200, 9), 96)]), ["ball"]), rng)

    a, b = make(), make()
    assert np.array_equal(a.frames, b.frames) and np.array_equal(a.xy, b.xy) and a.caption == b.caption


def test_captions_use_only_the_stated_vocabulary():
    rng = np.random.default_rng(4)
    sprites = np.stack([disc(c, 96) for c in ((200, 20, 20), (20, 20, 200))])
    for style in (None, "night", "sepia", "fog", "gray-scale"):
        text = caption(random_scene(rng, [], sprites, ["cat face", "unheard of thing"], style=style))
        assert unknown_words(text) == []


def test_a_style_leaves_the_first_frame_and_changes_the_later_ones():
    frames = np.full((12, 8, 8, 3), 120, np.uint8)
    night = apply_style(frames, "night")
    assert np.array_equal(night[0], frames[0])
    assert night[-1].mean() < 60
    with pytest.raises(ValueError, match="expected a style among .* got 'rain'"):
        apply_style(frames, "rain")


def test_selections_are_indices_of_points_within_the_limit():
    rng = np.random.default_rng(5)
    clip = render(scene(rng, [sprite((200, 30, 30), (64, 64), straight(9, 20.0, 0.0))]), rng)
    for _ in range(20):
        chosen = selection.choose_mixed(rng, clip, 256)
        assert 1 <= len(chosen) <= 256 and len(set(chosen)) == len(chosen) and chosen.max() < len(clip.owner)
    assert (clip.owner[selection.choose_dense(rng, clip, 64)] >= 0).sum() == 32
