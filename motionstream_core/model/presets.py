"""Frozen descriptions of the networks, and the named presets.

Owns the sizes of every network and the order of the motion channels. Knows nothing of tensors.
Wan sizes are those of the public T2V 1.3B, T2V 14B and TI2V 5B models (30/40/30 blocks).
"""

from dataclasses import dataclass, replace

from .cache import CacheShape

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
class Manner:
    """How the makers of a checkpoint sample from it, where that is not the plain way.

    solver: between two noise levels, "renoise" (the prediction noised afresh) or "unipc" (the deterministic
    multistep solver).
    timesteps: what the network is told at each of the config's `sigmas`, where it is not 1000 sigma.
    first_sigmas: the noise levels of the first chunk that is made, for a student that takes more steps there.
    recache: how what is kept is made again: sink and window in "chunks" (after another text); the "window" at
    once beside the sink as it is; or both at once, and "always", before every chunk.
    """

    solver: str = "renoise"
    timesteps: tuple[float, ...] | None = None
    first_sigmas: tuple[float, ...] | None = None
    recache: str = "chunks"

    def __post_init__(self):
        if self.solver not in SOLVERS:
            raise ValueError(f"solver: expected one of {SOLVERS}, got {self.solver!r}")
        if self.recache not in RECACHES:
            raise ValueError(f"recache: expected one of {RECACHES}, got {self.recache!r}")


@dataclass(frozen=True)
class ModelConfig:
    """One causal DiT. `context` is the default rolling context in latent frames; `steps` and `shift` the
    default schedule.

    `sigmas`: the noise levels of the default schedule, for a model that was made for a list of its own.
    `windows`: shapes of the windows of self attention without a cache, in tokens, in turn by layer; none: all
    tokens see each other.
    `wrap`: whether tokens that meet in a shifted window across an edge of the video see each other.
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
    context: CacheShape
    steps: int
    shift: float
    prediction: str = "velocity"
    motion: MotionConfig | None = None
    latent_channels: int = 16
    vae_stride: tuple[int, int, int] = (4, 8, 8)
    patch: tuple[int, int, int] = (1, 2, 2)
    eps: float = 1e-6
    sigmas: tuple[float, ...] | None = None
    manner: Manner = Manner()
    windows: tuple[tuple[int, int, int], ...] | None = None
    wrap: bool = False

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
        if self.sigmas is not None and len(self.sigmas) != self.steps:
            raise ValueError(f"sigmas: expected one for each of {self.steps} steps, got {len(self.sigmas)}")
        if self.manner.timesteps is not None and len(self.manner.timesteps) != len(self.sigmas or ()):
            raise ValueError(
                f"timesteps: expected one for each of the model's own {len(self.sigmas or ())} sigmas, got "
                f"{len(self.manner.timesteps)}"
            )
        if self.patch[0] != 1:
            raise ValueError(f"patch: expected 1 latent frame in time, got {self.patch[0]}")

    @property
    def head_dim(self) -> int:
        return self.dim // self.num_heads

    def token_grid(self, height: int, width: int) -> tuple[int, int]:
        """Tokens down and across for a latent of height x width cells."""
        _, ph, pw = self.patch
        if height % ph or width % pw or height < ph or width < pw:
            raise ValueError(
                f"latent size: expected positive multiples of {ph} x {pw}, got {height} x {width}"
            )
        return height // ph, width // pw


_TINY = {
    "dim": 192,
    "ffn_dim": 576,
    "num_heads": 6,
    "num_layers": 8,
    "text_dim": 64,
    "text_len": 16,
    "freq_dim": 128,
    "steps": 3,
    "shift": 6.0,
}
_CARTOON = {
    "dim": 256,
    "ffn_dim": 1024,
    "num_heads": 4,
    "num_layers": 8,
    "text_dim": 64,
    "text_len": 20,
    "freq_dim": 128,
    "steps": 8,
    "shift": 1.0,
}
_WAN = {
    "text_dim": 4096,
    "text_len": 512,
    "freq_dim": 256,
    "steps": 3,
    "shift": 5.0,
    "prediction": "velocity",
    "context": CacheShape(3, 3, 3),
}

PRESETS: dict[str, ModelConfig] = {
    "tiny": ModelConfig(
        **_TINY,
        in_channels=56,
        out_channels=32,
        prediction="gated_x0",
        context=CacheShape(3, 1, 3),
        motion=MotionConfig(warp=True),
    ),
    "tiny-ids": ModelConfig(
        **_TINY,
        in_channels=48,
        out_channels=16,
        prediction="velocity",
        context=CacheShape(3, 1, 3),
        motion=MotionConfig(image_latent=True),
    ),
    "wan2.1-1.3b": ModelConfig(
        **_WAN, dim=1536, ffn_dim=8960, num_heads=12, num_layers=30, in_channels=16, out_channels=16
    ),
    "wan2.1-14b": ModelConfig(
        **_WAN, dim=5120, ffn_dim=13824, num_heads=40, num_layers=40, in_channels=16, out_channels=16
    ),
    "cartoon": ModelConfig(
        **_CARTOON,
        in_channels=16,
        out_channels=16,
        prediction="velocity_skip",
        context=CacheShape(4, 1, 4),
        windows=((2, 8, 8), (8, 4, 4)),
    ),
    "wan2.2-5b": ModelConfig(
        **_WAN,
        dim=3072,
        ffn_dim=14336,
        num_heads=24,
        num_layers=30,
        in_channels=48,
        out_channels=48,
        latent_channels=48,
        vae_stride=(4, 16, 16),
    ),
    # The motion models of the paper (section 3.1): noisy latent, track head, start image; Wan 2.2 has the
    # start image as its clean first latent.
    "wan2.1-1.3b-motion": ModelConfig(
        **_WAN,
        dim=1536,
        ffn_dim=8960,
        num_heads=12,
        num_layers=30,
        in_channels=48,
        out_channels=16,
        motion=MotionConfig(image_latent=True),
    ),
    "wan2.1-14b-motion": ModelConfig(
        **_WAN,
        dim=5120,
        ffn_dim=13824,
        num_heads=40,
        num_layers=40,
        in_channels=48,
        out_channels=16,
        motion=MotionConfig(image_latent=True),
    ),
    "wan2.2-5b-motion": ModelConfig(
        **_WAN,
        dim=3072,
        ffn_dim=14336,
        num_heads=24,
        num_layers=30,
        in_channels=96,
        out_channels=48,
        latent_channels=48,
        vae_stride=(4, 16, 16),
        motion=MotionConfig(head_channels=48, latent_channels=48),
    ),
}


def preset(name: str) -> ModelConfig:
    """The preset called `name`; ValueError lists the known names."""
    if name not in PRESETS:
        raise ValueError(f"preset: expected one of {sorted(PRESETS)}, got {name!r}")
    return PRESETS[name]


def with_unspecified(config: ModelConfig) -> ModelConfig:
    """The preset with a channel of the motion map that says where a track says nothing."""
    assert config.motion is not None
    return replace(config, motion=replace(config.motion, unspecified_channel=True))
