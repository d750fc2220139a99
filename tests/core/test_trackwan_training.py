"""TrackWan's teacher in this pack's training: what it is told, and that its guided score is that of the
sampler whose numbers are its own code's (test_trackwan.py).
"""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
import trackwan_inputs as given
from safetensors.torch import load_file, save_file

from motionstream_core.codec.tiny import CodecConfig, TinyCodec
from motionstream_core.model.weights.checkpoint_presets import checkpoint_preset, read_stated_config
from motionstream_core.model.weights.convert import convert
from motionstream_core.model.weights.trackwan import joined_columns
from motionstream_core.sampling.whole_clip import ClipConditions, sample_whole_clip
from motionstream_core.streaming.start_image import StartImage
from motionstream_core.training.data.shown import shown_fields
from motionstream_core.training.engine.stage import Draws
from motionstream_core.training.methods.clips import first_of
from motionstream_core.training.methods.distill import DistillRecipe, DistillStage
from motionstream_core.training.methods.guidance import Guidance, guided_clip
from motionstream_core.training.methods.initial import start_from
from motionstream_core.training.methods.roles import MotionModel, clone, freeze

LATENTS = given.TEACHER_LATENTS
FRAMES = 4 * LATENTS - 3


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("teacher")
    (folder / "config.json").write_text(json.dumps(given.config_json(causal=False)))
    save_file(given.saved_weights(), folder / "model.safetensors")
    path = folder / "out" / "teacher.safetensors"
    convert(folder, path, checkpoint_preset("trackwan-teacher"), dtype=torch.float32)
    return path


@pytest.fixture(scope="module")
def teacher(file):
    model = MotionModel(read_stated_config(file), own_words=False)
    start_from(model, file)
    return freeze(model)


def batch(latents: torch.Tensor | None = None) -> dict[str, torch.Tensor]:
    xy, visible, _ = given.tracks(FRAMES)
    return {
        "latents": given.teacher_noise(40) if latents is None else latents,
        "grey": given.condition_latents()[:, :, :LATENTS],
        "xy": xy[None],
        "visible": visible[None],
        "text": given.embeds(),
        "picture": given.features(),
    }


def test_a_converted_file_is_a_role_of_training_whole(file, teacher):
    state = joined_columns(load_file(file))
    for key, value in teacher.state_dict().items():
        assert torch.equal(value, state[key.removeprefix("dit.")]), key


def test_its_motion_is_the_streams_and_none_is_zeros_beside_the_same_picture(teacher):
    ids = given.tracks()[2][None]
    motion = teacher.motion(batch(), torch.Generator(), ids)
    parts = teacher.config.motion.parts
    theirs = load_file(given_fixture())["track_map"]
    ours = motion[0, parts["head"]][::4]
    assert (ours - theirs[:, :LATENTS]).abs().max() / theirs.std() < 1e-5
    none = teacher.no_motion(batch())
    assert none[:, parts["head"]].abs().max() == 0
    for name in ("image", "known"):
        assert torch.equal(motion[:, parts[name]], none[:, parts[name]])
    assert torch.equal(motion[:, parts["image"]], batch()["grey"])
    assert motion[0, parts["known"], :, 0, 0].tolist() == [[1, 0, 0, 0]] * 4


def given_fixture():
    from public_inputs import FIXTURES

    return FIXTURES / "trackwan.safetensors"


@pytest.mark.parametrize("sees_text", [False, True])
def test_its_guided_score_is_the_samplers(teacher, sees_text):
    model = clone(teacher)
    model.sees_text = sees_text
    ids = given.tracks()[2][None]
    motion, none = model.motion(batch(), torch.Generator(), ids), model.no_motion(batch())
    text, empty = model.text(batch()), model.text(batch(), torch.zeros(1, dtype=torch.bool))
    noise = given.teacher_noise()
    made = guided_clip(
        model, noise[:, :, :1], noise[:, :, 1:], torch.ones(1), (motion, none), (text, empty), Guidance()
    )
    conditions = ClipConditions(motion, none, text, empty)
    expected = sample_whole_clip(model.dit, noise, conditions, Guidance(), (1.0, 0.0))[:, :, 1:]
    assert (made - expected).abs().max() / expected.std() < 1e-5
    assert text.values[0].shape[1] == (512 - 257 if sees_text else 512)


def test_the_start_image_in_front_is_noised_as_the_rest_is(teacher):
    first = torch.full((1, 16, 1, 4, 6), 2.0)
    assert (first_of(teacher, first, torch.tensor([0.5]), torch.Generator()) - first).abs().mean() > 0.5
    plain = clone(teacher)
    plain.config = replace(plain.config, motion=replace(plain.config.motion, known=False), in_channels=48)
    assert first_of(plain, first, torch.tensor([0.5]), torch.Generator()) is first


def test_a_student_is_distilled_from_it_for_a_step_of_either_role(teacher):
    torch.manual_seed(3)
    student, other = clone(teacher), clone(teacher)
    other.sees_text = True
    stage = DistillStage(student, other, DistillRecipe())
    assert stage.fake_score.sees_text and not stage.student.sees_text
    for role in ("fake_score", "student"):
        loss, _ = stage.loss(role, batch(), Draws.of_seed(1))
        loss.backward()
        assert torch.isfinite(loss)
        grad = getattr(stage, role).dit.blocks[0].cross_attn.v_img.weight.grad
        assert grad is not None and grad.abs().max() > 0
    with pytest.raises(ValueError, match="expected a batch with picture"):
        student.text({name: value for name, value in batch().items() if name != "picture"})


def test_a_shard_shows_the_first_frame_as_a_stream_does(teacher):
    torch.manual_seed(0)
    codec = TinyCodec(CodecConfig(encoder=(8, 8, 8), decoder=(8, 8, 8, 8))).eval().requires_grad_(False)
    frames = torch.rand(9, 3, 32, 32)
    fields = shown_fields(codec, frames, True, lambda picture: picture.reshape(1, -1, 3))
    expected = StartImage(teacher.config.motion, codec, frames[0]).image_at(range(3))
    assert np.abs(fields["grey"] - expected[0].numpy()).max() < 2e-2
    assert fields["picture"].shape == (32 * 32, 3)
    assert shown_fields(codec, frames, False, None) == {}
