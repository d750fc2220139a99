"""What this machine has and lacks, what is slow on it and what its checkpoints are, in words.

Owns the checks, and for each that fails or slows things down the words on what to do about it. The command
line prints the report, and so does the Doctor node.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from ..model.config import ModelConfig
from ..model.weights.checkpoint_presets import host_says_causal, metadata_in, read_stated_config
from ..model.weights.networks import BUILT_IN

NEEDED = ("torch", "numpy", "safetensors", "einops", "av", "pillow")
OPTIONAL = {"xformers": "a faster attention on some GPUs", "cv2": "needed for training and evaluation"}
OPTIONAL |= {
    "pyvirtualcam": "shows a stream as a camera of this machine",
    "cyndilib": "shows a stream as an NDI source",
}
REMEDIES = {
    **dict.fromkeys(NEEDED, "install it into the host's own Python: `python -m pip install {name}`"),
    "h264": (
        "install a PyAV with an H.264 encoder: `python -m pip install --upgrade av`; until then videos "
        "are not written"
    ),
    "weights": "download the pack again, or choose another weights file",
    "device": "choose a device that this machine has",
}
OLD_TORCH = (2, 4)
LITTLE_GIB = 6


@dataclass(frozen=True)
class Report:
    """found: by name, what is there. problems: what is missing. slow: what works and could be better. Each is
    in words.
    """

    found: dict[str, str]
    problems: dict[str, str]
    slow: list[str] = field(default_factory=list)

    @property
    def lines(self) -> list[str]:
        out = [
            f"{'optional' if name in OPTIONAL else 'ok':9}{name}: {text}" for name, text in self.found.items()
        ]
        for name, text in self.problems.items():
            out += [
                f"MISSING  {name}: {text}",
                f"         do this: {REMEDIES[name].format(name=name)}" if name in REMEDIES else "",
            ]
        return [line for line in [*out, *(f"slow     {text}" for text in self.slow)] if line]


def examine(weights: Path = BUILT_IN) -> Report:
    """Looks at everything. Nothing it finds missing raises."""
    checks: dict[str, Callable[[], str]] = {
        "python": _python,
        **{name: lambda name=name: version(name) for name in NEEDED},
    }
    checks |= {"device": _device, "h264": _h264, "weights": lambda: _weights(weights)}
    found, problems = {}, {}
    for name, check in checks.items():
        try:
            found[name] = check()
        except Exception as error:  # whatever it is, it is the finding
            problems[name] = _words(error)
    found |= {name: _optional(name) for name in OPTIONAL}
    return Report(found, problems, [] if "torch" in problems else slow_points())


def checkpoint_lines(files: Iterable[tuple[str, Path]]) -> list[str]:
    """What safetensors files (name, place) say of being causal, in words. Those that say nothing are
    counted.
    """
    out, silent = [], 0
    for name, path in files:
        try:
            config = read_stated_config(path)
            says = host_says_causal(metadata_in(path))
            made_for = "" if config is None else _made_for(config)
        except Exception as error:  # whatever is wrong with a file, it has a line
            out.append(f"broken   {name}: {_words(error)}")
            continue
        if config is not None:
            out.append(f"ready    {name}: {made_for}")
        elif says:
            out.append(
                f"ready    {name}: causal by its header; say which checkpoint it is in the node Causal Wan "
                "Checkpoint"
            )
        else:
            silent += 1
    if not out:
        out.append(
            "none     no causal checkpoint among the safetensors files of models/diffusion_models: `python "
            "-m motionstream_core convert` makes one of a public .pt"
        )
    if silent:
        out.append(
            f"         {silent} more say nothing of being causal: for a causal one, say which it is in the "
            "node Causal Wan Checkpoint"
        )
    return out


def _made_for(config: ModelConfig) -> str:
    if not config.sampler.from_image:
        frames = config.sampler.forward_frames
        return f"a moving buffer of {frames} latent frames, {config.sampler.steps} steps"
    if config.bidirectional:
        return f"a bidirectional teacher for the Whole-Clip Sampler, {config.sampler.steps} steps"
    head = "a track head" if config.motion is not None else "no track head (guided control)"
    return f"{config.sampler.label}, {config.sampler.steps} steps, {head}"


def _words(error: Exception) -> str:
    known = isinstance(error, (ValueError, OSError, ImportError, PackageNotFoundError))
    return f"{error}"[:500] if known else f"{type(error).__name__}: {error}"[:500]


def slow_points() -> list[str]:
    """What works here and costs speed, with what to do about it."""
    import torch

    out = []
    if not torch.cuda.is_available():
        out.append(
            "no CUDA device: the built-in 128x128 model streams in real time on a CPU core, the Wan models "
            "need a GPU"
        )
        if torch.get_num_threads() > 4:
            out.append(
                f"{torch.get_num_threads()} CPU threads: the built-in model is small; OMP_NUM_THREADS=4 or "
                "fewer is often faster"
            )
    else:
        properties = torch.cuda.get_device_properties(0)
        gib = properties.total_memory / 2**30
        if properties.major < 8:
            out.append(
                f"{properties.name} has no bfloat16 tensor cores: expect a fraction of the published "
                "speeds; use the built-in or the 1.3B model"
            )
        if gib < LITTLE_GIB:
            out.append(
                f"{properties.name} has {gib:.0f} GiB: use fp8 weights, a short window and Load Tiny VAE; "
                "`python -m motionstream_core plan` tells what fits"
            )
    if tuple(int(part) for part in torch.__version__.split(".")[:2]) < OLD_TORCH:
        out.append(
            f"torch {torch.__version__} is old: {'.'.join(map(str, OLD_TORCH))} or newer has faster attention"
        )
    return out


def _python() -> str:
    return f"{platform.python_version()} on {platform.system()} {platform.machine()}"


def _device() -> str:
    from ..common.devices import device_label, pick_device

    return device_label(pick_device("auto"))


def _h264() -> str:
    import av

    from ..codec.video import CODECS

    usable = [name for name in CODECS if name in av.codecs_available]
    if not usable:
        raise ValueError(f"expected an encoder named {' or '.join(CODECS)}, got none")
    return usable[0]


def _weights(path: Path) -> str:
    from ..model.weights.networks import open_networks

    config = open_networks(path).config
    return (
        f"{path.name}, {path.stat().st_size / 2**20:.1f} MiB, {config.num_layers} layers of {config.dim}, "
        f"context {config.sampler.label}"
    )


def _optional(name: str) -> str:
    return "installed" if find_spec(name) else f"not installed ({OPTIONAL[name]})"
