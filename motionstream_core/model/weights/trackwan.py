"""FastVideo's TrackWan (causal student and bidirectional teacher) in the layout of this pack.

Owns its track encoder as one convolution, the order of its input channels, and what the files beside its
weights say. Knows nothing of headers or schedules.

Its 52 input channels are the noisy latent (16), the mask of what is known (4), the start image's latent with
grey behind it (16) and the track map (16). Ours are noisy, track map, image, known. In a file the columns of
the mask have a key of their own (`KNOWN`), because a host's loader knows the 48 others and no 52.
Student and teacher have the same names and shapes. Only the class in the files beside them tells them apart.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...common.state_dict import State
from ..config import KNOWN_CHANNELS
from ..motion import PACK

ENCODER = "track_encoder."
KNOWN = "track_head.known.weight"
PATCHES = "patch_embedding.weight"
UNUSED = ".norm_q_img.weight"  # saved, and used by no forward
LATENT, TRACK = 16, 16
CHANNELS = 2 * LATENT + KNOWN_CHANNELS + TRACK
STUDENT, TEACHER = "student", "teacher"


def is_trackwan(state: Mapping[str, Tensor]) -> bool:
    """Whether a state under Wan's names has TrackWan's track encoder."""
    return any(key.startswith(ENCODER) for key in state)


def from_trackwan(state: Mapping[str, Tensor], name: str) -> State:
    """A state with our track head and our order of the input channels. ValueError for other shapes."""
    made = {
        key: value for key, value in state.items() if not key.startswith(ENCODER) and not key.endswith(UNUSED)
    }
    patches = state.get(PATCHES)
    if patches is None or patches.ndim != 5 or patches.shape[1] != CHANNELS:
        got = "none" if patches is None else tuple(patches.shape)
        raise ValueError(f"{name}: expected a patch embedding of {CHANNELS} input channels, got {got}")
    noisy, known, image, track = patches.split([LATENT, KNOWN_CHANNELS, LATENT, TRACK], dim=1)
    made[PATCHES] = torch.cat([noisy, track, image, known], dim=1)
    return made | _fold_convolutions(state, name)


def _fold_convolutions(state: Mapping[str, Tensor], name: str) -> State:
    """Both convolutions of the track encoder as one on packed frames: nothing stands between them.

    The embedding of an id is cosines, then sines there, sines, then cosines here.
    """
    expected = {f"{ENCODER}temporal_conv.weight", f"{ENCODER}proj.weight"}
    biases = {f"{ENCODER}temporal_conv.bias", f"{ENCODER}proj.bias"}
    found = {key for key in state if key.startswith(ENCODER)}
    if not expected <= found or not found <= expected | biases:
        raise ValueError(
            f"{name}: expected a track encoder of {', '.join(sorted(expected))} (and biases), got "
            f"{', '.join(sorted(found))}"
        )
    temporal, proj = (state[f"{ENCODER}{part}.weight"].float() for part in ("temporal_conv", "proj"))
    if temporal.shape[2:] != (PACK, 1, 1) or temporal.shape[1] % 2 or proj.shape[2:] != (1, 1, 1):
        raise ValueError(
            f"{name}: expected a track encoder of (C, id_dim, {PACK}, 1, 1) and (16, C, 1, 1, 1), got "
            f"{tuple(temporal.shape)} and {tuple(proj.shape)}"
        )
    if proj.shape != (TRACK, temporal.shape[0], 1, 1, 1):
        raise ValueError(
            f"{name}: expected {TRACK} channels of {temporal.shape[0]} from the track encoder, got "
            f"{tuple(proj.shape)}"
        )
    proj = proj[:, :, 0, 0, 0]
    weight = torch.einsum(
        "om,mcf->ofc", proj, temporal[..., 0, 0].unflatten(1, (2, -1)).flip(1).flatten(1, 2)
    )
    bias = torch.zeros(TRACK)
    if f"{ENCODER}temporal_conv.bias" in state:
        bias = bias + proj @ state[f"{ENCODER}temporal_conv.bias"].float()
    if f"{ENCODER}proj.bias" in state:
        bias = bias + state[f"{ENCODER}proj.bias"].float()
    return {"track_head.conv.weight": weight.flatten(1)[..., None, None, None], "track_head.conv.bias": bias}


def split_columns(state: Mapping[str, Tensor]) -> State:
    """The state as it is written: the columns of the mask, which stand last, in their own key."""
    patches = state[PATCHES]
    inside = patches.shape[1] - KNOWN_CHANNELS
    return {**state, PATCHES: patches[:, :inside], KNOWN: patches[:, inside:]}


def joined_columns(state: Mapping[str, Tensor]) -> State:
    """A written state with all its columns in one. Any other as it is."""
    if KNOWN not in state or PATCHES not in state:
        return dict(state)
    made = {key: value for key, value in state.items() if key != KNOWN}
    known = state[KNOWN]
    made[PATCHES] = torch.cat([state[PATCHES].to(known.dtype), known], dim=1)
    return made


def files_beside(source: Path) -> dict[str, Any]:
    """config.json and model_index.json of a diffusers folder, by name. What is not there or no JSON is left
    out.
    """
    folder = source if source.is_dir() else source.parent
    places = {
        "config.json": (folder / "config.json", folder / "transformer" / "config.json"),
        "model_index.json": (folder / "model_index.json", folder.parent / "model_index.json"),
    }
    found = {}
    for name, paths in places.items():
        for path in paths:
            try:
                read = json.loads(path.read_text(encoding="utf-8"))
            except (OSError, ValueError):
                continue
            if isinstance(read, dict):
                found[name] = read
                break
    return found


def role_beside(source: Path) -> str | None:
    """STUDENT, TEACHER, or None where nothing beside the weights tells.

    "Causal" in a class name is the student's. The teacher's own class is TrackWan…, or plain Wan… beside a
    `track_config`.
    """
    about = files_beside(source)
    config, index = about.get("config.json", {}), about.get("model_index.json", {})
    listed = index.get("transformer")
    names = [str(config.get("_class_name", "")), str(listed[1]) if _is_pair(listed) else ""]
    if any("Causal" in name for name in names):
        return STUDENT
    if any("TrackWan" in name for name in names) or ("track_config" in config and names[0]):
        return TEACHER
    return None


def _is_pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2


def config_notes(source: Path, state: Mapping[str, Tensor], name: str) -> list[str]:
    """Where the `track_config` beside the weights disagrees with their shapes, in words: the shapes count.
    ValueError where it names another grid than Wan's, which no shape tells.
    """
    stated = files_beside(source).get("config.json", {}).get("track_config")
    if not isinstance(stated, dict):
        return []
    for key, wanted in (("vae_spatial_compression", 8), ("vae_temporal_compression", PACK)):
        if stated.get(key, wanted) != wanted:
            raise ValueError(f"{name}: expected a track_config with {key} {wanted}, got {stated[key]!r}")
    temporal = state[f"{ENCODER}temporal_conv.weight"]
    real = {
        "id_dim": temporal.shape[1],
        "track_channels": state[f"{ENCODER}proj.weight"].shape[0],
        "use_bias": f"{ENCODER}temporal_conv.bias" in state,
    }
    return [
        f"track_config says {key} {stated[key]}, the tensors have {value}: the tensors count"
        for key, value in real.items()
        if key in stated and stated[key] != value
    ]
