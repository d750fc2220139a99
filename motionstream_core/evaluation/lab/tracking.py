"""`python -m motionstream_core evaluate tracking`: the default point tracker against exact truth, beside
Lucas-Kanade and dense flow.

Owns the scores, the table and the result file. Sequences come from `tracking_scenes`, files from
`tracking_media`. Thresholds of the tracker are set on the development half. The figures that count are those
of the held-out half.

Scores, over places whose truth is known, frame 0 left out:
- error: mean distance in px where a point is truly visible and said to be.
- followed: share of truly visible (point, frame) that are said to be visible and within 4 px. Survival: the
same in the last frame only.
- precision, recall: of the visible said to be visible. False visible: share of what is said to be visible
that is not.
- error at equal survival: the least sure places of the method that keeps more are dropped until both keep the
same share.

Laboratory, not product (see this package's docstring).
"""

from __future__ import annotations

import argparse
import platform
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from ...tracks.camera.moves import PRESETS as CAMERA_PRESETS
from ...tracks.camera.moves import camera_tracks, preset_path, regular_grid
from ...tracks.video.patch_tracker import FlowTracker
from ..results import RESULTS, markdown_table, show_result, write_result
from .tracking_baselines import dense_flow, lucas_kanade
from .tracking_media import HALVES, IN_REPOSITORY, find_material
from .tracking_scenes import KINDS, Sequence, Size, sequences

NEAR = 4.0  # px: a point this near to its truth is followed
METHODS = ("default tracker", "Lucas-Kanade", "dense flow")
COLUMNS = (
    "error_px",
    "median_px",
    "followed",
    "survival",
    "precision",
    "recall",
    "false_visible",
    "seconds",
    "cpu_seconds",
)

Followed = tuple[np.ndarray, np.ndarray, np.ndarray]  # positions (T, N, 2), visible (T, N), confidence (T, N)


def default_tracker(frames: np.ndarray, points: np.ndarray) -> Followed:
    """The default tracker, frame by frame as `track_video` runs it, with its confidence."""
    tracker = FlowTracker()
    tracker.start(frames[0], points)
    out = [(points, np.ones(len(points), bool), np.ones(len(points)))]
    for frame in frames[1:]:
        xy, visible = tracker.step(frame)
        out.append((xy, visible, tracker.confidence.copy()))
    xy, visible, sure = zip(*out)
    return np.stack(xy), np.stack(visible), np.stack(sure)


def scores(found: Followed, truth: Sequence, chosen: np.ndarray | None = None) -> dict[str, float]:
    """The scores above. chosen (N,): the points that count. A share of nothing is 0, an error of nothing is
    NaN.
    """
    chosen = np.ones(len(truth.points), bool) if chosen is None else chosen
    known, visible = truth.known[1:, chosen], truth.visible[1:, chosen]
    said = found[1][1:, chosen] & known
    distance = np.linalg.norm(found[0][1:, chosen] - truth.xy[1:, chosen], axis=-1)
    right, near = said & visible, said & visible & (distance <= NEAR)
    seen = visible & known
    share = lambda part, whole: float(part.sum() / max(1, whole.sum()))  # noqa: E731
    return {
        "error_px": float(distance[right].mean()) if right.any() else float("nan"),
        "median_px": float(np.median(distance[right])) if right.any() else float("nan"),
        "followed": share(near, seen),
        "survival": share(near[-1], seen[-1]),
        "precision": share(right, said),
        "recall": share(right, seen),
        "false_visible": share(said & ~visible, said),
    }


def error_at(found: Followed, truth: Sequence, share: float) -> float:
    """Mean error when only the surest places are kept: as many as `share` of what is truly visible."""
    seen = (truth.visible & truth.known)[1:]
    right = found[1][1:] & seen
    distance = np.linalg.norm(found[0][1:] - truth.xy[1:], axis=-1)[right]
    kept = min(len(distance), int(round(share * seen.sum())))
    return (
        float(distance[np.argsort(-found[2][1:][right], kind="stable")[:kept]].mean())
        if kept
        else float("nan")
    )


