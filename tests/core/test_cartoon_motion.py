"""The cartoon's motion models: roaming scenes, their samples, where stages begin, and how following is
measured.
"""

import argparse
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from core.test_buffer_stream import small_networks
from core.test_training_stages import draws, rng
from safetensors.torch import save_file

from motionstream_core.__main__ import main
from motionstream_core.cli.train.cartoon_command import run_cartoon_factor
from motionstream_core.codec.tiny import CodecConfig, TinyCodec
from motionstream_core.common.digests import file_sha256
from motionstream_core.evaluation.cartoon import following
from motionstream_core.model.config import MotionConfig, RollingConfig
from motionstream_core.model.dit import WanDiT
from motionstream_core.model.motion import TrackHead
from motionstream_core.model.presets import preset
from motionstream_core.model.text import split_words
from motionstream_core.model.weights.bundle import config_from_dict, config_to_dict, load_bundle
from motionstream_core.model.weights.networks import open_networks
from motionstream_core.streaming.options import StreamOptions
from motionstream_core.streaming.start_image import StartImage
from motionstream_core.streaming.stream import stream
from motionstream_core.tracks.types import Tracks
from motionstream_core.training.cartoon.export import write, write_motion
from motionstream_core.training.cartoon.low_rank import factored, ranks_of, with_motion_additions
from motionstream_core.training.cartoon.motion_clips import (
    POINTS,
    Points,
    drawn,
    ordered_tracks,
    sample_of,
    write_motion_shards,
)
from motionstream_core.training.cartoon.network import Cartoon
from motionstream_core.training.cartoon.roaming import MOTIONS, REST, roaming_scene
from motionstream_core.training.cartoon.scene import FPS
from motionstream_core.training.cartoon.truth import centres
from motionstream_core.training.cartoon.vocabulary import CARTOON, VERBS
from motionstream_core.training.data.pool import Pool, collate
from motionstream_core.training.methods import causal_init, distill, losses, teacher
from motionstream_core.training.methods.initial import read_description, start_from
from motionstream_core.training.methods.roles import MotionModel
from motionstream_core.training.methods.steps import cell_weights

SCENES = [roaming_scene(i) for i in range(60)]
SIZES = {"dim": 32, "ffn_dim": 32, "num_heads": 2, "num_layers": 2, "freq_dim": 8}
BASE, MOTION = (replace(preset(name), **SIZES) for name in ("cartoon", "cartoon-motion"))


@pytest.fixture(scope="module")
def codec() -> TinyCodec:
    torch.manual_seed(1)
    return TinyCodec(CodecConfig(encoder=(4, 4, 4), decoder=(4, 4, 4, 4))).eval()


def batch_of(size: int = 2, latents: int = 5) -> dict:
    g = torch.Generator().manual_seed(0)
    frames = 4 * latents - 3
    return {
        "latents": torch.randn(size, 16, latents, 4, 4, generator=g),
        "xy": torch.rand(size, frames, 6, 2, generator=g) * 32,
        "visible": torch.ones(size, frames, 6, dtype=torch.bool),
        "tokens": torch.randint(1, 20, (size, 20), generator=g),
        "things": torch.rand(size, latents, 2, 2, generator=g) < 0.5,
    }


def model(seed: int = 0) -> MotionModel:
    torch.manual_seed(seed)
    made = MotionModel(MOTION, vocabulary=CARTOON)
    torch.nn.init.normal_(made.dit.head.head.weight, std=0.1)
    return made


# scenes


def test_things_rest_first_and_then_go_smoothly_within_the_picture():
    moved = 0
    for scene in SCENES:
        there = centres(scene, 48) / 128
        assert np.ptp(there[: int(REST * FPS) + 1], axis=0).max() == 0
        steps = np.diff(there, axis=0)
        assert np.abs(steps).max() < 0.06 and np.abs(np.diff(steps, axis=0)).max() < 0.03
        assert there.min() > 0.05 and there.max() < 0.95
        moved += int(np.ptp(there, axis=0).max() > 0.05)
    assert moved > 40


