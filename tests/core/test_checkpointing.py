"""Activations computed again in the backward pass: the same loss and the same gradients, in less memory,
behind a cache that has gone on.
"""

import pytest
import torch
from core.small import small_config
from torch import nn

from motionstream_core.model.cache import CacheShape
from motionstream_core.model.context import rolling_context
from motionstream_core.model.dit import WanDiT

CONFIG = small_config()


def network():
    torch.manual_seed(0)
    net = WanDiT(CONFIG)
    nn.init.normal_(net.head.head.weight, std=0.1)
    return net


def stream_gradients(checkpointing, detached):
    """Five chunks against a rolling cache, each committed in turn: loss and all gradients."""
    net = network()
    for block in net.blocks:
        block.checkpointing = checkpointing
    rng = torch.Generator().manual_seed(1)
    text = net.encode_text(torch.randn(2, 4, CONFIG.text_dim, generator=rng))
    cache = net.make_grad_cache(4, 4, shape=CacheShape(2, 1, 2), detached=detached)
    loss = torch.zeros(())
    for _ in range(5):
        x = torch.randn(2, CONFIG.in_channels, 2, 4, 4, generator=rng)
        loss = loss + net(x, torch.full((2, 2), 500.0), text, rolling_context(cache)).square().mean()
        net(x, torch.zeros(2, 2), text, rolling_context(cache, write=True))
    loss.backward()
    return loss, {name: p.grad for name, p in net.named_parameters()}


@pytest.mark.parametrize("detached", [False, True])
def test_gradients_are_those_of_activations_that_were_kept(detached):
    loss, kept = stream_gradients(False, detached)
    again, recomputed = stream_gradients(True, detached)
    assert torch.equal(loss, again) and kept.keys() == recomputed.keys()
    for name, gradient in kept.items():
        torch.testing.assert_close(recomputed[name], gradient, atol=1e-6, rtol=1e-4, msg=name)
    assert float(kept["blocks.0.self_attn.k.weight"].abs().max()) > 1e-4


def test_gradients_come_back_through_the_cache():
    _, through = stream_gradients(True, False)
    _, cut = stream_gradients(True, True)
    assert (through["blocks.0.self_attn.k.weight"] - cut["blocks.0.self_attn.k.weight"]).abs().max() > 1e-5


def test_less_is_kept_for_the_backward_pass():
    def kept(checkpointing):
        net, sizes = network(), []
        for block in net.blocks:
            block.checkpointing = checkpointing
        text = net.encode_text(torch.zeros(1, 4, CONFIG.text_dim)).detach()
        with torch.autograd.graph.saved_tensors_hooks(lambda x: (sizes.append(x.numel()), x)[1], lambda x: x):
            net(
                torch.randn(1, CONFIG.in_channels, 2, 4, 4),
                torch.zeros(1, 2),
                text,
                rolling_context(net.make_grad_cache(4, 4)),
            )
        return sum(sizes)

    assert kept(True) < 0.5 * kept(False)


def test_a_cache_and_its_copy_go_their_own_ways():
    net = network()
    text = net.encode_text(torch.zeros(1, 4, CONFIG.text_dim))
    cache = net.make_grad_cache(4, 4)
    x = torch.randn(1, CONFIG.in_channels, 2, 4, 4)
    net(x, torch.zeros(1, 2), text, rolling_context(cache, write=True))
    before, other = net(x, torch.zeros(1, 2), text, rolling_context(cache)), cache.copy()
    net(2 * x, torch.zeros(1, 2), text, rolling_context(cache, write=True))
    assert torch.equal(net(x, torch.zeros(1, 2), text, rolling_context(other)), before) and not torch.equal(
        net(x, torch.zeros(1, 2), text, rolling_context(cache)), before
    )
