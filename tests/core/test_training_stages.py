"""The stages' roles and losses: what is exactly zero, exactly equal, exactly frozen; and a one-dimensional
distribution that is matched.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch
from core.small_stages import limited
from torch import nn

from motionstream_core.model.presets import PRESETS
from motionstream_core.sampling.flow import add_noise, sigma_schedule
from motionstream_core.sampling.rollout import rollout
from motionstream_core.training.engine.stage import Draws, SharedDraws
from motionstream_core.training.methods import (
    causal_init,
    clips,
    guidance,
    losses,
    roles,
    steps,
    teacher,
    trajectories,
)
from motionstream_core.training.methods.distill import DistillRecipe, DistillStage

TINY = replace(PRESETS["tiny"], dim=48, ffn_dim=64, num_heads=2, num_layers=2)
IDS = replace(PRESETS["tiny-ids"], dim=48, ffn_dim=64, num_heads=2, num_layers=2)
BOTH = pytest.mark.parametrize("config", [TINY, IDS], ids=["warp", "ids"])


def batch(size=2, seed=0):
    g = torch.Generator().manual_seed(seed)
    latents = torch.randn(size, 16, 10, 4, 4, generator=g)
    return {
        "latents": latents,
        "warp": latents + 0.5 * torch.randn(latents.shape, generator=g),
        "masks": torch.rand(size, 8, 10, 4, 4, generator=g),
        "xy": torch.rand(size, 37, 5, 2, generator=g) * 32,
        "visible": torch.rand(size, 37, 5, generator=g) < 0.8,
        "tokens": torch.randint(1, 20, (size, 16), generator=g),
    }


class Clips:
    """A data source that always gives the same clips."""

    def batch(self, rng, size):
        return batch(size)


def model(config=TINY, seed=0):
    torch.manual_seed(seed)
    made = roles.MotionModel(config)
    nn.init.normal_(made.dit.head.head.weight, std=0.05)
    return made


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def draws(seed=0, shared=None):
    return Draws(rng(seed), SharedDraws(seed if shared is None else shared))


# guidance


def test_joint_guidance_collapses_to_the_papers_coefficients():
    assert guidance.Guidance(3.0, 1.5).coefficients() == pytest.approx((4.5, -7 / 3, -7 / 6))
    for text, motion in [(1, 0), (0, 2), (5, 0.5)]:
        assert sum(guidance.Guidance(text, motion).coefficients()) == pytest.approx(1)


def test_guidance_is_equation_2_of_the_paper():
    both, no_text, no_motion = (torch.randn(3, 4, generator=rng(i)) for i in range(3))
    w_t, w_m = 2.0, 0.7
    alpha = w_t / (w_t + w_m)
    expected = alpha * no_text + (1 - alpha) * no_motion + w_t * (both - no_text) + w_m * (both - no_motion)
    torch.testing.assert_close(
        guidance.combine_guidance(both, no_text, no_motion, guidance.Guidance(w_t, w_m)), expected
    )


def test_where_text_and_motion_say_nothing_guidance_changes_nothing():
    same = torch.randn(2, 3, generator=rng())
    torch.testing.assert_close(guidance.combine_guidance(same, same, same, guidance.Guidance()), same)


def test_negative_guidance_is_refused():
    with pytest.raises(ValueError, match="expected weights >= 0"):
        guidance.Guidance(-1.0, 1.0)


@BOTH
def test_the_three_evaluations_in_one_batch_are_the_three_on_their_own(config):
    net, data = model(config), batch()
    motion, none = net.motion(data, rng()), net.no_motion(data)
    text, empty = net.text(data), net.text(data, torch.zeros(2, dtype=torch.bool))
    first, noisy, sigma = (
        data["latents"][:, :, :1],
        torch.randn(2, 16, 9, 4, 4, generator=rng(1)),
        torch.tensor([0.9, 0.4]),
    )
    with torch.no_grad():
        together = guidance.guided_clip(
            net, first, noisy, sigma, (motion, none), (text, empty), guidance.Guidance()
        )
        alone = [
            clips.predict_clip(net, first, noisy, sigma, m, t)
            for m, t in ((motion, text), (motion, empty), (none, text))
        ]
    torch.testing.assert_close(
        together, guidance.combine_guidance(*alone, guidance.Guidance()), atol=1e-4, rtol=1e-4
    )


@BOTH
def test_no_motion_is_what_tracks_that_nobody_sees_would_give(config):
    net, data = model(config), batch()
    unseen = {**data, "visible": torch.zeros_like(data["visible"])}
    part = config.motion.parts["head"]
    torch.testing.assert_close(net.motion(unseen, rng())[:, part], net.no_motion(data)[:, part])


# losses


def test_the_distribution_matching_gradient_is_zero_where_real_and_fake_agree():
    x0, score = torch.randn(2, 4, 3, 2, 2, generator=rng()), torch.randn(2, 4, 3, 2, 2, generator=rng(1))
    assert not losses.dmd_gradient(x0, score, score).any()
    assert not losses.dmd_gradient(score, score, score).any(), (
        "also where the normalisation would divide by zero"
    )


def test_a_step_against_the_gradient_leads_from_the_fake_score_to_the_real_one():
    x0, real, fake = (
        torch.zeros(1, 1, 1, 1, 1),
        torch.full((1, 1, 1, 1, 1), 2.0),
        torch.full((1, 1, 1, 1, 1), -1.0),
    )
    assert losses.dmd_gradient(x0, real, fake).item() == pytest.approx(-3 / 2)


def test_the_loss_hands_the_gradient_on_as_it_is():
    x0 = torch.randn(2, 3, generator=rng()).requires_grad_()
    gradient = torch.randn(2, 3, generator=rng(1))
    losses.dmd_loss(x0, gradient).backward()
    torch.testing.assert_close(x0.grad, gradient / x0.numel())


def test_flow_matching_is_the_error_of_the_velocity():
    x0, noise = torch.randn(2, 1, 1, 2, 2, generator=rng()), torch.randn(2, 1, 1, 2, 2, generator=rng(1))
    sigma, velocity = torch.tensor([0.3, 0.8]), torch.randn(2, 1, 1, 2, 2, generator=rng(2))
    noisy = add_noise(x0, noise, sigma[:, None])
    guess = noisy - sigma.view(-1, 1, 1, 1, 1) * velocity
    torch.testing.assert_close(losses.flow_loss(guess, x0, sigma), (velocity - (noise - x0)).square().mean())


def test_scores_meet_at_the_references_noise_levels():
    sigma = losses.score_sigma(4000, 5.0, rng())
    assert sigma.min() == pytest.approx(0.02) and sigma.max() == pytest.approx(0.98)
    assert float(sigma.median()) == pytest.approx(5 * 0.5 / (1 + 4 * 0.5), abs=0.02)


def test_wans_weight_has_a_mean_of_one():
    assert float(losses.bell_weight(torch.linspace(0, 1, 10001)).mean()) == pytest.approx(1, abs=1e-3)


# the rollout in training


@BOTH
def test_the_rollout_of_training_is_that_of_inference_bit_for_bit(config):
    net, data = model(config), batch(size=1)
    trained = steps.rollout_clip(net, data, rng(3))
    seeded = rng(3)
    motion = net.motion(data, seeded)
    with torch.no_grad():
        streamed = rollout(
            net.dit,
            first_latent=data["latents"][:, :, :1],
            motion=lambda start, count: motion[:, :, start : start + count],
            text=net.text(data),
            shape=(4, 4),
            sigmas=sigma_schedule(config.sampler.steps, config.rolling.shift),
            cache=net.dit.make_cache(4, 4),
            rng=seeded,
            chunks=3,
        )
        streamed = torch.cat([chunk.latents for chunk in streamed], dim=2)
    assert torch.equal(trained.detach(), streamed)


@pytest.mark.parametrize("exit_step", range(TINY.sampler.steps))
def test_gradients_reach_the_exit_step_alone(exit_step):
    net, grads = model(), []
    seen = []

    def record(module, inputs, output):
        sigma = float(inputs[1][0, -1]) / 1000
        if output.requires_grad:
            output.register_hook(lambda g, s=sigma: grads.append(s))
        seen.append((sigma, output.requires_grad))

    handle = net.dit.register_forward_hook(record)
    made = steps.rollout_clip(net, batch(), rng(), grad=True, exit_step=exit_step)
    made[:, :, 1:].square().mean().backward()
    handle.remove()
    level = sigma_schedule(TINY.sampler.steps, TINY.rolling.shift)[exit_step]
    assert {round(s, 4) for s, needs in seen if needs} == {round(level, 4)}
    assert len(grads) == 3 and all(g == pytest.approx(level) for g in grads), "one forward of each chunk"
    assert min(s for s, _ in seen) == 0, "the clean-context passes were made, without gradients"


def test_what_a_chunk_left_in_the_cache_carries_no_gradient_to_the_chunks_before():
    net, data = model(), batch()
    made = steps.rollout_clip(net, data, rng(), grad=True, exit_step=0)
    last = torch.autograd.grad(made[:, :, 7:].sum(), net.dit.blocks[0].self_attn.v.weight, retain_graph=True)[
        0
    ]
    fixed = {**data, "latents": made.detach()}
    cache = net.dit.make_grad_cache(4, 4, detached=True)
    seeded = rng()
    motion = net.motion(fixed, seeded)
    for start, end in ((0, 1), (1, 4), (4, 7)):
        with torch.no_grad():
            trajectories.write_clean_chunk(
                net, fixed["latents"][:, :, start:end], motion[:, :, start:end], net.text(fixed), cache
            )
    x = [torch.randn(2, 16, 3, 4, 4, generator=seeded) for _ in range(3)][-1]
    alone = trajectories.predict_chunk(net, x, torch.ones(2), motion[:, :, 7:], net.text(fixed), cache)
    torch.testing.assert_close(alone.detach(), made[:, :, 7:].detach(), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(
        torch.autograd.grad(alone.sum(), net.dit.blocks[0].self_attn.v.weight)[0], last, atol=1e-4, rtol=1e-3
    )


# roles


def stage(config=TINY, **recipe):
    return DistillStage(model(config, 1), model(config, 2), DistillRecipe(**recipe), validation_data=Clips())


def test_critic_and_student_never_share_parameters():
    made = stage()
    pointers = [
        {p.data_ptr() for p in made.modules[role].parameters()}
        for role in ("student", "fake_score", "teacher")
    ]
    assert not (pointers[0] & pointers[1] or pointers[0] & pointers[2] or pointers[1] & pointers[2])
    shared = model()
    with pytest.raises(ValueError, match="parameters of their own"):
        DistillStage(shared, shared, DistillRecipe())


def test_a_part_shared_by_two_roles_is_found():
    one, two = model(seed=1), model(seed=2)
    two.dit.blocks[1].ffn[0].weight = one.dit.blocks[1].ffn[0].weight
    with pytest.raises(ValueError, match=r"blocks\.1\.ffn\.0\.weight"):
        roles.check_no_shared_memory(one, two)


def test_the_critic_has_five_turns_for_each_of_the_students():
    turns = [stage().role_at(step) for step in range(12)]
    assert turns == (["fake_score"] * 5 + ["student"]) * 2


@pytest.mark.parametrize("role", ["student", "fake_score"])
def test_each_turn_trains_its_own_role_alone(role):
    made = stage()
    loss, _ = made.loss(role, batch(), draws())
    loss.backward()
    moved = {
        name
        for name, module in made.modules.items()
        if any(p.grad is not None and p.grad.any() for p in module.parameters())
    }
    assert moved == {role} and not any(p.grad is not None for p in made.modules[role].track_head.parameters())


def test_a_student_whose_critic_agrees_with_the_unguided_teacher_is_left_alone():
    made = DistillStage(model(seed=1), model(seed=2), DistillRecipe(guidance=guidance.NO_GUIDANCE))
    clip = steps.rollout_clip(made.modules["student"], batch(), rng()).detach()
    assert made.gradient(clip, batch(), rng()).abs().max() == 0, "the fake score begins as the teacher's copy"


def test_the_critic_learns_the_students_clips():
    torch.manual_seed(0)
    made = stage(critic_steps=5)
    optimizer = torch.optim.AdamW(made.modules["fake_score"].parameters(), lr=2e-3)
    first, last = [], []
    for step in range(40):
        loss, _ = made.loss("fake_score", batch(), draws(step % 4))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        (first if step < 4 else last if step >= 36 else []).append(loss.item())
    assert np.mean(last) < 0.8 * np.mean(first)


def test_a_teacher_of_another_kind_is_refused():
    with pytest.raises(ValueError, match="expected motion"):
        DistillStage(model(IDS), model(TINY), DistillRecipe())


# teacher and causal init


@BOTH
@pytest.mark.parametrize("phase", [1, 2])
def test_the_teacher_learns_one_batch(config, phase):
    net = model(config)
    made = teacher.TeacherStage(net, teacher.TeacherRecipe(phase=phase), validation_data=Clips())
    head = net.track_head.conv.weight.clone()
    optimizer = torch.optim.AdamW([p for p in net.parameters() if p.requires_grad], lr=3e-3)
    before = made.validate(made.modules, rng())
    for step in range(90):
        optimizer.zero_grad()
        made.loss("teacher", batch(), draws(step))[0].backward()
        optimizer.step()
    after = made.validate(made.modules, rng())
    assert after["x0_mse_0.7"] < 0.95 * before["x0_mse_0.7"]
    assert torch.equal(head, net.track_head.conv.weight) == (phase == 2), "phase 2 freezes the track head"


def test_phase_2_hides_whole_chunks_between_first_and_last_and_nothing_else():
    net, data = model(), batch(size=64)
    motion, none = net.motion(data, rng()), net.no_motion(data)
    made = teacher.mask_motion(net, data, motion, teacher.TeacherRecipe(phase=2, motion_dropout=0.0), rng())
    gone = (made == none).flatten(3).all(-1).all(1) & ~(motion == none).flatten(3).all(-1).all(1)
    assert not gone[:, :4].any() and not gone[:, 7:].any()
    assert torch.equal(gone[:, 4], gone[:, 6])
    assert 0.05 < gone[:, 4].float().mean() < 0.4
    untouched = ~gone
    assert torch.equal(made.transpose(1, 2)[untouched], motion.transpose(1, 2)[untouched])


def test_tracks_are_hidden_from_the_teacher_at_random():
    data = batch(size=8)
    data["visible"] = torch.ones(8, 37, 200, dtype=torch.bool)
    seen = teacher.drop_tracks(data, (0.4, 1.0), rng())["visible"]
    assert torch.equal(seen, seen[:, :1].expand_as(seen)), "a track is told of as a whole"
    share = seen[:, 0].float().mean(-1)
    assert share.min() > 0.3 and share.std() > 0.05


def test_a_trajectory_runs_from_noise_to_its_end_through_the_students_levels(tmp_path):
    net = model().eval()
    folder = trajectories.write_trajectories(
        net,
        Clips(),
        tmp_path / "t",
        1,
        batch=2,
        steps=6,
        shift=TINY.rolling.shift,
        guidance=guidance.Guidance(),
        causal=False,
        seed=0,
        progress=lambda _: None,
    )
    data = trajectories.Trajectories(folder, sigma_schedule(TINY.sampler.steps, TINY.rolling.shift)).batch(
        np.random.default_rng(0), 3
    )
    assert data["states"].shape == (3, TINY.sampler.steps, 16, 10, 4, 4)
    assert float(data["states"][:, 0, :, 1:].std()) == pytest.approx(1, abs=0.1), "the first state is noise"
    torch.testing.assert_close(
        data["states"][:, :, :, :1],
        data["ends"][:, None, :, :1].expand(-1, TINY.sampler.steps, -1, -1, -1, -1),
    )
    distance = [(data["states"][:, k] - data["ends"]).square().mean() for k in range(TINY.sampler.steps)]
    assert distance[0] > distance[1] > distance[2]


def test_the_autoregressive_teachers_chunks_stand_behind_the_real_clip(tmp_path):
    net = model().eval()
    folder = trajectories.write_trajectories(
        net,
        Clips(),
        tmp_path / "t",
        1,
        batch=2,
        steps=4,
        shift=TINY.rolling.shift,
        guidance=guidance.NO_GUIDANCE,
        causal=True,
        seed=0,
        progress=lambda _: None,
    )
    data = trajectories.Trajectories(folder, sigma_schedule(TINY.sampler.steps, TINY.rolling.shift)).batch(
        np.random.default_rng(0), 2
    )
    assert not torch.equal(data["latents"], data["ends"])
    real = batch(2)["latents"]
    assert min(float((data["latents"][0] - clip).abs().max()) for clip in real) < 0.01


def test_trajectories_of_other_noise_levels_are_refused(tmp_path):
    net = model().eval()
    folder = trajectories.write_trajectories(
        net,
        Clips(),
        tmp_path / "t",
        1,
        batch=1,
        steps=3,
        shift=TINY.rolling.shift,
        guidance=guidance.NO_GUIDANCE,
        causal=False,
        seed=0,
        progress=lambda _: None,
    )
    with pytest.raises(ValueError, match="student's levels"):
        trajectories.Trajectories(folder, (1.0, 0.5))
    with pytest.raises(ValueError, match="got none"):
        trajectories.Trajectories(tmp_path / "empty", (1.0, 0.5))


def test_trajectories_of_another_teacher_or_guidance_are_not_mixed(tmp_path):
    def write(seed, weights):
        trajectories.write_trajectories(
            model(seed=seed).eval(),
            Clips(),
            tmp_path,
            1,
            batch=1,
            steps=3,
            shift=TINY.rolling.shift,
            guidance=weights,
            causal=False,
            seed=0,
            progress=lambda _: None,
        )

    write(0, guidance.NO_GUIDANCE)
    write(0, guidance.NO_GUIDANCE)
    with pytest.raises(ValueError, match="files are of other teacher"):
        write(1, guidance.NO_GUIDANCE)
    with pytest.raises(ValueError, match="files are of other guidance"):
        write(0, guidance.Guidance())
    next(tmp_path.glob("*.safetensors")).write_bytes(b"cut off")
    with pytest.raises(
        ValueError, match="expected trajectories .safetensors., got a file that cannot be read"
    ):
        trajectories.Trajectories(tmp_path, sigma_schedule(TINY.sampler.steps, TINY.rolling.shift))


def test_a_full_disk_leaves_the_trajectories_that_are_there(tmp_path):
    def write(count):
        trajectories.write_trajectories(
            model().eval(),
            Clips(),
            tmp_path,
            count,
            batch=1,
            steps=2,
            shift=TINY.rolling.shift,
            guidance=guidance.NO_GUIDANCE,
            causal=False,
            seed=0,
            progress=lambda _: None,
        )

    write(1)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with (
        limited(len(next(iter(before.values()))) // 2),
        pytest.raises(
            OSError, match=r"0000_00001.safetensors: could not be written .*; 1 of 3 files are there"
        ),
    ):
        write(3)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("start", ["ode", "ar"])
def test_causal_init_learns_under_changing_sinks_and_windows(start, tmp_path):
    net = model()
    source = Clips()
    if start == "ode":
        folder = trajectories.write_trajectories(
            model(seed=9).eval(),
            Clips(),
            tmp_path,
            1,
            batch=2,
            steps=4,
            shift=TINY.rolling.shift,
            guidance=guidance.Guidance(),
            causal=False,
            seed=0,
            progress=lambda _: None,
        )
        source = trajectories.Trajectories(folder, sigma_schedule(TINY.sampler.steps, TINY.rolling.shift))
    made = causal_init.CausalInitStage(
        net, causal_init.CausalInitRecipe(start=start), validation_data=Clips()
    )
    optimizer = torch.optim.AdamW([p for p in net.parameters() if p.requires_grad], lr=3e-3)
    seen = []
    for step in range(40):
        loss, _ = made.loss("student", source.batch(np.random.default_rng(0), 2), draws(step))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        seen.append(loss.item())
    assert np.mean(seen[-5:]) < 0.9 * np.mean(seen[:5])


# a distribution that can be checked


class OneNumber(nn.Module):
    """A generator of one number: mean + spread * noise."""

    def __init__(self):
        super().__init__()
        self.mean, self.log_spread = nn.Parameter(torch.tensor(-2.0)), nn.Parameter(torch.tensor(1.0))

    def forward(self, noise):
        return self.mean + self.log_spread.exp() * noise


def clean_guess(noisy, sigma, mean, spread):
    """E[x0 | noisy] for x0 ~ N(mean, spread^2) under the rectified flow: what a perfect score network
    predicts.
    """
    gain = (1 - sigma) * spread**2 / ((1 - sigma) ** 2 * spread**2 + sigma**2)
    return mean + gain * (noisy - (1 - sigma) * mean)


def test_distribution_matching_moves_a_generator_onto_its_teacher_in_mean_and_in_spread():
    generator, target = OneNumber(), (1.5, 0.5)
    optimizer, seeded = torch.optim.Adam(generator.parameters(), lr=0.05), rng()
    for _ in range(400):
        x0 = generator(torch.randn(256, 1, 1, 1, 1, generator=seeded))
        sigma = losses.score_sigma(256, 5.0, seeded).view(-1, 1, 1, 1, 1)
        with torch.no_grad():
            noisy = add_noise(x0, torch.randn(x0.shape, generator=seeded), sigma.view(-1, 1))
            fake = clean_guess(noisy, sigma, x0.mean(), x0.std())
            real = clean_guess(noisy, sigma, *target)
            gradient = losses.dmd_gradient(*(value.view(1, -1) for value in (x0, real, fake))).view_as(x0)
        optimizer.zero_grad()
        losses.dmd_loss(x0, gradient).backward()
        optimizer.step()
    assert generator.mean.item() == pytest.approx(target[0], abs=0.15)
    assert generator.log_spread.exp().item() == pytest.approx(target[1], abs=0.15)
