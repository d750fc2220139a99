"""Fast paths beside their plain twins: swapped in while the stream runs, never with another output; a steady chunk keeps no new memory."""

import gc
import threading

import pytest
import torch
from core.small import drag, picture, small_networks

from motionstream_core.model.attention import available_backends, check_backend, sdpa
from motionstream_core.model.cache import CacheShape
from motionstream_core.model.fast import FastDiT, copied, faster, steady, verdict
from motionstream_core.model.linear import FeedForward, Linear, by_onednn, onednn_here
from motionstream_core.model.rope import Rope, rotate
from motionstream_core.streaming.rollout import rollout
from motionstream_core.streaming.stream import stream

CPU = torch.device("cpu")


def latents(dit, chunks, between=lambda index: None):
    made = rollout(
        dit, first_latent=torch.zeros(1, 16, 1, 4, 4), motion=lambda start, count: torch.full((1, 40, count, 4, 4), 0.1), text=dit.encode_text(torch.ones(1, 4, 8)),
        shape=(4, 4), sigmas=(1.0, 0.6), cache=dit.make_cache(4, 4), rng=torch.Generator().manual_seed(5), chunks=chunks,
    )  # fmt: skip
    out = []
    with torch.no_grad():
        for chunk in made:
            out.append(chunk.latents)
            between(chunk.index)
    return torch.cat(out, dim=2)


def test_the_compiled_forward_is_swapped_in_while_the_stream_runs_and_changes_nothing():
    dit = small_networks().dit
    fast = faster(dit, "compile", backend="aot_eager")
    states = []

    def between(index):
        if index == 4:
            fast.way.join(120)
        states.append(fast.state)

    got = latents(fast, 8, between)
    assert states[0] == "plain" and states[-1] == "fast", states
    assert torch.allclose(got, latents(dit, 8), atol=1e-4)


def test_nothing_is_compiled_in_the_stream_once_the_swap_is_done():
    threads = []

    def compiler(graph, inputs):
        threads.append(threading.current_thread().name)
        return graph.forward

    fast = faster(small_networks().dit, "compile", backend=compiler)
    latents(fast, 12, lambda index: fast.way.join(120))
    assert fast.state == "fast" and set(threads) == {"motionstream-compile"}, threads


def test_a_compiler_that_fails_is_told_and_the_stream_goes_on():
    dit = small_networks().dit
    fast = faster(dit, "compile", backend="aot_eager")

    def fails(*arguments):
        raise RuntimeError("no compiler here")

    fast.way._compiled = fails
    got = latents(fast, 8, lambda index: fast.way.join(60))
    assert fast.state.startswith("plain: the compiler failed") and torch.equal(got, latents(dit, 8))


def test_a_fast_path_with_another_output_is_never_taken():
    dit = small_networks().dit
    fast = faster(dit, "compile", backend="aot_eager")
    fast.way._compiled = lambda x, *rest: dit(x, *rest[:3]) + 1.0
    got = latents(fast, 8, lambda index: fast.way.join(60))
    assert "away" in fast.state and torch.equal(got, latents(dit, 8))
    assert verdict(torch.ones(3), torch.tensor([1.0, 1.0, 1.0])) == "fast"


def test_the_switch_is_off_by_default_and_guarded():
    dit = small_networks().dit
    assert faster(dit, "off") is dit and isinstance(faster(dit, "compile", backend="eager"), FastDiT)
    with pytest.raises(ValueError, match="CUDA device for graphs"):
        faster(dit, "graphs")
    with pytest.raises(ValueError, match="expected one of off, compile, graphs"):
        faster(dit, "warp")


def test_a_copy_of_a_cache_goes_its_own_way():
    dit = small_networks().dit
    cache, text = dit.make_cache(4, 4, shape=CacheShape(2, 1, 2)), dit.encode_text(torch.ones(1, 4, 8))
    x, time = torch.randn(1, 56, 2, 4, 4), torch.zeros(1, 2)
    with torch.no_grad():
        while not steady(cache, 2):
            dit(x, time, text, cache, commit=True)
        other = copied(cache)
        before = dit(x, time, text, other)
        dit(x + 1, time, text, cache, commit=True)
        assert torch.equal(dit(x, time, text, other), before) and not torch.equal(dit(x, time, text, cache), before)
    assert not steady(cache, 1)


