"""Rotary position embedding in Wan's layout, by cache slot.

Owns the tables and the rotation. Knows nothing of caches, chunks or absolute time: the temporal index of each
latent frame is handed in as a Python int. Shapes: tokens (B, L, D) with L = frames x grid_h x grid_w and D =
heads x head_dim. Pairs are interleaved, (x0 + i x1) is turned by one complex number per token and pair.
Tables are computed in float64 and applied in float32.
"""

from functools import lru_cache

import torch
from torch import Tensor

THETA = 10000.0


def axis_dims(head_dim: int) -> tuple[int, int, int]:
    """Channels of a head given to time, height and width: (d - 4 (d // 6), 2 (d // 6), 2 (d // 6))."""
    part = 2 * (head_dim // 6)
    return head_dim - 2 * part, part, part


def axis_angles(positions: Tensor, dim: int) -> Tensor:
    """Angles (len(positions), dim / 2) in float64 of one axis."""
    frequencies = THETA ** -(torch.arange(0, dim, 2, dtype=torch.float64) / dim)
    return torch.outer(positions.double(), frequencies)


@lru_cache(maxsize=64)
def rope_table(slots: tuple[int, ...], grid: tuple[int, int], head_dim: int) -> Tensor:
    """Angles (L, head_dim / 2) in float64 of every token of frames at temporal indices `slots` on a grid of
    tokens.
    """
    height, width = grid
    t_dim, h_dim, w_dim = axis_dims(head_dim)
    shape = (len(slots), height, width, -1)
    t = axis_angles(torch.tensor(slots), t_dim)[:, None, None].expand(shape)
    h = axis_angles(torch.arange(height), h_dim)[None, :, None].expand(shape)
    w = axis_angles(torch.arange(width), w_dim)[None, None].expand(shape)
    return torch.cat([t, h, w], dim=-1).flatten(0, 2)


def rotate(x: Tensor, table: tuple[Tensor, Tensor]) -> Tensor:
    """Turns the interleaved pairs of x (B, L, D) by a table (cos, sin), each (L, 1, head_dim / 2) float32.
    Keeps x's dtype.
    """
    cos, sin = table
    pairs = x.float().unflatten(-1, (-1, cos.shape[-1], 2))
    even, odd = pairs.unbind(-1)
    turned = torch.stack((even * cos - odd * sin, even * sin + odd * cos), dim=-1)
    return turned.flatten(-3).to(x.dtype)


def rotate_complex(x: Tensor, turns: Tensor) -> Tensor:
    """The same by complex numbers (L, 1, head_dim / 2): one pass over x, for a CPU."""
    pairs = torch.view_as_complex(x.float().unflatten(-1, (-1, turns.shape[-1], 2)))
    return torch.view_as_real(pairs * turns).flatten(-3).to(x.dtype)


class Rope:
    """The tables of one token grid, made once per tuple of slots. Slots are bounded by the cache, so the memo
    is too.

    order: (L,) the token at each place, on the CPU, where they do not stand frame by frame.
    """

    def __init__(
        self,
        head_dim: int,
        grid: tuple[int, int],
        device: torch.device | str = "cpu",
        order: Tensor | None = None,
    ):
        self.head_dim = head_dim
        self.grid = grid
        self.device = torch.device(device)
        self._order = order
        self._tables: dict[tuple[int, ...], tuple[Tensor, Tensor]] = {}
        self._turns: dict[tuple[int, ...], Tensor] = {}

    def serves(
        self, head_dim: int, grid: tuple[int, int], device: torch.device, order: Tensor | None
    ) -> bool:
        """Whether its tables are those of this grid, device and order."""
        return (self.head_dim, self.grid, self.device) == (head_dim, grid, device) and self._order is order

    @property
    def tokens_per_frame(self) -> int:
        return self.grid[0] * self.grid[1]

    def copy(self) -> "Rope":
        """The same tables in a memo that goes its own way."""
        other = Rope(self.head_dim, self.grid, self.device, self._order)
        other._tables, other._turns = dict(self._tables), dict(self._turns)
        return other

    def table(self, slots: tuple[int, ...]) -> tuple[Tensor, Tensor]:
        """(cos, sin), each (L, 1, head_dim / 2) float32 on the device."""
        if slots not in self._tables:
            angles = rope_table(slots, self.grid, self.head_dim).unsqueeze(1)
            angles = angles if self._order is None else angles[self._order]
            self._tables[slots] = (angles.cos().float().to(self.device), angles.sin().float().to(self.device))
        return self._tables[slots]

    def turns(self, slots: tuple[int, ...]) -> Tensor:
        """The table as complex numbers (L, 1, head_dim / 2)."""
        if slots not in self._turns:
            self._turns[slots] = torch.complex(*self.table(slots))
        return self._turns[slots]

    def rotate(self, x: Tensor, slots: tuple[int, ...]) -> Tensor:
        """x (B, L, D) with its frames placed at `slots`."""
        if x.device.type == "cpu" and not torch.is_grad_enabled() and not torch.compiler.is_compiling():
            return rotate_complex(x, self.turns(slots))
        return rotate(x, self.table(slots))
