"""What a stream carries from chunk to chunk, what controls do to it, and the moments it can be taken back to.

Owns the order inside a chunk (tracks → motion → sampler → streaming decode) and the history of snapshots,
bounded in bytes. Knows nothing of mailboxes, waiting, hosts or files.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from time import perf_counter
from typing import Any

import torch
from einops import rearrange
from torch import Tensor

from ..codec.base import CodecState
from ..common.held import held_storages
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
    SetStrength,
)
from ..live.live_tracks import LiveTracks
from ..live.track_stream import TrackStream, TrackStreamReader
from ..model.config import SamplerConfig
from ..model.weights.networks import Networks, Transformer, decoding_matters
from ..sampling.open import open_sampler
from ..sampling.sampler import LatentChunk, LatentSampler, SamplerRun
from ..tracks.types import TrackChunk, Tracks
from .chunk import NO_FRAMES, Chunk, LastFrame, Pending
from .decoders import Decoded, DecodeFuture, open_decoder
from .live_object import ToldObjects, select_object
from .open_motion import open_motion_source
from .options import StreamOptions
from .snapshot import StreamSnapshot
from .source_video import SourceReader, reference_latents
from .stream_text import StreamText
from .warped_image import WarpedImage

# (first pixel frame, count) -> xy (count, N, 2) and visible (count, N)
PaintedSource = Callable[[int, int], tuple[Tensor, Tensor]]


class StreamPipeline:
    """The stages of a stream. `index` is the next chunk, `made` the pixel frames so far, `text` what the
    network is told, `video` the source of video to video.

    Args:
        networks: what it runs on.
        image: the start image (H, W, 3) 0..1.
        tracks: as they were given.
        source: the tracks by pixel frame.
        embeds: of the prompt.
        options: how the stream is made.
        live: whether handles are shown.
    """

    def __init__(
        self,
        networks: Networks,
        image: Tensor,
        tracks: Tracks | TrackStream,
        source: PaintedSource | TrackStreamReader,
        embeds: Tensor,
        options: StreamOptions,
        live: bool = True,
    ):
        dit = networks.dit
        height, width = image.shape[:2]
        self.networks = networks
        self.options = options
        self._image = image
        self._source = source
        self._live = live
        # 1. Tracks, which controls bend.
        self.tracks = LiveTracks(
            source,
            width,
            height,
            tracks.fps,
            groups=options.groups,
            static=points_at_rest(tracks),
            objects=options.objects,
            reach=dit.config.vae_stride[0] * options.sampler(dit.config).chunk_frames,
        )
        # 2. Motion, made of them.
        picture = rearrange(image, "h w c -> c h w").float().to(dit.device)
        self.motion = open_motion_source(networks, picture, self.tracks, options, points_at_rest(tracks))
        # 3. The text, which a schedule and a live prompt change, what the model sees beside it, and the
        # source of video to video.
        seen = None if options.see is None else options.see(image)
        self.text = StreamText(networks, embeds, options.encode, options.prompts, seen)
        self.video = None
        if options.video is not None:
            size = (width, height)
            running = networks.running_latents
            self.video = SourceReader(options.video, networks.codec, size, dit.device, running)
        # 4. The sampler, which asks for all of them when the next chunk is asked for.
        self._sampler = self._open_sampler(dit)
        # 5. The decoder, beside or behind it.
        self._decoder = open_decoder(dit.device, options.overlap_decode, decoding_matters(networks))
        self._decoded: DecodeFuture = Decoded(torch.empty(0), networks.codec.start_decode(), perf_counter())
        self._told_objects = ToldObjects()
        self._newest: Chunk | None = None
        self._last = LastFrame()
        self.index = 0
        self.made = 0
        self._history: OrderedDict[int, StreamSnapshot] = OrderedDict()
        self._decoder_bytes = 0  # of the largest state so far

    def _open_sampler(self, dit: Transformer) -> LatentSampler:
        options = self.options
        sampler = options.sampler(dit.config)
        return open_sampler(
            sampler,
            dit,
            motion=self.motion,
            text=lambda index: self.text.current,
            null_text=self.text.null(sampler),
            first=None if options.denoises_first(dit.config) else self.motion.image_latent,
            first_alone=dit.config.sampler.from_image,
            entries=self.video,
            reference=self._reference(sampler),
            run=SamplerRun(
                (1, *self.motion.grid),
                torch.Generator().manual_seed(options.seed),
                options.denoised_chunks(dit.config),
                on_step_of(options.check_interrupt),
                options.backend,
            ),
        )

    def _reference(self, sampler: SamplerConfig) -> Tensor | None:
        """The latents before the stream, for a moving buffer that has some."""
        known = sampler.reference_frames
        if not known or self.options.reference is None:
            return None
        networks = self.networks
        device = networks.dit.device
        pictures = self.options.reference
        return reference_latents(pictures, known, networks.codec, device, networks.running_latents)

    @property
    def oldest_snapshot(self) -> int:
        """The first chunk that `rewind_to` can reach."""
        return next(iter(self._history), self.index)

    @property
    def length(self) -> int | None:
        """Frames there will be: as many as are wanted, or as a track stream that has ended had. None while
        nobody knows.
        """
        known = [
            self.options.frames,
            self._source.length if isinstance(self._source, TrackStreamReader) else None,
            None if self.video is None else self.video.length,
        ]
        return min((length for length in known if length is not None), default=None)

    @property
    def objects(self) -> list[dict[str, Any]]:
        """The objects, as people are told of them."""
        return self._told_objects.of(self.tracks)

    @property
    def coming(self) -> int:
        """Pixel frames of the next chunk."""
        config = self.networks.dit.config
        stride = config.vae_stride[0]
        if self.made:
            return stride * self.options.sampler(config).chunk_frames
        return self.options.first_frames(config)

    @property
    def complete(self) -> bool:
        """Whether all frames there will be have been made."""
        return self.length is not None and self.made >= self.length

    @property
    def overlaps_decode(self) -> bool:
        """Whether the next chunk may be begun while the frames of this one are decoded."""
        return self._decoder.overlaps

    # ---- a chunk ----

    def begin(self) -> Chunk | None:
        """Makes the next chunk's latents and begins to decode them. None at the wanted length."""
        # 1. Work that the chunk before left pending belongs to no chunk's latency.
        self._sampler.finish_pending()
        boundary = perf_counter()
        # 2. The sampler reads text and motion as they are now.
        self.follow_schedule()
        made = next(self._sampler, None)
        if made is None:
            return None
        tracks = self.motion.tracks(made.frames)
        # 3. The decode begins once the latents are finished, behind the decode of the chunk before.
        warped = self.motion.warped()
        before = self._decoded
        self._decoded = self._decoder.begin(
            made.latents, lambda: self._decode(made.latents, warped, before.state)
        )
        # 4. The chunk, cut to the video's length.
        chunk = self._chunk(made, tracks, warped, boundary)
        self._newest = chunk
        self._last = chunk.last
        self.index += 1
        self.made += len(chunk.xy)
        return chunk

    def _chunk(
        self, made: LatentChunk, tracks: TrackChunk, warped: WarpedImage | None, boundary: float
    ) -> Chunk:
        count = len(tracks.xy) if self.length is None else min(len(tracks.xy), self.length - self.made)
        xy = tracks.xy[:count]
        visible = tracks.visible[:count]
        return Chunk(
            self.index,
            self.made,
            NO_FRAMES,
            made.latents,
            timings={},
            first_frame_s=0.0,
            fps=0.0,
            cache_bytes=self._sampler.memory_bytes,
            xy=xy,
            visible=visible,
            handles=tuple(self.tracks.handles(xy, visible)) if self._live else (),
            pending=Pending(self._decoded, count, boundary, lambda: made.timings, warped),
        )

    def wait_for_latents(self, chunk: Chunk):
        """Waits for the latents of the newest chunk, the clean-context pass begun behind them: a device that
        queues its work is never idle, and the next boundary is not read while this chunk is still to be made.
        """
        if not self._sampler.ended:
            self._sampler.finish_pending()
        if chunk.pending is not None:
            chunk.pending.decode.start()

    def finish(self, chunk: Chunk) -> Chunk:
        """Waits for the frames of a chunk. Raises NotFinite for one with NaN in it."""
        pending = chunk.pending
        if pending is None:
            return chunk
        # The clean-context pass runs while the frames are decoded, where the two overlap.
        if self._decoder.overlaps and chunk is self._newest and not self._sampler.ended:
            self._sampler.finish_pending()
        _, shown = pending.decode.frames(self._image.device)
        chunk.frames = shown[: pending.count]
        pixels = pending.decode.pixels
        chunk.pixels = None if pixels is None else pixels[: pending.count]
        chunk.timings = pending.timings() | {"decode_s": pending.decode.seconds}
        chunk.latency_s = perf_counter() - pending.boundary
        chunk.last.picture = shown[pending.count - 1].clone()
        chunk.pending = None
        chunk.check_finite()
        return chunk

    def close(self):
        """Nothing more will be asked for."""
        self._decoder.close()

    def _decode(
        self, latents: Tensor, warped: WarpedImage | None, state: CodecState
    ) -> tuple[Tensor, CodecState]:
        # Latents of a running stream have no first one that holds a single frame: it is decoded twice, and
        # what the first time gives is left out, so that the chunk has the frames it would have had.
        warm_up = self.networks.running_latents and not state.started
        if warm_up:
            latents = torch.cat([latents[:, :, :1], latents], 2)
        frames, state = self.networks.codec.decode_chunk(latents, state)
        if warm_up:
            frames = frames[:, self.networks.config.vae_stride[0] :]
        return rearrange(self._detailed(frames[0], warped), "t c h w -> t h w c").contiguous(), state

    def _detailed(self, frames: Tensor, warped: WarpedImage | None) -> Tensor:
        """Decoded frames (T, 3, H, W) with the texture of the warped picture, where the networks have a head
        for it and something is warped.
        """
        head = self.networks.detail
        if head is None or warped is None or not self.options.detail:
            return frames
        return head(frames.float(), warped.frames, warped.maps).clamp(0, 1)

    # ---- controls, before a chunk ----

    def apply(self, control: Control) -> bool:
        """Lets the control take effect. False when it did nothing."""
        match control:
            case SetPrompt(text, fade):
                return self.text.switch(text, self.made, fade)
            case SetStrength(value):
                if self.video is None:
                    return False
                self.video.strength = value
                return True
            case ChangeScene():
                return self._change_scene()
            case AddTracks(kind="object"):
                return select_object(control, self.motion, self.tracks)
            case SetCamera() | Grab() | Move() | Release() | AddTracks() | RemoveHandle() | PinEdges():
                return self.tracks.apply(control, self.motion.to_reference)
        raise ValueError(f"control: expected one of a running stream, got {control.type!r}")

    def follow_schedule(self) -> None:
        """The scheduled text of the next chunk."""
        self.text.follow(self.made, self.coming)

    def _change_scene(self) -> bool:
        if self._newest is None or not self._sampler.change_scene():
            return False
        if self._last.picture is None:
            self.finish(self._newest)
        picture = self._last.picture
        assert picture is not None
        self.tracks.set_reference(self.motion.objects())
        self.motion.set_reference(rearrange(picture, "h w c -> c h w"))
        if self.options.see is not None:
            self.text.look(self.options.see(picture))
        return True

    # ---- history ----

    def save_snapshot(self):
        """Keeps this moment, the boundary before chunk `index`, and lets the oldest go beyond the history's
        bytes.
        """
        budget = self.options.history_bytes
        if not budget:
            return
        # Nothing is copied for a moment that the budget cannot hold: its latents and motion are kept alone.
        known = [self._decoder_bytes, *(_state_bytes(kept.decoder) for kept in self._history.values())]
        self._decoder_bytes = max(known)
        motion = self.motion.snapshot()
        light = self._sampler.copied_bytes + self._decoder_bytes + motion.nbytes > budget
        if light:
            motion = replace(motion, codec=CodecState([]))
        snapshot = StreamSnapshot(
            self._sampler.snapshot(light),
            motion,
            self.tracks.snapshot(),
            None if light else self._decoded,
            self.made,
            self.text.snapshot(),
            None if self.video is None else self.video.snapshot(),
            self._last,
        )
        self._history[self.index] = snapshot
        while self._history and self._history_bytes() > budget:
            self._history.popitem(last=False)

    def _history_bytes(self) -> int:
        """Of all moments: what the stream holds anyway is left out. The decoder's state of the newest may
        still be unknown. It is as large as others.
        """
        moments = list(self._history.values())
        held: dict[int, int] = {}
        for moment in moments:
            held |= moment.storages
            held |= held_storages(moment.last.picture)  # often decoded after the moment was kept
        for address in moments[-1].scene:
            held.pop(address, None)
        decoders = [_state_bytes(moment.decoder) for moment in moments]
        newest = moments[-1].decoder
        if newest is not None and not newest.known:
            decoders.append(self._decoder_bytes)
        return sum(moment.sampler.nbytes for moment in moments) + sum(decoders) + sum(held.values())

    def _decoder_behind(self) -> DecodeFuture:
        """A decoder that stands behind the newest latents which are still known."""
        codec, recent = self.networks.codec, self._sampler.recent
        state = codec.start_decode()
        if recent is not None:
            state = codec.decode_chunk(recent, state)[1]
        return Decoded(torch.empty(0), state, perf_counter())

    def rewind_to(self, chunk: int):
        """Back to the boundary before `chunk`, or to the nearest that is kept."""
        if not self._history:
            return
        index = min(self._history, key=lambda known: (abs(known - chunk), known))
        snapshot = self._history[index]
        self._sampler.restore(snapshot.sampler)
        self.motion.restore(snapshot.motion)
        self.tracks.restore(snapshot.tracks)
        self._decoded = snapshot.decoder or self._decoder_behind()
        self.made = snapshot.made
        self.text.restore(snapshot.text)
        if self.video is not None and snapshot.source is not None:
            self.video.restore(snapshot.source)
        self._last = snapshot.last
        self.index = index
        for later in [known for known in self._history if known > index]:
            del self._history[later]


def _state_bytes(decoder: DecodeFuture | None) -> int:
    if decoder is None or not decoder.known:
        return 0
    return sum(x.nbytes for x in decoder.state.memory if isinstance(x, Tensor))


def points_at_rest(tracks: Tracks | TrackStream) -> Tensor:
    """(N,) which points never move."""
    if isinstance(tracks, TrackStream):
        return tracks.static
    return (tracks.xy == tracks.xy[:1]).all(-1).all(0)


def on_step_of(check_interrupt: Callable[[], None] | None) -> Callable[[int, int], None] | None:
    """The sampler's call after every step, for a host's interrupt."""
    return None if check_interrupt is None else lambda chunk, step: check_interrupt()
