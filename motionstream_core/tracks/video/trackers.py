"""The point trackers people can choose: one small interface, and who offers it.

Owns the interface, the table of trackers by name with their licences, and what is said when one is missing.
Knows nothing of video files or hosts. The networks of others are in `neural_trackers.py` and imported only
when one is chosen. Nothing is ever downloaded.

Shapes: a frame (H, W, 3) uint8 RGB. Points and positions (N, 2) float32 pixels, x right, y down, centres at
whole numbers. visible (N,) bool.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from .patch_tracker import FlowTracker

Positions = tuple[np.ndarray, np.ndarray]
FOLDER = "models/motionstream/trackers"


class PointTracker(Protocol):
    """Follows points of the first frame through the others."""

    def follow(self, frames: Iterator[np.ndarray], points: np.ndarray) -> Iterator[Positions]:
        """Positions and visibility in every frame, in order, the first frame's being the points themselves.

        Takes frames as they are needed (a network that works in windows reads some ahead), so that memory
        does not grow with the video.
        """
        ...


@dataclass(frozen=True)
class TrackerKind:
    """A tracker as people see it. package: what must be installed, empty for ours. weights: file names any of
    which will do.
    """

    name: str
    licence: str
    package: str = ""
    install: str = ""
    weights: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """Its name with the licence, for tooltips and messages."""
        return f"{self.name} is {self.licence}"


FLOW = TrackerKind("OpenCV flow", "BSD/Apache-2.0 and part of OpenCV")
COTRACKER = TrackerKind(
    "CoTracker3",
    "CC-BY-NC-4.0 (not for commercial use)",
    "cotracker",
    "github.com/facebookresearch/co-tracker",
    ("scaled_online.pth", "baseline_online.pth"),
)
TAPIR = TrackerKind(
    "TAPIR", "Apache-2.0", "tapnet", "github.com/google-deepmind/tapnet", ("causal_bootstapir_checkpoint.pt",)
)
TAPNEXT = TrackerKind(
    "TAPNext",
    "Apache-2.0",
    "tapnet",
    "github.com/google-deepmind/tapnet",
    ("bootstapnext_ckpt.npz", "tapnextpp_ckpt.pt", "tapnextpp_512.ckpt"),
)
RAFT = TrackerKind(
    "RAFT",
    "BSD-3-Clause (its weights learned from pictures with terms of their own)",
    "torchvision",
    "github.com/pytorch/vision",
    (
        "raft_large_C_T_SKHT_V2-ff5fadd5.pth",
        "raft_large.safetensors",
        "raft_small_C_T_V2-01064c6d.pth",
        "raft_small.safetensors",
    ),
)
KINDS = {kind.name: kind for kind in (FLOW, COTRACKER, TAPIR, TAPNEXT, RAFT)}
# What a package that does not fit the installed torch raises when it is imported.
BROKEN = (ImportError, RuntimeError, OSError)


def open_tracker(name: str = FLOW.name, folders: Iterable[Path] = (), device: str = "cpu") -> PointTracker:
    """The tracker of that name. folders: where weights may lie. ValueError says what is missing, and under
    which licence it may be had.
    """
    if name not in KINDS:
        raise ValueError(f"tracker: expected one of {', '.join(KINDS)}, got {name!r}")
    if name == FLOW.name:
        return StepTracker()
    from .neural_trackers import ADAPTERS

    kind = KINDS[name]
    return ADAPTERS[name](weights_of(kind, [Path(folder) for folder in folders]), device)


def weights_of(kind: TrackerKind, folders: list[Path]) -> Path:
    """The first of a tracker's weight files that lies in one of the folders."""
    for name in kind.weights:
        for folder in folders:
            if (folder / name).is_file():
                return folder / name
    raise ValueError(
        f"tracker: {kind.words}: expected {' or '.join(kind.weights)} in {FOLDER}, got none. Its makers "
        f"offer it at {kind.install}."
    )


def missing_package(kind: TrackerKind, error: Exception) -> ValueError:
    """A package that is not there, or one that cannot be imported, as when a package that it needs is missing
    or made for another torch.
    """
    absent = isinstance(error, ImportError) and (error.name or "").split(".")[0] == kind.package
    got = "none" if absent else "one that cannot be imported"
    return ValueError(
        f"tracker: {kind.words}: expected the Python package {kind.package!r} ({kind.install}), got {got} "
        f"({error})"
    )


class StepTracker:
    """The default tracker behind the interface. `cuts`: the frames before which the scene changed."""

    def __init__(self):
        self._flow = FlowTracker()

    @property
    def cuts(self) -> list[int]:
        return self._flow.cuts

    def follow(self, frames: Iterator[np.ndarray], points: np.ndarray) -> Iterator[Positions]:
        return self._flow.follow(frames, points)
