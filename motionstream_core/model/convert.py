"""Public causal Wan checkpoints, in every layout they come in, to one file with Wan's own names and a header that says what it is.

Owns the wrappers, prefixes and spellings of keys, LoRA merging, and the check that a network is whole. Files are opened with
`torch.load(weights_only=True)` or as safetensors: nothing in them is run. Knows nothing of noise levels or hosts.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from .causal_presets import CausalPreset, config_for, host_says_causal, metadata_of, stated, with_schedule
from .checkpoint import State, read_header, state_problems
from .dit import CausalDiT
from .motion import TrackHead
from .presets import ModelConfig, MotionConfig

WRAPPERS = ("generator_ema", "generator", "ema_model", "ema", "student", "model", "state_dict", "module", "transformer")
LORA_WRAPPERS = ("generator_lora", "lora", *WRAPPERS)
# What trainers wrap modules in, anywhere in a key; and what stands before one.
INSIDE = re.compile(r"(^|\.)(_fsdp_wrapped_module|_checkpoint_wrapped_module|_orig_mod|module|_module)(?=\.)")
BEFORE = ("model.diffusion_model.", "base_model.model.", "diffusion_model.", "generator_ema.", "generator.", "student.", "transformer.", "model.", "net.", "dit.")
HEAD = "track_head."
LATENTS = {16: (4, 8, 8), 48: (4, 16, 16)}
# Weights of other Wan networks: none of them has a causal form here.
OTHERS = {"vace_": "VACE", "control_adapter": "camera control", "audio": "speech", "face_": "Animate", "ref_conv": "Fun reference control"}

DIFFUSERS = (
    (r"^condition_embedder\.text_embedder\.linear_([12])\.", lambda m: f"text_embedding.{2 * int(m[1]) - 2}."),
    (r"^condition_embedder\.time_embedder\.linear_([12])\.", lambda m: f"time_embedding.{2 * int(m[1]) - 2}."),
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
    (r"^(blocks\.\d+)\.norm2\.", r"\1.norm3."),
    (r"\.ffn\.net\.0\.proj\.", ".ffn.0."),
    (r"\.ffn\.net\.2\.", ".ffn.2."),
    (r"^(blocks\.\d+)\.scale_shift_table$", r"\1.modulation"),
    (r"^scale_shift_table$", "head.modulation"),
    (r"^proj_out\.", "head.head."),
)


def read_weights(path: Path, wrappers: Iterable[str] = WRAPPERS) -> tuple[State, dict[str, str]]:
    """The tensors of a file, out of their wrappers, and its header's metadata (none in a pickled file)."""
    if not path.is_file():
        raise ValueError(f"weights: expected a file, got {path}")
    if path.suffix in (".safetensors", ".sft"):
        return load_file(path), dict(read_header(path).get("__metadata__") or {})
    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:  # torch raises a dozen kinds for damaged and for unsafe files
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ValueError(f"{path.name}: expected tensors alone in a .pt or .safetensors file, got one that cannot be read safely: {first}") from error
    return unwrapped(loaded, path.name, wrappers), {}


def unwrapped(loaded: Any, name: str, wrappers: Iterable[str] = WRAPPERS) -> State:
    """The innermost dictionary of tensors; an averaged copy (EMA) is preferred to the plain one."""
    while isinstance(loaded, Mapping):
        inside = next((key for key in wrappers if isinstance(loaded.get(key), Mapping)), None)
        if inside is None:
            break
        loaded = loaded[inside]
    if isinstance(loaded, Mapping) and not any(isinstance(value, Tensor) for value in loaded.values()):
        raise ValueError(f"{name}: expected tensors, or one of {', '.join(wrappers)}, got {sorted(map(str, loaded))[:8]}")
    if not isinstance(loaded, Mapping):
        raise ValueError(f"{name}: expected a dictionary of tensors, got {type(loaded).__name__}")  # noqa: TRY004  a user's file
    return {str(key): value for key, value in loaded.items() if isinstance(value, Tensor)}


def plain_key(key: str) -> str:
    """A key without wrappers and prefixes, in Wan's spelling."""
    while True:
        shorter = INSIDE.sub("", key).lstrip(".")
        shorter = next((shorter[len(prefix) :] for prefix in BEFORE if shorter.startswith(prefix)), shorter)
        if shorter == key:
            return key
        key = shorter


def wan_state(state: Mapping[str, Tensor], name: str) -> State:
    """The state under Wan's names; ValueError when two keys become one."""
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