def measure(truth: Sequence, baselines: bool = True) -> dict:
    """One sequence: the scores of each method (of the default tracker alone without baselines), and the
    default tracker's error against each baseline's at equal survival.
    """
    methods: dict[str, Callable[[np.ndarray, np.ndarray], Followed]] = dict(
        zip(METHODS, (default_tracker, lucas_kanade, dense_flow))
    )
    chosen = METHODS if baselines else METHODS[:1]
    found, row = {}, {"name": truth.name, "kind": truth.kind, "methods": {}}
    for name, follow in ((name, methods[name]) for name in chosen):
        began, worked = time.perf_counter(), time.process_time()
        found[name] = follow(truth.frames, truth.points)
        spent = {"seconds": time.perf_counter() - began, "cpu_seconds": time.process_time() - worked}
        row["methods"][name] = scores(found[name], truth) | spent
        if truth.owner.any():
            row["methods"][name]["on_objects"] = scores(found[name], truth, truth.owner > 0)
    for name in chosen[1:]:
        share = min(row["methods"][METHODS[0]]["recall"], row["methods"][name]["recall"])
        row["methods"][name]["equal"] = {
            "share": share,
            "ours_px": error_at(found[METHODS[0]], truth, share),
            "theirs_px": error_at(found[name], truth, share),
        }
    return row


def camera_projection(width: int = 832, height: int = 480, frames: int = 81) -> dict[str, float]:
    """Camera tracks over a slanted plane against OpenCV's own projection: the largest distance in px of all
    moves.
    """
    import cv2

    rows, columns = np.mgrid[0:height, 0:width]
    depth, grid, fov = 2.0 + 0.001 * columns + 0.002 * rows, regular_grid(width, height, 50, 50), 55.0
    focal = width / 2 / np.tan(np.radians(fov) / 2)
    x, y = np.rint(grid).astype(int).T
    z = depth[y, x] / np.median(depth)
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    points, worst = np.concatenate([(grid - middle) / focal, np.ones((len(grid), 1))], 1) * z[:, None], 0.0
    for name in CAMERA_PRESETS:
        path = preset_path(name, frames, 0.7)
        tracks = camera_tracks(depth, path, grid, fov=fov)
        for frame in range(0, frames, 8):
            lens = np.array(
                [
                    [focal * path.focal[frame], 0, middle[0]],
                    [0, focal * path.focal[frame], middle[1]],
                    [0, 0, 1],
                ]
            )
            expected = cv2.projectPoints(
                points, cv2.Rodrigues(path.pose[frame, :, :3])[0], path.pose[frame, :, 3], lens, None
            )[0][:, 0]
            worst = max(worst, float(np.abs(tracks.xy[frame].numpy() - expected).max()))
    return {"moves": len(CAMERA_PRESETS), "largest_px": worst}


def evaluate(
    media: Path,
    size: Size,
    limits: tuple[int | None, int | None] = (None, None),
    workers: int = 1,
    kinds: tuple[str, ...] = KINDS,
    baselines: bool = True,
) -> dict:
    """Everything: both halves, their means by kind, the camera projection.

    Args:
        media: folder of pictures, videos and sprites.
        size: of a sequence.
        limits: most sources of each kind in each half, 0 for none, None for all.
        workers: processes that share the sequences.
        kinds: of the sequences.
        baselines: whether the baselines are measured too.
    """
    document: dict = {
        "size": [size.width, size.height],
        "frames": size.frames,
        "points": size.columns * size.rows,
        "workers": workers,
        "halves": {},
    }
    parts = [(media, size, limits, part, workers, kinds, baselines) for part in range(workers)]
    if workers == 1:
        found = measure_part(*parts[0])
    else:
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            found = [row for rows in pool.map(measure_part, *zip(*parts)) for row in rows]
    for half in HALVES:
        rows = sorted((row for row in found if row["half"] == half), key=lambda row: row["number"])
        sources = sorted({row["name"].split(" ")[0] for row in rows})
        document["halves"][half] = {
            "sources": sources,
            "sequences": rows,
            "means": {kind: mean_scores([r for r in rows if r["kind"] == kind]) for kind in kinds},
        }
    return document | {"camera_projection": camera_projection(size.width, size.height, size.frames)}


