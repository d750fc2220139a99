"""Fine-tunes the built-in codec on the cartoon world, with three times the weight where a thing is.

Owns the crops, the weighted loss and the two measures: PSNR of whole frames and of the tokens of things.
Shapes: frames (B, T, 3, H, W) 0..1, weight (B, T, 1, H, W). The first group of a clip is its cold start and
is not measured.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...codec.tiny import TinyCodec
from ..muon import BatchedMuon
from .drawing import render
from .run import Run, warm_then_fall
from .scene import numbered_scene
from .truth import boxes, touched

FRAMES = 13
ON_THINGS = 3.0
COLD = 5  # frames of a clip that the measures leave out
NOISE = 0.04


def crops(index: int, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Two crops of training scene `index`: frames (2, T, side, side, 3) uint8 and where its thing is (2, T,
    side, side) bool.

    The first is about the thing where it can be seen, the second anywhere.
    """
    rng = np.random.default_rng([3, index])
    scene, start = numbered_scene(index), int(rng.integers(0, 160))
    frames, box = render(scene, FRAMES, start=start), boxes(scene, FRAMES, start=start)[:, 0]
    cells = np.arange(128) + 0.5
    across = (cells > box[:, :1]) & (cells < box[:, 2:3])
    down = (cells > box[:, 1:2]) & (cells < box[:, 3:])
    there = down[:, :, None] & across[:, None, :]
    out, most = [], 128 - side
    for about in (True, False):
        x, y = rng.integers(0, most + 1, 2)
        if about and there.any():
            middle = (box[FRAMES // 2].reshape(2, 2).mean(0) - side / 2 + rng.normal(0, side / 6, 2)).round()
            x, y = middle.clip(0, most).astype(int)
        out.append((frames[:, y : y + side, x : x + side], there[:, y : y + side, x : x + side]))
    return np.stack([o[0] for o in out]), np.stack([o[1] for o in out])


def batch(step: int, count: int, side: int) -> tuple[Tensor, Tensor]:
    """The crops of a step: frames, and the weight of every pixel."""
    pairs = [crops(step * count + i, side) for i in range(count // 2)]
    frames = torch.from_numpy(np.concatenate([p[0] for p in pairs])).permute(0, 1, 4, 2, 3).float() / 255
    there = torch.from_numpy(np.concatenate([p[1] for p in pairs]))[:, :, None].float()
    return frames, 1 + (ON_THINGS - 1) * there


def weighted_loss(codec: TinyCodec, frames: Tensor, weight: Tensor, noise: Tensor) -> Tensor:
    """Absolute, gradient and squared error, each weighted. `noise` is standard normal, of the latents'
    shape.
    """
    raw, _ = codec.encode_raw(frames, codec.start_encode())
    spread = raw.detach().float().std((0, 2, 3, 4), keepdim=True)
    out, _ = codec.decode_raw(raw + NOISE * spread * noise, codec.start_decode())
    diff = out.float() - frames
    weight = weight / weight.mean()
    across, down = diff[..., 1:] - diff[..., :-1], diff[..., 1:, :] - diff[..., :-1, :]
    gradient = (weight[..., 1:] * across.abs()).mean() + (weight[..., 1:, :] * down.abs()).mean()
    plain = (weight * (diff.square() + 1e-6).sqrt()).mean()
    return plain + 0.5 * gradient + 8 * (weight * diff.square()).mean() + 1e-3 * raw.float().square().mean()


@torch.no_grad()
def measures(codec: TinyCodec, count: int = 12, frames: int = 21) -> dict[str, float]:
    """PSNR in dB on held-out clips: the mean over clips of whole frames, and of the tokens of things over
    all clips together.
    """
    whole, on, tokens = [], 0.0, 0.0
    for index in range(count):
        scene = numbered_scene(index, held_out=True)
        clip = torch.from_numpy(render(scene, frames)).permute(0, 3, 1, 2)[None].float() / 255
        error = (codec.decode(codec.encode(clip)).float() - clip).square().mean(2)[0, COLD:]
        whole.append(float(error.mean()))
        there = np.kron(touched(scene, (frames - COLD) // 4, start=COLD), np.ones((4, 16, 16)))
        mask = torch.from_numpy(there)
        on, tokens = on + float((error * mask).sum()), tokens + float(mask.sum())
    psnr = [-10 * np.log10(e) for e in whole]
    return {"psnr": float(np.mean(psnr)), "psnr_things": float(-10 * np.log10(on / tokens))}


def optimizer(codec: TinyCodec, lr: float) -> BatchedMuon:
    inner = ("encoder.", "decoder.")

    def is_matrix(name: str, p: Tensor) -> bool:
        return name.startswith(inner) and p.ndim == 4 and p.shape[0] >= 16

    named = [(name, p) for name, p in codec.named_parameters() if p.requires_grad]
    return BatchedMuon(named, lr, lr / 8, is_matrix=is_matrix)


def train(
    folder: Path,
    codec: TinyCodec,
    seconds: float,
    *,
    lr: float = 0.006,
    count: int = 4,
    wide: float = 0.7,
    first: int = 0,
) -> Run:
    """Trains what is not frozen for so many CPU seconds. From the share `wide` on crops are whole pictures.

    `first` is added to the number of a step, so that a later run sees other scenes.
    """
    run = Run(folder, codec, optimizer(codec, lr), 0.995)
    told = run.seconds if run.step else -1e9
    while run.seconds < seconds:
        if run.seconds - told > 150:
            with run.averaged():
                run.log(**measures(codec))
            told = run.seconds
        share = run.seconds / seconds
        side, many = (64, count) if share < wide else (128, 2)
        frames, weight = batch(first + run.step, many, side)
        rng = torch.Generator().manual_seed(run.step)
        noise = torch.randn(many, codec.latent_channels, 1 + FRAMES // 4, side // 8, side // 8, generator=rng)
        loss = weighted_loss(codec, frames, weight, noise)
        run.update(loss, warm_then_fall(share, fall=0.5), many)
    run.save()
    return run


def freeze_encoder(codec: TinyCodec) -> TinyCodec:
    """Leaves the decoder alone to learn, so that latents made before stay what they are."""
    for name, p in codec.named_parameters():
        p.requires_grad_(name.startswith("decoder"))
    return codec


@torch.no_grad()
def set_statistics(codec: TinyCodec, clips: int = 64) -> None:
    """Mean and spread of every latent channel, of training scenes in a running stream."""
    raw = []
    for index in range(clips):
        clip = torch.from_numpy(render(numbered_scene(index), 13)).permute(0, 3, 1, 2)[None].float() / 255
        raw.append(codec.encode_raw(clip, codec.start_encode())[0][:, :, 2:].float())
    joined = torch.cat(raw)
    codec.latent_mean.copy_(joined.mean((0, 2, 3, 4)))
    codec.latent_std.copy_(joined.std((0, 2, 3, 4)).clamp(min=1e-4))
