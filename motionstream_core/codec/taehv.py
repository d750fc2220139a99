"""TAEHV, the tiny video autoencoders of the community (taew2_1, taew2_2, and LightX2V's lighttae), in batch
and in streaming form.

Owns their layers, under the names of the public files, and the two conventions of latents: madebyollin's taew
files take the latents of the diffusion model as they are, LightX2V's lighttae files take those of the Wan
VAE, mean and spread put back. Weights alone do not tell which.
Written from the described architecture: 3x3 convolutions, memory blocks that see their own input one step
earlier, and time squeezed or stretched by 1x1 convolutions. So the past of a stream is one feature map a
memory block.

Shapes: frames (B, T, 3, H, W) float 0..1, T = 1 + 4k at the start of a clip and 4k later. latents (B, C, t,
H/s, W/s), normalised.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from einops import rearrange
from safetensors.torch import load_file
from torch import Tensor, nn

from ..common.state_dict import state_problems
from .base import TIME_STRIDE, ChunkedCodec, CodecState
from .wan_vae import STATISTICS, STRIDES

WIDTHS = (256, 128, 64, 64)
WIDTH = 64
# What the latents are that a file was made for.
KINDS = {"taew (latents of the model)": False, "lighttae (latents of the VAE)": True}


class MemoryBlock(nn.Module):
    """x and what came before it, (N, C, H, W) each -> (N, C, H, W)."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv2d(2 * channels, channels, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
        )

    def forward(self, x: Tensor, before: Tensor) -> Tensor:
        return F.relu(self.conv(torch.cat([x, before], dim=1)) + x)


