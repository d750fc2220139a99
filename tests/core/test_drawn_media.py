"""Media without third-party packages: a fresh clone has something to train on."""

import json

import numpy as np
import pytest

pytest.importorskip("cv2")

from motionstream_core.__main__ import main
from motionstream_core.training.data.drawn_media import SHAPES, build_drawn_media, own_pictures
from motionstream_core.training.data.media import load_media
from motionstream_core.training.data.world import NAME_WORDS, random_scene, render


@pytest.fixture(scope="module")
def media(tmp_path_factory):
    out = tmp_path_factory.mktemp("media")
    build_drawn_media(out)
    return out


def test_without_packages_the_command_draws_media_and_says_so(tmp_path, capsys):
    assert main(["train", "media", "--folder", str(tmp_path)]) == 0
    said = capsys.readouterr()
    assert "no --sources" in said.err and "shapes, not things" in said.err
    assert json.loads(said.out) == {
        "train": {"pictures": 14 + len(own_pictures()), "sprites": 120},
        "heldout": {"pictures": 4, "sprites": 40},
    }


def test_the_world_renders_clips_of_them_with_words_and_tracks(media):
    pictures, sprites, names, credits = load_media(media / "train.npz")
    assert (
        sprites.shape[1:] == (96, 96, 4)
        and set(names) == set(SHAPES) <= set(NAME_WORDS)
        and any("workflows/" in line for line in credits)
    )
    assert all((sprite[..., 3] > 128).mean() > 0.15 for sprite in sprites) and all(
        sprite[0, 0, 3] == 0 for sprite in sprites
    )
    rng = np.random.default_rng(0)
    clip = render(random_scene(rng, pictures, sprites, names, frames=9, kind="object"), rng)
    assert (clip.owner >= 0).any() and clip.caption and clip.frames.std() > 5


def test_the_held_out_half_shares_nothing_with_the_other(media):
    train, held = (load_media(media / f"{name}.npz") for name in ("train", "heldout"))
    for kind in (0, 1):
        own = {np.asarray(image).tobytes() for image in train[kind]}
        assert not own & {np.asarray(image).tobytes() for image in held[kind]} and len(own) == len(
            train[kind]
        )


def test_the_same_seed_draws_the_same_media(media, tmp_path):
    build_drawn_media(tmp_path)
    again, first = load_media(tmp_path / "train.npz"), load_media(media / "train.npz")
    assert np.array_equal(again[1], first[1]) and all(
        np.array_equal(a, b) for a, b in zip(again[0], first[0])
    )


def test_a_recolour_or_a_pose_of_a_held_out_sprite_is_not_trained_on():
    from motionstream_core.training.data.media import split_sprites, sprite_origin

    held = [name for name in ("large yellow circle", "clock face six-thirty", "alienblue jump", "kite")]
    others = ["large green circle", "clock face one oclock", "alienblue stand", "snowman"]
    pairs = [(name, None) for name in (*held, *others)]
    assert [name for name, _ in split_sprites(pairs, held_out=True)] == held, "those of benchmarks/heldout"
    assert [name for name, _ in split_sprites(pairs, held_out=False)] == ["snowman"]
    assert sprite_origin("tankbody blue") == sprite_origin("tank red") and sprite_origin("white") == "white"
