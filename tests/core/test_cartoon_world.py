"""The cartoon world: the same picture from the same seed, at any size, and tracks that are where the
things are drawn.
"""

import numpy as np
import pytest

from motionstream_core.model.text import split_words
from motionstream_core.training.cartoon.drawing import render
from motionstream_core.training.cartoon.figures import FIGURES, placed, unplaced
from motionstream_core.training.cartoon.scene import REDUCED, Scene, Thing, numbered_scene
from motionstream_core.training.cartoon.truth import boxes, centres, touched, tracks
from motionstream_core.training.cartoon.vocabulary import (
    CARTOON,
    TEXT_LENGTH,
    VOCABULARY,
    tokenize,
)

SCENES = [numbered_scene(i) for i in range(200)]


def test_scenes_are_those_of_their_number_and_the_halves_differ():
    assert numbered_scene(3) == numbered_scene(3) == Scene.from_dict(numbered_scene(3).as_dict())
    assert np.array_equal(render(SCENES[3], 3), render(numbered_scene(3), 3))
    assert np.array_equal(render(SCENES[3], 3)[2], render(SCENES[3], 1, start=2)[0])
    assert not {s.seed for s in SCENES} & {numbered_scene(i, held_out=True).seed for i in range(200)}


def test_captions_are_words_of_the_vocabulary_and_fit():
    for scene in SCENES:
        assert not CARTOON.unknown(scene.caption)
        assert len(split_words(scene.caption)) <= TEXT_LENGTH
        shown = [VOCABULARY[i] for i in tokenize(scene.caption) if i]
        assert shown == split_words(scene.caption)
    assert CARTOON.unknown("a red zeppelin") == ["zeppelin"]


def test_the_lots_are_even():
    verbs = [s.things[0].verb for s in SCENES]
    kinds = [s.things[0].kind for s in SCENES]
    assert all(30 < verbs.count(v) < 75 for v in ("moves left", "moves right", "flies up", "stays"))
    assert all(30 < kinds.count(k) < 75 for k in REDUCED.kinds)


@pytest.mark.parametrize("scene", SCENES[:24])
def test_a_thing_is_drawn_where_its_box_and_its_tracks_are(scene):
    size, start = 128, 20
    empty = Scene(scene.place, scene.time, (), scene.seed, scene.weather, scene.camera)
    drawn = (
        np.abs(render(scene, 1, start=start)[0].astype(int) - render(empty, 1, start=start)[0]).sum(-1) > 24
    )
    left, top, right, bottom = boxes(scene, 1, start=start)[0, 0]
    ys, xs = np.nonzero(drawn)
    if len(xs):  # anti-aliasing spills over by a pixel
        assert left - 2 <= xs.min() and xs.max() + 1 <= right + 2
        assert top - 2 <= ys.min() and ys.max() + 1 <= bottom + 2
    paths = tracks(scene, 1, np.random.default_rng(0), start=start, size=size, on_things=40)
    on = paths.xy[0][(paths.depth == 0) & paths.visible[0]].astype(int)
    if len(on):
        assert drawn[on[:, 1], on[:, 0]].mean() > 0.85  # a figure's tone may be that of what is behind it
    hidden = ~paths.visible[0] & (paths.depth < 0)
    assert not hidden.any() or drawn[tuple(paths.xy[0][hidden].astype(int).T[::-1])].mean() > 0.85
    if drawn.any():
        token = touched(scene, 1, start=start, stride=1)[0]
        assert np.kron(token, np.ones((16, 16), bool))[drawn].mean() > 0.97


def test_the_centroid_of_a_ball_is_its_track():
    ball = Thing("ball", "blue", "moves right", 0.4, 0.8, 0.19)
    scene, empty = (Scene("snowfield", "day", things, 5) for things in ((ball,), ()))
    for start in (0, 16, 32):
        changed = (
            np.abs(render(scene, 1, start=start)[0].astype(int) - render(empty, 1, start=start)[0]).sum(-1)
            > 60
        )
        centroid = np.argwhere(changed).mean(0)[::-1] + 0.5
        assert np.abs(centroid - centres(scene, 1, start=start)[0, 0]).max() < 1.0


def test_the_picture_is_the_same_at_any_size():
    for scene in SCENES[:6]:
        large, small = render(scene, 1, size=192)[0], render(scene, 1, size=96)[0]
        halved = large.reshape(96, 2, 96, 2, 3).mean((1, 3))
        assert np.abs(halved - small).mean() < 2.0
        assert np.allclose(centres(scene, 4, size=192), 2 * centres(scene, 4, size=96))


def test_things_wrap_just_out_of_sight():
    thing = Thing("car", "red", "moves left", 0.5, 0.8, 0.19, -1)
    x = np.array([thing.at(n / 16)[0] for n in range(400)])
    assert x.min() >= -thing.margin and x.max() <= 1 + thing.margin
    assert thing.margin < thing.scale * 1.1 + 0.02


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("face", [-1, 1])
def test_unplaced_is_the_inverse_of_placed(turned, face):
    points = FIGURES["rocket"][4][0]
    there = placed(points, 0.3, 0.6, 0.2, face, turned)
    assert np.allclose(unplaced(there, 0.3, 0.6, 0.2, face, turned), points)
