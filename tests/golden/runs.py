"""The golden runs: everything that the library makes, on inputs that are the same everywhere.

The one file of these tests that calls the library. Its first part wraps what is called: where a
refactoring renames or moves something, that part changes and nothing else. Its second part is the runs,
which name nothing of the library. They and their tensors keep their names, and the tensors their bytes
(`store.py`, runs.json).

A run takes an empty folder and gives tensors by name. Weights are drawn key by key from the key's own
name, so that the order in which modules are built does not count, but only the keys of a state dict.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from motionstream_core.codec.split import SplitCodec
from motionstream_core.codec.taehv import TAEHV, TaehvCodec
from motionstream_core.codec.tiny import CodecConfig, TinyCodec
from motionstream_core.codec.video import read_image
from motionstream_core.codec.wan_layers import WanVAE, WanVAEConfig
from motionstream_core.codec.wan_vae import WanCodec
from motionstream_core.common.pictures import cover
from motionstream_core.live.performance import read_performance, write_performance
from motionstream_core.live.session import LiveSession
from motionstream_core.live.track_stream import TrackStream
from motionstream_core.model.cache import CacheShape
from motionstream_core.model.detail import DetailHead
from motionstream_core.model.dit import WanDiT
from motionstream_core.model.motion import TrackHead
from motionstream_core.model.presets import PRESETS, ModelConfig
from motionstream_core.model.text import WordEncoder
from motionstream_core.model.weights.checkpoint_presets import (
    CHECKPOINT_PRESETS,
    checkpoint_preset,
    config_for,
)
from motionstream_core.model.weights.networks import BUILT_IN, Networks, open_networks
from motionstream_core.sampling.flow import model_timesteps, schedule_of
from motionstream_core.sampling.guided import GuideStrength
from motionstream_core.sampling.rollout import rollout
from motionstream_core.streaming.recorder import StreamRecorder
from motionstream_core.streaming.stream import StreamOptions, controls_of, stream
from motionstream_core.streaming.warped_image import forward_warp
from motionstream_core.tracks.camera.moves import (
    EASINGS,
    CameraPath,
    _poses,
    camera_tracks,
    ease,
    preset_path,
    regular_grid,
)
from motionstream_core.tracks.camera.moves import PRESETS as CAMERA_MOVES
from motionstream_core.tracks.cleanup import clean_tracks, snap_to_objects
from motionstream_core.tracks.compose import camera_over_objects, carry_objects, join_tracks, match_tracks
from motionstream_core.tracks.document.handles import document_groups
from motionstream_core.tracks.document.parse import document_to_tracks, parse_document, sample_curve
from motionstream_core.tracks.edit import (
    Timing,
    jitter_tracks,
    retime_tracks,
    select_in_mask,
    select_spread,
    smooth_tracks,
    transform_tracks,
)
from motionstream_core.tracks.formats import read_tracks, tracks_from_host
from motionstream_core.tracks.track_arrays import load_npz, save_npz
from motionstream_core.tracks.track_json import STYLES, tracks_from_json, tracks_to_json
from motionstream_core.tracks.types import MODES, Tracks
from motionstream_core.tracks.video.patch_tracker import track_video
from motionstream_core.tracks.video.retarget import retarget_tracks, seeds_for
from motionstream_core.tracks.warp.backward import fill_disoccluded, warp_frames
from motionstream_core.tracks.warp.forward import ForwardWarp
from motionstream_core.training.data.shards import imperfect_sample, make_sample
from motionstream_core.training.data.world import random_scene, render
from motionstream_core.training.engine.engine import train
from motionstream_core.training.engine.stage import TrainConfig
from motionstream_core.training.methods.causal import CausalRecipe, CausalStage
from motionstream_core.training.methods.causal_init import CausalInitRecipe, CausalInitStage
from motionstream_core.training.methods.codec import CodecStage
from motionstream_core.training.methods.detail import DetailStage
from motionstream_core.training.methods.distill import DistillRecipe, DistillStage
from motionstream_core.training.methods.guidance import Guidance
from motionstream_core.training.methods.refresh import NEVER, SinkRefresh
from motionstream_core.training.methods.roles import MotionModel
from motionstream_core.training.methods.teacher import TeacherRecipe, TeacherStage
from motionstream_core.training.methods.trajectories import Trajectories, write_trajectories

Tensors = dict[str, Tensor]
Run = Callable[[Path], Tensors]

TESTS = Path(__file__).resolve().parents[1]
FIXTURES = TESTS / "fixtures" / "tracks"
WORKFLOWS = TESTS.parent / "workflows"
SPLINE = Path(__file__).with_name("spline.json")
DOCUMENTS = Path(__file__).with_name("documents")

# ---- part one: the library, as the runs call it ----

REDUCED = {"ffn_dim": 64, "num_layers": 2, "text_dim": 24, "text_len": 6, "freq_dim": 16}
HEADS = {"wan2.1-14b": 4, "wan2.2-5b": 3}  # of 12 channels; 2 for the others
LATER = (  # than the day of the recording
    "cartoon",
    "cartoon-motion",
    "streamdit-4b",
    "streamdit-tiny",
    "streamdit-tiny-motion",
    "track-v0",
    "wan2.1-1.3b-track",
)
PRESET_NAMES = tuple(name for name in PRESETS if name not in LATER)
CAUSAL_NAMES = tuple(name for name in CHECKPOINT_PRESETS if name not in LATER)
PROMPT = "red ball moves right"


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def uniform(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def filled(module: nn.Module, seed: int = 0, scale: float = 1.0) -> nn.Module:
    """Weights that all matter: norms about one, matrices that keep their input's size (times `scale`)."""
    with torch.no_grad():
        for key, value in module.named_parameters():
            x = drawn(*value.shape, seed=zlib.crc32(f"{seed} {key}".encode()))
            if key.endswith("gamma") or (".norm" in key and key.endswith("weight")):
                x = 1 + 0.1 * x
            elif value.ndim >= 2 and not key.endswith(("modulation", "position")):
                x = scale * x / math.sqrt(math.prod(value.shape[1:]))
            else:
                x = 0.1 * x
            value.copy_(x)
    return module


def still(module: nn.Module, seed: int = 0, scale: float = 1.0) -> nn.Module:
    """Filled, and nothing learns."""
    return filled(module, seed, scale).eval().requires_grad_(False)


def reduced(config: ModelConfig, name: str, **changes) -> ModelConfig:
    """A preset's config at a small width: its channels, context, schedule and prediction stay."""
    heads = next((count for known, count in HEADS.items() if name.startswith(known)), 2)
    return replace(config, **{**REDUCED, "dim": 12 * heads, "num_heads": heads, **changes})


