"""Weights at one byte a number, through a file and back."""

import torch

from motionstream_core.codec.tiny import TinyCodec
from motionstream_core.model.packed import pack_state, unpack_state
from motionstream_core.model.weights.bundle import load_bundle
from motionstream_core.training.cartoon.export import read, write
from motionstream_core.training.cartoon.network import Cartoon


def test_a_packed_state_is_near_and_small():
    state = {
        "m": torch.randn(64, 48),
        "c": torch.randn(32, 8, 3, 3) * 0.01,
        "v": torch.randn(64),
        "n": torch.arange(4),
    }
    small = pack_state(state)
    assert small["m"].dtype == small["c"].dtype == torch.int8 and torch.equal(small["v"], state["v"])
    back = unpack_state(small)
    assert back.keys() == state.keys() and torch.equal(back["n"], state["n"])
    for name in ("m", "c"):
        most = state[name].flatten(1).abs().amax(1) / 254 * 1.001
        assert ((back[name] - state[name]).flatten(1).abs().amax(1) <= most).all()
    assert unpack_state(state).keys() == state.keys()


def test_the_cartoon_goes_through_its_file(tmp_path):
    net, codec = Cartoon(), TinyCodec()
    torch.nn.init.normal_(net.dit.head.head.weight, std=0.1)
    write(tmp_path / "cartoon.safetensors", net, codec, {"data": "none"})
    other, _ = read(tmp_path / "cartoon.safetensors")
    x, levels, ids = (
        torch.randn(1, 16, 2, 16, 16),
        torch.full((1, 2), 0.5),
        torch.ones(1, 20, dtype=torch.int64),
    )
    with torch.no_grad():
        a, b = net(x, levels, ids), other(x, levels, ids)
    assert (a - b).std() < 0.05 * a.std()
    assert load_bundle(tmp_path / "cartoon.safetensors").config == net.config
    assert (tmp_path / "cartoon.safetensors").stat().st_size < 12.6e6
