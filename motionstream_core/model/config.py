"""Frozen descriptions: a network's sizes, how a sampler runs it, and both together as a model.

Owns the sizes of every network, the order of the motion channels and the settings of every sampler. Knows
nothing of tensors, noise or files.

The settings of samplers stand here and not in `sampling/`, because the header of a weights file holds them:
`model/weights` reads and writes them, and `model/` imports no room above it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

from .buffer_config import BufferConfig, Partition
from .cache import CacheShape

__all__ = ["BufferConfig", "ModelConfig", "MotionConfig", "NetworkConfig", "Partition", "RollingConfig"]

Prediction = Literal["velocity", "gated_x0", "velocity_skip"]
Solver = Literal["renoise", "unipc"]
Recache = Literal["chunks", "window", "always"]
PREDICTIONS = ("velocity", "gated_x0", "velocity_skip")
SOLVERS = ("renoise", "unipc")
CARRIES = ("nearest", "layered")  # of the start image along the tracks, see docs/adr/0013
RECACHES = ("chunks", "window", "always")
KNOWN_CHANNELS = 4  # one for each pixel frame of a latent frame


@dataclass(frozen=True)
class MapRules:
    """How points become a motion map, where a public model has rules other than the paper's.

    Args:
        cell: of a point at x pixels of `width`, on a row of w cells. "floor": floor(x / stride). "round":
            round(clamp(x / width, 0, 1) (w - 1)), half to even.
        overlap: several points in one cell. "first": the point of lowest index has it. "sum": embeddings add.
        before: the three pixel frames that latent frame 0 has no points for. "repeat": pixel frame 0 again.
            "zeros": nothing.
        angles: precision of an id times a frequency, "float64" or "float32".
    """

    cell: Literal["floor", "round"] = "floor"
    overlap: Literal["first", "sum"] = "first"
    before: Literal["repeat", "zeros"] = "repeat"
    angles: Literal["float64", "float32"] = "float64"

    def __post_init__(self):
        for name, known in MAP_RULES.items():
            if getattr(self, name) not in known:
                raise ValueError(f"{name}: expected one of {known}, got {getattr(self, name)!r}")


MAP_RULES = {
    "cell": ("floor", "round"),
    "overlap": ("first", "sum"),
    "before": ("repeat", "zeros"),
    "angles": ("float64", "float32"),
}
PAPER_MAP = MapRules()
TRACKWAN_MAP = MapRules("round", "sum", "zeros", "float32")


@dataclass(frozen=True)
class MotionConfig:
    """What is concatenated after the noisy latent: track head, then start-image latent, warp latent, warp
    masks and the mask of what is known, where used.

    The order head, image is that of the public Fun-Control weights (noisy, control, start image), so that
    they can be reused.
    `image_latent`: the start image's latent in latent frame 0, zeros in every later latent frame.
    `unspecified_channel`: the motion map also says where a track was last that was let go, as opposed to
    hidden.
    `id_range`: random track ids are below it. Over a few thousand every id lights the slow sinusoids alike,
    which says that there is a track at all.
    `warp`: the latent of the start image moved along the tracks, and `mask_channels` maps that say where it
    is not to be trusted.
    `known`: a mask of four channels behind all others, 1 in latent frame 0 and 0 in every later one.
    `grey`: the latents of the start image behind latent frame 0 are those of mid grey, encoded behind it, and
    not zeros.
    `map`: how points become the motion map.
    `points`: the least and the most points that the model was trained on. None where nobody counted.
    """

    id_dim: int = 64
    head_channels: int = 16
    latent_channels: int = 16
    image_latent: bool = False
    warp: bool = False
    mask_channels: int = 8
    unspecified_channel: bool = False
    id_range: int = 2**16
    known: bool = False
    grey: bool = False
    map: MapRules = PAPER_MAP
    points: tuple[int, int] | None = None

    @property
    def map_channels(self) -> int:
        """Channels of the motion map of one pixel frame, before four are packed into one."""
        return self.id_dim + self.unspecified_channel

    @property
    def parts(self) -> dict[str, slice]:
        """Named channel slices of the motion tensor (B, channels, T, H, W), in order."""
        sizes = {"head": self.head_channels}
        if self.image_latent:
            sizes["image"] = self.latent_channels
        if self.warp:
            sizes["warp"] = self.latent_channels
            sizes["mask"] = self.mask_channels
        if self.known:
            sizes["known"] = KNOWN_CHANNELS
        slices, start = {}, 0
        for name, size in sizes.items():
            slices[name] = slice(start, start + size)
            start += size
        return slices

    @property
    def channels(self) -> int:
        return max(part.stop for part in self.parts.values())


@dataclass(frozen=True)
class NetworkConfig:
    """The sizes of one transformer. Nothing here says how it is sampled.

    Args:
        dim: width of the residual stream.
        prediction: what the output stands for (see `sampling.flow.to_x0`).
        motion: what is concatenated to the noisy latent. None for a model without motion channels.
        vae_stride: pixels of a latent cell, in time, height and width.
        patch: latent cells of a token.
        windows: window shapes in tokens for attention without a cache, in turn by layer. None is full
            attention.
        wrap: whether tokens that meet across an edge of the video in a shifted window see each other.
        image_dim: width of the picture features (CLIP vision) that cross attention also looks at. None for a
            network that looks at the text alone.
        fps: frames a second of the clips that it was trained on.
        place_features: cosines of each axis that tell tokens where in the picture they are. 0 tells nothing.
        bidirectional: trained to see all frames of a clip at once, as a teacher. No stream runs on it.
    """

    dim: int
    ffn_dim: int
    num_heads: int
    num_layers: int
    in_channels: int
    out_channels: int
    text_dim: int
    text_len: int
    freq_dim: int
    prediction: Prediction = "velocity"
    motion: MotionConfig | None = None
    latent_channels: int = 16
    vae_stride: tuple[int, int, int] = (4, 8, 8)
    patch: tuple[int, int, int] = (1, 2, 2)
    eps: float = 1e-6
    windows: tuple[tuple[int, int, int], ...] | None = None
    wrap: bool = False
    image_dim: int | None = None
    fps: float = 16.0
    place_features: int = 0
    bidirectional: bool = False

    def __post_init__(self):
        motion_channels = self.motion.channels if self.motion else 0
        expected_in = self.latent_channels + motion_channels
        expected_out = self.latent_channels * (2 if self.prediction == "gated_x0" else 1)
        if self.prediction not in PREDICTIONS:
            raise ValueError(f"prediction: expected one of {PREDICTIONS}, got {self.prediction!r}")
        if self.prediction == "gated_x0" and not (self.motion and self.motion.warp):
            raise ValueError("prediction gated_x0: expected a motion config with warp, got none")
        if self.in_channels != expected_in:
            raise ValueError(
                f"in_channels: expected {expected_in} (noisy latent + motion), got {self.in_channels}"
            )
        if self.out_channels != expected_out:
            raise ValueError(
                f"out_channels: expected {expected_out} for {self.prediction}, got {self.out_channels}"
            )
        if self.dim % self.num_heads or (self.dim // self.num_heads) % 2:
            raise ValueError(f"dim: expected a multiple of 2 x {self.num_heads} heads, got {self.dim}")
        if self.place_features < 0:
            raise ValueError(f"place_features: expected at least 0, got {self.place_features}")
        if self.patch[0] != 1:
            raise ValueError(f"patch: expected 1 latent frame in time, got {self.patch[0]}")

    @property
    def head_dim(self) -> int:
        return self.dim // self.num_heads

    @property
    def require_motion(self) -> MotionConfig:
        """The motion channels. ValueError for a model without."""
        if self.motion is None:
            raise ValueError("motion: expected a model with motion channels, got one without")
        return self.motion

    def token_grid(self, height: int, width: int) -> tuple[int, int]:
        """Tokens down and across for a latent of height x width cells."""
        _, ph, pw = self.patch
        if height % ph or width % pw or height < ph or width < pw:
            raise ValueError(
                f"latent size: expected positive multiples of {ph} x {pw}, got {height} x {width}"
            )
        return height // ph, width // pw


@dataclass(frozen=True)
class RollingConfig:
    """Chunk by chunk against a rolling cache: MotionStream, Self Forcing, LongLive, Krea Realtime.

    Args:
        chunk_frames: latent frames denoised together.
        sink_frames: first latent frames, which stay in the cache for ever.
        window_frames: last latent frames in the cache, before the chunk in work.
        steps: denoising steps of a chunk.
        shift: shift of the noise levels.
        sigmas: noise levels of a model that was made for a list of its own. None: `steps` shifted ones.
        timesteps: what the network is told at each of `sigmas`, where it is not 1000 sigma.
        first_chunk_sigmas: noise levels of the first chunk, for a student that takes more steps there.
        solver: between two noise levels, "renoise" (the prediction noised afresh) or "unipc" (the
            deterministic multistep solver).
        recache: how the context is written again. "chunks": sink and window chunk by chunk, after another
            text. "window": the window in one piece, beside the sink as it is. "always": all of it in one
            piece, before every chunk.
    """

    chunk_frames: int
    sink_frames: int
    window_frames: int
    steps: int
    shift: float
    sigmas: tuple[float, ...] | None = None
    timesteps: tuple[float, ...] | None = None
    first_chunk_sigmas: tuple[float, ...] | None = None
    solver: Solver = "renoise"
    recache: Recache = "chunks"

    # What every sampler's settings say of it, so that a stream need not ask which it has.
    follows: ClassVar[frozenset[str]] = frozenset({"motion", "prompt", "scene", "rewind"})
    guides: ClassVar[bool] = True  # a guide of latents can lead it along tracks
    from_image: ClassVar[bool] = True  # chunk 0 is the start image
    guidance: ClassVar[float] = 1.0
    takes_video: ClassVar[bool] = False  # a source video's frames enter what is being denoised
    reference_frames: ClassVar[int] = 0  # clean latent frames before the first chunk

    def __post_init__(self):
        own = len(self.sigmas or ())
        if self.solver not in SOLVERS:
            raise ValueError(f"solver: expected one of {SOLVERS}, got {self.solver!r}")
        if self.recache not in RECACHES:
            raise ValueError(f"recache: expected one of {RECACHES}, got {self.recache!r}")
        if self.sigmas is not None and own != self.steps:
            raise ValueError(f"sigmas: expected one for each of {self.steps} steps, got {own}")
        if self.timesteps is not None and len(self.timesteps) != own:
            raise ValueError(
                f"timesteps: expected one for each of the model's own {own} sigmas, got {len(self.timesteps)}"
            )
        _ = self.cache_shape  # which checks the three counts

    @property
    def forward_frames(self) -> int:
        """Latent frames of a forward."""
        return self.chunk_frames

    @property
    def cache_shape(self) -> CacheShape:
        """The same three counts, as a cache takes them."""
        return CacheShape(self.chunk_frames, self.sink_frames, self.window_frames)

    @property
    def label(self) -> str:
        """The settings in a few letters, as people name them."""
        return self.cache_shape.label

    def memory_bytes(self, network: NetworkConfig, tokens: int, itemsize: int) -> int:
        """Bytes that the sampler keeps for the whole stream: its rolling cache.

        Args:
            network: whose keys and values are kept.
            tokens: of a latent frame.
            itemsize: bytes of a number.
        """
        return self.cache_shape.kv_bytes(tokens, network.dim, network.num_layers, itemsize)

    def adjusted(self, steps: int | None, buffer: Mapping[str, Any] | None) -> RollingConfig:
        """The settings with what a stream asks for. ValueError for settings of a moving buffer.

        Args:
            steps: denoising steps of a chunk. None leaves the model's own.
            buffer: settings of a moving buffer, which this sampler has none of.
        """
        if buffer is not None:
            raise ValueError(
                "model: expected one that runs on a moving buffer for settings of a moving buffer, got one "
                "with a rolling cache"
            )
        return self if steps is None else self.with_steps(steps)

    def with_cache_shape(self, shape: CacheShape) -> RollingConfig:
        """Other counts of frames, the same noise levels."""
        return replace(self, chunk_frames=shape.chunk, sink_frames=shape.sink, window_frames=shape.window)

    def with_steps(self, steps: int) -> RollingConfig:
        """Another number of steps, at shifted levels. A list of its own belongs to its own number."""
        return self if steps == self.steps else replace(self, steps=steps, sigmas=None, timesteps=None)

    def with_shift(self, shift: float) -> RollingConfig:
        """Shifted levels in the place of a list of its own."""
        return replace(self, shift=shift, sigmas=None, timesteps=None)


SamplerConfig = RollingConfig | BufferConfig


@dataclass(frozen=True, kw_only=True)
class ModelConfig(NetworkConfig):
    """A network with the sampler that it was made for: a preset, and the header of a weights file.

    It is a NetworkConfig, so whatever asks for sizes alone takes it as it is.
    """

    sampler: SamplerConfig

    @property
    def rolling(self) -> RollingConfig:
        """The settings of the rolling sampler. ValueError for a model that another one runs."""
        if not isinstance(self.sampler, RollingConfig):
            raise ValueError(
                f"sampler: expected a model of the rolling sampler, got {type(self.sampler).__name__}"
            )
        return self.sampler

    def with_context(self, shape: CacheShape) -> ModelConfig:
        """The same network under another chunk, sink and window."""
        return replace(self, sampler=self.rolling.with_cache_shape(shape))

    def with_steps(self, steps: int) -> ModelConfig:
        """The same network with another number of denoising steps."""
        return replace(self, sampler=self.rolling.with_steps(steps))
