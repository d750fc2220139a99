"""Stage "codec": trains the tiny causal video codec on the synthetic world (and on video files, where given).

Owns the codec's loss, its crops and the statistics of its latents. The engine owns everything else.

Shapes: crops and clips (B, T, 3, H, W) float 0..1.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...codec.tiny import TinyCodec
from ...common.devices import pick_device
from ...tracks.types import Tracks
from ..data.encoders import open_tiny_codec
from ..data.media import load_media
from ..data.world import random_scene, render
from ..engine.stage import Batch, Draws
from .options import Setup, file_digests
from .roles import set_trainable

NAME = "codec"
HELP = "the tiny causal video codec"
LR = 1.2e-2
FRAMES, CROP = 9, 64
FROM_ONE = 3  # crops of a rendered clip, which costs more than they do
VIDEO_SHARE = 0.25
STYLES, STYLE_SHARE = ("night", "sepia", "fog"), 0.08
STATISTICS = (24, 13, 5)  # clips, frames, seed
HELD_OUT = (6, 9)  # clips, frames
ENCODER = ("encoder", "encoder_skip")


class Crops:
    """The data of the stage: crops of rendered clips and, for a share of them, of video files. The same rng
    gives the same batch.

    renderers: processes that render beside a GPU. 0: none.
    """

    def __init__(self, media: Path, videos: tuple[np.ndarray, ...] = (), renderers: int = 0):
        if not media.exists():
            raise ValueError(f"media: expected a file, got {media}, which is none: run `train media` first")
        self.media, self.videos = media, videos
        self.pool = (
            ProcessPoolExecutor(renderers, multiprocessing.get_context("spawn")) if renderers else None
        )

    def batch(self, rng: np.random.Generator, size: int) -> dict[str, Tensor]:
        seeds = [int(seed) for seed in rng.integers(2**62, size=-(-size // FROM_ONE))]
        filmed = [bool(self.videos) and bool(rng.random() < VIDEO_SHARE) for _ in seeds]
        drawn = [seed for seed, film in zip(seeds, filmed) if not film]
        rendered = iter(
            (self.pool.map if self.pool else map)(rendered_crops, [self.media] * len(drawn), drawn)
        )
        crops = [
            crop
            for seed, film in zip(seeds, filmed)
            for crop in (self._filmed(np.random.default_rng(seed)) if film else next(rendered))
        ]
        return {"frames": torch.from_numpy(np.stack(crops[:size])).permute(0, 1, 4, 2, 3).float() / 255}

    def _filmed(self, rng: np.random.Generator) -> list[np.ndarray]:
        video = self.videos[rng.integers(len(self.videos))]
        step = int(rng.integers(1, 3))
        start = int(rng.integers(0, len(video) - step * FRAMES + 1))
        return _crops(video[start : start + step * FRAMES : step], rng)


def rendered_crops(media: Path, seed: int) -> list[np.ndarray]:
    """Crops (T, 64, 64, 3) uint8 of one clip of the world."""
    rng = np.random.default_rng(seed)
    pictures, sprites, names, _ = _media(media)
    style = str(rng.choice(STYLES)) if rng.random() < STYLE_SHARE else None
    return _crops(
        render(random_scene(rng, pictures, sprites, names, frames=FRAMES, style=style), rng, 0, 0).frames, rng
    )


_media = cache(load_media)


def _crops(clip: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
    out = []
    for _ in range(FROM_ONE):
        y, x = (int(rng.integers(0, side - CROP + 1)) for side in clip.shape[1:3])
        piece = clip[:, y : y + CROP, x : x + CROP]
        out.append(np.ascontiguousarray(piece[:, :, ::-1] if rng.random() < 0.5 else piece))
    return out


class CodecStage:
    """The stage for `engine.train`: one role, "codec". clips: what the statistics are taken from. None where
    the encoder stays as it is.
    """

    name = NAME
    trainable = ("codec",)
    ema = "codec"

    def __init__(self, codec: TinyCodec, clips: Tensor | None, validation_data: Tensor | None = None):
        self.codec = set_trainable(codec, frozen=() if clips is not None else ENCODER)
        self.modules: dict[str, nn.Module] = {"codec": self.codec}
        self.clips = clips
        self.validation_data = validation_data

    def role_at(self, step: int) -> str:
        return "codec"

    def loss(self, role: str, batch: Batch, draws: Draws) -> tuple[Tensor, dict[str, float]]:
        loss, mse = codec_loss(self.codec, batch["frames"], draws.rng)
        return loss, {"mse": mse.item()}

    def finalize(self, modules: dict[str, nn.Module]) -> None:
        """The statistics of the latents, of the weights that are about to be written."""
        if self.clips is not None:
            freeze_statistics(self.codec, self.clips)

    @torch.no_grad()
    def validate(self, modules: dict[str, nn.Module], rng: torch.Generator) -> dict[str, float]:
        return {"psnr": psnr(self.codec, self.validation_data)} if self.validation_data is not None else {}

    @torch.no_grad()
    def sample(self, modules: dict[str, nn.Module]) -> list[tuple[Tensor, Tracks]]:
        """A held-out clip and what the codec makes of it. A codec has no tracks to draw."""
        if self.validation_data is None:
            return []
        clip = self.validation_data[:1].to(self.codec.latent_mean.device)
        shown = [clip, self.codec.decode(self.codec.encode(clip))]
        unseen = Tracks(
            torch.zeros(clip.shape[1], 1, 2),
            torch.zeros(clip.shape[1], 1, dtype=torch.bool),
            clip.shape[-1],
            clip.shape[-2],
        )
        return [(frames[0].permute(0, 2, 3, 1).clamp(0, 1), unseen) for frames in shown]


def codec_loss(
    codec: TinyCodec, frames: Tensor, rng: torch.Generator, latent_noise: float = 0.08
) -> tuple[Tensor, Tensor]:
    """frames (B, T, 3, H, W) -> loss, mean squared error. Charbonnier + gradient L1 + MSE + a pull of the
    latents to zero.
    """
    raw, _ = codec.encode_raw(frames, codec.start_encode())
    noisy = raw + latent_noise * torch.randn(raw.shape, generator=rng).to(raw.device)
    out, _ = codec.decode_raw(noisy, codec.start_decode())
    diff = out - frames
    mse = diff.square().mean()
    charbonnier = (diff.square() + 1e-6).sqrt().mean()
    gradient = (diff[..., 1:] - diff[..., :-1]).abs().mean() + (
        diff[..., 1:, :] - diff[..., :-1, :]
    ).abs().mean()
    return charbonnier + 0.5 * gradient + 4 * mse + 2e-3 * raw.square().mean(), mse


@torch.no_grad()
def psnr(codec: TinyCodec, clips: Tensor) -> float:
    """Mean PSNR in dB over whole clips."""
    clips = clips.to(codec.latent_mean.device)
    errors = [F.mse_loss(codec.decode(codec.encode(c[None])), c[None]).item() for c in clips]
    return float(np.mean([-10 * np.log10(max(e, 1e-10)) for e in errors]))


@torch.no_grad()
def freeze_statistics(codec: TinyCodec, clips: Tensor) -> None:
    """Sets the per-channel latent mean and standard deviation from clips."""
    raw = torch.cat(
        [codec.encode_raw(c[None].to(codec.latent_mean.device), codec.start_encode())[0] for c in clips]
    )
    codec.latent_mean.copy_(raw.mean((0, 2, 3, 4)))
    codec.latent_std.copy_(raw.std((0, 2, 3, 4)).clamp(min=1e-4))  # a channel that says nothing stays finite


def heldout_clips(media: Path, count: int, frames: int, seed: int = 11) -> Tensor:
    """Clips (count, frames, 3, 128, 128) of the held-out half of the world."""
    rng = np.random.default_rng(seed)
    pictures, sprites, names, _ = load_media(media)
    clips = [
        render(random_scene(rng, pictures, sprites, names, frames=frames), rng, 0, 0).frames
        for _ in range(count)
    ]
    return torch.from_numpy(np.stack(clips)).permute(0, 1, 4, 2, 3).float() / 255


def renderers(device: torch.device) -> int:
    """Processes that render clips: none beside a CPU that trains."""
    return max(1, (os.cpu_count() or 2) - 2) if device.type == "cuda" else 0


def read_videos(paths: tuple[Path, ...], size: int = 128, limit: int = 400) -> tuple[np.ndarray, ...]:
    """Video files -> uint8 (T, ~128·k, ~128·k, 3) each, the shorter side twice the training size. ValueError
    for one that cannot be used.
    """
    import av
    import cv2
    from av.error import FFmpegError

    clips = []
    for path in paths:
        frames = []
        try:
            with av.open(str(path)) as container:
                for frame in container.decode(video=0):
                    image = frame.to_ndarray(format="rgb24")
                    scale = 2 * size / min(image.shape[:2])
                    frames.append(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))
                    if len(frames) == limit:
                        break
        except (FFmpegError, OSError, IndexError) as error:
            raise ValueError(f"video: expected a file that can be decoded, got {path} ({error})") from None
        if len(frames) < 2 * FRAMES:
            raise ValueError(f"video: expected at least {2 * FRAMES} frames, got {len(frames)} in {path}")
        clips.append(np.stack(frames))
    return tuple(clips)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `train codec`."""
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path("runs"),
        help="run folder, whose media/train.npz the world is made of; media/heldout.npz is beside it",
    )
    parser.add_argument("--out", type=Path, help="<folder>/codec by default; run again to go on")
    parser.add_argument(
        "--init", type=Path, help="codec.safetensors to begin with, or a weights file that has a codec"
    )
    parser.add_argument(
        "--video",
        type=Path,
        action="append",
        default=[],
        help="a video file to learn from beside the synthetic world",
    )
    parser.add_argument(
        "--decoder-only", action="store_true", help="the encoder and the latents stay as those of --init"
    )
    parser.add_argument("--batch", type=int, default=4, help="crops of a micro-batch")
    parser.add_argument("--seed", type=int, default=0)
    parser.set_defaults(parallel="replicas")


def build(args: argparse.Namespace) -> Setup:
    """The codec of the parsed options."""
    out = args.out or args.folder / "codec"
    media = args.folder / "media/train.npz"
    if args.decoder_only and args.init is None:
        raise ValueError("decoder-only: expected --init FILE, whose encoder and latents are kept, got none")
    if (out / "codec.safetensors").exists() and not (out / "checkpoints").exists():
        raise ValueError(
            f"out: expected a folder without a finished codec, got {out}: name it as --init and another "
            "--out to go on from it"
        )
    data = Crops(media, read_videos(tuple(args.video)), renderers(pick_device("auto")))
    clips, frames, seed = STATISTICS
    stage = CodecStage(
        open_tiny_codec(args.init, fresh=True),
        None if args.decoder_only else heldout_clips(media, clips, frames, seed),
        heldout_clips(media.with_name("heldout.npz"), *HELD_OUT),
    )
    name = "codec --decoder-only" if args.decoder_only else "codec"
    return Setup(stage, data, {"codec": args.lr}, name, media.name, out, file_digests(args.init))
