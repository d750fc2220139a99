"""What a stream carries from chunk to chunk, what controls do to it, and the moments it can be taken back to.

Owns the order inside a chunk (tracks → condition → rollout → streaming decode) and the history of moments,
bounded in bytes. Knows nothing of mailboxes, waiting, hosts or files.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import torch
from einops import rearrange
from torch import Tensor

from ..live.controls import (
    AddTracks,
    ChangeScene,
    Control,
    Grab,
    Move,
    PinEdges,
    Release,
    RemoveHandle,
    SetCamera,
    SetPrompt,
)
from ..live.live_tracks import LiveTracks
from ..live.track_stream import TrackStream, TrackStreamReader
from ..model.attention import Backend
from ..model.cache import CacheShape
from ..model.dit import TextContext
from ..model.weights.networks import Networks, light
from ..sampling.guided import GuideStrength
from ..sampling.rollout import LatentChunk, RolloutSnapshot, rollout
from ..tracks.types import TrackChunk, Tracks
from .decoders import Decoded, DecodeFuture, open_decoder
from .guided_motion import GuidedMotion, null_motion
from .motion_conditioner import MotionConditioner, MotionSnapshot, WarpedImage
from .null_motion import NullMotion

REMEMBERED_PROMPTS = 16


@dataclass(frozen=True)
class PipelineSetup:
    """The checked arguments of one stream. source: tracks by frame; static (N,) which of them rest; encode:
    text -> embeddings (1, L, text_dim).
    """

    networks: Networks
    image: Tensor
    source: Callable[[int, int], tuple[Tensor, Tensor]]
    tracks: Tracks | TrackStream
    groups: Tensor | None
    embeds: Tensor
    frames: int | None
    seed: int
    sigmas: tuple[float, ...]
    id_seed: int
    context: CacheShape | None
    check_interrupt: Callable[[], None] | None
    attention: Backend
    encode: Callable[[str], Tensor] | None
    lead: str = "track head"
    strength: GuideStrength | None = None
    detail: bool = True
    beside: bool | None = None


@dataclass(frozen=True)
class Step:
    """A chunk as it was made: its index and first frame, frames (T, H, W, 3), latents, seconds by stage,
    where the points were told to be, xy and visible, what is shown of the tracks, and the seconds from the
    border before it to its frames.
    """

    index: int
    start: int
    frames: Tensor
    latents: Tensor
    timings: dict[str, float]
    xy: Tensor
    visible: Tensor
    handles: tuple
    latency_s: float


@dataclass
class _Last:
    """The last frame (H, W, 3) of a chunk, once it is there."""

    picture: Tensor | None = None


@dataclass
class Begun:
    """A chunk whose latents are made and whose frames are on their way. count: its frames, cut to the video's
    length. asked: when its border was.
    """

    index: int
    start: int
    count: int
    latents: LatentChunk
    decoding: DecodeFuture
    followed_s: float
    piece: TrackChunk
    carried: WarpedImage | None  # what the decoding reads, kept until it has
    handles: tuple
    asked: float
    last: _Last
    step: Step | None = None


@dataclass(frozen=True)
class StreamSnapshot:
    """The border before a chunk."""

    rollout: RolloutSnapshot
    condition: MotionSnapshot
    motion: Any
    decoder: DecodeFuture
    made: int
    text: TextContext
    prompt: str | None
    last: _Last

    @property
    def nbytes(self) -> int:
        decoder = self.decoder.state.memory if self.decoder.known else ()
        states = [*decoder, *self.condition.warp_state.memory]
        return self.rollout.nbytes + sum(
            x.nbytes for x in (*states, self.last.picture) if isinstance(x, Tensor)
        )


class StreamPipeline:
    """index: the next chunk; made: pixel frames so far; prompt: the text of a live prompt, None before one.
    live: whether handles are shown.
    """

    def __init__(self, setup: PipelineSetup, history_bytes: int = 0, live: bool = True):
        dit, device = setup.networks.dit, setup.networks.dit.device
        tracks, (height, width) = setup.tracks, setup.image.shape[:2]
        self.setup, self._device, self._live = setup, device, live
        static = (
            tracks.static if isinstance(tracks, TrackStream) else (tracks.xy == tracks.xy[:1]).all(-1).all(0)
        )
        self.motion = LiveTracks(setup.source, width, height, tracks.fps, groups=setup.groups, static=static)
        picture = rearrange(setup.image, "h w c -> c h w").float().to(device)
        rng = torch.Generator().manual_seed(setup.id_seed)
        self._unled = place_of(setup, picture, self.motion)
        self._conditioner = self._unled or MotionConditioner(
            dit.config, setup.networks.track_head, setup.networks.codec, picture, self.motion, rng
        )
        self.cache = cache_for(dit, width, height, setup.context)
        self._text = dit.encode_text(setup.embeds.to(device))
        self._texts: OrderedDict[str, TextContext] = OrderedDict()
        interrupt, stride = setup.check_interrupt, dit.config.vae_stride[0]
        self._rollout = rollout(
            dit,
            first_latent=self._conditioner.image_latent,
            motion=null_motion(dit.config, self._conditioner.image_latent)
            if self._unled
            else self._conditioner,
            text=lambda index: self._text,
            shape=self._conditioner.grid,
            sigmas=setup.sigmas,
            cache=self.cache,
            rng=torch.Generator().manual_seed(setup.seed),
            chunks=None
            if setup.frames is None
            else math.ceil((setup.frames - 1) / (stride * self.cache.shape.chunk)),
            on_step=None if interrupt is None else lambda chunk, step: interrupt(),
            attention=setup.attention,
            guide=self._unled.guide if isinstance(self._unled, GuidedMotion) else None,
        )
        self._decoder: DecodeFuture = Decoded(
            torch.empty(0), setup.networks.codec.start_decode(), perf_counter()
        )
        self._lane = open_decoder(device, setup.beside, light(setup.networks))
        self._newest: Begun | None = None
        self._last = _Last()
        self.prompt: str | None = None
        self.index = self.made = 0
        self._history: OrderedDict[int, StreamSnapshot] = OrderedDict()
        self._history_bytes, self._moment_bytes = history_bytes, 1  # of all, and of the largest moment so far

    @property
    def oldest(self) -> int:
        """The first chunk that `back` can reach."""
        return next(iter(self._history), self.index)

    @property
    def length(self) -> int | None:
        """Frames there will be: as many as are wanted, or as a feed that has ended had; None while nobody
        knows.
        """
        ends = self.setup.source.length if isinstance(self.setup.source, TrackStreamReader) else None
        wanted = self.setup.frames
        return wanted if ends is None else ends if wanted is None else min(ends, wanted)

    @property
    def beside(self) -> bool:
        """Whether the next chunk may be begun while the frames of this one are on their way."""
        return self._lane.beside

    def begin(self) -> Begun | None:
        """Makes the next chunk's latents and begins to decode them; None when the wanted length has been
        made.
        """
        self._rollout.settle()
        asked = perf_counter()
        if self._unled is not None:
            self._unled.follow(self.cache.shape.chunk if self.index else 1)
        followed_s = perf_counter() - asked
        latents = next(self._rollout, None)
        if latents is None:
            return None
        piece, carried, before = self._conditioner.piece, self._conditioner.carried, self._decoder
        self._decoder = self._lane.begin(
            latents.latents, lambda: self._decode(latents.latents, carried, before.state)
        )
        count = len(piece.xy) if self.length is None else min(len(piece.xy), self.length - self.made)
        handles = tuple(self.motion.handles(piece.xy[:count], piece.visible[:count])) if self._live else ()
        self._last = _Last()
        self._newest = Begun(
            self.index,
            self.made,
            count,
            latents,
            self._decoder,
            followed_s,
            piece,
            carried,
            handles,
            asked,
            self._last,
        )
        self.index, self.made = self.index + 1, self.made + count
        return self._newest

    def wait_for_latents(self, begun: Begun):
        """Waits for the latents of the newest chunk, the clean-context pass begun behind them: a device that
        queues its work is never idle, and the next border is not read while this chunk is still to be made.
        """
        if not self._rollout.ended:
            self._rollout.settle()
        begun.decoding.start()

    def finish(self, begun: Begun) -> Step:
        """Waits for the frames of a chunk."""
        if begun.step is not None:
            return begun.step
        if self._lane.beside and begun is self._newest and not self._rollout.ended:
            self._rollout.settle()
        _, shown = begun.decoding.frames(self.setup.image.device)
        latents, piece = begun.latents, begun.piece
        timings = {
            **latents.timings,
            "motion_s": latents.timings["motion_s"] + begun.followed_s,
            "decode_s": begun.decoding.seconds,
        }
        told = piece.xy[: begun.count], piece.visible[: begun.count]
        begun.step = Step(
            begun.index,
            begun.start,
            shown[: begun.count],
            latents.latents,
            timings,
            *told,
            begun.handles,
            perf_counter() - begun.asked,
        )
        begun.last.picture, begun.carried = shown[begun.count - 1].clone(), None
        return begun.step

    def close(self):
        """Nothing more will be asked for."""
        self._lane.close()

    def _decode(self, latents: Tensor, carried: WarpedImage | None, state: Any) -> tuple[Tensor, Any]:
        frames, state = self.setup.networks.codec.decode_chunk(latents, state)
        return rearrange(self._detailed(frames[0], carried), "t c h w -> t h w c").contiguous(), state

    def _detailed(self, frames: Tensor, carried: WarpedImage | None) -> Tensor:
        """Decoded frames (T, 3, H, W) with the texture of what was carried, where the networks have a head
        for it and something is carried.
        """
        head = self.setup.networks.detail
        if head is None or carried is None or not self.setup.detail:
            return frames
        return head(frames.float(), carried.frames, carried.maps).clamp(0, 1)

    # ---- controls, before a chunk ----

    def apply(self, control: Control) -> bool:
        """Lets the control take effect; False when it did nothing."""
        match control:
            case SetPrompt(text):
                return self._switch(text)
            case ChangeScene():
                return self._change_scene()
            case SetCamera() | Grab() | Move() | Release() | AddTracks() | RemoveHandle() | PinEdges():
                return self.motion.apply(control, self._conditioner.origin)
        raise ValueError(f"control: expected one for the course of a stream, got {control.type!r}")

    def _switch(self, text: str) -> bool:
        encode = self.setup.encode
        if encode is None:
            return False
        if text not in self._texts:
            self._texts[text] = self.setup.networks.dit.encode_text(encode(text).to(self._device))
            while len(self._texts) > REMEMBERED_PROMPTS:
                self._texts.popitem(last=False)
        self._texts.move_to_end(text)
        self._text, self.prompt = self._texts[text], text
        return True

    def _change_scene(self) -> bool:
        if self._newest is None or not self._rollout.change_scene(self._conditioner.as_start):
            return False
        if self._last.picture is None:
            self.finish(self._newest)
        assert self._last.picture is not None
        self._conditioner.rebase(rearrange(self._last.picture, "h w c -> c h w"))
        self.motion.rebase()
        return True

    # ---- history ----

    def remember(self):
        """Keeps this moment, the border before chunk `index`, and lets the oldest go beyond the history's
        bytes.
        """
        moment = StreamSnapshot(
            self._rollout.snapshot(),
            self._conditioner.snapshot(),
            self.motion.snapshot(),
            self._decoder,
            self.made,
            self._text,
            self.prompt,
            self._last,
        )
        before = next(reversed(self._history.values()), moment)  # whose frames are decoded by now
        self._history[self.index] = moment
        self._moment_bytes = max(self._moment_bytes, before.nbytes, moment.nbytes)
        most = self._history_bytes // self._moment_bytes
        while len(self._history) > most:
            self._history.popitem(last=False)

    def back(self, chunk: int):
        """Back to the border before `chunk`, or to the nearest that is remembered."""
        if not self._history:
            return
        index = min(self._history, key=lambda known: (abs(known - chunk), known))
        moment = self._history[index]
        self._rollout.restore(moment.rollout)
        self._conditioner.restore(moment.condition)
        self.motion.restore(moment.motion)
        self._decoder, self.made, self._text, self.prompt, self._last = (
            moment.decoder,
            moment.made,
            moment.text,
            moment.prompt,
            moment.last,
        )
        self.index = index
        for later in [known for known in self._history if known > index]:
            del self._history[later]


def place_of(setup: PipelineSetup, picture: Tensor, motion: LiveTracks) -> NullMotion | None:
    """What stands where a Conditioner would, in a stream that the track head does not lead; None in one that
    it does.
    """
    config, codec = setup.networks.dit.config, setup.networks.codec
    if setup.lead == "track head":
        return None
    return (
        GuidedMotion(config, codec, picture, motion, setup.strength)
        if setup.lead == "guided"
        else NullMotion(config, codec, picture, motion)
    )


def cache_for(dit, width: int, height: int, context: CacheShape | None = None):
    """The rolling cache for a video of width × height pixels: all the memory a stream keeps."""
    _, sh, sw = dit.config.vae_stride
    return dit.make_cache(height // sh, width // sw, shape=context)
