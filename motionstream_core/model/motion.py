"""Tracks on the latent grid: random ids, their sinusoids, the motion map, time packed into channels, the
track head.

Owns the paper's motion condition (MotionStream, section 3.1). Knows nothing of warps, codecs or the
transformer.
Shapes: xy (T, N, 2) pixels, x right, y down. visible (T, N). T pixel frames, t latent frames, (h, w) the
latent grid, C = id_dim. Every function also takes leading batch dimensions.
"""

import math

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from .config import PAPER_MAP, MapRules

# Of most models (see MotionConfig.id_range). Over 2**16 ids even the slowest sinusoid (wavelength 2 pi
# 10000**(31/32), about 47,000) makes more than one turn, so all 64 channels tell tracks apart; over a few
# thousand, half of the channels would be nearly the same for every track.
ID_RANGE = 2**16
PACK = 4


def track_ids(count: int, rng: torch.Generator | None = None, limit: int = ID_RANGE) -> Tensor:
    """`count` distinct random ids (count,) int64 in [0, limit). On the generator's device."""
    if not 1 <= count <= limit:
        raise ValueError(f"tracks: expected 1 to {limit}, got {count}")
    device = rng.device if rng is not None else "cpu"
    return torch.randperm(limit, generator=rng, device=device)[:count]


def sinusoidal_ids(ids: Tensor, dim: int = 64, rules: MapRules = PAPER_MAP) -> Tensor:
    """Embeddings (..., dim) float32 of ids (...): sines, then cosines, base 10000 (phi of section 3.1)."""
    half = dim // 2
    if rules.angles == "float32":
        steps = torch.arange(half, dtype=torch.float32, device=ids.device)
        angles = ids.float().unsqueeze(-1) * torch.exp(-math.log(10000) * steps / half)
    else:
        frequencies = 10000.0 ** -(torch.arange(half, dtype=torch.float64, device=ids.device) / half)
        angles = ids.double().unsqueeze(-1) * frequencies
    return torch.cat([angles.sin(), angles.cos()], dim=-1).float()


def motion_map(
    xy: Tensor,
    visible: Tensor,
    emb: Tensor,
    grid: tuple[int, int],
    stride: int,
    unspecified: Tensor | None = None,
    rules: MapRules = PAPER_MAP,
) -> Tensor:
    """The motion map (C, T, h, w): the embedding of each visible track in its cell, zeros elsewhere. Points
    off the canvas are skipped.

    Args:
        xy: (T, N, 2) pixels.
        visible: (T, N) bool.
        emb: (N, C) embeddings of the tracks.
        grid: rows and columns of cells.
        stride: pixels of a cell.
        unspecified: (T, N). Adds one more channel: 1 where a track was last that says nothing now (let go, as
            opposed to hidden).
        rules: what is in a cell that several tracks fall into. By default the one of lowest index has it, on
            every device, so a caller who wants a track to win lists it first.
    """
    h, w = grid
    cell = _cells(xy, visible, grid, stride, rules)
    if rules.overlap == "sum":
        maps = _sum_of_tracks(cell, emb, grid)
    else:
        maps = _first_track(cell, emb, grid)
    if unspecified is None:
        return maps
    said = motion_map(xy, unspecified, emb.new_ones(*emb.shape[:-1], 1), grid, stride)
    return torch.cat([maps, said], dim=-4)


def _cells(xy: Tensor, visible: Tensor, grid: tuple[int, int], stride: int, rules: MapRules) -> Tensor:
    """The cell (T, N) of each point, h w for one that is not written."""
    h, w = grid
    x, y = torch.floor(xy / stride).unbind(-1)
    written = visible.bool() & (x >= 0) & (x < w) & (y >= 0) & (y < h)
    if rules.cell == "round":
        size = xy.new_tensor([w * stride, h * stride])
        shares = (xy / size).clamp(0, 1)
        x, y = (shares * xy.new_tensor([w - 1, h - 1])).round().unbind(-1)
    return torch.where(written, y * w + x, h * w).long()


def _sum_of_tracks(cell: Tensor, emb: Tensor, grid: tuple[int, int]) -> Tensor:
    """The sum of the embeddings of all tracks in a cell."""
    h, w = grid
    values = emb.unsqueeze(-3).expand(*cell.shape, emb.shape[-1])
    made = emb.new_zeros(*cell.shape[:-1], h * w + 1, emb.shape[-1])
    made = made.scatter_add(-2, cell.unsqueeze(-1).expand_as(values), values)
    return rearrange(made[..., : h * w, :], "... t (h w) c -> ... c t h w", h=h, w=w)


