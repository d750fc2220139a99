"""One denoising step, for noise levels of every shape."""

import pytest
import torch
from reference import small_model, small_text

from motionstream_core.model.context import FullContext, bidirectional_context, rolling_context
from motionstream_core.sampling.step import euler_step, predict_x0, write_context


@pytest.fixture(scope="module")
def model():
    return small_model("tiny-ids")


@torch.no_grad()
def test_a_level_means_the_same_for_a_clip_a_frame_and_a_cell(model):
    x, motion, text = torch.randn(2, 16, 3, 4, 4), torch.randn(2, 32, 3, 4, 4), small_text(model)
    made = [
        predict_x0(model, x, sigma, motion, text, FullContext())
        for sigma in (0.5, torch.full((3,), 0.5), torch.full((2, 3), 0.5), torch.full((1, 1, 3, 4, 4), 0.5))
    ]
    assert made[0].std() > 0.1 and all(torch.allclose(each, made[0], atol=1e-6) for each in made[1:])


@torch.no_grad()
def test_frames_of_a_buffer_may_each_have_a_level_of_their_own(model):
    x, motion, text = torch.randn(1, 16, 3, 4, 4), torch.randn(1, 32, 3, 4, 4), small_text(model)
    sigma, later = torch.tensor([0.25, 0.5, 1.0]), torch.tensor([0.0, 0.25, 0.5])
    x0 = predict_x0(model, x, sigma, motion, text, FullContext())
    moved = euler_step(x, x0, sigma, later)
    assert torch.equal(moved[:, :, 0], x0[:, :, 0])
    for frame in range(3):
        alone = euler_step(x, x0, float(sigma[frame]), float(later[frame]))
        assert torch.allclose(moved[:, :, frame], alone[:, :, frame], atol=1e-6)


@torch.no_grad()
def test_a_written_context_is_seen_and_a_read_one_is_left_as_it_was(model):
    x, motion, text = torch.randn(1, 16, 1, 4, 4), torch.randn(1, 32, 1, 4, 4), small_text(model)
    cache = model.make_cache(4, 4)
    alone = predict_x0(model, x, 0.5, motion, text, rolling_context(cache))
    assert torch.allclose(alone, predict_x0(model, x, 0.5, motion, text, FullContext()), atol=1e-5)
    assert cache.filled == 0
    write_context(model, x, motion, text, rolling_context(cache, write=True, output=False))
    assert cache.filled == 1
    assert not torch.allclose(predict_x0(model, x, 0.5, motion, text, rolling_context(cache)), alone)


def test_a_context_without_a_cache_stores_nothing(model):
    with pytest.raises(ValueError, match="expected a cache to write into"):
        bidirectional_context(model.config).store(0, torch.zeros(1), torch.zeros(1))
