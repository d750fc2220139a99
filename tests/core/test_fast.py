"""Fast paths beside their plain twins: swapped in while the stream runs, never with another output; a steady
chunk keeps no new memory.
"""

import gc
import threading
import weakref
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from core import replayed
from core.small import drag, picture, small_config, small_networks, stream

from motionstream_core.model import compiled as fast_module
from motionstream_core.model.attention import available_backends, check_backend, sdpa
from motionstream_core.model.cache import CacheShape
from motionstream_core.model.compiled import (
    FastDiT,
    Graphed,
    accelerate,
    compare_outputs,
    copy_cache,
    is_cache_full,
)
from motionstream_core.model.context import rolling_context
from motionstream_core.model.dit import WanDiT
from motionstream_core.model.fp8 import fp8_linear, plain_product, quantise
from motionstream_core.model.linear import FeedForward, Linear, by_onednn, onednn_here
from motionstream_core.model.rope import Rope, rotate
from motionstream_core.sampling.rollout import rollout

CPU = torch.device("cpu")


def latents(dit, chunks, between=lambda index: None):
    made = rollout(
        dit,
        first_latent=torch.zeros(1, 16, 1, 4, 4),
        motion=lambda start, count: torch.full((1, 40, count, 4, 4), 0.1),
        text=dit.encode_text(torch.ones(1, 4, 8).to(dit.device)),
        shape=(4, 4),
        sigmas=(1.0, 0.6),
        cache=dit.make_cache(4, 4),
        rng=torch.Generator().manual_seed(5),
        chunks=chunks,
    )
    out = []
    with torch.no_grad():
        for chunk in made:
            out.append(chunk.latents)
            between(chunk.index)
    return torch.cat(out, dim=2)


def test_the_compiled_forward_is_swapped_in_while_the_stream_runs_and_changes_nothing():
    dit = small_networks().dit
    fast = accelerate(dit, "compile", backend="aot_eager")
    states = []

    def between(index):
        if index == 4:
            fast.mode.join(120)
        states.append(fast.state)

    got = latents(fast, 8, between)
    assert states[0] == "plain" and states[-1] == "fast", states
    assert torch.allclose(got, latents(dit, 8), atol=1e-4)


def test_nothing_is_compiled_in_the_stream_once_the_swap_is_done():
    threads = []

    def compiler(graph, inputs):
        threads.append(threading.current_thread().name)
        return graph.forward

    fast = accelerate(small_networks().dit, "compile", backend=compiler)
    latents(fast, 12, lambda index: fast.mode.join(120))
    assert fast.state == "fast" and set(threads) == {"motionstream-compile"}, threads


def test_the_stream_may_go_on_in_the_middle_of_the_compilation():
    streamed = threading.Event()

    def compiler(graph, inputs):
        assert streamed.wait(60)
        return graph.forward

    fast = accelerate(small_networks().dit, "compile", backend=compiler)

    def between(index):
        if (
            fast.state == "compiling"
        ):  # a whole chunk was streamed by the plain forward while the compiler held its trace
            streamed.set()
            fast.mode.join(120)

    latents(fast, 8, between)
    assert streamed.is_set() and fast.state == "fast"


def test_a_compiler_that_fails_is_told_and_the_stream_goes_on():
    dit = small_networks().dit
    fast = accelerate(dit, "compile", backend="aot_eager")

    def fails(*arguments):
        raise RuntimeError("no compiler here")

    fast.mode._compiled = fails
    got = latents(fast, 8, lambda index: fast.mode.join(60))
    assert fast.state.startswith("plain: the compiler failed") and torch.equal(got, latents(dit, 8))


def test_a_fast_path_with_another_output_is_never_taken():
    dit = small_networks().dit
    fast = accelerate(dit, "compile", backend="aot_eager")
    fast.mode._compiled = lambda x, *rest: dit(x, *rest[:2], rolling_context(rest[2])) + 1.0
    got = latents(fast, 8, lambda index: fast.mode.join(60))
    assert "away" in fast.state and torch.equal(got, latents(dit, 8))
    assert compare_outputs(torch.ones(3), torch.tensor([1.0, 1.0, 1.0])) == "fast"


def wide_networks():
    """A network whose linears are as large as an eight-bit product takes them."""
    torch.manual_seed(0)
    made = WanDiT(replace(small_config(), dim=32, ffn_dim=64)).eval().requires_grad_(False)
    torch.nn.init.normal_(made.head.head.weight, std=0.05)
    return made


@pytest.mark.parametrize("rows", [True, False])
def test_the_eight_bit_product_is_that_of_the_scaled_values(rows):
    x, weight, bias = (
        torch.randn(24, 32) * torch.logspace(-3, 2, 24)[:, None],
        torch.randn(48, 32),
        torch.randn(48),
    )
    parts = [*quantise(x, rows), *quantise(weight, rows)]
    assert parts[0].dtype == torch.float8_e4m3fn and parts[1].shape == ((24, 1) if rows else ())
    got, plain = (function(*parts, bias, torch.float32) for function in (fp8_linear, plain_product))
    assert torch.allclose(got, plain, rtol=1e-4, atol=1e-4)
    exact = torch.nn.functional.linear(x, weight)
    error = ((got - bias - exact).abs().mean(1) / exact.std(1))[-1]
    assert 0.001 < error < 0.06


