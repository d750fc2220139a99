"""Draws and loss of the moving buffer, and the batched Muon."""

import pytest
import torch

from motionstream_core.training.buffer import (
    PARTITIONS,
    draw_levels,
    draw_partition,
    draw_single,
    slot_levels,
    weighted_error,
)
from motionstream_core.training.engine import optim
from motionstream_core.training.muon import BatchedMuon, orthogonalised


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("chunk", [1, 2, 4])
def test_each_chunk_is_drawn_in_its_own_segment(chunk):
    levels = draw_levels(400, 8, chunk, rng())
    count = 8 // chunk
    chunks = levels.view(400, count, chunk)
    assert torch.equal(chunks, chunks[..., :1].expand_as(chunks))
    place = chunks[..., 0] * count - torch.arange(count)
    assert place.min() >= 0 and place.max() <= 1
    assert abs(float(place.mean()) - 0.5) < 0.03
    same = (place - place[:, :1]).abs().amax(1) < 1e-4
    assert 0.4 < float(same.float().mean()) < 0.6
    assert (levels[:, 0] <= levels[:, -1]).all()  # the oldest is the cleanest


def test_one_chunk_is_plain_flow_matching():
    levels = draw_levels(500, 8, 8, rng())
    assert torch.equal(levels, levels[:, :1].expand_as(levels))
    assert 0 <= levels.min() < 0.05 and 0.95 < levels.max() <= 1


def test_a_shift_moves_even_levels_towards_noise():
    levels = draw_single(4000, rng(), uniform=1.0, shift=3.0)
    for edge in (0.5, 0.8, 0.9):  # sigma = 3 u / (1 + 2 u), so u = sigma / (3 - 2 sigma)
        assert abs(float((levels > edge).float().mean()) - (1 - edge / (3 - 2 * edge))) < 0.03
    plain = draw_levels(50, 8, 8, rng(1))
    assert torch.equal(plain, draw_levels(50, 8, 8, rng(1), shift=1.0))
    assert (draw_levels(50, 8, 8, rng(1), shift=3.0) >= plain).all()


def test_partitions_come_by_their_shares():
    source = rng()
    drawn = [draw_partition(source) for _ in range(2000)]
    for chunk, share in PARTITIONS.items():
        assert abs(drawn.count(chunk) / 2000 - share) < 0.04
    assert sum(PARTITIONS.values()) == pytest.approx(1)


def test_a_chunk_must_divide_the_buffer():
    with pytest.raises(ValueError, match="divisor of 8"):
        draw_levels(1, 8, 3, rng())


def test_slots_of_a_streaming_buffer():
    assert slot_levels(8, 2).tolist() == [0.125, 0.125, 0.375, 0.375, 0.625, 0.625, 0.875, 0.875]


def test_the_error_counts_cells_by_weight():
    velocity, target = torch.zeros(1, 2, 1, 1, 2), torch.tensor([1.0, 3.0]).expand(1, 2, 1, 1, 2)
    assert float(
        weighted_error(velocity, target, torch.tensor([3.0, 1.0]).view(1, 1, 1, 1, 2))
    ) == pytest.approx((3 * 1 + 9) / 4)


def test_batched_updates_are_those_of_one_matrix():
    for shape in ((16, 32), (32, 16), (24, 24)):
        g = torch.randn(3, *shape, generator=rng())
        for one, made in zip(g, orthogonalised(g)):
            assert torch.allclose(made, optim.orthogonalised(one), atol=1e-4)


def test_the_optimiser_is_the_plain_one():
    def network():
        torch.manual_seed(0)
        return torch.nn.Sequential(torch.nn.Linear(16, 32), torch.nn.Linear(32, 16))

    a, b = network(), network()
    plain = optim.MuonAdamW(a, lr=0.02, adam_lr=0.01)
    batched = BatchedMuon(b.named_parameters(), 0.02, 0.01, is_matrix=lambda name, p: p.ndim == 2)
    x = torch.randn(8, 16, generator=rng())
    for net, optimizer in ((a, plain), (b, batched)):
        for _ in range(3):
            optimizer.zero_grad()
            (net(x) - x).square().mean().backward()
            optimizer.step()
    for one, other in zip(a.parameters(), b.parameters()):
        assert torch.allclose(one, other, atol=1e-3)