def small_config(name: str, context: str | None = None, **changes) -> ModelConfig:
    config = reduced(PRESETS[name], name, **changes)
    return config if context is None else config.with_context(CacheShape.parse(context))


def small_tiny_codec(seed: int = 0) -> TinyCodec:
    return still(TinyCodec(CodecConfig(encoder=(8, 12, 12), decoder=(12, 12, 8, 8))), seed)


def small_wan_codec(channels: int, **options) -> WanCodec:
    """The one of Wan 2.1 (16 channels, stride 8) or of Wan 2.2 (48 channels, stride 16)."""
    return WanCodec(still(WanVAE(WanVAEConfig(channels, 4, 4, blocks=1, stages=channels == 48))), **options)


def small_taehv(channels: int, **options) -> TaehvCodec:
    return TaehvCodec(still(TAEHV(channels), scale=1.5), **options)


CODECS = {
    "tiny": small_tiny_codec,
    "wan 16": lambda: small_wan_codec(16),
    "wan 16, five frames at once": lambda: small_wan_codec(16, frames_at_once=5),
    "wan 48": lambda: small_wan_codec(48),
    "taehv 16": lambda: small_taehv(16),
    "taehv 16 of the VAE's latents": lambda: small_taehv(16, vae_latents=True),
    "taehv 48": lambda: small_taehv(48),
    "split": lambda: SplitCodec(small_wan_codec(16), small_taehv(16)),
}
CODEC_CHANNELS = {"wan 48": 48, "taehv 48": 48}
CODEC_STRIDES = {"wan 48": 16, "taehv 48": 16}


def codec_pieces(name: str, frames: Tensor, latents: Tensor, sizes: Sequence[int]) -> Tensors:
    """Encoded and decoded at once, and in pieces of so many latent frames."""
    codec = CODECS[name]()
    made = {"encoded": codec.encode(frames), "decoded": codec.decode(latents)}
    state, parts = codec.start_encode(), []
    lengths = [4 * size - 3 if number == 0 else 4 * size for number, size in enumerate(sizes)]
    for piece in frames.split(lengths, dim=1):
        part, state = codec.encode_chunk(piece, state)
        parts.append(part)
    made["encoded in pieces"] = torch.cat(parts, dim=2)
    state, parts = codec.start_decode(), []
    for piece in latents.split(list(sizes), dim=2):
        part, state = codec.decode_chunk(piece, state)
        parts.append(part)
    made["decoded in pieces"] = torch.cat(parts, dim=1)
    return made


def networks_of(config: ModelConfig, name: str, codec=None, detail: bool = False) -> Networks:
    """Small networks of a config; embeddings stand for the text where the preset has no vocabulary."""
    motion, own = config.motion, name.startswith("tiny")
    head = None if motion is None else still(TrackHead(motion.map_channels, motion.head_channels))
    words = still(WordEncoder(config.text_dim, config.text_len)) if own else None
    if codec is None:
        codec = small_tiny_codec() if own else small_wan_codec(config.latent_channels)
    refined = still(DetailHead((4, 8, 8))) if detail else None
    return Networks(still(WanDiT(config)), head, codec, words, refined)


def small_networks(
    name: str, context: str | None = None, codec=None, detail: bool = False, **changes
) -> Networks:
    return networks_of(small_config(name, context, **changes), name, codec, detail)


def wide_networks(name: str) -> Networks:
    """The preset at its own width, with random weights."""
    return networks_of(PRESETS[name], name)


@functools.cache
def shipped_networks() -> Networks:
    return open_networks(carry="nearest")  # the carry that they were recorded on


def shipped_weights() -> str:
    """The hash of the built-in weights file."""
    return hashlib.sha256(BUILT_IN.read_bytes()).hexdigest()


def has_track_head(name: str) -> bool:
    return PRESETS[name].motion is not None


def stride_of(name: str) -> int:
    return PRESETS[name].vae_stride[1]


def embeds_for(networks: Networks, seed: int = 1) -> Tensor:
    return drawn(1, 5, networks.config.text_dim, seed=seed)


def tracks_of(xy: Tensor, visible: Tensor, width: int, height: int, fps: float = 16.0) -> Tracks:
    return Tracks(xy, visible, width, height, fps)


def streaming(
    networks: Networks,
    image: Tensor,
    tracks,
    frames: int | None,
    *,
    session=None,
    context=None,
    lead=None,
    **options,
):
    """The chunks of a stream, one after another. lead: (inside, keep) of a guided one."""
    prompt = options.pop("prompt", PROMPT if networks.text_encoder is not None else embeds_for(networks))
    strength = None if lead is None else GuideStrength(*lead)
    shape = None if context is None else CacheShape.parse(context)
    options = {"fit": "ping-pong", "seed": 3, "id_seed": 7, **options}
    asked = StreamOptions(
        frames,
        context=shape,
        track_control=options.pop("control", None),
        guide_strength=strength,
        overlap_decode=options.pop("beside", False),
        **options,
    )
    return stream(networks, image, tracks, prompt, asked, session)


def chunk_tensors(chunks: Sequence) -> Tensors:
    """Everything that chunks say but for their times."""
    handles = [
        [number, x, y, kind] for chunk in chunks for frame in chunk.handles for number, x, y, kind in frame
    ]
    made = {
        "frames": torch.cat([chunk.frames for chunk in chunks]),
        "latents": torch.cat([chunk.latents for chunk in chunks], dim=2),
        "xy": torch.cat([chunk.xy.reshape(-1) for chunk in chunks]),
        "visible": torch.cat([chunk.visible.reshape(-1) for chunk in chunks]),
        "order": torch.tensor([[c.index, c.start, len(c.frames), c.epoch, c.cache_bytes] for c in chunks]),
    }
    return made | ({"handles": torch.tensor(handles, dtype=torch.float64)} if handles else {})


def performance_text(session: LiveSession) -> str:
    return write_performance(session.performance, seed=3)


def log_text(session: LiveSession) -> str:
    """Every control that was taken, and before which chunk."""
    return json.dumps([[each.chunk, each.control.message()] for each in session.log])


def new_session(networks: Networks, control: str | None = None, script: str | None = None) -> LiveSession:
    """script: a performance to play."""
    encode = None if networks.text_encoder is not None else other_text(networks)
    takes = controls_of(networks, encode, control)
    return LiveSession(takes=takes, script=() if script is None else read_performance(script).controls)