def test_a_start_image_has_several_motions_and_a_caption_without_a_verb():
    for number, scene in enumerate(SCENES[:30]):
        first = SCENES[number - number % MOTIONS]
        assert scene.caption == first.caption and scene.seed == first.seed
        assert np.array_equal(drawn(scene, 1), drawn(first, 1))
        assert not CARTOON.unknown(scene.caption)
        assert not set(split_words(scene.caption)) & {word for verb in VERBS for word in verb.split()}
    assert SCENES[0].things != SCENES[1].things
    looks = [roaming_scene(MOTIONS * i) for i in range(200)]
    pairs = [scene for scene in looks if len(scene.things) == 2]
    assert 0.25 < len(pairs) / len(looks) < 0.45
    assert all(a.kind == b.kind and a.colour != b.colour for a, b in (scene.things for scene in pairs))
    alone = [roaming_scene(i, pairs=0, motions=1) for i in range(6)]
    assert all(len(scene.things) == 1 for scene in alone) and len({scene.seed for scene in alone}) == 6
    assert not {s.seed for s in SCENES} & {roaming_scene(i, held_out=True).seed for i in range(60)}


def test_a_sample_begins_with_the_latent_that_a_stream_begins_with(codec):
    scene = next(scene for scene in SCENES if len(scene.things) == 2)
    sample = sample_of(codec, scene, np.random.default_rng(0), latents=3)
    picture = torch.from_numpy(drawn(scene, 1)[0]).permute(2, 0, 1).float() / 255
    with torch.no_grad():
        expected = StartImage(MOTION.motion, codec, picture, running=True).latent[0, :, 0]
    torch.testing.assert_close(
        torch.from_numpy(sample["latents"][:, 0]).float(), expected, atol=2e-3, rtol=2e-3
    )
    assert sample["latents"].shape == (16, 3, 16, 16) and sample["xy"].shape == (9, POINTS.limit, 2)
    box = centres(scene, 1, start=8)[0]
    for k in range(2):  # the first points are those of the first thing, then those of the second
        points = sample["xy"][0, k * POINTS.on_things : (k + 1) * POINTS.on_things]
        assert np.abs(points - box[k]).max() < 0.2 * 128
    assert sample["things"].shape == (3, 8, 8) and sample["things"][0].any()


def test_shards_are_a_pool_and_are_kept(codec, tmp_path, monkeypatch):
    from motionstream_core.training.cartoon import motion_clips

    monkeypatch.setattr(motion_clips, "SHARD", 2)
    write_motion_shards(codec, tmp_path, 0, 1, latents=3)
    before = (tmp_path / "00000.npz").stat().st_mtime_ns
    write_motion_shards(codec, tmp_path, 0, 1, latents=3)
    assert (tmp_path / "00000.npz").stat().st_mtime_ns == before
    batch = Pool(tmp_path).batch(np.random.default_rng(0), 3)
    assert batch["latents"].shape == (3, 16, 3, 16, 16) and batch["things"].dtype == torch.bool


