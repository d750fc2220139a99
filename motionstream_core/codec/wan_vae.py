"""The Wan video autoencoders, chunk by chunk: what they look back at is a state that the caller keeps, so
pieces equal the whole clip.

Owns the walk through the layers and the state. Runs on any module with Wan's attribute names and calling
convention, a host's own or that of `wan_layers.py`: layers are called, never read, so their owner decides
where weights lie and how they are cast. Both public kinds:
Wan 2.1 (16 channels, stride 4x8x8) and Wan 2.2 TI2V (48 channels, 4x16x16, with shortcuts around its stages
and 2x2 pixels in a channel).

A causal convolution sees two frames before its own. The first latent frame stands for one frame: nothing is
stretched or squeezed in time for it. So a clip is its first frame, then any number of pieces.

Shapes: frames (B, T, 3, H, W) float 0..1, T = 1 + 4k at the start of a clip and 4k later. latents (B, C, t,
H/s, W/s), normalised to zero mean and unit variance by the public statistics.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import torch
from einops import rearrange
from torch import Tensor, nn

from .base import TIME_STRIDE, ChunkedCodec, CodecState

# A layer or module of this or of a host's own Wan VAE. Its attributes have names but no types.
STATISTICS = {
    16: (
        (
            -0.7571,
            -0.7089,
            -0.9113,
            0.1075,
            -0.1745,
            0.9653,
            -0.1517,
            1.5508,
            0.4134,
            -0.0715,
            0.5517,
            -0.3632,
            -0.1922,
            -0.9497,
            0.2503,
            -0.2921,
        ),
        (
            2.8184,
            1.4541,
            2.3275,
            2.6558,
            1.2196,
            1.7708,
            2.6052,
            2.0743,
            3.2687,
            2.1526,
            2.8652,
            1.5579,
            1.6382,
            1.1253,
            2.8251,
            1.9160,
        ),
    ),
    48: (
        (
            -0.2289,
            -0.0052,
            -0.1323,
            -0.2339,
            -0.2799,
            0.0174,
            0.1838,
            0.1557,
            -0.1382,
            0.0542,
            0.2813,
            0.0891,
            0.1570,
            -0.0098,
            0.0375,
            -0.1825,
            -0.2246,
            -0.1207,
            -0.0698,
            0.5109,
            0.2665,
            -0.2108,
            -0.2158,
            0.2502,
            -0.2055,
            -0.0322,
            0.1109,
            0.1567,
            -0.0729,
            0.0899,
            -0.2799,
            -0.1230,
            -0.0313,
            -0.1649,
            0.0117,
            0.0723,
            -0.2839,
            -0.2083,
            -0.0520,
            0.3748,
            0.0152,
            0.1957,
            0.1433,
            -0.2944,
            0.3573,
            -0.0548,
            -0.1681,
            -0.0667,
        ),
        (
            0.4765,
            1.0364,
            0.4514,
            1.1677,
            0.5313,
            0.4990,
            0.4818,
            0.5013,
            0.8158,
            1.0344,
            0.5894,
            1.0901,
            0.6885,
            0.6165,
            0.8454,
            0.4978,
            0.5759,
            0.3523,
            0.7135,
            0.6804,
            0.5833,
            1.4146,
            0.8986,
            0.5659,
            0.7069,
            0.5338,
            0.4889,
            0.4917,
            0.4069,
            0.4999,
            0.6866,
            0.4093,
            0.5709,
            0.6065,
            0.6415,
            0.4944,
            0.5726,
            1.2042,
            0.5458,
            1.6887,
            0.3971,
            1.0600,
            0.3943,
            0.5537,
            0.5444,
            0.4089,
            0.7468,
            0.7744,
        ),
    ),
}
STRIDES = {16: 8, 48: 16}
LOOK_BACK = 2
# A Wan autoencoder, or a part of one, by its attribute names: ours or a host's.
VAEModule = Any


class _Walk:
    """One pass through the layers: hands every layer that looks back what the pass before left for it, in the
    order in which they run.

    before: emptied on the way, so that what nobody else holds is let go layer by layer and not kept beside
    all that comes after it.
    """

    def __init__(self, before: deque[Tensor | None]):
        self.first = not before
        self._before = before
        self.after: list[Tensor | None] = []

    def swap(self, now: Tensor, frames: int) -> Tensor:
        """The last `frames` frames before `now` (zeros at the start). Keeps the last `frames` of both for the
        next pass.
        """
        past = None if self.first else self._before.popleft()
        past = now.new_zeros(*now.shape[:2], frames, *now.shape[3:]) if past is None else past
        both = now if now.shape[2] >= frames else torch.cat([past, now], dim=2)
        self.after.append(both[:, :, -frames:].clone())
        return past

    def convolve(self, conv: VAEModule, x: Tensor) -> Tensor:
        return conv(x, self.swap(x, LOOK_BACK))

    def residual(self, block: VAEModule, x: Tensor) -> Tensor:
        y = x
        for layer in block.residual:
            y = self.convolve(layer, y) if _looks_back(layer) else layer(y)
        return y + block.shortcut(x)

    def up(self, layer: VAEModule, x: Tensor) -> Tensor:
        """Twice the height and width, and twice the frames where the layer has a time convolution, except in
        the first latent frame.
        """
        if hasattr(layer, "time_conv"):
            if self.first:
                # What the layer sees before its second latent frame is nothing at all, as in the public code.
                self.after.append(x.new_zeros(*x.shape[:2], LOOK_BACK, *x.shape[3:]))
            else:
                x = rearrange(self.convolve(layer.time_conv, x), "b (two c) t h w -> b c (t two) h w", two=2)
        return _each_frame(layer.resample, x)

    def down(self, layer: VAEModule, x: Tensor) -> Tensor:
        x = _each_frame(layer.resample, x)
        if not hasattr(layer, "time_conv"):
            return x
        past = self.swap(x, 1)
        return x if self.first else layer.time_conv(torch.cat([past, x], dim=2))

    def layer(self, layer: VAEModule, x: Tensor, upwards: bool) -> Tensor:
        if hasattr(layer, "residual"):
            return self.residual(layer, x)
        if hasattr(layer, "resample"):
            return self.up(layer, x) if upwards else self.down(layer, x)
        if hasattr(layer, "avg_shortcut"):
            return self.stage(layer, x, upwards)
        return layer(x)  # attention inside a frame

    def stage(self, stage: VAEModule, x: Tensor, upwards: bool) -> Tensor:
        """A stage of Wan 2.2, with its shortcut."""
        y = x
        for layer in stage.upsamples if upwards else stage.downsamples:
            y = self.layer(layer, y, upwards)
        if stage.avg_shortcut is None:
            return y
        return y + (stage.avg_shortcut(x, self.first) if upwards else stage.avg_shortcut(x))

    def tower(self, tower: VAEModule, x: Tensor, upwards: bool) -> Tensor:
        """The encoder or the decoder."""
        x = self.convolve(tower.conv1, x)
        stages = [*tower.middle, *tower.upsamples] if upwards else [*tower.downsamples, *tower.middle]
        for layer in stages:
            x = self.layer(layer, x, upwards)
        for layer in tower.head:
            x = self.convolve(layer, x) if _looks_back(layer) else layer(x)
        return x


def _looks_back(layer: VAEModule) -> bool:
    return isinstance(layer, nn.Conv3d) and layer.kernel_size[0] > 1


def _each_frame(layer: VAEModule, x: Tensor) -> Tensor:
    y = layer(rearrange(x, "b c t h w -> (b t) c h w"))
    return rearrange(y, "(b t) c h w -> b c t h w", b=x.shape[0])


class WanCodec(ChunkedCodec):
    """A Wan autoencoder with the calls of TinyCodec. `module` holds the weights. `dtype` and `device` are
    those of the computation.

    frames_at_once: latent frames decoded (and encoded) in one pass. Fewer need less memory and give the same
    frames.
    """

    def __init__(
        self,
        module: VAEModule,
        *,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
        frames_at_once: int = 1,
    ):
        self.module, self.dtype, self.device = module, dtype, torch.device(device)
        self.frames_at_once = frames_at_once
        self.latent_channels = channels_of(module)
        self.stride = STRIDES[self.latent_channels]
        mean, std = (torch.tensor(part).view(1, -1, 1, 1, 1) for part in STATISTICS[self.latent_channels])
        self.latent_mean, self.latent_std = mean.to(self.device), std.to(self.device)
        self._patch = self.stride // 8

    def decode_chunk(self, latents: Tensor, state: CodecState) -> tuple[Tensor, CodecState]:
        """latents (B, C, t, h, w) -> frames (B, T, 3, s h, s w) in 0..1 (T = 4t - 3 on a new state, else 4t),
        next state.
        """
        self.check_latents(latents)
        latents = latents.to(self.device).float() * self.latent_std + self.latent_mean
        made, memory = [], deque(state.memory)
        for piece in _pieces(latents, state.started, self.frames_at_once):
            walk = _Walk(memory)
            made.append(
                walk.tower(self.module.decoder, self.module.conv2(piece.to(self.dtype)), upwards=True).float()
            )
            memory = deque(walk.after)
        frames = rearrange(
            torch.cat(made, dim=2), "b (c r q) t h w -> b t c (h q) (w r)", q=self._patch, r=self._patch
        )
        return (frames[:, :, :3] / 2 + 0.5).clamp(0.0, 1.0), CodecState(list(memory), True)

    def encode_chunk(self, frames: Tensor, state: CodecState) -> tuple[Tensor, CodecState]:
        """frames (B, T, 3, H, W) in 0..1, T = 1 + 4k on a new state and 4k later -> latents (B, C, t, H/s,
        W/s), next state.
        """
        self.check_frames(frames, state)
        pixels = rearrange(
            frames.to(self.device).float() * 2 - 1,
            "b t c (h q) (w r) -> b (c r q) t h w",
            q=self._patch,
            r=self._patch,
        )
        made, memory = [], deque(state.memory)
        for piece in _pieces(pixels, state.started, TIME_STRIDE * self.frames_at_once):
            walk = _Walk(memory)
            both = self.module.conv1(walk.tower(self.module.encoder, piece.to(self.dtype), upwards=False))
            made.append(both.float().chunk(2, dim=1)[0])
            memory = deque(walk.after)
        return (torch.cat(made, dim=2) - self.latent_mean) / self.latent_std, CodecState(list(memory), True)


def channels_of(module: VAEModule) -> int:
    """Latent channels of a Wan autoencoder. ValueError for another module."""
    lacking = [name for name in ("encoder", "decoder", "conv1", "conv2") if not hasattr(module, name)]
    channels = 0 if lacking else module.conv2.in_channels
    if lacking or channels not in STRIDES or not hasattr(module.decoder, "middle"):
        raise ValueError(
            f"vae: expected a Wan VAE with {' or '.join(map(str, STRIDES))} latent channels, got "
            f"{type(module).__name__}" + (f" with {channels}" if channels else "")
        )
    return channels


def _pieces(x: Tensor, started: bool, size: int) -> list[Tensor]:
    """(B, C, T, H, W) cut in time: the first frame of a clip alone, then pieces of `size`."""
    first, rest = (x[:, :, :0], x) if started else (x[:, :, :1], x[:, :, 1:])
    return [piece for piece in (first, *rest.split(size, dim=2)) if piece.shape[2]]
