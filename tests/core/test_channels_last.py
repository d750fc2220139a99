"""The faster order of memory for convolutions on a CPU, beside its plain twin."""

from collections.abc import Iterator

import pytest
import torch

from motionstream_core.codec import channels_last
from motionstream_core.codec.tiny import TinyCodec
from motionstream_core.model.weights import networks as networks_module
from motionstream_core.model.weights.networks import Networks, open_networks


@pytest.fixture(scope="module")
def built_in() -> Iterator[Networks]:
    yield open_networks()


def decoded(codec: TinyCodec, order: str, batch: int = 1) -> torch.Tensor:
    """Three chunks decoded as a stream: (B, 1 + 8 + 4, 3, H, W)."""
    codec.convolutions = order
    state = codec.start_decode()
    rng = torch.Generator().manual_seed(0)
    made = []
    for count in (1, 2, 1):
        latents = torch.randn(batch, 16, count, 5, 7, generator=rng)
        frames, state = codec.decode_chunk(latents, state)
        made.append(frames)
    return torch.cat(made, 1)


@pytest.mark.parametrize("batch", [1, 2])
def test_channels_last_decodes_what_the_plain_order_decodes(built_in, batch, monkeypatch):
    codec = built_in.codec
    assert isinstance(codec, TinyCodec)
    calls = []
    run = channels_last.run_channels_last
    monkeypatch.setattr(
        channels_last, "run_channels_last", lambda *args: (calls.append(args[3]), run(*args))[1]
    )
    with torch.no_grad():
        plain = decoded(codec, "plain", batch)
        assert not calls
        fast = decoded(codec, "channels_last", batch)
    assert calls == [torch.float32] * 3
    assert plain.shape == fast.shape
    assert float((fast - plain).abs().max()) < 1e-6
    assert float(plain.std()) > 0.01


def test_a_stream_may_change_its_order_between_chunks(built_in):
    codec = built_in.codec
    assert isinstance(codec, TinyCodec)
    latents = torch.randn(1, 16, 2, 4, 4, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        states = []
        for order in ("plain", "channels_last"):
            codec.convolutions = order
            states.append(codec.decode_chunk(latents, codec.start_decode())[1])
        codec.convolutions = "channels_last"
        a, b = (codec.decode_chunk(latents, state)[0] for state in states)
    assert all(
        one is not None and other is not None and one.shape == other.shape and one.dtype == other.dtype
        for one, other in zip(states[0].memory, states[1].memory)
    )
    assert float((a - b).abs().max()) < 1e-6


def test_bfloat16_is_near_and_only_where_it_is_told(built_in):
    codec = built_in.codec
    assert isinstance(codec, TinyCodec)
    with torch.no_grad():
        plain = decoded(codec, "plain")
        half = decoded(codec, "bfloat16")
    codec.convolutions = "channels_last"
    assert half.dtype == torch.float32
    error = float((half - plain).square().mean())
    assert 0 < error < 10**-4.5, "45 dB"


def test_gradients_take_the_plain_way(built_in, monkeypatch):
    codec = built_in.codec
    assert isinstance(codec, TinyCodec)
    monkeypatch.setattr(channels_last, "run_channels_last", None)
    codec.convolutions = "channels_last"
    latents = torch.randn(1, 16, 1, 4, 4).requires_grad_(True)
    codec.decode_chunk(latents, codec.start_decode())[0].sum().backward()
    assert latents.grad is not None


def test_networks_take_an_order_and_the_given_ones_stay(built_in, monkeypatch):
    codec = built_in.codec
    head = built_in.detail
    assert isinstance(codec, TinyCodec)
    assert head is not None
    codec.convolutions = "plain"
    made = networks_module.with_convolutions(built_in, "channels_last")
    faster = made.codec
    fast_head = made.detail
    assert isinstance(faster, TinyCodec)
    assert fast_head is not None
    assert (codec.convolutions, faster.convolutions) == ("plain", "channels_last")
    assert all(a is b for a, b in zip(faster.parameters(), codec.parameters()))
    weights = [p for p in fast_head.parameters() if p.ndim == 4 and p.shape[-1] > 1 and p.shape[1] > 1]
    assert weights
    assert all(p.is_contiguous(memory_format=torch.channels_last) for p in weights)
    assert all(p.is_contiguous() for p in head.parameters())
    rng = torch.Generator().manual_seed(0)
    frames, warped, maps = (torch.rand(2, channels, 16, 24, generator=rng) for channels in (3, 3, 2))
    with torch.no_grad():
        error = (fast_head(frames, warped, maps) - head(frames, warped, maps)).abs().max()
    assert float(error) < 5e-6
    assert networks_module.with_convolutions(built_in, "plain") is built_in
    monkeypatch.setattr(networks_module, "has_bfloat16_cores", lambda: False)
    with pytest.raises(ValueError, match="AVX512-BF16"):
        networks_module.with_convolutions(built_in, "bfloat16")
    with pytest.raises(ValueError, match="expected one of plain"):
        networks_module.with_convolutions(built_in, "fast")
