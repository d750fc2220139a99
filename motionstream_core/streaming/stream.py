"""A start image and tracks in, frames out, chunk by chunk: what the command line and the sampler node both
call.

Owns the checks of what is asked for, the loop over chunk boundaries, the clock and the pace. What a chunk is
made of belongs to `pipeline.py`, what people ask for while it runs comes through a LiveSession. Knows nothing
of hosts, files or the network.

Shapes: image (H, W, 3) 0..1. frames (T, H, W, 3) 0..1 float32. latents (1, C, t, h, w). Chunk 0 is the start
image, latent frame 0.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import perf_counter

import torch
from torch import Tensor

from ..live.boundary import Boundary
from ..live.controls import CONTROLS, MOTION_CONTROLS
from ..live.session import LiveSession
from ..live.track_stream import TrackStream
from ..model.cache import CacheShape
from ..model.weights.networks import Networks, Transformer, check_size
from ..tracks.types import Tracks
from .chunk import STAGES, Chunk
from .options import FIRST_LATENTS, HISTORY_BYTES, TRACK_CONTROLS, StreamOptions, check_track_control
from .pipeline import StreamPipeline
from .source_video import SourceVideo

__all__ = [
    "FIRST_LATENTS",
    "HISTORY_BYTES",
    "STAGES",
    "TRACK_CONTROLS",
    "Chunk",
    "StreamOptions",
    "cache_bytes",
    "check_track_control",
    "controls_of",
    "stream",
]

AHEAD = 1.25  # with a pace, a chunk is begun this many times its own cost before it is needed,
AHEAD_S = 0.05  # and this much earlier


@dataclass
class StreamClock:
    """Wall time of one stream. Waiting, for a person or for the pace, is no one's cost.

    Args:
        began: when `stream` was called.
        session: whose pauses are left out.
        fps: of the video.
        first_frame_s: see Chunk. None before the first frame.
        frames: made since the first one.
        played_until: time.monotonic() at which all frames made will have been shown, at the video's rate.
    """

    began: float
    session: LiveSession | None
    fps: float
    first_frame_s: float | None = None
    frames: int = 0
    played_until: float = 0.0

    def lap(self, chunk: Chunk) -> None:
        """Writes first_frame_s and fps on a chunk whose frames are there."""
        count = len(chunk.frames)
        self.played_until = max(self.played_until, time.monotonic()) + count / self.fps
        now = perf_counter() - self.began - (self.session.paused_s if self.session is not None else 0.0)
        if self.first_frame_s is None:
            self.first_frame_s = now
        else:
            self.frames += count
            since = now - self.first_frame_s
            chunk.fps = self.frames / since if since > 0 else 0.0
        chunk.first_frame_s = self.first_frame_s

    def due(self, cost: float, coming: int = 0) -> float:
        """When a chunk that costs `cost` seconds must begin for its frames to follow the ones before,
        `coming` of them on their way, without a gap.
        """
        until = max(self.played_until, time.monotonic()) + coming / self.fps if coming else self.played_until
        return until - AHEAD * cost - AHEAD_S


def stream(
    networks: Networks,
    image: Tensor,
    tracks: Tracks | TrackStream,
    prompt: str | Tensor,
    options: StreamOptions,
    session: LiveSession | None = None,
) -> Iterator[Chunk]:
    """Yields chunks until `options.frames` frames are made, cutting the last one to that length.

    Raises ValueError, before anything is computed, for arguments that do not fit.

    Args:
        networks: what the stream runs on.
        image: the start image (H, W, 3) 0..1, height and width multiples of codec stride x patch.
        tracks: on a canvas of the image's size. Those of a TrackStream are found while the stream runs, chunk
            by chunk. One that ends ends the stream.
        prompt: text, or embeddings (1, L, text_dim).
        options: how the stream is made.
        session: its controls are read before every chunk (docs/live.md).
    """
    began = perf_counter()
    config = networks.config
    if image.ndim != 3 or image.shape[-1] != 3:
        raise ValueError(f"image: expected (H, W, 3), got {tuple(image.shape)}")
    height, width = image.shape[:2]
    check_size(config, width, height)
    if (tracks.width, tracks.height) != (width, height):
        raise ValueError(
            f"tracks: expected a canvas of {width}x{height} (the image), got {tracks.width}x{tracks.height}"
        )
    groups = options.groups
    if groups is not None and groups.shape != (tracks.count,):
        raise ValueError(f"groups: expected one for each of {tracks.count} tracks, got {tuple(groups.shape)}")
    for handle, mask in (options.objects or {}).items():
        if mask.shape != (height, width):
            raise ValueError(
                f"objects: expected masks of {width}x{height} (the image), got {tuple(mask.shape)} for "
                f"handle {handle}"
            )
    options.sampler(config)
    if isinstance(tracks, TrackStream):
        source = tracks.source()
    else:
        source = track_source(tracks, options.frames, options.fit)
    embeds = encode_prompt(networks, prompt)
    check_track_control(config, options.track_control)
    clock = StreamClock(began, session, tracks.fps)

    def open_pipeline() -> StreamPipeline:
        return StreamPipeline(networks, image, tracks, source, embeds, options, live=session is not None)

    return _stream(open_pipeline, clock, session)


def controls_of(
    networks: Networks,
    encode: Callable[[str], Tensor] | None = None,
    track_control: str | None = None,
    video: SourceVideo | None = None,
) -> tuple[str, ...]:
    """The types of controls that a stream of these networks can follow."""
    lacking = {"prompt", "scene", "rewind", "strength"} - networks.config.sampler.follows
    if video is None:
        lacking.add("strength")
    if check_track_control(networks.config, track_control) == "none":
        lacking |= set(MOTION_CONTROLS)
    if encode is None and networks.text_encoder is None:
        lacking.add("prompt")
    return tuple(kind for kind in CONTROLS if kind not in lacking)


def track_source(tracks: Tracks, frames: int | None, fit: str) -> Callable[[int, int], tuple[Tensor, Tensor]]:
    """The tracks as the motion asks for them, made to last `frames` frames (None: for ever) by `fit`.

    Frames past the wanted length are made with the last chunk and cut off. For them the tracks hold still.
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


