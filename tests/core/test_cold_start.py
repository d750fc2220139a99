"""What a cold start leaves out: building networks without memory imports no compiler."""

import subprocess
import sys
from pathlib import Path

import torch

from motionstream_core.model.dit import WanDiT
from motionstream_core.model.presets import preset
from motionstream_core.model.text import WordEncoder

ROOT = Path(__file__).parents[2]
# Slow to import, and of use to nobody who streams the built-in model.
LEFT_OUT = ("sympy", "torch._dynamo", "torch._inductor", "torch.onnx", "av", "transformers")
OPEN = """
import sys
from motionstream_core.model.weights.networks import open_networks
from motionstream_core.streaming.stream import stream
open_networks()
print(*[name for name in sys.argv[1:] if name in sys.modules])
"""


def test_opening_the_built_in_model_imports_no_compiler():
    made = subprocess.run(
        [sys.executable, "-c", OPEN, *LEFT_OUT], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert made.stdout.split() == []


def test_networks_with_memory_are_drawn_as_before():
    torch.manual_seed(0)
    net = WanDiT(preset("tiny"))
    spread = net.get_parameter("blocks.0.modulation").detach().std() * net.config.dim**0.5
    assert 0.9 < float(spread) < 1.1
    torch.manual_seed(0)
    words = WordEncoder(64)
    assert 0.9 < float(words.table.weight.detach().std()) < 1.1
    assert words.table.weight.requires_grad


def test_networks_without_memory_have_the_same_parameters():
    with torch.device("meta"):
        bare = WanDiT(preset("tiny"))
        words = WordEncoder(64)
    full = WanDiT(preset("tiny"))
    assert {key: value.shape for key, value in bare.state_dict().items()} == {
        key: value.shape for key, value in full.state_dict().items()
    }
    assert words.table.weight.is_meta
    assert words.table.weight.requires_grad
