"""What the stages hand to their networks and losses, looked at on the way: whose clip, at which level, behind
which context, in which direction.
"""

from dataclasses import replace

import pytest
import torch
from core.test_training_stages import BOTH, IDS, TINY, batch, draws, model, rng, stage

from motionstream_core.sampling.flow import add_noise, sigma_schedule
from motionstream_core.training.methods import (
    causal,
    causal_init,
    distill,
    guidance,
    losses,
    roles,
    steps,
    teacher,
    trajectories,
)


def watched(monkeypatch, module, name):
    """Arguments and result of every call of a module's function."""
    seen, real = [], getattr(module, name)

    def call(*args, **words):
        made = real(*args, **words)
        seen.append((args, words, made))
        return made

    monkeypatch.setattr(module, name, call)
    return seen


def level_of(noisy, clean, sigma):
    """The noise that makes `noisy` of `clean` at sigma (B,): mean and spread are those of a standard normal
    where all fits.
    """
    s = sigma.view(-1, 1, 1, 1, 1)
    return (noisy - (1 - s) * clean) / s


# distillation


@BOTH
@pytest.mark.parametrize("role", ["student", "fake_score"])
def test_distillation_looks_at_nothing_of_the_real_clip_but_its_start_image(config, role):
    made, real = stage(config), batch()
    other = {
        **real,
        "latents": torch.cat(
            [real["latents"][:, :, :1], torch.randn(2, 16, 9, 4, 4, generator=rng(7))], dim=2
        ),
    }
    assert torch.equal(made.loss(role, real, draws())[0], made.loss(role, other, draws())[0])


@BOTH
def test_the_critic_is_told_the_level_of_the_students_own_clip_and_weighs_it(config, monkeypatch):
    made = stage(config)
    clips, told, lost = (
        watched(monkeypatch, distill, name) for name in ("rollout_clip", "predict_clip", "flow_loss")
    )
    made.loss("fake_score", batch(), draws())
    clip = clips[0][2]
    net, first, noisy, sigma = told[0][0][:4]
    x0, truth, level, most = lost[0][0]
    assert (
        net is made.modules["fake_score"]
        and torch.equal(first, clip[:, :, :1])
        and torch.equal(truth, clip[:, :, 1:])
    )
    noise = level_of(noisy, truth, sigma)
    assert sigma[0] != sigma[1], "every clip has a level of its own"
    assert abs(noise.mean()) < 0.05 and abs(noise.std() - 1) < 0.05 and torch.equal(level, sigma)
    assert x0 is told[0][2] and most == (5.0 if config is TINY else float("inf"))
    motion, text = told[0][0][4:6]
    assert torch.equal(text.values[0], net.text(batch()).values[0]) and not torch.equal(
        motion, net.no_motion(batch())
    ), "of the clip's prompt and of its tracks"


def test_the_scores_meet_at_one_noised_clip_and_the_step_leads_to_the_teachers(monkeypatch):
    made = stage()
    real, fake = (watched(monkeypatch, distill, name) for name in ("guided_clip", "predict_clip"))
    clip = steps.rollout_clip(made.modules["student"], batch(), rng()).detach()
    gradient = made.gradient(clip, batch(), rng(1))
    (teacher_net, first, noisy, sigma, motion, text, weights), _, real_x0 = real[0]
    (fake_net, fake_first, fake_noisy, fake_sigma, fake_motion, fake_text), _, fake_x0 = fake[0]
    assert (
        teacher_net is made.modules["teacher"]
        and fake_net is made.modules["fake_score"]
        and weights == guidance.Guidance(3.0, 1.5)
    )
    assert (
        torch.equal(noisy, fake_noisy)
        and torch.equal(sigma, fake_sigma)
        and torch.equal(first, fake_first)
        and torch.equal(motion[0], fake_motion)
    )
    assert torch.equal(fake_text.values[0], fake_net.text(batch()).values[0]) and torch.equal(
        text[0].values[0], teacher_net.text(batch()).values[0]
    )
    assert torch.equal(motion[1], teacher_net.no_motion(batch())) and not torch.equal(
        text[0].values[0], text[1].values[0]
    )
    noise = level_of(noisy, clip[:, :, 1:], sigma)
    assert sigma[0] != sigma[1], "every clip has a level of its own"
    assert abs(noise.mean()) < 0.05 and abs(noise.std() - 1) < 0.05
    towards = clip[:, :, 1:] - 0.01 * gradient
    assert ((towards - clip[:, :, 1:]) * (real_x0 - fake_x0)).sum() > 0, (
        "towards the real score, away from the fake one"
    )
    torch.testing.assert_close(gradient, losses.dmd_gradient(clip[:, :, 1:], real_x0, fake_x0))


