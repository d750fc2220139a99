"""Fast paths beside their plain twins: swapped in while the stream runs, never with another output; a steady chunk keeps no new memory."""

import gc
import threading

import pytest
import torch
from core.small import drag, picture, small_networks

from motionstream_core.model.attention import available_backends, check_backend, sdpa
from motionstream_core.model.cache import CacheShape
from motionstream_core.model.fast import FastDiT, copied, faster, steady, verdict
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
