"""The speed that a person chooses: what it becomes on a machine, and what is said of it."""

from dataclasses import replace

import pytest
import torch
from core.small import drag, joined, picture, small_networks, stream

from motionstream_core.model import compiled
from motionstream_core.model.compiled import Compiled, FastDiT
from motionstream_core.model.weights import networks as networks_module
from motionstream_core.model.weights import speed as speed_module
from motionstream_core.model.weights.speed import SPEEDS, at_speed, speed_state


class OnCuda:
    """A network that says it is on a CUDA device, and computes where it is."""

    device = torch.device("cuda")

    def __init__(self, dit):
        self.__dict__["_dit"] = dit

    def __getattr__(self, name):
        return getattr(self.__dict__["_dit"], name)

    def __call__(self, *args):
        return self._dit(*args)


@pytest.fixture
def gpu(monkeypatch):
    """Networks as if on a Hopper with triton; the dict says what the machine has."""
    machine = {"triton": object(), "capability": (9, 0)}
    monkeypatch.setattr(speed_module, "find_spec", lambda name: machine[name])
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: machine["capability"])
    networks = small_networks()
    return machine, replace(networks, dit=OnCuda(networks.dit))


def chosen(networks, speed):
    said = []
    return at_speed(networks, speed, said.append), said


def test_on_a_cpu_auto_and_plain_are_what_there_was():
    networks = small_networks()
    for speed in ("auto", "plain"):
        made, said = chosen(networks, speed)
        assert made is networks
        assert said == []
    assert speed_state(networks) == "plain"
    with pytest.raises(ValueError, match=f"expected one of {', '.join(SPEEDS)}, got 'fast'"):
        at_speed(networks, "fast")


def test_on_a_cpu_the_convolutions_are_made_faster_and_it_is_said(monkeypatch):
    networks = small_networks()
    made, said = chosen(networks, "compiled")
    assert speed_state(made) == "channels last convolutions"
    assert "nothing is compiled" in said[0]
    for has, state in ((True, "bfloat16 convolutions"), (False, "channels last convolutions")):
        monkeypatch.setattr(speed_module, "has_bfloat16_cores", lambda has=has: has)
        monkeypatch.setattr(networks_module, "has_bfloat16_cores", lambda has=has: has)
        made, said = chosen(networks, "fp8")
        assert speed_state(made) == state
        assert "no fp8" in said[0]
    plain = joined(stream(networks, picture(), drag(9), "", 9))
    fast = joined(stream(chosen(networks, "compiled")[0], picture(), drag(9), "", 9))
    assert float((fast - plain).abs().max()) < 1e-5


def test_on_a_gpu_auto_compiles_and_a_second_run_finds_it_again(gpu):
    machine, networks = gpu
    made, said = chosen(networks, "auto")
    assert said == []
    assert isinstance(made.dit, FastDiT)
    assert isinstance(made.dit.mode, Compiled)
    assert chosen(networks, "compiled")[0].dit is made.dit
    assert speed_state(made) == "warming up"
    assert at_speed(made, "auto") is made
    assert chosen(networks, "plain")[0] is networks
    made.dit.mode.state = "compiling"
    assert speed_state(made) == "compiling"
    made.dit.mode.state = "plain: the compiler failed: no"
    assert speed_state(made) == "plain: the compiler failed: no"


def test_what_a_machine_lacks_is_said_and_the_nearest_is_taken(gpu):
    machine, networks = gpu
    machine["capability"] = (8, 0)
    made, said = chosen(networks, "fp8")
    assert isinstance(made.dit, FastDiT)
    assert "too old" in said[0]
    machine["triton"] = None
    for speed in ("auto", "compiled", "fp8"):
        made, said = chosen(networks, speed)
        assert made is networks
        assert "triton" in said[0]


def test_a_network_without_eight_bits_is_compiled(gpu, monkeypatch):
    _, networks = gpu
    refused = ValueError("fp8: expected a network of our own, got another")
    real = compiled.accelerate

    def refuses(dit, way):
        if way.startswith("fp8"):
            raise refused
        return real(dit, way)

    monkeypatch.setattr(speed_module, "accelerate", refuses)
    made, said = chosen(networks, "fp8")
    assert isinstance(made.dit, FastDiT)
    assert said == [f"Speed: compiled in the place of fp8: {refused}"]
