"""The figures of one method over the held-out clips, and those of long streams.

Owns what is counted: which points, which pixels, which clips. Objects (still camera), cameras and sparse
tracks have figures of their own. All positions in px at 128×128. Points count when they have moved more than
MOVED px and are visible.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np

from . import metrics, textures
from .heldout import HeldOut, background_mask, disoccluded_mask, vacated_mask
from .methods import Generate

MOVED = 5.0
TIMES = slice(4, None, 4)  # frames that are searched for the commanded points


@dataclass
class Holes:
    """Sums over the holes behind objects under a still camera, clip by clip."""

    squares: np.ndarray = field(default_factory=lambda: np.zeros(2))
    made: np.ndarray = field(default_factory=lambda: np.zeros(len(textures.OCTAVES)))
    true: np.ndarray = field(default_factory=lambda: np.zeros(len(textures.OCTAVES)))
    distances: list[tuple[float, float]] = field(default_factory=list)
    flickers: list[float] = field(default_factory=list)
    ghosts: list[float] = field(default_factory=list)

    def add(self, item: HeldOut, frames: np.ndarray):
        hole = vacated_mask(item.clip)
        inner = textures.erode_mask(hole)
        camera = item.scene.camera.matrices(item.scene.size / 2, item.scene.size / 2)
        self.squares += squared_error(item, frames)
        self.made += textures.octave_energy(frames, inner)
        self.true += textures.octave_energy(item.frames, inner)
        self.distances.append(textures.patch_distances(frames, item.frames, inner))
        self.flickers.append(textures.flicker(frames, hole, camera))
        self.ghosts.append(metrics.ghost(frames, item.frames, item.frames[0], hole))

    def figures(self) -> dict[str, float]:
        colour, high = (mean_of_finite(pair[kind] for pair in self.distances) for kind in (0, 1))
        return {
            "object_uncovered_psnr": psnr_of(self.squares),
            "object_bands": textures.band_error(textures.band_ratios(self.made, self.true)),
            "object_swd_colour": colour,
            "object_swd_highpass": high,
            "object_flicker": mean_of_finite(self.flickers),
            "object_ghost": mean_of_finite(self.ghosts),
        }


def hole_figures(items: list[HeldOut], run: Generate) -> dict[str, float]:
    """The figures of one method in the holes behind objects alone."""
    holes = Holes()
    for item in items:
        if item.clip.kind == "object":
            holes.add(item, run(item, item.chosen))
    return holes.figures()


def mean_of_finite(values: Iterable[float]) -> float:
    """The mean of the finite values, nan where there is none."""
    known = [value for value in values if np.isfinite(value)]
    return float(np.mean(known)) if known else float("nan")


def uncovered_psnr(items: list[HeldOut], run: Generate) -> float:
    """PSNR in dB over all pixels of background that frame 0 does not show."""
    errors = [squared_error(item, run(item, item.chosen)) for item in items]
    return psnr_of(sum(errors, start=np.zeros(2)))


def squared_error(item: HeldOut, frames: np.ndarray) -> np.ndarray:
    """Sum of squares there, and of how many values."""
    mask = disoccluded_mask(item.scene, item.clip)
    return np.array([((frames - item.frames) ** 2)[mask].sum(dtype=np.float64), 3 * mask.sum()])


def psnr_of(squares: np.ndarray) -> float:
    return float(-10 * np.log10(squares[0] / max(squares[1], 1)))


def sparse_points(item: HeldOut, seed: int = 7) -> np.ndarray:
    """24 of the commanded points: 16 on the sprites where there are any, the rest on the background."""
    rng = np.random.default_rng(seed)
    owner = item.clip.owner[item.chosen]
    on, off = item.chosen[owner >= 0], item.chosen[owner < 0]
    take = min(16, len(on))
    return np.concatenate([rng.permutation(on)[:take], rng.permutation(off)[: 24 - take]])


def uncommanded_points(item: HeldOut) -> np.ndarray:
    """The clip's points that are not commanded."""
    return np.setdiff1d(np.arange(item.clip.xy.shape[1]), item.chosen)