def test_a_row_scale_keeps_what_a_tensor_scale_loses():
    x = torch.randn(2, 32) * torch.tensor([[1e-6], [1e3]])
    kept = [(values.float() * scale)[0] for values, scale in (quantise(x, True), quantise(x, False))]
    assert (kept[0] - x[0]).abs().max() < 0.07 * x[0].abs().max() and kept[1].abs().max() == 0


def test_eight_bits_are_taken_once_checked_and_leave_the_weights_alone():
    dit = wide_networks()
    before = {name: value.clone() for name, value in dit.state_dict().items()}
    fast, states = accelerate(dit, "fp8"), []
    got, plain = latents(fast, 8, lambda index: states.append(fast.state)), latents(dit, 8)
    assert states[0] == "plain" and states[-1] == "fast", states
    assert not torch.equal(got, plain) and (got - plain).abs().mean() < 0.05 * plain.std()
    after = dit.state_dict()
    assert before.keys() == after.keys() and all(torch.equal(before[name], after[name]) for name in before)


def test_eight_bits_that_are_too_far_away_are_not_taken():
    dit = wide_networks()
    fast = accelerate(dit, "fp8")
    fast.mode._fast = lambda x, *rest: dit(x, *rest[:2], rolling_context(rest[2])) * 1.2
    got = latents(fast, 8)
    assert fast.state.startswith("plain: the fast output was 0.") and torch.equal(got, latents(dit, 8))


def test_eight_bits_can_be_compiled():
    dit = wide_networks()
    fast = accelerate(dit, "fp8+compile", backend="aot_eager")
    got, plain = latents(fast, 8, lambda index: fast.mode.join(120)), latents(dit, 8)
    assert (
        fast.state == "fast"
        and not torch.equal(got, plain)
        and (got - plain).abs().mean() < 0.05 * plain.std()
    )


def test_eight_bits_of_a_foreign_network_are_refused():
    with pytest.raises(ValueError, match="expected the pack's own transformer for fp8, got SimpleNamespace"):
        accelerate(SimpleNamespace(device=CPU), "fp8")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="expected a CUDA device")
@pytest.mark.parametrize("mode", ["graphs", "fp8", "fp8+graphs", "compile", "fp8+compile"])
def test_every_mode_is_taken_on_a_gpu(mode):
    dit = wide_networks().to("cuda", torch.bfloat16)
    fast = accelerate(dit, mode)
    got = latents(fast, 12, lambda index: fast.mode.join(300) if "compile" in mode else None)
    plain = latents(dit, 12)
    assert fast.state == "fast" and (got - plain).abs().mean() < 0.1 * plain.std()


@pytest.fixture
def graphs(monkeypatch):
    """A network by graphs, on the CPU's stand-in for them."""
    replayed.patch(monkeypatch)
    dit = small_networks().dit
    fast = FastDiT(dit, Graphed(dit, dit))
    monkeypatch.setattr(fast_module, "_queue_behind", lambda device: replayed.Queue())
    return dit, fast


