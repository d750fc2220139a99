"""The rolling sampler: chunk by chunk on its own outputs, against a cache of sink and window (MotionStream,
Self Forcing).

Owns the order of things in time: the start image, then per chunk few-step denoising with fresh noise between
the steps, and a clean-context pass into the cache, left pending until the next chunk needs it. Owns the
recache when the text or the scene changes, and going back to a snapshot. Knows nothing of pixels, tracks or
prompts.

Latents (B, C, T, H, W) float32. T counts latent frames.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..model.cache import CacheSnapshot, GradKVCache, KVCache
from ..model.config import RollingConfig
from ..model.context import RollingContext, rolling_context
from ..model.denoiser import Denoiser
from ..model.dit import TextContext
from .cached_latents import CachedLatents
from .flow import add_noise, model_timesteps, rolling_sigmas
from .guided import LatentGuide, denoise_guided
from .sampler import LatentChunk, MotionCondition, SamplerRun, StageClock, TextSource, draw_noise, motion_of
from .step import predict_x0, write_context
from .unipc import UniPC


@dataclass(frozen=True)
class RollingSnapshot:
    """A rolling sampler between two chunks. Without `cache` its keys and values are made again from the
    latents and their motion.
    """

    index: int
    start: int
    done: int
    cache: CacheSnapshot | None
    cached: CachedLatents
    text: TextContext | None
    rng: Tensor

    @property
    def nbytes(self) -> int:
        return self.cached.nbytes if self.cache is None else self.cache.nbytes


@dataclass(frozen=True)
class _Pending:
    """The newest chunk, which the cache has yet to see."""

    latents: Tensor
    motion: Tensor | None
    text: TextContext


class RollingSampler:
    """A LatentSampler over a rolling cache.

    Without gradients, a chunk's clean-context pass is made when the next chunk is asked for, or at
    `finish_pending`: what shows the chunk need not wait for it, and after the last chunk there is none.

    Args:
        config: its settings. The counts of frames are the cache's.
        net: the network.
        cache: emptied first, then the sampler's.
        motion: the motion of the frames. None for a model without motion channels and without a guide.
        text: when it gives another context than before, the cached frames are written again with it.
        first: latent (B, C, 1, H, W) of the start image, chunk 0. None for a model without one.
        run: size, noise and length.
        sigmas: noise levels in the place of the config's.
        grad: lets gradients flow, on a GradKVCache.
        exit_step: ends every chunk at that step, which alone lets gradients through. The clean-context passes
            are cut off too (Self Forcing's truncation).
        first_alone: latent frame 0 is a chunk of its own also where no `first` gives it, and is denoised.
    """

    def __init__(
        self,
        config: RollingConfig,
        net: Denoiser,
        *,
        cache: KVCache | GradKVCache,
        motion: MotionCondition | None,
        text: TextSource,
        first: Tensor | None,
        run: SamplerRun,
        sigmas: tuple[float, ...] | None = None,
        grad: bool = False,
        exit_step: int | None = None,
        first_alone: bool = False,
    ):
        self.config = config
        self.cache = cache
        self._net = net
        self._motion = motion
        self._text_of = text
        self._first = first
        self._run = run
        self._sigmas = rolling_sigmas(config) if sigmas is None else sigmas
        self._grad = grad
        self._exit_step = exit_step
        self._first_alone = first_alone or first is not None
        self._index = 0
        self._start = 0
        self._done = 0
        # Training writes the context again chunk by chunk: in one piece, gradients would cross chunks.
        self._recache_as = "chunks" if grad else config.recache
        # A window that is written again in one piece is made of a chunk more than it keeps.
        more = cache.shape.chunk if self._recache_as == "window" else 0
        self._cached = CachedLatents(cache.shape, cache.shape.window + more)
        self._text: TextContext | None = None
        self._pending: _Pending | None = None
        self._pending_clocks: tuple[StageClock, ...] = ()
        cache.reset()

    @property
    def lookahead(self) -> int:
        return self.cache.shape.chunk

    @property
    def memory_bytes(self) -> int:
        return self._inference_cache.nbytes

    @property
    def ended(self) -> bool:
        """Whether the wanted chunks have been made."""
        return self._run.chunks is not None and self._done >= self._run.chunks

    # Self is of Python 3.11
    def __iter__(self) -> RollingSampler:
        return self

    def __next__(self) -> LatentChunk:
        if self.ended and (self._first is None or self._index):
            raise StopIteration
        # 1. The chunk before goes into the cache, if it is not there yet: this one stands on it.
        self.finish_pending()
        clock = StageClock(self._net.device)
        frames = range(self._start, self._start + self._next_count())
        # 2. The boundary: text and motion as they are now. Another text writes the context again.
        text = self._text_at_boundary()
        motion, guide = self._motion_at(frames)
        clock.lap("motion_s")
        # 3. The start image is known. Every other chunk is denoised.
        if self._first is not None and self._index == 0:
            latents = self._first.float().to(self._net.device)
        else:
            if guide is None:
                latents = self._denoise(len(frames), motion, text)
            else:
                latents = self._denoise_guided(guide, motion, text)
            clock.lap("denoise_s")
            self._done += 1
        # 4. Nothing asks for the motion of these frames again.
        if self._motion is not None:
            self._motion.release(frames.stop)
        return self._emit(latents, motion, text, clock)

    def finish_pending(self) -> None:
        """The clean-context pass of the newest chunk, if it is still pending."""
        if self._pending is None:
            return
        clock = StageClock(self._net.device)
        if self._recache_as == "always":
            self._recache()
        else:
            self._write(self._pending.latents, self._pending.motion, self._pending.text)
        clock.lap("cache_s")
        self._pending = None
        self._pending_clocks = (clock,)

    def change_scene(self, as_first_frame: Callable[[Tensor, Tensor], Tensor] | None = None) -> bool:
        """The newest latent frames become the sink, and the context is written again on it.

        as_first_frame: in the place of the motion's own. False without a sink, or with too few frames so far.
        """
        self.finish_pending()
        if as_first_frame is None and self._motion is not None:
            as_first_frame = self._motion.as_first_frame
        with torch.no_grad():
            refreshed = self._text is not None and self._cached.refresh(as_first_frame)
            if refreshed:
                self._recache(sink=True)
        return refreshed

    @property
    def copied_bytes(self) -> int:
        """Of the cache's keys and values."""
        return self._inference_cache.kept_bytes

    @property
    def recent(self) -> Tensor | None:
        """The newest latents that the cache was made of."""
        return self._cached.newest()

    def snapshot(self, light: bool = False) -> RollingSnapshot:
        """Where the sampler is, to come back to. ValueError for one with gradients.

        light: the cache's keys and values are not copied. On the way back they are made again.
        """
        self.finish_pending()
        return RollingSnapshot(
            self._index,
            self._start,
            self._done,
            None if light else self._inference_cache.snapshot(),
            self._cached.copy(),
            self._text,
            self._run.rng.get_state(),
        )

    def restore(self, snapshot: RollingSnapshot) -> None:
        self._index = snapshot.index
        self._start = snapshot.start
        self._done = snapshot.done
        self._cached = snapshot.cached.copy()
        self._text = snapshot.text
        self._pending = None
        self._pending_clocks = ()
        if snapshot.cache is not None:
            self._inference_cache.restore(snapshot.cache)
        elif self._text is None:
            self._inference_cache.reset()
        else:
            with torch.no_grad():
                self._recache(sink=True)
        self._run.rng.set_state(snapshot.rng)

    @property
    def _inference_cache(self) -> KVCache:
        if not isinstance(self.cache, KVCache):
            raise ValueError("snapshot: expected a sampler without gradients, got one on a training cache")
        return self.cache

    def _next_count(self) -> int:
        return 1 if self._first_alone and self._index == 0 else self.cache.shape.chunk

    def _text_at_boundary(self) -> TextContext:
        text = self._text_of(self._index)
        changed = self._text is not None and text is not self._text and not self._grad
        self._text = text
        if changed:
            self._recache()
        return text

    def _motion_at(self, frames: range) -> tuple[Tensor | None, LatentGuide | None]:
        if self._motion is None:
            return None, None
        with torch.set_grad_enabled(self._grad):
            return motion_of(self._motion, self._net, self._run, frames), self._motion.guide(frames)

    def _levels(self) -> tuple[float, ...]:
        """The noise levels of the next chunk: the first one may take more steps than the others."""
        first = self.config.first_chunk_sigmas or ()
        takes_more = not self._done and self._exit_step is None and len(first) > len(self._sigmas)
        return first if takes_more else self._sigmas

    def _denoise(self, frames: int, motion: Tensor | None, text: TextContext) -> Tensor:
        """Few-step denoising: predict the clean latents, go on to the next noise level, repeat. The last
        prediction is the chunk.
        """
        sigmas = self._levels()
        timesteps = model_timesteps(self.config, sigmas)
        solver = UniPC(sigmas) if self.config.solver == "unipc" else None
        last = len(sigmas) - 1 if self._exit_step is None else self._exit_step
        x = x0 = draw_noise(self._net, self._run, frames)
        for step in range(last + 1):
            if step > 0 and solver is None:
                x = add_noise(x0, draw_noise(self._net, self._run, frames), sigmas[step])
            elif step > 0 and solver is not None:
                x = solver.step(x, x0)
            with torch.set_grad_enabled(self._grad and (self._exit_step is None or step == last)):
                x0 = predict_x0(self._net, x, sigmas[step], motion, text, self._reading(), timesteps[step])
            self._on_step(step)
        return x0

    def _denoise_guided(self, guide: LatentGuide, motion: Tensor | None, text: TextContext) -> Tensor:
        """The same along a guide, with fresh noise at every level."""

        def predict(x: Tensor, sigma: Tensor) -> Tensor:
            with torch.no_grad():
                return predict_x0(self._net, x, sigma, motion, text, self._reading())

        def noise() -> Tensor:
            return draw_noise(self._net, self._run, guide.latents.shape[2])

        return denoise_guided(predict, noise, self._levels(), guide, self._on_step)

    def _on_step(self, step: int) -> None:
        if self._run.on_step is not None:
            self._run.on_step(self._index, step)

    def _emit(
        self, latents: Tensor, motion: Tensor | None, text: TextContext, clock: StageClock
    ) -> LatentChunk:
        """The chunk, its clean-context pass pending. With gradients it is made at once, as part of the
        chunk.
        """
        self._pending = _Pending(latents, motion, text)
        self._cached.add(latents.detach(), None if motion is None else motion.detach())
        if self._grad:
            self.finish_pending()
        chunk = LatentChunk(self._index, self._start, latents, (clock, *self._pending_clocks))
        self._pending_clocks = ()
        self._index += 1
        self._start += latents.shape[2]
        return chunk

    def _reading(self) -> RollingContext:
        return rolling_context(self.cache, backend=self._run.backend)

    def _write(self, latents: Tensor, motion: Tensor | None, text: TextContext) -> None:
        """The clean-context pass. Its output is nobody's, but gradients come back through it."""
        context = rolling_context(self.cache, write=True, output=self._grad, backend=self._run.backend)
        with torch.set_grad_enabled(self._grad and self._exit_step is None):
            write_context(self._net, latents, motion, text, context)

    def _recache(self, sink: bool = False) -> None:
        """The context is written again: in the order in which it came, or in one piece (see RollingConfig).
        sink: the sink is another one than before.
        """
        assert self._text is not None
        cache = self.cache
        shape = cache.shape
        total = self._start
        if self._recache_as == "window" and not sink and total > shape.frames:
            # The sink stays as it is, and the window is written beside it.
            self._inference_cache.forget_window()
            pieces = self._cached.pieces(shape.frames, sink=False)
        else:
            cache.reset()
            in_chunks = self._recache_as == "chunks" or sink
            pieces = self._cached.pieces(shape.chunk) if in_chunks else iter([self._cached.whole()])
        with cache.rewriting(total, at_once=self._recache_as != "chunks"):
            for latents, motion in pieces:
                self._write(latents, motion, self._text)
