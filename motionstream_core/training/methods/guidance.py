"""The three evaluations of a step under joint guidance, in one batch.

Everything here speaks of x0. The weights and their arithmetic are `sampling/joint_guidance.py`'s.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ...model.dit import TextContext
from ...sampling.joint_guidance import NO_GUIDANCE, Guidance, combine_guidance
from .clips import predict_clip
from .roles import MotionModel, stack_texts

__all__ = ["NO_GUIDANCE", "Guidance", "combine_guidance", "guided_clip"]


def guided_clip(
    model: MotionModel,
    first: Tensor,
    noisy: Tensor,
    sigma: Tensor,
    motion: tuple[Tensor, Tensor],
    text: tuple[TextContext, TextContext],
    guidance: Guidance,
) -> Tensor:
    """The clean latents a bidirectional model predicts under guidance: `predict_clip`, three evaluations in
    one batch.

    Args:
        model: a bidirectional model.
        first: (B, C, 1, h, w) latent of the start image.
        noisy: (B, C, t - 1, h, w) behind it.
        sigma: (B,).
        motion: the tracks', and none.
        text: the prompt's, and the empty one.
        guidance: weights of text and motion.
    """
    if not guidance.active:
        return predict_clip(model, first, noisy, sigma, motion[0], text[0])
    all_three = predict_clip(
        model,
        torch.cat([first] * 3),
        torch.cat([noisy] * 3),
        torch.cat([sigma] * 3),
        torch.cat([motion[0], motion[0], motion[1]]),
        stack_texts(text[0], text[1], text[0]),
    )
    both, no_text, no_motion = all_three.chunk(3)
    return combine_guidance(both, no_text, no_motion, guidance)
