"""Frozen descriptions: a network's sizes, how a sampler runs it, and both together as a model.

Owns the sizes of every network, the order of the motion channels and the settings of every sampler. Knows
nothing of tensors, noise or files.

The settings of samplers stand here and not in `sampling/`, because the header of a weights file holds them:
`model/weights` reads and writes them, and `model/` imports no room above it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from .cache import CacheShape

Prediction = Literal["velocity", "gated_x0", "velocity_skip"]
Solver = Literal["renoise", "unipc"]
Recache = Literal["chunks", "window", "always"]
PREDICTIONS = ("velocity", "gated_x0", "velocity_skip")
SOLVERS = ("renoise", "unipc")
RECACHES = ("chunks", "window", "always")


@dataclass(frozen=True)
class MotionConfig:
    """What is concatenated after the noisy latent: track head, then start-image latent, warp latent and warp
    masks where used.

    The order head, image is that of the public Fun-Control weights (noisy, control, start image), so that
    they can be reused.
    `image_latent`: the start image's latent in latent frame 0, zeros in every later latent frame.
    `unspecified_channel`: the motion map also says where a track was last that was let go, as opposed to
    hidden.
    `warp`: the latent of the start image moved along the tracks, and `mask_channels` maps that say where it
    is not to be trusted.
    """

    id_dim: int = 64
    head_channels: int = 16
    latent_channels: int = 16
    image_latent: bool = False
    warp: bool = False
    mask_channels: int = 8
    unspecified_channel: bool = False

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
        motion: what is concatenated to the noisy latent; None for a model without motion channels.
        vae_stride: pixels of a latent cell, in time, height and width.
        patch: latent cells of a token.
        windows: window shapes in tokens for attention without a cache, in turn by layer; None is full
            attention.
        wrap: whether tokens that meet across an edge of the video in a shifted window see each other.
        place_features: cosines of each axis that tell tokens where in the picture they are; 0 tells nothing.
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
    place_features: int = 0

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
        """The motion channels; ValueError for a model without."""
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
        sigmas: noise levels of a model that was made for a list of its own; None: `steps` shifted ones.
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
    from_image: ClassVar[bool] = True  # chunk 0 is the start image
    guidance: ClassVar[float] = 1.0

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

    def with_cache_shape(self, shape: CacheShape) -> RollingConfig:
        """Other counts of frames, the same noise levels."""
        return replace(self, chunk_frames=shape.chunk, sink_frames=shape.sink, window_frames=shape.window)

    def with_steps(self, steps: int) -> RollingConfig:
        """Another number of steps, at shifted levels; a list of its own belongs to its own number."""
        return self if steps == self.steps else replace(self, steps=steps, sigmas=None, timesteps=None)

    def with_shift(self, shift: float) -> RollingConfig:
        """Shifted levels in the place of a list of its own."""
        return replace(self, shift=shift, sigmas=None, timesteps=None)


@dataclass(frozen=True)
class BufferConfig:
    """A queue of latent frames at staggered noise levels: StreamDiT, FIFO-Diffusion (StreamDiT, section 3.2).

    Special cases: one chunk is plain text-to-video with `micro_steps` steps, or with reference frames
    chunk-wise extension. Chunks of one frame with one micro-step are the diagonal of FIFO-Diffusion.

    Args:
        chunk_frames: latent frames of a chunk (c), which share a level and leave together.
        chunks: chunks in the queue (N).
        micro_steps: denoising steps in each slot (s).
        reference_frames: clean latent frames before the queue (K).
        gamma: exponent of the level function, sigma = 1 - t ** gamma at progress t. 1 is linear.
        guidance: of the text against the empty text; 1 is none, and half the work.
    """

    chunk_frames: int = 2
    chunks: int = 4
    micro_steps: int = 1
    reference_frames: int = 0
    gamma: float = 1.0
    guidance: float = 1.0

    follows: ClassVar[frozenset[str]] = frozenset({"prompt", "rewind"})
    from_image: ClassVar[bool] = False

    def __post_init__(self):
        for name in ("chunk_frames", "chunks", "micro_steps"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"{name}: expected a whole number from 1, got {value!r}")
        if not isinstance(self.reference_frames, int) or self.reference_frames < 0:
            raise ValueError(
                f"reference_frames: expected a whole number from 0, got {self.reference_frames!r}"
            )
        if not self.gamma > 0:
            raise ValueError(f"gamma: expected above 0, got {self.gamma}")
        if not self.guidance >= 1:
            raise ValueError(f"guidance: expected at least 1, got {self.guidance}")

    @classmethod
    def partition(
        cls,
        frames: int,
        chunk_frames: int,
        steps: int,
        *,
        reference_frames: int = 0,
        gamma: float = 1.0,
    ) -> BufferConfig:
        """The partition of a queue of `frames` latent frames whose frames get `steps` steps each.

        ValueError where the chunks do not divide the queue, or the chunks' number does not divide the steps.
        """
        if chunk_frames < 1 or frames % chunk_frames:
            raise ValueError(
                f"chunk_frames: expected a divisor of {frames} latent frames, got {chunk_frames}"
            )
        chunks = frames // chunk_frames
        if steps < 1 or steps % chunks:
            raise ValueError(f"steps: expected a multiple of {chunks} chunks, got {steps}")
        return cls(chunk_frames, chunks, steps // chunks, reference_frames, gamma)

    @property
    def queue_frames(self) -> int:
        """Latent frames that are being denoised (N c)."""
        return self.chunks * self.chunk_frames

    @property
    def frames(self) -> int:
        """Latent frames of a forward (B = K + N c)."""
        return self.reference_frames + self.queue_frames

    @property
    def forward_frames(self) -> int:
        """Latent frames of a forward."""
        return self.frames

    @property
    def steps(self) -> int:
        """Denoising steps of every frame (T = s N)."""
        return self.micro_steps * self.chunks

    def with_steps(self, steps: int) -> BufferConfig:
        """The same chunks with other micro-steps, so that every frame gets `steps` steps."""
        if steps < 1 or steps % self.chunks:
            raise ValueError(f"steps: expected a multiple of {self.chunks} chunks, got {steps}")
        return replace(self, micro_steps=steps // self.chunks)

    def level(self, progress: float) -> float:
        """The noise level at a progress of 0 (pure noise) to 1 (data)."""
        return 1.0 - progress**self.gamma

    def sigmas(self, micro_step: int) -> tuple[float, ...]:
        """The level of each chunk before this micro-step (0..s), oldest first.

        After the last one the oldest chunk is at 0 exactly, and the others are where their older
        neighbours were.
        """
        if not 0 <= micro_step <= self.micro_steps:
            raise ValueError(f"micro_step: expected 0..{self.micro_steps}, got {micro_step}")
        done = [self.micro_steps * (self.chunks - 1 - chunk) + micro_step for chunk in range(self.chunks)]
        return tuple(self.level(steps / self.steps) for steps in done)


SamplerConfig = RollingConfig | BufferConfig


@dataclass(frozen=True, kw_only=True)
class ModelConfig(NetworkConfig):
    """A network with the sampler that it was made for: a preset, and the header of a weights file.

    It is a NetworkConfig, so whatever asks for sizes alone takes it as it is.
    """

    sampler: SamplerConfig

    @property
    def rolling(self) -> RollingConfig:
        """The settings of the rolling sampler; ValueError for a model that another one runs."""
        if not isinstance(self.sampler, RollingConfig):
            raise ValueError(
                f"sampler: expected a model of the rolling sampler, got {type(self.sampler).__name__}"
            )
        return self.sampler

    @property
    def context(self) -> CacheShape:
        """Chunk, sink and window of the rolling sampler."""
        return self.rolling.cache_shape

    @property
    def steps(self) -> int:
        """Denoising steps that a frame gets."""
        return self.sampler.steps

    @property
    def shift(self) -> float:
        """The shift of the rolling sampler's noise levels."""
        return self.rolling.shift

    def with_context(self, shape: CacheShape) -> ModelConfig:
        """The same network under another chunk, sink and window."""
        return replace(self, sampler=self.rolling.with_cache_shape(shape))

    def with_steps(self, steps: int) -> ModelConfig:
        """The same network with another number of denoising steps."""
        return replace(self, sampler=self.rolling.with_steps(steps))