def config_of(state: Mapping[str, Tensor], preset: CausalPreset, name: str, num_heads: int | None = None) -> ModelConfig:
    """The config of a state under Wan's names: sizes from its shapes, the rest from the preset; ValueError for what is no causal Wan."""
    for start, kind in OTHERS.items():
        found = next((key for key in state if key.startswith(start)), None)
        if found is not None:
            raise ValueError(f"{name}: expected a causal Wan, got a Wan for {kind} (with {found}), which is bidirectional")
    needed = ("patch_embedding.weight", "text_embedding.0.weight", "time_embedding.0.weight", "head.head.weight", "blocks.0.ffn.0.weight")
    missing = [key for key in needed if key not in state]
    if missing:
        raise ValueError(f"{name}: expected the keys of a Wan transformer, missing {', '.join(missing)}; got {len(state)} keys such as {sorted(state)[:4]}")
    dim, channels = state["patch_embedding.weight"].shape[:2]
    latent = state["head.head.weight"].shape[0] // 4
    if latent not in LATENTS:
        raise ValueError(f"{name}: expected a latent of {' or '.join(map(str, LATENTS))} channels, got {latent}")
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
    usual = config_for(preset)
    if usual.latent_channels != latent:
        raise ValueError(f"{name}: expected a latent of {usual.latent_channels} channels for this preset ({preset.about}), got {latent}")
    return with_schedule(replace(usual, **sizes), preset)


def heads_of(dim: int, name: str) -> int:
    """Wan's heads have 128 channels."""
    if dim % 128:
        raise ValueError(f"{name}: expected a width that is a multiple of 128 (Wan's heads), got {dim}; state the number of heads")
    return dim // 128