def steered(dit) -> torch.Tensor:
    """Latents of a stream whose text changes and comes back, whose sink is refreshed, and that goes back to
    where it was.
    """
    texts = [dit.encode_text(torch.full((1, 4, 8), value)) for value in (1.0, -2.0)]
    made = rollout(
        dit,
        first_latent=torch.zeros(1, 16, 1, 4, 4),
        motion=lambda start, count: torch.full((1, 40, count, 4, 4), 0.1 * start),
        text=lambda index: texts[index // 4 % 2],
        shape=(4, 4),
        sigmas=(1.0, 0.6),
        cache=dit.make_cache(4, 4),
        rng=torch.Generator().manual_seed(5),
    )
    out = []
    with torch.no_grad():
        for chunk in made:
            out.append(chunk.latents)
            if len(out) == 7:
                kept = made.snapshot()
            if len(out) == 10:
                assert made.change_scene()
            if len(out) == 13:
                made.restore(kept)
            if len(out) == 17:
                return torch.cat(out, dim=2)
    raise AssertionError("the stream ended")


def test_a_graph_follows_prompts_refreshes_and_rewinds_without_being_captured_again(graphs):
    dit, fast = graphs
    got = steered(fast)
    graph = fast.mode._graph
    assert fast.state == "fast" and replayed.Graph.made == 1 and graph.replays > 20
    plain = steered(dit)
    assert plain.std() > 0 and torch.allclose(got, plain, atol=1e-5)


def test_another_cache_or_size_is_captured_anew_and_the_old_graph_is_let_go(graphs):
    dit, fast = graphs
    first = latents(fast, 6)
    old = weakref.ref(fast.mode._graph)
    assert torch.allclose(latents(fast, 6), first, atol=1e-5) and replayed.Graph.made == 2 and old() is None
    cache = fast.make_cache(4, 4)
    assert (
        fast.state == "plain" and fast.mode._graph is None and fast.mode._cache is None and cache.filled == 0
    )


def test_a_capture_that_fails_is_told_and_the_stream_goes_on(graphs, monkeypatch):
    dit, fast = graphs

    def refused(graph, **options):
        raise RuntimeError("operation not permitted when stream is capturing")

    monkeypatch.setattr(torch.cuda, "graph", refused)
    got = latents(fast, 8)
    assert (
        fast.state.startswith("plain: the capture failed: RuntimeError: operation not permitted")
        and replayed.Graph.made == 1
    )
    assert torch.equal(got, latents(dit, 8))


def test_a_graph_with_another_output_is_never_replayed_for_a_stream(graphs):
    dit, fast = graphs
    fast.mode._fast = lambda x, *rest: dit(x, *rest[:2], rolling_context(rest[2])) * 1.5
    assert (
        torch.equal(latents(fast, 8), latents(dit, 8))
        and fast.state.startswith("plain: the fast output was 0.")
        and replayed.Graph.made == 1
    )


def test_another_size_is_compiled_anew():
    dit = small_networks().dit
    fast = accelerate(dit, "compile", backend="eager")
    latents(fast, 8, lambda index: fast.mode.join(60))
    first = fast.mode._ready
    assert fast.state == "fast"
    text, cache, x = dit.encode_text(torch.ones(1, 4, 8)), dit.make_cache(8, 4), torch.randn(1, 56, 2, 8, 4)
    with torch.no_grad():
        while not is_cache_full(cache, 2):
            dit(x, torch.zeros(1, 2), text, rolling_context(cache, write=True))
        fast(x, torch.ones(1, 2), text, rolling_context(cache))
        assert fast.mode._ready != first
        fast.mode.join(60)
        assert fast.state == "fast" and fast.mode._ready not in (None, first)
        assert torch.allclose(
            fast(x, torch.ones(1, 2), text, rolling_context(cache)),
            dit(x, torch.ones(1, 2), text, rolling_context(cache)),
            atol=1e-5,
        )


def test_the_switch_is_off_by_default_and_guarded():
    dit = small_networks().dit
    assert accelerate(dit, "off") is dit and isinstance(accelerate(dit, "compile", backend="eager"), FastDiT)
    with pytest.raises(ValueError, match="CUDA device for graphs"):
        accelerate(dit, "graphs")
    with pytest.raises(ValueError, match="expected one of off, compile, graphs, fp8"):
        accelerate(dit, "warp")


def test_a_copy_of_a_cache_goes_its_own_way():
    dit = small_networks().dit
    cache, text = dit.make_cache(4, 4, shape=CacheShape(2, 1, 2)), dit.encode_text(torch.ones(1, 4, 8))
    x, time = torch.randn(1, 56, 2, 4, 4), torch.zeros(1, 2)
    with torch.no_grad():
        while not is_cache_full(cache, 2):
            dit(x, time, text, rolling_context(cache, write=True))
        other = copy_cache(cache)
        before = dit(x, time, text, rolling_context(other))
        dit(x + 1, time, text, rolling_context(cache, write=True))
        assert torch.equal(dit(x, time, text, rolling_context(other)), before) and not torch.equal(
            dit(x, time, text, rolling_context(cache)), before
        )
    assert not is_cache_full(cache, 1)


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
            outs = [
                dit(x, torch.zeros(1, 2), text, rolling_context(cache, write=True, output=cache is caches[0]))
                for cache in caches
            ]
            assert outs[0].shape == (1, 32, 2, 4, 4) and outs[1].numel() == 0
            assert torch.equal(
                dit(x + 1, torch.ones(1, 2), text, rolling_context(caches[0])),
                dit(x + 1, torch.ones(1, 2), text, rolling_context(caches[1])),
            )
    with pytest.raises(ValueError, match="writes nothing"):
        dit(x, torch.zeros(1, 2), text, rolling_context(caches[0], output=False))


def test_a_training_cache_gets_the_same_context_and_gradients_without_output():
    dit = small_networks().dit
    text, found = dit.encode_text(torch.ones(1, 4, 8)), []
    for output in (True, False):
        cache, x = dit.make_grad_cache(4, 4), torch.ones(1, 56, 2, 4, 4, requires_grad=True)
        dit(x, torch.zeros(1, 2), text, rolling_context(cache, write=True, output=output))
        dit(
            torch.ones(1, 56, 2, 4, 4), torch.ones(1, 2), text, rolling_context(cache)
        ).square().sum().backward()
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
        assert torch.allclose(
            linear(strided), torch.nn.functional.linear(strided, linear.weight, linear.bias), atol=1e-5
        )


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
    assert got.dtype == dtype and torch.allclose(
        got, rotate(x, rope.table((2, 5))), atol=1e-6 if dtype == torch.float32 else 1e-2
    )
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