def measure_part(
    media: Path,
    size: Size,
    limits: tuple[int | None, int | None],
    part: int = 0,
    parts: int = 1,
    kinds: tuple[str, ...] = KINDS,
    baselines: bool = True,
) -> list[dict]:
    """One worker's share of the sequences of both halves, each told on stderr when it is done.

    Args:
        media: folder of pictures, videos and sprites.
        size: of a sequence.
        limits: most sources of each kind in each half, 0 for none, None for all.
        part: number of this worker.
        parts: how many workers there are.
        kinds: of the sequences.
        baselines: whether the baselines are measured too.
    """
    rows = []
    for half, limit in zip(HALVES, limits):
        for number, truth in sequences(
            find_material(media, half, size.frames), half, size, limit, part, parts, kinds
        ):
            rows.append({"half": half, "number": number} | measure(truth, baselines))
            print(f"{half}: {_line(rows[-1])}", file=sys.stderr, flush=True)
    return rows


def mean_scores(rows: list[dict]) -> dict:
    """The mean of every score over the sequences that have it, a method at a time. None where none has
    (nothing was visible and said to be).
    """
    out: dict = {}

    def mean(values) -> float | None:
        kept = [v for v in values if v is not None and np.isfinite(v)]
        return float(np.mean(kept)) if kept else None

    for name in rows[0]["methods"] if rows else ():
        cells = [row["methods"][name] for row in rows]
        out[name] = {
            key: mean([cell[key] for cell in cells])
            for key in cells[0]
            if not isinstance(cells[0][key], dict)
        }
        for part in ("on_objects", "equal"):
            if part in cells[0]:
                out[name][part] = {
                    key: mean([cell[part][key] for cell in cells if part in cell]) for key in cells[0][part]
                }
    return out


def _line(row: dict) -> str:
    cells = [
        f"{name} {cell['error_px']:.2f} px, survival {cell['survival']:.2f}, {cell['seconds']:.1f} s"
        for name, cell in row["methods"].items()
    ]
    return f"{row['name']}: " + "; ".join(cells)


def table(document: dict) -> str:
    """A Markdown table of each half, and the camera projection."""
    head = ("sequences", "method", *COLUMNS, "at equal survival: ours / theirs px")
    lines = []
    for half, part in document["halves"].items():
        rows = []
        for kind, methods in part["means"].items():
            count = sum(row["kind"] == kind for row in part["sequences"])
            for name, cell in methods.items():
                rows.append((f"{kind} ({count})", name, *_cells(cell), _at_equal_survival(cell)))
                if "on_objects" in cell:
                    rows.append(("of these, points on objects", name, *_cells(cell["on_objects"])))
        lines += [f"**{half}**", "", markdown_table(head, rows), ""]
    projection = document["camera_projection"]
    worst = f"{projection['moves']} moves: at most {projection['largest_px']:.4f} px."
    return "\n".join([*lines, f"Camera tracks against OpenCV's projection, {worst}"])


def _at_equal_survival(cell: dict) -> str:
    equal = cell.get("equal", {})
    if equal.get("ours_px") is None:
        return ""
    return f"{equal['ours_px']:.2f} / {equal['theirs_px']:.2f} at {equal['share']:.2f}"


