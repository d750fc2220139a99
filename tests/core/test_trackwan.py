"""TrackWan: its files become ours, and what comes out is what its own code made of the same weights
(tests/fixtures/public_parity/trackwan.safetensors).
"""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
import trackwan_inputs as given
from public_inputs import FIXTURES
from safetensors.torch import load_file, save_file

from motionstream_core.model.config import PAPER_MAP, TRACKWAN_MAP
from motionstream_core.model.dit import WanDiT
from motionstream_core.model.motion import MotionEncoder
from motionstream_core.model.weights.checkpoint_presets import (
    checkpoint_preset,
    config_for,
    read_stated_config,
)
from motionstream_core.model.weights.convert import convert, open_known, open_track_head
from motionstream_core.model.weights.trackwan import joined_columns
from motionstream_core.sampling.flow import model_timesteps, schedule_of
from motionstream_core.sampling.joint_guidance import NO_GUIDANCE, Guidance
from motionstream_core.sampling.rollout import rollout
from motionstream_core.sampling.whole_clip import ClipConditions, clip_levels, sample_whole_clip

PRESET = checkpoint_preset("track-v0")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A pipeline's folder, as a user downloads it."""
    root = tmp_path_factory.mktemp("Track-v0")
    (root / "transformer").mkdir()
    index = {"_class_name": "WanPipeline", "transformer": ["diffusers", "CausalTrackWanTransformer3DModel"]}
    (root / "model_index.json").write_text(json.dumps(index))
    (root / "transformer" / "config.json").write_text(json.dumps(given.config_json()))
    save_file(given.saved_weights(), root / "transformer" / "model.safetensors")
    return root


@pytest.fixture(scope="module")
def opened(folder, tmp_path_factory):
    """The converted file, and its networks."""
    path = tmp_path_factory.mktemp("ours") / "track.safetensors"
    said = []
    convert(folder, path, PRESET, dtype=torch.float32, say=said.append)
    config = read_stated_config(path)
    dit = WanDiT(config)
    state = joined_columns(load_file(path))
    dit.load_state_dict({key: value for key, value in state.items() if not key.startswith("track_head.")})
    head = open_track_head(path, config)
    return SimpleNamespace(path=path, dit=dit.requires_grad_(False), head=head, config=config, said=said)


def expected(name: str) -> torch.Tensor:
    return load_file(FIXTURES / "trackwan.safetensors")[name]


def apart(ours: torch.Tensor, name: str) -> float:
    """The largest difference from what their code made, as a share of its spread."""
    theirs = expected(name)
    ours = ours[::4]
    assert ours.shape == theirs.shape and theirs.std() > 0.1
    return float((ours - theirs).abs().max() / theirs.std())


def encoder(opened, rules=TRACKWAN_MAP) -> MotionEncoder:
    ids = given.tracks()[2]
    return MotionEncoder(opened.head, ids, (given.ROWS, given.COLUMNS), given.STRIDE, rules=rules)


def track_map(opened, rules=TRACKWAN_MAP) -> torch.Tensor:
    """Piece by piece, as a stream asks."""
    xy, visible, _ = given.tracks()
    made, start, coder = [], 0, encoder(opened, rules)
    for count in given.CHUNKS:
        frames = 4 * count - 3 if start == 0 else 4 * count
        made.append(coder.encode(xy[start : start + frames], visible[start : start + frames]))
        start += frames
    return torch.cat(made, dim=2)


def known(frames: int = given.LATENTS) -> torch.Tensor:
    mask = torch.zeros(1, 4, frames, given.ROWS, given.COLUMNS)
    mask[:, :, 0] = 1
    return mask


def motion(opened) -> torch.Tensor:
    return torch.cat([track_map(opened), given.condition_latents(), known()], dim=1)


def rolled(opened, prefilled: bool, dit=None) -> torch.Tensor:
    dit, whole = dit or opened.dit, motion(opened)
    run = rollout(
        dit,
        first_latent=given.condition_latents()[:, :, :1] if prefilled else None,
        first_alone=True,
        motion=lambda start, count: whole[:, :, start : start + count],
        text=dit.encode_text(given.embeds(), given.features()),
        shape=(given.ROWS, given.COLUMNS),
        sigmas=schedule_of(dit.config),
        cache=dit.make_cache(given.ROWS, given.COLUMNS),
        rng=given.noise(),
        chunks=len(given.CHUNKS) - prefilled,
    )
    return torch.cat([chunk.latents for chunk in run], dim=2)[0]


def test_the_track_map_is_theirs_piece_by_piece(opened):
    assert apart(track_map(opened)[0], "track_map") < 1e-5


@pytest.mark.parametrize(
    "rule", [{"cell": "floor"}, {"overlap": "first"}, {"before": "repeat"}, {"angles": "float64"}]
)
def test_every_rule_of_the_map_counts(opened, rule):
    least = 1e-5 if "angles" in rule else 1e-2
    assert apart(track_map(opened, replace(TRACKWAN_MAP, **rule))[0], "track_map") > least
    assert PAPER_MAP != TRACKWAN_MAP


def test_one_forward_is_theirs(opened):
    noise = torch.randn(1, 16, 1, given.ROWS, given.COLUMNS, generator=given.noise())
    cache = opened.dit.make_cache(given.ROWS, given.COLUMNS)
    from motionstream_core.model.context import rolling_context

    made = opened.dit(
        torch.cat([noise, motion(opened)[:, :, :1]], dim=1),
        torch.full((1, 1), 1000.0),
        opened.dit.encode_text(given.embeds(), given.features()),
        rolling_context(cache),
    )
    assert apart(made[0], "student_forward") < 2e-5


