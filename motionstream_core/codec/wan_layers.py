"""The layers of the two public Wan autoencoders under the names of their weight files, for use without a
host.

Owns parameters and the forward of single layers. The walk through time is in `wan_vae.py`. Shapes: (B, C, T,
H, W), inside a frame (B T, C, H, W).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from einops import rearrange, reduce
from safetensors.torch import load_file
from torch import Tensor, nn

from ..common.state_dict import state_problems


@dataclass(frozen=True)
class WanVAEConfig:
    """dim and decoder_dim: channels at full size. stages: the one of 2.2, with shortcuts and 2x2 pixels in a
    channel.
    """

    latent_channels: int = 16
    dim: int = 96
    decoder_dim: int = 96
    mult: tuple[int, ...] = (1, 2, 4, 4)
    blocks: int = 2
    time_down: tuple[bool, ...] = (False, True, True)
    stages: bool = False


WAN_VAES = {
    "wan2.1": WanVAEConfig(),
    "wan2.2": WanVAEConfig(latent_channels=48, dim=160, decoder_dim=256, stages=True),
}


class CausalConv3d(nn.Conv3d):
    """A convolution that sees, of time, only its own frame and the two before, which are handed in."""

    def __init__(
        self, channels_in: int, channels_out: int, kernel: tuple[int, int, int] = (3, 3, 3), stride: int = 1
    ):
        super().__init__(
            channels_in,
            channels_out,
            kernel,
            stride=(stride, 1, 1),
            padding=(0, kernel[1] // 2, kernel[2] // 2),
        )

    def forward(self, x: Tensor, past: Tensor | None = None) -> Tensor:
        return super().forward(x if past is None else torch.cat([past, x], dim=2))


class Norm(nn.Module):
    """Each place's channels at unit mean square, times gamma."""

    def __init__(self, channels: int, frames: bool = True):
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(channels, 1, 1, 1) if frames else torch.ones(channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return F.normalize(x, dim=1) * (self.gamma.shape[0] ** 0.5 * self.gamma).to(x)


class Residual(nn.Module):
    def __init__(self, channels_in: int, channels_out: int):
        super().__init__()
        first, second = CausalConv3d(channels_in, channels_out), CausalConv3d(channels_out, channels_out)
        self.residual = nn.Sequential(
            Norm(channels_in), nn.SiLU(), first, Norm(channels_out), nn.SiLU(), nn.Identity(), second
        )
        self.shortcut = (
            CausalConv3d(channels_in, channels_out, (1, 1, 1))
            if channels_in != channels_out
            else nn.Identity()
        )


class FrameAttention(nn.Module):
    """Every place of a frame on every other, one head."""

    def __init__(self, channels: int):
        super().__init__()
        self.norm = Norm(channels, frames=False)
        self.to_qkv = nn.Conv2d(channels, 3 * channels, 1)
        self.proj = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        frames = rearrange(x, "b c t h w -> (b t) c h w")
        # Laid out anew: the fused kernels of a GPU take channels that lie side by side, and without them
        # every score is kept.
        q, k, v = rearrange(
            self.to_qkv(self.norm(frames)), "n (three c) h w -> three n 1 (h w) c", three=3
        ).contiguous()
        y = F.scaled_dot_product_attention(q, k, v)
        y = self.proj(rearrange(y, "n 1 (h w) c -> n c h w", h=x.shape[3]))
        return x + rearrange(y, "(b t) c h w -> b c t h w", b=x.shape[0])


class Resample(nn.Module):
    """Half or double the height and width, frame by frame. With `time`, the weights to do so in time."""

    def __init__(self, channels: int, channels_out: int, up: bool, time: bool):
        super().__init__()
        if up:
            self.resample = nn.Sequential(
                nn.Upsample(scale_factor=(2.0, 2.0), mode="nearest-exact"),
                nn.Conv2d(channels, channels_out, 3, padding=1),
            )
        else:
            self.resample = nn.Sequential(
                nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(channels, channels_out, 3, stride=2)
            )
        if time:
            self.time_conv = CausalConv3d(
                channels, 2 * channels if up else channels, (3, 1, 1), stride=1 if up else 2
            )


class MeanDown(nn.Module):
    """Neighbours into channels, channels averaged in groups."""

    def __init__(self, channels_out: int, time: int, space: int):
        super().__init__()
        self.channels_out, self.time, self.space = channels_out, time, space

    def forward(self, x: Tensor) -> Tensor:
        x = F.pad(x, (0, 0, 0, 0, -x.shape[2] % self.time, 0))
        x = rearrange(
            x, "b c (t f) (h p) (w q) -> b (c f p q) t h w", f=self.time, p=self.space, q=self.space
        )
        return reduce(x, "b (c g) t h w -> b c t h w", "mean", c=self.channels_out)


class CopyUp(nn.Module):
    """Channels repeated, then spread over time, height and width."""

    def __init__(self, channels_out: int, time: int, space: int):
        super().__init__()
        self.channels_out, self.time, self.space = channels_out, time, space

    def forward(self, x: Tensor, first: bool = False) -> Tensor:
        repeats = self.channels_out * self.time * self.space**2 // x.shape[1]
        x = x.repeat_interleave(repeats, dim=1)
        x = rearrange(
            x, "b (c f p q) t h w -> b c (t f) (h p) (w q)", f=self.time, p=self.space, q=self.space
        )
        return x[:, :, self.time - 1 :] if first else x


class DownStage(nn.Module):
    def __init__(self, channels_in: int, channels_out: int, blocks: int, down: bool, time: bool):
        super().__init__()
        self.avg_shortcut = MeanDown(channels_out, 2 if time else 1, 2 if down else 1)
        layers = [Residual(channels_in if n == 0 else channels_out, channels_out) for n in range(blocks)]
        self.downsamples = nn.Sequential(
            *layers, *([Resample(channels_out, channels_out, up=False, time=time)] if down else [])
        )


class UpStage(nn.Module):
    def __init__(self, channels_in: int, channels_out: int, blocks: int, up: bool, time: bool):
        super().__init__()
        self.avg_shortcut = CopyUp(channels_out, 2 if time else 1, 2) if up else None
        layers = [Residual(channels_in if n == 0 else channels_out, channels_out) for n in range(blocks)]
        self.upsamples = nn.Sequential(
            *layers, *([Resample(channels_out, channels_out, up=True, time=time)] if up else [])
        )


def middle(channels: int) -> nn.Sequential:
    return nn.Sequential(Residual(channels, channels), FrameAttention(channels), Residual(channels, channels))


class Encoder(nn.Module):
    def __init__(self, config: WanVAEConfig):
        super().__init__()
        sizes = [config.dim * mult for mult in (1, *config.mult)]
        last = len(config.mult) - 1
        time = [*config.time_down, False]
        self.conv1 = CausalConv3d(12 if config.stages else 3, sizes[0])
        layers: list[nn.Module] = []
        for n, (before, after) in enumerate(zip(sizes, sizes[1:])):
            if config.stages:
                layers.append(DownStage(before, after, config.blocks, down=n < last, time=time[n]))
                continue
            layers += [Residual(before if block == 0 else after, after) for block in range(config.blocks)]
            layers += [Resample(after, after, up=False, time=time[n])] if n < last else []
        self.downsamples = nn.Sequential(*layers)
        self.middle = middle(sizes[-1])
        self.head = nn.Sequential(
            Norm(sizes[-1]), nn.SiLU(), CausalConv3d(sizes[-1], 2 * config.latent_channels)
        )


class Decoder(nn.Module):
    def __init__(self, config: WanVAEConfig):
        super().__init__()
        sizes = [config.decoder_dim * mult for mult in (config.mult[-1], *reversed(config.mult))]
        last = len(config.mult) - 1
        time = [*reversed(config.time_down), False]
        self.conv1 = CausalConv3d(config.latent_channels, sizes[0])
        self.middle = middle(sizes[0])
        layers: list[nn.Module] = []
        for n, (before, after) in enumerate(zip(sizes, sizes[1:])):
            if config.stages:
                layers.append(UpStage(before, after, config.blocks + 1, up=n < last, time=time[n]))
                continue
            before = before // 2 if n else before  # the resampling before has halved the channels
            layers += [Residual(before if block == 0 else after, after) for block in range(config.blocks + 1)]
            layers += [Resample(after, after // 2, up=True, time=time[n])] if n < last else []
        self.upsamples = nn.Sequential(*layers)
        self.head = nn.Sequential(
            Norm(sizes[-1]), nn.SiLU(), CausalConv3d(sizes[-1], 12 if config.stages else 3)
        )


class WanVAE(nn.Module):
    """Wan's autoencoder: the parameters, for WanCodec to walk through."""

    def __init__(self, config: WanVAEConfig):
        super().__init__()
        channels = config.latent_channels
        self.encoder, self.decoder = Encoder(config), Decoder(config)
        self.conv1 = CausalConv3d(2 * channels, 2 * channels, (1, 1, 1))
        self.conv2 = CausalConv3d(channels, channels, (1, 1, 1))


def config_of(state: Mapping[str, Tensor]) -> WanVAEConfig:
    """The kind and width of a weights file under the public names. ValueError for another file."""
    if (
        "decoder.middle.0.residual.0.gamma" not in state
        or "encoder.conv1.weight" not in state
        or "decoder.head.0.gamma" not in state
    ):
        raise ValueError(
            f"vae: expected the keys of a Wan VAE, got {len(state)} keys such as {sorted(state)[:4]}"
        )
    stages = "decoder.upsamples.0.upsamples.0.residual.2.weight" in state
    usual = WAN_VAES["wan2.2" if stages else "wan2.1"]
    sizes = {
        "dim": state["encoder.conv1.weight"].shape[0],
        "decoder_dim": state["decoder.head.0.gamma"].shape[0],
    }
    return WanVAEConfig(**{**usual.__dict__, **sizes, "latent_channels": state["conv2.weight"].shape[0]})


def open_wan_vae(path: Path) -> WanVAE:
    """The autoencoder of a public file. ValueError lists the keys that do not fit."""
    state = (
        load_file(path)
        if path.suffix == ".safetensors"
        else torch.load(path, map_location="cpu", weights_only=True)
    )
    with torch.device("meta"):
        module = WanVAE(config_of(state))
    problems = state_problems(module.state_dict(), state)
    if problems:
        raise ValueError(f"{path.name}: expected the keys of a Wan VAE: {'; '.join(problems)}")
    module.load_state_dict(
        {key: value.clone() for key, value in state.items()}, assign=True
    )  # load_file's lie on the file, which may be written over
    return module.eval().requires_grad_(False)
