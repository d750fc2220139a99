"""A sampler by its settings.

Owns the one place that knows all samplers: a new one is a config, a file and a case here.
"""

from __future__ import annotations

from torch import Tensor

from ..model.config import BufferConfig, RollingConfig, SamplerConfig
from ..model.denoiser import StreamDenoiser
from ..model.dit import TextContext
from .buffer import Entries
from .buffer_sampler import BufferSampler
from .rolling import RollingSampler
from .sampler import LatentSampler, MotionCondition, SamplerRun, TextSource


def open_sampler(
    config: SamplerConfig,
    net: StreamDenoiser,
    *,
    motion: MotionCondition | None,
    text: TextSource,
    null_text: TextContext | None = None,
    first: Tensor | None,
    entries: Entries | None = None,
    reference: Tensor | None = None,
    run: SamplerRun,
    first_alone: bool = False,
) -> LatentSampler:
    """The sampler of these settings, with the memory that it keeps for the whole stream.

    Args:
        config: which sampler, and its settings.
        net: the network.
        motion: the motion of the frames.
        text: the text of a chunk.
        null_text: of a sampler with guidance, the text that it leads away from.
        first: the start image's latent (B, C, 1, H, W), for a sampler that begins with one.
        entries: of a moving buffer, what enters in the place of noise (video to video).
        reference: of a moving buffer with reference frames, their latents (B, C, K, H, W).
        run: size, noise and length.
        first_alone: see RollingSampler.
    """
    batch, height, width = run.size
    match config:
        case RollingConfig():
            cache = net.make_cache(height, width, batch=batch, shape=config.cache_shape)
            return RollingSampler(
                config,
                net,
                cache=cache,
                motion=motion,
                text=text,
                first=first,
                run=run,
                first_alone=first_alone,
            )
        case BufferConfig():
            if config.reference_frames and reference is None:
                raise ValueError(
                    f"reference_frames: expected 0 in a stream without a start image, got "
                    f"{config.reference_frames}"
                )
            return BufferSampler(
                config,
                net,
                motion=motion,
                text=text,
                null_text=null_text,
                run=run,
                entries=entries,
                reference=reference,
            )
