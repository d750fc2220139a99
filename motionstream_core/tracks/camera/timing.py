"""When the poses of a file were: the times that it gives, or the numbers in its pictures' names.

Owns the way from there to poses at even steps, and the choice of one camera where a file holds several.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import PurePosixPath

import numpy as np

from .poses import MOST_FRAMES, Trajectory

STEADY = 0.1  # of a step: times this near to even ones are even
MOST_FILLED = 64  # times as many poses as the file has
LONGEST_NUMBER = 15  # digits: what a float64 holds exactly


def sort_key(name: str) -> list[tuple[int, int, str]]:
    """Sorts frame2 before frame10."""
    return [
        (0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", name[:4096])
    ]


def name_numbers(names: Sequence[str]) -> np.ndarray | None:
    """The numbers in which names differ, of frame_00001.png 1. None where more than a number differs."""
    found = []
    for name in names:
        path = PurePosixPath(name.replace("\\", "/"))
        stem = path.name if path.suffix[1:].isdecimal() else path.stem
        parts = re.fullmatch(r"(.*?)(\d+)(\D*)", stem)
        if parts is None or len(parts[2]) > LONGEST_NUMBER:
            return None
        found.append((str(path.parent), parts[1], parts[3], int(parts[2])))
    if len({entry[:3] for entry in found}) != 1:
        return None
    return np.array([entry[3] for entry in found], dtype=np.float64)


def spread_evenly(camera: Trajectory, times: np.ndarray | None, what: str = "times") -> Trajectory:
    """The trajectory at even steps of time: poses that lack are filled in along the way, which a note says.

    times (T,): rising, in any unit. Others say nothing. what: what they are, in a note.
    """
    if times is None or len(times) != len(camera.pose) or len(times) < 3 or not np.isfinite(times).all():
        return camera
    gaps = np.diff(times)
    if not (gaps > 0).all():
        return camera
    step = _step(times, gaps)
    at = (times - times[0]) / step
    even = np.abs(at - np.rint(at)).max() <= STEADY and (np.diff(np.rint(at)) > 0).all()
    at = np.rint(at) if even else at
    count = int(round(at[-1])) + 1 if at[-1] < 2 * MOST_FRAMES else MOST_FRAMES + 1
    if even and count == len(at):
        return camera
    if count > min(MOST_FRAMES, MOST_FILLED * len(at)):
        return camera.with_notes(f"the file's {what} have gaps too wide to fill; its poses are taken as even")
    wanted = np.linspace(0, at[-1], count)
    filled = camera.sampled(np.interp(wanted, at, np.arange(len(at))))
    if not even:
        return filled.with_notes(f"the file's {what} are uneven; {count} poses at even steps are taken")
    missing = sorted(set(range(count)) - set(at.astype(int).tolist()))
    first, last = times[0] + missing[0] * step, times[0] + missing[-1] * step
    return filled.with_notes(
        f"{len(missing)} poses lack between {what} {first:.15g} and {last:.15g}; they are filled in along "
        "the way"
    )


def _step(times: np.ndarray, gaps: np.ndarray) -> float:
    """The time between two frames: of whole numbers what all gaps are multiples of, else the middle gap."""
    if (times == np.rint(times)).all() and gaps.max() < 2**53:
        common = math.gcd(*(int(gap) for gap in gaps))
        if (times[-1] - times[0]) / common <= MOST_FILLED * len(times):
            return float(common)
    return float(np.median(gaps))


def choose_camera(labels: Sequence[str], wanted: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """Which poses (K,) are of the camera asked for, by default the first, and what is said of the others."""
    known = list(dict.fromkeys(labels))
    # "1 (left)" answers to its number and to its folder as well.
    named = [label for label in known if wanted in (label, *label.removesuffix(")").split(" ("))]
    if wanted and len(named) != 1:
        raise ValueError(f"camera: expected one of {', '.join(known[:20])}, got {wanted[:40]!r}")
    chosen = named[0] if wanted else known[0]
    picked = np.array([number for number, label in enumerate(labels) if label == chosen])
    if len(known) == 1:
        return picked, ()
    others = ", ".join(label for label in known[:20] if label != chosen)
    return picked, (f"the file holds {len(known)} cameras; {chosen} is taken, the others are {others}",)


def folder_labels(names: Sequence[str], fallback: str = "1") -> list[str]:
    """One label a picture: its folder, where pictures of one number lie in several of them."""
    folders = [str(PurePosixPath(name.replace("\\", "/")).parent) for name in names]
    numbers = [re.findall(r"\d+", PurePosixPath(name.replace("\\", "/")).stem)[-1:] for name in names]
    seen: dict[str, str] = {}
    for folder, number in zip(folders, numbers):
        if number and seen.setdefault(number[0], folder) != folder:
            return folders
    return [fallback] * len(names)
