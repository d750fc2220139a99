"""What the host's model manager is given and asked for: weights by name, patchers, VAEs, attention."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import comfy.ldm.modules.attention
import comfy.model_management
import comfy.model_patcher
import comfy.sd
import folder_paths
import torch
from torch import Tensor

from ...motionstream_core.codec.taehv import TaehvCodec, open_taehv
from ...motionstream_core.codec.tiny import TinyCodec
from ...motionstream_core.codec.wan_vae import STATISTICS
from ...motionstream_core.model.attention import AttentionFunction
from ...motionstream_core.model.weights.first_use import PICKLED, offered
from ...motionstream_core.model.weights.networks import (
    BUILT_IN,
    CARTOON,
    CARTOON_MOTION,
    CARTOON_STUDENT,
    Networks,
)
from ...motionstream_core.model.weights.safetensors_files import SAFE_ENDINGS
from .._types import MissingComponent, StreamModel, StreamVAE, WordClip
from .files import FOLDER
from .memory import load_patchers

TRACKERS = "trackers"  # the folder in models/motionstream for the weights of point trackers
WEIGHTS = (*SAFE_ENDINGS, *PICKLED)
BUILT_IN_NAME = "built-in (tiny, 128x128)"
# The models that come with the pack, by the names that the loader offers.
BUILT_INS = {
    BUILT_IN_NAME: BUILT_IN,
    "built-in (cartoon, text to video)": CARTOON,
    "built-in (cartoon, text to video, one step)": CARTOON_STUDENT,
    "built-in (cartoon, follows tracks)": CARTOON_MOTION,
}


def weight_names() -> list[str]:
    """What the loader offers: the built-in models, the files of models/motionstream, and what this pack runs
    of models/diffusion_models.
    """
    return [*BUILT_INS, *weight_files()]


def weight_files() -> dict[str, Path]:
    """The weights in the host's folders, by the name that the loader offers. Of two of one name that of
    models/motionstream counts. A diffusers folder has a slash behind its name.
    """
    own = [(name, path) for name, path in files_in(FOLDER) if Path(name).parts[0] != TRACKERS]
    found = offered([each for each in own if each[1].suffix in WEIGHTS], everything=True)
    return offered(files_in("diffusion_models")) | found


def files_in(folder: str) -> list[tuple[str, Path]]:
    """The files of one of the host's folders of models: name and place."""
    found = [
        (name, folder_paths.get_full_path(folder, name)) for name in folder_paths.get_filename_list(folder)
    ]
    return [(name, Path(path)) for name, path in found if path is not None]


def weight_path(name: str) -> Path:
    """A name of `weight_names` -> its file, or its diffusers folder. A name that is none of them, or leaves
    the folder, is a ValueError.
    """
    path = BUILT_INS.get(name) or weight_files().get(name)
    if path is None:
        raise ValueError(f"weights: expected one of {', '.join(weight_names())}, got {name!r}")
    if not path.exists():
        raise ValueError(f"weights: expected the file {path.name} in {path.parent}, got none")
    return path


def models_folder() -> Path:
    """models/motionstream."""
    return Path(folder_paths.get_folder_paths(FOLDER)[0])


def to_patchers(networks: Networks) -> tuple[Any, WordClip | MissingComponent, StreamVAE]:
    """Networks -> MODEL, CLIP, VAE. MODEL and VAE are loaded and offloaded by the host's memory
    management.
    """
    device = comfy.model_management.get_torch_device()
    model_offload, vae_offload = (
        comfy.model_management.unet_offload_device(),
        comfy.model_management.vae_offload_device(),
    )
    model = comfy.model_patcher.CoreModelPatcher(
        StreamModel(networks), load_device=device, offload_device=model_offload
    )
    codec = comfy.model_patcher.CoreModelPatcher(
        networks.codec, load_device=device, offload_device=vae_offload
    )
    if not isinstance(networks.codec, TinyCodec):
        raise ValueError(f"weights: expected a codec of our own in them, got {type(networks.codec).__name__}")
    vae = StreamVAE(
        networks.codec,
        codec,
        lambda patcher: load_patchers([patcher]),
        comfy.model_management.intermediate_device(),
    )
    if networks.text_encoder is None:
        return model, MissingComponent("clip: expected one, got none: the weights hold no text encoder"), vae
    return model, WordClip(networks.text_encoder), vae


def load_checkpoint(path: Path) -> tuple[Any, MissingComponent, MissingComponent]:
    """A converted checkpoint as the host loads it. It has no text encoder and no VAE of its own."""
    lacking = f"expected one, got none: {path.name} holds the transformer alone; use the host's"
    return (
        comfy.sd.load_diffusion_model(str(path)),
        MissingComponent(f"clip: {lacking} Load CLIP (type wan)"),
        MissingComponent(f"vae: {lacking} Load VAE, or Load Tiny VAE"),
    )


def diffusion_models() -> list[tuple[str, Path]]:
    """The safetensors files that the host's loaders of diffusion models, and ours, offer: name and place."""
    return [
        (f"{folder}/{name}", path)
        for folder in ("diffusion_models", FOLDER)
        for name, path in files_in(folder)
        if path.suffix in SAFE_ENDINGS and TRACKERS not in Path(name).parts
    ]


def tiny_vae_names() -> list[str]:
    """The files that may be tiny VAEs: those of models/vae_approx and models/vae."""
    return [
        f"{folder}/{name}"
        for folder in ("vae_approx", "vae")
        for name in folder_paths.get_filename_list(folder)
    ]


def tiny_vae_path(name: str) -> Path:
    """A name of `tiny_vae_names` -> its file. ValueError for another name."""
    names = tiny_vae_names()
    if name not in names:
        raise ValueError(
            "file: expected one of "
            f"{', '.join(names) or 'the files of models/vae_approx, which is empty'}, got {name!r}"
        )
    folder, _, inside = name.partition("/")
    return Path(folder_paths.get_full_path_or_raise(folder, inside))


def tiny_vae(path: Path, vae_latents: bool) -> StreamVAE:
    """A TAEHV as a VAE whose memory the host manages."""
    device, offload = comfy.model_management.get_torch_device(), comfy.model_management.vae_offload_device()
    module = open_taehv(path)
    patcher = comfy.model_patcher.CoreModelPatcher(module, load_device=device, offload_device=offload)
    statistics = tuple(torch.tensor(part).view(1, -1, 1, 1, 1) for part in STATISTICS[module.latent_channels])
    codec = TaehvCodec(module, vae_latents=vae_latents, device=device)
    return StreamVAE(
        codec,
        patcher,
        lambda patcher: load_patchers([patcher]),
        comfy.model_management.intermediate_device(),
        statistics,
    )


def host_attention(model: Any) -> AttentionFunction:
    """The host's attention, as its start options chose it, with the model's own override where a node has set
    one.
    """
    options = model.model_options["transformer_options"]

    def attend(q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
        return comfy.ldm.modules.attention.optimized_attention(q, k, v, heads, transformer_options=options)

    return attend


def tracker_folders() -> list[Path]:
    """Where the weights of point trackers may lie: the folder trackers of every models/motionstream."""
    return [Path(folder) / TRACKERS for folder in folder_paths.get_folder_paths(FOLDER)]