def _cells(cell: dict) -> list[str]:
    shown = []
    for key in COLUMNS:
        value = cell.get(key)
        digits = 4 if key == "false_visible" else 3
        shown.append("" if value is None else f"{value:.{digits}f}")
    return shown


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--media",
        type=Path,
        default=IN_REPOSITORY,
        help="folder of pictures and videos (see tracking_media.py)",
    )
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument(
        "--workers",
        type=int,
        default=1,
        help="processes; more than one makes the seconds longer, not the processor's seconds",
    )
    parser.add_argument("--size", default="832x480", help="WIDTHxHEIGHT of the sequences")
    parser.add_argument("--frames", type=int, default=81, help="frames of each of them")
    parser.add_argument("--grid", default="50x50", help="points followed in each of them")
    parser.add_argument(
        "--limit", type=int, default=None, help="at most this many held-out sources of each kind"
    )
    parser.add_argument(
        "--development",
        type=int,
        default=None,
        help="at most this many development sources of each kind, as many as held-out ones by default",
    )
    parser.add_argument(
        "--kinds", default=",".join(KINDS), help="kinds of sequences, with commas between them"
    )
    parser.add_argument("--no-baselines", action="store_true", help="the default tracker alone")


def run(args: argparse.Namespace) -> None:
    (width, height), (columns, rows) = (_pair(getattr(args, name), name) for name in ("size", "grid"))
    if args.frames < 2 or args.workers < 1 or (args.limit is not None and args.limit < 1):
        raise ValueError(
            f"tracking: expected at least 2 frames, 1 worker and a limit of at least 1, got {args.frames}, "
            f"{args.workers} and {args.limit}"
        )
    kinds = tuple(args.kinds.split(","))
    if not set(kinds) <= set(KINDS):
        raise ValueError(f"kinds: expected some of {', '.join(KINDS)}, got {args.kinds!r}")
    limits = (args.limit if args.development is None else args.development, args.limit)
    document = evaluate(
        args.media,
        Size(width, height, args.frames, columns, rows),
        limits,
        args.workers,
        kinds,
        not args.no_baselines,
    )
    document["options"] = "".join(
        f" --{name} {getattr(args, name)!r}"
        for name in ("limit", "development", "workers")
        if getattr(args, name) is not None
    )
    document["options"] += ("" if kinds == KINDS else f" --kinds {args.kinds!r}") + (
        " --no-baselines" if args.no_baselines else ""
    )
    document["machine"] = f"{platform.machine()}, {_threads()} threads"
    show_result(table(document), _plain(document), save_document(document, args.results))


def save_document(document: dict, folder: Path) -> Path:
    """Writes the result beside the others: command, commit, table, sources, and the figures of every
    sequence.
    """
    size = "x".join(map(str, document["size"]))
    sources = [f"- {half}: {', '.join(part['sources'])}" for half, part in document["halves"].items()]
    each = [
        f"- {half}: {_line(row)}" for half, part in document["halves"].items() for row in part["sequences"]
    ]
    about = (
        f"{size}, {document['frames']} frames, {document['points']} points; {document['machine']}, "
        f"{document['workers']} worker(s) at once.\n\n"
        "What the columns mean is at the top of `motionstream_core/evaluation/lab/tracking.py`; how the "
        "sequences are made, of `tracking_scenes.py`. FOLDER holds the sources below, which "
        "`tracking_media.py` names with their packages. Seconds are of a whole sequence."
    )
    body = [table(document), "", "## Sources", "", *sources, "", "## Each sequence", "", *each]
    return write_result(
        folder,
        "tracking",
        "cpu",
        "The default point tracker against exact truth",
        about,
        "\n".join(body),
        command=f"python -m motionstream_core evaluate tracking --media FOLDER{document.get('options', '')}",
    )


def _plain(value):
    """The same with null for numbers that JSON has no word for."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _pair(text: str, name: str) -> tuple[int, int]:
    parts = text.lower().split("x")
    if len(parts) != 2 or not all(part.isdigit() and int(part) > 0 for part in parts):
        raise ValueError(f"{name}: expected two whole numbers such as 832x480, got {text!r}")
    return int(parts[0]), int(parts[1])


def _threads() -> int:
    import cv2

    return cv2.getNumThreads()
