"""A contact sheet: frames of a video, enlarged, with what was painted drawn on
(`motionstream_core.tracks.drawing` says how that looks).
"""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
from PIL import Image

from motionstream_core.tracks.document.parse import document_to_tracks, parse_document
from motionstream_core.tracks.drawing import SCALE, Painted, draw_picture

GAP = 6


def painted_tracks(text: str, frames: int) -> list[Painted]:
    """The tracks of a document (JSON) that give points, one by one; border pins come last, as a track of
    their own.
    """
    document = parse_document(text)
    colors = [track.get("color", "#ffd60a") for track in json.loads(text)["tracks"]]
    alone = [
        (replace(document, tracks=(track,), pin_border=False), color)
        for track, color in zip(document.tracks, colors)
        if track.visible and track.points
    ]
    border = [(replace(document, tracks=()), "#ffffff")] if document.pin_border else []
    return [Painted(color, document_to_tracks(one, frames).xy.numpy()) for one, color in [*alone, *border]]


def contact_sheet(
    frames: np.ndarray, painted: list[Painted], cells: int = 8, columns: int = 4
) -> Image.Image:
    """frames (T, H, W, 3) 0..1 -> `cells` of them, evenly spread over the video, in rows."""
    chosen = np.linspace(0, len(frames) - 1, cells).round().astype(int)
    height, width = frames.shape[1] * SCALE, frames.shape[2] * SCALE
    rows = -(-cells // columns)
    sheet = Image.new("RGB", (columns * (width + GAP) + GAP, rows * (height + GAP) + GAP), "#16181d")
    for cell, index in enumerate(chosen):
        corner = (GAP + (cell % columns) * (width + GAP), GAP + (cell // columns) * (height + GAP))
        sheet.paste(draw_picture(frames[index], painted, int(index)), corner)
    return sheet


def stacked(*sheets: Image.Image) -> Image.Image:
    """Sheets one below the other."""
    whole = Image.new("RGB", (max(s.width for s in sheets), sum(s.height for s in sheets)), "#16181d")
    top = 0
    for sheet in sheets:
        whole.paste(sheet, (0, top))
        top += sheet.height
    return whole
