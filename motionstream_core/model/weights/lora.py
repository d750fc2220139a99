"""What a LoRA adds to the weights of a network: pairs of low rank, and whole differences, under any of the
public spellings.

Owns the spellings and the check that a LoRA belongs to the network. Additions are made when they are asked
for: nothing is merged before.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from torch import Tensor

from ...common.state_dict import State, listed_names

PAIR = re.compile(
    r"(.+?)\.(lora_A|lora_B|lora_down|lora_up|lora\.down|lora\.up|alpha)(\.default)?(\.weight)?"
)
WHOLE = re.compile(r"(.+?)\.(diff|diff_b|diff_m)")
TARGETS = {"diff": "weight", "diff_b": "bias", "diff_m": "modulation"}
MATRICES = {"lora_down": "lora_A", "lora_up": "lora_B", "lora.down": "lora_A", "lora.up": "lora_B"}
DORA = re.compile(r"(.+?)\.(dora_scale|lora_magnitude_vector)(\.default)?(\.weight)?")
# kohya and musubi write a module's path with underscores, behind what it is a part of.
FLAT = re.compile(r"lora_(unet|transformer)_(\w+?)\.(.+)")
FLAT_PARTS = (
    (r"^blocks_(\d+)_(attn1|attn2)_to_out_0$", r"blocks.\1.\2.to_out.0"),
    (r"^blocks_(\d+)_(attn1|attn2|self_attn|cross_attn)_(\w+)$", r"blocks.\1.\2.\3"),
    (r"^blocks_(\d+)_ffn_net_0_proj$", r"blocks.\1.ffn.net.0.proj"),
    (r"^blocks_(\d+)_ffn_net_2$", r"blocks.\1.ffn.net.2"),
    (r"^blocks_(\d+)_ffn_([02])$", r"blocks.\1.ffn.\2"),
    (r"^condition_embedder_(text|time)_embedder_(\w+)$", r"condition_embedder.\1_embedder.\2"),
    (r"^condition_embedder_time_proj$", r"condition_embedder.time_proj"),
    (r"^(text_embedding|time_embedding|time_projection|img_emb_proj)_(\d)$", r"\1.\2"),
    (r"^head_head$", r"head.head"),
)
# What a network may lack as a whole: the picture's branch, and parts beside the network.
BRANCH = re.compile(r"(k_img|v_img|norm_k_img|norm_q_img)(\.|$)|^img_emb\.|^ref_conv|^control_adapter")
BESIDE = re.compile(r"^(lora_te\d*_|text_encoder|text_encoders|text_model|te\d?\.|conditioner)")
Addition = Callable[[Tensor], Tensor]  # a weight -> the weight with the LoRA in it


def dot_key(key: str) -> str:
    """A key of kohya's spelling with dots between modules. Any other as it is."""
    flat = FLAT.fullmatch(key)
    if flat is None:
        return key
    module = flat[2]
    for pattern, to in FLAT_PARTS:
        module = re.sub(pattern, to, module)
    return f"{module}.{flat[3]}"


def lora_additions(
    state: State,
    lora: Mapping[str, Tensor],
    name: str,
    spelling: Callable[[str], str],
    strength: float = 1.0,
    left_out: list[str] | None = None,
) -> dict[str, Addition]:
    """For each weight that a LoRA changes, how. ValueError for a LoRA of another network.

    Pairs: W + strength alpha / rank B A. Differences (diff, diff_b for a bias): W + strength D.

    Args:
        state: of the network.
        lora: tensors of the LoRA's file.
        name: of the file, for errors.
        spelling: a module's key in the network's words.
        strength: factor of all additions.
        left_out: is given the keys for parts that the network does not have.
    """
    dora = next((key for key in lora if DORA.fullmatch(key)), None)
    if dora is not None:
        raise ValueError(
            f"{name}: expected a LoRA, got a DoRA (with {dora}), whose scales are not merged here: load the "
            "model, then this file with the host's own LoRA loader"
        )
    pairs: dict[str, dict[str, Tensor]] = {}
    made: dict[str, Addition] = {}
    without_branch = not any(BRANCH.search(key) for key in state)
    for key, value in lora.items():
        plain = spelling(dot_key(key))
        if BESIDE.search(key) or (without_branch and BRANCH.search(plain)):
            if left_out is not None:
                left_out.append(key)
            continue
        whole, found = WHOLE.fullmatch(plain), PAIR.fullmatch(plain)
        if whole is not None:
            target = spelling(f"{whole[1]}.{TARGETS[whole[2]]}")
            _check(state, target, tuple(value.shape), name)
            made[target] = _difference(value, strength)
        elif found is not None:
            part = MATRICES.get(found[2], found[2])
            pairs.setdefault(spelling(f"{found[1]}.weight"), {})[part] = value
        else:
            raise ValueError(f"{name}: expected keys of a LoRA (lora_A, lora_B, alpha, diff), got {key}")
    _check_keys(state, pairs, name)
    return made | {key: _pair(state, key, pair, name, strength) for key, pair in pairs.items()}


def _check_keys(state: State, pairs: Mapping[str, object], name: str):
    """ValueError that lists the weights which the network does not have, where there are several."""
    unknown = sorted(key for key in pairs if key not in state)
    if len(unknown) > 1:
        raise ValueError(
            f"{name}: expected a LoRA for this network, got one for {listed_names(unknown)}, which it does "
            "not have"
        )


def _check(state: State, key: str, shape: tuple[int, ...], name: str):
    if key not in state or tuple(state[key].shape) != shape:
        got = tuple(state[key].shape) if key in state else "no such weight"
        raise ValueError(
            f"{name}: expected a LoRA for this network, got one for {key} of {shape} where the network has "
            f"{got}"
        )


def _difference(value: Tensor, strength: float) -> Addition:
    return lambda weight: (weight.float() + strength * value.float()).to(weight.dtype)


def _pair(state: State, key: str, pair: Mapping[str, Tensor], name: str, strength: float) -> Addition:
    if not {"lora_A", "lora_B"} <= pair.keys():
        raise ValueError(f"{name}: expected lora_A and lora_B for {key}, got {sorted(pair)}")
    down, up = pair["lora_A"], pair["lora_B"]
    if up.shape[1] != down.shape[0]:
        raise ValueError(
            f"{name}: expected lora_A and lora_B of one rank for {key}, got {down.shape[0]} and {up.shape[1]}"
        )
    _check(state, key, (up.shape[0], down.shape[1]), name)
    scale = strength * float(pair["alpha"]) / down.shape[0] if "alpha" in pair else strength
    return lambda weight: (weight.float() + scale * up.float() @ down.float()).to(weight.dtype)
