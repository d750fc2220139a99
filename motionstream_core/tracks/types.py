"""Tracks: where points go, frame by frame.

Owns the value everything else exchanges, how it is stretched to another size or length, and how it continues
past its end. Knows nothing of files, of the editor or of networks. Shapes: xy (T, N, 2) float32 pixels of a
canvas width × height, x right, y down. visible (T, N) bool.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..common.upload import upload

ENDLESS = ("hold", "loop", "ping-pong")
MAX_POSITIONS = 20_000_000  # tracks × frames a reader makes room for
MAX_SIDE = 2**31  # px: a larger canvas is no picture
MAX_RATE = 1e6  # frames a second
MODES = ("error", *ENDLESS, "resample")


@dataclass(frozen=True)
class Tracks:
    """N points through T frames. Where a point is hidden, its xy is its last or next known place.

    Raises ValueError unless the shapes fit, T and N are at least 1 and every coordinate is finite.
    """

    xy: Tensor
    visible: Tensor
    width: int
    height: int
    fps: float = 16.0

    def __post_init__(self):
        if self.xy.ndim != 3 or self.xy.shape[-1] != 2 or self.visible.shape != self.xy.shape[:2]:
            raise ValueError(
                f"tracks: expected xy (T, N, 2) and visible (T, N), got {tuple(self.xy.shape)} and "
                f"{tuple(self.visible.shape)}"
            )
        if self.frames < 1 or self.count < 1:
            raise ValueError(
                f"tracks: expected at least one track and one frame, got {self.count} tracks of "
                f"{self.frames} frames"
            )
        if not (1 <= self.width <= MAX_SIDE and 1 <= self.height <= MAX_SIDE):
            size = f"{self.width}x{self.height}"[:60]
            raise ValueError(
                f"tracks: expected a canvas of at least 1x1 and at most {MAX_SIDE} px, got {size}"
            )
        if not 0 < self.fps <= MAX_RATE:
            raise ValueError(f"tracks: expected a frame rate above 0, got {str(self.fps)[:40]}")
        object.__setattr__(self, "xy", self.xy.float())
        object.__setattr__(self, "visible", self.visible.bool())
        finite = self.xy.isfinite().all(-1)
        if not finite.all():
            frame, track = (int(value) for value in (~finite).nonzero()[0])
            place = ", ".join(f"{value:g}" for value in self.xy[frame, track].tolist())
            raise ValueError(
                f"tracks: expected finite coordinates, got ({place}) in track {track} at frame {frame}"
            )

    @property
    def frames(self) -> int:
        return self.xy.shape[0]

    @property
    def count(self) -> int:
        return self.xy.shape[1]

    def rescaled(self, width: int, height: int) -> Tracks:
        """The same motion on a canvas of another size."""
        if (width, height) == (self.width, self.height):
            return self
        scale = self.xy.new_tensor([width / self.width, height / self.height])
        return replace(self, xy=self.xy * scale, width=width, height=height)

    def resampled(self, frames: int) -> Tracks:
        """The same motion in `frames` frames, first and last frame kept. Straight between frames in both of
        which a point is visible.

        Next to a hidden frame, place and visibility are those of the nearer one.
        """
        _check_frames(frames, self.count)
        return (
            self
            if frames == self.frames
            else self.sampled(torch.linspace(0, self.frames - 1, frames, dtype=torch.float64))
        )

    def sampled(self, times: Tensor) -> Tracks:
        """The motion at these moments (T,), fractions of frames within 0 .. frames - 1. Places and visibility
        as `resampled` has them.
        """
        at = times.to(self.xy.device, torch.float64).clamp(0, self.frames - 1)
        low = at.floor().long()
        high = (low + 1).clamp(max=self.frames - 1)
        share = (at - low).float()
        xy, visible = interpolate_positions(
            self.xy[low], self.visible[low], self.xy[high], self.visible[high], share[:, None]
        )
        return replace(self, xy=xy, visible=visible)

    def fitted(self, frames: int, mode: str) -> Tracks:
        """Tracks of exactly `frames` frames. mode: "error" (ValueError unless they have them), "hold" the
        last place, "loop" from the start, "ping-pong" back and forth, "resample" in time. All but "resample"
        cut what is too long.
        """
        _check_mode(mode, MODES)
        _check_frames(frames, self.count)
        if frames == self.frames:
            return self
        if mode == "error":
            raise ValueError(
                f"tracks: expected {frames} frames (the video's), got {self.frames}: choose hold, loop, "
                "ping-pong or resample under fit, in the Motion Encoder"
            )
        return self.resampled(frames) if mode == "resample" else self.at(0, frames, mode)

    def at(self, start: int, count: int, mode: str) -> Tracks:
        """Frames start .. start + count - 1 of an endless stream that continues by "hold", "loop" or
        "ping-pong". "error" ends with the tracks.
        """
        _check_mode(mode, ("error", *ENDLESS))
        _check_frames(count, self.count)
        if start < 0 or (mode == "error" and start + count > self.frames):
            raise ValueError(
                f"tracks: expected frames of 0 .. {self.frames - 1}, got {start} .. {start + count - 1}"
            )
        wanted = torch.arange(start, start + count, device=self.xy.device)
        last = self.frames - 1
        if mode == "loop":
            index = wanted % self.frames
        elif mode == "ping-pong":
            index = last - (wanted % max(1, 2 * last) - last).abs()
        else:
            index = wanted.clamp(max=last)
        return replace(self, xy=self.xy[index], visible=self.visible[index])

    def select(self, index: Tensor | Sequence[int] | slice) -> Tracks:
        """Some of the tracks, in the order of `index`. A bool mask serves as well."""
        if not isinstance(index, slice):
            index = torch.as_tensor(index, device=self.xy.device)
        return replace(self, xy=self.xy[:, index], visible=self.visible[:, index])

    def joined(self, other: Tracks) -> Tracks:
        """These tracks, then the other ones, which must have the same frames, canvas and rate."""
        mine, theirs = ((one.frames, one.width, one.height, one.fps) for one in (self, other))
        if mine != theirs:
            raise ValueError(
                f"tracks: expected others of the same (frames, width, height, fps) {mine}, got {theirs}"
            )
        return replace(
            self,
            xy=torch.cat([self.xy, other.xy], dim=1),
            visible=torch.cat([self.visible, other.visible], dim=1),
        )

    def on_canvas(self) -> Tensor:
        """(T, N) bool: where a point is visible and within the canvas."""
        x, y = self.xy.unbind(-1)
        return self.visible & (x >= 0) & (x < self.width) & (y >= 0) & (y < self.height)


def interpolate_positions(
    xy0: Tensor, seen0: Tensor, xy1: Tensor, seen1: Tensor, share: Tensor | float
) -> tuple[Tensor, Tensor]:
    """Positions (…, N, 2) and visibility (…, N) between two frames. Straight between frames in both of which
    a point is visible, else as in the nearer one.

    Args:
        xy0: (…, N, 2) in the first frame.
        seen0: (…, N) bool.
        xy1: (…, N, 2) in the next frame.
        seen1: (…, N) bool.
        share: (…, 1) of the time from the first to the next.
    """
    share = torch.as_tensor(share, dtype=xy0.dtype, device=xy0.device).expand(seen0.shape)
    later = (share >= 0.5)[..., None]
    both = (seen0 & seen1)[..., None]
    straight = torch.lerp(xy0, xy1, share[..., None])
    xy = torch.where(both, straight, torch.where(later, xy1, xy0))
    return xy, torch.where(later[..., 0], seen1, seen0)


def require_on_canvas(tracks: Tracks) -> Tracks:
    """The tracks, or ValueError if not one of them is ever visible on the canvas. Points may leave it and
    tracks may begin beyond it.
    """
    if not tracks.on_canvas().any():
        (left, top), (right, bottom) = tracks.xy.amin((0, 1)).tolist(), tracks.xy.amax((0, 1)).tolist()
        raise ValueError(
            f"tracks: expected at least one visible point on the canvas of {tracks.width}x{tracks.height}, "
            "got none: "
            f"x from {left:g} to {right:g}, y from {top:g} to {bottom:g}, {int(tracks.visible.sum())} of "
            f"{tracks.visible.numel()} visible"
        )
    return tracks


def _check_mode(mode: str, modes: Sequence[str]):
    if mode not in modes:
        raise ValueError(f"fit: expected one of {', '.join(modes)}, got {mode!r}")


def _check_frames(frames: int, count: int):
    if frames < 1:
        raise ValueError(f"frames: expected at least 1, got {frames}")
    require_positions(frames, count)


def require_positions(frames: int, count: int):
    """ValueError, before room is made, for more positions than tracks may have."""
    if frames * count > MAX_POSITIONS:
        raise ValueError(
            f"tracks: expected at most {MAX_POSITIONS} positions, got {count} points in {frames} frames"
        )


@dataclass(frozen=True)
class TrackChunk:
    """The tracks in the frames of one chunk.

    Args:
        xy: (T, N, 2) pixels.
        visible: (T, N) what the model is told.
        drives_pixels: (T, N) which points still move pixels of the start image. A track that the model is no
            longer told of may still do so.
        anchors: (N, 2) where each point is in the picture that motion is taken from.
        handles: (N,) which painted handle each point belongs to, −1 for none.
        objects: masks (H, W) bool of the handles whose pixels are known, in that picture.
    """

    xy: Tensor
    visible: Tensor
    drives_pixels: Tensor
    anchors: Tensor
    handles: Tensor | None = None
    objects: Mapping[int, Tensor] | None = None

    def on(self, device: torch.device) -> TrackChunk:
        """The piece on a device, but for the anchors: they are compared with those before, which the host can
        do by itself.
        """
        return replace(
            self,
            xy=upload(self.xy, device),
            visible=upload(self.visible, device),
            drives_pixels=upload(self.drives_pixels, device),
        )


TrackSource = Callable[[int, int], TrackChunk]
