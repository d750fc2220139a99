"""A model in training that is led by words alone, and what a moving buffer's methods ask of any model.

Owns the text-to-video model (no track head) and the velocity of a whole buffer under levels by frame. Knows
nothing of losses.
Shapes: latents (B, C, T, h, w). levels (B, T). tokens (B, L) or text (B, L, text_dim).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ...model.config import BufferConfig
from ...model.context import AttentionContext, bidirectional_context
from ...model.dit import TextContext, WanDiT
from ...model.presets import ModelConfig
from ...model.skip import velocity_of
from ...model.text import Vocabulary, WordEncoder
from ..cartoon.vocabulary import CARTOON
from ..engine.stage import Batch
from .roles import MotionModel, has_own_words


class TextVideoModel(nn.Module):
    """dit and, for the presets with a vocabulary of their own, words."""

    def __init__(self, config: ModelConfig, own_words: bool = True, vocabulary: Vocabulary | None = None):
        super().__init__()
        if config.motion is not None:
            raise ValueError("text-to-video model: expected a config without motion, got one with some")
        self.config = config
        self.dit = WanDiT(config)
        self.words = None
        if own_words:
            length = config.text_len
            known = () if vocabulary is None else (vocabulary,)
            self.words = WordEncoder(config.text_dim, length, *known)

    def forward(
        self, x: Tensor, timestep: Tensor, text: TextContext, context: AttentionContext | None = None
    ) -> Tensor:
        """The transformer's forward (see WanDiT.forward)."""
        return self.dit(x, timestep, text, context)

    @property
    def device(self) -> torch.device:
        return self.dit.device

    text = MotionModel.text


VideoModel = TextVideoModel | MotionModel


def open_video_model(config: ModelConfig, name: str) -> VideoModel:
    """A model with fresh weights for the preset of this name, with motion or without."""
    if config.motion is not None:
        return MotionModel(config, own_words=has_own_words(name))
    vocabulary = CARTOON if name.startswith("cartoon") else None
    return TextVideoModel(config, has_own_words(name), vocabulary)


def with_motion(
    model: VideoModel, batch: Batch, rng: torch.Generator, name: str = "motion"
) -> dict[str, Tensor]:
    """The batch with its whole clips' motion channels under a name. As it is for a model without motion."""
    if not isinstance(model, MotionModel):
        return dict(batch)
    return {**batch, name: model.motion(batch, rng)}


def velocity_at(
    model: VideoModel, x: Tensor, levels: Tensor, motion: Tensor | None, text: TextContext
) -> Tensor:
    """The velocity noise - x0 that the model predicts of a buffer, all frames in one forward.

    Args:
        model: a buffer's network.
        x: (B, C, T, h, w) noisy latents.
        levels: (B, T).
        motion: (B, C_m, T, h, w), None for a model without.
        text: of the batch.
    """
    joined = x if motion is None else torch.cat([x, motion], 1)
    output = model(joined, 1000 * levels, text, bidirectional_context(model.config))
    if model.config.prediction == "velocity_skip":
        return velocity_of(output.float(), x, levels)
    return output.float()


def check_buffer(config: ModelConfig, what: str) -> None:
    """ValueError unless the config is of a moving buffer and predicts a velocity."""
    if not isinstance(config.sampler, BufferConfig):
        raise ValueError(f"preset: expected one of a moving buffer for {what}, got one with a rolling cache")
    if config.prediction not in ("velocity", "velocity_skip"):
        raise ValueError(f"preset: expected one that predicts a velocity, got {config.prediction!r}")
