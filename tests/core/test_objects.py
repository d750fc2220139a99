"""Objects that are cut out of the picture: found by a click or a box, written down, carried as one layer."""

import json
import sys

import numpy as np
import pytest
import torch
from core.test_layered import SIZE, SQUARE, grid, scene, texture

from motionstream_core.live.controls import AddTracks, Grab, Handle, Move, parse_control
from motionstream_core.live.live_tracks import LiveTracks
from motionstream_core.streaming.warped_image import ImageCarry
from motionstream_core.tracks.cut_out import cut_out
from motionstream_core.tracks.document.handles import document_groups
from motionstream_core.tracks.document.objects import PictureFit, document_objects, objects_under_strokes
from motionstream_core.tracks.document.parse import document_to_tracks, parse_document
from motionstream_core.tracks.masks import (
    fill_outlines,
    mask_from_runs,
    mask_to_runs,
    parse_objects,
    points_in_mask,
)
from motionstream_core.tracks.types import TrackChunk
from motionstream_core.tracks.warp.layered import LayeredWarp

RING = [[(-12, -8), (12, -8), (12, 8), (-12, 8)], [(-4, -3), (4, -3), (4, 3), (-4, 3)]]


def drawn(*tracks, **keys):
    base = {"version": 2, "width": 64, "height": 48, "frames": 9, "fps": 16}
    return parse_document(json.dumps({**base, "tracks": list(tracks), **keys}))


def thing(*points, outlines=RING, spacing=4.0, **keys):
    lines = [[{"x": x, "y": y} for x, y in line] for line in outlines]
    return {
        "kind": "object",
        "points": [{"x": x, "y": y} for x, y in points],
        "object": {"outlines": lines, "spacing": spacing},
        **keys,
    }


# ---- how masks are written down ----


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_a_mask_comes_back_from_its_runs(share):
    mask = np.random.default_rng(0).random((7, 9)) < share
    runs = mask_to_runs(mask)
    assert sum(runs) == mask.size and np.array_equal(mask_from_runs(runs, 9, 7), mask)


@pytest.mark.parametrize("runs", [[3], [-1, 64], "63", None, [1.5, 61.5]])
def test_runs_that_do_not_fill_the_mask_are_refused(runs):
    with pytest.raises(ValueError, match="expected runs of 9x7 places"):
        mask_from_runs(runs, 9, 7)
    with pytest.raises(ValueError, match="objects: expected"):
        parse_objects([{"handle": 0, "width": 0, "height": 7, "runs": []}])


def test_outlines_are_filled_by_the_even_odd_rule():
    lines = [np.array(line, float) + [20, 20] for line in RING]
    mask = fill_outlines(lines, 40, 40)
    assert mask.sum() == 24 * 16 - 8 * 6
    assert mask[20, 10] and not mask[20, 20] and not mask[3, 3]
    assert not fill_outlines([np.array([[1, 1], [9, 1], [4, 1]], float)], 12, 12).any()


# ---- in a document ----


def test_the_points_of_an_object_are_one_handle_and_its_mask_has_its_number():
    pin = {"kind": "pin", "points": [{"x": 3, "y": 3}]}
    document = drawn(pin, thing((30, 20), (40, 20)), pin_border=True)
    tracks, groups = document_to_tracks(document), document_groups(document)
    own = [index for index, group in enumerate(groups) if group == 1]
    assert len(own) == 24 - 2
    masks = document_objects(document, 128, 96)
    assert list(masks) == [1] and masks[1].shape == (96, 128)
    assert masks[1].sum() == 4 * (24 * 16 - 8 * 6)
    for x, y in (2 * tracks.xy[0, own]).round().long().tolist():
        assert masks[1][y, x]


def test_an_object_beyond_the_picture_has_no_mask_and_an_unsound_one_is_refused():
    assert not document_objects(drawn(thing((500, 500))), 64, 48)
    for outlines in ([], [[(0, 0), (1, 1)]]):
        with pytest.raises(ValueError, match="object: expected outlines of 3 to"):
            drawn(thing((3, 3), outlines=outlines))
    with pytest.raises(ValueError, match="expected outlines and spacing for a track of kind object"):
        drawn({"kind": "object", "points": [{"x": 1, "y": 1}]})
    with pytest.raises(ValueError, match="points to look at"):
        document_to_tracks(drawn(thing((3, 3), spacing=0.05)))


