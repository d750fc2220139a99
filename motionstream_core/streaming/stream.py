"""A start image and tracks in, frames out, chunk by chunk: what the command line and the sampler node both call.

Owns the order image → condition → rollout → streaming decode, the timing of every stage and the cut at the wanted length. Knows nothing
of hosts, files or the network; what a person asks for while it runs comes through a LiveSession.

Shapes: image (H, W, 3) 0..1; frames (T, H, W, 3) 0..1 float32; latents (1, C, t, h, w). Chunk 0 is the start image, latent frame 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import perf_counter

import torch
from einops import rearrange
from torch import Tensor

from ..model.attention import Backend
from ..model.cache import CacheShape, KVCache
from ..model.dit import CausalDiT
from ..tracks.types import Tracks
from .condition import Conditioner, TrackSource
from .flow import sigma_schedule
from .networks import Networks, check_size
from .rollout import LatentChunk, rollout
from .session import LiveSession

STAGES = ("motion_s", "denoise_s", "cache_s", "decode_s")


@dataclass(frozen=True)
class Chunk:
    """Frames start .. start + T - 1, and what they cost.

    timings: seconds of this chunk, by STAGES. first_frame_s: from the call of `stream` to the first decoded frame. fps: frames a second
    since that first frame, pauses left out (0 in chunk 0). cache_bytes: the rolling cache, constant for the whole stream.
    """

    index: int
    start: int
    frames: Tensor
    latents: Tensor
    timings: dict[str, float]
    first_frame_s: float
    fps: float
    cache_bytes: int

    @property
    def latency_s(self) -> float:
        """From the chunk's border, where controls and tracks are read, to its decoded frames."""
        return sum(self.timings.values())


@dataclass(frozen=True)
class _Job:
    """The checked arguments of one stream."""

    networks: Networks
    image: Tensor
    source: TrackSource
    embeds: Tensor
    frames: int | None
    seed: int
    sigmas: tuple[float, ...]
    control: LiveSession | None
    id_seed: int
    context: CacheShape | None
    check_interrupt: Callable[[], None] | None
    attention: Backend


@dataclass
class _Clock:
    """Wall time of one stream. A pause is no one's cost."""

    began: float
    session: LiveSession | None
    first_frame_s: float | None = None

    def lap(self, frames_made: int) -> tuple[float, float]:
        """first_frame_s and fps once `frames_made` frames exist."""
        now = perf_counter() - self.began - (self.session.paused_s if self.session is not None else 0.0)
        if self.first_frame_s is None:
            self.first_frame_s = now
        since = now - self.first_frame_s
        return self.first_frame_s, (frames_made - 1) / since if since > 0 else 0.0


def stream(
    networks: Networks,
    image: Tensor,
    tracks: Tracks,
    prompt: str | Tensor,
    frames: int | None,
    seed: int = 0,
    steps: int | None = None,
    control: LiveSession | None = None,
    *,
    fit: str = "error",
    id_seed: int = 0,
    context: CacheShape | None = None,
    check_interrupt: Callable[[], None] | None = None,
    attention: Backend = "sdpa",
) -> Iterator[Chunk]:
    """Yields chunks until `frames` frames are made (None: until a stop), cutting the last one to that length.

    image (H, W, 3) 0..1, height and width multiples of codec stride × patch. tracks: on a canvas of the image's size. prompt: text, or
    embeddings (1, L, text_dim). steps: denoising steps, the model's own by default. fit: what to do when tracks and frames differ in
    length, "error", "hold", "loop", "ping-pong" or "resample". context: chunk, sink and window instead of the model's. control: pause,
    resume and stop are read before every chunk. check_interrupt is called after every denoising step and in a pause, and may raise.
    The same arguments give the same frames. Raises ValueError, before anything is computed, for arguments that do not fit.
    """
    began = perf_counter()
    config = networks.config
    if image.ndim != 3 or image.shape[-1] != 3:
        raise ValueError(f"image: expected (H, W, 3), got {tuple(image.shape)}")
    height, width = image.shape[:2]
    check_size(config, width, height)
    if (tracks.width, tracks.height) != (width, height):
        raise ValueError(f"tracks: expected a canvas of {width}x{height} (the image), got {tracks.width}x{tracks.height}")
    if frames is not None and frames < 1:
        raise ValueError(f"frames: expected at least 1, got {frames}")
    sigmas = sigma_schedule(config.steps if steps is None else steps, config.shift)
    source = track_source(tracks, frames, fit)
    embeds = encode_prompt(networks, prompt)
    job = _Job(networks, image, source, embeds, frames, seed, sigmas, control, id_seed, context, check_interrupt, attention)
    return _stream(job, _Clock(began, control))


