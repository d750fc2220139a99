"""What the prompt's style words do: how far the picture goes from what it is without the word to what the
word means.

Owns that one measure, for a word in the prompt from the start and for one that a live switch brings. What a
word means is what training showed for it (`training.data.textures.apply_style`), applied to what the model
makes without it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch

from ..live.controls import parse_control
from ..live.session import LiveSession
from ..model.text import STYLES
from ..model.weights.networks import Networks
from ..streaming.stream import StreamOptions, stream
from ..tracks.types import Tracks
from ..training.data.textures import apply_style
from .heldout import HeldOut

CELLS = 8
SETTLED = 13  # frames after the word: two chunks, by then training's change of look was over
SWITCH = 2  # chunk before which the live word comes


def prompt_effect(
    networks: Networks, items: list[HeldOut], steps: int | None, progress: Callable[[str], None]
) -> dict[str, dict[str, float]]:
    """{"start": {style: share}, "switch": {style: share}}: 1 the look of the word, 0 nothing, below 0 away
    from it. The mean over the clips.
    """
    found: dict[str, dict[str, list[float]]] = {
        kind: {style: [] for style in STYLES} for kind in ("start", "switch")
    }
    for number, item in enumerate(items):
        frames = 37
        plain = _make_clip(networks, item, item.clip.caption, frames, steps)
        for style in STYLES:
            worded = f"{style} {item.clip.caption}"
            found["start"][style].append(
                style_share(_make_clip(networks, item, worded, frames, steps), plain, style, SETTLED)
            )
            switched = _make_clip(networks, item, item.clip.caption, frames, steps, {SWITCH: worded})
            found["switch"][style].append(
                style_share(switched, plain, style, 1 + 12 * (SWITCH - 1) + SETTLED)
            )
        progress(f"prompt, clip {number + 1}/{len(items)}")
    return {
        kind: {style: float(np.mean(shares)) for style, shares in by_style.items()}
        for kind, by_style in found.items()
    }


def style_share(made: np.ndarray, plain: np.ndarray, style: str, begin: int) -> float:
    """How much nearer than `plain` the frames from `begin` on are to the styled `plain`, in mean colours of
    8×8 cells. Frames (T, H, W, 3) 0..1.
    """
    meant = (
        apply_style((plain[begin:] * 255).round().astype(np.uint8), style, ramp=0).astype(np.float32) / 255
    )
    way = np.abs(mean_cells(plain[begin:]) - mean_cells(meant)).mean()
    return 1 - float(np.abs(mean_cells(made[begin:]) - mean_cells(meant)).mean() / way)


def mean_cells(frames: np.ndarray) -> np.ndarray:
    """(T, H, W, 3) -> mean colours (T, h, w, 3)."""
    time, height, width, _ = frames.shape
    return frames.reshape(time, height // CELLS, CELLS, width // CELLS, CELLS, 3).mean((2, 4))


def _make_clip(
    networks: Networks,
    item: HeldOut,
    prompt: str,
    frames: int,
    steps: int | None,
    later: Mapping[int, str] | None = None,
) -> np.ndarray:
    """The clip with a prompt, and with others from some chunks on."""
    size = item.scene.size
    tracks = Tracks(
        torch.from_numpy(item.clip.xy[:, item.chosen]),
        torch.from_numpy(item.clip.visible[:, item.chosen]),
        size,
        size,
        16.0,
    )
    session = LiveSession(
        script=[
            (chunk, parse_control({"type": "prompt", "text": text})) for chunk, text in (later or {}).items()
        ]
    )
    chunks = stream(
        networks,
        torch.from_numpy(item.frames[0]),
        tracks,
        prompt,
        StreamOptions(frames, steps=steps, fit="ping-pong", history_bytes=0),
        session,
    )
    return np.concatenate([chunk.frames.numpy() for chunk in chunks])