def other_text(networks: Networks) -> Callable[[str], Tensor]:
    """Embeddings of a live prompt for networks without a text encoder."""
    return lambda text: embeds_for(networks, seed=zlib.crc32(text.encode()))


def kept_tensors(chunks: Sequence, width: int, height: int, budget: int = 2**30) -> Tensors:
    """What a run hands on in the end."""
    with StreamRecorder(16.0, 4, budget) as kept:
        for chunk in chunks:
            kept.add(chunk)
        result = kept.take(width, height)
    tracks = {"kept xy": result.tracks.xy, "kept visible": result.tracks.visible}
    return {"kept frames": result.frames, "kept latents": result.latents, **tracks}


def feed_of(positions: Callable[[int], Tensor], frames: int, size: int, at_end: str) -> TrackStream:
    """Tracks that are found while the stream runs: positions(frame) -> (N, 2)."""
    first = positions(0)
    seen = torch.ones(len(first), dtype=torch.bool)
    opened = lambda: iter([(positions(number), seen) for number in range(frames)])  # noqa: E731
    return TrackStream(
        Tracks(first[None], seen[None], size, size), torch.zeros(len(first), dtype=torch.bool), opened, at_end
    )


def few_step_rollout(
    config: ModelConfig, chunks: int, image: bool, switch: int | None = None, scene: int | None = None
) -> Tensors:
    """Latents of a rollout alone on 4 x 4 cells. switch, scene: before which chunk text and scene change."""
    dit = still(WanDiT(config))
    texts = [dit.encode_text(drawn(1, 5, config.text_dim, seed=seed)) for seed in (1, 2)]
    channels = 0 if config.motion is None else config.motion.channels

    def motion(start: int, count: int) -> Tensor:
        return torch.cat(
            [drawn(1, channels, 1, 4, 4, seed=frame) for frame in range(start, start + count)], dim=2
        )

    run = rollout(
        dit,
        first_latent=drawn(1, config.latent_channels, 1, 4, 4, seed=5) if image else None,
        motion=motion if channels else None,
        text=lambda index: texts[switch is not None and index >= switch],
        shape=(4, 4),
        sigmas=schedule_of(config),
        cache=dit.make_cache(4, 4),
        rng=torch.Generator().manual_seed(11),
        chunks=chunks,
    )
    made, moment, again = [], None, []
    for chunk in run:
        made.append(chunk.latents)
        if chunk.index + 1 == scene:
            run.change_scene()
        if len(made) == chunks - 1:
            moment = run.snapshot()
    run.restore(moment)
    again = [chunk.latents for chunk in run]
    levels = torch.tensor(
        [schedule_of(config), model_timesteps(config.rolling, schedule_of(config))], dtype=torch.float64
    )
    return {"latents": torch.cat(made, dim=2), "again": torch.cat(again, dim=2), "levels": levels}


def causal_rollout(name: str, **options) -> Tensors:
    preset = checkpoint_preset(name)
    return few_step_rollout(reduced(config_for(preset), preset.network), **options)


# tracks


def track_tensors(tracks: Tracks, name: str = "") -> Tensors:
    prefix = f"{name}: " if name else ""
    about = torch.tensor([tracks.width, tracks.height, tracks.fps], dtype=torch.float64)
    return {f"{prefix}xy": tracks.xy, f"{prefix}visible": tracks.visible, f"{prefix}canvas": about}


def sampled_document(document: dict, frames: int | None = None) -> Tensors:
    text = json.dumps(document)
    groups = torch.tensor(document_groups(parse_document(text)))
    return {**track_tensors(document_to_tracks(parse_document(text), frames)), "groups": groups}


def curve_of(points: Sequence, interpolation: str, tension: float) -> Tensor:
    return torch.from_numpy(sample_curve(tuple(map(tuple, points)), interpolation, tension))


def keyframe_path(keys: Sequence, frames: int) -> CameraPath:
    """A path through keys (frame, (yaw, pitch, roll in degrees, x, y, z, zoom in octaves)), eased."""
    at = np.array([frame for frame, _ in keys], dtype=float)
    values, now = np.array([value for _, value in keys], dtype=float), np.arange(frames, dtype=float)
    left = np.clip(np.searchsorted(at, now, side="right") - 1, 0, max(0, len(at) - 2))
    right = np.minimum(left + 1, len(at) - 1)
    time = np.clip((now - at[left]) / np.maximum(at[right] - at[left], 1e-9), 0, 1)
    share = ease(time, "ease in-out")[:, None]
    yaw, pitch, roll, *place, zoom = (values[left] + share * (values[right] - values[left])).T
    turns = (np.radians(angle) for angle in (yaw, pitch, roll))
    return CameraPath(_poses(*turns, np.stack(place, 1)), 2.0**zoom)


def camera_moves(depth: np.ndarray) -> Tensors:
    """Every move, every easing, and a path through keys with a move on top."""
    height, width = depth.shape
    grid, made = regular_grid(width, height, 9, 7), {}
    for name in CAMERA_MOVES:
        made |= track_tensors(camera_tracks(depth, preset_path(name, 13, 0.7, seed=2), grid), name)
    for easing in EASINGS:
        made |= track_tensors(
            camera_tracks(depth, preset_path("truck", 13, -1.2, easing), grid, 24.0, 40.0), easing
        )
    keys = [(0, (0, 0, 0, 0, 0, 0, 0)), (6, (5, -3, 2, 0.1, 0, 0.2, 0.3)), (12, (-4, 1, 0, 0, -0.1, 0.1, 0))]
    path = keyframe_path(keys, 13).then(preset_path("dolly", 13, 0.5))
    return made | track_tensors(camera_tracks(depth, path, grid), "keys")