def test_a_mask_from_elsewhere_goes_with_the_first_stroke_that_begins_in_it():
    line = {"points": [{"x": 20, "y": 20}, {"x": 40, "y": 20}]}
    document = drawn({"kind": "pin", "points": [{"x": 21, "y": 20}]}, line, line)
    mask = np.zeros((96, 128), bool)
    mask[30:50, 30:50] = True
    fit = PictureFit(2, 2, 0, 0)
    assert list(objects_under_strokes(document, [mask, np.zeros_like(mask)], fit)) == [1]
    assert not objects_under_strokes(document, [mask], PictureFit(2, 2, 30, 0))


# ---- found in a picture ----


def picture():
    """A red disc on grey noise."""
    rng = np.random.default_rng(1)
    made = rng.integers(90, 120, (72, 96, 3)).astype(np.uint8)
    rows, columns = np.mgrid[:72, :96]
    disc = np.hypot(columns - 40, rows - 30) < 14
    made[disc] = [200, 40, 40]
    return made, disc


@pytest.mark.parametrize("without", [False, True], ids=["OpenCV", "no OpenCV"])
@pytest.mark.parametrize("meant", [{"at": (42.0, 28.0)}, {"box": (22.0, 12.0, 58.0, 48.0)}])
def test_a_click_and_a_box_cut_the_thing_out(meant, without, monkeypatch):
    if without:
        monkeypatch.setitem(sys.modules, "cv2", None)
    made, disc = picture()
    mask = cut_out(made, **meant)
    assert (mask & disc).sum() > 0.93 * disc.sum() and (mask & ~disc).sum() < 0.05 * disc.sum()


def test_where_nothing_stands_out_nothing_is_cut_and_a_bad_place_is_refused():
    flat = np.full((40, 40, 3), 90, np.uint8)
    assert not cut_out(flat, at=(20, 20)).any()
    assert not cut_out(flat, box=(10, 10, 30, 30)).any()
    for wrong in ({}, {"at": (40.0, 3.0)}, {"box": (5, 5, 6, 20)}, {"box": (50, 0, 60, 20)}):
        with pytest.raises(ValueError, match="cut: expected"):
            cut_out(flat, **wrong)


# ---- in the layered carry ----


def square_mask():
    mask = torch.zeros(SIZE, SIZE, dtype=torch.bool)
    mask[SQUARE] = True
    return mask


def shifted(points, ground, by, frames=9):
    way = torch.linspace(0, 1, frames)[:, None, None] * torch.tensor(by)
    xy = torch.cat([points + way, ground.expand(frames, -1, -1)], 1)
    return xy, torch.ones(xy.shape[:2], dtype=torch.bool)


@pytest.mark.parametrize("places", [[[14.0, 30.0]], [[10.0, 26.0], [14.0, 30.0], [18.0, 34.0]]])
def test_a_few_points_carry_the_whole_object_to_the_pixel_and_nothing_beside_it(places):
    image, _, ground = scene()
    points = torch.tensor(places)
    xy, visible = shifted(points, ground, (20.0, 4.0))
    handles = torch.tensor([0] * len(points) + [-1] * len(ground))
    warp = LayeredWarp.of(image, xy[0], handles, {0: square_mask()})
    made, after = warp(xy, visible)
    there = made.frames[-1][:, 29:43, 29:43]
    assert (there - image[:, 25:39, 9:23]).abs().max() < 0.02
    beside = torch.roll(square_mask(), (4, 20), (0, 1)) | square_mask()
    beside = torch.nn.functional.max_pool2d(beside[None].float(), 9, 1, 4)[0] == 0
    assert (made.frames[-1] - image)[:, beside].abs().max() < 1e-5
    assert torch.equal(after.objects_now()[0], torch.roll(square_mask(), (4, 20), (0, 1)))


def test_tracks_of_no_handle_in_an_object_go_with_it():
    image, _, ground = scene()
    within = torch.tensor([[12.0, 28.0], [20.0, 36.0]])
    xy, visible = shifted(within, ground, (20.0, 0.0))
    handles = torch.full((len(within) + len(ground),), -1)
    _, after = LayeredWarp.of(image, xy[0], handles, {5: square_mask()})(xy, visible)
    labels = after.groups.labels
    assert labels[0] == labels[1] > 0 and not labels[2:].any()


@pytest.mark.parametrize("mask", ["empty", "everything"])
def test_a_mask_of_nothing_or_of_everything_leaves_finite_frames(mask):
    image, square, ground = scene()
    whole = torch.full((SIZE, SIZE), mask == "everything")
    xy, visible = shifted(square, ground, (10.0, 0.0))
    handles = torch.tensor([0] * len(square) + [-1] * len(ground))
    made, after = LayeredWarp.of(image, xy[0], handles, {0: whole})(xy, visible)
    assert made.frames.isfinite().all() and after.objects_now().keys() <= {0}


