"""The one rollout: chunk by chunk on its own outputs, for the sampler node, the command line, training and
the tests.

Owns the order of things in time: start image, then per chunk few-step denoising with fresh noise between the
steps and a clean-context pass into the cache, owed until the next chunk needs it; the recache when the text
changes or the scene does; going back to where it has been. Knows nothing of pixels, tracks or prompts: it is
handed latents, a motion function and a text.
Latents (B, C, T, H, W) float32; T counts latent frames.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import torch
from torch import Tensor

from ..model.attention import Backend
from ..model.cache import CacheSnapshot, GradKVCache, KVCache
from ..model.dit import TextContext, WanDiT
from .cached_latents import CachedLatents
from .flow import add_noise, model_timesteps, to_timestep, to_x0
from .guided import LatentGuide, LatentGuideSource, denoise_guided
from .unipc import UniPC

Motion = Callable[[int, int], Tensor]
Text = TextContext | Callable[[int], TextContext]
OnStep = Callable[[int, int], None]


@dataclass(frozen=True)
class LatentChunk:
    """Latent frames start .. start + T - 1."""

    index: int
    start: int
    latents: Tensor
    clocks: tuple[_Clock, ...]

    @property
    def timings(self) -> dict[str, float]:
        """Seconds spent since the chunk before, by motion_s, denoise_s and cache_s: the clean-context pass of
        the chunk before, which this one stands on. On an accelerator, waits for the chunk.
        """
        laps = {"motion_s": 0.0, "denoise_s": 0.0, "cache_s": 0.0}
        for clock in self.clocks:
            laps |= clock.laps()
        return laps


@dataclass(frozen=True)
class _Run:
    """What stays the same from chunk to chunk."""

    model: WanDiT
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
    guide: LatentGuideSource | None


def rollout(
    model: WanDiT,
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
    guide: LatentGuideSource | None = None,
) -> Rollout:
    """An iterator: the start image's latent as chunk 0, then `chunks` denoised chunks (None: endless).

    first_latent (B, C, 1, H, W), or None for a model without a start image: then the first denoised chunk is
    chunk 0. motion(start, count) -> (B or 1, C_m, count, H, W), asked once at each chunk's border, so it may
    change live; None for a model without motion. text: one context, or text(chunk index) -> context, asked at
    the same moment; when it is another one than before, what the cache keeps is made again with it. shape:
    latent (H, W). cache: emptied first, then the rollout's until the iterator is dropped.
    Without gradients, a chunk's clean-context pass is made when the next chunk is asked for, or at `settle`:
    what shows the chunk need not wait for it, and after the last chunk there is none. guide(start, count) ->
    Guide, asked once a denoised chunk: its latents lead that chunk along tracks (see guided.py); not for
    training. on_step(chunk index, step) runs after every denoising step and may raise to stop. Same arguments
    and state of `rng`, same latents.

    Training: `grad` lets gradients flow (with a GradKVCache). `exit_step` ends every chunk at that step and
    lets gradients through that step alone, the clean-context passes included in what is cut off (Self
    Forcing's truncation).
    """
    batch = first_latent.shape[0] if first_latent is not None else _text_batch(text)
    expected = (batch, model.config.latent_channels, 1, *shape)
    if first_latent is not None and first_latent.shape != expected:
        raise ValueError(f"first latent: expected {expected}, got {tuple(first_latent.shape)}")
    if cache.rope.grid != model.config.token_grid(*shape):
        raise ValueError(
            f"cache: expected one for a token grid of {model.config.token_grid(*shape)}, got "
            f"{cache.rope.grid}"
        )
    if (motion is None) != (model.config.motion is None):
        raise ValueError(
            f"motion: expected {'none' if motion else 'a function'} for this model, got "
            f"{'a function' if motion else 'none'}"
        )
    if not sigmas:
        raise ValueError("sigmas: expected at least one noise level, got none")
    if guide is not None and grad:
        raise ValueError("guide: expected none in training, got one")
    run = _Run(
        model,
        cache,
        motion,
        text,
        (batch, *shape),
        tuple(sigmas),
        rng,
        on_step,
        grad,
        exit_step,
        attention,
        guide,
    )
    return Rollout(run, first_latent, chunks)


@dataclass(frozen=True)
class RolloutSnapshot:
    """A rollout between two chunks."""

    index: int
    start: int
    done: int
    cache: CacheSnapshot
    kept: CachedLatents
    text: TextContext | None
    rng: Tensor

    @property
    def nbytes(self) -> int:
        return self.cache.nbytes


class Rollout:
    """The iterator that `rollout` gives. Between two chunks a scene may change, and it may be taken back to a
    snapshot.
    """

    def __init__(self, run: _Run, first_latent: Tensor | None, chunks: int | None):
        self._run, self._first, self._chunks = run, first_latent, chunks
        self._index = self._start = self._done = 0
        shape, recache = run.cache.shape, run.model.config.rolling.recache
        self._manner = "chunks" if run.grad else recache
        self._kept = CachedLatents(shape, shape.window + (shape.chunk if self._manner == "window" else 0))
        self._text: TextContext | None = None
        self._owed: tuple[Tensor, Tensor | None, TextContext] | None = (
            None  # the newest chunk, while the cache has yet to see it
        )
        self._settled: tuple[_Clock, ...] = ()
        run.cache.reset()

    def __iter__(self) -> Rollout:  # noqa: PYI034  Self is of Python 3.11
        return self

    @property
    def ended(self) -> bool:
        """Whether the wanted chunks have been made."""
        return self._chunks is not None and self._done >= self._chunks

    def __next__(self) -> LatentChunk:
        if self.ended and (self._first is None or self._index):
            raise StopIteration
        self.settle()
        if self._first is not None and self._index == 0:
            chunk = self._prefill()
        else:
            chunk = self._generate()
            self._done += 1
        self._index, self._start = self._index + 1, self._start + chunk.latents.shape[2]
        return chunk

    def change_scene(self, as_start: Callable[[Tensor, Tensor], Tensor] | None = None) -> bool:
        """A scene change: the newest latent frames become the sink, and what is kept is made again on it.

        as_start(motion, latents) -> the motion of latents that are now the beginning. False without a sink,
        or with too few frames so far.
        """
        self.settle()
        with torch.no_grad():
            refreshed = self._text is not None and self._kept.refresh(as_start)
            if refreshed:
                self._recache(sink=True)
        return refreshed

    def snapshot(self) -> RolloutSnapshot:
        """Where the rollout is, to come back to; of an inference rollout (KVCache) only."""
        self.settle()
        kept = self._kept.copy()
        return RolloutSnapshot(
            self._index,
            self._start,
            self._done,
            self._run.cache.snapshot(),
            kept,
            self._text,
            self._run.rng.get_state(),
        )

    def restore(self, snapshot: RolloutSnapshot):
        self._index, self._start, self._done = snapshot.index, snapshot.start, snapshot.done
        self._kept, self._text, self._owed, self._settled = snapshot.kept.copy(), snapshot.text, None, ()
        self._run.cache.restore(snapshot.cache)
        self._run.rng.set_state(snapshot.rng)

    def _prefill(self) -> LatentChunk:
        """The start image into the cache: known, so only the clean-context pass."""
        run, latents = self._run, self._first.float().to(self._run.model.device)
        clock = _Clock(run.model.device)
        motion, text = self._conditions(1)
        clock.lap("motion_s")
        return self._made(latents, motion, text, clock)

    def _generate(self) -> LatentChunk:
        run, frames = self._run, self._run.cache.shape.chunk
        clock = _Clock(run.model.device)
        motion, text = self._conditions(frames)
        clock.lap("motion_s")
        if run.guide is None:
            latents = _denoise(run, self._levels(), self._index, frames, motion, text)
        else:
            latents = _denoise_led(
                run, self._levels(), self._index, run.guide(self._start, frames), motion, text
            )
        clock.lap("denoise_s")
        return self._made(latents, motion, text, clock)

    def _levels(self) -> tuple[float, ...]:
        """The noise levels of the next chunk: the first one may take more steps than the others."""
        first = self._run.model.config.rolling.first_chunk_sigmas or ()
        return (
            first
            if not self._done and self._run.exit_step is None and len(first) > len(self._run.sigmas)
            else self._run.sigmas
        )

    def _made(self, latents: Tensor, motion: Tensor | None, text: TextContext, clock: _Clock) -> LatentChunk:
        """The chunk, its clean-context pass owed; with gradients it is made at once, as part of the chunk."""
        self._owed = latents, motion, text
        self._kept.add(latents.detach(), None if motion is None else motion.detach())
        if self._run.grad:
            self.settle()
        clocks, self._settled = (clock, *self._settled), ()
        return LatentChunk(self._index, self._start, latents, clocks)

    def settle(self):
        """The clean-context pass of the newest chunk, if it is still owed: what the next chunk stands on."""
        if self._owed is None:
            return
        clock = _Clock(self._run.model.device)
        if self._manner == "always":
            self._recache()
        else:
            _remember(self._run, *self._owed)
        clock.lap("cache_s")
        self._owed, self._settled = None, (clock,)

    def _conditions(self, count: int) -> tuple[Tensor | None, TextContext]:
        """Motion and text as they are now, at the chunk's border. Another text than before: recache."""
        run = self._run
        text = run.text(self._index) if callable(run.text) else run.text
        changed, self._text = self._text is not None and text is not self._text and not run.grad, text
        if changed:
            self._recache()
        return (None if run.motion is None else _motion(run, self._start, count)), text

    def _recache(self, sink: bool = False):
        """What is kept, committed anew: in the order in which it came, or in one piece (see Manner). sink:
        the sink is another one than before.
        """
        cache, shape = self._run.cache, self._run.cache.shape
        total = self._start
        if self._manner == "window" and not sink and total > shape.frames:
            cache.forget_window()
            pieces = self._kept.pieces(shape.frames, sink=False)
        else:
            cache.reset()
            pieces = (
                self._kept.pieces(shape.chunk) if self._manner == "chunks" or sink else [self._kept.whole()]
            )
        cache.at_once = self._manner != "chunks"
        for latents, motion in pieces:
            _remember(self._run, latents, motion, self._text)
        cache.at_once, cache.total = False, total


def _denoise(
    run: _Run, sigmas: tuple[float, ...], index: int, frames: int, motion: Tensor | None, text: TextContext
) -> Tensor:
    """Few-step denoising: predict the clean latent, go on to the next noise level, repeat; the last
    prediction is the chunk.
    """
    last = len(sigmas) - 1 if run.exit_step is None else run.exit_step
    timesteps = model_timesteps(run.model.config.rolling, sigmas)
    solver = UniPC(sigmas) if run.model.config.rolling.solver == "unipc" else None
    x = x0 = _noise(run, frames)
    for step in range(last + 1):
        if step > 0:
            x = add_noise(x0, _noise(run, frames), sigmas[step]) if solver is None else solver.step(x, x0)
        with torch.set_grad_enabled(run.grad and (run.exit_step is None or step == last)):
            x0 = predict_x0(
                run.model,
                x,
                sigmas[step],
                motion,
                text,
                run.cache,
                attention=run.attention,
                timestep=timesteps[step],
            )
        if run.on_step is not None:
            run.on_step(index, step)
    return x0


def _denoise_led(
    run: _Run,
    sigmas: tuple[float, ...],
    index: int,
    guide: LatentGuide,
    motion: Tensor | None,
    text: TextContext,
) -> Tensor:
    """The same along a guide, with fresh noise at every level."""
    on_step = run.on_step
    after = None if on_step is None else lambda step: on_step(index, step)

    def predict(x: Tensor, sigma: Tensor) -> Tensor:
        with torch.no_grad():
            return predict_x0(run.model, x, sigma, motion, text, run.cache, attention=run.attention)

    return denoise_guided(predict, lambda: _noise(run, guide.latents.shape[2]), sigmas, guide, after)


def predict_x0(
    model,
    x: Tensor,
    sigma: float | Tensor,
    motion: Tensor | None,
    text: TextContext,
    cache,
    *,
    attention: Backend = "sdpa",
    timestep: float | None = None,
) -> Tensor:
    """One denoising step: noisy latents (B, C, T, H, W) and their motion (B, C_m, T, H, W) -> the clean
    latents predicted.

    timestep: what the network is told, 1000 sigma by default.
    """
    config = model.config
    time = to_timestep(sigma if timestep is None else timestep / 1000, x.shape[0], x.shape[2], x.device)
    out = model(_with_motion(x, motion), time, text, cache, attention=attention)
    warp = motion[:, config.motion.parts["warp"]] if config.prediction == "gated_x0" else None
    return to_x0(out, x, sigma, config.prediction, warp)


def _remember(run: _Run, latents: Tensor, motion: Tensor | None, text: TextContext):
    """The clean-context pass: timestep 0, keys and values into the cache, the output not needed."""
    timestep = to_timestep(0.0, latents.shape[0], latents.shape[2], latents.device)
    with torch.set_grad_enabled(run.grad and run.exit_step is None):
        run.model(
            _with_motion(latents, motion),
            timestep,
            text,
            run.cache,
            commit=True,
            attention=run.attention,
            output=run.grad,
        )


def _motion(run: _Run, start: int, count: int) -> Tensor:
    """The motion as it is now, checked."""
    assert run.motion is not None
    batch, height, width = run.size
    with torch.set_grad_enabled(run.grad):
        motion = run.motion(start, count).float().to(run.model.device)
    expected = (batch, run.model.config.motion.channels, count, height, width)
    if motion.shape[1:] != expected[1:] or motion.shape[0] not in (1, batch):
        raise ValueError(
            f"motion of latent frames {start} to {start + count - 1}: expected {expected}, got "
            f"{tuple(motion.shape)}"
        )
    return motion.expand(expected)


def _with_motion(latents: Tensor, motion: Tensor | None) -> Tensor:
    return latents if motion is None else torch.cat([latents, motion], dim=1)


def _noise(run: _Run, frames: int) -> Tensor:
    """Drawn in float32 on the generator's own device, so that a seed means the same video everywhere."""
    batch, height, width = run.size
    size = (batch, run.model.config.latent_channels, frames, height, width)
    staged = (
        run.rng.device.type == "cpu" and run.model.device.type == "cuda"
    )  # page-locked, so that nobody waits for the copy
    return torch.randn(size, generator=run.rng, device=run.rng.device, pin_memory=staged).to(
        run.model.device, non_blocking=staged
    )


def _text_batch(text: Text) -> int:
    return (text(0) if callable(text) else text).values[0].shape[0]


class _Clock:
    """Laps in seconds. On an accelerator they are marks in its own queue, which nobody waits for before the
    laps are asked for.
    """

    def __init__(self, device: torch.device):
        self.device = device
        self.marks: list[tuple[str, Any]] = []
        self.lap("")

    def lap(self, name: str):
        if self.device.type == "cuda":
            mark = torch.cuda.Event(enable_timing=True)
            mark.record(torch.cuda.current_stream(self.device))
        else:
            mark = perf_counter()
        self.marks.append((name, mark))

    def laps(self) -> dict[str, float]:
        if self.device.type != "cuda":
            return {name: mark - before for (_, before), (name, mark) in zip(self.marks, self.marks[1:])}
        self.marks[-1][1].synchronize()
        return {
            name: before.elapsed_time(mark) / 1000
            for (_, before), (name, mark) in zip(self.marks, self.marks[1:])
        }
