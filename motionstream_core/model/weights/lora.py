"""What a LoRA adds to the weights of a network: pairs of low rank, and whole differences, under any of the
public spellings.

Owns the spellings and the check that a LoRA belongs to the network. Additions are made when they are asked
for: nothing is merged before.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from torch import Tensor

from ...common.state_dict import State

PAIR = re.compile(r"(.+?)\.(lora_A|lora_B|lora_down|lora_up|alpha)(\.default)?(\.weight)?")
WHOLE = re.compile(r"(.+?)\.(diff|diff_b|diff_m)")
TARGETS = {"diff": "weight", "diff_b": "bias", "diff_m": "modulation"}
Addition = Callable[[Tensor], Tensor]  # a weight -> the weight with the LoRA in it


def additions(
    state: State, lora: Mapping[str, Tensor], name: str, spelling: Callable[[str], str], strength: float = 1.0
) -> dict[str, Addition]:
    """For each weight that a LoRA changes, how; ValueError for a LoRA of another network.

    Pairs: W + strength alpha / rank B A. Differences (diff, diff_b for a bias): W + strength D. spelling: a
    module's key in the network's words.
    """
    pairs: dict[str, dict[str, Tensor]] = {}
    made: dict[str, Addition] = {}
    for key, value in lora.items():
        plain = spelling(key)
        whole, found = WHOLE.fullmatch(plain), PAIR.fullmatch(plain)
        if whole is not None:
            target = spelling(f"{whole[1]}.{TARGETS[whole[2]]}")
            _check(state, target, tuple(value.shape), name)
            made[target] = _difference(value, strength)
        elif found is not None:
            part = {"lora_down": "lora_A", "lora_up": "lora_B"}.get(found[2], found[2])
            pairs.setdefault(spelling(f"{found[1]}.weight"), {})[part] = value
        else:
            raise ValueError(f"{name}: expected keys of a LoRA (lora_A, lora_B, alpha, diff), got {key}")
    return made | {key: _pair(state, key, pair, name, strength) for key, pair in pairs.items()}


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