def test_a_clip_has_as_many_points_as_are_asked_for_and_they_tell_most_of_a_thing(codec):
    scene = next(scene for scene in SCENES if len(scene.things) == 1)
    few = sample_of(codec, scene, np.random.default_rng(0), 3, points=Points(3, 5))
    assert few["xy"].shape == (9, 11, 2) and few["visible"][0].sum() <= 8
    assert np.abs(few["xy"][0, 3:8]).sum() > 0 and not few["xy"][:, 8:].any()
    xy, _ = ordered_tracks(scene, 9, np.random.default_rng(0))
    touched = {tuple(cell) for cell in (xy[0, : POINTS.on_things] // 8).astype(int)}
    untold = {tuple(cell) for cell in (few["xy"][0, :3] // 8).astype(int)}
    assert len(touched) >= 10 > 3 >= len(untold)


# where a training begins, and its losses


def test_the_motion_model_begins_as_the_text_to_video_model_whatever_the_tracks_say(codec, tmp_path):
    torch.manual_seed(0)
    net = Cartoon(BASE)
    torch.nn.init.normal_(net.dit.head.head.weight, std=0.1)
    write(tmp_path / "base.safetensors", net, codec, {})
    made = model(1)
    assert "words of base.safetensors" in start_from(made, tmp_path / "base.safetensors")
    torch.testing.assert_close(made.words.table.weight, net.words.table.weight, atol=0.02, rtol=0)
    batch = batch_of()
    text = made.text(batch)
    x, level = batch["latents"], torch.full((2, 5), 500.0)
    with torch.no_grad():
        told, plain = (
            made.dit(torch.cat([x, motion], 1), level, text)
            for motion in (made.motion(batch, rng()), torch.zeros(2, 16, 5, 4, 4))
        )
        whole = Cartoon(replace(BASE, windows=None))
        whole.load_state_dict(net.state_dict())
        said = whole.dit.encode_text(whole.words(batch["tokens"]))
        expected = whole.dit(x, level, said)  # without the base's windows
    torch.testing.assert_close(told, plain)
    assert (told - expected).std() < 0.05 * expected.std()  # int8 in the file


def test_things_weigh_more_and_a_network_with_the_skip_counts_every_level():
    batch = batch_of()
    weights = cell_weights(batch, 3.0)
    assert weights.shape == (2, 1, 5, 4, 4) and set(weights.unique().tolist()) == {1.0, 3.0}
    assert (weights[:, 0, :, ::2, ::2] == 3).equal(batch["things"])
    assert cell_weights(batch, 1.0) is None
    guess, sigma = torch.randn(2, 16, 5, 4, 4), torch.full((2,), 0.5)
    off = (guess - batch["latents"]).square().mean(1)
    expected = ((off * weights[:, 0]).sum((1, 2, 3)) / weights[:, 0].sum((1, 2, 3)) / 0.25).mean()
    got = losses.flow_loss(guess, batch["latents"], sigma, cells=weights)
    torch.testing.assert_close(got, expected)
    assert losses.most_weight("velocity_skip", 5.0) == float("inf")
    assert losses.most_weight("gated_x0", 5.0) == 5.0


def test_every_stage_takes_the_cartoons_clips_and_reaches_what_learns():
    batch = batch_of()
    stages = {
        "teacher": teacher.TeacherStage(model(), teacher.TeacherRecipe(things_weight=3.0)),
        "student": causal_init.CausalInitStage(
            model(), causal_init.CausalInitRecipe("ar", sinks=(1,), windows=(2,), things_weight=3.0)
        ),
    }
    for role, stage in stages.items():
        loss, _ = stage.loss(role, batch, draws())
        loss.backward()
        gradient = stage.modules[role].dit.blocks[0].self_attn.q.weight.grad
        assert torch.isfinite(loss) and gradient.abs().sum() > 0
    assert stages["teacher"].modules["teacher"].track_head.conv.weight.grad.abs().sum() > 0
    distilled = distill.DistillStage(model(), model(1), distill.DistillRecipe(shift=1.0))
    for role in ("fake_score", "student"):
        loss, _ = distilled.loss(role, batch, draws())
        assert torch.isfinite(loss) and loss.requires_grad


def test_ids_are_below_the_models_range_and_it_goes_through_the_header():
    assert preset("cartoon-motion").motion.id_range == 1000
    ids = model().draw_ids({"xy": torch.zeros(8, 1, 400, 2)}, rng())
    assert 900 < ids.max() < 1000
    config = config_from_dict(config_to_dict(MOTION))
    assert config == MOTION
    assert "id_range" not in config_to_dict(replace(MOTION, motion=MotionConfig()))["motion"]


# the file


def test_a_motion_model_with_additions_learns_them_alone_and_stands_on_its_base(codec, tmp_path):
    torch.manual_seed(0)
    net = Cartoon(BASE)
    torch.nn.init.normal_(net.dit.head.head.weight, std=0.1)
    base, path = tmp_path / "base.safetensors", tmp_path / "motion.safetensors"
    write(base, net, codec, {})
    made = model(1)
    start_from(made, base)
    with_motion_additions(made, 2)
    stage = teacher.TeacherStage(made, teacher.TeacherRecipe())
    before = {name: value.clone() for name, value in made.state_dict().items()}
    learned = [p for p in made.parameters() if p.requires_grad]
    for _ in range(2):  # the second step reaches what the first one's zeros hid
        loss, _ = stage.loss("teacher", batch_of(), draws())
        loss.backward()
        with torch.no_grad():
            for p in learned:
                p.sub_(0.1 * p.grad / (p.grad.norm() + 1e-6))
    same = {name for name, value in made.state_dict().items() if torch.equal(value, before[name])}
    assert same == set(made.held) and "dit.blocks.0.ffn.0.parametrizations.weight.0.down" not in same
    copy = model(2)
    save_file(made.state_dict(), tmp_path / "teacher.safetensors")
    start_from(copy, tmp_path / "teacher.safetensors")
    assert copy.held == made.held and set(ranks_of(copy.state_dict()).values()) == {2}
    write_motion(path, copy, base, {"note": "x"})
    networks = open_networks(path)
    assert networks.running_latents and networks.config == MOTION
    assert networks.text_encoder.vocabulary == CARTOON
    for block in (0, 1):
        wanted = made.dit.blocks[block].ffn[0].weight
        assert (networks.dit.blocks[block].ffn[0].weight - wanted).norm() < 0.02 * wanted.norm()
    torch.testing.assert_close(
        networks.dit.patch_embedding.weight, made.dit.patch_embedding.weight, atol=0.01, rtol=0
    )
    about = load_bundle(path).provenance
    assert about["note"] == "x" and about["parents"][0]["file"] == "base.safetensors"


def test_a_model_that_learned_whole_is_factored_onto_its_base():
    base, made = model(1), model(1)
    matrix = made.dit.blocks[1].cross_attn.k.weight
    with torch.no_grad():
        matrix.addmm_(torch.ones(32, 1), torch.linspace(-1, 1, 32)[None])
        made.dit.blocks[0].ffn[0].bias.add_(1)
        made.track_head.conv.weight.add_(1)
        made.words.table.weight.add_(1)
    near = factored(made, base, 64)
    assert ranks_of(near.state_dict()) == {"dit.blocks.1.cross_attn.k": 1}  # the one direction there is
    torch.testing.assert_close(near.dit.blocks[1].cross_attn.k.weight, matrix)
    torch.testing.assert_close(near.dit.blocks[0].ffn[0].bias, made.dit.blocks[0].ffn[0].bias)
    assert torch.equal(near.track_head.conv.weight, made.track_head.conv.weight)
    assert torch.equal(near.words.table.weight, model(1).words.table.weight)  # words stay the base's
    assert {"words.table.weight", "dit.blocks.0.ffn.0.weight"} <= near.held
    assert "dit.blocks.0.cross_attn.k.bias" not in near.held and ranks_of(made.state_dict()) == {}
    copy = model(2)
    assert with_motion_additions(copy, ranks_of(near.state_dict())).held == near.held


def test_the_command_factors_a_stages_file_and_names_its_parents(tmp_path):
    net = Cartoon(preset("cartoon"))
    write(tmp_path / "base.safetensors", net, TinyCodec(), {})
    whole = MotionModel(preset("cartoon-motion"), vocabulary=CARTOON)
    start_from(whole, tmp_path / "base.safetensors")
    with torch.no_grad():
        whole.dit.blocks[3].ffn[0].weight.addmm_(torch.ones(1024, 1), torch.ones(1, 256))
    save_file(whole.state_dict(), tmp_path / "student.safetensors")
    out = tmp_path / "factored.safetensors"
    run = (
        f"train cartoon-factor {tmp_path}/student.safetensors --base {tmp_path}/base.safetensors --out {out}"
    )
    main([*run.split(), "--numbers", "1300"])
    copy = MotionModel(preset("cartoon-motion"), vocabulary=CARTOON)
    start_from(copy, out)
    assert ranks_of(copy.state_dict()) == {"dit.blocks.3.ffn.0": 1}
    torch.testing.assert_close(
        copy.dit.blocks[3].ffn[0].weight, whole.dit.blocks[3].ffn[0].weight, atol=1e-3, rtol=0
    )
    about = json.loads(read_description(out)["motionstream-training"])
    assert about["provenance"]["parents"]["student.safetensors"] == file_sha256(
        tmp_path / "student.safetensors"
    )
    packed = tmp_path / "packed.safetensors"
    main(["train", "pack", str(out), "--out", str(packed)])
    assert packed.stat().st_size < 0.3 * out.stat().st_size
    again = MotionModel(preset("cartoon-motion"), vocabulary=CARTOON)
    start_from(again, packed)
    was = copy.dit.blocks[3].ffn[0].weight
    assert (again.dit.blocks[3].ffn[0].weight - was).norm() < 0.02 * was.norm()
    assert json.loads(read_description(packed)["motionstream-training"])["packed"] == file_sha256(out)
    with pytest.raises(ValueError, match="learned whole"):
        run_cartoon_factor(argparse.Namespace(weights=out, base=None, numbers=5, out=out))


# streaming


def test_a_stream_of_tracks_runs_on_latents_of_a_running_stream():
    networks = small_networks(preset("cartoon").sampler)
    config = replace(
        networks.config,
        in_channels=32,
        motion=MotionConfig(id_range=5),
        sampler=RollingConfig(2, 1, 2, steps=2, shift=3.0),
    )
    torch.manual_seed(0)
    dit = WanDiT(config).eval()
    torch.nn.init.normal_(dit.head.head.weight, std=0.2)
    networks = replace(networks, dit=dit, track_head=TrackHead(64, 16).eval())
    image = torch.rand(32, 32, 3)
    point = torch.tensor([8.0, 8.0]).expand(17, 7, 2)  # more tracks than ids
    paths = (point, point + torch.arange(17.0)[:, None, None])
    videos = []
    for xy in paths:
        tracks = Tracks(xy, torch.ones(17, 7, dtype=torch.bool), 32, 32)
        made = list(stream(networks, image, tracks, "red car", StreamOptions(17, 5, fit="hold")))
        videos.append(torch.cat([chunk.frames for chunk in made]))
        assert [len(chunk.frames) for chunk in made] == [1, 8, 8]
        picture = image.permute(2, 0, 1)
        expected = StartImage(config.motion, networks.codec, picture, running=True).latent
        torch.testing.assert_close(made[0].latents, expected)
    assert torch.equal(videos[0][0], videos[1][0]) and not torch.allclose(videos[0][9:], videos[1][9:])


# measuring

FRAMES = 17


def lot_of(*numbers: int) -> following.Lot:
    scenes = [SCENES[i] for i in numbers]
    tracks = [ordered_tracks(scene, FRAMES, np.random.default_rng(0)) for scene in scenes]
    batch = collate([{"xy": xy, "visible": seen, "latents": np.zeros(1)} for xy, seen in tracks])
    return following.Lot(scenes, batch, np.stack([drawn(scene, FRAMES) for scene in scenes]))


def test_the_true_clip_has_no_error_and_a_shifted_one_its_shift():
    lot = lot_of(0, 3, 6)
    own = following.errors(lot.clips, lot)
    assert own["epe"] == 0 and own["found"] == 1 and own["static_epe"] > 3
    still = following.errors(np.repeat(lot.clips[:, :1], FRAMES, 1), lot)
    assert still["epe"] == pytest.approx(own["static_epe"], rel=0.15)
    inside = lot_of(*[i for i, s in enumerate(SCENES) if len(s.things) == 1 and s.place == "snowfield"][:2])
    moved = inside.clips.copy()
    moved[:, 1:] = np.roll(moved[:, 1:], 4, 3)
    assert following.errors(moved, inside)["epe"] == pytest.approx(4, abs=1.2)
    gone = np.repeat(drawn(replace(inside.scenes[0], things=()), 1), FRAMES, 0)[None]
    lost = following.errors(gone, inside.of([0]))
    assert lost["found"] == 0 and lost["epe_all"] == pytest.approx(lost["static_epe"])


def test_exchanged_tracks_are_the_same_points_with_each_others_ids():
    pair = next(i for i, scene in enumerate(SCENES) if len(scene.things) == 2)
    one = next(i for i, scene in enumerate(SCENES) if len(scene.things) == 1)
    lot = lot_of(pair, one)
    assert lot.pairs == [0]
    other = following.exchanged(lot.of([0]).batch)["xy"]
    xy, n = lot.batch["xy"][:1], POINTS.on_things
    assert torch.equal(other[:, 0], xy[:, 0]) and torch.equal(other[:, 1:, :n], xy[:, 1:, n : 2 * n])
    assert torch.equal(other[:, 1:, n : 2 * n], xy[:, 1:, :n])
    assert torch.equal(other[:, :, 2 * n :], xy[:, :, 2 * n :])
    seen = following.sparse(lot.batch)["visible"]
    assert seen[0].any(0).nonzero().max() < 2 * n + 5 and seen[1].any(0).nonzero().max() < n + 5
    assert not following.untold(lot.batch)["visible"].any()
    there, _ = following.places(lot.clips[:1], lot.scenes[:1])
    swapped = lot.clips[:1].copy()
    assert following.follows_ids(swapped, lot.of([0]))["swapped"] in (0.0,) or np.isnan(there).any()
