"""Small untrained networks on the CPU, a picture and tracks for them."""

import torch

from motionstream_core.codec.tiny import CodecConfig, TinyCodec
from motionstream_core.model.config import ModelConfig, MotionConfig, RollingConfig
from motionstream_core.model.dit import WanDiT
from motionstream_core.model.motion import TrackHead
from motionstream_core.model.text import WordEncoder
from motionstream_core.model.weights.networks import Networks
from motionstream_core.streaming.stream import StreamOptions
from motionstream_core.streaming.stream import stream as stream_of
from motionstream_core.tracks.types import Tracks

SIZE = 32


def small_config() -> ModelConfig:
    motion = MotionConfig(warp=True)
    return ModelConfig(
        dim=24,
        ffn_dim=32,
        num_heads=2,
        num_layers=2,
        in_channels=16 + motion.channels,
        out_channels=32,
        text_dim=8,
        text_len=4,
        freq_dim=8,
        prediction="gated_x0",
        motion=motion,
        sampler=RollingConfig(2, 1, 2, steps=2, shift=5.0),
    )


def picture(width: int = SIZE, height: int = SIZE) -> torch.Tensor:
    return torch.rand(height, width, 3, generator=torch.Generator().manual_seed(3))


def drag(frames: int, width: int = SIZE, height: int = SIZE) -> Tracks:
    x = torch.linspace(4, 20, frames)
    xy = torch.stack([torch.stack([x, torch.full_like(x, 16.0)], -1), torch.full((frames, 2), 8.0)], 1)
    return Tracks(xy, torch.ones(frames, 2, dtype=torch.bool), width, height)


def small_networks() -> Networks:
    torch.manual_seed(0)
    config = small_config()
    codec = TinyCodec(CodecConfig(encoder=(8, 8, 8), decoder=(8, 8, 8, 8)))
    made = Networks(WanDiT(config), TrackHead(), codec, WordEncoder(config.text_dim, config.text_len))
    for module in (made.dit, made.track_head, made.codec, made.text_encoder):
        module.eval().requires_grad_(False)
    torch.nn.init.normal_(made.dit.head.head.weight, std=0.05)  # an untrained head would give the warp alone
    return made


def joined(chunks) -> torch.Tensor:
    return torch.cat([chunk.frames for chunk in chunks])


def stream(networks, image, tracks, prompt, frames, seed=0, steps=None, control=None, **options):
    """A stream by its options, written beside each other."""
    return stream_of(networks, image, tracks, prompt, StreamOptions(frames, seed, steps, **options), control)
