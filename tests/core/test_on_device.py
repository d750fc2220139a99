"""The networks at their real sizes on a pretended CUDA device: what a steady chunk waits for, takes and computes there, and the order of its queues."""

from collections import Counter
from dataclasses import replace

import pytest
import torch
from core.pretended import Device, Seen

from motionstream_core.commands.bench import picture, wandering
from motionstream_core.commands.bench_networks import chunk_flops, random_networks
from motionstream_core.commands.options import networks_on
from motionstream_core.model import presets
from motionstream_core.model.cache import CacheShape
from motionstream_core.streaming.networks import open_networks
from motionstream_core.streaming.stream import cache_bytes, stream

CUDA = torch.device("cuda:0")
SHORT = CacheShape(3, 1, 1)
STEADY = slice(3, 5)  # chunks of SHORT whose clean pass and whose steps both see full caches
HALF = {torch.bfloat16}


@pytest.fixture
def device(monkeypatch):
    made = Device()
    made.patch(monkeypatch)
    return made


def wan(monkeypatch, name, decoder="taehv", layers=1):
    """A preset's networks at their real width, with fewer layers."""
    monkeypatch.setitem(presets.PRESETS, name, replace(presets.PRESETS[name], num_layers=layers))
    return random_networks(name, CUDA, decoder=decoder)


def built_in():
    networks = open_networks()
    networks.dit.blocks, networks.dit.config = networks.dit.blocks[:1], replace(networks.config, num_layers=1)
    return networks_on(networks, CUDA)


def chunks_of(device, networks, width, height, **more) -> list[Seen]:
    """What happens on the device from chunk to chunk, up to the moment at which each is handed out."""
    words = torch.zeros(1, networks.config.text_len, networks.config.text_dim)
    found, mark = [], device.mark()
    for _ in stream(networks, picture(width, height), wandering(64, width, height), words, 1 + 12 * 6, fit="loop", context=SHORT, **more):
        found.append(device.since(mark))
        mark = device.mark()
    return found


def hand_over(seen: Seen) -> list[str]:
    """The waits of a chunk that are not the hand-over of its frames: for them, for their queue, and for marks that the queues have long passed."""
    return [why for why in seen.waits if why not in ("a queue", "a mark") and not why.startswith("download of (12, ")]


@pytest.mark.parametrize("name, width, height, decoder, lead", [
    ("wan2.1-1.3b", 832, 480, "wan", "none"), ("wan2.1-1.3b-motion", 832, 480, "taehv", "track head"), ("wan2.1-14b", 832, 480, "taehv", "guided"),
    ("wan2.2-5b", 1280, 704, "wan", "none"), ("tiny", 832, 480, "tiny", "track head"),
])  # fmt: skip
def test_a_steady_chunk_waits_for_nothing_but_its_frames_and_takes_the_same_memory(monkeypatch, device, name, width, height, decoder, lead):
    with device, torch.no_grad():
        networks = built_in() if name == "tiny" else wan(monkeypatch, name, decoder)
        chunks = chunks_of(device, networks, width, height, lead=lead)
    first, second = chunks[STEADY]
    assert device.wrong == []
    assert len(first.kernels) > 100 and [hand_over(seen) for seen in (first, second)] == [[], []]
    assert sum(1 for way, _ in first.transfers if way == "down") == 1
    assert first.allocations == second.allocations and first.held == second.held == chunks[2].held
    if name != "tiny":
        found = first.products
        assert found and {types for (_, of), flops in found.items() for types in of if flops > 1e9} == HALF, found
    if lead == "none":
        run = Counter(kernel.queue for kernel in first.kernels)
        main = sum(kernel.flops for kernel in first.kernels if kernel.queue == "main")
        grid = width * height // (networks.config.vae_stride[1] * networks.config.vae_stride[2] * 4)
        expected = chunk_flops(networks.config, grid, SHORT, networks.config.steps)
        assert len(run) == 2 and main == expected["denoise"] + expected["cache"]


def test_the_cache_on_the_device_is_as_large_as_announced(monkeypatch, device):
    with device, torch.no_grad():
        networks = wan(monkeypatch, "wan2.2-5b", layers=2)
        before = device.held
        cache = networks.dit.make_cache(44, 80)
        assert device.held - before == cache.nbytes == cache_bytes(networks.dit, 1280, 704)
