"""The numbers of the recipes and the options of the command line, read where they arrive: in a loss, in a
schedule, in the engine's settings.
"""

import pytest
import torch
import torch.nn.functional as F
from core.test_training_commands import COMMON, done, folder  # noqa: F401
from core.test_training_stages import BOTH, IDS, TINY, Clips, batch, draws, model, rng
from safetensors.torch import save_file

from motionstream_core.__main__ import main
from motionstream_core.cli.train import stage_commands, trajectories_command
from motionstream_core.cli.train.data_command import DEFAULTS
from motionstream_core.planning.training_cost import CLIPS
from motionstream_core.training.methods import (
    causal,
    causal_init,
    detail,
    distill,
    roles,
    steps,
    teacher,
    trajectories,
)
from motionstream_core.training.methods.guidance import Guidance
from motionstream_core.training.methods.registry import METHODS

# what a loss is made of


def test_the_teacher_of_ids_is_told_of_a_part_of_the_tracks(monkeypatch):
    told = []
    real = roles.MotionModel.motion
    monkeypatch.setattr(
        roles.MotionModel, "motion", lambda self, data, *rest: told.append(data) or real(self, data, *rest)
    )
    data = batch(size=4)
    data["visible"] = torch.ones_like(data["visible"])
    made = teacher.TeacherStage(model(IDS), teacher.TeacherRecipe())
    with torch.no_grad():
        for step in range(6):
            made.loss("teacher", data, draws(step))
    shares = torch.stack([one["visible"][:, 0].float().mean(1) for one in told])
    assert 0.5 < shares.mean() < 0.9 and shares.min() < 0.5


@pytest.mark.parametrize("method", (teacher, causal_init, distill))
def test_a_share_of_the_samples_is_told_of_few_tracks(method, monkeypatch):
    data = {"xy": torch.zeros(400, 2, 128, 2), "visible": torch.ones(400, 2, 128, dtype=torch.bool)}
    counts = teacher.told_less(data, (1.0, 1.0), rng(), 0.25)["visible"][:, 0].sum(1)
    few = counts[counts < 128]
    assert 70 < len(few) < 130 and few.min() < 10 and 14 < few.max() < 34
    given = []
    monkeypatch.setattr(
        method, "told_less" if method is not teacher else "drop_tracks", lambda *a: given.append(a) or a[0]
    )
    small = batch(size=2)
    net = model(IDS)
    if method is teacher:
        stage, role = teacher.TeacherStage(net, teacher.TeacherRecipe(sparse_share=0.5)), "teacher"
    elif method is causal_init:
        recipe = causal_init.CausalInitRecipe("ar", sparse_share=0.5)
        stage, role = causal_init.CausalInitStage(net, recipe), "student"
    else:
        stage, role = (
            distill.DistillStage(net, model(IDS), distill.DistillRecipe(sparse_share=0.5)),
            "student",
        )
    with torch.no_grad():
        stage.loss(role, small, draws(0))
    assert given[0][3] == 0.5


def test_phase_1_hides_no_chunk():
    net, data = model(), batch(size=32)
    motion = net.motion(data, rng())
    recipe = teacher.TeacherRecipe(phase=1, motion_dropout=0.0)
    assert torch.equal(teacher.mask_motion(net, data, motion, recipe, rng()), motion)


def test_motion_is_hidden_of_a_tenth_of_the_samples():
    net, data = model(), batch(size=64)
    motion, none = net.motion(data, rng()), net.no_motion(data)
    hidden = []
    for seed in range(4):
        made = teacher.mask_motion(net, data, motion, teacher.TeacherRecipe(), rng(seed))
        hidden.append((made == none).flatten(1).all(1))
        assert torch.equal(made[~hidden[-1]], motion[~hidden[-1]])
    assert 0.04 < torch.cat(hidden).float().mean() < 0.18