class TimeChange(nn.Module):
    """`squeeze` steps into one, or one into `stretch`, by a 1x1 convolution. x (B, T, C, H, W)."""

    def __init__(self, channels: int, squeeze: int = 1, stretch: int = 1):
        super().__init__()
        self.squeeze, self.stretch = squeeze, stretch
        self.conv = nn.Conv2d(channels * squeeze, channels * stretch, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        batch = x.shape[0]
        y = self.conv(rearrange(x, "b (t s) c h w -> (b t) (s c) h w", s=self.squeeze))
        return rearrange(y, "(b t) (s c) h w -> b (t s) c h w", b=batch, s=self.stretch)


class SoftClamp(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return 3 * torch.tanh(x / 3)


def _conv(channels_in: int, channels_out: int, stride: int = 1, bias: bool = True) -> nn.Conv2d:
    return nn.Conv2d(channels_in, channels_out, 3, stride=stride, padding=1, bias=bias)


class TAEHV(nn.Module):
    """The parameters. Encoder and decoder are plain sequences."""

    def __init__(self, latent_channels: int):
        super().__init__()
        if latent_channels not in STRIDES:
            raise ValueError(
                f"tiny VAE: expected {' or '.join(map(str, STRIDES))} latent channels, got {latent_channels}"
            )
        self.latent_channels = latent_channels
        self.patch = STRIDES[latent_channels] // 8
        pixels = 3 * self.patch**2
        encoder: list[nn.Module] = [_conv(pixels, WIDTH), nn.ReLU()]
        for squeeze in (2, 2, 1):
            encoder += [
                TimeChange(WIDTH, squeeze=squeeze),
                _conv(WIDTH, WIDTH, stride=2, bias=False),
                *(MemoryBlock(WIDTH) for _ in range(3)),
            ]
        self.encoder = nn.Sequential(*encoder, _conv(WIDTH, latent_channels))
        decoder: list[nn.Module] = [SoftClamp(), _conv(latent_channels, WIDTHS[0]), nn.ReLU()]
        for before, after, stretch in zip(WIDTHS, WIDTHS[1:], (1, 2, 2)):
            decoder += [
                *(MemoryBlock(before) for _ in range(3)),
                nn.Upsample(scale_factor=2),
                TimeChange(before, stretch=stretch),
                _conv(before, after, bias=False),
            ]
        self.decoder = nn.Sequential(*decoder, nn.ReLU(), _conv(WIDTHS[-1], pixels))


def _run(layers: nn.Sequential, x: Tensor, memory: list[Tensor | None]) -> tuple[Tensor, list[Tensor | None]]:
    """x (B, T, C, H, W) through the layers. Memory blocks take and leave one step each."""
    after: list[Tensor | None] = []
    for layer in layers:
        if isinstance(layer, TimeChange):
            x = layer(x)
            continue
        batch = x.shape[0]
        flat = x.flatten(0, 1)
        if isinstance(layer, MemoryBlock):
            past = memory[len(after)] if memory else None
            past = torch.zeros_like(x[:, :1]) if past is None else past
            before = torch.cat([past, x[:, :-1]], dim=1)
            after.append(x[:, -1:].clone())
            x = layer(flat, before.flatten(0, 1)).unflatten(0, (batch, -1))
        else:
            x = layer(flat).unflatten(0, (batch, -1))
    return x, after


class TaehvCodec(ChunkedCodec):
    """A TAEHV with the calls of TinyCodec. `vae_latents`: the file was made for latents of the Wan VAE
    (lighttae), not for the model's (taew).
    """

    def __init__(
        self,
        module: TAEHV,
        *,
        vae_latents: bool = False,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ):
        self.module, self.dtype, self.device = module, dtype, torch.device(device)
        self.latent_channels, self.stride = module.latent_channels, STRIDES[module.latent_channels]
        mean, std = (torch.tensor(part).view(1, -1, 1, 1, 1) for part in STATISTICS[self.latent_channels])
        self.latent_mean, self.latent_std = (
            (mean, std) if vae_latents else (torch.zeros_like(mean), torch.ones_like(std))
        )
        self.latent_mean, self.latent_std = self.latent_mean.to(self.device), self.latent_std.to(self.device)

    def decode_chunk(self, latents: Tensor, state: CodecState) -> tuple[Tensor, CodecState]:
        """latents (B, C, t, h, w) -> frames (B, T, 3, s h, s w) in 0..1 (T = 4t - 3 on a new state, else 4t),
        next state.
        """
        self.check_latents(latents)
        latents = latents.to(self.device).float() * self.latent_std + self.latent_mean
        x, memory = _run(
            self.module.decoder, rearrange(latents, "b c t h w -> b t c h w").to(self.dtype), state.memory
        )
        x = x if state.started else x[:, TIME_STRIDE - 1 :]
        if self.module.patch > 1:
            x = F.pixel_shuffle(x, self.module.patch)
        return x.float().clamp(0.0, 1.0), CodecState(memory, True)

    def encode_chunk(self, frames: Tensor, state: CodecState) -> tuple[Tensor, CodecState]:
        """frames (B, T, 3, H, W) in 0..1, T = 1 + 4k on a new state and 4k later -> latents (B, C, t, H/s,
        W/s), next state.
        """
        self.check_frames(frames, state)
        if not state.started:
            frames = torch.cat([frames[:, :1].expand(-1, TIME_STRIDE - 1, -1, -1, -1), frames], dim=1)
        frames = frames.to(self.device, self.dtype)
        if self.module.patch > 1:
            frames = F.pixel_unshuffle(frames, self.module.patch)
        x, memory = _run(self.module.encoder, frames, state.memory)
        latents = rearrange(x.float(), "b t c h w -> b c t h w")
        return (latents - self.latent_mean) / self.latent_std, CodecState(memory, True)


def open_taehv(path: Path) -> TAEHV:
    """The network of a public file (.pth or .safetensors), in float32. ValueError lists the keys that do not
    fit.
    """
    try:
        state = (
            load_file(path)
            if path.suffix in (".safetensors", ".sft")
            else torch.load(path, map_location="cpu", weights_only=True)
        )
    except Exception as error:  # torch and safetensors raise a dozen kinds for damaged and for unsafe files
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ValueError(
            f"{path.name}: expected tensors alone in a .pth or .safetensors file, got one that cannot be "
            f"read safely: {first}"
        ) from error
    return taehv_of(state, path.name)


def taehv_of(state: dict[str, Tensor], name: str) -> TAEHV:
    """The network with these weights."""
    weight = state.get("decoder.1.weight") if isinstance(state, dict) else None
    if weight is None or weight.ndim != 4:
        raise ValueError(
            f"{name}: expected the keys of a TAEHV (decoder.1.weight, ...), got "
            f"{sorted(state)[:4] if isinstance(state, dict) else type(state).__name__}"
        )
    if weight.shape[1] not in STRIDES:
        raise ValueError(
            f"{name}: expected a TAEHV of {' or '.join(map(str, STRIDES))} latent channels (Wan), got "
            f"{weight.shape[1]}"
        )
    module = TAEHV(weight.shape[1])
    problems = state_problems(module.state_dict(), state)
    if problems:
        raise ValueError(
            f"{name}: expected the keys of a TAEHV of {weight.shape[1]} channels: {'; '.join(problems)}"
        )
    module.load_state_dict({key: value.float() for key, value in state.items()})
    return module.eval().requires_grad_(False)
