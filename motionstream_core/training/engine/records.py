"""What a run leaves to look at: the curve (JSON lines, and TensorBoard where it is installed), sample videos
with their tracks drawn on.

Owns curve.jsonl, tensorboard/ and samples/ below a run's folder. Of several processes one alone makes a
`Records`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...codec.video import write_video
from ...tracks.drawing import draw_tracks
from ...tracks.types import Tracks

NO_TENSORBOARD = "TensorBoard is not installed (pip install tensorboard): the curve is in {} alone"


class Records:
    """Opened at the step that a run goes on from. Lines of later steps, which a killed run left, are
    dropped.
    """

    def __init__(self, out: Path, step: int, fps: float, tell: Callable[[str], None]):
        self.out, self.fps, self.curve = out, fps, out / "curve.jsonl"
        out.mkdir(parents=True, exist_ok=True)
        _cut(self.curve, step)
        self.board = _board(out / "tensorboard", step)
        if self.board is None:
            tell(NO_TENSORBOARD.format(self.curve))

    def row(self, step: int, **values: Any) -> None:
        """One line of the curve. Numbers also go to TensorBoard."""
        shown = {key: round(value, 7) if isinstance(value, float) else value for key, value in values.items()}
        with self.curve.open("a") as file:
            file.write(json.dumps({"step": step, **shown}) + "\n")
        if self.board is not None:
            for key, value in values.items():
                if isinstance(value, (int, float)):
                    self.board.add_scalar(key, value, step)

    def samples(self, step: int, made: list[tuple[Tensor, Tracks]]) -> Path | None:
        """Clips side by side in samples/STEP.mp4. None where a stage has none to show."""
        if not made:
            return None
        path = self.out / "samples" / f"{step:06d}.mp4"
        length = min(len(frames) for frames, _ in made)
        drawn = torch.cat(
            [draw_tracks(frames[:length].float().cpu(), tracks) for frames, tracks in made], dim=2
        )
        write_video(path, drawn, self.fps)
        if self.board is not None:
            self.board.add_image("sample", drawn[-1], step, dataformats="HWC")
        return path

    def close(self) -> None:
        if self.board is not None:
            self.board.close()


def _board(folder: Path, step: int):
    """TensorBoard's writer, or None where the package is missing."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder), purge_step=step + 1)


def _cut(curve: Path, step: int) -> None:
    """Keeps the lines up to a step. A line that was cut off in writing goes too."""
    if not curve.exists():
        return
    kept = []
    for line in curve.read_text().splitlines():
        try:
            if json.loads(line)["step"] <= step:
                kept.append(line + "\n")
        except ValueError:
            break
    part = curve.with_suffix(".part")
    part.write_text("".join(kept))
    part.replace(curve)
