"""Training at tiny sizes: the loss falls, the stream of training is the stream of inference, faults are
named.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch

from motionstream_core.model.presets import PRESETS
from motionstream_core.training.engine.learner import MUON_LEAVES
from motionstream_core.training.engine.optim import MuonAdamW, orthogonalised
from motionstream_core.training.engine.stage import Draws, TrainConfig
from motionstream_core.training.methods.causal import CausalRecipe, draw_sigma, stream_loss
from motionstream_core.training.methods.roles import MotionModel

TINY = replace(PRESETS["tiny"], dim=48, ffn_dim=64, num_heads=2, num_layers=2)
IDS = replace(PRESETS["tiny-ids"], dim=48, ffn_dim=64, num_heads=2, num_layers=2)


def batch(size=4, seed=0):
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


@pytest.mark.parametrize("config", [TINY, IDS], ids=["warp", "ids"])
def test_the_loss_falls_on_one_batch(config):
    torch.manual_seed(0)
    student, recipe = MotionModel(config), CausalRecipe()
    optim = MuonAdamW(student, lr=0.02, adam_lr=3e-3, adam_names=MUON_LEAVES)

    def validation():
        with torch.no_grad():
            return float(stream_loss(student, batch(), Draws.of_seed(5), recipe, sigma=1.0, own=0.0))

    before, draws = validation(), Draws.of_seed(0)
    for _ in range(25):
        optim.zero_grad()
        stream_loss(student, batch(), draws, recipe).backward()
        optim.step()
    assert validation() < 0.8 * before


def test_every_parameter_of_the_student_learns_from_a_long_stream():
    torch.manual_seed(0)
    student = MotionModel(TINY)
    torch.nn.init.normal_(student.dit.head.head.weight, std=0.02)
    stream_loss(
        student,
        batch(),
        Draws.of_seed(0),
        CausalRecipe(long_share=1.0, text_dropout=0.0, cut_share=0.0),
    ).backward()
    silent = [name for name, p in student.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert silent == []


def test_a_fresh_student_copies_the_warp():
    torch.manual_seed(0)
    student, data = MotionModel(TINY), batch()
    with torch.no_grad():
        loss = float(stream_loss(student, data, Draws.of_seed(0), CausalRecipe(), sigma=1.0, own=0.0))
    gate = torch.sigmoid(torch.tensor(3.0))
    expected = float((gate * data["warp"][:, :, 1:] - data["latents"][:, :, 1:]).square().mean())
    assert loss == pytest.approx(expected, rel=1e-4)


def test_noise_levels_are_those_of_the_rollout_or_anything_between():
    rng = torch.Generator().manual_seed(0)
    few = draw_sigma(rng, 2000, TINY, 1.0)
    assert len(few.unique()) == TINY.sampler.steps and few.max() == 1
    free = draw_sigma(rng, 2000, TINY, 0.0)
    assert 0.6 <= free.min() < 0.65 and free.max() <= 1 and len(free.unique()) > 1900


def test_orthogonalised_matrices_have_singular_values_near_one():
    g = torch.randn(24, 60, generator=torch.Generator().manual_seed(0))
    values = torch.linalg.svdvals(orthogonalised(g))
    assert 0.5 < values.min() and values.max() < 1.4


def test_the_learning_rate_rises_holds_and_falls_to_zero():
    config = TrainConfig(lr={}, steps=100, warmup=4, decay=0.4)
    assert [config.lr_factor(step, 0.0) for step in (0, 3, 50, 60)] == [0.25, 1.0, 1.0, 1.0]
    assert config.lr_factor(80, 0.0) == pytest.approx(0.5) and config.lr_factor(100, 0.0) == 0.0


def test_a_pool_reads_what_the_writer_wrote(tmp_path):
    pytest.importorskip("cv2")
    from motionstream_core.codec.tiny import CodecConfig, TinyCodec
    from motionstream_core.training.data import shards
    from motionstream_core.training.data.world import random_scene, render

    codec, rng = TinyCodec(CodecConfig(encoder=(8, 8, 12), decoder=(12, 8, 8, 8))), np.random.default_rng(0)
    sprites = np.full((1, 96, 96, 4), 255, np.uint8)
    clip = render(random_scene(rng, [], sprites, ["box"]), rng)
    sample = shards.make_sample(codec, clip, np.arange(20))
    assert {k: v.shape for k, v in sample.items()} == {
        "latents": (16, 10, 16, 16),
        "warp": (16, 10, 16, 16),
        "masks": (8, 10, 16, 16),
        "xy": (37, 256, 2),
        "visible": (37, 256),
        "tokens": (16,),
    }
    assert not sample["visible"][:, 20:].any()
    np.testing.assert_allclose(sample["warp"][:, 0], sample["latents"][:, 0], atol=0.02)
    np.savez(tmp_path / "0001_00000.npz", **{k: np.stack([v] * shards.SHARD) for k, v in sample.items()})
    drawn = shards.Pool(tmp_path).batch(rng, 3)
    assert (
        drawn["latents"].shape == (3, 16, 10, 16, 16)
        and drawn["masks"].max() <= 1
        and drawn["tokens"].dtype == torch.int64
    )
