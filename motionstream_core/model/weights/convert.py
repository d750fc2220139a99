"""Public causal Wan checkpoints, in every layout they come in, to one file with Wan's own names and a header
that says what it is.

Owns the prefixes and spellings of keys and the check that a network is whole. How files are opened and
written is `weights_files.py`'s, what a LoRA adds `lora.py`'s: tensors go through one at a time. Knows nothing
of noise levels or hosts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

from ...common.state_dict import State, state_problems
from ..config import KNOWN_CHANNELS, ModelConfig, MotionConfig
from ..dit import WanDiT
from ..motion import TrackHead
from ..presets import TRACKWAN_MOTION
from .checkpoint_presets import (
    CausalPreset,
    config_for,
    host_says_causal,
    metadata_of,
    read_stated_config,
    with_schedule,
)
from .layouts import left_out_words, network_of
from .lora import Addition, lora_additions
from .safetensors_files import SAFE_ENDINGS, WRAPPERS, TensorEntry, read_weights, size_of, write_safetensors
from .trackwan import (
    KNOWN,
    config_notes,
    from_trackwan,
    is_trackwan,
    joined_columns,
    split_columns,
)
from .trackwan_role import check_role, preset_of_role

LORA_WRAPPERS = ("generator_lora", "lora", *WRAPPERS)
# What trainers wrap modules in, anywhere in a key; and what stands before one.
INSIDE = re.compile(r"(^|\.)(_fsdp_wrapped_module|_checkpoint_wrapped_module|_orig_mod|module|_module)(?=\.)")
BEFORE = (
    "model.diffusion_model.",
    "base_model.model.",
    "diffusion_model.",
    "generator_ema.",
    "generator.",
    "student.",
    "transformer.",
    "model.",
    "net.",
    "dit.",
)
HEAD = "track_head."
SCALES = ("scale_weight", "weight_scale", "weight_scale_2", "scale_input", "scaled_fp8", "comfy_quant")
PICTURE_WIDTH = 1280  # of CLIP vision ViT-H
NOTHING: Mapping[str, Any] = {}
LATENTS = {16: (4, 8, 8), 48: (4, 16, 16)}
# Weights of other Wan networks: none of them has a causal form here.
OTHERS = {
    "vace_": "VACE",
    "control_adapter": "camera control",
    "audio": "speech",
    "face_": "Animate",
    "ref_conv": "Fun reference control",
}

DIFFUSERS = (
    (
        r"^condition_embedder\.text_embedder\.linear_([12])\.",
        lambda m: f"text_embedding.{2 * int(m[1]) - 2}.",
    ),
    (
        r"^condition_embedder\.time_embedder\.linear_([12])\.",
        lambda m: f"time_embedding.{2 * int(m[1]) - 2}.",
    ),
    (r"^condition_embedder\.time_proj\.", "time_projection.1."),
    (r"^condition_embedder\.image_embedder\.norm1\.", "img_emb.proj.0."),
    (r"^condition_embedder\.image_embedder\.ff\.net\.0\.proj\.", "img_emb.proj.1."),
    (r"^condition_embedder\.image_embedder\.ff\.net\.2\.", "img_emb.proj.3."),
    (r"^condition_embedder\.image_embedder\.norm2\.", "img_emb.proj.4."),
    (r"^condition_embedder\.image_embedder\.pos_embed$", "img_emb.emb_pos"),
    (r"\.attn1\.", ".self_attn."),
    (r"\.attn2\.", ".cross_attn."),
    (r"\.to_([qkv])\.", r".\1."),
    (r"\.to_out\.0\.", ".o."),
    (r"\.add_([kv])_proj\.", r".\1_img."),
    (r"\.norm_added_k\.", ".norm_k_img."),
    (r"\.norm_added_q\.", ".norm_q_img."),
    (r"^(blocks\.\d+)\.norm2\.", r"\1.norm3."),
    (r"\.ffn\.net\.0\.proj\.", ".ffn.0."),
    (r"\.ffn\.net\.2\.", ".ffn.2."),
    (r"^(blocks\.\d+)\.scale_shift_table$", r"\1.modulation"),
    (r"^scale_shift_table$", "head.modulation"),
    (r"^proj_out\.", "head.head."),
)


def plain_key(key: str) -> str:
    """A key without wrappers and prefixes, in Wan's spelling."""
    while True:
        shorter = INSIDE.sub("", key).lstrip(".")
        shorter = next((shorter[len(prefix) :] for prefix in BEFORE if shorter.startswith(prefix)), shorter)
        if shorter == key:
            return key
        key = shorter


