"""The networks at their real sizes on a pretended CUDA device: what a steady chunk waits for, takes and
computes there, and the order of its queues.
"""

from collections import Counter
from dataclasses import replace

import pytest
import torch
from core.pretended import Device, Seen
from core.small import stream

from motionstream_core.cli.bench import smooth_picture, wandering_tracks
from motionstream_core.cli.bench_networks import chunk_flops, random_codec, random_networks
from motionstream_core.cli.options import networks_on
from motionstream_core.live.session import LiveSession
from motionstream_core.model import presets
from motionstream_core.model.cache import CacheShape
from motionstream_core.model.compiled import accelerate
from motionstream_core.model.context import rolling_context
from motionstream_core.model.weights.networks import open_networks
from motionstream_core.planning.stream_memory import Plan
from motionstream_core.streaming.stream import cache_bytes

CUDA = torch.device("cuda:0")
SHORT = CacheShape(1, 1, 1)  # a chunk of one latent frame: the same kernels, a third of the decoder's
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


def chunks_of(device, networks, width, height, context=SHORT, **more) -> list[Seen]:
    """What happens on the device from chunk to chunk, up to the moment at which each is handed out."""
    words = torch.zeros(1, networks.config.text_len, networks.config.text_dim)
    found, mark = [], device.mark()
    for _ in stream(
        networks,
        smooth_picture(width, height),
        wandering_tracks(64, width, height),
        words,
        None,
        fit="loop",
        context=context,
        steps=2,
        **more,
    ):
        found.append(device.since(mark))
        mark = device.mark()
        if len(found) == STEADY.stop:
            return found
    raise AssertionError("the stream ended")


def hand_over(seen: Seen) -> list[str]:
    """The waits of a chunk that are not the hand-over of its frames: for their queue, and for marks. A copy
    that the host waits for is none: frames are carried to page-locked memory.
    """
    return [why for why in seen.waits if why not in ("a queue", "a mark")]


@pytest.mark.parametrize(
    "name, width, height, decoder, lead",
    [
        ("wan2.1-1.3b", 832, 480, "wan", "none"),
        ("wan2.1-1.3b-motion", 832, 480, "taehv", "track head"),
        ("wan2.1-14b", 832, 480, "taehv", "guided"),
        ("wan2.2-5b", 1280, 704, "wan", "none"),
        ("tiny", 832, 480, "tiny", "track head"),
    ],
)
def test_a_steady_chunk_waits_for_nothing_but_its_frames_and_takes_the_same_memory(
    monkeypatch, device, name, width, height, decoder, lead
):
    with device, torch.no_grad():
        networks = built_in() if name == "tiny" else wan(monkeypatch, name, decoder)
        chunks = chunks_of(device, networks, width, height, track_control=lead)
    first, second = chunks[STEADY]
    assert device.wrong == []
    assert len(first.kernels) > 100 and [hand_over(seen) for seen in (first, second)] == [[], []]
    frames, pixels = (size for way, size in first.transfers if way == "down")
    assert frames == 4 * pixels, "as float32 for what is kept, and as bytes"
    assert first.allocations == second.allocations and first.held == second.held == chunks[2].held
    if name != "tiny":
        found = first.products
        assert found and {types for (_, of), flops in found.items() for types in of if flops > 1e9} == HALF, (
            found
        )
    if lead == "none":
        run = Counter(kernel.queue for kernel in first.kernels)
        main = sum(kernel.flops for kernel in first.kernels if kernel.queue == "main")
        grid = width * height // (networks.config.vae_stride[1] * networks.config.vae_stride[2] * 4)
        expected = chunk_flops(networks.config, grid, SHORT, 2)
        assert len(run) == 2 and main == expected["denoise"] + expected["cache"]


def peak(device, work):
    """The most memory held while it works, and what it gives."""
    before = device.most = device.held
    made = work()
    return device.most - before, made


