"""A subject's motion brought to another subject."""

import numpy as np
import pytest
import torch

pytest.importorskip("cv2")

from motionstream_core.tracks.types import Tracks  # noqa: E402
from motionstream_core.tracks.video.point_prompts import point_prompts  # noqa: E402
from motionstream_core.tracks.video.retarget import (  # noqa: E402
    area_of,
    box_of,
    retarget_tracks,
    seeds_for,
    target_box,
)

WIDTH, HEIGHT, FRAMES = 96, 64, 9
MOVE = np.array([2.0, 0.5])  # px a frame: the subject's own
PAN = np.array([0.8, -0.4])  # px a frame: the camera's


def mask(left=32, top=24, wide=24, high=16, width=WIDTH, height=HEIGHT) -> np.ndarray:
    area = np.zeros((height, width), np.float32)
    area[top : top + high, left : left + wide] = 1
    return area


def scene(seeds) -> Tracks:
    """The seeds under a drifting camera, those of the subject moving on their own as well."""
    t = np.arange(FRAMES)[:, None, None]
    xy = seeds.xy[None] + t * PAN + seeds.subject[None, :, None] * t * MOVE
    return Tracks(
        torch.from_numpy(xy).float(), torch.ones(FRAMES, len(seeds.xy), dtype=torch.bool), WIDTH, HEIGHT
    )


