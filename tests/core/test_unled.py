"""A model without a motion condition streams from a start image, with a Wan VAE, for ever and back."""

import torch
from core.small import drag, joined, picture, stream
from core.test_wan_codec import filled

from motionstream_core.codec.wan_layers import WanVAE, WanVAEConfig
from motionstream_core.codec.wan_vae import WanCodec
from motionstream_core.live.session import LiveSession
from motionstream_core.model.config import ModelConfig, RollingConfig
from motionstream_core.model.dit import WanDiT
from motionstream_core.model.weights.networks import Networks
from motionstream_core.streaming.stream import controls_of


def networks() -> Networks:
    config = ModelConfig(
        dim=24,
        ffn_dim=32,
        num_heads=2,
        num_layers=2,
        in_channels=16,
        out_channels=16,
        text_dim=8,
        text_len=4,
        freq_dim=8,
        sampler=RollingConfig(2, 1, 2, steps=3, shift=8.0, sigmas=(1.0, 0.757, 0.522)),
    )
    return Networks(
        filled(WanDiT(config)), None, WanCodec(filled(WanVAE(WanVAEConfig(16, 4, 4, blocks=1)))), None
    )


def run(made: Networks, frames: int | None, session=None, **more):
    return stream(
        made,
        picture(),
        drag(9),
        torch.randn(1, 4, 8, generator=torch.Generator().manual_seed(1)),
        frames,
        3,
        None,
        session,
        fit="hold",
        **more,
    )


def test_it_makes_the_length_asked_for_and_hands_on_where_the_points_were():
    chunks = list(run(networks(), 20))
    assert joined(chunks).shape == (20, 32, 32, 3) and [len(chunk.frames) for chunk in chunks] == [1, 8, 8, 3]
    assert torch.equal(torch.cat([chunk.xy for chunk in chunks])[:9], drag(9).xy)
    assert joined(chunks)[9:].std() > 0.01


def test_an_endless_one_keeps_its_memory():
    sizes = {chunk.cache_bytes for _, chunk in zip(range(9), run(networks(), None))}
    assert len(sizes) == 1


def test_it_takes_no_controls_of_motion():
    taken = controls_of(networks())
    assert "grab" not in taken and "camera" not in taken and "stop" in taken


def test_it_goes_back_and_makes_the_same_again():
    session = LiveSession(takes=controls_of(networks()))
    made, again = {}, {}
    for chunk in run(networks(), None, session, history_bytes=2**30):
        store = again if chunk.index in made else made
        store[chunk.index] = chunk.frames
        if chunk.index == 3 and not again:
            session.post({"type": "rewind", "chunk": 2})
        if chunk.index == 3 and again:
            session.post({"type": "stop"})
    assert set(again) == {2, 3} and all(torch.equal(made[index], again[index]) for index in again)
