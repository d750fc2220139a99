"""A whole clip at once by a bidirectional network under joint guidance, as FastVideo's TrackWan teacher makes
one.

Owns its noise levels and the three evaluations of a step. Nothing is cached, so time and memory grow with
the clip. Knows nothing of pixels, tracks or prompts.
Shapes: latents (B, C, T, H, W), their motion (B, C_m, T, H, W).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..model.attention import Backend
from ..model.context import bidirectional_context
from ..model.denoiser import Denoiser
from ..model.dit import TextContext
from .flow import shift_sigma
from .joint_guidance import Guidance, combine_guidance
from .step import euler_step, predict_x0

LEAST = 0.001  # of a thousand training levels, before the shift


@dataclass(frozen=True)
class ClipConditions:
    """What a clip is made from, and what stands for none of it.

    Args:
        motion: the motion channels of all latent frames.
        no_motion: the same without a word of any track.
        text: of the prompt.
        no_text: of no prompt.
    """

    motion: Tensor
    no_motion: Tensor
    text: TextContext
    no_text: TextContext


def clip_levels(steps: int, shift: float) -> tuple[float, ...]:
    """`steps` noise levels from 1 down, then 0. The range is shifted, and each level in it once more, as the
    public scheduler of these weights does.
    """
    if steps < 2 or shift <= 0:
        raise ValueError(f"steps: expected at least 2 and a shift above 0, got {steps} and {shift}")
    last = shift_sigma(LEAST, shift)
    return (*(shift_sigma(1 - (1 - last) * k / (steps - 1), shift) for k in range(steps)), 0.0)


@torch.no_grad()
def sample_whole_clip(
    net: Denoiser,
    noise: Tensor,
    conditions: ClipConditions,
    guidance: Guidance,
    levels: tuple[float, ...],
    *,
    backend: Backend = "sdpa",
    on_step: Callable[[int], None] | None = None,
) -> Tensor:
    """The clip that Euler steps down `levels` make of noise. Every latent frame is denoised, the first too.

    Args:
        net: a bidirectional network.
        noise: (B, C, T, H, W).
        conditions: motion and text, and their null forms.
        guidance: weights of text and motion.
        levels: noise levels, 0 behind them.
        backend: attention.
        on_step: called with the number of a step behind it. May raise to stop.
    """
    given = conditions
    asked = [(given.motion, given.text)]
    if guidance.active:
        asked += [(given.motion, given.no_text), (given.no_motion, given.text)]
    x = noise
    for step, (sigma, to) in enumerate(zip(levels, levels[1:])):
        # One evaluation after another: three at once would need three times the memory.
        made = [
            predict_x0(net, x, sigma, motion, text, bidirectional_context(net.config, backend))
            for motion, text in asked
        ]
        x0 = combine_guidance(made[0], made[1], made[2], guidance) if guidance.active else made[0]
        x = euler_step(x, x0, sigma, to)
        if on_step is not None:
            on_step(step)
    return x
