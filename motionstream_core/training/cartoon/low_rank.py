"""Training of additions of low rank to a network's matrices, so that what is learned fits in a small file.

Owns the additions. Matrices of the blocks and of the time's projection stay as they are and get up @ down.
Vectors, the patch embedding and the head learn themselves. Words and the text's embedding do not learn.
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
OPTIONAL = (".cross_attn.", "dit.time_projection.")  # learn where any of their matrices has an addition
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


def with_motion_additions(model: M, ranks: int | Mapping[str, int], seed: int = 0) -> M:
    """A motion model (dit, track head, words) itself, from now on with additions that learn.

    ranks: of the linear layers by name, or one for those of self attention and feed-forward.
    `held` of the model then names what does not learn: these matrices, those without additions, words, the
    text's and time's embeddings, and what stands beside matrices none of which has additions.
    """
    if isinstance(ranks, int):
        ranks = {
            name: ranks for name in _matrices(model) if any(part in name for part in (".self_attn.", ".ffn."))
        }
    modules = dict(model.named_modules())
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for name, rank in ranks.items():
            module = modules[name]
            if not isinstance(module, nn.Linear):
                raise ValueError(f"additions: expected a linear layer named {name}, got none")
            addition = Addition(module.out_features, module.in_features, rank)
            parametrize.register_parametrization(module, "weight", addition)
    whole = {f"{name}.weight" for name in _matrices(model) if name not in ranks}
    bare = tuple(part for part in OPTIONAL if not any(part in name for name in ranks))
    held = [
        name
        for name, _ in model.named_parameters()
        if name in whole
        or name.startswith(FROZEN)
        or name.endswith(".original")
        or any(part in name for part in bare)
    ]
    setattr(model, "held", frozenset(held))  # noqa: B010  modules declare no such attribute
    return model


def _matrices(model: nn.Module) -> dict[str, nn.Linear]:
    """The linear layers of the blocks and of the time's projection, by name."""
    return {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and name.startswith(("dit.blocks.", "dit.time_projection."))
    }


def ranks_of(state: Mapping[str, Tensor]) -> dict[str, int]:
    """The ranks of the additions in a state, by the names of their layers. Empty without any."""
    end = ".parametrizations.weight.0.up"
    return {name.removesuffix(end): value.shape[1] for name, value in state.items() if name.endswith(end)}


@torch.no_grad()
def factored(model: M, base: M, numbers: int) -> M:
    """The base itself, with additions of `numbers` numbers in all that bring it nearest to the model.

    Each matrix gets as many directions of its difference as are worth their numbers: those of the largest
    squares for their length, over all matrices. What does not learn in such a model stays the base's.
    """
    own, other = _matrices(base), _matrices(model)
    parts = {name: torch.linalg.svd(other[name].weight - own[name].weight, False) for name in own}
    worth = [
        (float(size) ** 2 / sum(own[name].weight.shape), sum(own[name].weight.shape), name)
        for name, (_, sizes, _) in parts.items()
        for size in sizes
        if size > 0
    ]
    ranks: dict[str, int] = {}
    for _, length, name in sorted(worth, reverse=True):
        if length <= numbers:
            ranks[name] = ranks.get(name, 0) + 1
            numbers -= length
    learned = {name: p.detach() for name, p in model.named_parameters()}
    with_motion_additions(base, ranks)
    for name, p in base.named_parameters():
        if name in learned and name not in getattr(base, "held"):  # noqa: B009
            p.copy_(learned[name])
    for name, rank in ranks.items():
        left, sizes, right = parts[name]
        root = sizes[:rank].sqrt()
        addition = base.get_submodule(f"{name}.parametrizations.weight.0")
        assert isinstance(addition, Addition)
        addition.up.copy_(left[:, :rank] * root)
        addition.down.copy_(root[:, None] * right[:rank])
    return base


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