def test_the_student_is_moved_by_the_gradient_at_its_own_clip(monkeypatch):
    made = stage()
    clips, gradients = watched(monkeypatch, distill, "rollout_clip"), []
    made.gradient = lambda clip, *rest: gradients.append(clip) or torch.full_like(clip[:, :, 1:], 2.0)
    loss, _ = made.loss("student", batch(), draws())
    clip = clips[0][2]
    assert torch.equal(gradients[0], clip) and not gradients[0].requires_grad
    found = torch.autograd.grad(loss, clip)[0]
    torch.testing.assert_close(
        found[:, :, 1:], torch.full_like(found[:, :, 1:], 2.0 / found[:, :, 1:].numel())
    )
    assert not found[:, :, :1].any(), "the start image is given"


@pytest.mark.parametrize("role", ["student", "fake_score"])
def test_clips_end_at_every_one_of_the_steps(role, monkeypatch):
    made, clips = stage(), watched(monkeypatch, distill, "rollout_clip")
    monkeypatch.setattr(
        distill, "predict_clip", lambda net, first, noisy, *rest: noisy * next(net.parameters()).sum()
    )
    made.gradient = lambda clip, *rest: torch.zeros_like(clip[:, :, 1:])
    for number in range(12):
        for micro_batch in range(2):
            made.loss(role, batch(1), draws(number + 100 * micro_batch, number))
    steps = [words["exit_step"] for _, words, _ in clips]
    assert set(steps) == set(range(TINY.sampler.steps)) and steps[::2] == steps[1::2], (
        "the micro-batches of a step end at the same one"
    )
    assert {words["grad"] for _, words, _ in clips} == {role == "student"} and all(
        words["rolling"] for _, words, _ in clips
    )


def test_the_teacher_stands_still_and_the_students_average_is_what_is_kept():
    made = stage()
    teacher_net = made.modules["teacher"]
    assert not any(p.requires_grad for p in teacher_net.parameters()) and not teacher_net.training
    assert made.trainable == ("student", "fake_score") and made.ema == "student"


def test_distillation_has_the_papers_and_the_references_numbers():
    recipe = distill.DistillRecipe()
    assert (recipe.guidance, recipe.critic_steps, recipe.shift, recipe.rolling, recipe.anchor) == (
        guidance.Guidance(3.0, 1.5),
        5,
        5.0,
        True,
        0.0,
    )


def test_an_anchor_adds_the_error_to_the_real_clip():
    plain, anchored = stage(), stage(anchor=0.5)
    (one, _), (two, figures) = (made.loss("student", batch(), draws()) for made in (plain, anchored))
    torch.testing.assert_close(two - one, torch.tensor(0.5 * figures["anchor"], dtype=torch.float64))
    assert figures["anchor"] > 0.1


def test_each_clips_gradient_is_measured_by_its_own_distance():
    x0, real, fake = (torch.randn(2, 4, 3, 2, 2, generator=rng(n)) for n in range(3))
    real[1] *= 50
    both = losses.dmd_gradient(x0, real, fake)
    for row in range(2):
        torch.testing.assert_close(
            both[row : row + 1],
            losses.dmd_gradient(x0[row : row + 1], real[row : row + 1], fake[row : row + 1]),
        )


