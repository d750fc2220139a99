"""Tracks edited: some of them chosen, all of them moved, their time bent, their wobble taken out or put in.

Owns what turns one set of tracks into another by itself. Compose.py owns what needs two sets, cleanup.py what
repairs a person's input. Every function leaves its tracks as they were and gives new ones, or, to choose,
which ones: index (K,) or bool (N,), for `Tracks.select`.
Shapes: xy (T, N, 2) pixels of the canvas, visible (T, N), times (T,) in frames, shares 0..1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from .camera.moves import ease
from .types import ENDLESS, Tracks

CURVES = ("linear", "ease in", "ease out", "ease in-out")
CENTRES = ("middle of the tracks", "middle of the canvas")
FASTEST = 100.0  # times

# ---- which tracks ----


def select_in_mask(tracks: Tracks, mask: np.ndarray, inside: bool = True) -> Tensor:
    """(N,) bool: whether a point begins where `mask` (H, W), stretched over the canvas, is above 0.5.
    `inside` False: where it is not.

    The place in the first frame counts, that of a hidden point too (it waits where it will come up). Beyond
    the canvas there is no mask.
    """
    mask = np.asarray(mask, dtype=np.float64)
    if mask.ndim != 2 or min(mask.shape) < 1 or not np.isfinite(mask).all():
        raise ValueError(f"mask: expected finite values (H, W), got {mask.shape}")
    rows, columns = mask.shape
    x, y = tracks.xy[0].double().cpu().numpy().T
    column, row = np.floor((x + 0.5) * columns / tracks.width), np.floor((y + 0.5) * rows / tracks.height)
    on = (column >= 0) & (column < columns) & (row >= 0) & (row < rows)
    found = np.zeros(tracks.count, dtype=bool)
    found[on] = mask[row[on].astype(int), column[on].astype(int)] > 0.5
    return require_some(
        torch.from_numpy(found == inside), f"points that begin {'in' if inside else 'outside'} the mask"
    )


def select_range(tracks: Tracks, first: int, last: int, every: int = 1) -> Tensor:
    """(K,): the tracks `first` .. `last`, both of them, every so many. Negative numbers count from the end,
    −1 is the last.
    """
    if every < 1:
        raise ValueError(f"every: expected at least 1, got {every}")
    begin, end = (number + tracks.count if number < 0 else number for number in (first, last))
    if not 0 <= begin <= end < tracks.count:
        raise ValueError(
            f"range: expected tracks of 0 .. {tracks.count - 1} in rising order, got {first} .. {last}"
        )
    return torch.arange(begin, end + 1, every)


def select_visible(tracks: Tracks, share: float) -> Tensor:
    """(N,) bool: the tracks that are visible on the canvas in at least this share of the frames, and ever."""
    if not 0 <= share <= 1:
        raise ValueError(f"visible: expected a share of 0 to 1, got {share}")
    seen = tracks.on_canvas().float().mean(0)
    return require_some(
        (seen >= share - 1e-6) & (seen > 0), f"tracks that are visible in {share:.0%} of the frames"
    )


def select_spread(tracks: Tracks, count: int) -> Tensor:
    """(K,), rising: at most `count` tracks that lie well apart where they first appear: the longest seen one,
    then always the farthest one.
    """
    if count < 1:
        raise ValueError(f"count: expected at least 1, got {count}")
    seen = tracks.on_canvas()
    places = tracks.xy.gather(0, seen.int().argmax(0)[None, :, None].expand(1, -1, 2))[0].double()
    chosen = [int(seen.sum(0).argmax())]
    away = torch.full((tracks.count,), math.inf, dtype=torch.float64)
    away[~seen.any(0)] = -1  # what is never seen comes last
    for _ in range(min(count, tracks.count) - 1):
        away = torch.minimum(away, (places - places[chosen[-1]]).norm(dim=-1))
        away[chosen[-1]] = -2
        chosen.append(int(away.argmax()))
    return torch.tensor(sorted(chosen))


def require_some(chosen: Tensor, what: str) -> Tensor:
    """The choice, or ValueError when it is empty."""
    if not chosen.any():
        raise ValueError(f"tracks: expected some {what}, got none of {len(chosen)}")
    return chosen


# ---- places ----


def transform_tracks(
    tracks: Tracks,
    move: tuple[float, float] = (0, 0),
    scale: tuple[float, float] = (1, 1),
    turn: float = 0,
    centre: str = CENTRES[0],
    motion: float = 1,
) -> Tracks:
    """Scaled, then turned, both about a centre, then moved. What leaves the canvas stays visible, as a track
    may.

    Args:
        tracks: on their canvas.
        move: pixels right and down.
        scale: factors of x and y.
        turn: degrees clockwise.
        centre: the middle of the places in the first frame, or that of the canvas.
        motion: how far points go from where they begin, 1 is as far as before.
    """
    numbers = (*move, *scale, turn, motion)
    if not all(math.isfinite(number) for number in numbers):
        raise ValueError(f"transform: expected finite numbers, got {numbers}")
    if centre not in CENTRES:
        raise ValueError(f"centre: expected one of {', '.join(CENTRES)}, got {centre!r}")
    xy = tracks.xy.double()
    middle = (
        (xy[0].amin(0) + xy[0].amax(0)) / 2
        if centre == CENTRES[0]
        else xy.new_tensor([(tracks.width - 1) / 2, (tracks.height - 1) / 2])
    )
    if motion != 1:
        xy = xy[:1] + (xy - xy[:1]) * motion
    cos, sin = math.cos(math.radians(turn)), math.sin(math.radians(turn))
    matrix = xy.new_tensor([[cos, -sin], [sin, cos]]) * xy.new_tensor(scale)
    return replace(tracks, xy=((xy - middle) @ matrix.T + middle + xy.new_tensor(move)).float())


def jitter_tracks(tracks: Tracks, amount: float, calm: float = 4.0, seed: int = 0) -> Tracks:
    """Every track wobbles on its own, by about `amount` px, and begins where it began. calm: frames over
    which the wobble changes, 0 = every frame.
    """
    if not (math.isfinite(amount) and amount >= 0 and math.isfinite(calm) and calm >= 0):
        raise ValueError(f"jitter: expected an amount and a calm of at least 0, got {amount} and {calm}")
    rng = torch.Generator().manual_seed(seed)
    reach = min(math.ceil(3 * calm), 1024)
    noise = torch.randn(tracks.frames + 2 * reach, tracks.count, 2, generator=rng, dtype=torch.float64)
    if reach:
        kernel = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, dtype=torch.float64) / calm) ** 2)
        kernel = kernel / kernel.norm()
        noise = torch.stack(
            [weight * noise[at : at + tracks.frames] for at, weight in enumerate(kernel.tolist())]
        ).sum(0)
    return replace(
        tracks, xy=(tracks.xy.double() + amount * (noise - noise[:1]).to(tracks.xy.device)).float()
    )


def smooth_tracks(tracks: Tracks, frames: float) -> Tracks:
    """Wobble of less than about `frames` frames taken out (a Gaussian in time of that σ). 0 changes nothing.

    Each stretch in which a point is visible is smoothed by itself, and towards its ends over ever fewer
    frames, the same number before and
    after: where it begins and ends stays exactly, and so does motion straight on at one speed. Hidden places
    stay.
    """
    if not (math.isfinite(frames) and frames >= 0):
        raise ValueError(f"smooth: expected frames of at least 0, got {frames}")
    xy, visible = tracks.xy.double(), tracks.visible
    total, weight = xy.clone(), torch.ones_like(xy[..., :1])
    both = visible.clone()  # all frames within k of this one are visible
    for k in range(1, min(math.ceil(3 * frames), (tracks.frames - 1) // 2) + 1):
        both[k:-k] &= visible[: -2 * k] & visible[2 * k :]
        both[:k] = both[-k:] = False
        share = math.exp(-0.5 * (k / frames) ** 2) * both[k:-k, :, None]
        total[k:-k] += share * (xy[: -2 * k] + xy[2 * k :])
        weight[k:-k] += 2 * share
    return replace(tracks, xy=(total / weight).float())


# ---- time ----


@dataclass(frozen=True)
class Timing:
    """How time runs. curve: how the way begins and ends. `keys`, (time, way) from 0 to 1 with straight lines
    between, take its place.

    speed: how often the way is gone, 0.5 = half of it. reverse: from its end to its start. hold_start,
    hold_end: frames at rest before and after.
    after: what follows a way that ends early: hold, loop, ping-pong. frames: of the new tracks, 0 = as many.
    """

    curve: str = "linear"
    speed: float = 1.0
    reverse: bool = False
    hold_start: int = 0
    hold_end: int = 0
    after: str = "hold"
    frames: int = 0
    keys: tuple[tuple[float, float], ...] = ()

    def __post_init__(self):
        if self.curve not in CURVES or self.after not in ENDLESS:
            raise ValueError(
                f"retime: expected a curve of {', '.join(CURVES)} and one of {', '.join(ENDLESS)} after "
                f"it, got {self.curve!r} and {self.after!r}"
            )
        if not 0 < self.speed <= FASTEST:
            raise ValueError(f"speed: expected above 0 and at most {FASTEST:g}, got {self.speed}")
        if min(self.hold_start, self.hold_end, self.frames) < 0:
            raise ValueError(
                f"retime: expected frames of at least 0, got {self.hold_start}, {self.hold_end} and "
                f"{self.frames}"
            )
        times = [time for time, _ in self.keys]
        if not all(0 <= value <= 1 for key in self.keys for value in key) or any(
            b <= a for a, b in zip(times, times[1:])
        ):
            raise ValueError(f"keys: expected (time, way) from 0 to 1 at rising times, got {self.keys}")


def retime_tracks(tracks: Tracks, timing: Timing) -> Tracks:
    """The same ways at other times."""
    frames = timing.frames or tracks.frames
    if timing.hold_start + timing.hold_end > frames - 1 and frames > 1:
        raise ValueError(
            f"retime: expected rests of fewer than {frames} frames in all, got {timing.hold_start} + "
            f"{timing.hold_end}"
        )
    moving = max(1, frames - 1 - timing.hold_start - timing.hold_end)
    time = np.clip((np.arange(frames) - timing.hold_start) / moving, 0, 1)
    way = timing.speed * bend_time(time, timing)
    if timing.after == "hold":
        way = np.minimum(way, 1)
    elif timing.after == "loop":
        way = np.where(way > 1, (way - 1e-12) % 1, way)
    else:
        way = 1 - np.abs(way % 2 - 1)
    way = 1 - way if timing.reverse else way
    return tracks.sampled(torch.from_numpy(way * (tracks.frames - 1)))


def bend_time(time: np.ndarray, timing: Timing) -> np.ndarray:
    """Shares of the time -> shares of the way."""
    if timing.keys:
        return np.interp(time, *np.array(timing.keys).T)
    return ease(time, timing.curve)


def parse_keys(text: str) -> tuple[tuple[float, float], ...]:
    """Keys as people write them: "0 0, 0.5 0.8, 1 1". An empty text is no keys."""
    parts = [part.replace(":", " ").split() for part in text.replace(";", ",").split(",") if part.strip()]
    try:
        if all(len(part) == 2 for part in parts):
            return tuple((float(time), float(way)) for time, way in parts)
    except ValueError:
        pass
    raise ValueError(
        'keys: expected "time way" from 0 to 1 with commas between, such as "0 0, 0.5 0.8, 1 1", got '
        f"{text[:60]!r}"
    )