def moved(tracks: Tracks, area: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean displacement at the end of the points that begin on and off an area."""
    start = tracks.xy[0].round().long()
    on = torch.from_numpy(area > 0.5)[
        start[:, 1].clamp(0, area.shape[0] - 1), start[:, 0].clamp(0, area.shape[1] - 1)
    ]
    way = tracks.xy[-1] - tracks.xy[0]
    return way[on].mean(0).numpy(), way[~on].mean(0).numpy()


def test_the_subjects_motion_goes_to_the_target_scaled_and_the_ground_rests():
    seeds = seeds_for(WIDTH, HEIGHT, 24, 16, mask=mask())
    target = mask(80, 90, 48, 32, 192, 128)  # the canvas is twice the source, the target twice the subject
    made = retarget_tracks(scene(seeds), seeds, "subject", 192, 128, target)
    subject, ground = moved(made, target)
    assert np.allclose(subject, 2 * (FRAMES - 1) * MOVE, atol=0.3) and np.abs(ground).max() < 0.05
    on = (
        (made.xy[0, :, 0] >= 79.5)
        & (made.xy[0, :, 0] <= 127.5)
        & (made.xy[0, :, 1] >= 89.5)
        & (made.xy[0, :, 1] <= 121.5)
    )
    assert on.sum() >= 40 and (made.width, made.height) == (192, 128)


def test_with_everything_the_camera_moves_the_target_and_the_ground():
    seeds = seeds_for(WIDTH, HEIGHT, 24, 16, mask=mask())
    target = mask(60, 20, 24, 16)
    subject, ground = moved(retarget_tracks(scene(seeds), seeds, "everything", WIDTH, HEIGHT, target), target)
    assert np.allclose(subject, (FRAMES - 1) * (MOVE + PAN), atol=0.4) and np.allclose(
        ground, (FRAMES - 1) * PAN, atol=0.3
    )


def test_the_camera_alone_and_the_subject_alone_without_a_target():
    seeds = seeds_for(WIDTH, HEIGHT, 24, 16, mask=mask())
    camera = retarget_tracks(scene(seeds), seeds, "camera", WIDTH, HEIGHT)
    way = (camera.xy[-1] - camera.xy[0])[camera.visible[-1]]
    assert torch.allclose(way, torch.tensor((FRAMES - 1) * PAN).float().expand_as(way), atol=0.2)
    alone = retarget_tracks(scene(seeds), seeds, "subject", WIDTH, HEIGHT)
    assert alone.count == seeds.subject.sum() and np.allclose(
        (alone.xy[-1] - alone.xy[0]).mean(0), (FRAMES - 1) * MOVE, atol=0.2
    )


def test_a_target_in_other_proportions_is_filled_or_keeps_the_motions_shape():
    assert target_box((0, 0, 20, 10), (0, 0, 40, 80), "fill the target") == (0, 0, 40, 80)
    left, top, wide, high = target_box((0, 0, 20, 10), (0, 0, 40, 80), "keep its shape")
    assert (left, top, wide, high) == (0, 30, 40, 20)
    with pytest.raises(ValueError, match="shape"):
        target_box((0, 0, 1, 1), (0, 0, 1, 1), "somehow")


def test_masks_of_another_size_cover_the_picture_and_boxes_serve_as_masks():
    assert box_of(area_of(mask(), 192, 128, "mask")) == (64, 48, 48, 32)
    assert box_of(area_of(mask()[None], WIDTH, HEIGHT, "mask")) == (32, 24, 24, 16)
    box = {"x": 32, "y": 24, "width": 24, "height": 16}
    for boxes in (box, [box], [[box], []]):
        assert box_of(area_of(boxes, WIDTH, HEIGHT, "mask")) == (32, 24, 24, 16)


def test_a_small_subject_gets_points_of_its_own():
    seeds = seeds_for(WIDTH, HEIGHT, 20, 12, mask=mask(10, 10, 12, 8))
    assert seeds.subject.sum() >= 64 and (~seeds.subject).sum() > 200
    assert seeds_for(WIDTH, HEIGHT, 20, 12, mask=mask(10, 10, 12, 8), only_subject=True).subject.all()


def test_clicked_points_are_the_subject():
    clicked = point_prompts('[{"x": 40, "y": 30}, [42, 33]]', WIDTH, HEIGHT)
    seeds = seeds_for(WIDTH, HEIGHT, 12, 8, clicked=clicked)
    assert seeds.xy[seeds.subject].tolist() == [[40, 30], [42, 33]]
    alone = retarget_tracks(scene(seeds), seeds, "subject", WIDTH, HEIGHT)
    assert alone.count == 2 and np.allclose((alone.xy[-1] - alone.xy[0])[0], (FRAMES - 1) * MOVE, atol=0.2)
    ring = mask(30, 20, 24, 16) - mask(34, 24, 16, 8)  # the points fall into its middle
    assert retarget_tracks(scene(seeds), seeds, "subject", WIDTH, HEIGHT, ring, rest=False).count == 2


def test_clicks_are_read_in_every_spelling():
    for text in (
        '[{"x": 1, "y": 2}, {"x": 3, "y": 4}]',
        "[[1, 2], [3, 4]]",
        "[[{'x': 1, 'y': 2}, {'x': 9, 'y': 9}], [[3, 4], [8, 8]]]",
    ):
        assert point_prompts(text, 100, 100).tolist() == [[1, 2], [3, 4]]
    painted = Tracks(torch.tensor([[[63.5, 63.5]], [[0.0, 0.0]]]), torch.ones(2, 1), 128, 128)
    assert point_prompts(painted, 200, 100).tolist() == [[99.5, 49.5]]
    for bad, message in (
        ("[", "JSON"),
        ("[]", "list of places"),
        ('[{"x": 1}]', "places like"),
        ('[{"x": 1, "y": NaN}]', "finite"),
        ("[[0.25, 0.5], [0.1, 0.9]]", "points: expected places in pixels of 10x10"),
        ("[" * 900 + "]" * 900, "places like"),
    ):
        with pytest.raises(ValueError, match=message):
            point_prompts(bad, 10, 10)


def test_bad_places_are_named():
    with pytest.raises(ValueError, match="mask: expected one that marks"):
        seeds_for(WIDTH, HEIGHT, 4, 4, mask=np.zeros((8, 8)))
    with pytest.raises(ValueError, match="mask: expected a mask"):
        area_of(np.zeros((2, 2, 2, 2)), 8, 8, "mask")
    with pytest.raises(ValueError, match="target: expected boxes"):
        area_of([{"left": 3}], 8, 8, "target")
    with pytest.raises(ValueError, match="points: expected places on"):
        seeds_for(WIDTH, HEIGHT, 4, 4, clicked=np.array([[500.0, 3.0]]))
    seeds = seeds_for(WIDTH, HEIGHT, 24, 16, mask=mask())
    with pytest.raises(ValueError, match="target: expected one that marks"):
        retarget_tracks(scene(seeds), seeds, "subject", WIDTH, HEIGHT, np.zeros((8, 8)))
