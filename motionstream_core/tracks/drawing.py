"""How tracks look on a picture: for the demo's contact sheet and for the sample videos of a training.

Owns colours, widths and dots. Each track is drawn in its own colour: the whole way thin, the way so far
thick, its points as dots where they are commanded to be at that frame. What rests is white. Positions are
pixels of the video, pixel centres at +0.5.
"""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from .types import Tracks

SCALE = 3
FINE = 2  # drawn so much larger and scaled down, for smooth lines
MOVED = 1.0  # px
FEW = 24  # up to so many moving tracks their whole way is drawn, of more of them dots alone
SHOWN = 320  # px: sample videos are enlarged until their shorter side has about so many


@dataclass(frozen=True)
class Painted:
    """One painted track: its centre and its brush points at every frame, (T, N, 2) with the centre first."""

    color: str
    xy: np.ndarray

    @property
    def moves(self) -> bool:
        return bool(np.linalg.norm(self.xy - self.xy[:1], axis=-1).max() > MOVED)


def draw_picture(frame: np.ndarray, painted: list[Painted], index: int) -> Image.Image:
    """One frame (H, W, 3) in 0..1, enlarged, with the tracks at that frame and its number."""
    image, overlay, pen = _sheet(frame, SCALE)
    for track in painted:
        draw_track(pen, track, index)
    draw_number(pen, index, overlay.height)
    return _join_layers(image, overlay)


def _sheet(frame: np.ndarray, scale: int) -> tuple[Image.Image, Image.Image, ImageDraw.ImageDraw]:
    size = (frame.shape[1] * scale, frame.shape[0] * scale)
    image = (
        Image.fromarray((frame * 255).round().astype(np.uint8))
        .resize(size, Image.Resampling.BICUBIC)
        .convert("RGBA")
    )
    overlay = Image.new("RGBA", (size[0] * FINE, size[1] * FINE))
    return image, overlay, ImageDraw.Draw(overlay)


def _join_layers(image: Image.Image, overlay: Image.Image) -> Image.Image:
    return Image.alpha_composite(image, overlay.resize(image.size, Image.Resampling.LANCZOS)).convert("RGB")


def draw_track(pen: ImageDraw.ImageDraw, track: Painted, index: int, scale: int = SCALE) -> None:
    here = (track.xy[index] + 0.5) * scale * FINE
    if not track.moves:
        for point in here:
            dot(pen, point, 1.8, "#ffffff60")
        return
    way = [tuple(point) for point in (track.xy[:, 0] + 0.5) * scale * FINE]
    for point in here[1:]:
        dot(pen, point, 2.0, track.color + "90")
    pen.line(way, fill="#ffffff90", width=2, joint="curve")
    if index:
        pen.line(way[: index + 1], fill="#000000a0", width=9, joint="curve")
        pen.line(way[: index + 1], fill=track.color, width=6, joint="curve")
    dot(pen, here[0], 11, "#000000a0")
    dot(pen, here[0], 9, "#ffffff")
    dot(pen, here[0], 6, track.color)


def dot(pen: ImageDraw.ImageDraw, at: np.ndarray, radius: float, fill: str) -> None:
    pen.ellipse((at[0] - radius, at[1] - radius, at[0] + radius, at[1] + radius), fill=fill)


def draw_number(pen: ImageDraw.ImageDraw, index: int, height: int) -> None:
    """The frame's number, at the lower left."""
    font = ImageFont.load_default(size=15 * FINE)
    text = f"frame {index}"
    left, top, right, bottom = pen.textbbox((14 * FINE, height - 24 * FINE), text, font=font)
    pen.rounded_rectangle((left - 12, top - 8, right + 12, bottom + 8), radius=8, fill="#000000b0")
    pen.text((14 * FINE, height - 24 * FINE), text, font=font, fill="#ffffff")


def draw_tracks(frames: Tensor, tracks: Tracks) -> Tensor:
    """frames (T, H, W, 3) in 0..1 and the tracks they were told to follow -> the frames enlarged to about
    `SHOWN` px with the tracks on them.

    A point hidden at a frame is not drawn there. Width and height are even, as video files want them.
    """
    height, width = frames.shape[1:3]
    if (tracks.width, tracks.height) != (width, height):
        raise ValueError(
            f"tracks: expected ones for frames of {width}x{height}, got {tracks.width}x{tracks.height}"
        )
    scale = max(1, round(SHOWN / min(height, width)))
    if height * scale % 2 or width * scale % 2:
        scale *= 2
    xy, seen = tracks.resampled(len(frames)).xy.numpy(), tracks.resampled(len(frames)).visible.numpy()
    lines = [Painted(_color(n, xy.shape[1]), xy[:, n : n + 1]) for n in range(xy.shape[1])]
    few = sum(line.moves for line in lines) <= FEW
    pictures = []
    for index, frame in enumerate(frames.clamp(0, 1).numpy()):
        image, overlay, pen = _sheet(frame, scale)
        for number, line in enumerate(lines):
            if seen[index, number]:
                if few:
                    draw_track(pen, line, index, scale)
                else:
                    dot(
                        pen,
                        (line.xy[index, 0] + 0.5) * scale * FINE,
                        4.0 if line.moves else 1.8,
                        line.color + "e0" if line.moves else "#ffffff60",
                    )
        pictures.append(torch.from_numpy(np.array(_join_layers(image, overlay))))
    return torch.stack(pictures).float() / 255


def _color(number: int, count: int) -> str:
    red, green, blue = colorsys.hsv_to_rgb(number / max(1, count), 0.75, 1.0)
    return f"#{int(255 * red):02x}{int(255 * green):02x}{int(255 * blue):02x}"
