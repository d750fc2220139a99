"""Training of additions of low rank to a network's matrices, so that what is learned fits in a small file.

Owns the additions. Matrices of the blocks and of the time's projection stay as they are and get up @ down;
vectors, the patch embedding and the head learn themselves. Words and the text's embedding do not learn.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from ...model.weights.onto import DOWN, UP
from .network import Cartoon

RANK = 32
M = TypeVar("M", bound=nn.Module)
HELD = ("words.", "dit.text_embedding.", "dit.time_embedding.", "dit.time_projection.")
FROZEN = ("words.", "dit.text_embedding.", "dit.time_embedding.")


class Addition(nn.Module):
    """up (rows, rank) begins at zero, down (rank, columns) as rows that are orthogonal and of length 1."""

    def __init__(self, rows: int, columns: int, rank: int):
        super().__init__()
        self.up = nn.Parameter(torch.zeros(rows, rank))
        self.down = nn.Parameter(nn.init.orthogonal_(torch.empty(rank, columns)))

    def forward(self, weight: Tensor) -> Tensor:
        return weight + self.up @ self.down


def with_additions(net: Cartoon, rank: int = RANK, seed: int = 0) -> Cartoon:
    """The network itself, from now on with additions that learn."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for name, module in net.named_modules():
            if isinstance(module, nn.Linear) and name.startswith(("dit.blocks.", "dit.time_projection.")):
                addition = Addition(module.out_features, module.in_features, rank)
                parametrize.register_parametrization(module, "weight", addition)
    for name, p in net.named_parameters():
        p.requires_grad_(not (name.startswith(FROZEN) or name.endswith(".original")))
    return net


def with_motion_additions(model: M, rank: int, seed: int = 0) -> M:
    """A motion model (dit, track head, words) itself, from now on with additions that learn in self attention
    and feed-forward layers.

    `held` of the model then names what does not learn: these matrices, text, words and the time's projection.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for name, module in model.named_modules():
            if isinstance(module, nn.Linear) and any(part in name for part in (".self_attn.", ".ffn.")):
                addition = Addition(module.out_features, module.in_features, rank)
                parametrize.register_parametrization(module, "weight", addition)
    held = [name for name, _ in model.named_parameters() if name.startswith(HELD) or ".cross_attn." in name]
    originals = [name for name, _ in model.named_parameters() if name.endswith(".original")]
    setattr(model, "held", frozenset([*held, *originals]))  # noqa: B010  modules declare no such attribute
    return model


def rank_of(state: Mapping[str, Tensor]) -> int | None:
    """The rank of the additions in a state; None without any."""
    return next((value.shape[1] for name, value in state.items() if name.endswith(".0.up")), None)


def additions_of(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The state of such a network as keys of `model.weights.onto`, without "dit." and without what did not
    learn.
    """
    out: dict[str, Tensor] = {}
    for name, value in state.items():
        if name.startswith(FROZEN) or name.endswith(".original"):
            continue
        place = name.removeprefix("dit.")
        before, inside, factor = place.partition(".parametrizations.weight.0.")
        out[f"{before}.weight{UP if factor == 'up' else DOWN}" if inside else place] = value
    return out
