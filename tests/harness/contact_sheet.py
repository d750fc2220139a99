"""A contact sheet: frames of a video, enlarged, with what was painted drawn on.

Owns how the tracks look. Each painted track is drawn in its own colour: the whole way thin, the way so far thick, the points of its brush
as dots where they are commanded to be at that frame; what is pinned is white. Positions are pixels of the video, pixel centres at +0.5.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from motionstream_core.tracks.document import document_to_tracks, parse_document

SCALE = 3
FINE = 2  # drawn so much larger and scaled down, for smooth lines
GAP = 6
MOVED = 1.0  # px


@dataclass(frozen=True)
class Painted:
    """One painted track: its centre and its brush points at every frame, (T, N, 2) with the centre first."""

    color: str
    xy: np.ndarray

    @property
    def moves(self) -> bool:
        return bool(np.linalg.norm(self.xy - self.xy[:1], axis=-1).max() > MOVED)


def painted_tracks(text: str, frames: int) -> list[Painted]:
    """The tracks of a document (JSON) that give points, one by one; border pins come last, as a track of their own."""
    document = parse_document(text)
    colors = [track.get("color", "#ffd60a") for track in json.loads(text)["tracks"]]
    alone = [(replace(document, tracks=(track,), pin_border=False), color) for track, color in zip(document.tracks, colors) if track.visible and track.points]
    border = [(replace(document, tracks=()), "#ffffff")] if document.pin_border else []
    return [Painted(color, document_to_tracks(one, frames).xy.numpy()) for one, color in [*alone, *border]]


def contact_sheet(frames: np.ndarray, painted: list[Painted], cells: int = 8, columns: int = 4) -> Image.Image:
    """frames (T, H, W, 3) 0..1 -> `cells` of them, evenly spread over the video, in rows."""
    chosen = np.linspace(0, len(frames) - 1, cells).round().astype(int)
    height, width = frames.shape[1] * SCALE, frames.shape[2] * SCALE
    rows = -(-cells // columns)
    sheet = Image.new("RGB", (columns * (width + GAP) + GAP, rows * (height + GAP) + GAP), "#16181d")
    for cell, index in enumerate(chosen):
        corner = (GAP + (cell % columns) * (width + GAP), GAP + (cell // columns) * (height + GAP))
        sheet.paste(picture(frames[index], painted, int(index)), corner)
    return sheet


def picture(frame: np.ndarray, painted: list[Painted], index: int) -> Image.Image:
    """One frame, enlarged, with the tracks at that frame."""
    size = (frame.shape[1] * SCALE, frame.shape[0] * SCALE)
    image = Image.fromarray((frame * 255).round().astype(np.uint8)).resize(size, Image.Resampling.BICUBIC).convert("RGBA")
    overlay = Image.new("RGBA", (size[0] * FINE, size[1] * FINE))
    pen = ImageDraw.Draw(overlay)
    for track in painted:
        draw_track(pen, track, index)
    draw_number(pen, index, overlay.height)
    return Image.alpha_composite(image, overlay.resize(size, Image.Resampling.LANCZOS)).convert("RGB")


def draw_track(pen: ImageDraw.ImageDraw, track: Painted, index: int) -> None:
    here = (track.xy[index] + 0.5) * SCALE * FINE
    if not track.moves:
        for point in here:
            dot(pen, point, 1.8, "#ffffff60")
        return
    way = [tuple(point) for point in (track.xy[:, 0] + 0.5) * SCALE * FINE]
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
