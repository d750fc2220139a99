"""The codec that makes the latents of a preset, opened from a file."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file

from ...codec.tiny import TinyCodec
from ...codec.wan_layers import open_wan_vae
from ...codec.wan_vae import WanCodec
from ...common.devices import pick_device
from ...model.presets import ModelConfig
from ...model.weights.networks import open_networks


def open_encoder(name: str, config: ModelConfig, path: Path | None, device: str) -> TinyCodec | WanCodec:
    """What makes the latents of a preset: the tiny codec, or a Wan VAE from a file. ValueError says in words
    what is missing.
    """
    if name.startswith("tiny"):
        return open_tiny_codec(path).to(pick_device(device)).eval().requires_grad_(False)
    if path is None:
        raise ValueError(f"codec: expected --codec FILE with the VAE of {name}, got none")
    chosen = pick_device(device)
    codec = WanCodec(open_wan_vae(path).to(chosen), device=chosen)
    if codec.latent_channels != config.latent_channels:
        raise ValueError(
            f"codec: expected a VAE of {config.latent_channels} channels for {name}, got one of "
            f"{codec.latent_channels}"
        )
    return codec


def open_tiny_codec(path: Path | None, fresh: bool = False) -> TinyCodec:
    """The built-in codec (with `fresh` one that has learned nothing), or the one of a codec.safetensors or of
    a whole weights file.
    """
    if path is None:
        return TinyCodec() if fresh else _tiny(None)
    if not path.is_file():
        raise ValueError(f"codec: expected a file, got {path}, which is none")
    codec = TinyCodec()
    try:
        state = load_file(path)
        if any(key.startswith("codec.") for key in state):
            return _tiny(path)
        codec.load_state_dict(state)
    except (RuntimeError, SafetensorError) as error:
        raise ValueError(
            f"{path.name}: expected the tiny codec's weights, got a file that does not fit "
            f"({str(error).splitlines()[0]})"
        ) from None
    return codec


def _tiny(path: Path | None) -> TinyCodec:
    """The codec of a weights file, of the built-in one by default."""
    codec = (open_networks() if path is None else open_networks(path)).codec
    if not isinstance(codec, TinyCodec):
        raise ValueError(f"codec: expected weights with the tiny codec, got {type(codec).__name__}")
    return codec
