"""`evaluate`: the built-in model on the held-out clips, beside baselines that need no network, as a table and
one JSON document.

Owns what is compared with what (`methods.py`) and the result's layout. What is measured is in `measure.py`.
`before`: the same weights on the carry that they were trained on. `carried_pixels` and `warp_pixels` are
never encoded: what a detail head can draw on. `truth` is the true clip through the codec: no method on these
latents can be sharper. `uncovered_told_psnr`: smooth filling of frame 0 under the true silhouettes, in the
holes behind objects: the bound of what smoothness can reach there.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from ..common.devices import device_label
from ..model.weights.networks import Networks
from ..streaming.stream import StreamOptions, stream
from .heldout import HeldOut, heldout_set, long_set
from .measure import hole_figures, measure, measure_drift
from .methods import (
    carried_baseline,
    generate,
    static_baseline,
    told_baseline,
    tracks_of,
    truth_baseline,
    warp_baseline,
)
from .prompt import prompt_effect
from .results import markdown_table, round_figures, write_result

PROMPT_CLIPS = 6
KEYS = ("epe_sprite", "epe_background", "pck4_sprite", "psnr", "uncovered_psnr", "ghost", "sparse_epe_sprite")
HOLE_KEYS = (
    "object_uncovered_psnr",
    "object_bands",
    "object_swd_colour",
    "object_swd_highpass",
    "object_flicker",
    "object_ghost",
    "object_epe_sprite",
    "camera_psnr",
    "sparse_psnr",
    "between_epe",
    "sparse_between_epe",
)


def measure_speed(networks: Networks, item: HeldOut, steps: int | None, frames: int = 121) -> float:
    """Frames a second of a stream after its first frame, everything included."""
    chunks = stream(
        networks,
        torch.from_numpy(item.frames[0]),
        tracks_of(item, item.chosen),
        item.clip.caption,
        StreamOptions(frames, steps=steps, fit="ping-pong"),
    )
    return [chunk.fps for chunk in chunks][-1]


def evaluate(
    networks: Networks,
    media: Path,
    clips: int = 36,
    steps: int | None = None,
    long_clips: int = 4,
    name: str = "tiny",
    long_frames: int = 1009,
    progress: Callable[[str], None] = print,
) -> dict:
    """Everything of the evaluation's table -> one JSON-ready document with the model's figures at the top and
    the baselines below their names.

    Args:
        networks: the model that is measured.
        media: folder of pictures and sprites.
        clips: how many held-out clips.
        steps: denoising steps, None for the model's own.
        long_clips: how many long streams.
        name: of the model, for the document.
        long_frames: pixel frames of a long stream.
        progress: told a line after each clip.
    """
    items = heldout_set(media, clips)
    began = time.time()
    truth = measure(items, truth_baseline(networks), progress)
    told = hole_figures(items, told_baseline())
    document: dict = {
        "model": name,
        "clips": clips,
        "steps": steps or networks.config.sampler.steps,
        "codec_psnr": truth["psnr"],
        "uncovered_told_psnr": told["object_uncovered_psnr"],
    }
    document |= measure(items, generate(networks, steps), progress)
    if long_clips:
        document |= {"long_frames": long_frames} | measure_drift(
            long_set(media, long_clips, long_frames), generate(networks, steps), progress
        )
    document["prompt"] = prompt_effect(networks, items[:PROMPT_CLIPS], steps, progress)
    document["stream_fps"] = measure_speed(networks, items[0], steps)
    document["before"] = measure(items, generate(replace(networks, carry="nearest"), steps), progress)
    document["static"] = measure(items, static_baseline(networks), progress)
    document["warp"] = measure(items, warp_baseline(networks), progress)
    document["carried"] = measure(items, carried_baseline(networks), progress)
    document["warp_pixels"] = measure(items, warp_baseline(networks, encoded=False), progress)
    document["carried_pixels"] = measure(items, carried_baseline(networks, encoded=False), progress)
    document |= {"truth": truth, "told": told}
    document |= {
        "device": device_label(networks.dit.device),
        "threads": torch.get_num_threads(),
        "seconds": round(time.time() - began, 1),
    }
    return round_figures(document)


def table(document: dict) -> str:
    """The document as a Markdown table."""
    names = {
        "before": "before",
        "carried": "carried",
        "warp": "warp",
        "static": "static",
        "carried_pixels": "carried, never encoded",
        "warp_pixels": "warp, never encoded",
        "truth": "truth through the codec",
    }
    rows: list[tuple[str, ...]] = []
    means = ("mean_epe_sprite", "mean_epe_background", "pck4_background")
    for key in (*KEYS[:3], *means, *KEYS[3:], *HOLE_KEYS):
        columns = (document, *(document[name] for name in names))
        rows.append((key, *(format_figure(column.get(key)) for column in columns)))
    for key in ("codec_psnr", "uncovered_told_psnr", "drift_db", "drift_rgb", "stream_fps"):
        if key in document:
            rows.append((key, f"{document[key]:.3f}"))
    for kind, shares in document["prompt"].items():
        rows += [(f"prompt, {kind}: {style}", f"{value:.3f}") for style, value in shares.items()]
    return markdown_table(("measure", document["model"], *names.values()), rows)


def format_figure(value: float | None) -> str:
    """A figure of the table. "-" for what could not be measured."""
    return "-" if value is None else f"{value:.3f}"


def save_document(document: dict, folder: Path, command: str) -> Path:
    """Writes the result as <model>_<device>_<YYYYMM>.md into the folder."""
    about = (
        f"Device: {document['device']}. {document['clips']} clips of 25 frames, {document['steps']} steps."
    )
    title = f"Held-out evaluation of {document['model']}"
    return write_result(
        folder,
        document["model"],
        document["device"],
        title,
        about,
        table(document),
        document,
        command=command,
    )
