"""`evaluate`: the built-in model on the held-out clips, beside baselines that need no network, as a table and
one JSON document.

Owns what is compared with what. Baselines, through the same codec: `static`, the copied first frame; `warp`,
the first frame's pixels moved along the same tracks; `carried`, the better warp with filled holes that the
small preset is given (what the network adds is the difference to it). `carried_pixels` and `warp_pixels` are
the same two as they are, never encoded: what a detail head can draw on. `uncovered_told_psnr`: smooth
inpainting of the true frames, for comparison. All positions in px at 128×128.
Points count when they have moved more than 5 px and are visible.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch

from ..common.devices import device_label
from ..model.weights.networks import Networks
from ..streaming.stream import StreamOptions, stream
from ..streaming.warped_image import carry
from ..tracks.types import Tracks
from ..tracks.warp.backward import warp_frames
from ..tracks.warp.forward import ForwardWarp
from . import metrics
from .heldout import HeldOut, background_mask, heldout_set, long_set, uncovered_mask, vacated_mask
from .prompt import prompt_effect
from .results import markdown_table, rounded, write_result

MOVED = 5.0
PROMPT_CLIPS = 6
TIMES = slice(4, None, 4)  # frames that are searched for the commanded points
KEYS = ("epe_sprite", "epe_background", "pck4_sprite", "psnr", "uncovered_psnr", "ghost", "sparse_epe_sprite")
Generate = Callable[[HeldOut, np.ndarray], np.ndarray]


def tracks_of(item: HeldOut, chosen: np.ndarray) -> Tracks:
    size = item.scene.size
    return Tracks(
        torch.from_numpy(item.clip.xy[:, chosen]),
        torch.from_numpy(item.clip.visible[:, chosen]),
        size,
        size,
        16.0,
    )


def generate(networks: Networks, steps: int | None, seed: int = 0) -> Generate:
    """The model under test: held-out clip and track indices -> frames (T, H, W, 3)."""

    def run(item: HeldOut, chosen: np.ndarray) -> np.ndarray:
        chunks = stream(
            networks,
            torch.from_numpy(item.frames[0]),
            tracks_of(item, chosen),
            item.clip.caption,
            StreamOptions(len(item.clip.frames), seed, steps, fit="hold"),
        )
        return np.concatenate([c.frames.numpy() for c in chunks])

    return run


@torch.no_grad()
def through_codec(networks: Networks, frames: np.ndarray) -> np.ndarray:
    """(T, H, W, 3), T = 1 + 4k -> what the codec makes of it."""
    x = torch.from_numpy(frames).permute(0, 3, 1, 2)[None]
    return networks.codec.decode(networks.codec.encode(x))[0].permute(0, 2, 3, 1).numpy()


def static_baseline(networks: Networks) -> Generate:
    return lambda item, chosen: through_codec(networks, np.repeat(item.frames[:1], len(item.frames), 0))


def warp_baseline(networks: Networks, encoded: bool = True) -> Generate:
    """The first frame's pixels moved along the tracks, through the codec or as they are."""

    def run(item: HeldOut, chosen: np.ndarray) -> np.ndarray:
        tracks = tracks_of(item, chosen)
        image = torch.from_numpy(item.frames[0]).permute(2, 0, 1)
        frames = warp_frames(image, tracks.xy[0], tracks.xy, tracks.visible).frames
        frames = frames.permute(0, 2, 3, 1).numpy()
        return through_codec(networks, frames) if encoded else frames

    return run


def carried_baseline(networks: Networks, encoded: bool = True) -> Generate:
    """What the small preset is given: pixels carried forward and uncovered places filled smoothly, without
    the network; through the codec or as they are.
    """

    def run(item: HeldOut, chosen: np.ndarray) -> np.ndarray:
        tracks = tracks_of(item, chosen)
        made = carry(
            ForwardWarp(torch.from_numpy(item.frames[0]).permute(2, 0, 1), tracks.xy[0]),
            tracks.xy,
            tracks.visible,
        )
        frames = made.frames.permute(0, 2, 3, 1).numpy()
        return through_codec(networks, frames) if encoded else frames

    return run