def point_errors(item: HeldOut, frames: np.ndarray, which: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """NCC errors in px of the moved, visible points, on sprites and on the background.

    which: indices of the points, by default those commanded in the dense runs.
    """
    which = item.chosen if which is None else which
    xy, visible = item.clip.xy[:, which], item.clip.visible[:, which]
    counted = visible & (np.linalg.norm(xy - xy[:1], axis=-1) > MOVED)
    errors = metrics.ncc_error(item.frames[TIMES], frames[TIMES], xy[TIMES], counted[TIMES])
    sprite = item.clip.owner[which] >= 0
    return {"sprite": errors[:, sprite].ravel(), "background": errors[:, ~sprite].ravel()}


@dataclass
class PointErrors:
    """Errors by kind of point, over all clips."""

    values: dict[str, list[np.ndarray]] = field(default_factory=dict)

    def add(self, kind: str, errors: np.ndarray):
        self.values.setdefault(kind, []).append(errors)

    def of(self, kind: str) -> np.ndarray:
        """The finite errors of a kind, one nan where there is none."""
        known = np.concatenate(self.values.get(kind, [np.zeros(0)]))
        known = known[np.isfinite(known)]
        return known if len(known) else np.array([np.nan])


def measure(items: list[HeldOut], run: Generate, progress: Callable[[str], None]) -> dict[str, float]:
    """All figures of one method over the held-out set."""
    points, holes = PointErrors(), Holes()
    values: dict[str, list[float]] = {"psnr": [], "camera": [], "sparse": []}
    disoccluded = np.zeros(2)
    for number, item in enumerate(items):
        frames = run(item, item.chosen)
        few = run(item, sparse_points(item))
        for kind, errors in point_errors(item, frames).items():
            points.add(kind, errors)
            points.add(f"{item.clip.kind} {kind}", errors)
        points.add("sparse", point_errors(item, few)["sprite"])
        points.add("between", point_errors(item, frames, uncommanded_points(item))["sprite"])
        points.add("sparse between", point_errors(item, few, uncommanded_points(item))["sprite"])
        values["psnr"].append(metrics.psnr(frames[1:], item.frames[1:]))
        values["sparse"].append(metrics.psnr(few[1:], item.frames[1:]))
        disoccluded += squared_error(item, frames)
        if item.clip.kind == "object":
            holes.add(item, frames)
        if item.clip.kind == "camera":
            values["camera"].append(values["psnr"][-1])
        progress(f"clip {number + 1}/{len(items)}")
    found = holes.figures()
    return {
        "epe_sprite": float(np.median(points.of("sprite"))),
        "epe_background": float(np.median(points.of("background"))),
        "mean_epe_sprite": float(points.of("sprite").mean()),
        "mean_epe_background": float(points.of("background").mean()),
        "pck4_sprite": metrics.pck(points.of("sprite"), 4.0),
        "pck4_background": metrics.pck(points.of("background"), 4.0),
        "psnr": mean_of_finite(values["psnr"]),
        "uncovered_psnr": psnr_of(disoccluded),
        "ghost": found["object_ghost"],
        "sparse_epe_sprite": float(np.median(points.of("sparse"))),
        **found,
        "object_epe_sprite": float(points.of("object sprite").mean()),
        "camera_psnr": mean_of_finite(values["camera"]),
        "sparse_psnr": mean_of_finite(values["sparse"]),
        "between_epe": float(points.of("between").mean()),
        "sparse_between_epe": float(points.of("sparse between").mean()),
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
        mask = background_mask(item.clip) & ~disoccluded_mask(item.scene, item.clip)
        early, late = slice(1, 1 + span), slice(len(frames) - span, len(frames))
        falls.append(
            metrics.psnr(frames[early], item.frames[early], mask[early])
            - metrics.psnr(frames[late], item.frames[late], mask[late])
        )
        bias = [(frames[s] - item.frames[s])[mask[s]].mean(0) for s in (early, late)]
        moves.append(float(np.abs(bias[1] - bias[0]).max() * 255))
        progress(f"long stream {number + 1}/{len(items)}: {falls[-1]:+.2f} dB, colour {moves[-1]:.2f}/255")
    return {"drift_db": float(max(falls)), "drift_rgb": float(max(moves))}