@pytest.mark.parametrize("name, width, height", [("wan2.1-1.3b", 832, 480), ("wan2.2-5b", 1280, 704)])
def test_a_stream_takes_what_the_planner_says_at_most_and_not_much_less(
    monkeypatch, device, name, width, height
):
    with device, torch.no_grad():
        networks, context = wan(monkeypatch, name, "wan"), CacheShape(3, 1, 1)
        config, (_, down, across) = networks.config, networks.config.vae_stride
        plan = Plan(config, width, height, context, "bf16", "wan")
        assert sum(x.nbytes for x in networks.dit.parameters()) == plan.parts["weights"]
        held = device.held
        cache, text = (
            networks.dit.make_cache(height // down, width // across, shape=context),
            networks.dit.encode_text(torch.zeros(1, 1, 4096, device=CUDA)),
        )
        assert (
            device.held - held - text_bytes(text)
            == cache.nbytes
            == plan.cache
            == cache_bytes(networks.dit, width, height, context)
        )
        x, time = (
            torch.zeros(1, config.in_channels, 3, height // down, width // across, device=CUDA),
            torch.zeros(1, 3, device=CUDA),
        )
        for _ in range(2):
            networks.dit(x, time, text, rolling_context(cache, write=True, output=False))
        forward, _ = peak(device, lambda: networks.dit(x, time, text, rolling_context(cache)))
        assert 0.6 * plan.activations < forward + text_bytes(text) <= plan.activations
        codec, pieces = networks.codec, (x[:, :, :1], x[:, :, 1:])
        _, (_, state) = peak(device, lambda: codec.decode_chunk(pieces[0], codec.start_decode()))
        more, _ = peak(device, lambda: codec.decode_chunk(pieces[1], state))
        assert 0.9 * plan.decoder_work < sum(kept.nbytes for kept in state.memory) + more <= plan.decoder_work


def text_bytes(text) -> int:
    return sum(x.nbytes for x in (*text.keys, *text.values))


@pytest.mark.parametrize("name, width, height", [("wan2.1-1.3b", 832, 480), ("wan2.2-5b", 1280, 704)])
def test_the_tiny_vae_works_in_what_the_planner_says(device, name, width, height):
    config = presets.PRESETS[name]
    with device, torch.no_grad():
        codec = random_codec(config, CUDA, "taehv")
        x = torch.zeros(
            1, config.latent_channels, 4, height // codec.stride, width // codec.stride, device=CUDA
        )
        _, state = codec.decode_chunk(x[:, :, :1], codec.start_decode())
        more, (_, state) = peak(device, lambda: codec.decode_chunk(x[:, :, 1:], state))
        work = Plan(config, width, height, config.rolling.cache_shape, "bf16", "taehv").decoder_work
        assert 0.5 * work < sum(kept.nbytes for kept in state.memory) + more <= work


def test_frames_wait_for_no_later_chunk_and_controls_are_read_once_their_chunk_can_begin(monkeypatch, device):
    with device, torch.no_grad():
        networks, session, queued, ahead, begun = built_in(), LiveSession(), [], [], [0]
        read = session.try_boundary

        def try_boundary(*arguments):
            queued.append(device.main.count - device.host[device.main])
            return read(*arguments)

        monkeypatch.setattr(session, "try_boundary", try_boundary)
        for chunk in stream(
            networks,
            smooth_picture(64, 64),
            wandering_tracks(9, 64, 64),
            "a kite",
            None,
            fit="loop",
            context=SHORT,
            control=session,
        ):
            begun.append(device.main.count)
            ahead.append(device.main.count - device.host[device.main])
            if chunk.index == 4:
                break
    made = begun[-1] - begun[-2]
    assert device.wrong == [] and min(ahead[2:]) > made / 2, (ahead, begun)
    assert len(queued) == 4 and 0 < max(queued) < made / 4, (queued, made)


def test_a_graph_a_prompt_a_new_scene_and_a_rewind_leave_no_race_and_no_wait_behind(device):
    drawn = [
        {"type": "grab", "hand": 0, "handle": 0},
        {"type": "move", "hand": 0, "to": [[6, 8], [12, 26]]},
        {"type": "camera", "pan": [8, 0], "zoom": 0.2},
    ]
    posts = {
        2: [*drawn, {"type": "prompt", "text": "night"}],
        3: [{"type": "scene"}],
        4: [{"type": "rewind", "chunk": 3}],
    }
    with device, torch.no_grad():
        networks, session, seen, mark = built_in(), LiveSession(), [], device.mark()
        fast = accelerate(networks.dit, "graphs")
        for chunk in stream(
            replace(networks, dit=fast),
            smooth_picture(64, 64),
            wandering_tracks(9, 64, 64),
            "a kite",
            None,
            fit="loop",
            context=SHORT,
            control=session,
        ):
            seen.append((chunk.index, device.since(mark)))
            mark = device.mark()
            for message in posts.pop(chunk.index, ()):
                session.post(message)
            if not posts and chunk.index == 6:
                break
    assert device.wrong == [] and fast.state == "fast"
    assert [index for index, _ in seen] == [0, 1, 2, 3, 4, 5, 3, 4, 5, 6]
    kernels = [Counter(kernel.name for kernel in one.kernels)["graph"] for _, one in seen]
    assert kernels[-3:] == [3, 3, 3] and [hand_over(one) for _, one in seen[-3:]] == [[], [], []]
    assert seen[-1][1].allocations == seen[-2][1].allocations
    assert sum("a capture begins" in one.waits for _, one in seen) == 1


def test_eight_bits_are_what_the_linears_are_multiplied_in(monkeypatch, device):
    with device, torch.no_grad():
        networks = wan(monkeypatch, "wan2.1-1.3b")
        fast = accelerate(networks.dit, "fp8")
        cache, text = (
            fast.make_cache(60, 104, shape=SHORT),
            fast.encode_text(torch.zeros(1, 1, 4096, device=CUDA)),
        )
        x, time = torch.zeros(1, 16, 1, 60, 104, device=CUDA), torch.zeros(1, 1, device=CUDA)
        for _ in range(2):
            fast(x, time, text, rolling_context(cache, write=True, output=False))
        fast(x, time, text, rolling_context(cache))
        mark = device.mark()
        fast(x, time, text, rolling_context(cache))
        seen = device.since(mark)
    flops = {name: flops for (name, _), flops in seen.products.items()}
    assert fast.state == "fast" and device.wrong == [] and seen.waits == []
    assert (
        flops["_scaled_mm"] > 50 * flops["addmm"]
        and sum(flops.values()) == chunk_flops(networks.config, 1560, SHORT, 1)["denoise"]
    )


def test_the_pretended_device_sees_what_would_go_wrong(device):
    with device, torch.no_grad():
        x, queue = torch.ones(4, 4, device=CUDA), torch.cuda.Stream()
        with torch.cuda.stream(queue):
            y = x + 1
        assert "does not wait for" in device.wrong.pop() and not device.wrong
        queue.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(queue):
            y = x + 1
        del x
        assert "is given back while" in device.wrong.pop() and not device.wrong
        assert y.to("cpu").shape == (4, 4) and "does not wait for add" in device.wrong.pop()
        late = torch.ones(3, device=CUDA).to("cpu", non_blocking=True)
        late + 1
        assert "before it had arrived" in device.wrong.pop() and not device.wrong
        mark = device.mark()
        float(torch.ones(3, device=CUDA).sum())
        torch.ones(2).to(CUDA)
        torch.ones(2).pin_memory().to(CUDA, non_blocking=True)
        assert device.since(mark).waits == ["_local_scalar_dense", "upload of (2,)"]
        torch.cuda.current_stream().wait_stream(queue)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            y.sum().item()
        assert "waits in a capture" in device.wrong.pop() and not device.wrong
        del y
        graph.replay()
        assert "whose memory is gone" in device.wrong.pop()
        for wrong, words in (
            (lambda: torch.ones(3, device=CUDA) + torch.ones(3), "of the device alone"),
            (lambda: torch.ones(3, device=CUDA).nonzero(), "does not depend on values"),
        ):
            with pytest.raises(AssertionError, match=words):
                wrong()