def test_attention_backends_are_gated_by_their_output():
    assert check_backend("sdpa", 2, 16, CPU, torch.float32) == 0
    with pytest.raises(ValueError, match="expected an error of at most"):
        check_backend(lambda q, k, v, heads: sdpa(q, k, v, heads) * 1.5, 2, 16, CPU, torch.float32)
    with pytest.raises(ValueError, match="expected an error of at most"):
        check_backend(lambda q, k, v, heads: sdpa(q, k, v, heads) * float("nan"), 2, 16, CPU, torch.float32)
    for name in {"xformers", "sage"} - set(available_backends()):
        with pytest.raises(ValueError, match="attention backend: expected one of"):
            check_backend(name, 2, 16, CPU, torch.float32)


def test_a_clean_pass_without_output_leaves_the_same_context():
    dit = small_networks().dit
    caches, text = [dit.make_cache(4, 4) for _ in range(2)], dit.encode_text(torch.ones(1, 4, 8))
    with torch.no_grad():
        for _ in range(4):
            x = torch.randn(1, 56, 2, 4, 4)
            outs = [dit(x, torch.zeros(1, 2), text, cache, commit=True, output=cache is caches[0]) for cache in caches]
            assert outs[0].shape == (1, 32, 2, 4, 4) and outs[1].numel() == 0
            assert torch.equal(dit(x + 1, torch.ones(1, 2), text, caches[0]), dit(x + 1, torch.ones(1, 2), text, caches[1]))
    with pytest.raises(ValueError, match="commits nothing"):
        dit(x, torch.zeros(1, 2), text, caches[0], output=False)


def test_a_training_cache_gets_the_same_context_and_gradients_without_output():
    dit = small_networks().dit
    text, found = dit.encode_text(torch.ones(1, 4, 8)), []
    for output in (True, False):
        cache, x = dit.make_grad_cache(4, 4), torch.ones(1, 56, 2, 4, 4, requires_grad=True)
        dit(x, torch.zeros(1, 2), text, cache, commit=True, output=output)
        dit(torch.ones(1, 56, 2, 4, 4), torch.ones(1, 2), text, cache).square().sum().backward()
        found.append(x.grad)
    assert found[0].abs().max() > 0 and torch.equal(*found)


@pytest.mark.skipif(not onednn_here(), reason="oneDNN is not the other way here")
@pytest.mark.parametrize("shape", [(5, 24), (1, 3, 7, 24), (2, 40, 24)])
def test_a_linear_and_a_feed_forward_by_onednn_are_the_plain_ones(shape):
    torch.manual_seed(0)
    linear, feed, x = Linear(24, 40), FeedForward(24, 64), torch.randn(shape)
    for layer in (linear, feed):
        plain = layer(x)
        with torch.no_grad():
            assert by_onednn(linear, x)
            assert plain.requires_grad and torch.allclose(layer(x), plain, atol=1e-5)
    strided = torch.randn(3, 48, 5).transpose(1, 2)[..., ::2]
    with torch.no_grad():
        assert torch.allclose(linear(strided), torch.nn.functional.linear(strided, linear.weight, linear.bias), atol=1e-5)


def test_onednn_stays_away_from_the_tape_from_autocast_and_from_other_types():
    layer, x = Linear(8, 8), torch.randn(2, 8)
    assert not by_onednn(layer, x)
    with torch.no_grad():
        assert not by_onednn(layer, x.bfloat16()) and not by_onednn(torch.nn.Linear(8, 8), x)
        with torch.autocast("cpu"):
            assert not by_onednn(layer, x) and layer(x).dtype == torch.bfloat16


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_rotation_by_complex_numbers_is_the_plain_one(dtype):
    rope = Rope(16, (3, 4))
    x = torch.randn(2, 24, 32).to(dtype)
    with torch.no_grad():
        got = rope.rotate(x, (2, 5))
    assert got.dtype == dtype and torch.allclose(got, rotate(x, rope.table((2, 5))), atol=1e-6 if dtype == torch.float32 else 1e-2)
    assert not torch.allclose(got, x)


def held_bytes() -> int:
    gc.collect()
    storages = {}
    for thing in gc.get_objects():
        if type(thing) in (torch.Tensor, torch.nn.Parameter):
            storages[thing.untyped_storage().data_ptr()] = thing.untyped_storage().nbytes()
    return sum(storages.values())


def test_a_steady_chunk_keeps_no_new_memory():
    made = small_networks()
    sizes = []
    for chunk in stream(made, picture(), drag(9), "", None, 3, fit="hold"):
        index = chunk.index
        del chunk
        if index in (6, 9, 15):
            sizes.append(held_bytes())
        if index == 15:
            break
    assert sizes[0] > 0 and sizes[0] == sizes[1] == sizes[2], sizes