@pytest.mark.parametrize("score", ["teacher", "fake_score"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_score_that_is_no_number_is_not_taken_for_one_that_agrees(score, value):
    made = stage()
    torch.nn.init.constant_(made.modules[score].dit.head.head.bias.requires_grad_(False), value)
    assert not torch.isfinite(made.loss("student", batch(), draws())[0])


@BOTH
def test_a_chunk_carries_no_gradient_to_the_chunks_before_when_every_step_has_one(config):
    net, data = model(config), batch()
    made = steps.rollout_clip(net, data, rng(), grad=True)
    chunks = {start: made[:, :, start : start + 3] for start in (1, 7)}
    moved = torch.randn(made.shape, generator=rng(5)).requires_grad_()
    real = net.motion

    def motion(clip, seeded):
        made_motion = real(clip, seeded)
        return made_motion + moved.mean(1, keepdim=True)

    net.motion = motion
    last = steps.rollout_clip(net, data, rng(), grad=True)[:, :, 7:]
    found = torch.autograd.grad(last.sum(), moved)[0]
    assert found[:, :, 7:].any() and not found[:, :, :7].any() and chunks[1].requires_grad


# teacher and trajectories


@BOTH
def test_the_teacher_predicts_the_real_clip_from_its_shifted_levels_and_is_told_of_most_prompts(
    config, monkeypatch
):
    made = teacher.TeacherStage(model(config), teacher.TeacherRecipe())
    told, lost = watched(monkeypatch, teacher, "predict_clip"), watched(monkeypatch, teacher, "flow_loss")
    kept, real = [], roles.MotionModel.text
    monkeypatch.setattr(
        roles.MotionModel, "text", lambda self, data, keep=None: kept.append(keep) or real(self, data, keep)
    )
    data = batch(size=16)
    with torch.no_grad():
        for step in range(12):
            made.loss("teacher", data, draws(step))
    sigmas = torch.cat([args[3] for args, _, _ in told])
    assert float(sigmas.median()) == pytest.approx(6 * 0.5 / (1 + 5 * 0.5), abs=0.06) and sigmas.min() >= 0.02
    assert float(torch.cat(kept).float().mean()) == pytest.approx(0.9, abs=0.06)
    for (args, _, prediction), (lost_args, _, _) in zip(told, lost):
        noise = level_of(args[2], data["latents"][:, :, 1:], args[3])
        assert abs(noise.std() - 1) < 0.05 and torch.equal(args[1], data["latents"][:, :, :1])
        assert (
            lost_args[0] is prediction
            and torch.equal(lost_args[1], data["latents"][:, :, 1:])
            and torch.equal(lost_args[2], args[3])
        )
        assert lost_args[3] == (5.0 if config is TINY else float("inf"))


def test_a_trajectory_is_the_guided_ode_without_new_noise():
    net, data, weights = model().eval(), batch(), guidance.Guidance()
    end, states = trajectories.sample_clip(net, data, rng(2), weights, (1.0, 0.6, 0.0), keep=(1.0, 0.6))
    seeded = rng(2)
    with torch.no_grad():
        motion, text = (
            (net.motion(data, seeded), net.no_motion(data)),
            (net.text(data), net.text(data, torch.zeros(2, dtype=torch.bool))),
        )
        first = data["latents"][:, :, :1]
        start = torch.randn(2, 16, 9, 4, 4, generator=seeded)
        x0 = guidance.guided_clip(net, first, start, torch.ones(2), motion, text, weights)
        middle = x0 + 0.6 * (start - x0)  # the line from noise to x0, followed from 1 to 0.6
        last = guidance.guided_clip(net, first, middle, torch.full((2,), 0.6), motion, text, weights)
    torch.testing.assert_close(states[:, 0, :, 1:], start)
    torch.testing.assert_close(states[:, 1, :, 1:], middle, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(end[:, :, 1:], last, atol=1e-5, rtol=1e-4)


# causal init


@pytest.mark.parametrize("start", ["ode", "ar"])
def test_causal_init_learns_each_chunk_behind_the_clean_ones_from_its_own_state(start, monkeypatch):
    net, data = model(), batch()
    states = torch.stack(
        [
            add_noise(data["latents"], torch.randn(data["latents"].shape, generator=rng(10 + n)), s)
            for n, s in enumerate(sigma_schedule(TINY.sampler.steps, TINY.rolling.shift))
        ],
        dim=1,
    )
    data = {**data, "states": states, "ends": data["latents"] + 0.1}
    made = causal_init.CausalInitStage(net, causal_init.CausalInitRecipe(start=start))
    seen, committed, levels, shapes = [], [], set(), set()
    real_predict, real_commit = causal_init.predict_chunk, causal_init.write_clean_chunk

    def predict(net, x, sigma, motion, text, cache):
        seen.append((x, sigma, cache.total))
        shapes.add((cache.shape.sink, cache.shape.window))
        return real_predict(net, x, sigma, motion, text, cache)

    monkeypatch.setattr(causal_init, "predict_chunk", predict)
    monkeypatch.setattr(
        causal_init,
        "write_clean_chunk",
        lambda net, latents, *rest: committed.append(latents) or real_commit(net, latents, *rest),
    )
    with torch.no_grad():
        for step in range(10):
            made.loss("student", data, draws(step))
    assert [total for _, _, total in seen[:3]] == [1, 4, 7] and torch.equal(
        torch.cat(committed[:3], dim=2), data["latents"][:, :, :7]
    )
    for number, (x, sigma, _) in enumerate(seen):
        part = slice(1 + 3 * (number % 3), 4 + 3 * (number % 3))
        if start == "ode":
            rows = [
                sigma_schedule(TINY.sampler.steps, TINY.rolling.shift).index(
                    pytest.approx(float(s), abs=1e-6)
                )
                for s in sigma
            ]
            levels.update(rows)
            assert torch.equal(
                x, torch.stack([states[row, level][:, part] for row, level in enumerate(rows)])
            )
        else:
            assert abs(level_of(x, data["latents"][:, :, part], sigma).std() - 1) < 0.1
    assert start == "ar" or levels == {0, 1, 2}
    assert len(shapes) > 2 and {s for s, _ in shapes} <= {0, 1, 3} and {w for _, w in shapes} == {3, 6}


def test_the_ends_of_the_trajectories_are_what_ode_regression_aims_at():
    net, data = model(), batch()
    states = data["latents"][:, None].expand(-1, TINY.sampler.steps, -1, -1, -1, -1)
    made = causal_init.CausalInitStage(net, causal_init.CausalInitRecipe())
    with torch.no_grad():
        near, far = (
            float(
                made.loss("student", {**data, "states": states, "ends": data["latents"] + shift}, draws())[0]
            )
            for shift in (0.0, 100.0)
        )
    assert far > 5000 > near


# the streaming student


@pytest.mark.parametrize("config", [TINY, IDS], ids=["warp", "ids"])
def test_the_streams_context_is_the_truth_or_the_own_prediction_and_carries_no_gradient_of_it(
    config, monkeypatch
):
    net, data, committed = model(config), batch(), []
    real = causal._Context.commit
    monkeypatch.setattr(
        causal._Context,
        "commit",
        lambda self, start, latents: committed.append(latents) or real(self, start, latents),
    )
    recipe = replace(causal.CausalRecipe(), cut_share=0.0, context_noise=0.0, long_share=1.0)
    for own in (0.0, 1.0):
        causal.stream_loss(net, data, draws(), recipe, sigma=1.0, own=own)
    truth, predicted = torch.cat(committed[1:3], dim=2), torch.cat(committed[4:6], dim=2)
    assert torch.equal(truth, data["latents"][:, :, 1:7]) and (predicted - truth).abs().mean() > 0.1
    assert not any(latents.requires_grad for latents in committed)
