"""The inputs of tests/fixtures/public_parity, made again from their seeds: a small Wan with weights that all
matter, a text, a start image, the noise.

What the public code of a checkpoint made of them lies in the fixtures; see the text there.
"""

import math
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from motionstream_core.codec.taehv import TAEHV
from motionstream_core.model.dit import WanDiT
from motionstream_core.model.presets import ModelConfig

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures" / "public_parity"
SIZES = {"dim": 96, "ffn_dim": 160, "num_heads": 3, "num_layers": 2, "text_dim": 24, "freq_dim": 64}
CELLS = (4, 4)
CHANNELS = 4  # so many of the latent's, evenly spread, are in the fixtures


def weights(config: ModelConfig, seed: int = 7) -> dict[str, Tensor]:
    """A state dict under Wan's names: norms about 1, matrices that keep their input's size, nothing zero."""
    rng = torch.Generator().manual_seed(seed)
    with torch.device("meta"):
        shapes = {key: tuple(value.shape) for key, value in WanDiT(config).state_dict().items()}
    made = {}
    for key, shape in sorted(shapes.items()):
        x = torch.randn(shape, generator=rng)
        if ".norm" in key and key.endswith("weight"):
            made[key] = 1 + 0.2 * x
        elif len(shape) >= 2 and not key.endswith("modulation"):
            made[key] = x / math.sqrt(math.prod(shape[1:]))
        else:
            made[key] = 0.2 * x
    return made


def embeds(seed: int = 3) -> Tensor:
    return torch.randn(1, 5, SIZES["text_dim"], generator=torch.Generator().manual_seed(seed))


def start_latent(channels: int = 16, seed: int = 5) -> Tensor:
    return torch.randn(1, channels, 1, *CELLS, generator=torch.Generator().manual_seed(seed))


def noise(seed: int = 11) -> torch.Generator:
    """Drawn chunk by chunk: (1, C, T, H, W) for where it starts from, then for each further step."""
    return torch.Generator().manual_seed(seed)


def trained_as(state: Mapping[str, Tensor], wrapper: str, prefix: str) -> dict[str, dict[str, Tensor]]:
    """A checkpoint as its training script saves it."""
    return {wrapper: {prefix + key: value for key, value in state.items()}}


def expected(name: str, what: str = "latents") -> Tensor:
    """The latents (CHANNELS, T, H, W) that the public code made, or frames (T, 3, H, W), thinned out."""
    return load_file(FIXTURES / f"{name}.safetensors")[what]


def kept(latents: Tensor) -> Tensor:
    """Of latents (C, T, H, W), what a fixture keeps."""
    return latents[:: latents.shape[0] // CHANNELS]


def taehv_weights(channels: int, seed: int = 21) -> dict[str, Tensor]:
    """A state dict of a taew file, in its order of sorted keys."""
    rng = torch.Generator().manual_seed(seed)
    made = {}
    for key, value in sorted(TAEHV(channels).state_dict().items()):
        x = torch.randn(value.shape, generator=rng)
        made[key] = x / math.sqrt(math.prod(value.shape[1:])) if value.ndim > 1 else 0.1 * x
    made["decoder.22.bias"] += 0.5
    return made


def taehv_latents(channels: int, seed: int = 22) -> Tensor:
    """(1, C, 5, 3, 2)."""
    return torch.randn(1, 5, channels, 3, 2, generator=torch.Generator().manual_seed(seed)).transpose(1, 2)
