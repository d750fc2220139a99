"""The noise schedule and what predictions stand for."""

import pytest
import torch

from motionstream_core.sampling.flow import add_noise, sigma_schedule, to_x0


def test_three_steps_with_shift_six_are_the_known_levels():
    assert sigma_schedule(3, 6.0) == pytest.approx((1.0, 12 / 13, 0.75))


def test_three_steps_with_shift_five_are_the_known_levels():
    assert sigma_schedule(3, 5.0) == pytest.approx((1.0, 1000 / 1100, 5 / 7))


def test_the_true_velocity_gives_back_the_clean_latent():
    x0, noise = torch.randn(2, 4, 3, 2, 2), torch.randn(2, 4, 3, 2, 2)
    for sigma in (0.7, torch.rand(2, 3)):
        x = add_noise(x0, noise, sigma)
        assert torch.allclose(to_x0(noise - x0, x, sigma, "velocity"), x0, atol=1e-6)


def test_an_untrained_gated_head_copies_the_warp():
    warp = torch.randn(1, 4, 3, 2, 2)
    x0 = to_x0(torch.zeros(1, 8, 3, 2, 2), torch.randn_like(warp), 1.0, "gated_x0", warp)
    assert torch.allclose(x0, torch.sigmoid(torch.tensor(3.0)) * warp)


def test_a_gated_prediction_without_a_warp_is_refused():
    with pytest.raises(ValueError, match="warp latent"):
        to_x0(torch.zeros(1, 8, 1, 2, 2), torch.zeros(1, 4, 1, 2, 2), 1.0, "gated_x0")


def test_an_unknown_prediction_is_refused_by_name():
    with pytest.raises(ValueError, match="'epsilon'"):
        to_x0(torch.zeros(1), torch.zeros(1), 1.0, "epsilon")


@pytest.mark.parametrize(("steps", "shift"), [(0, 5.0), (3, 0.0)])
def test_a_schedule_needs_a_step_and_a_positive_shift(steps, shift):
    with pytest.raises(ValueError, match="expected steps"):
        sigma_schedule(steps, shift)
