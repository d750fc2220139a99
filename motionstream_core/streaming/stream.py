"""A start image and tracks in, frames out, chunk by chunk: what the command line and the sampler node both
call.

Owns the checks of what is asked for, the loop over chunk borders, the clock and the pace. What a chunk is
made of belongs to the course (`course.py`), what people ask for while it runs comes through a LiveSession.
Knows nothing of hosts, files or the network.

Shapes: image (H, W, 3) 0..1; frames (T, H, W, 3) 0..1 float32; latents (1, C, t, h, w). Chunk 0 is the start
image, latent frame 0.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import perf_counter

import torch
from torch import Tensor

from ..live.controls import CONTROLS, MOTION_CONTROLS
from ..live.session import Boundary, LiveSession
from ..live.track_stream import TrackStream
from ..model.attention import Backend
from ..model.cache import CacheShape
from ..model.dit import WanDiT
from ..model.presets import ModelConfig
from ..model.weights.networks import Networks, check_size
from ..sampling.flow import schedule_of
from ..sampling.guided import GuideStrength
from ..tracks.types import Tracks
from .pipeline import Begun, PipelineSetup, Step, StreamPipeline

LEADS = ("track head", "guided", "none")
STAGES = ("motion_s", "denoise_s", "cache_s", "decode_s")
HISTORY_BYTES = 512 * 2**20
AHEAD = 1.25  # with a pace, a chunk is begun this many times its own cost before it is needed,
AHEAD_S = 0.05  # and this much earlier


@dataclass(frozen=True)
class Chunk:
    """Frames start .. start + T - 1, and what they cost.

    timings: seconds of this chunk, by STAGES. first_frame_s: from the call of `stream` to the first decoded
    frame. fps: frames a second since that first frame, waiting left out (0 in chunk 0). cache_bytes: the
    rolling cache, constant for the whole stream. xy (T, N, 2), visible (T, N): where the points were told to
    be; N grows when points are added live. epoch: the session's. handles: of a live stream, for every frame
    (id, x, y, kind). A chunk whose index is not above the last one's follows a rewind: it replaces what was
    made from that index on. latency_s: from the chunk's border, where controls and tracks are read, to its
    decoded frames; the clean-context pass of the chunk before (cache_s) was made before that border.
    """

    index: int
    start: int
    frames: Tensor
    latents: Tensor
    timings: dict[str, float]
    first_frame_s: float
    fps: float
    cache_bytes: int
    xy: Tensor
    visible: Tensor
    epoch: int = 0
    handles: tuple = ()
    latency_s: float = 0.0


@dataclass
class _Clock:
    """Wall time of one stream. Waiting, for a person or for the pace, is no one's cost."""

    began: float
    session: LiveSession | None
    fps: float
    first_frame_s: float | None = None
    frames: int = 0
    played_until: float = (
        0.0  # time.monotonic() at which all frames made will have been shown, at the video's rate
    )

    def lap(self, frames: int) -> tuple[float, float]:
        """first_frame_s and fps, once `frames` more frames exist."""
        self.played_until = max(self.played_until, time.monotonic()) + frames / self.fps
        now = perf_counter() - self.began - (self.session.paused_s if self.session is not None else 0.0)
        if self.first_frame_s is None:
            self.first_frame_s = now
            return now, 0.0
        self.frames += frames
        since = now - self.first_frame_s
        return self.first_frame_s, self.frames / since if since > 0 else 0.0

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
    groups: Tensor | None = None,
    encode: Callable[[str], Tensor] | None = None,
    paced: bool = False,
    history_bytes: int = HISTORY_BYTES,
    lead: str | None = None,
    strength: GuideStrength | None = None,
    detail: bool = True,
    beside: bool | None = None,
) -> Iterator[Chunk]:
    """Yields chunks until `frames` frames are made (None: until a stop), cutting the last one to that length.

    image (H, W, 3) 0..1, height and width multiples of codec stride × patch. tracks: on a canvas of the
    image's size; those of a Feed are found while the stream runs, chunk by chunk, and `fit` has nothing to
    say about them: a feed that ends ends the stream. prompt: text, or embeddings (1, L, text_dim). steps:
    denoising steps, the model's own by default. fit: what to do when tracks and frames differ in length,
    "error", "hold", "loop", "ping-pong" or "resample". context: chunk, sink and window instead of the
    model's. check_interrupt is called after every denoising step and while waiting, and may raise.

    control: its controls are read before every chunk (docs/live.md). groups (N,): which handle each track
    belongs to. encode: how a live prompt becomes embeddings (by default the networks' own text encoder).
    paced: with a control, make frames no faster than they play.
    lead: what makes the frames follow the tracks, one of LEADS; None: the track head where the model has one,
    nothing where it has none.
    strength: of a guided stream. detail: show the start image's texture where the networks have a head for
    it. beside: decode in a queue or a thread of its own, beside the transformer, which goes on with the next
    chunk (None: on a CUDA device, and for the built-in model on a CPU where torch has more than one thread).
    history_bytes: most memory for the moments a rewind can go back to.
    The same arguments give the same frames. Raises ValueError, before anything is computed, for arguments
    that do not fit.
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
    if frames is not None and frames < 1:
        raise ValueError(f"frames: expected at least 1, got {frames}")
    if groups is not None and groups.shape != (tracks.count,):
        raise ValueError(f"groups: expected one for each of {tracks.count} tracks, got {tuple(groups.shape)}")
    sigmas = schedule_of(config, steps)
    source = tracks.source() if isinstance(tracks, TrackStream) else track_source(tracks, frames, fit)
    embeds = encode_prompt(networks, prompt)
    if encode is None and networks.text_encoder is not None:
        encode = networks.text_encoder.encode
    setup = PipelineSetup(
        networks,
        image,
        source,
        tracks,
        groups,
        embeds,
        frames,
        seed,
        sigmas,
        id_seed,
        context,
        check_interrupt,
        attention,
        encode,
        check_lead(config, lead),
        strength,
        detail,
        beside,
    )
    return _stream(setup, _Clock(began, control, tracks.fps), control, paced, history_bytes)


def check_lead(config: ModelConfig, lead: str | None) -> str:
    """One of LEADS that this model can be led by; ValueError for another."""
    own = "none" if config.motion is None else "track head"
    lead = own if lead is None else lead
    if lead not in LEADS or (lead == "track head" and own == "none"):
        usable = LEADS if own != "none" else LEADS[1:]
        raise ValueError(f"control: expected one of {', '.join(usable)} for this model, got {lead!r}")
    return lead


def controls_of(
    networks: Networks, encode: Callable[[str], Tensor] | None = None, lead: str | None = None
) -> tuple[str, ...]:
    """The types of controls that a stream of these networks can follow."""
    lacking = set()
    if check_lead(networks.config, lead) == "none":
        lacking |= set(MOTION_CONTROLS)
    if encode is None and networks.text_encoder is None:
        lacking.add("prompt")
    return tuple(kind for kind in CONTROLS if kind not in lacking)


def track_source(tracks: Tracks, frames: int | None, fit: str) -> Callable[[int, int], tuple[Tensor, Tensor]]:
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


def cache_bytes(dit: WanDiT, width: int, height: int, context: CacheShape | None = None) -> int:
    """What that cache will take, without allocating it."""
    shape, config = context or dit.config.context, dit.config
    rows, columns = config.token_grid(height // config.vae_stride[1], width // config.vae_stride[2])
    frames = 2 * shape.frames + shape.window + shape.chunk
    return frames * rows * columns * config.dim * config.num_layers * dit.dtype.itemsize


@torch.no_grad()
def _stream(
    setup: PipelineSetup, clock: _Clock, control: LiveSession | None, paced: bool, history_bytes: int
) -> Iterator[Chunk]:
    course = StreamPipeline(setup, history_bytes, live=control is not None)
    try:
        yield from _chunks(course, clock, control, paced)
    finally:
        course.close()


def _chunks(
    course: StreamPipeline, clock: _Clock, control: LiveSession | None, paced: bool
) -> Iterator[Chunk]:
    begun, cost, check_interrupt = course.begin(), 0.0, course.setup.check_interrupt
    while begun is not None:
        epoch = 0 if control is None else control.epoch
        ahead = (
            _ahead(course, begun, control, clock.due(cost, begun.count) if paced else 0.0)
            if course.beside and begun.index
            else _Ahead(False)
        )
        step = course.finish(begun)
        cost = step.latency_s if step.index else cost
        yield _chunk(course, step, clock, epoch)
        if ahead.failed is not None:
            raise ahead.failed
        if not ahead.asked:
            if _complete(course) or (
                control is not None
                and not _border(
                    course, control, check_interrupt, clock.due(cost) if paced and step.index else 0.0
                )
            ):
                return
        begun = ahead.begun if ahead.asked else course.begin()


@dataclass(frozen=True)
class _Ahead:
    """Whether the next chunk was asked for while the frames of this one were on their way, and what came of
    it.
    """

    asked: bool
    begun: Begun | None = None
    failed: BaseException | None = None


def _ahead(course: StreamPipeline, begun: Begun, control: LiveSession | None, due: float) -> _Ahead:
    """Begins the next chunk, if nobody who waits for the frames of this one would have to wait for anything
    else: a person, the pace, the end.
    """
    if _complete(course):
        return _Ahead(False)
    try:
        course.wait_for_latents(begun)
        if control is not None:
            border = control.try_boundary(course.index, due)
            if border is None:
                return _Ahead(False)
            course.remember()
            _take_effect(course, control, border)
        return _Ahead(True, course.begin())
    except BaseException as error:  # noqa: BLE001  kept for its place: this chunk is made, and is handed out before it
        return _Ahead(True, failed=error)


def _complete(course: StreamPipeline) -> bool:
    return course.length is not None and course.made >= course.length


def _border(
    course: StreamPipeline, control: LiveSession, check_interrupt: Callable[[], None] | None, due: float
) -> bool:
    """Before chunk `course.index`: waits, goes back, lets controls take effect. False: stop here."""
    course.remember()
    while True:
        control.report(oldest_chunk=course.oldest)
        border = control.wait_at_boundary(course.index, check_interrupt, due)
        if border.rewind is None or not border.go:
            break
        course.back(border.rewind)
        control.rewound(course.index)
    _take_effect(course, control, border)
    return border.go


def _take_effect(course: StreamPipeline, control: LiveSession, border: Boundary):
    control.carry_out(border.controls, course.apply)
    control.report(oldest_chunk=course.oldest, prompt=course.prompt, camera=course.motion.state.camera.speeds)


def _chunk(course: StreamPipeline, step: Step, clock: _Clock, epoch: int) -> Chunk:
    first_frame_s, fps = clock.lap(len(step.frames))
    chunk = (
        step.index,
        step.start,
        step.frames,
        step.latents,
        step.timings,
        first_frame_s,
        fps,
        course.cache.nbytes,
        step.xy,
        step.visible,
    )
    return Chunk(*chunk, epoch, step.handles, step.latency_s)