def wan_state(state: Mapping[str, Tensor], name: str) -> State:
    """The state under Wan's names. ValueError when two keys become one."""
    plain = {key: plain_key(key) for key in state}
    if any(key.startswith("condition_embedder.") for key in plain.values()):
        plain = {key: from_diffusers(short) for key, short in plain.items()}
    made: State = {}
    for key, short in plain.items():
        if short in made:
            raise ValueError(f"{name}: expected one tensor for {short}, got several, such as {key}")
        made[short] = state[key]
    return made


def from_diffusers(key: str) -> str:
    for pattern, to in DIFFUSERS:
        key = re.sub(pattern, to, key)
    return key


def config_of(
    state: Mapping[str, Tensor], preset: CausalPreset, name: str, num_heads: int | None = None
) -> ModelConfig:
    """The config of a state under Wan's names: sizes from its shapes, the rest from the preset. ValueError
    for what is no causal Wan.
    """
    for start, kind in OTHERS.items():
        found = next((key for key in state if key.startswith(start)), None)
        if found is not None:
            raise ValueError(
                f"{name}: expected a causal Wan, got a Wan for {kind} (with {found}), which is bidirectional"
            )
    needed = (
        "patch_embedding.weight",
        "text_embedding.0.weight",
        "time_embedding.0.weight",
        "head.head.weight",
        "blocks.0.ffn.0.weight",
    )
    missing = [key for key in needed if key not in state]
    if missing:
        raise ValueError(
            f"{name}: expected the keys of a Wan transformer, missing {', '.join(missing)}; got "
            f"{len(state)} keys such as {sorted(state)[:4]}"
        )
    dim, channels = state["patch_embedding.weight"].shape[:2]
    latent = state["head.head.weight"].shape[0] // 4
    if latent not in LATENTS:
        raise ValueError(
            f"{name}: expected a latent of {' or '.join(map(str, LATENTS))} channels, got {latent}"
        )
    sizes = {
        "dim": dim,
        "ffn_dim": state["blocks.0.ffn.0.weight"].shape[0],
        "num_layers": 1 + max(int(key.split(".")[1]) for key in state if key.startswith("blocks.")),
        "num_heads": num_heads or heads_of(dim, name),
        "text_dim": state["text_embedding.0.weight"].shape[1],
        "freq_dim": state["time_embedding.0.weight"].shape[1],
        "in_channels": channels,
        "out_channels": latent,
        "latent_channels": latent,
        "vae_stride": LATENTS[latent],
        "motion": motion_of(state, channels, latent, name),
    }
    looks = state.get("img_emb.proj.0.weight")
    if looks is not None:
        sizes["image_dim"] = looks.shape[0]
    usual = config_for(preset)
    if usual.latent_channels != latent:
        raise ValueError(
            f"{name}: expected a latent of {usual.latent_channels} channels for this preset "
            f"({preset.about}), got {latent}"
        )
    return with_schedule(replace(usual, **sizes), preset)


def heads_of(dim: int, name: str) -> int:
    """Wan's heads have 128 channels."""
    if dim % 128:
        raise ValueError(
            f"{name}: expected a width that is a multiple of 128 (Wan's heads), got {dim}; state the "
            "number of heads"
        )
    return dim // 128