def told_baseline() -> Generate:
    """The true frames with their uncovered places painted in (Navier-Stokes) from all that is truly around
    them, the places told as well: what smoothness alone can reach there, by somebody who knows the rest.
    """

    def run(item: HeldOut, chosen: np.ndarray) -> np.ndarray:
        frames = (item.frames * 255).round().astype(np.uint8)
        masks = uncovered_mask(item.scene, item.clip).astype(np.uint8)
        return (
            np.stack(
                [cv2.inpaint(frame, mask, 5, cv2.INPAINT_NS) for frame, mask in zip(frames, masks)]
            ).astype(np.float32)
            / 255
        )

    return run


def uncovered_psnr(items: list[HeldOut], run: Generate) -> float:
    """PSNR in dB over all pixels of background that frame 0 does not show."""
    errors = [_uncovered_error(item, run(item, item.chosen)) for item in items]
    return _psnr_of(sum(errors, start=np.zeros(2)))


def _uncovered_error(item: HeldOut, frames: np.ndarray) -> np.ndarray:
    """Sum of squares there, and of how many values."""
    mask = uncovered_mask(item.scene, item.clip)
    return np.array([((frames - item.frames) ** 2)[mask].sum(dtype=np.float64), 3 * mask.sum()])


def _psnr_of(squares: np.ndarray) -> float:
    return float(-10 * np.log10(squares[0] / max(squares[1], 1)))


def sparse(item: HeldOut, seed: int = 7) -> np.ndarray:
    """24 of the commanded points: 16 on the sprites where there are any, the rest on the background."""
    rng = np.random.default_rng(seed)
    owner = item.clip.owner[item.chosen]
    on, off = item.chosen[owner >= 0], item.chosen[owner < 0]
    take = min(16, len(on))
    return np.concatenate([rng.permutation(on)[:take], rng.permutation(off)[: 24 - take]])


def point_errors(item: HeldOut, frames: np.ndarray) -> dict[str, np.ndarray]:
    """NCC errors in px of the moved, visible points, on sprites and on the background."""
    xy, visible = item.clip.xy[:, item.chosen], item.clip.visible[:, item.chosen]
    counted = visible & (np.linalg.norm(xy - xy[:1], axis=-1) > MOVED)
    errors = metrics.ncc_error(item.frames[TIMES], frames[TIMES], xy[TIMES], counted[TIMES])
    sprite = item.clip.owner[item.chosen] >= 0
    return {"sprite": errors[:, sprite].ravel(), "background": errors[:, ~sprite].ravel()}


def measure(items: list[HeldOut], run: Generate, progress: Callable[[str], None]) -> dict[str, float]:
    """All figures of one method over the held-out set."""
    points: dict[str, list[np.ndarray]] = {"sprite": [], "background": [], "sparse": []}
    values: dict[str, list[float]] = {"psnr": [], "ghost": []}
    uncovered = np.zeros(2)
    for number, item in enumerate(items):
        frames = run(item, item.chosen)
        for key, errors in point_errors(item, frames).items():
            points[key].append(errors)
        points["sparse"].append(point_errors(item, run(item, sparse(item)))["sprite"])
        values["psnr"].append(metrics.psnr(frames[1:], item.frames[1:]))
        uncovered += _uncovered_error(item, frames)
        if item.clip.kind == "object":
            values["ghost"].append(
                metrics.ghost(frames, item.frames, item.frames[0], vacated_mask(item.clip))
            )
        progress(f"clip {number + 1}/{len(items)}")
    known = {key: np.concatenate(rows)[np.isfinite(np.concatenate(rows))] for key, rows in points.items()}
    return {
        "epe_sprite": float(np.median(known["sprite"])),
        "epe_background": float(np.median(known["background"])),
        "mean_epe_sprite": float(known["sprite"].mean()),
        "mean_epe_background": float(known["background"].mean()),
        "pck4_sprite": metrics.pck(known["sprite"], 4.0),
        "pck4_background": metrics.pck(known["background"], 4.0),
        "psnr": float(np.mean(values["psnr"])),
        "uncovered_psnr": _psnr_of(uncovered),
        "ghost": float(np.nanmean(values["ghost"])),
        "sparse_epe_sprite": float(np.median(known["sparse"])),
    }


