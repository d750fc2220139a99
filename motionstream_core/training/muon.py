"""Muon with all matrices of one shape orthogonalised together, and Adam for everything else.

Owns the update. The iteration is that of `optim.orthogonalised`, batched by shape, in bfloat16 where that is
the faster one: on CPUs with matrix tiles it is, on others it is not. Momentum and weights stay float32.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
ITERATIONS = 5


def orthogonalised(g: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """The nearest semi-orthogonal matrices to g (N, rows, cols), approximately, computed in `dtype`."""
    a, b, c = COEFFICIENTS
    x = (g / (g.norm(dim=(1, 2), keepdim=True) + 1e-7)).to(dtype)
    flip = x.shape[1] > x.shape[2]
    x = x.mT if flip else x
    for _ in range(ITERATIONS):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return (x.mT if flip else x).float()


class BatchedMuon(torch.optim.Optimizer):
    """One group of matrices ("muon": True) and one of the rest (Adam), each with a `base_lr` for schedules.

    The state is float32 momentum for matrices, and two moments and a count for the rest.
    """

    def __init__(
        self,
        named: Iterable[tuple[str, nn.Parameter]],
        lr: float,
        adam_lr: float,
        *,
        is_matrix: Callable[[str, nn.Parameter], bool],
        momentum: float = 0.95,
        betas: tuple[float, float] = (0.9, 0.99),
        dtype: torch.dtype = torch.float32,
    ):
        self.dtype = dtype
        matrices, rest = [], []
        for name, p in named:
            (matrices if is_matrix(name, p) else rest).append(p)
        groups = [
            {"params": matrices, "muon": True, "lr": lr, "base_lr": lr},
            {"params": rest, "muon": False, "lr": adam_lr, "base_lr": adam_lr},
        ]
        super().__init__(
            [group for group in groups if group["params"]], {"momentum": momentum, "betas": betas}
        )

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            learned = [(p, p.grad) for p in group["params"] if p.grad is not None]
            if group["muon"]:
                self._muon(learned, group)
            else:
                self._adam(learned, group)

    def _muon(self, learned: list[tuple[nn.Parameter, Tensor]], group: dict) -> None:
        shapes: dict[tuple[int, int], list[tuple[nn.Parameter, Tensor]]] = defaultdict(list)
        for p, grad in learned:
            momentum = self.state[p].setdefault("momentum", torch.zeros_like(p))
            momentum.lerp_(grad, 1 - group["momentum"])
            g = grad.lerp(momentum, group["momentum"]).reshape(p.shape[0], -1)
            shapes[g.shape[0], g.shape[1]].append((p, g))
        for (rows, columns), pairs in shapes.items():
            updates = orthogonalised(torch.stack([g for _, g in pairs]), self.dtype)
            size = group["lr"] * max(1.0, rows / columns) ** 0.5
            for (p, _), update in zip(pairs, updates):
                p.add_(update.view_as(p), alpha=-size)

    def _adam(self, learned: list[tuple[nn.Parameter, Tensor]], group: dict) -> None:
        first, second = group["betas"]
        for p, grad in learned:
            state = self.state[p]
            if not state:
                state.update(m=torch.zeros_like(p), v=torch.zeros_like(p), count=torch.zeros(()))
            state["count"] += 1
            count = float(state["count"])
            state["m"].lerp_(grad, 1 - first)
            state["v"].lerp_(grad.square(), 1 - second)
            scale = (state["v"] / (1 - second**count)).sqrt_().add_(1e-8)
            p.addcdiv_(state["m"], scale, value=-group["lr"] / (1 - first**count))