def motion_of(state: Mapping[str, Tensor], channels: int, latent: int, name: str) -> MotionConfig | None:
    """The motion condition that the input channels and the track head speak of."""
    weight = state.get(f"{HEAD}conv.weight")
    if weight is None:
        if channels != latent:
            raise ValueError(
                f"{name}: expected {latent} input channels (the latent), or more with a track head in the file, got {channels} without one"
                " (an image-to-video or control Wan, which is bidirectional)"
            )
        return None
    head, packed = weight.shape[:2]
    beyond = channels - latent - head
    if beyond not in (0, latent) or packed % 4:
        raise ValueError(f"{name}: expected {latent} + {head} input channels (latent, track head), or {latent} more for the start image, got {channels}")
    return MotionConfig(id_dim=packed // 4, head_channels=head, latent_channels=latent, image_latent=beyond == latent)


def check_whole(state: Mapping[str, Tensor], config: ModelConfig, name: str):
    """ValueError that lists missing, unknown and misshapen keys."""
    with torch.device("meta"):
        expected = CausalDiT(config).state_dict()
    if config.motion is not None:
        head, packed = config.motion.head_channels, 4 * config.motion.id_dim
        expected |= {f"{HEAD}conv.weight": torch.empty(head, packed, 1, 1, 1, device="meta"), f"{HEAD}conv.bias": torch.empty(head, device="meta")}
    if any(key.startswith("img_emb.") for key in state):
        expected |= picture_keys(config)
    problems = state_problems(expected, state)
    if problems:
        counts = f"{len(expected.keys() - state.keys())} missing, {len(state.keys() - expected.keys())} unknown of {len(expected)}"
        raise ValueError(f"{name}: expected exactly the keys of a causal Wan ({counts}): {'; '.join(problems)}")


def picture_keys(config: ModelConfig, width: int = 1280) -> State:
    """The weights of a cross attention that also looks at CLIP vision's features of a picture, on no device."""
    dim = config.dim
    shapes: dict[str, tuple[int, ...]] = {"img_emb.proj.0": (width,), "img_emb.proj.1": (width, width), "img_emb.proj.3": (dim, width), "img_emb.proj.4": (dim,)}
    for block in (f"blocks.{n}.cross_attn" for n in range(config.num_layers)):
        shapes |= {f"{block}.k_img": (dim, dim), f"{block}.v_img": (dim, dim)}
    keys = {f"{name}.weight": torch.empty(shape, device="meta") for name, shape in shapes.items()}
    keys |= {f"{name}.bias": torch.empty(shape[0], device="meta") for name, shape in shapes.items()}
    return keys | {f"blocks.{n}.cross_attn.norm_k_img.weight": torch.empty(dim, device="meta") for n in range(config.num_layers)}


def merged(state: State, lora: Mapping[str, Tensor], name: str, strength: float = 1.0) -> State:
    """The state with a LoRA added: W + strength alpha / rank B A; ValueError for a LoRA of another network."""
    pairs: dict[str, dict[str, Tensor]] = {}
    for key, value in lora.items():
        found = re.fullmatch(r"(.+?)\.(lora_A|lora_B|lora_down|lora_up|alpha)(\.default)?(\.weight)?", plain_key(key))
        if found is None:
            raise ValueError(f"{name}: expected keys of a LoRA (lora_A, lora_B, alpha), got {key}")
        part = {"lora_down": "lora_A", "lora_up": "lora_B"}.get(found[2], found[2])
        pairs.setdefault(from_diffusers(f"{found[1]}.weight"), {})[part] = value
    state = dict(state)
    for key, pair in pairs.items():
        if not {"lora_A", "lora_B"} <= pair.keys():
            raise ValueError(f"{name}: expected lora_A and lora_B for {key}, got {sorted(pair)}")
        down, up = pair["lora_A"].float(), pair["lora_B"].float()
        if key not in state or state[key].shape != (up.shape[0], down.shape[1]) or up.shape[1] != down.shape[0]:
            got = tuple(state[key].shape) if key in state else "no such weight"
            raise ValueError(f"{name}: expected a LoRA for this network, got one for {key} of {(up.shape[0], down.shape[1])} where the network has {got}")
        scale = strength * float(pair["alpha"]) / down.shape[0] if "alpha" in pair else strength
        state[key] = (state[key].float() + scale * up @ down).to(state[key].dtype)
    return state


def stored(key: str, value: Tensor, dtype: torch.dtype | None) -> Tensor:
    """As written: matrices in `dtype` (None: their own), vectors and modulations in float32; copies, free of each other."""
    if value.is_floating_point() and value.dtype.itemsize > 1:
        if value.ndim < 2 or key.endswith("modulation"):
            value = value.float()
        elif dtype is not None:
            value = value.to(dtype)
    return value.detach().clone(memory_format=torch.contiguous_format)


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
) -> ModelConfig:
    """Writes `target` from a public checkpoint; ValueError before anything is written when it is no causal Wan, whole and of the preset's kind.

    preset: None where the file's own header says what it is. lora, track_head: further files whose weights go into the same one.
    """
    name = source.name
    raw, metadata = read_weights(source)
    config = stated(source) if metadata and preset is None else None
    if preset is None and config is None:
        said = "is causal but not for which chunk and schedule" if host_says_causal(metadata) else "nothing of being causal"
        raise ValueError(f"{name}: expected a preset, because the file says {said}; weights alone cannot tell a causal Wan from a bidirectional one")
    if host_says_causal(metadata) is False:
        raise ValueError(f"{name}: expected a causal Wan, got one whose header says that it is not")
    state = wan_state(raw, name)
    if track_head is not None:
        state |= {HEAD + plain_key(key).removeprefix(HEAD): value for key, value in read_weights(track_head, ("track_head", *WRAPPERS))[0].items()}
    if config is None:
        assert preset is not None
        config = config_of(state, preset, name, num_heads)
    if lora is not None:
        state = merged(state, wan_lora(lora), lora.name)
    check_whole(state, config, name)
    say(f"{len(state)} tensors, {sum(value.numel() for value in state.values()) / 1e6:,.1f} million parameters, {config.context.label}, {config.steps} steps")
    provenance = {"source": name, "bytes": source.stat().st_size, "about": preset.about if preset else "", "lora": lora.name if lora else ""}
    written(target, {key: stored(key, value, dtype) for key, value in state.items()}, metadata_of(config, provenance, picture="img_emb.proj.0.bias" in state))
    return config


def open_track_head(path: Path, config: ModelConfig) -> TrackHead:
    """The track head of a converted file; ValueError where there is none that fits."""
    assert config.motion is not None
    module = TrackHead(config.motion.map_channels, config.motion.head_channels)
    with safe_open(path, "pt") as file:
        state = {key.removeprefix(HEAD): file.get_tensor(key).float() for key in file.keys() if key.startswith(HEAD)}  # noqa: SIM118  not a dictionary
    problems = state_problems(module.state_dict(), state)
    if problems:
        raise ValueError(f"{path.name}: expected a track head, as its header says: {'; '.join(problems)}")
    module.load_state_dict(state)
    return module.eval().requires_grad_(False)


def wan_lora(path: Path) -> State:
    return read_weights(path, LORA_WRAPPERS)[0]


def written(path: Path, tensors: State, metadata: dict[str, str]):
    """One file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        save_file(tensors, part, metadata=metadata)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
