"""Self attention within windows of a latent video's tokens, every second time shifted by half a window.

Owns the cutting into windows, their masks, and the groups that do without masks. Knows nothing of positions,
caches or blocks.
A window is (frames, rows, columns) of tokens and never larger than the video. Shifted windows go round the
edges: what meets there is kept apart, or not (`wrap`). Sizes that windows do not divide are padded, and
padding is seen by nobody.

Two ways lead to the same numbers. The masked one pads, and fills a window's forbidden scores with -inf: the
least work for a few hundred keys on a CPU, in training above all. The grouped one sorts the tokens so that
those who see each other stand together, and computes no forbidden score: windows of one length are a batch of
fused attention, windows of many lengths one call with `cu_seqlens` where the device has one. For it the
tokens of a network stand window by window from the patches to the head (`TokenOrder`): a plain layer of that
shape is then a reshape, and every other layer sorts from there.
Shapes: q, k, v (B, L, D) with L = T H W and D = heads x head_dim.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

Size = tuple[int, int, int]
CPU = torch.device("cpu")
MASKED_KEYS = 256  # up to so many keys of a window a CPU takes the masked way


def plain_attention(q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
    """Attention as two products and a softmax: on a CPU several times as fast to train as a fused one
    while keys are few.
    """
    q, k, v = (x.unflatten(-1, (heads, -1)).transpose(1, 2) for x in (q, k, v))
    return softmax_attention(q, k, v).transpose(1, 2).flatten(2)


def softmax_attention(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None = None) -> Tensor:
    """Softmax attention on (..., heads, length, head_dim). bias is added before the softmax."""
    scores = (q * q.shape[-1] ** -0.5) @ k.mT
    if bias is not None:
        scores = scores + bias.to(scores.dtype)
    return torch.softmax(scores, -1, dtype=scores.dtype) @ v


def window_of(video: Size, window: Size) -> Size:
    """The window cut to the video."""
    return min(video[0], window[0]), min(video[1], window[1]), min(video[2], window[2])


def shift_of(video: Size, window: Size) -> Size:
    """Half a window along every axis that it does not cover."""
    t, h, w = (size // 2 if size < whole else 0 for whole, size in zip(video, window))
    return t, h, w


@dataclass(frozen=True)
class Windows:
    """An attention over windows, for `attend`.

    Args:
        video: its size in tokens.
        window: that of a window.
        shifted: by half a window.
        wrap: whether tokens that meet across an edge see each other.
        major: the window by which the tokens are ordered. None: frame by frame.
    """

    video: Size
    window: Size
    shifted: bool = False
    wrap: bool = False
    major: Size | None = None

    def __call__(self, q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
        window = window_of(self.video, self.window)
        shift = shift_of(self.video, window) if self.shifted else (0, 0, 0)
        if self.major is not None or fused(window, q.device):
            groups = window_groups(self.video, window, shift, self.wrap, q.device, self.major)
            return grouped_attention(q, k, v, heads, groups)
        return self.masked(q, k, v, heads)

    def masked(self, q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
        """The same with padding and masks."""
        window = window_of(self.video, self.window)
        shift = shift_of(self.video, window) if self.shifted else (0, 0, 0)
        q, k, v = (cut_windows(x.unflatten(-1, (heads, -1)), self.video, window, shift) for x in (q, k, v))
        bias = window_bias(self.video, window, shift, self.wrap)
        if bias is not None:
            bias = bias.to(q.device)[:, None].expand(-1, heads, -1, -1)
        return join_windows(softmax_attention(q, k, v, bias), self.video, window, shift).flatten(2)


def fused(window: Size, device: torch.device) -> bool:
    """Whether the way without masks is the faster one."""
    return device.type != "cpu" or window[0] * window[1] * window[2] > MASKED_KEYS


@dataclass(frozen=True)
class TokenOrder:
    """The tokens of a video window by window, and in each window frame by frame.

    A strip is what a window has of one frame: its tokens share a timestep.

    Args:
        order: (L,) the token, counted frame by frame, at each place.
        back: (L,) the place of each token.
        frames: (strips,) the frame of each strip.
    """

    order: Tensor
    back: Tensor
    frames: Tensor

    def sorted(self, x: Tensor) -> Tensor:
        """(B, T, S, D) -> (B, strips, tokens of a strip, D)."""
        return x.flatten(1, 2)[:, self.order].unflatten(1, (len(self.frames), -1))

    def restored(self, x: Tensor, frames: int) -> Tensor:
        """The inverse, to so many frames."""
        return x.flatten(1, 2)[:, self.back].unflatten(1, (frames, -1))


def major_of(video: Size, shapes: tuple[Size, ...], device: torch.device) -> Size | None:
    """The first shape that divides the video, for tokens that stand window by window. None where none does,
    and where a CPU takes the masked way.
    """
    cuts = [window_of(video, shape) for shape in shapes]
    if not any(fused(window, device) for window in cuts):
        return None
    return next((window for window in cuts if not any(padding_of(video, window))), None)


@lru_cache(maxsize=64)
def token_order(video: Size, major: Size, device: torch.device = CPU) -> TokenOrder:
    """The order of windows that divide the video."""
    numbers = torch.arange(video[0] * video[1] * video[2]).view(video)
    p, q, r = major
    strips = rearrange(numbers, "(t p) (h q) (w r) -> (t h w p) (q r)", p=p, q=q, r=r)
    order = strips.flatten()
    frames = strips[:, 0] // (video[1] * video[2])
    return TokenOrder(order.to(device), torch.argsort(order).to(device), frames.to(device))


def padding_of(video: Size, window: Size) -> Size:
    return -video[0] % window[0], -video[1] % window[1], -video[2] % window[2]


def cut_windows(x: Tensor, video: Size, window: Size, shift: Size) -> Tensor:
    """(B, L, heads, d) -> (B, windows, heads, tokens of a window, d)."""
    x = rearrange(x, "b (t h w) n d -> b t h w n d", t=video[0], h=video[1])
    pads = padding_of(video, window)
    if any(pads):
        x = F.pad(x, (0, 0, 0, 0, 0, pads[2], 0, pads[1], 0, pads[0]))
    if any(shift):
        x = x.roll([-s for s in shift], (1, 2, 3))
    p, q, r = window
    return rearrange(x, "b (t p) (h q) (w r) n d -> b (t h w) n (p q r) d", p=p, q=q, r=r)


def join_windows(x: Tensor, video: Size, window: Size, shift: Size) -> Tensor:
    """The inverse of `cut`, to (B, L, heads, d)."""
    full = tuple(v + p for v, p in zip(video, padding_of(video, window)))
    t, h, w = (f // s for f, s in zip(full, window))
    p, q, r = window
    x = rearrange(x, "b (t h w) n (p q r) d -> b (t p) (h q) (w r) n d", t=t, h=h, w=w, p=p, q=q, r=r)
    if any(shift):
        x = x.roll(list(shift), (1, 2, 3))
    return x[:, : video[0], : video[1], : video[2]].flatten(1, 3)


@lru_cache(maxsize=64)
def window_bias(video: Size, window: Size, shift: Size, wrap: bool) -> Tensor | None:
    """0 where a token of a window may see another and -inf elsewhere, (windows, tokens, tokens) float32. None
    where all may.

    A padded token sees what is padded too, so that no row is empty.
    """
    pads = padding_of(video, window)
    if not any(pads) and (wrap or not any(shift)):
        return None
    regions = [torch.zeros(1, dtype=torch.long)] * 3
    for axis in range(3):
        place = torch.arange(video[axis] + pads[axis]).roll(-shift[axis])
        region = (place < shift[axis]).long() if not wrap else torch.zeros_like(place)
        regions[axis] = torch.where(place >= video[axis], 2, region)
    t, h, w = regions
    label = t[:, None, None] * 9 + h[:, None] * 3 + w
    outside = (t == 2)[:, None, None] | (h == 2)[:, None] | (w == 2)
    label = torch.where(outside, 27, label)
    padded = (label.shape[0], label.shape[1], label.shape[2])
    label = cut_windows(label.flatten()[None, :, None, None], padded, window, (0, 0, 0))[0, :, 0, :, 0]
    apart = label[:, :, None] != label[:, None, :]
    return torch.zeros(apart.shape).masked_fill(apart, float("-inf"))


@dataclass(frozen=True)
class WindowGroups:
    """Tokens sorted so that those who see each other stand together.

    Args:
        order: (L,) the token at each place.
        back: (L,) the place of each token.
        lengths: of the groups, in order.
        starts: (groups + 1,) int32, where each begins: the `cu_seqlens` of a varlen kernel.
        as_they_are: the tokens stand in this order already.
    """

    order: Tensor
    back: Tensor
    lengths: tuple[int, ...]
    starts: Tensor
    as_they_are: bool = False


@lru_cache(maxsize=64)
def window_groups(
    video: Size,
    window: Size,
    shift: Size,
    wrap: bool,
    device: torch.device = CPU,
    major: Size | None = None,
) -> WindowGroups:
    """The groups of a video's windows. Padding is in none of them.

    Args:
        video: tokens in time, height and width.
        window: tokens of a window.
        shift: tokens that the windows are moved by.
        wrap: whether tokens that meet across an edge see each other.
        device: where the indices are.
        major: the window by which the tokens stand, None where they stand frame by frame.
    """
    homes, sides = torch.zeros(video, dtype=torch.long), torch.zeros(video, dtype=torch.long)
    for axis in range(3):
        padded = video[axis] + padding_of(video, window)[axis]
        place = torch.arange(video[axis])
        shape = [1, 1, 1]
        shape[axis] = -1
        home = (place - shift[axis]) % padded // window[axis]
        homes = homes * (padded // window[axis]) + home.view(shape)
        side = torch.zeros_like(place) if wrap else (place < shift[axis]).long()
        sides = sides * 2 + side.view(shape)
    label = (homes * 8 + sides).flatten()
    order = torch.argsort(label, stable=True)
    counts = torch.unique_consecutive(label[order], return_counts=True)[1]
    # Groups of one length beside each other, so that each length is one batch without a varlen kernel.
    by_length = torch.argsort(counts, descending=True, stable=True)
    begins = torch.cumsum(counts, 0) - counts
    order = torch.cat([order[begins[i] : begins[i] + counts[i]] for i in by_length.tolist()])
    lengths = counts[by_length]
    starts = F.pad(torch.cumsum(lengths, 0), (1, 0)).int()
    if major is not None:
        order = token_order(video, major).back[order]
    return WindowGroups(
        order.to(device),
        torch.argsort(order).to(device),
        tuple(lengths.tolist()),
        starts.to(device),
        bool((order == torch.arange(len(order))).all()),
    )


def grouped_attention(q: Tensor, k: Tensor, v: Tensor, heads: int, groups: WindowGroups) -> Tensor:
    """Attention within each group.

    Args:
        q: (B, L, D).
        k: (B, L, D).
        v: (B, L, D).
        heads: of the network.
        groups: of the tokens.
    """
    if not groups.as_they_are:
        q, k, v = (x[:, groups.order] for x in (q, k, v))
    q, k, v = (x.unflatten(-1, (heads, -1)) for x in (q, k, v))
    kernel = varlen_kernel(q)
    if kernel is None or len(set(groups.lengths)) == 1:
        made = by_length(q, k, v, groups.lengths)
    else:
        longest = groups.lengths[0]
        parts = [kernel(*one, groups.starts, groups.starts, longest, longest) for one in zip(q, k, v)]
        made = torch.stack(parts)
    made = made.flatten(2)
    return made if groups.as_they_are else made[:, groups.back]


def by_length(q: Tensor, k: Tensor, v: Tensor, lengths: tuple[int, ...]) -> Tensor:
    """Sorted (B, L, heads, d) -> the same shape: groups of one length are one batch of fused attention."""
    parts = []
    begin = 0
    while begin < q.shape[1]:
        length = lengths[0]
        count = lengths.count(length)
        lengths = lengths[count:]
        end = begin + length * count
        one, two, three = (
            rearrange(x[:, begin:end], "b (g n) h d -> (b g) h n d", g=count, n=length) for x in (q, k, v)
        )
        made = F.scaled_dot_product_attention(one, two, three)
        parts.append(rearrange(made, "(b g) h n d -> b (g n) h d", g=count))
        begin = end
    return parts[0] if len(parts) == 1 else torch.cat(parts, 1)


def varlen_kernel(q: Tensor) -> Callable[..., Tensor] | None:
    """Torch's attention over groups of many lengths, for half precision on a CUDA device. None elsewhere."""
    if q.device.type != "cuda" or q.dtype not in (torch.float16, torch.bfloat16):
        return None
    try:
        from torch.nn.attention.varlen import varlen_attn
    except ImportError:
        return None
    return cast("Callable[..., Tensor]", varlen_attn)  # without the sums that it can also give


def windows_of_layer(
    layer: int, shapes: tuple[Size, ...], video: Size, wrap: bool, major: Size | None = None
) -> Windows:
    """The windows of a layer: the shapes in turn, and every second time a shape comes, shifted.

    Args:
        layer: its number.
        shapes: the windows' shapes in tokens.
        video: tokens in time, height and width.
        wrap: whether tokens that meet across an edge see each other.
        major: the window by which the tokens stand, None where they stand frame by frame.
    """
    return Windows(video, shapes[layer % len(shapes)], (layer // len(shapes)) % 2 == 1, wrap, major)