def cache_bytes(dit: Transformer, width: int, height: int, context: CacheShape | None = None) -> int:
    """What the sampler of a stream will keep, without allocating it: the rolling cache, or the queue of a
    moving buffer.
    """
    config = dit.config
    rows, columns = height // config.vae_stride[1], width // config.vae_stride[2]
    sampler = config.sampler if context is None else config.rolling.with_cache_shape(context)
    down, across = config.token_grid(rows, columns)
    return sampler.memory_bytes(config, down * across, dit.dtype.itemsize)


@torch.no_grad()
def _stream(
    open_pipeline: Callable[[], StreamPipeline], clock: StreamClock, session: LiveSession | None
) -> Iterator[Chunk]:
    pipeline = open_pipeline()
    try:
        yield from _chunks(pipeline, clock, session)
    finally:
        pipeline.close()


def _chunks(pipeline: StreamPipeline, clock: StreamClock, session: LiveSession | None) -> Iterator[Chunk]:
    """The chunk loop.

    Two things overlap with the decode of a chunk, where it runs in a queue or a thread of its own: its
    clean-context pass, and all of the next chunk.
    """
    paced = pipeline.options.paced
    cost = 0.0
    # 1. The start image: its latent is known, so only its decode takes time.
    chunk = pipeline.begin()
    while chunk is not None:
        chunk.epoch = 0 if session is None else session.epoch
        # 2. This chunk's frames are being decoded. Meanwhile the next chunk is begun, where that keeps nobody
        #    waiting. Not beside the start image: everybody waits for the first frame.
        early = NOT_BEGUN
        if pipeline.overlaps_decode and chunk.index:
            early = _begin_early(pipeline, chunk, session, clock.due(cost, len(chunk.xy)) if paced else 0.0)
        # 3. Wait for this chunk's frames and no other work, and hand them out.
        pipeline.finish(chunk)
        if chunk.index:
            cost = chunk.latency_s
        clock.lap(chunk)
        yield chunk
        # 4. An error of the chunk begun meanwhile comes behind the frames that were made before it.
        if early.error is not None:
            raise early.error
        if early.begun:
            chunk = early.chunk
            continue
        # 5. Nothing was begun, so the boundary comes now: wait for a person or for the pace, go back, let
        #    controls take effect.
        if pipeline.complete:
            return
        due = clock.due(cost) if paced and chunk.index else 0.0
        if session is not None and not _pass_boundary(pipeline, session, due):
            return
        # 6. The next chunk's latents. With a decoder of its own, they are made in 2 most of the time.
        chunk = pipeline.begin()


@dataclass(frozen=True)
class _Early:
    """Whether the next chunk was begun while the frames of this one were decoded, and what came of it."""

    begun: bool
    chunk: Chunk | None = None
    error: BaseException | None = None


NOT_BEGUN = _Early(False)


def _begin_early(pipeline: StreamPipeline, chunk: Chunk, session: LiveSession | None, due: float) -> _Early:
    """Begins the next chunk, if nobody who waits for the frames of this one would have to wait for anything
    else: a person, the pace, the end.
    """
    if pipeline.complete:
        return NOT_BEGUN
    try:
        # The boundary is not read while this chunk's latents are still to be made: controls would be read
        # earlier than they need to be.
        pipeline.wait_for_latents(chunk)
        if session is not None:
            boundary = session.try_boundary(pipeline.index, due)
            if boundary is None:
                return NOT_BEGUN
            pipeline.save_snapshot()
            _take_effect(pipeline, session, boundary)
        return _Early(True, pipeline.begin())
    # Kept for its place: this chunk is made, and is handed out before it
    except BaseException as error:
        return _Early(True, error=error)


def _pass_boundary(pipeline: StreamPipeline, session: LiveSession, due: float) -> bool:
    """Before chunk `pipeline.index`: waits, goes back, lets controls take effect. False: stop here."""
    pipeline.save_snapshot()
    while True:
        session.report(oldest_chunk=pipeline.oldest_snapshot)
        boundary = session.wait_at_boundary(pipeline.index, pipeline.options.check_interrupt, due)
        if boundary.rewind is None or not boundary.go:
            break
        pipeline.rewind_to(boundary.rewind)
        session.rewound(pipeline.index, pipeline.tracks.state.hands.holding)
        session.report(objects=pipeline.objects)
    _take_effect(pipeline, session, boundary)
    return boundary.go


def _take_effect(pipeline: StreamPipeline, session: LiveSession, boundary: Boundary):
    session.carry_out(boundary.controls, pipeline.apply, pipeline.options.check_interrupt)
    pipeline.follow_schedule()
    session.report(
        oldest_chunk=pipeline.oldest_snapshot,
        prompt=pipeline.text.prompt,
        objects=pipeline.objects,
        camera=pipeline.tracks.state.camera.speeds,
    )
    if pipeline.video is not None:
        session.report(strength=pipeline.video.strength)
