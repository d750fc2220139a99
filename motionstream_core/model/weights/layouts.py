"""What else is in a file beside the network: other roles of a training, other parts of a whole checkpoint.

Owns the words by which they are known. Knows nothing of the network's own keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from torch import Tensor

from ...common.state_dict import State, listed_names

# Roles of a training as the first word of flat keys, the one that is wanted first.
ROLES = ("generator_ema", "generator", "ema_model", "ema", "student")
OTHER_ROLES = ("critic", "fake_score", "real_score", "teacher", "discriminator")
# Parts of a checkpoint that is a whole pipeline in one file.
PARTS = (
    "first_stage_model.",
    "vae.",
    "cond_stage_model.",
    "conditioner.",
    "text_encoders.",
    "text_encoder.",
    "text_encoder_2.",
    "clip_vision.",
    "clip_vision_model.",
    "image_encoder.",
    "model_ema.",
)


def network_of(state: Mapping[str, Tensor]) -> tuple[State, list[str]]:
    """The network's tensors of a flat state, and in words what was left beside it."""
    found = [role for role in ROLES if any(key.startswith(f"{role}.") for key in state)]
    others = [*found[1:], *(role for role in OTHER_ROLES if any(_in(key, role) for key in state))]
    kept, notes = dict(state), []
    if found and others:
        kept = {key: value for key, value in state.items() if _in(key, found[0])}
        notes.append(f"{found[0]} is taken, {', '.join(others)} left beside it")
    parts = sorted({part for part in PARTS if any(key.startswith(part) for key in kept)})
    network = {key: value for key, value in kept.items() if not key.startswith(tuple(parts))}
    if parts and network:
        notes.append(
            f"a whole checkpoint: its network is taken, {len(kept) - len(network)} tensors left out "
            f"({', '.join(part.rstrip('.') for part in parts)})"
        )
        kept = network
    return kept, notes


def _in(key: str, role: str) -> bool:
    return key.startswith(f"{role}.")


def left_out_words(keys: Iterable[str]) -> str:
    """One sentence of the keys of a LoRA that have no part here."""
    names = sorted(keys)
    return f"left out of the LoRA, for parts that this network does not have: {listed_names(names, 6)}"
