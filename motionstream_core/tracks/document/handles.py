"""Which points of a painted document belong together: a person takes hold of a whole track, not of one of its
brush's points.
"""

from __future__ import annotations

import json
from pathlib import Path

from ..arrays import PICKLED
from .offsets import document_offsets
from .parse import Document, border_pins, is_document, parse_document


def document_groups(document: Document) -> list[int]:
    """One number for each point that `document_to_tracks` gives, in its order: the drawn strokes count up
    from 0, the border pins come last.

    −1, no handle, for the points of a camera: people move a camera by its speeds, not by its points.
    """
    groups = [
        -1 if stroke.kind == "camera" else number
        for number, (stroke, offsets) in enumerate(zip(document.drawn, document_offsets(document)))
        for _ in offsets
    ]
    pins = len(border_pins(document.width, document.height)) if document.pin_border else 0
    return groups + [len(document.drawn)] * pins


def file_document(path: str | Path) -> Document | None:
    """The painted document in a file of tracks. None for any other file."""
    path = Path(path)
    if path.suffix.lower() in (".npz", ".npy", *PICKLED):
        return None
    text = path.read_text(encoding="utf-8-sig")
    try:
        painted = is_document(json.loads(text))
    except ValueError:
        return None
    return parse_document(text) if painted else None


def file_groups(path: str | Path) -> list[int] | None:
    """The groups of a file of tracks that is a painted document. None for any other, in which each point is a
    handle of its own.
    """
    document = file_document(path)
    return None if document is None else document_groups(document)
