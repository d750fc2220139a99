"""Prompts by frame: which text a stream is told when, and how one becomes the next.

Owns the written form (`parse_prompts`) and the mixing of embeddings. Knows nothing of networks or chunks.
Shapes: embeddings (1, L, text_dim).
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from ..common.checked import excerpt

LINE = re.compile(r"\s*(\d+)\s*[:=]\s*(.*\S)\s*$")
MAX_PROMPTS = 1000
MAX_FRAME = 10**9


def parse_prompts(text: str) -> tuple[tuple[int, str], ...]:
    """The frames and prompts of a text with one "frame: prompt" a line, the first at frame 0.

    Empty lines and lines that begin with # are left out. ValueError names the line that does not fit.
    """
    found: list[tuple[int, str]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = LINE.match(line)
        if match is None:
            raise ValueError(
                f"prompts, line {number}: expected a frame and its prompt, such as '48: a red car', got "
                f"{excerpt(line)}"
            )
        frame = int(match[1])
        if not found and frame != 0:
            raise ValueError(f"prompts, line {number}: expected the first prompt at frame 0, got {frame}")
        if found and not found[-1][0] < frame <= MAX_FRAME:
            raise ValueError(
                f"prompts, line {number}: expected a frame after {found[-1][0]} (in order), got {frame}"
            )
        found.append((frame, match[2]))
    if not 1 <= len(found) <= MAX_PROMPTS:
        raise ValueError(f"prompts: expected 1 to {MAX_PROMPTS} lines with a prompt, got {len(found)}")
    return tuple(found)


@dataclass(frozen=True)
class ScheduledPrompt:
    """A prompt and the pixel frame at which it begins."""

    frame: int
    text: str
    embeds: Tensor


@dataclass(frozen=True)
class PromptSchedule:
    """Prompts in the order of their frames, the first at frame 0.

    A prompt takes effect with the first chunk that begins at its frame or later. `fade` is the number of
    pixel frames over which the embeddings go from the text before to the new one, 0 for none.
    """

    prompts: tuple[ScheduledPrompt, ...]
    fade: int = 0

    def __post_init__(self):
        frames = [each.frame for each in self.prompts]
        if not frames or frames[0] != 0 or frames != sorted(set(frames)):
            raise ValueError(f"prompts: expected rising frames from 0, got {frames}")
        if self.fade < 0:
            raise ValueError(f"fade: expected 0 frames or more, got {self.fade}")

    def index_at(self, frame: int) -> int:
        """The prompt of a chunk that begins at this frame."""
        return bisect_right([each.frame for each in self.prompts], frame) - 1

    def weight_at(self, frame: int, count: int) -> float:
        """How much of its prompt a chunk of `count` frames from this frame is told: 0..1, at its last
        frame.
        """
        prompt = self.prompts[self.index_at(frame)]
        if not self.fade or prompt.frame == 0:
            return 1.0
        return min(1.0, (frame + count - prompt.frame) / self.fade)


def mixed_embeds(before: Tensor, after: Tensor, weight: float) -> Tensor:
    """Embeddings on the way from one text to another. The shorter one is padded with zeros, as the network
    would.
    """
    if weight >= 1:
        return after
    length = max(before.shape[1], after.shape[1])
    before, after = (F.pad(x.float(), (0, 0, 0, length - x.shape[1])) for x in (before, after.to(before)))
    return torch.lerp(before, after, weight)