def measure_drift(
    items: list[HeldOut], run: Generate, progress: Callable[[str], None], span: int = 24
) -> dict[str, float]:
    """Fall of the background's PSNR (dB) and move of its mean colour (of 255) from the first to the last
    `span` frames, the worst clip's.
    """
    falls, moves = [], []
    for number, item in enumerate(items):
        frames = run(item, item.chosen)
        mask = background_mask(item.clip) & ~uncovered_mask(item.scene, item.clip)
        early, late = slice(1, 1 + span), slice(len(frames) - span, len(frames))
        falls.append(
            metrics.psnr(frames[early], item.frames[early], mask[early])
            - metrics.psnr(frames[late], item.frames[late], mask[late])
        )
        bias = [(frames[s] - item.frames[s])[mask[s]].mean(0) for s in (early, late)]
        moves.append(float(np.abs(bias[1] - bias[0]).max() * 255))
        progress(f"long stream {number + 1}/{len(items)}: {falls[-1]:+.2f} dB, colour {moves[-1]:.2f}/255")
    return {"drift_db": float(max(falls)), "drift_rgb": float(max(moves))}


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
    """Everything of the issue's table -> one JSON-ready document with the model's figures at the top and the
    baselines below their names.
    """
    items = heldout_set(media, clips)
    began = time.time()
    truth = [metrics.psnr(through_codec(networks, item.frames)[1:], item.frames[1:]) for item in items]
    document: dict = {
        "model": name,
        "clips": clips,
        "steps": steps or networks.config.steps,
        "codec_psnr": float(np.mean(truth)),
    }
    document["uncovered_told_psnr"] = uncovered_psnr(items, told_baseline())
    document |= measure(items, generate(networks, steps), progress)
    if long_clips:
        document |= {"long_frames": long_frames} | measure_drift(
            long_set(media, long_clips, long_frames), generate(networks, steps), progress
        )
    document["prompt"] = prompt_effect(networks, items[:PROMPT_CLIPS], steps, progress)
    document["stream_fps"] = measure_speed(networks, items[0], steps)
    document["static"] = measure(items, static_baseline(networks), progress)
    document["warp"] = measure(items, warp_baseline(networks), progress)
    document["carried"] = measure(items, carried_baseline(networks), progress)
    document["warp_pixels"] = measure(items, warp_baseline(networks, encoded=False), progress)
    document["carried_pixels"] = measure(items, carried_baseline(networks, encoded=False), progress)
    document |= {
        "device": device_label(networks.dit.device),
        "threads": torch.get_num_threads(),
        "seconds": round(time.time() - began, 1),
    }
    return rounded(document)


def table(document: dict) -> str:
    """The document as a Markdown table."""
    columns = ("model", "carried", "warp", "static", "carried_pixels", "warp_pixels")
    names = (document["model"], *columns[1:4], "carried, never encoded", "warp, never encoded")
    rows: list[tuple[str, ...]] = []
    for key in (*KEYS[:3], "mean_epe_sprite", "mean_epe_background", "pck4_background", *KEYS[3:]):
        cells = [(document if column == "model" else document[column])[key] for column in columns]
        rows.append((key, *(f"{value:.3f}" for value in cells)))
    for key in ("codec_psnr", "uncovered_told_psnr", "drift_db", "drift_rgb", "stream_fps"):
        if key in document:
            rows.append((key, f"{document[key]:.3f}"))
    for kind, shares in document["prompt"].items():
        rows += [(f"prompt, {kind}: {style}", f"{value:.3f}") for style, value in shares.items()]
    return markdown_table(("measure", *names), rows)


def keep(document: dict, folder: Path, command: str) -> Path:
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
