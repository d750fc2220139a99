"""What a model in training makes of held-out clips, as frames and their tracks, for the sample videos.

Owns how latents of a training batch become something to look at. Shapes: frames (T, H, W, 3) float 0..1.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ...codec.base import Codec
from ...tracks.types import Tracks
from ..engine.stage import Data
from .guidance import Guidance
from .roles import Batch, MotionModel, move_batch
from .steps import rollout_clip
from .trajectories import sample_clip, teacher_schedule

Sample = tuple[Tensor, Tracks]
Samples = Callable[[MotionModel], list[Sample]]
SEED = 5


def of_students(codec: Codec, validation_data: Data, clips: int = 2, fps: float = 16.0) -> Samples:
    """By the one rollout, in the student's few steps."""
    return _sample_sheet(
        codec, validation_data, clips, fps, lambda model, batch, rng: rollout_clip(model, batch, rng)
    )


def of_teachers(
    codec: Codec,
    validation_data: Data,
    guidance: Guidance,
    steps: int = 24,
    clips: int = 2,
    fps: float = 16.0,
) -> Samples:
    """By the guided ODE of the bidirectional teacher.

    Args:
        codec: decodes the latents.
        validation_data: clips with their tracks.
        guidance: weights of text and motion.
        steps: of the ODE.
        clips: how many are shown.
        fps: frames a second.
    """

    def make(model: MotionModel, batch: Batch, rng: torch.Generator) -> Tensor:
        return sample_clip(
            model, batch, rng, guidance, teacher_schedule(steps, model.config.rolling.shift, ())
        )[0]

    return _sample_sheet(codec, validation_data, clips, fps, make)


def _sample_sheet(
    codec: Codec,
    validation_data: Data,
    clips: int,
    fps: float,
    make: Callable[[MotionModel, Batch, torch.Generator], Tensor],
) -> Samples:
    @torch.no_grad()
    def samples(model: MotionModel) -> list[Sample]:
        batch = move_batch(validation_data.batch(np.random.default_rng(SEED), clips), model)
        if isinstance(codec, torch.nn.Module):
            codec.to(model.device)
        frames = (
            codec.decode(make(model, batch, torch.Generator().manual_seed(SEED)))
            .cpu()
            .permute(0, 1, 3, 4, 2)
            .clamp(0, 1)
        )
        height, width = frames.shape[2:4]
        batch = {key: value.cpu() for key, value in batch.items()}
        seen = batch["visible"].any(1)
        return [
            (clip, Tracks(xy[:, told], visible[:, told], width, height, fps))
            for clip, xy, visible, told in zip(frames, batch["xy"], batch["visible"], seen)
        ]

    return samples
