"""What is kept of a golden run, and when another run is the same.

Owns the facts of a tensor (shape, dtype, hash, summary), the fingerprint of a machine and the file runs.json.
Knows nothing of the library: what is run is `runs.py`.

Sums of floats come out differently on another processor or with another torch. So a machine also records its
fingerprint, with a probe: the hash of what torch makes of plain operations that no refactoring touches.
Where the fingerprint is the recorded one, hashes must be equal. Elsewhere the summaries must be close: of the
same runs without AVX they differ by a hundred thousandth of the standard deviation at most.
GOLDEN=exact or GOLDEN=close in the environment decides otherwise.
"""

from __future__ import annotations

import hashlib
import json
import os
from importlib.metadata import version
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

FILE = Path(__file__).with_name("runs.json")
SAMPLES = 8
MOVED = 3e-4  # of the standard deviation: how far mean, deviation and samples may be on another machine
ODD = 2  # samples of a tensor that may be anything there: a pixel may round to another place
TINY = 1e-6

Facts = dict


def facts(tensor: Tensor) -> Facts:
    """Shape, dtype, hash, and in float64: mean, standard deviation and SAMPLES values in fixed places."""
    value = tensor.detach().cpu().contiguous()
    kind = str(value.dtype).removeprefix("torch.")
    digest = hashlib.sha256(f"{kind} {tuple(value.shape)}".encode())
    digest.update(value.reshape(-1).view(torch.uint8).numpy().tobytes())
    flat = value.reshape(-1).double()
    count = flat.numel()
    places = [(2 * number + 1) * count // (2 * SAMPLES) for number in range(SAMPLES)] if count else []
    return {
        "shape": list(value.shape),
        "dtype": kind,
        "sha256": digest.hexdigest(),
        "mean": _short(flat.mean()) if count else 0.0,
        "std": _short(flat.std(unbiased=False)) if count else 0.0,
        "samples": [_short(flat[place]) for place in places],
    }


def _short(value: Tensor) -> float:
    return float(f"{float(value):.9g}")


def differences(recorded: dict[str, Facts], got: dict[str, Facts], exact: bool) -> list[str]:
    """What is another than recorded, in words, of the tensors of one run."""
    found = [f"{name}: recorded, and not made any more" for name in recorded if name not in got]
    found += [f"{name}: made, and not recorded" for name in got if name not in recorded]
    for name in (name for name in recorded if name in got):
        old, new = recorded[name], got[name]
        if (old["shape"], old["dtype"]) != (new["shape"], new["dtype"]):
            expected = f"{old['dtype']} {old['shape']}"
            found.append(f"{name}: expected {expected}, got {new['dtype']} {new['shape']}")
        elif old["sha256"] == new["sha256"]:
            continue
        elif exact or not close(old, new):
            numbers = f"mean {old['mean']:g} and std {old['std']:g}, got {new['mean']:g} and {new['std']:g}"
            found.append(f"{name}: expected {numbers}; samples {old['samples']}, got {new['samples']}")
    return found


def close(old: Facts, new: Facts) -> bool:
    """Mean, deviation and all samples but ODD within MOVED of the recorded deviation."""
    most = MOVED * old["std"] + TINY * max(1.0, abs(old["mean"]))
    if abs(old["mean"] - new["mean"]) > most or abs(old["std"] - new["std"]) > most:
        return False
    return sum(abs(a - b) > most for a, b in zip(old["samples"], new["samples"], strict=True)) <= ODD


def fingerprint() -> dict[str, str]:
    """Of this machine: what decides how floats are summed, and the probe."""
    return {
        "torch": torch.__version__,
        "numpy": version("numpy"),
        "opencv": version("opencv-python-headless"),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "probe": probe(),
    }


def probe() -> str:
    """The hash of plain torch: products, convolutions, attention, norms, sums, curves and their gradients."""
    rng = torch.Generator().manual_seed(0)
    digest = hashlib.sha256()

    def drawn(*shape: int) -> Tensor:
        return torch.randn(shape, generator=rng).requires_grad_()

    for rows, inner, columns in ((1, 24, 32), (16, 48, 64), (65, 36, 7), (300, 192, 576), (1024, 128, 96)):
        x, weight = drawn(rows, inner), drawn(columns, inner)
        _told(digest, F.linear(x, weight), x, weight)
    for channels, size in ((4, 8), (24, 32), (64, 16), (128, 9)):
        x, weight = drawn(2, channels, size, size), drawn(channels, channels, 3, 3)
        _told(digest, F.conv2d(x, weight, padding=1), x, weight)
    x, weight = drawn(1, 16, 4, 8, 8), drawn(8, 16, 3, 3, 3)
    _told(digest, F.conv3d(x, weight, padding=1), x, weight)
    for heads, tokens, width in ((2, 48, 12), (6, 100, 32), (3, 7, 24)):
        q, k, v = (drawn(1, heads, tokens, width) for _ in range(3))
        _told(digest, F.scaled_dot_product_attention(q, k, v), q, k, v)
    x = drawn(37, 192)
    curves = (
        F.gelu(x, approximate="tanh") + F.silu(x).exp() + x.sigmoid() + x.sin() + x.double().cos().float()
    )
    _told(digest, F.layer_norm(curves, (192,)) + F.rms_norm(x, (192,)) + x.softmax(-1), x)
    _told(digest, torch.stack([x.sum(), x.mean(), x.std(), x.square().sum()]), x)
    return digest.hexdigest()[:32]


def _told(digest, made: Tensor, *inputs: Tensor):
    gradients = torch.autograd.grad(made.sin().sum(), inputs)
    for value in (made, *gradients):
        digest.update(value.detach().contiguous().numpy().tobytes())


def is_exact(recorded: dict[str, str]) -> bool:
    """Whether hashes must be equal here."""
    asked = os.environ.get("GOLDEN", "")
    if asked not in ("", "exact", "close"):
        raise ValueError(f"GOLDEN: expected exact or close, got {asked!r}")
    return asked == "exact" or (asked == "" and recorded == fingerprint())


def read() -> dict:
    """{"fingerprint", "weights", "runs": {run: {tensor: facts}}}."""
    return json.loads(FILE.read_text(encoding="utf-8"))


def write(document: dict):
    """One tensor a line, so that a diff shows what changed."""
    lines = ["{"]
    for key in ("about", "fingerprint", "weights"):
        lines.append(f"{json.dumps(key)}: {json.dumps(document[key])},")
    lines.append('"runs": {')
    for number, (name, tensors) in enumerate(sorted(document["runs"].items())):
        lines.append(f"{json.dumps(name)}: {{")
        lines.append(
            ",\n".join(f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in tensors.items())
        )
        lines.append("}," if number + 1 < len(document["runs"]) else "}")
    lines += ["}", "}", ""]
    FILE.write_text("\n".join(lines), encoding="utf-8")