def test_a_scene_change_takes_the_objects_along_and_a_rewind_brings_them_back():
    image, _, ground = scene()
    points = torch.tensor([[14.0, 30.0]])
    xy, visible = shifted(points, ground, (20.0, 4.0))
    groups = torch.tensor([0] + [1] * len(ground))

    def source(start, count):
        index = torch.arange(start, start + count).clamp(max=len(xy) - 1)
        return xy[index], visible[index]

    live = LiveTracks(source, SIZE, SIZE, 16.0, groups=groups, objects={0: square_mask()})
    before = live.snapshot()
    carry = ImageCarry("layered", image)
    chunk = live(0, 9)
    carry.at(chunk)
    carry.release(9)
    moved = carry.objects()
    carry.set_image(texture(3))
    live.set_reference(moved)
    assert torch.equal(live(9, 4).objects[0], torch.roll(square_mask(), (4, 20), (0, 1)))
    live.restore(before)
    assert torch.equal(live(0, 4).objects[0], square_mask())


def test_a_handle_added_live_has_no_mask_of_one_that_is_known():
    ground = grid(3, 3, SIZE, SIZE, 12.0)
    live = LiveTracks(
        lambda start, count: (ground.expand(count, -1, -1), torch.ones(count, len(ground), dtype=torch.bool)),
        SIZE,
        SIZE,
        16.0,
        groups=torch.zeros(len(ground), dtype=torch.long),
        objects={0: square_mask()},
    )
    live(0, 1)
    assert live.apply(AddTracks("pin", ((5.0, 5.0),)), lambda places: places)
    made = live(1, 4)
    assert isinstance(made, TrackChunk) and set(made.objects) == {0} and made.handles[-1] == 1


# ---- in a running stream ----


def test_a_thing_selected_live_becomes_a_handle_that_moves_whole_and_is_replayed():
    def source(start, count):
        pins = torch.tensor([[2.0, 2.0], [60.0, 60.0]])
        return pins.expand(count, -1, -1), torch.ones(count, 2, dtype=torch.bool)

    image = texture()
    image[:, SQUARE[0], SQUARE[1]] = torch.tensor([0.9, 0.9, 0.2])[:, None, None]

    def made():
        live = LiveTracks(source, SIZE, SIZE, 16.0, groups=torch.tensor([0, 0]))
        live(0, 1)
        mask = torch.from_numpy(cut_out((image.permute(1, 2, 0).numpy() * 255).astype(np.uint8), at=(16, 32)))
        assert live.add_object(mask, torch.zeros(2))
        assert live.apply(Grab(0, Handle(1)), lambda places: places)
        assert live.apply(Move(0, ((44.0, 34.0),)), lambda places: places)
        chunk = live(1, 9)
        return LayeredWarp.of(image, chunk.anchors, chunk.handles, chunk.objects)(chunk.xy, chunk.visible)[0]

    frames = made().frames
    first = torch.equal(frames, made().frames)
    yellow = ((frames[-1] - torch.tensor([0.9, 0.9, 0.2])[:, None, None]).abs().amax(0) < 0.1).nonzero()
    assert first and abs(len(yellow) - 14 * 14) < 24  # its rim is soft
    assert not live_mask_is_left(frames[-1])


def live_mask_is_left(frame) -> bool:
    """Whether yellow is left where the square was."""
    place = frame[:, SQUARE[0], SQUARE[1]]
    return bool(((place - torch.tensor([0.9, 0.9, 0.2])[:, None, None]).abs().amax(0) < 0.1).any())


def test_an_object_has_evenly_spread_points_within_it_and_an_empty_one_none():
    mask = square_mask().numpy()
    points = points_in_mask(mask)
    assert 12 <= len(points) <= 40 and all(mask[int(y), int(x)] for x, y in points)
    assert len(points_in_mask(np.eye(40, dtype=bool)[:, :3])) >= 1
    assert not len(points_in_mask(np.zeros((4, 4), bool)))
    live = LiveTracks(
        lambda start, count: (torch.zeros(count, 1, 2), torch.ones(count, 1, dtype=torch.bool)), 8, 8, 16.0
    )
    assert not live.add_object(torch.zeros(8, 8, dtype=torch.bool), torch.zeros(2))


def test_an_object_control_names_a_place_or_a_box():
    control = parse_control({"type": "add", "kind": "object", "points": [[1, 2], [9, 9]]})
    assert control == AddTracks("object", ((1.0, 2.0), (9.0, 9.0)))
    assert parse_control(control.message()) == control
    with pytest.raises(ValueError, match="a place or two corners"):
        parse_control({"type": "add", "kind": "object", "points": [[1, 2]] * 3})
