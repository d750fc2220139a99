"""One block compiled for all of them: how often the compiler is called, for what, and what comes out."""

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from core.small import SIZE, small_config, small_networks
from core.test_fast import latents, wide_networks

from motionstream_core.cli import bench
from motionstream_core.model.blockwise import BlockwiseDiT
from motionstream_core.model.compiled import accelerate, copy_cache, is_cache_full
from motionstream_core.model.context import RollingContext, rolling_context
from motionstream_core.model.dit import WanDiT
from motionstream_core.model.fp8 import Fp8DiT
from motionstream_core.streaming.stream import StreamOptions

ROOT = Path(__file__).parents[2]


class Counting:
    """A compiler that counts the graphs it is given and leaves them as they are."""

    def __init__(self):
        self.graphs = 0

    def __call__(self, graph, inputs):
        self.graphs += 1
        return graph.forward


def steady(dit):
    """A text, noise and a cache in the steady state."""
    config = dit.config
    rng = torch.Generator().manual_seed(3)
    text = dit.encode_text(torch.ones(1, 4, config.text_dim))
    cache = dit.make_cache(4, 4)
    frames = cache.shape.chunk
    x = torch.randn(1, config.in_channels, frames, 4, 4, generator=rng)
    while not is_cache_full(cache, frames):
        filler = torch.randn(x.shape, generator=rng)
        dit(filler, torch.zeros(1, frames), text, rolling_context(cache, write=True))
    return x, torch.full((1, frames), 500.0), text, cache


def buffers(cache):
    return [buffer for group in (cache._rotated, cache._values, cache._window_keys) for buffer in group]


@pytest.mark.parametrize("kind", ["plain", "eight bits"])
def test_one_graph_serves_all_blocks_both_passes_and_another_cache(kind):
    torch._dynamo.reset()
    dit = wide_networks() if kind == "eight bits" else WanDiT(replace(small_config(), num_layers=5))
    dit.eval().requires_grad_(False)
    source = Fp8DiT(dit) if kind == "eight bits" else dit
    compiler = Counting()
    fast = BlockwiseDiT(source, compiler)
    with torch.no_grad():
        x, timestep, text, cache = steady(dit)
        for one, other in ((cache, copy_cache(cache)), (copy_cache(cache), copy_cache(cache))):
            plain = source(x, timestep, text, RollingContext(one))
            made = fast(x, timestep, text, RollingContext(other))
            assert float((made - plain).abs().max()) < 1e-5
        assert compiler.graphs == 1, "for all blocks and both caches"
        one, other = copy_cache(cache), copy_cache(cache)
        clean = torch.zeros_like(timestep)
        for _ in range(2):
            source(x, clean, text, RollingContext(one, write=True, output=False))
            fast(x, clean, text, RollingContext(other, write=True, output=False))
        assert compiler.graphs == 2, "and one for the last block of the clean pass, which ends at its keys"
    assert (one.total, one.in_window) == (other.total, other.in_window)
    kept = one.filled * one.tokens
    for a, b in zip(buffers(one), buffers(other)):
        assert float((a[:, :kept] - b[:, :kept]).abs().max()) < 1e-5


def test_once_it_is_ready_the_plain_network_is_asked_no_more():
    torch._dynamo.reset()
    dit = small_networks().dit
    fast = accelerate(dit, "compile", backend=Counting())
    asked = []
    fast.plain = type(
        "Asked",
        (),
        {
            "__getattr__": lambda self, name: getattr(dit, name),
            "__call__": lambda self, *args: (asked.append(index[0]), dit(*args))[1],
        },
    )()
    index = [0]

    def between(number):
        fast.mode.join(120)
        index[0] = number + 1

    made = latents(fast, 12, between)
    assert fast.state == "fast"
    assert asked
    assert max(asked) < 8, "neither for a step nor for a clean pass"
    assert torch.allclose(made, latents(dit, 12), atol=1e-4)


def test_a_foreign_network_is_refused():
    with pytest.raises(ValueError, match="expected the pack's own transformer, got int"):
        BlockwiseDiT(3)


EXIT = """
import time, torch
from core.small import small_networks
from core.test_fast import latents
from motionstream_core.model.compiled import accelerate

def slow(graph, inputs):
    time.sleep(1)
    print("compiled", flush=True)
    return graph.forward

fast = accelerate(small_networks().dit, "compile", backend=slow)
latents(fast, 5)
assert fast.state == "compiling", fast.state
"""


def test_a_process_that_ends_while_compiling_ends_in_order():
    made = subprocess.run(
        [sys.executable, "-c", EXIT],
        cwd=ROOT,
        env={"PYTHONPATH": f"{ROOT / 'tests'}:{ROOT}", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0, made.stderr
    assert "compiled" in made.stdout


def test_a_bench_waits_for_the_compiler_and_counts_what_comes_after(monkeypatch):
    torch._dynamo.reset()

    def slow(graph, inputs):
        time.sleep(2)
        return graph.forward

    networks = small_networks()
    fast = accelerate(networks.dit, "compile", backend=slow)
    monkeypatch.setattr(bench, "memory_mib", lambda: 0.0)
    options = StreamOptions(65, steps=1, fit="loop")
    picture = bench.smooth_picture(SIZE, SIZE)
    tracks = bench.wandering_tracks(9, SIZE, SIZE)
    run = bench._stream_once(replace(networks, dit=fast), picture, tracks, options)
    assert fast.state == "fast"
    assert run.warm < len(run.costs) - 1
    steady_chunks = run.steady(networks.config.rolling.cache_shape)
    assert max(cost["chunk_s"] for cost in steady_chunks) < 2, "the compiler's time is in none of them"