def test_the_teachers_levels_reach_down_to_two_hundredths(monkeypatch):
    levels = []
    monkeypatch.setattr(teacher, "shift_sigma", lambda u, shift: levels.append(shift) or torch.zeros_like(u))
    monkeypatch.setattr(
        teacher, "flow_loss", lambda made, x0, sigma, *rest: levels.append(sigma) or made.sum()
    )
    teacher.TeacherStage(model(), teacher.TeacherRecipe()).loss("teacher", batch(), draws())
    assert levels[0] == 6.0 and levels[1].tolist() == pytest.approx([0.02, 0.02])


class Fixed(torch.nn.Module):
    """A codec, or a head, that always makes the same."""

    def __init__(self, made, raw=None):
        super().__init__()
        self.made = made
        self.raw = raw

    def start_encode(self):
        return None

    def start_decode(self):
        return None

    def encode_raw(self, frames, state):
        return self.raw, state

    def decode_raw(self, latents, state):
        return self.made, state

    def forward(self, *given):
        return self.made


def slopes(difference):
    """Mean size of the difference's steps across and down."""
    return difference.diff(dim=-1).abs().mean() + difference.diff(dim=-2).abs().mean()


def test_the_codecs_loss_has_all_its_terms():
    pytest.importorskip("cv2")
    from motionstream_core.training.methods.codec import codec_loss

    frames, made = (torch.rand(1, 2, 3, 8, 8, generator=rng(n)) for n in (0, 1))
    raw = torch.randn(1, 4, 1, 2, 2, generator=rng(2))
    loss, mse = codec_loss(Fixed(made, raw), frames, rng())
    difference = made - frames
    torch.testing.assert_close(mse, difference.square().mean())
    expected = (difference.square() + 1e-6).sqrt().mean() + 0.5 * slopes(difference)
    torch.testing.assert_close(loss, expected + 4 * mse + 2e-3 * raw.square().mean())


def test_the_detail_heads_loss_has_all_its_terms():
    truth, made = (torch.rand(2, 3, 16, 16, generator=rng(n)) for n in (0, 1))
    loss, mse = detail.detail_loss(
        Fixed(made), {"frames": made, "carried": made, "maps": made, "truth": truth}
    )
    difference = made - truth
    expected = (difference.square() + 1e-6).sqrt().mean() + 0.5 * slopes(difference) + 4 * mse
    torch.testing.assert_close(loss, expected + 40 * F.avg_pool2d(difference, 8).square().mean())


# the length of a clip


def long_clip(frames):
    """A batch of one clip of so many latent frames."""
    made = batch(1)
    more = {name: torch.cat([made[name]] * 3, dim=2)[:, :, :frames] for name in ("latents", "warp", "masks")}
    pixels = {name: torch.cat([made[name]] * 3, dim=1)[:, : 4 * frames - 3] for name in ("xy", "visible")}
    return made | more | pixels


@BOTH
@pytest.mark.parametrize("method", ["teacher", "causal", "causal-init", "distill", "rollout"])
def test_the_papers_21_latent_frames_are_refused_in_words_by_every_method(config, method):
    net = model(config)
    stages = {
        "teacher": lambda: teacher.TeacherStage(net, teacher.TeacherRecipe()),
        "causal": lambda: causal.CausalStage(net, causal.CausalRecipe()),
        "causal-init": lambda: causal_init.CausalInitStage(net, causal_init.CausalInitRecipe(start="ar")),
        "distill": lambda: distill.DistillStage(net, model(config, 2), distill.DistillRecipe()),
    }
    chunk = config.rolling.cache_shape.chunk
    with pytest.raises(ValueError, match=r"19 or 22 \(73 or 85 frames\), got 21 \(81 frames\)"):
        if method == "rollout":
            steps.rollout_clip(net, long_clip(21), rng())
        else:
            made = stages[method]()
            made.loss(made.trainable[0], long_clip(21), draws())
    assert chunk == 3
    with torch.no_grad():
        assert steps.rollout_clip(net, long_clip(22), rng()).shape[2] == 22


