"""The named presets: networks with the samplers that they were made for.

Owns their numbers. Knows nothing of tensors.
Wan sizes are those of the public T2V 1.3B, T2V 14B and TI2V 5B models (30/40/30 blocks).
"""

from dataclasses import replace

from .config import TRACKWAN_MAP, BufferConfig, ModelConfig, MotionConfig, Partition, RollingConfig

TINY = ModelConfig(
    dim=192,
    ffn_dim=576,
    num_heads=6,
    num_layers=8,
    in_channels=56,
    out_channels=32,
    text_dim=64,
    text_len=16,
    freq_dim=128,
    prediction="gated_x0",
    motion=MotionConfig(warp=True),
    sampler=RollingConfig(chunk_frames=3, sink_frames=1, window_frames=3, steps=3, shift=6.0),
)
CARTOON = ModelConfig(
    dim=256,
    ffn_dim=1024,
    num_heads=4,
    num_layers=8,
    in_channels=16,
    out_channels=16,
    text_dim=64,
    text_len=20,
    freq_dim=128,
    prediction="velocity_skip",
    windows=((2, 8, 8), (8, 4, 4)),
    place_features=8,
    sampler=BufferConfig(
        chunk_frames=2,
        chunks=4,
        micro_steps=4,
        guidance=2.5,
        trained=(Partition(1, 8), Partition(2, 4), Partition(4, 2), Partition(8, 1)),
    ),
)
# StreamDiT's sizes where the paper has them: a queue of 16 latent frames of 64 x 64 cells and 8 channels, and
# four billion parameters. Layers, width and windows are ours (docs/adr/0012-streamdit-4b.md).
STREAMDIT_4B = ModelConfig(
    dim=3072,
    ffn_dim=14336,
    num_heads=24,
    num_layers=24,
    in_channels=8,
    out_channels=8,
    latent_channels=8,
    text_dim=4096,
    text_len=512,
    freq_dim=256,
    windows=((4, 16, 16), (16, 8, 8)),
    sampler=BufferConfig(chunk_frames=2, chunks=8, micro_steps=16, guidance=6.0),
)
# The same in small: learns on a CPU from the shards of the built-in world.
STREAMDIT_TINY = replace(
    STREAMDIT_4B,
    dim=192,
    ffn_dim=768,
    num_heads=3,
    num_layers=6,
    in_channels=16,
    out_channels=16,
    latent_channels=16,
    text_dim=64,
    text_len=16,
    freq_dim=128,
    prediction="velocity_skip",
    windows=((2, 8, 8), (8, 4, 4)),
    sampler=BufferConfig(chunk_frames=2, chunks=4, micro_steps=4, guidance=2.5),
)
# The same told of tracks as the paper of MotionStream tells it, which StreamDiT's does not.
STREAMDIT_TINY_MOTION = replace(STREAMDIT_TINY, in_channels=32, motion=MotionConfig(id_range=1000))
# The cartoon's motion models: tracks as in the paper, the start image as the clean first latent. The teacher
# sees the whole clip, not the base's windows. A student's chunk sees all of its cache.
CARTOON_MOTION = replace(
    CARTOON,
    in_channels=32,
    motion=MotionConfig(id_range=1000),
    windows=None,  # so that every frame sees the start image
    sampler=RollingConfig(chunk_frames=2, sink_frames=1, window_frames=2, steps=3, shift=1.0),
)
WAN_1_3B = ModelConfig(
    dim=1536,
    ffn_dim=8960,
    num_heads=12,
    num_layers=30,
    in_channels=16,
    out_channels=16,
    text_dim=4096,
    text_len=512,
    freq_dim=256,
    sampler=RollingConfig(chunk_frames=3, sink_frames=3, window_frames=3, steps=3, shift=5.0),
)
WAN_14B = replace(WAN_1_3B, dim=5120, ffn_dim=13824, num_heads=40, num_layers=40)
WAN_5B = replace(
    WAN_1_3B,
    dim=3072,
    ffn_dim=14336,
    num_heads=24,
    in_channels=48,
    out_channels=48,
    latent_channels=48,
    vae_stride=(4, 16, 16),
)
# The motion models of the paper (section 3.1): noisy latent, track head, start image. Wan 2.2 has the start
# image as its clean first latent.
WAN_MOTION = MotionConfig(image_latent=True)
WAN_5B_MOTION = MotionConfig(head_channels=48, latent_channels=48)
# FastVideo's TrackWan: trained on clips of 24 frames a second, told of one point an object and of twenty
# more, half of them left out.
TRACKWAN_MOTION = MotionConfig(image_latent=True, known=True, grey=True, map=TRACKWAN_MAP, points=(5, 30))

PRESETS: dict[str, ModelConfig] = {
    "tiny": TINY,
    "tiny-ids": replace(
        TINY,
        in_channels=48,
        out_channels=16,
        prediction="velocity",
        motion=MotionConfig(image_latent=True),
    ),
    "wan2.1-1.3b": WAN_1_3B,
    "wan2.1-14b": WAN_14B,
    "cartoon": CARTOON,
    "cartoon-motion": CARTOON_MOTION,
    "streamdit-4b": STREAMDIT_4B,
    "streamdit-tiny": STREAMDIT_TINY,
    "streamdit-tiny-motion": STREAMDIT_TINY_MOTION,
    "wan2.2-5b": WAN_5B,
    "wan2.1-1.3b-motion": replace(WAN_1_3B, in_channels=48, motion=WAN_MOTION),
    "wan2.1-14b-motion": replace(WAN_14B, in_channels=48, motion=WAN_MOTION),
    "wan2.1-1.3b-track": replace(WAN_1_3B, in_channels=52, motion=TRACKWAN_MOTION, image_dim=1280, fps=24.0),
    "wan2.2-5b-motion": replace(WAN_5B, in_channels=96, motion=WAN_5B_MOTION),
}


def preset(name: str) -> ModelConfig:
    """The preset called `name`. ValueError lists the known names."""
    if name not in PRESETS:
        raise ValueError(f"preset: expected one of {sorted(PRESETS)}, got {name!r}")
    return PRESETS[name]


def with_unspecified(config: ModelConfig) -> ModelConfig:
    """The preset with a channel of the motion map that says where a track says nothing."""
    return replace(config, motion=replace(config.require_motion, unspecified_channel=True))