def track_source(tracks: Tracks, frames: int | None, fit: str) -> TrackSource:
    """The tracks as the condition asks for them, made to last `frames` frames (None: for ever) by `fit`.

    Frames past the wanted length are made with the last chunk and cut off; for them the tracks hold still.
    """
    if fit in ("error", "resample"):
        if frames is None:
            raise ValueError(f"fit: expected hold, loop or ping-pong for an endless stream, got {fit!r}")
        tracks, fit = tracks.fitted(frames, fit), "hold"

    def source(start: int, count: int) -> tuple[Tensor, Tensor]:
        piece = tracks.at(start, count, fit)
        return piece.xy, piece.visible

    return source


def encode_prompt(networks: Networks, prompt: str | Tensor) -> Tensor:
    """Text or embeddings -> embeddings (1, L, text_dim)."""
    if isinstance(prompt, Tensor):
        return prompt
    if networks.text_encoder is None:
        raise ValueError("prompt: expected embeddings for networks without a text encoder, got text")
    return networks.text_encoder.encode(prompt)


def cache_for(dit: CausalDiT, width: int, height: int, context: CacheShape | None = None) -> KVCache:
    """The rolling cache for a video of width × height pixels: all the memory a stream keeps."""
    _, sh, sw = dit.config.vae_stride
    return dit.make_cache(height // sh, width // sw, shape=context)


def cache_bytes(dit: CausalDiT, width: int, height: int, context: CacheShape | None = None) -> int:
    """What that cache will take, without allocating it."""
    shape, config = context or dit.config.context, dit.config
    rows, columns = config.token_grid(height // config.vae_stride[1], width // config.vae_stride[2])
    frames = 2 * shape.frames + shape.window + shape.chunk
    return frames * rows * columns * config.dim * config.num_layers * dit.dtype.itemsize


@torch.no_grad()
def _stream(job: _Job, clock: _Clock) -> Iterator[Chunk]:
    codec, control, frames = job.networks.codec, job.control, job.frames
    latent_chunks, nbytes = _rollout(job)
    state, made, index = codec.start_decode(), 0, 0
    while control is None or control.border(index, job.check_interrupt) or index == 0:  # a stop keeps at least the start image
        latents = next(latent_chunks, None)
        if latents is None:
            return
        pixels, state, timings = _decode(codec, latents, state)
        pixels = pixels if frames is None else pixels[: frames - made]
        first_frame_s, fps = clock.lap(made + len(pixels))
        yield Chunk(index, made, pixels.to(job.image.device), latents.latents, timings, first_frame_s, fps, nbytes)
        made, index = made + len(pixels), index + 1


def _rollout(job: _Job) -> tuple[Iterator[LatentChunk], int]:
    """The latents of the stream, and the bytes of the cache they are made with."""
    dit, device = job.networks.dit, job.networks.dit.device
    height, width = job.image.shape[:2]

    def source(start: int, count: int) -> tuple[Tensor, Tensor]:
        xy, visible = job.source(start, count)
        return xy.to(device), visible.to(device)

    picture = rearrange(job.image, "h w c -> c h w").float().to(device)
    motion = Conditioner(dit.config, job.networks.track_head, job.networks.codec, picture, source, torch.Generator().manual_seed(job.id_seed))
    cache = cache_for(dit, width, height, job.context)
    interrupt = job.check_interrupt
    chunks = rollout(
        dit,
        first_latent=motion.image_latent,
        motion=motion,
        text=dit.encode_text(job.embeds.to(device)),
        shape=motion.grid,
        sigmas=job.sigmas,
        cache=cache,
        rng=torch.Generator().manual_seed(job.seed),
        chunks=None if job.frames is None else math.ceil((job.frames - 1) / (dit.config.vae_stride[0] * cache.shape.chunk)),
        on_step=None if interrupt is None else lambda chunk, step: interrupt(),
        attention=job.attention,
    )
    return chunks, cache.nbytes


def _decode(codec, chunk: LatentChunk, state):
    """One chunk of latents -> frames (T, H, W, 3), the decoder's next state, and all timings of the chunk."""
    began = perf_counter()
    frames, state = codec.decode_chunk(chunk.latents, state)
    frames = rearrange(frames[0], "t c h w -> t h w c").contiguous()
    if frames.is_cuda:
        torch.cuda.synchronize(frames.device)
    return frames, state, {**chunk.timings, "decode_s": perf_counter() - began}