def track_edits(tracks: Tracks, other: Tracks, picture: np.ndarray) -> Tensors:
    edits = {
        "fitted hold": tracks.fitted(31, "hold"),
        **{f"fitted {mode}": tracks.fitted(31, mode) for mode in MODES if mode not in ("error", "hold")},
        "rescaled": tracks.rescaled(2 * tracks.width, tracks.height // 2),
        "in mask": tracks.select(select_in_mask(tracks, np.eye(2) > 0)),
        "spread": tracks.select(select_spread(tracks, 4)),
        "transformed": transform_tracks(tracks, (3, -2), (1.5, -1), 30, motion=0.5),
        "jittered": jitter_tracks(tracks, 1.0, seed=3),
        "smoothed": smooth_tracks(tracks, 2.0),
        "retimed": retime_tracks(tracks, Timing("ease in", 2.0, True, 2, 3, "ping-pong", 31)),
        "retimed by keys": retime_tracks(tracks, Timing(keys=((0.0, 0.0), (0.3, 0.8), (1.0, 1.0)))),
        "cleaned": clean_tracks(tracks, 1.5, 0.5),
        "snapped": snap_to_objects(tracks, picture)[0],
        "joined": join_tracks(tracks, other, "hold"),
        "carried": carry_objects(tracks, match_tracks(other, tracks, "resample")),
        "camera over": camera_over_objects(tracks, match_tracks(other, tracks, "resample")),
    }
    return {
        key: value for name, edited in edits.items() for key, value in track_tensors(edited, name).items()
    }


def retargetings(width: int, height: int) -> Tensors:
    """A drifting camera and a subject of its own motion, brought to another canvas."""
    mask, target = np.zeros((height, width), np.float32), np.zeros((2 * height, 2 * width), np.float32)
    mask[24:40, 32:56], target[90:122, 80:128] = 1, 1
    seeds = seeds_for(width, height, 24, 16, mask=mask)
    time = np.arange(9)[:, None, None]
    xy = (
        seeds.xy[None]
        + time * np.array([0.8, -0.4])
        + seeds.subject[None, :, None] * time * np.array([2.0, 0.5])
    )
    source = Tracks(torch.from_numpy(xy).float(), torch.ones(xy.shape[:2], dtype=torch.bool), width, height)
    made = {"seeds: xy": torch.from_numpy(seeds.xy), "seeds: subject": torch.from_numpy(seeds.subject)}
    for part, goal in (("subject", target), ("everything", target), ("camera", None), ("subject", None)):
        name = part if goal is None else f"{part} to a target"
        made |= track_tensors(retarget_tracks(source, seeds, part, 2 * width, 2 * height, goal), name)
    return made


def tracked(frames: np.ndarray) -> Tensors:
    """The pack's own point tracker on a video (T, H, W, 3) uint8."""
    return track_tensors(
        track_video(list(frames), lambda width, height: regular_grid(width, height, 10, 8), 16.0)
    )


def read_files() -> Tensors:
    made = {}
    for path in sorted(FIXTURES.iterdir()):
        if path.suffix not in (".json", ".npz", ".npy", ".txt") or path.stem in (
            "expected",
            "wan_move_visibility",
        ):
            continue
        if path.stem.startswith("host_"):
            value = {key: torch.from_numpy(array) for key, array in np.load(path).items()}
            made |= track_tensors(tracks_from_host(value, 832, 480), path.stem)
        else:
            made |= track_tensors(read_tracks(path, 832, 480), path.stem)
    return made


def written_and_read(tracks: Tracks, folder: Path) -> Tensors:
    made = {}
    for style in STYLES:
        text = tracks_to_json(tracks, style)
        made[f"{style}: text"] = text_tensor(text)
        made |= track_tensors(tracks_from_json(text, tracks.width, tracks.height), style)
    save_npz(tracks, folder / "tracks.npz")
    return made | track_tensors(load_npz(folder / "tracks.npz"), "npz")


def carried_picture(image: Tensor, xy: Tensor, visible: Tensor) -> Tensors:
    """image (3, H, W): carried along tracks, as the small presets see it, and warped along them."""
    carrier = ForwardWarp(image, xy[0])
    shown, warped = carrier(xy, visible), warp_frames(image, xy[0], xy, visible)
    seen = forward_warp(carrier, xy, visible)
    places = torch.tensor([[4.0, 5.0], [31.5, 20.2], [60.0, 61.0]])
    return {
        "carried: frames": shown.frames,
        "carried: distance": shown.distance,
        "carried: uncovered": shown.disoccluded,
        "carried: origin": carrier.to_reference(xy[-1], visible[-1], places),
        "shown: frames": seen.frames,
        "shown: maps": seen.maps,
        "warped: frames": warped.frames,
        "warped: distance": warped.distance,
        "warped: uncovered": warped.disoccluded,
        "warped: filled": fill_disoccluded(warped.frames, warped.disoccluded),
    }


def start_picture(size: int) -> Tensor:
    return cover(read_image(WORKFLOWS / "motionstream_example.png"), size, size)


def painted_tracks() -> tuple[Tracks, Tensor]:
    """The tracks and handles of the first shipped workflow's editor, on the day of the recording."""
    text = (DOCUMENTS / "paint-a-track.json").read_text(encoding="utf-8")
    document = parse_document(text)
    return document_to_tracks(document), torch.tensor(document_groups(document))


# training


def model_of(config: ModelConfig, name: str, seed: int) -> MotionModel:
    made = MotionModel(config, own_words=name.startswith("tiny"))
    return filled(made, seed)


def clip_batch(config: ModelConfig, seed: int, size: int, text: bool, unspecified: bool = False) -> Tensors:
    """Random clips of 10 latent frames of 4 x 4 cells with 5 tracks, the fields of a shard."""
    rng, channels, side = (
        torch.Generator().manual_seed(seed),
        config.latent_channels,
        4 * config.vae_stride[1],
    )
    latents = torch.randn(size, channels, 10, 4, 4, generator=rng)
    batch = {
        "latents": latents,
        "warp": latents + 0.5 * torch.randn(latents.shape, generator=rng),
        "masks": torch.rand(size, 8, 10, 4, 4, generator=rng),
        "xy": torch.rand(size, 37, 5, 2, generator=rng) * side,
        "visible": torch.rand(size, 37, 5, generator=rng) < 0.8,
        "tokens": torch.randint(1, 20, (size, config.text_len), generator=rng),
    }
    words = torch.randn(size, config.text_len, config.text_dim, generator=rng)
    if text:
        batch["text"] = words
        del batch["tokens"]
    if unspecified:
        batch["unspecified"] = ~batch["visible"] & (torch.rand(size, 37, 5, generator=rng) < 0.5)
    return batch


class Batches:
    """A source of data for the engine: make(seed, size)."""

    def __init__(self, make: Callable[[int, int], Tensors]):
        self.make = make

    def batch(self, rng: np.random.Generator, size: int) -> Tensors:
        return self.make(int(rng.integers(2**40)), size)


def clips_for(config: ModelConfig, name: str, unspecified: bool = False) -> Batches:
    text = not name.startswith("tiny")
    return Batches(lambda seed, size: clip_batch(config, seed, min(size, 4), text, unspecified))


def trained(stage, data, folder: Path, steps: int = 2, optimizer: str = "muon", held: bool = True) -> Tensors:
    """A few steps by the engine -> the curve, the weights of each role that learns, the exported average."""
    rates = {role: 4e-3 for role in stage.trainable}
    stage.validation_data = data if held else getattr(stage, "validation_data", None)
    config = TrainConfig(
        lr=rates,
        steps=steps,
        batch=2,
        accumulate=2,
        warmup=2,
        decay=0.5,
        ema_decay=0.9,
        weight_decay=0.01,
        optimizer=optimizer,
        log_every=1,
        device="cpu",
        seed=5,
        save_seconds=1e9,
    )
    train(stage, data, config, folder, {"preset": "golden"}, lambda line: None)
    rows = [json.loads(line) for line in (folder / "curve.jsonl").read_text(encoding="utf-8").splitlines()]
    timed = ("minutes", "seconds")
    numbers = [v for row in rows for k, v in sorted(row.items()) if not any(word in k for word in timed)]
    made = {"curve": torch.tensor(numbers, dtype=torch.float64)}
    for role in stage.trainable:
        made[f"{role}: weights"] = flat(stage.modules[role].state_dict())
    return made | {f"{stage.ema}: average": flat(load_file(folder / f"{stage.ema}.safetensors"))}


def flat(state: Tensors) -> Tensor:
    """A state dict as one vector, its keys in order."""
    return torch.cat([state[key].detach().float().reshape(-1) for key in sorted(state)])


def trained_teacher(
    name: str, phase: int, folder: Path, unspecified: bool = False, weighting: str = "uniform", **options
):
    config = training_config(name, unspecified)
    stage = TeacherStage(
        model_of(config, name, 1), TeacherRecipe(phase=phase, weighting=weighting, mask_last=True)
    )
    return trained(stage, clips_for(config, name, unspecified), folder, **options)


def training_config(name: str, unspecified: bool = False) -> ModelConfig:
    config = small_config(name)
    return replace(config, motion=replace(config.motion, unspecified_channel=True)) if unspecified else config


def refresh_of(share: float) -> SinkRefresh:
    return SinkRefresh(share, small_tiny_codec()) if share else NEVER


def trained_causal(name: str, folder: Path, refresh: float = 0.0, **options) -> Tensors:
    config = training_config(name)
    stage = CausalStage(model_of(config, name, 1), CausalRecipe(long_share=0.5), refresh=refresh_of(refresh))
    return trained(stage, clips_for(config, name), folder, **options)


def trained_causal_init(name: str, start: str, data, folder: Path, **options) -> Tensors:
    recipe = CausalInitRecipe(start=start, text_dropout=0.2, context_noise=0.1)
    stage = CausalInitStage(model_of(training_config(name), name, 1), recipe)
    return trained(stage, data or clips_for(training_config(name), name), folder, **options)


def trained_distill(
    name: str, folder: Path, refresh: float = 0.0, recipe: dict | None = None, **options
) -> Tensors:
    config = training_config(name)
    made = DistillRecipe(**{"critic_steps": 1, "anchor": 0.5, **(recipe or {})})
    stage = DistillStage(
        model_of(config, name, 1), model_of(config, name, 2), made, refresh=refresh_of(refresh)
    )
    return trained(stage, clips_for(config, name), folder, **options)


def trajectories_of(name: str, folder: Path, causal: bool) -> tuple[Trajectories, Tensors]:
    """Paths of a guided teacher in files, and what is in them."""
    config = training_config(name)
    teacher = model_of(config, name, 9).eval().requires_grad_(False)
    write_trajectories(
        teacher,
        clips_for(config, name),
        folder,
        2,
        batch=2,
        steps=4,
        shift=config.rolling.shift,
        guidance=Guidance(3.0, 1.5),
        causal=causal,
        seed=0,
        progress=lambda line: None,
    )
    files = [load_file(path) for path in sorted(folder.glob("*.safetensors"))]
    tensors = {key: torch.stack([file[key] for file in files]) for key in sorted(files[0])}
    return Trajectories(folder, schedule_of(config)), tensors


def trained_detail(data: Callable[[int, int], Tensors], folder: Path) -> Tensors:
    stage = DetailStage(filled(DetailHead((4, 8, 8)), 1))
    return trained(stage, Batches(data), folder, held=True)


def trained_codec(
    data: Callable[[int, int], Tensors], clips: Tensor, folder: Path, decoder_only: bool
) -> Tensors:
    codec = small_tiny_codec(1).requires_grad_(True)
    stage = CodecStage(codec, None if decoder_only else clips, clips)
    return trained(stage, Batches(data), folder, held=False)


def rendered(frames: int, size: int, seed: int, style: str | None = None):
    """A clip of the synthetic world, of pictures and sprites made here."""
    rng = np.random.default_rng(seed)
    pictures = [(255 * smooth_picture(200, number)).astype(np.uint8) for number in range(2)]
    sprites = np.stack([np.dstack([255 - pictures[n][:96, :96], disc(96)]) for n in range(2)])
    return render(
        random_scene(rng, pictures, sprites, ["ball", "box"], size=size, frames=frames, style=style),
        rng,
        60,
        20,
    )


def smooth_picture(size: int, seed: int) -> np.ndarray:
    """(size, size, 3) 0..1."""
    rows, columns = np.mgrid[0:size, 0:size] / size
    waves = [
        np.sin(9 * (channel + 1) * rows + 7 * seed) * np.cos(11 * columns + channel) for channel in range(3)
    ]
    return 0.5 + 0.5 * np.stack(waves, -1)


def disc(size: int) -> np.ndarray:
    rows, columns = np.mgrid[0:size, 0:size] / (size - 1) - 0.5
    return (255 * (np.hypot(rows, columns) < 0.45)).astype(np.uint8)


def shard_samples(clip) -> Tensors:
    """A sample of a shard with exact tracks, and one with a person's."""
    chosen = np.arange(0, clip.xy.shape[1], 3)
    exact = make_sample(small_tiny_codec(), clip, chosen)
    hand = imperfect_sample(small_tiny_codec(), clip, chosen, 4, unspecified=True)
    named = {"exact": exact, "by hand": hand}
    return {
        f"{kind}: {key}": torch.from_numpy(v) for kind, sample in named.items() for key, v in sample.items()
    }


def clip_tensors(clip) -> Tensors:
    arrays = {"frames": clip.frames, "xy": clip.xy, "visible": clip.visible, "owner": clip.owner}
    return {key: torch.from_numpy(np.ascontiguousarray(value)) for key, value in arrays.items()} | {
        "caption": text_tensor(clip.caption)
    }


# ---- part two: the runs ----

RUNS: dict[str, Run] = {}
KINDS = ("track head", "guided", "none")  # of control


def run(name: str, *arguments) -> Callable:
    """Names a run: of the function as it is, or with these arguments after the folder."""

    def add(function: Callable) -> Callable:
        assert name not in RUNS, name
        RUNS[name] = lambda folder: function(folder, *arguments)
        return function

    return add


def runs(names: Iterable[str], before: str = "", after: str = "") -> Callable:
    """One run for each name, which the function is given."""

    def add(function: Callable) -> Callable:
        for name in names:
            run(f"{before}{name}{after}", name)(function)
        return function

    return add


def text_tensor(text: str) -> Tensor:
    return torch.frombuffer(bytearray(text.encode()), dtype=torch.uint8)


def picture(size: int) -> Tensor:
    """(size, size, 3): waves and a little noise, so that no two places are alike."""
    return (
        0.9 * torch.from_numpy(smooth_picture(size, 1)).float() + 0.1 * uniform(size, size, 3, seed=3)
    ).clamp(0, 1)


def paths(frames: int, size: int) -> tuple[Tensor, Tensor]:
    """Six points: one walks, one turns, one swings, two rest (one of them hidden for a while), one leaves."""
    time = torch.linspace(0, 1, frames, dtype=torch.float64)
    turn = 2 * math.pi * time
    x = [
        0.2 + 0.4 * time,
        0.6 + 0.15 * turn.cos(),
        0.3 + 0 * time,
        0.8 + 0 * time,
        0.12 + 0 * time,
        0.7 + 0.5 * time,
    ]
    y = [
        0.25 + 0.2 * time,
        0.6 + 0.15 * turn.sin(),
        0.7 + 0.2 * turn.sin(),
        0.2 + 0 * time,
        0.85 + 0 * time,
        0.8 + 0 * time,
    ]
    visible = torch.ones(frames, 6, dtype=torch.bool)
    visible[frames // 3 : frames // 2, 4] = False
    return (size * torch.stack([torch.stack(x, -1), torch.stack(y, -1)], -1)).float(), visible


def walk(frames: int, size: int):
    return tracks_of(*paths(frames, size), size, size)


# streams


def streamed(networks, size: int, frames: int, **options) -> Tensors:
    return chunk_tensors(list(streaming(networks, picture(size), walk(21, size), frames, **options)))


for _name in PRESET_NAMES:
    for _kind in KINDS if has_track_head(_name) else KINDS[1:]:

        @run(f"stream {_name}: {_kind}", _name, _kind)
        def of_preset(folder, name, kind):
            size = 8 * stride_of(name) if name.startswith("tiny") else 4 * stride_of(name)
            return streamed(small_networks(name), size, 42, control=kind)


@runs(("tiny", "tiny-ids"), "stream at full width ")
def of_wide_preset(folder, name):
    return streamed(wide_networks(name), 64, 29)


STREAMS = {
    "one step": {"steps": 1},
    "five steps": {"steps": 5},
    "another seed": {"seed": 4, "id_seed": 8},
    "context c2s0w1": {"context": "c2s0w1"},
    "context c1s1w2": {"context": "c1s1w2"},
    "beside": {"beside": True},
    "guided, weakly": {"control": "guided", "lead": (0.9, 0.1)},
    "tracks that loop": {"fit": "loop"},
    "tracks that hold": {"fit": "hold"},
    "tracks resampled": {"fit": "resample"},
}


@runs(STREAMS, "stream with ")
def with_options(folder, name):
    return streamed(small_networks("tiny"), 32, 34, **STREAMS[name])


@run("stream with a detail head, and without it")
def with_detail(folder):
    networks = small_networks("tiny", detail=True)
    shown, left_out = (streamed(networks, 32, 26, detail=detail) for detail in (True, False))
    return {"frames": shown["frames"], "left out: frames": left_out["frames"], "latents": shown["latents"]}


@run("stream decoded by another codec")
def with_split_codec(folder):
    return streamed(small_networks("wan2.1-1.3b-motion", codec=CODECS["split"]()), 32, 34)


@runs(("loop", "hold", "end"), "stream of a feed, at its end: ")
def with_feed(folder, at_end):
    xy, _ = paths(15, 32)
    feed = feed_of(lambda number: xy[number], 15, 32, at_end)
    return chunk_tensors(list(streaming(small_networks("tiny"), picture(32), feed, 30)))


@runs(CAUSAL_NAMES, "rollout of ")
def of_causal_preset(folder, name):
    with_image = causal_rollout(name, chunks=5, image=True, switch=3)
    alone = causal_rollout(name, chunks=4, image=False)
    return {**with_image, **{f"without an image: {key}": value for key, value in alone.items()}}


@runs(("tiny", "tiny-ids", "wan2.2-5b-motion"), "rollout, its scene changed, of ")
def with_scene(folder, name):
    return few_step_rollout(small_config(name), chunks=5, image=True, switch=4, scene=3)


# live


def live(
    networks, size: int, posts: dict[int, list[dict]], waiting: Sequence[dict] = (), **options
) -> Tensors:
    """posts: after how many chunks which messages are posted; waiting: one by one while the stream is paused.

    Then the performance is played again.
    """
    control, left = options.get("control"), list(waiting)
    session = new_session(networks, control)

    def wait():
        if session.status == "paused" and left:
            session.post(left.pop(0))

    options = {"groups": torch.tensor([0, 0, 1, 2, 3, -1]), "encode": None, **options}
    if networks.text_encoder is None:
        options["encode"] = other_text(networks)
    image, tracks, chunks = picture(size), walk(41, size), []
    for chunk in streaming(networks, image, tracks, None, session=session, check_interrupt=wait, **options):
        chunks.append(chunk)
        for message in posts.get(len(chunks), ()):
            session.post(message)
    performance, log = performance_text(session), log_text(session)
    made = {**chunk_tensors(chunks), **kept_tensors(chunks, size, size)}
    script = new_session(networks, control, performance)
    again = streaming(networks, image, tracks, len(made["kept frames"]), session=script, **options)
    played = chunk_tensors(list(again))
    assert torch.equal(played["frames"], made["kept frames"]), "a performance played again is the same video"
    texts = {"performance": text_tensor(performance), "log": text_tensor(log)}
    return {**made, **texts, "played: handles": played["handles"], "played: latents": played["latents"]}


def everything(size: int) -> dict[int, list[dict]]:
    """Every type of control and mode of it, some of which name what is not there."""

    def at(x: float, y: float) -> list[float]:
        return [x * size, y * size]

    return {
        1: [{"type": "pin_border"}, {"type": "move", "hand": 5, "to": [at(0.5, 0.5)]}],
        2: [
            {"type": "grab", "hand": 0, "handle": 0},
            {"type": "move", "hand": 0, "to": [at(0.3, 0.4), at(0.5, 0.3)]},
            {"type": "grab", "hand": 1, "at": at(0.45, 0.9), "radius": size / 12},
            {"type": "move", "hand": 1, "to": [at(0.55, 0.8)]},
        ],
        3: [
            {"type": "move", "hand": 0, "to": [at(0.6, 0.5)]},
            {"type": "release", "hand": 0, "mode": "keep"},
            {"type": "release", "hand": 1, "mode": "fade"},
            {"type": "prompt", "text": "night blue fish rests"},
        ],
        4: [
            {
                "type": "add",
                "kind": "path",
                "points": [at(0.3, 0.3), at(0.6, 0.2), at(0.7, 0.4)],
                "seconds": 1.1,
            },
            {"type": "add", "kind": "pin", "points": [at(0.9, 0.9)], "brush": {"radius": 4, "spacing": 2}},
            {"type": "add", "kind": "grid", "points": [at(0.2, 0.5), at(0.25, 0.5), at(0.2, 0.55)]},
            {"type": "grab", "hand": 2, "at": at(0.8, 0.2), "radius": size / 10},
        ],
        5: [
            {"type": "camera", "pan": [6, -4], "zoom": 0.25, "roll": 5, "orbit": -6},
            {"type": "move", "hand": 2, "to": [at(0.7, 0.3)]},
            {"type": "remove", "handle": 1},
            {"type": "remove", "handle": 77},
        ],
        6: [{"type": "scene"}, {"type": "release", "hand": 2, "mode": "pin"}],
        7: [
            {
                "type": "add",
                "kind": "path",
                "points": [at(0.1, 0.1), at(0.4, 0.2)],
                "brush": {"radius": 3, "spacing": 3},
            }
        ],
        8: [{"type": "camera"}, {"type": "rewind", "chunk": 6}],
        9: [{"type": "prompt", "text": "sepia"}, {"type": "grab", "hand": 3, "handle": 3}],
        10: [{"type": "move", "hand": 3, "to": [at(0.3, 0.6)]}, {"type": "pause"}],
        12: [{"type": "prompt", "text": "night blue fish rests"}, {"type": "camera", "orbit": 10}],
        13: [{"type": "scene"}, {"type": "release", "hand": 3, "mode": "keep"}],
        14: [{"type": "rewind", "chunk": 1}],
        15: [{"type": "grab", "hand": 0, "handle": 2}, {"type": "move", "hand": 0, "to": [at(0.5, 0.1)]}],
        16: [{"type": "scene"}, {"type": "prompt", "text": "fog"}],
        18: [{"type": "stop"}],
    }


WAITING = ({"type": "step"}, {"type": "step"}, {"type": "rewind", "chunk": 7}, {"type": "resume"})
LIVE = {
    "tiny": ("tiny", 64, {}),
    "tiny, guided": ("tiny", 64, {"control": "guided"}),
    "tiny-ids": ("tiny-ids", 64, {}),
    "wan2.1-1.3b-motion": ("wan2.1-1.3b-motion", 32, {}),
    "wan2.2-5b-motion": ("wan2.2-5b-motion", 64, {}),
    "wan2.1-1.3b, guided": ("wan2.1-1.3b", 32, {"control": "guided"}),
}


@runs(LIVE, "live, every control, of ")
def every_control(folder, name):
    preset, size, options = LIVE[name]
    return live(small_networks(preset), size, everything(size), WAITING, **options)


@run("live, without a track head or a guide")
def no_motion_controls(folder):
    posts = {
        2: [{"type": "prompt", "text": "night"}],
        4: [{"type": "scene"}, {"type": "pause"}],
        6: [{"type": "rewind", "chunk": 3}],
        7: [{"type": "prompt", "text": "fog"}],
        9: [{"type": "stop"}],
    }
    return live(small_networks("wan2.1-1.3b"), 32, posts, ({"type": "step"}, {"type": "resume"}))


ONE_BY_ONE = {
    "a rewind": {4: [{"type": "rewind", "chunk": 2}], 7: [{"type": "stop"}]},
    "a prompt switch": {2: [{"type": "prompt", "text": "night"}], 5: [{"type": "stop"}]},
    "a scene change": {3: [{"type": "scene"}], 6: [{"type": "stop"}]},
    "a camera move": {2: [{"type": "camera", "zoom": 0.5, "roll": 8}], 5: [{"type": "stop"}]},
}


@runs(ONE_BY_ONE, "live, ")
def one_control(folder, name):
    made = {
        kind: live(small_networks(kind, detail=kind == "tiny"), 32, ONE_BY_ONE[name])
        for kind in ("tiny", "tiny-ids")
    }
    wanted = ("frames", "latents", "xy", "order")
    return {f"{kind}: {key}": tensors[key] for kind, tensors in made.items() for key in wanted}


@run("live, a history of few bytes")
def short_history(folder):
    posts = {5: [{"type": "rewind", "chunk": 1}], 9: [{"type": "stop"}]}
    # Recorded at 150,000: a moment now counts its live tracks too, so that as many moments need more.
    return live(small_networks("tiny"), 32, posts, history_bytes=175_000)


# the shipped weights


@runs(KINDS, "shipped weights: ")
def of_shipped(folder, kind):
    tracks, _ = painted_tracks()
    prompt = "photo field, red object moves right, camera still"
    frames = 25 if kind == KINDS[0] else 13
    options = {"prompt": prompt, "fit": "hold", "control": kind}
    chunks = list(streaming(shipped_networks(), start_picture(128), tracks, frames, **options))
    return {
        **chunk_tensors(chunks),
        "without detail": decoded_alone(tracks, prompt) if kind == KINDS[0] else chunks[0].frames,
    }


def decoded_alone(tracks, prompt: str) -> Tensor:
    chunks = streaming(
        shipped_networks(), start_picture(128), tracks, 13, prompt=prompt, fit="hold", detail=False
    )
    return torch.cat([chunk.frames for chunk in chunks])


@run("shipped weights, steered")
def shipped_live(folder):
    networks, (tracks, groups) = shipped_networks(), painted_tracks()
    session, chunks = new_session(networks), []
    posts = {
        1: [{"type": "grab", "hand": 0, "handle": 0}, {"type": "move", "hand": 0, "to": [[60, 40]]}],
        2: [
            {"type": "scene"},
            {"type": "prompt", "text": "night"},
            {"type": "camera", "pan": [10, 0], "zoom": 0.2},
        ],
        3: [{"type": "rewind", "chunk": 2}],
        4: [{"type": "stop"}],
    }
    for chunk in streaming(
        networks, start_picture(128), tracks, None, session=session, fit="hold", groups=groups
    ):
        chunks.append(chunk)
        for message in posts.get(len(chunks), ()):
            session.post(message)
    return {**chunk_tensors(chunks), "performance": text_tensor(performance_text(session))}


# codecs


@runs(CODECS, "codec ")
def of_codec(folder, name):
    stride, channels = CODEC_STRIDES.get(name, 8), CODEC_CHANNELS.get(name, 16)
    frames = torch.stack([picture(4 * stride).permute(2, 0, 1).roll(number, -1) for number in range(25)])[
        None
    ]
    return codec_pieces(name, frames, drawn(1, channels, 7, 3, 4, seed=6), (1, 3, 3))


# tracks


@run("documents")
def documents(folder):
    golden = json.loads(SPLINE.read_text(encoding="utf-8"))
    # Those of the day of the recording.
    cases = [
        sampled_document(case["document"], case["frames"])
        for case in golden["cases"]
        if case["document"]["version"] == 1
    ]
    made = {key: torch.cat([case[key].reshape(-1) for case in cases]) for key in cases[0]}
    curves = [
        curve_of(each["points"], each["interpolation"], each.get("tension", 0.0)) for each in golden["curves"]
    ]
    return {**made, "curves": torch.cat(curves)}


@runs(("paint-a-track", "camera-and-object"), "the document of ")
def shipped_document(folder, name):
    # As it was shipped on the day of the recording.
    made = sampled_document(json.loads((DOCUMENTS / f"{name}.json").read_text(encoding="utf-8")))
    return {f"0: {key}": value for key, value in made.items()}


@run("camera tracks")
def camera(folder):
    rows, columns = np.mgrid[0:64, 0:96]
    depth = 2.0 + 0.01 * columns + 0.02 * rows
    depth[20:50, 40:56] = 1.0
    depth[0, 0] = np.nan
    return camera_moves(depth)


@run("edited tracks")
def edited(folder):
    return track_edits(walk(25, 64), walk(9, 32), smooth_picture(64, 2))


@run("retargeted tracks")
def retargets(folder):
    return retargetings(96, 64)


@run("track files")
def track_files(folder):
    return read_files()


@run("tracks written and read")
def written_tracks(folder):
    return written_and_read(walk(12, 64), folder)


@run("the carried picture")
def carried_start(folder):
    xy, visible = paths(9, 64)
    grid = torch.stack(
        torch.meshgrid(torch.arange(2.0, 64, 6), torch.arange(2.0, 64, 6), indexing="xy"), -1
    ).reshape(-1, 2)
    xy = torch.cat([xy, grid + torch.linspace(0, 5, 9)[:, None, None] * torch.tensor([1.0, -0.3])], dim=1)
    visible = torch.cat([visible, torch.ones(9, len(grid), dtype=torch.bool)], dim=1)
    visible[7] = False
    return carried_picture(picture(64).permute(2, 0, 1).contiguous(), xy, visible)


@run("tracked video")
def tracked_video(folder):
    return tracked(rendered(9, 96, 3).frames)


# training


@runs(("tiny", "tiny-ids", "wan2.1-1.3b-motion", "wan2.2-5b-motion"), "training teacher, ")
def teachers(folder, name):
    return trained_teacher(name, 1, folder)


@run("training teacher, phase 2, adamw")
def second_phase(folder):
    return trained_teacher("tiny-ids", 2, folder, optimizer="adamw", weighting="bell")


@run("training teacher, tracks that say nothing")
def unspecified(folder):
    return trained_teacher("tiny", 1, folder, unspecified=True)


@runs(("tiny", "tiny-ids"), "training causal, ")
def causal(folder, name):
    return trained_causal(name, folder, steps=3)


@run("training causal, a refreshed sink")
def causal_refreshed(folder):
    return trained_causal("tiny", folder, refresh=1.0)


@runs(("bidirectional", "autoregressive"), "training trajectories, ")
def trajectories(folder, kind):
    _, tensors = trajectories_of("tiny", folder, causal=kind == "autoregressive")
    return tensors


@runs(("tiny", "tiny-ids"), "training causal-init, ode, ")
def causal_init_ode(folder, name):
    data, _ = trajectories_of(name, folder / "trajectories", causal=False)
    return trained_causal_init(name, "ode", data, folder / "run")


@runs(("tiny", "tiny-ids"), "training causal-init, ar, ")
def causal_init_ar(folder, name):
    return trained_causal_init(name, "ar", None, folder)


@runs(("tiny", "tiny-ids", "wan2.1-1.3b-motion"), "training distill, ")
def distill(folder, name):
    return trained_distill(name, folder)


@run("training distill, a refreshed sink")
def distill_refreshed(folder):
    return trained_distill("tiny", folder, refresh=1.0)


@run("training distill, nothing leaves the cache")
def distill_whole(folder):
    return trained_distill("tiny-ids", folder, recipe={"rolling": False, "anchor": 0.0}, optimizer="adamw")


@run("training detail")
def detail(folder):
    def pairs(seed: int, size: int) -> Tensors:
        truth = uniform(size, 3, 16, 16, seed=seed)
        maps = (uniform(size, 2, 16, 16, seed=seed + 1) > 0.5).float()
        return {"frames": truth * 0.8, "carried": truth.roll(1, -1), "maps": maps, "truth": truth}

    return trained_detail(pairs, folder)


@runs(("whole", "decoder only"), "training codec, ")
def codec(folder, kind):
    def crops(seed: int, size: int) -> Tensors:
        return {"frames": uniform(size, 5, 3, 16, 16, seed=seed)}

    clips = torch.stack([uniform(9, 3, 32, 32, seed=seed) for seed in (1, 2)])
    return trained_codec(crops, clips, folder, decoder_only=kind == "decoder only")


@run("training data: a rendered clip and its samples")
def training_data(folder):
    clip = rendered(13, 64, 1)
    styled = rendered(5, 32, 2, "sepia")
    return {**clip_tensors(clip), **shard_samples(clip), "styled: frames": torch.from_numpy(styled.frames)}
