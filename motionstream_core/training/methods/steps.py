"""What the training methods share: random draws, the student's own clip, its error, the length of a clip.

Owns no loss and no recipe.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ...codec.tiny import TinyCodec
from ...model.cache import CacheShape
from ...sampling.flow import schedule_of
from ...sampling.rollout import rollout
from ..engine.stage import Batch, Data
from .clips import attention_of
from .losses import per_sample
from .refresh import MotionTimeline
from .roles import MotionModel, move_batch


def rand(size: int, rng: torch.Generator) -> Tensor:
    """(B,) uniform in 0..1."""
    return torch.rand(size, generator=rng, device=rng.device)


def randn_like(x: Tensor, rng: torch.Generator) -> Tensor:
    """Normal noise of x's shape, drawn where the generator is and moved to x's device."""
    return torch.randn(x.shape, generator=rng, device=rng.device).to(x.device)


def cell_weights(batch: Batch, things: float) -> Tensor | None:
    """Weights (B, 1, t, h, w) of latent cells: `things` in the tokens that a batch says things touch, else 1.

    None where all weigh alike, or the batch has no field "things" (B, t, rows, columns).
    """
    if things == 1 or "things" not in batch:
        return None
    mask = batch["things"][:, None].float()
    across = batch["latents"].shape[-1] // mask.shape[-1]
    return 1 + (things - 1) * mask.repeat_interleave(across, -1).repeat_interleave(across, -2)


def check_whole_chunks(latent_frames: int, chunk: int) -> None:
    """ValueError unless a clip is its start image and whole chunks behind it.

    The start image is a chunk of one latent frame here. The paper's 81 frames (21 latent frames, 7 chunks of
    3 with the start image in the first) have 85 in their place.
    """
    if latent_frames > 1 and (latent_frames - 1) % chunk == 0:
        return
    whole = max(1, (latent_frames - 1) // chunk)
    usable = [1 + chunk * count for count in (whole, whole + 1)]
    raise ValueError(
        f"clips: expected 1 + a multiple of {chunk} latent frames, such as {usable[0]} or {usable[1]} "
        f"({4 * usable[0] - 3} or {4 * usable[1] - 3} frames), got {latent_frames} "
        f"({4 * latent_frames - 3} frames)"
    )


def rollout_clip(
    model: MotionModel,
    batch: Batch,
    rng: torch.Generator,
    *,
    grad: bool = False,
    exit_step: int | None = None,
    rolling: bool = True,
    on_step: Callable[..., None] | None = None,
    refresh_after: tuple[int, ...] = (),
    codec: TinyCodec | None = None,
) -> Tensor:
    """The student's own clip by the one rollout -> latents (B, C, t, h, w), start image included.

    Args:
        model: the student.
        batch: gives the start image, the tracks and the text.
        rng: draws the track ids and the noise.
        grad: gradients reach the student through `exit_step`.
        exit_step: the denoising step that every chunk ends at, the last by default.
        rolling: False keeps the whole clip in the cache: the ablation of training without the window.
        on_step: see `rollout`.
        refresh_after: the chunks (1, 2, …) behind which the sink is refreshed, where it can be filled.
        codec: as in `SinkRefresh`.
    """
    latents = batch["latents"]
    chunk = model.config.rolling.cache_shape.chunk
    check_whole_chunks(latents.shape[2], chunk)
    chunks = (latents.shape[2] - 1) // chunk
    shape = (
        model.config.rolling.cache_shape
        if rolling
        else CacheShape(chunk, model.config.rolling.cache_shape.sink, chunks * chunk)
    )
    cache = model.dit.make_grad_cache(*latents.shape[-2:], shape=shape, detached=True)
    scenes = MotionTimeline(model, batch, model.motion(batch, rng), codec)
    made = rollout(
        model.dit,
        first_latent=latents[:, :, :1],
        motion=scenes,
        text=model.text(batch),
        shape=(latents.shape[-2], latents.shape[-1]),
        sigmas=schedule_of(model.config),
        cache=cache,
        rng=rng,
        chunks=chunks,
        grad=grad,
        exit_step=exit_step,
        on_step=on_step,
        attention=attention_of(model.config),
    )
    clip: list[Tensor] = []
    for piece in made:
        clip.append(piece.latents)
        if piece.index in refresh_after and made.change_scene(scenes.as_first_frame):
            scenes.set_reference(piece.start + piece.latents.shape[2], torch.cat(clip, dim=2).detach())
    return torch.cat(clip, dim=2)


@torch.no_grad()
def rollout_errors(model: MotionModel, data: Data, rng: torch.Generator, clips: int = 16) -> dict[str, float]:
    """Error of the student's own clips against the held-out truth, also as a share of the error of copying
    the start image and of the warp's.
    """
    batch = move_batch(data.batch(np.random.default_rng(1), clips), model)
    truth = batch["latents"][:, :, 1:]
    error = float(per_sample((rollout_clip(model, batch, rng)[:, :, 1:] - truth).square()).mean())
    rows = {
        "rollout_mse": error,
        "ratio_copy": error / float((batch["latents"][:, :, :1] - truth).square().mean()),
    }
    if "warp" in batch:
        rows["ratio_warp"] = error / float((batch["warp"][:, :, 1:] - truth).square().mean())
    return rows
