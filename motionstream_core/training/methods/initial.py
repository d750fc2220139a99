"""Where a training begins: another model's weights in the place of this preset's.

Owns how a checkpoint with other input channels is fitted (VideoX-Fun's control models, plain Wan, a teacher
or student of an earlier stage). What does not fit is an error or is named. Nothing is dropped in silence.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
import torch.nn.functional as F
from einops import rearrange
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor

from ...model.motion import PACK
from ...model.packed import unpack_state
from ...model.presets import MotionConfig
from ...model.weights.trackwan import KNOWN, joined_columns
from ..cartoon.low_rank import ranks_of, with_motion_additions
from .roles import MotionModel, load_into

HEAD = "track_head.conv.weight"
PREFIXES = ("model.diffusion_model.", "diffusion_model.", "model.", "dit.")
LEFT_OUT = (
    "img_emb.",
    "k_img.",
    "v_img.",
    "norm_k_img.",
    "ref_conv.",
    "control_adapter.",
)  # CLIP's picture tokens and Fun's adapters: this network has none


def widen_patch(weight: Tensor, channels: int) -> Tensor:
    """A patch embedding (D, C, 1, p, q) for `channels` inputs: new ones begin at zero, so that the network
    starts as it was.
    """
    if weight.shape[1] > channels:
        raise ValueError(
            f"patch_embedding: expected at most {channels} input channels, got {weight.shape[1]}: a model "
            "with more conditions than this preset has"
        )
    out = weight.new_zeros(weight.shape[0], channels, *weight.shape[2:])
    out[:, : weight.shape[1]] = weight
    return out


def widened_head(weight: Tensor, config: MotionConfig) -> Tensor:
    """A track head's weight (C, 4 · channels, 1, 1, 1) for a map that also says where a track says nothing:
    that channel begins at zero.
    """
    if weight.shape[1] != PACK * config.id_dim or not config.unspecified_channel:
        return weight
    return F.pad(rearrange(weight, "o (f c) t h w -> o f c t h w", f=PACK), (0, 0, 0, 0, 0, 0, 0, 1)).flatten(
        1, 2
    )


def strip_wrappers(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Wan's names without the wrappers that public files put in front."""
    for prefix in PREFIXES:
        if all(key.startswith(prefix) for key in state):
            return {key.removeprefix(prefix): value for key, value in state.items()}
    return dict(state)


def start_from_wan(model: MotionModel, state: Mapping[str, Tensor]) -> list[str]:
    """Gives the transformer a Wan checkpoint -> the keys that have no place here, in order. The track head
    keeps its fresh weights.

    VideoX-Fun's control models have 48 inputs in this order: noisy latent, control, start image. The track
    head takes control's place.
    """
    state = strip_wrappers(state)
    left = sorted(key for key in state if any(part in key for part in LEFT_OUT))
    state = {key: value for key, value in state.items() if key not in set(left)}
    if "patch_embedding.weight" not in state:
        raise ValueError(f"weights: expected Wan's names (patch_embedding.weight …), got {sorted(state)[:3]}")
    state["patch_embedding.weight"] = widen_patch(state["patch_embedding.weight"], model.config.in_channels)
    load_into(model.dit, state, "weights to start from")
    return left


def start_from(model: MotionModel, path: Path) -> str:
    """Weights of an earlier stage or of a Wan model (safetensors) into the model -> what was done, in
    words.
    """
    if path.suffix != ".safetensors":
        raise ValueError(
            f"{path.name}: expected a .safetensors file; turn a .pt file into one with `convert`"
        )
    state = unpack_state(read_tensors(path))
    if any(key.startswith("text_encoder.") for key in state) and HEAD not in state:
        return _start_from_text_to_video(model, state, path.name)
    ranks = ranks_of(state)
    if ranks and not hasattr(model, "held"):
        with_motion_additions(model, ranks)
    if KNOWN in state:
        state = joined_columns(state)
        state = {key if key.startswith("track_head.") else f"dit.{key}": v for key, v in state.items()}
    if any(key.startswith("track_head.") for key in state):
        own = {
            key: value.float() if value.is_floating_point() else value
            for key, value in state.items()
            if not key.startswith(("codec.", "detail."))
        }
        own = {key.replace("text_encoder.", "words.", 1): value for key, value in own.items()}
        if HEAD in own:
            own[HEAD] = widened_head(own[HEAD], model.config.require_motion)
        load_into(model, own, path.name)
        return f"all weights of {path.name}"
    left = start_from_wan(model, state)
    return f"the transformer of {path.name}; track head fresh" + (
        f"; no place for {len(left)} tensors ({', '.join(left[:3])} …)" if left else ""
    )


def _start_from_text_to_video(model: MotionModel, state: Mapping[str, Tensor], name: str) -> str:
    """Transformer and words of one of this pack's own files without a track head."""
    dit = {k.removeprefix("dit."): v.float() for k, v in state.items() if k.startswith("dit.")}
    words = {
        k.removeprefix("text_encoder."): v.float() for k, v in state.items() if k.startswith("text_encoder.")
    }
    dit["patch_embedding.weight"] = widen_patch(dit["patch_embedding.weight"], model.config.in_channels)
    place = model.dit.state_dict().get("place_embedding.weight")
    if place is not None:  # which older files do not have: it begins at zero
        dit.setdefault("place_embedding.weight", torch.zeros_like(place))
    load_into(model.dit, dit, name)
    if model.words is not None:
        load_into(model.words, words, name)
    return f"transformer and words of {name}; track head fresh"


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file. ValueError for one that cannot be read as one."""
    if not path.is_file():
        raise ValueError(f"weights: expected a file, got {path}, which is none")
    try:
        return load_file(path)
    except SafetensorError as error:
        raise ValueError(
            f"{path.name}: expected weights (safetensors), got a file that cannot be read ({error})"
        ) from None


def read_description(path: Path) -> dict:
    """What a weights file says of itself."""
    with safe_open(path, "pt") as file:
        return dict(file.metadata() or {})
