"""Optimisers of the training stages.

Owns Muon (momentum orthogonalised by Newton-Schulz iterations, after Keller Jordan's published description)
for weight matrices and convolutions, joined with AdamW for everything else.

Not torch's own, though torch has both. `torch.optim.Muon` orthogonalises in bfloat16 and takes matrices alone
(measured: 1e-4 off after one step at a learning rate of .01). `torch.optim.AdamW` rounds another way (7e-9
off), so runs would not go on to the same weights. `--optimizer adamw` alone is torch's.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def orthogonalised(g: Tensor, steps: int = 5) -> Tensor:
    """The nearest semi-orthogonal matrix to g (rows, cols), approximately: the quintic Newton-Schulz
    iteration.
    """
    a, b, c = 3.4445, -4.7750, 2.0315
    x = g / (g.norm() + 1e-7)
    flip = x.shape[0] > x.shape[1]
    x = x.T if flip else x
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if flip else x


def is_matrix(name: str, p: nn.Parameter, adam_names: tuple[str, ...] = ()) -> bool:
    """Whether a parameter is orthogonalised: rows and columns enough, and no part of its name in
    `adam_names`.
    """
    return p.ndim >= 2 and min(p.shape[0], p[0].numel()) >= 8 and not any(a in name for a in adam_names)


class MuonAdamW(torch.optim.Optimizer):
    """Two kinds of groups in one optimiser: {"muon": True} for matrices, {"muon": False} for the rest
    (AdamW).
    """

    def __init__(
        self,
        module: nn.Module,
        lr: float = 0.012,
        adam_lr: float = 1e-3,
        weight_decay: float = 0.0,
        momentum: float = 0.95,
        adam_names: tuple[str, ...] = (),
    ):
        matrices, rest = [], []
        for name, p in module.named_parameters():
            if p.requires_grad:
                (matrices if is_matrix(name, p, adam_names) else rest).append(p)
        groups = [
            {"params": matrices, "muon": True, "lr": lr, "base_lr": lr},
            {"params": rest, "muon": False, "lr": adam_lr, "base_lr": adam_lr},
        ]
        super().__init__(
            [g for g in groups if g["params"]], {"weight_decay": weight_decay, "momentum": momentum}
        )

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            update = self._muon if group["muon"] else self._adamw
            for p in group["params"]:
                if p.grad is not None:
                    p.mul_(1 - group["lr"] * group["weight_decay"])
                    update(p, p.grad, group, self.state[p])

    def _muon(self, p: Tensor, grad: Tensor, group: dict, state: dict) -> None:
        m = state.setdefault("momentum", torch.zeros_like(p))
        m.lerp_(grad, 1 - group["momentum"])
        g = grad.lerp(m, group["momentum"]).reshape(p.shape[0], -1)
        scale = max(1.0, g.shape[0] / g.shape[1]) ** 0.5
        p.add_(orthogonalised(g).view_as(p), alpha=-group["lr"] * scale)

    def _adamw(self, p: Tensor, grad: Tensor, group: dict, state: dict) -> None:
        if "m" not in state:
            state.update(m=torch.zeros_like(p), v=torch.zeros_like(p), step=0)
        state["step"] += 1
        state["m"].lerp_(grad, 0.1)
        state["v"].lerp_(grad.square(), 0.01)
        m = state["m"] / (1 - 0.9 ** state["step"])
        v = state["v"] / (1 - 0.99 ** state["step"])
        p.addcdiv_(m, v.sqrt().add_(1e-8), value=-group["lr"])