def test_the_default_clip_of_every_family_is_whole_chunks_and_that_of_the_plan():
    for name, usual in DEFAULTS.items():
        steps.check_whole_chunks(1 + (usual.frames - 1) // 4, 3)
        assert name == "tiny" or usual.frames == CLIPS[name][2]


def test_data_of_81_frames_are_refused_before_a_video_is_read(tmp_path, capsys):
    words = ("data", "--videos", tmp_path, "--out", tmp_path / "out", "--frames", 81)
    assert main(["train", *map(str, words)]) != 0
    assert "got 21 (81 frames)" in capsys.readouterr().err


# the schedule of trajectories


def test_a_trajectorys_levels_are_shifted_and_meet_the_students():
    levels = trajectories.teacher_schedule(4, 6.0, (0.95,))
    shifted = [6 * u / (1 + 5 * u) for u in (1.0, 0.75, 0.5, 0.25)]
    assert levels == pytest.approx(sorted([*shifted, 0.95], reverse=True) + [0.0])


def test_the_paths_are_those_of_the_asked_shift_and_steps(tmp_path, monkeypatch):
    seen = []

    def made(net, data, generator, guidance, levels, keep):
        seen.append((levels, guidance))
        return data["latents"], data["latents"][:, None].repeat(1, len(keep), 1, 1, 1, 1)

    monkeypatch.setattr(trajectories, "sample_clip", made)
    trajectories.write_trajectories(
        model(),
        Clips(),
        tmp_path,
        1,
        batch=2,
        steps=5,
        shift=6.0,
        guidance=Guidance(),
        causal=False,
        seed=0,
        progress=lambda line: None,
    )
    through = trajectories.schedule_of(TINY)
    assert seen == [(trajectories.teacher_schedule(5, 6.0, through), Guidance())]


def test_trajectories_are_the_papers_by_default(done, tmp_path, monkeypatch):  # noqa: F811
    seen = []
    monkeypatch.setattr(
        trajectories_command, "write_trajectories", lambda *given, **words: seen.append((given, words))
    )
    common = ("--teacher", done / "two/teacher.safetensors", "--data", done / "shards", "--out", tmp_path)
    assert main(["train", "trajectories", *map(str, common)]) == 0
    assert main(["train", "trajectories", *map(str, common), "--autoregressive", "--text-weight", "2"]) == 0
    (first, one), (_, other) = seen
    assert first[3] * one["batch"] == 4000 and one["steps"] == 50 and one["shift"] == 6.0
    assert one["guidance"] == Guidance(text=3.0, motion=1.5) and not one["causal"]
    assert other["shift"] == 5.0 and other["causal"] and other["guidance"] == Guidance(text=2.0, motion=1.5)


# options, where they arrive


@pytest.fixture
def asked(done, tmp_path, monkeypatch):  # noqa: F811
    """What the engine is given by a command: (stage, settings)."""

    def ask(method, *words):
        seen = []
        monkeypatch.setattr(
            stage_commands, "train", lambda stage, data, config, *rest: seen.append((stage, config))
        )
        given = (method, *words, "--data", done / "shards", *COMMON, "--out", tmp_path)
        assert main(["train", *map(str, given)]) == 0
        return seen[0]

    return ask


def test_the_teachers_options_arrive(asked):
    stage, config = asked("teacher", "--phase", 2, "--text-dropout", 0.3, "--weighting", "bell", "--lr", 0.25)
    assert stage.recipe == teacher.TeacherRecipe(phase=2, text_dropout=0.3, weighting="bell")
    assert not any(p.requires_grad for p in stage.teacher.track_head.parameters())
    assert config.lr == {"teacher": 0.25}
    stage, config = asked("teacher")
    assert stage.recipe == teacher.TeacherRecipe() and stage.recipe.phase == 1
    assert all(p.requires_grad for p in stage.teacher.track_head.parameters())
    assert config.lr == {"teacher": 1e-2}
    more = ("--shift", 1, "--motion-dropout", 0.2, "--things-weight", 3, "--keep-tracks", 0.1, 0.9)
    stage, _ = asked("teacher", *more, "--sparse-share", 0.25)
    assert stage.recipe == teacher.TeacherRecipe(
        shift=1.0, motion_dropout=0.2, things_weight=3.0, keep_tracks=(0.1, 0.9), sparse_share=0.25
    )


def test_distillations_options_arrive(asked, done):  # noqa: F811
    roles_ = ("--student", done / "init/student.safetensors", "--teacher", done / "two/teacher.safetensors")
    stage, config = asked("distill", *roles_)
    assert stage.recipe == distill.DistillRecipe() and config.lr == {"student": 1e-3, "fake_score": 2e-4}
    more = ("--text-weight", 2, "--motion-weight", 0.25, "--critic-steps", 3, "--critic-lr", 0.5)
    stage, config = asked("distill", *roles_, *more, "--no-rolling", "--anchor", 0.75, "--refresh-share", 0)
    assert stage.recipe == distill.DistillRecipe(
        Guidance(text=2.0, motion=0.25), critic_steps=3, rolling=False, anchor=0.75
    )
    assert config.lr == {"student": 1e-3, "fake_score": 0.5}
    more = ("--shift", 2, "--keep-tracks", 0.5, 1, "--sparse-share", 0.25)
    recipe = asked("distill", *roles_, *more)[0].recipe
    assert (recipe.shift, recipe.keep_tracks, recipe.sparse_share) == (2.0, (0.5, 1.0), 0.25)


def test_causal_inits_options_arrive(asked, done):  # noqa: F811
    stage, _ = asked("causal-init", "--init", done / "two/teacher.safetensors", "--start", "ar")
    assert stage.recipe == causal_init.CausalInitRecipe(start="ar")
    more = ("--sinks", 1, "--windows", 3, 6, "--shift", 3, "--things-weight", 2)
    more = (*more, "--keep-tracks", 0.5, 1, "--context-noise", 0.25, "--sparse-share", 0.5)
    stage, _ = asked("causal-init", "--init", done / "two/teacher.safetensors", "--start", "ar", *more)
    assert stage.recipe == causal_init.CausalInitRecipe(
        "ar",
        sinks=(1,),
        windows=(3, 6),
        shift=3.0,
        things_weight=2.0,
        keep_tracks=(0.5, 1.0),
        context_noise=0.25,
        sparse_share=0.5,
    )


def test_the_engines_options_arrive(asked):
    _, config = asked("causal")
    assert (config.optimizer, config.betas, config.clip) == ("muon", (0.9, 0.999), 1.0)
    _, config = asked("causal", "--optimizer", "adamw", "--betas", 0, 0.999, "--clip", 10, "--accumulate", 3)
    assert (config.optimizer, config.betas, config.clip) == ("adamw", (0.0, 0.999), 10.0)
    assert config.accumulate == 3
    _, config = asked("causal", "--optimizer", "muon-bf16", "--adam-lr", 0.125)
    assert (config.optimizer, config.adam_lr) == ("muon-bf16", 0.125)


def test_betas_that_muon_would_not_take_are_refused(done, tmp_path, capsys):  # noqa: F811
    words = ("causal", "--data", done / "shards", *COMMON, "--betas", 0, 0.9, "--out", tmp_path)
    assert main(["train", *map(str, words)]) != 0
    assert "expected them with --optimizer adamw" in capsys.readouterr().err


def test_the_detail_heads_beginning_arrives(done, tmp_path, asked, monkeypatch):  # noqa: F811
    head = detail.DetailHead()
    torch.nn.init.normal_(next(head.parameters()), generator=rng(5))
    save_file({k: v.contiguous() for k, v in head.state_dict().items()}, tmp_path / "detail.safetensors")
    monkeypatch.setattr(detail, "Pairs", lambda path: path)
    stage, config = asked("detail", "--init", tmp_path / "detail.safetensors")
    assert torch.equal(next(stage.head.parameters()), next(head.parameters()))
    assert config.lr == {"detail": 4e-3}


def test_every_method_is_a_command_with_the_engines_options(capsys):
    for name in METHODS:
        with pytest.raises(SystemExit):
            main(["train", name, "--help"])
        said = capsys.readouterr().out
        assert "--minutes" in said and "--batch" in said
