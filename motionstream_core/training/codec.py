"""Stage "codec": trains the tiny causal video codec on the synthetic world (and on video files, where given).

Owns the codec's loss and loop. The loop is bounded by time, resumable (weights, optimiser, share of the run) and writes a curve.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor

from ..codec.tiny import TinyCodec
from ..commands.options import pick_device
from .media import load_media
from .optim import MuonAdamW, lr_shape
from .parallel import agree, average_gradients, start
from .world import random_scene, render


class CropStream(torch.utils.data.IterableDataset):
    """Endless crops (T, 3, crop, crop) float 0..1 of rendered clips and, for a share of them, of video files."""

    def __init__(self, media: Path, videos: list[np.ndarray], seed: int, frames: int = 9, crop: int = 64, video_share: float = 0.25):
        self.media, self.videos, self.seed, self.frames, self.crop, self.video_share = media, videos, seed, frames, crop, video_share

    def __iter__(self):
        worker = torch.utils.data.get_worker_info()
        rng = np.random.default_rng([self.seed, worker.id if worker else 0])
        pictures, sprites, names, _ = load_media(self.media)
        while True:
            if self.videos and rng.random() < self.video_share:
                clip = self._from_video(rng)
            else:
                scene = random_scene(rng, pictures, sprites, names, frames=self.frames, style=str(rng.choice(["night", "sepia", "fog"])) if rng.random() < 0.08 else None)
                clip = render(scene, rng, 0, 0).frames
            for _ in range(3):
                y, x = (int(rng.integers(0, s - self.crop + 1)) for s in clip.shape[1:3])
                piece = clip[:, y : y + self.crop, x : x + self.crop]
                piece = piece[:, :, ::-1] if rng.random() < 0.5 else piece
                yield torch.from_numpy(np.ascontiguousarray(piece)).permute(0, 3, 1, 2).float() / 255

    def _from_video(self, rng: np.random.Generator) -> np.ndarray:
        video = self.videos[rng.integers(len(self.videos))]
        step = int(rng.integers(1, 3))
        start = int(rng.integers(0, len(video) - step * self.frames))
        return video[start : start + step * self.frames : step]


def codec_loss(codec: TinyCodec, frames: Tensor, rng: torch.Generator, latent_noise: float = 0.08) -> tuple[Tensor, Tensor]:
    """frames (B, T, 3, H, W) -> loss, mean squared error. Charbonnier + gradient L1 + MSE + a pull of the latents to zero."""
    raw, _ = codec.encode_raw(frames, codec.start_encode())
    noisy = raw + latent_noise * torch.randn(raw.shape, generator=rng).to(raw.device)
    out, _ = codec.decode_raw(noisy, codec.start_decode())
    diff = out - frames
    mse = diff.square().mean()
    charbonnier = (diff.square() + 1e-6).sqrt().mean()
    gradient = (diff[..., 1:] - diff[..., :-1]).abs().mean() + (diff[..., 1:, :] - diff[..., :-1, :]).abs().mean()
    return charbonnier + 0.5 * gradient + 4 * mse + 2e-3 * raw.square().mean(), mse


@torch.no_grad()
def validate(codec: TinyCodec, clips: Tensor) -> float:
    """Mean PSNR in dB over whole clips (B, T, 3, H, W)."""
    clips = clips.to(codec.latent_mean.device)
    errors = [F.mse_loss(codec.decode(codec.encode(c[None])), c[None]).item() for c in clips]
    return float(np.mean([-10 * np.log10(e) for e in errors]))


@torch.no_grad()
def freeze_statistics(codec: TinyCodec, clips: Tensor) -> None:
    """Sets the per-channel latent mean and standard deviation from clips (B, T, 3, H, W)."""
    raw = torch.cat([codec.encode_raw(c[None].to(codec.latent_mean.device), codec.start_encode())[0] for c in clips])
    codec.latent_mean.copy_(raw.mean((0, 2, 3, 4)))
    codec.latent_std.copy_(raw.std((0, 2, 3, 4)))


def heldout_clips(media: Path, count: int, frames: int, seed: int = 11) -> Tensor:
    """Clips (count, frames, 3, 128, 128) of the held-out half of the world."""
    rng = np.random.default_rng(seed)
    pictures, sprites, names, _ = load_media(media)
    clips = [render(random_scene(rng, pictures, sprites, names, frames=frames), rng, 0, 0).frames for _ in range(count)]
    return torch.from_numpy(np.stack(clips)).permute(0, 1, 4, 2, 3).float() / 255


def train_codec(out: Path, media: Path, minutes: float, videos: tuple[Path, ...] = (), batch: int = 4, seed: int = 0, lr: float = 0.012, encoder: bool = True) -> None:
    """Trains for `minutes`, then writes codec.safetensors and a curve codec.jsonl into `out`; continues what is there.

    With encoder=False only the decoder learns, on latents that stay as they are, statistics included. Runs on a GPU where there is one, with the
    clips rendered by processes beside it.
    """
    device = pick_device("auto")
    out.mkdir(parents=True, exist_ok=True)
    rank, world = start()
    torch.manual_seed(seed)
    rng = torch.Generator().manual_seed(seed + rank)
    codec = TinyCodec()
    if (out / "codec.safetensors").exists():
        codec.load_state_dict(load_file(out / "codec.safetensors"))
    codec.to(device).encoder.requires_grad_(encoder)
    optim = MuonAdamW(codec, lr=lr, adam_names=("skip",))
    loader = torch.utils.data.DataLoader(CropStream(media, read_videos(videos), seed + 7919 * rank + int(time.time()) % 10000), batch_size=batch, num_workers=_renderers(device))
    held = heldout_clips(media.with_name("heldout.npz"), 6, 9)
    average = {k: v.clone() for k, v in codec.state_dict().items()}
    parameters = [p for p in codec.parameters() if p.requires_grad]
    began, step, frames_seen, last = time.time(), 0, 0, time.time()
    for frames in loader:
        share = agree((time.time() - began) / (60 * minutes))
        if share >= 1:
            break
        optim.scale_lr(lr_shape(share, 0.01, 0.4))
        loss, mse = codec_loss(codec, frames.to(device, non_blocking=True), rng)
        optim.zero_grad(set_to_none=True)
        loss.backward()
        average_gradients(parameters)
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optim.step()
        step += 1
        frames_seen += world * frames.shape[0] * frames.shape[1]
        with torch.no_grad():
            for k, v in codec.state_dict().items():
                average[k].lerp_(v, 0.01 if step > 200 else 0.1)
        if rank == 0 and time.time() - last > 60:
            last = time.time()
            row = {"loss": loss.item(), "train_psnr": -10 * np.log10(mse.item()), "heldout_psnr": validate(codec, held)}
            _log(out / "codec.jsonl", step=step, minutes=(last - began) / 60, crops=frames_seen, **row)
            save_file(average, out / "codec.partial.safetensors")
    if rank > 0:
        return
    codec.load_state_dict(average)
    if encoder:
        freeze_statistics(codec, heldout_clips(media, 24, 13, seed=5))
    save_file(codec.state_dict(), out / "codec.safetensors")
    _log(out / "codec.jsonl", step=step, minutes=minutes, heldout_psnr=validate(codec, heldout_clips(media.with_name("heldout.npz"), 24, 25)), final=True)


def _renderers(device: torch.device) -> int:
    """Processes that render clips: none beside a CPU that trains."""
    return max(1, (os.cpu_count() or 2) - 2) if device.type == "cuda" else 0


def read_videos(paths: tuple[Path, ...], size: int = 128, limit: int = 400) -> list[np.ndarray]:
    """Video files -> list of uint8 (T, ~128·k, ~128·k, 3), the shorter side twice the training size."""
    import av
    import cv2

    clips = []
    for path in paths:
        frames = []
        with av.open(str(path)) as container:
            for frame in container.decode(video=0):
                image = frame.to_ndarray(format="rgb24")
                scale = 2 * size / min(image.shape[:2])
                frames.append(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))
                if len(frames) == limit:
                    break
        clips.append(np.stack(frames))
    return clips


def _log(path: Path, **row) -> None:
    with path.open("a") as file:
        file.write(json.dumps({k: round(v, 4) if isinstance(v, float) else v for k, v in row.items()}) + "\n")