@pytest.mark.parametrize(("prefilled", "name"), [(False, "student_denoised"), (True, "student_prefilled")])
def test_a_converted_folder_rolls_out_as_their_code_does_with_either_first_latent(opened, prefilled, name):
    assert apart(rolled(opened, prefilled), name) < 5e-5


def test_the_rollout_tells_another_context_and_plain_timesteps_apart(opened):
    sampler = opened.config.rolling
    for other in (replace(sampler, window_frames=3), replace(sampler, timesteps=None, sigmas=None)):
        dit = WanDiT(replace(opened.config, sampler=other))
        dit.load_state_dict(opened.dit.state_dict())
        assert apart(rolled(opened, False, dit.requires_grad_(False)), "student_denoised") > 1e-4


def test_the_preset_says_what_the_student_was_trained_as(opened):
    config = opened.config
    assert (
        config.rolling.cache_shape.label == "c3s1w2" and config.fps == 24 and config.motion.points == (5, 30)
    )
    assert schedule_of(config) == pytest.approx((1, 18 / 19, 6 / 7, 2 / 3), abs=1e-12)
    assert model_timesteps(config.rolling, schedule_of(config)) == given.TOLD
    full = config_for(PRESET)
    assert (full.in_channels, full.image_dim, full.dim, full.num_layers) == (52, 1280, 1536, 30)


def test_the_file_has_the_columns_that_the_host_knows_and_the_mask_in_a_key_of_ours(opened):
    state = load_file(opened.path)
    assert state["patch_embedding.weight"].shape[1] == 48 and "patch_embedding.weight" in state
    theirs = given.saved_weights()["patch_embedding.weight"]
    assert torch.equal(open_known(opened.path), theirs[:, 16:20])
    for ours, place in ((slice(16, 32), slice(36, 52)), (slice(32, 48), slice(20, 36))):
        assert torch.equal(state["patch_embedding.weight"][:, ours], theirs[:, place])
    assert not any("norm_q_img" in key or "track_encoder" in key for key in state)


def test_what_track_config_says_is_not_believed_and_said(opened):
    assert any("id_dim 128, the tensors have 64" in line for line in opened.said)


def teacher_clip(opened, as_trained: bool, guidance=None, no_text: bool = True) -> torch.Tensor:
    """Three steps of the same tensors as a bidirectional network."""
    dit = opened.dit
    told = motion(opened)[:, :, : given.TEACHER_LATENTS]
    silent = told.clone()
    silent[:, opened.config.motion.parts["head"]] = 0

    def text(embeds: torch.Tensor):
        return dit.text_as_picture(embeds) if as_trained else dit.encode_text(embeds, given.features())

    nothing = text(torch.zeros_like(given.embeds()) if no_text else given.embeds())
    conditions = ClipConditions(told, silent, text(given.embeds()), nothing)
    levels = clip_levels(given.TEACHER_STEPS, 6.0)
    return sample_whole_clip(dit, given.teacher_noise(), conditions, guidance or Guidance(), levels)[0]


@pytest.mark.parametrize(("as_trained", "name"), [(False, "teacher"), (True, "teacher_as_trained")])
def test_the_teacher_under_joint_guidance_makes_what_their_code_does_with_a_picture_and_without(
    opened, as_trained, name
):
    assert apart(teacher_clip(opened, as_trained), name) < 5e-5
    assert apart(teacher_clip(opened, not as_trained), name) > 1e-2


def test_guidance_counts_and_so_does_what_stands_for_no_text(opened):
    for other in (
        teacher_clip(opened, False, NO_GUIDANCE),
        teacher_clip(opened, False, Guidance(1.5, 3.0)),
        teacher_clip(opened, False, no_text=False),
    ):
        assert apart(other, "teacher") > 1e-3


def test_the_teachers_levels_are_shifted_twice_at_their_lower_end():
    levels = clip_levels(30, 6.0)
    assert len(levels) == 31 and levels[-1] == 0
    assert levels[:3] == pytest.approx((1, 0.99412, 0.98788), abs=1e-5)
    assert levels[-4:-1] == pytest.approx((0.32576, 0.20103, 0.03478), abs=1e-5)


def test_a_teachers_file_says_that_it_is_one(folder, tmp_path):
    role = folder / "model_index.json"
    said = role.read_text()
    role.write_text(said.replace("Causal", ""))
    config = folder / "transformer" / "config.json"
    causal = config.read_text()
    config.write_text(json.dumps(given.config_json(causal=False)))
    try:
        convert(folder, tmp_path / "teacher.safetensors", checkpoint_preset("trackwan-teacher"))
        with pytest.raises(ValueError, match="expected TrackWan's student for this preset, got its teacher"):
            convert(folder, tmp_path / "student.safetensors", PRESET)
    finally:
        role.write_text(said)
        config.write_text(causal)
    made = read_stated_config(tmp_path / "teacher.safetensors")
    assert made.bidirectional and (made.sampler.steps, made.rolling.shift) == (30, 6.0)
    assert not stated_student(folder, tmp_path).bidirectional


def stated_student(folder, tmp_path):
    convert(folder, tmp_path / "student.safetensors", PRESET)
    return read_stated_config(tmp_path / "student.safetensors")