def _first_track(cell: Tensor, emb: Tensor, grid: tuple[int, int]) -> Tensor:
    """The embedding of the track of lowest index in a cell."""
    h, w = grid
    count = emb.shape[-2]
    index = torch.arange(count, device=cell.device).expand(cell.shape)
    # One extra cell takes the points that are not written, one extra row of zeros is the winner of an empty
    # cell.
    winner = torch.full((*cell.shape[:-1], h * w + 1), count, device=cell.device)
    winner = winner.scatter_reduce(-1, cell, index, "amin")[..., : h * w]
    rows = F.pad(emb, (0, 0, 0, 1))
    flat = winner.flatten(-2).unsqueeze(-1)
    values = rows.expand(*flat.shape[:-2], *rows.shape[-2:]).gather(
        -2, flat.expand(*flat.shape[:-1], emb.shape[-1])
    )
    return rearrange(values, "... (t h w) c -> ... c t h w", h=h, w=w)


def pack_time(maps: Tensor, first: bool = True, rules: MapRules = PAPER_MAP) -> Tensor:
    """(C, T, h, w) -> (4 C, t, h, w): four pixel frames side by side in the channels of their latent frame,
    oldest first.

    With `first` the maps begin at pixel frame 0 (T = 1 + 4 k), and `rules` say what latent frame 0 has in
    front of it: by default pixel frame 0 three times more. Without, they continue a clip (T = 4 k).
    """
    frames = maps.shape[-3]
    if frames % PACK != int(first) or frames == 0:
        raise ValueError(f"pixel frames: expected {'1 + 4 k' if first else '4 k, k > 0'}, got {frames}")
    if first:
        start = maps[..., :1, :, :] if rules.before == "repeat" else torch.zeros_like(maps[..., :1, :, :])
        maps = torch.cat([start, start, start, maps], dim=-3)
    return rearrange(maps, "... c (t f) h w -> ... (f c) t h w", f=PACK)


class TrackHead(nn.Module):
    """Packed motion maps (B, 4 id_dim, t, h, w) -> (B, channels, t, h, w): one 1x1x1 convolution. `id_dim`:
    MotionConfig.map_channels.
    """

    def __init__(self, id_dim: int = 64, channels: int = 16):
        super().__init__()
        self.conv = nn.Conv3d(PACK * id_dim, channels, kernel_size=1)

    def forward(self, packed: Tensor) -> Tensor:
        return self.conv(packed)


class MotionEncoder:
    """Encodes a clip's tracks in pieces: piece by piece equals all at once. One encoder serves one stream.
    Tracks may join it.

    `unspecified`: the head has the channel that MotionConfig.unspecified_channel names. `rules`: those of the
    model.
    """

    def __init__(
        self,
        head: TrackHead,
        ids: Tensor,
        grid: tuple[int, int],
        stride: int,
        unspecified: bool = False,
        rules: MapRules = PAPER_MAP,
    ):
        weight = head.conv.weight
        self.head = head
        self.unspecified = unspecified
        self.id_dim = weight.shape[1] // PACK - unspecified
        self.rules = rules
        self.emb = sinusoidal_ids(ids.to(weight.device), self.id_dim, rules)
        self.grid = grid
        self.stride = stride
        self.reset()

    def extend(self, ids: Tensor):
        """Further tracks, behind those there are."""
        if not len(ids):
            return
        more = sinusoidal_ids(ids.to(self.head.conv.weight.device), self.id_dim, self.rules)
        self.emb = torch.cat([self.emb, more])

    def reset(self):
        """The next piece begins at pixel frame 0."""
        self.started = False

    def encode(self, xy: Tensor, visible: Tensor, unspecified: Tensor | None = None) -> Tensor:
        """The next pixel frames, xy (T, N, 2) and visible (T, N), T = 1 + 4 k first and 4 k later -> (1, C_m,
        t, h, w).

        unspecified (T, N): which tracks say nothing. None by default. A head without the channel does not
        look at it.
        """
        expected = (xy.shape[0], len(self.emb))
        if xy.shape != (*expected, 2) or visible.shape != expected:
            raise ValueError(
                f"tracks: expected xy {(*expected, 2)} and visible {expected}, got {tuple(xy.shape)} and "
                f"{tuple(visible.shape)}"
            )
        weight = self.head.conv.weight
        said = None
        if self.unspecified:
            said = (torch.zeros_like(visible, dtype=torch.bool) if unspecified is None else unspecified).to(
                weight.device
            )
        maps = motion_map(
            xy.to(weight.device),
            visible.to(weight.device),
            self.emb,
            self.grid,
            self.stride,
            said,
            self.rules,
        )
        packed = pack_time(maps, first=not self.started, rules=self.rules)
        self.started = True
        return self.head(packed.unsqueeze(0).to(weight.dtype))