def motion_of(state: Mapping[str, Tensor], channels: int, latent: int, name: str) -> MotionConfig | None:
    """The motion condition that the input channels and the track head speak of."""
    weight = state.get(f"{HEAD}conv.weight")
    if weight is None:
        if channels != latent:
            raise ValueError(
                f"{name}: expected {latent} input channels (the latent), or more with a track head in the "
                f"file, got {channels} without one"
                " (an image-to-video or control Wan, which is bidirectional)"
            )
        return None
    head, packed = weight.shape[:2]
    beyond = channels - latent - head
    if beyond == latent + KNOWN_CHANNELS and packed % 4 == 0:
        return replace(TRACKWAN_MOTION, id_dim=packed // 4, head_channels=head, latent_channels=latent)
    if beyond not in (0, latent) or packed % 4:
        raise ValueError(
            f"{name}: expected {latent} + {head} input channels (latent, track head), or {latent} more for "
            f"the start image and {KNOWN_CHANNELS} more for a mask of what is known, got {channels}"
        )
    return MotionConfig(
        id_dim=packed // 4, head_channels=head, latent_channels=latent, image_latent=beyond == latent
    )


def check_whole(state: Mapping[str, Tensor], config: ModelConfig, name: str):
    """ValueError that lists missing, unknown and misshapen keys."""
    if any(key.startswith("img_emb.") for key in state) and config.image_dim is None:
        config = replace(config, image_dim=PICTURE_WIDTH)
    with torch.device("meta"):
        expected = WanDiT(config).state_dict()
    if config.motion is not None:
        head, packed = config.motion.head_channels, 4 * config.motion.id_dim
        expected |= {
            f"{HEAD}conv.weight": torch.empty(head, packed, 1, 1, 1, device="meta"),
            f"{HEAD}conv.bias": torch.empty(head, device="meta"),
        }
    problems = state_problems(expected, state)
    if problems:
        counts = (
            f"{len(expected.keys() - state.keys())} missing, {len(state.keys() - expected.keys())} unknown "
            f"of {len(expected)}"
        )
        quantised = (
            " (a quantised file: convert the one it was made of, or load it with the host's own loader)"
            if any(key.endswith(SCALES) for key in state)
            else ""
        )
        raise ValueError(
            f"{name}: expected exactly the keys of a causal Wan ({counts}): {'; '.join(problems)}{quantised}"
        )


def picture_keys(config: ModelConfig, width: int = PICTURE_WIDTH) -> State:
    """The weights of a cross attention that also looks at CLIP vision's features of a picture, on no
    device.
    """
    with torch.device("meta"):
        without, looking = (WanDiT(replace(config, image_dim=dim)).state_dict() for dim in (None, width))
    return {key: value for key, value in looking.items() if key not in without}


def wan_key(key: str) -> str:
    """A key of a LoRA's module in Wan's spelling."""
    return from_diffusers(plain_key(key))


def entry_of(
    key: str,
    value: Tensor,
    dtype: torch.dtype | None,
    addition: Addition | None,
    exact: Container[str] = (),
) -> TensorEntry:
    """A tensor as written: matrices in `dtype`, with what a LoRA adds, vectors and modulations in float32.

    Args:
        key: of the tensor.
        value: the tensor.
        dtype: of matrices, None for their own.
        addition: what a LoRA adds, or None.
        exact: keys that stay float32.
    """
    to = value.dtype
    if key in exact:
        to = torch.float32
    elif value.is_floating_point() and value.dtype.itemsize > 1:
        plain = value.ndim < 2 or key.endswith("modulation")
        to = torch.float32 if plain else dtype or value.dtype
    return TensorEntry(
        to, tuple(value.shape), lambda: (value if addition is None else addition(value)).to(to)
    )


def convert(
    source: Path,
    target: Path,
    preset: CausalPreset | None,
    *,
    lora: Path | None = None,
    track_head: Path | None = None,
    dtype: torch.dtype | None = torch.bfloat16,
    num_heads: int | None = None,
    say: Callable[[str], None] = lambda line: None,
    on_bytes: Callable[[int, int], None] = lambda done, total: None,
    origin: Mapping[str, Any] = NOTHING,
) -> ModelConfig:
    """Writes `target` from a public checkpoint. ValueError before anything is written when it is no causal
    Wan, whole and of the preset's kind.

    Args:
        source: a file, or a diffusers folder.
        target: the file to write.
        preset: None where the file's own header says what it is, or TrackWan's class name beside it.
        lora: a file to be merged in.
        track_head: a file with a track head, to travel in the same one.
        dtype: of the matrices. None: their own.
        num_heads: attention heads, where they are not of 128 channels.
        say: told what is done, in lines.
        on_bytes: see `write_safetensors`.
        origin: goes into the header's provenance.
    """
    name = source.name
    state, metadata, preset = _read_network(source, preset, say)
    if track_head is not None:
        state |= _head_in(track_head)
    own = preset is None
    config = _own_config(source, metadata) if own else config_of(state, preset, name, num_heads)
    check_whole(state, config, name)
    left_out: list[str] = []
    added = {}
    if lora is not None:
        pairs = read_weights(lora, LORA_WRAPPERS)[0]
        added = lora_additions(state, pairs, lora.name, wan_key, left_out=left_out)
    if left_out:
        say(left_out_words(left_out))
    millions = sum(value.numel() for value in state.values()) / 1e6
    size = f"{len(state)} tensors, {millions:,.1f} million parameters"
    say(f"{size}, {config.rolling.cache_shape.label}, {config.sampler.steps} steps")
    provenance = {
        "source": name,
        "bytes": size_of(source),
        "about": preset.about if preset else "",
        "lora": lora.name if lora else "",
        **origin,
    }
    written, exact = state, ()
    if config.motion is not None and config.motion.known:
        if added.keys() & {"patch_embedding.weight"}:
            raise ValueError(f"{name}: expected a LoRA that leaves the patch embedding alone for this model")
        # Both are products or sums of what is in the file, and small.
        written, exact = split_columns(state), (KNOWN, f"{HEAD}conv.weight")
    entries = {key: entry_of(key, value, dtype, added.get(key), exact) for key, value in written.items()}
    header = metadata_of(config, provenance, picture="img_emb.proj.0.bias" in state)
    write_safetensors(target, entries, header, on_bytes)
    return config


def _read_network(
    source: Path, preset: CausalPreset | None, say: Callable[[str], None]
) -> tuple[State, Mapping[str, str], CausalPreset | None]:
    """A checkpoint's network under our names, the metadata of its file, and what it is.

    ValueError for one that says of itself that it is not causal.
    """
    name = source.name
    raw, metadata = read_weights(source)
    if host_says_causal(metadata) is False:
        raise ValueError(f"{name}: expected a causal Wan, got one whose header says that it is not")
    raw, beside = network_of(raw)
    for note in beside:
        say(note)
    state = joined_columns(wan_state(raw, name))
    if is_trackwan(state):
        preset = preset or preset_of_role(source)
        for note in [*config_notes(source, state, name), *check_role(source, preset)]:
            say(note)
        state = from_trackwan(state, name)
    return state, metadata, preset


def _head_in(path: Path) -> State:
    """A file's track head, under the names of a converted file."""
    found = read_weights(path, ("track_head", *WRAPPERS))[0]
    return {HEAD + plain_key(key).removeprefix(HEAD): value for key, value in found.items()}


def _own_config(source: Path, metadata: Mapping[str, str]) -> ModelConfig:
    """What the file's header says of the model. ValueError where it says too little."""
    config = read_stated_config(source) if metadata and source.suffix in SAFE_ENDINGS else None
    if config is not None:
        return config
    said = (
        "is causal but not for which chunk and schedule"
        if host_says_causal(metadata)
        else "nothing of being causal"
    )
    raise ValueError(
        f"{source.name}: expected a preset, because the file says {said}; weights alone cannot tell a causal "
        "Wan from a bidirectional one"
    )


def open_known(path: Path) -> Tensor:
    """The patch embedding's columns (D, 4, 1, p, q) of the mask of what is known, of a converted file."""
    with safe_open(path, "pt") as file:
        if KNOWN not in file.keys():  # noqa: SIM118  not a dictionary
            raise ValueError(f"{path.name}: expected {KNOWN}, as its header says, got none")
        return file.get_tensor(KNOWN).float()


def open_track_head(path: Path, config: ModelConfig) -> TrackHead:
    """The track head of a converted file. ValueError where there is none that fits."""
    assert config.motion is not None
    module = TrackHead(config.motion.map_channels, config.motion.head_channels)
    with safe_open(path, "pt") as file:
        state = {
            key.removeprefix(HEAD): file.get_tensor(key).float()
            for key in file.keys()
            if key.startswith(HEAD) and key != KNOWN
        }  # noqa: SIM118  not a dictionary
    problems = state_problems(module.state_dict(), state)
    if problems:
        raise ValueError(f"{path.name}: expected a track head, as its header says: {'; '.join(problems)}")
    module.load_state_dict(state)
    return module.eval().requires_grad_(False)
