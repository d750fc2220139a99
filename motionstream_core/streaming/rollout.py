"""The one rollout: chunk by chunk on its own outputs, for the sampler node, the command line, training and the tests.

Owns the order of things in time: start image, then per chunk few-step denoising with fresh noise between the steps and a
clean-context pass into the cache. Knows nothing of pixels, tracks or prompts: it is handed latents, a motion function and a text.
Latents (B, C, T, H, W) float32; T counts latent frames.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import perf_counter

import torch
from torch import Tensor

from ..model.attention import Backend
from ..model.cache import GradKVCache, KVCache
from ..model.dit import CausalDiT, TextContext
from .flow import add_noise, to_timestep, to_x0

Motion = Callable[[int, int], Tensor]
Text = TextContext | Callable[[int], TextContext]
OnStep = Callable[[int, int], None]


@dataclass(frozen=True)
class LatentChunk:
    """Latent frames start .. start + T - 1, and the seconds spent on them: motion_s, denoise_s, cache_s."""

    index: int
    start: int
    latents: Tensor
    timings: dict[str, float]


@dataclass(frozen=True)
class _Run:
    """What stays the same from chunk to chunk."""

    model: CausalDiT
    cache: KVCache | GradKVCache
    motion: Motion | None
    text: Text
    size: tuple[int, int, int]  # batch, height, width
    sigmas: tuple[float, ...]
    rng: torch.Generator
    on_step: OnStep | None
    grad: bool
    exit_step: int | None
    attention: Backend


def rollout(
    model: CausalDiT,
    *,
    first_latent: Tensor | None,
    motion: Motion | None,
    text: Text,
    shape: tuple[int, int],
    sigmas: tuple[float, ...],
    cache: KVCache | GradKVCache,
    rng: torch.Generator,
    chunks: int | None = None,
    on_step: OnStep | None = None,
    grad: bool = False,
    exit_step: int | None = None,
    attention: Backend = "sdpa",
) -> Iterator[LatentChunk]:
    """Yields the start image's latent as chunk 0, then `chunks` denoised chunks (None: endless).

    first_latent (B, C, 1, H, W), or None for a model without a start image: then the first denoised chunk is chunk 0.
    motion(start, count) -> (B or 1, C_m, count, H, W), asked once at each chunk's border, so it may change live; None for a model
    without motion. text: one context, or text(chunk index) -> context, asked at the same moment. shape: latent (H, W).
    cache: emptied first, then the rollout's until the iterator is dropped. on_step(chunk index, step) runs after every denoising
    step and may raise to stop. Same arguments and state of `rng`, same latents.

    Training: `grad` lets gradients flow (with a GradKVCache). `exit_step` ends every chunk at that step and lets gradients through
    that step alone, the clean-context passes included in what is cut off (Self Forcing's truncation).
    """
    batch = first_latent.shape[0] if first_latent is not None else _text_batch(text)
    expected = (batch, model.config.latent_channels, 1, *shape)
    if first_latent is not None and first_latent.shape != expected:
        raise ValueError(f"first latent: expected {expected}, got {tuple(first_latent.shape)}")
    if cache.rope.grid != model.config.token_grid(*shape):
        raise ValueError(f"cache: expected one for a token grid of {model.config.token_grid(*shape)}, got {cache.rope.grid}")
    if (motion is None) != (model.config.motion is None):
        raise ValueError(f"motion: expected {'none' if motion else 'a function'} for this model, got {'a function' if motion else 'none'}")
    if not sigmas:
        raise ValueError("sigmas: expected at least one noise level, got none")
    run = _Run(model, cache, motion, text, (batch, *shape), tuple(sigmas), rng, on_step, grad, exit_step, attention)
    return _chunks(run, first_latent, chunks)


def _chunks(run: _Run, first_latent: Tensor | None, chunks: int | None) -> Iterator[LatentChunk]:
    run.cache.reset()
    index = start = done = 0
    if first_latent is not None:
        yield _prefill(run, first_latent)
        index, start = 1, 1
    while chunks is None or done < chunks:
        chunk = _generate(run, index, start)
        yield chunk
        index, start, done = index + 1, start + chunk.latents.shape[2], done + 1


def _prefill(run: _Run, first_latent: Tensor) -> LatentChunk:
    """The start image into the cache: known, so only the clean-context pass."""
    latents = first_latent.float().to(run.model.device)
    clock = _Clock(run.model.device)
    motion, text = _conditions(run, 0, 0, 1)
    clock.lap("motion_s")
    clock.lap("denoise_s")
    _remember(run, latents, motion, text)
    clock.lap("cache_s")
    return LatentChunk(0, 0, latents, clock.laps)


def _generate(run: _Run, index: int, start: int) -> LatentChunk:
    frames = run.cache.shape.chunk
    clock = _Clock(run.model.device)
    motion, text = _conditions(run, index, start, frames)
    clock.lap("motion_s")
    latents = _denoise(run, index, frames, motion, text)
    clock.lap("denoise_s")
    _remember(run, latents, motion, text)
    clock.lap("cache_s")
    return LatentChunk(index, start, latents, clock.laps)


def _denoise(run: _Run, index: int, frames: int, motion: Tensor | None, text: TextContext) -> Tensor:
    """Few-step denoising: predict the clean latent, noise it afresh to the next level, repeat; the last prediction is the chunk."""
    last = len(run.sigmas) - 1 if run.exit_step is None else run.exit_step
    x = x0 = _noise(run, frames)
    for step in range(last + 1):
        if step > 0:
            x = add_noise(x0, _noise(run, frames), run.sigmas[step])
        with torch.set_grad_enabled(run.grad and (run.exit_step is None or step == last)):
            x0 = predict_x0(run.model, x, run.sigmas[step], motion, text, run.cache, attention=run.attention)
        if run.on_step is not None:
            run.on_step(index, step)
    return x0


def predict_x0(model, x: Tensor, sigma: float, motion: Tensor | None, text: TextContext, cache, *, attention: Backend = "sdpa") -> Tensor:
    """One denoising step: noisy latents (B, C, T, H, W) and their motion (B, C_m, T, H, W) -> the clean latents predicted."""
    config = model.config
    timestep = to_timestep(sigma, x.shape[0], x.shape[2], x.device)
    out = model(_with_motion(x, motion), timestep, text, cache, attention=attention)
    warp = motion[:, config.motion.parts["warp"]] if config.prediction == "gated_x0" else None
    return to_x0(out, x, sigma, config.prediction, warp)


def _remember(run: _Run, latents: Tensor, motion: Tensor | None, text: TextContext):
    """The clean-context pass: timestep 0, keys and values into the cache, the output not needed."""
    timestep = to_timestep(0.0, latents.shape[0], latents.shape[2], latents.device)
    with torch.set_grad_enabled(run.grad and run.exit_step is None):
        run.model(_with_motion(latents, motion), timestep, text, run.cache, commit=True, attention=run.attention)


def _conditions(run: _Run, index: int, start: int, count: int) -> tuple[Tensor | None, TextContext]:
    """Motion and text as they are now, at the chunk's border."""
    text = run.text(index) if callable(run.text) else run.text
    if run.motion is None:
        return None, text
    batch, height, width = run.size
    with torch.set_grad_enabled(run.grad):
        motion = run.motion(start, count).float().to(run.model.device)
    expected = (batch, run.model.config.motion.channels, count, height, width)
    if motion.shape[1:] != expected[1:] or motion.shape[0] not in (1, batch):
        raise ValueError(f"motion of latent frames {start} to {start + count - 1}: expected {expected}, got {tuple(motion.shape)}")
    return motion.expand(expected), text


def _with_motion(latents: Tensor, motion: Tensor | None) -> Tensor:
    return latents if motion is None else torch.cat([latents, motion], dim=1)


def _noise(run: _Run, frames: int) -> Tensor:
    """Drawn in float32 on the generator's own device, so that a seed means the same video everywhere."""
    batch, height, width = run.size
    size = (batch, run.model.config.latent_channels, frames, height, width)
    return torch.randn(size, generator=run.rng, device=run.rng.device).to(run.model.device)


def _text_batch(text: Text) -> int:
    return (text(0) if callable(text) else text).values[0].shape[0]


class _Clock:
    """Laps in seconds of finished work: an accelerator is waited for at the lap, never inside a step."""

    def __init__(self, device: torch.device):
        self.device = device
        self.laps: dict[str, float] = {}
        self.last = self._now()

    def _now(self) -> float:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return perf_counter()

    def lap(self, name: str):
        now = self._now()
        self.laps[name] = now - self.last
        self.last = now
