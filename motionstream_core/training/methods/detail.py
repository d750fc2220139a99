"""Stage "detail": the head behind the decoder learns where the warped start image shows the right texture.

Owns its training pairs (what a student's streams decode to, the warped start image, and the truth) and its
loss. The student and the codec stay as they are.

A pair is one frame: frames, carried and truth (3, H, W) uint8, maps (2, H, W) uint8 (×255). A batch has them
as float 0..1 with B in front.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange
from safetensors.torch import load_file
from torch import Tensor, nn

from ...model.detail import DetailHead
from ...model.text import STYLES
from ...model.weights.networks import Networks
from ...streaming.stream import StreamOptions, stream
from ...streaming.warped_image import WarpedImage, forward_warp
from ...tracks.types import Tracks
from ...tracks.warp.forward import ForwardWarp
from ..data.media import load_media
from ..data.selection import choose_mixed
from ..data.shard_files import ShardFile, write_shard
from ..data.world import Clip, random_scene, render
from ..engine.stage import Batch, Draws
from .options import Setup, add_common, add_validation, file_digests, setup
from .roles import load_into

NAME = "detail"
HELP = "the head behind the decoder that shows the start image's texture (--data: of `train pairs`)"
LR = 4e-3
FIELDS = ("frames", "carried", "maps", "truth")
SCENES = 32  # a file
KEPT = 8  # frames of every scene
LONG = (73, 0.15)  # frames of a long scene, and the share of those
STYLE_SHARE = 0.2
CODEC_CELL, LOOK = 8, 40.0  # pixels, and the weight of their mean colours in the loss


def stream_pair(networks: Networks, clip: Clip, chosen: np.ndarray, seed: int) -> tuple[Tensor, WarpedImage]:
    """The decoded frames (T, 3, H, W) of a stream along the chosen tracks of a clip, without a detail head,
    and the warped start image.
    """
    image = torch.from_numpy(clip.frames[0]).float() / 255
    size = image.shape[0]
    tracks = Tracks(
        torch.from_numpy(clip.xy[:, chosen]), torch.from_numpy(clip.visible[:, chosen]), size, size, 16.0
    )
    chunks = stream(
        networks,
        image,
        tracks,
        clip.caption,
        StreamOptions(len(clip.frames), seed, id_seed=seed, fit="hold", detail=False),
    )
    frames = torch.cat([chunk.frames for chunk in chunks])
    picture = rearrange(image, "h w c -> c h w")
    return rearrange(frames, "t h w c -> t c h w"), forward_warp(
        ForwardWarp(picture, tracks.xy[0]), tracks.xy, tracks.visible
    )


@torch.no_grad()
def write_pairs(
    networks: Networks,
    media: Path,
    out: Path,
    seed: int,
    count: int,
    tell: Callable[[str], None],
    style_share: float = STYLE_SHARE,
) -> None:
    """Writes files of SCENES · KEPT frames, each complete or not at all. Those that are there stay.

    Args:
        networks: the student that streams.
        media: folder of pictures and sprites.
        out: folder of the files.
        seed: of the scenes.
        count: how many files.
        tell: told a line after each file.
        style_share: of scenes whose look a style word changes.
    """
    out.mkdir(parents=True, exist_ok=True)
    pictures, sprites, names, _ = load_media(media)
    for number in range(count):
        path, rng = out / f"{seed:04d}_{number:05d}.npz", np.random.default_rng([seed, number])
        if path.exists():
            continue
        rows = []
        for _ in range(SCENES):
            style = str(rng.choice(STYLES)) if rng.random() < style_share else None
            frames = LONG[0] if rng.random() < LONG[1] else 25
            clip = render(random_scene(rng, pictures, sprites, names, frames=frames, style=style), rng)
            made, warped = stream_pair(networks, clip, choose_mixed(rng, clip), int(rng.integers(2**31)))
            truth = torch.from_numpy(clip.frames).permute(0, 3, 1, 2)
            for t in rng.choice(frames, KEPT, replace=False):
                values = {
                    "frames": _bytes(made[t]),
                    "carried": _bytes(warped.frames[t]),
                    "maps": _bytes(warped.maps[t]),
                    "truth": truth[t].numpy(),
                }
                rows.append(values)
        write_shard(path, rows)
        tell(f"detail: {path.name}, {number + 1} of {count}")


def _bytes(picture: Tensor) -> np.ndarray:
    return (picture.clamp(0, 1) * 255).round().byte().numpy()


class Pairs:
    """The data of the stage: frames of a folder, drawn at random, in one of eight symmetries each. Writers
    may go on meanwhile.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        if not self.refresh():
            raise ValueError(f"data: expected files of `train pairs` (*.npz) in {folder}, got none")

    def refresh(self) -> int:
        """Takes up what has been written since -> number of frames."""
        self.files = [ShardFile(path) for path in sorted(self.folder.glob("*.npz"))]
        for file in self.files:
            if set(file.fields) != set(FIELDS):
                raise ValueError(
                    f"{file.path.name}: expected the fields {', '.join(FIELDS)}, got {', '.join(file.fields)}"
                )
        self.ends = np.cumsum([file.rows for file in self.files])
        return int(self.ends[-1]) if self.files else 0

    def batch(self, rng: np.random.Generator, size: int) -> dict[str, Tensor]:
        rows = [
            self._turned(self._row(int(number)), int(rng.integers(8)))
            for number in rng.integers(self.ends[-1], size=size)
        ]
        return {
            name: torch.from_numpy(np.stack([row[name] for row in rows])).float() / 255 for name in FIELDS
        }

    def _row(self, number: int) -> dict[str, np.ndarray]:
        file = int(np.searchsorted(self.ends, number, side="right"))
        return self.files[file].row(number - int(self.ends[file]) + self.files[file].rows)

    @staticmethod
    def _turned(row: dict[str, np.ndarray], way: int) -> dict[str, np.ndarray]:
        for bit, change in enumerate(
            (lambda x: x[..., ::-1], lambda x: x[:, ::-1], lambda x: x.swapaxes(-1, -2))
        ):
            row = {name: change(value) for name, value in row.items()} if way >> bit & 1 else row
        return row


def detail_loss(head: DetailHead, batch: Batch) -> tuple[Tensor, Tensor]:
    """Loss and mean squared error: Charbonnier, half of the slopes' difference, four times the squared error,
    as the codec's, and the squared error of the mean colours of 8×8 pixels, which the look is made of that a
    style word asks for.
    """
    diff = head(batch["frames"], batch["carried"], batch["maps"]) - batch["truth"]
    mse = diff.square().mean()
    slopes = (diff[..., 1:] - diff[..., :-1]).abs().mean() + (
        diff[..., 1:, :] - diff[..., :-1, :]
    ).abs().mean()
    return (diff.square() + 1e-6).sqrt().mean() + 0.5 * slopes + 4 * mse + LOOK * F.avg_pool2d(
        diff, CODEC_CELL
    ).square().mean(), mse


class DetailStage:
    """The stage for `engine.train`: one role, "detail"."""

    name = NAME
    trainable = ("detail",)
    ema = "detail"

    def __init__(self, head: DetailHead, validation_data: Pairs | None = None):
        self.head = head
        self.modules: dict[str, nn.Module] = {"detail": head}
        self.validation_data = validation_data

    def role_at(self, step: int) -> str:
        return "detail"

    def loss(self, role: str, batch: Batch, draws: Draws) -> tuple[Tensor, dict[str, float]]:
        loss, mse = detail_loss(self.head, batch)
        return loss, {"mse": mse.item()}

    def validate(self, modules: dict[str, nn.Module], rng: torch.Generator) -> dict[str, float]:
        return validate(self.head, self.validation_data) if self.validation_data is not None else {}

    def sample(self, modules: dict[str, nn.Module]) -> list:
        return []


@torch.no_grad()
def validate(head: DetailHead, validation_data: Pairs, frames: int = 256) -> dict[str, float]:
    """PSNR in dB over the same frames, of what was decoded, of the warped start image and of what the head
    makes of both.
    """
    rng, errors = np.random.default_rng(1), []
    for _ in range(0, frames, 16):
        batch = {
            name: value.to(next(head.parameters()).device)
            for name, value in validation_data.batch(rng, 16).items()
        }
        made = head(batch["frames"], batch["carried"], batch["maps"]).clamp(0, 1)
        errors.append(
            [(x - batch["truth"]).square().mean().item() for x in (batch["frames"], batch["carried"], made)]
        )
    return dict(
        zip(
            ("psnr_decoded", "psnr_carried", "psnr"),
            (-10 * np.log10(np.maximum(np.mean(errors, 0), 1e-10))).tolist(),
        )
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `train detail`."""
    parser.add_argument("--init", type=Path, help="weights to begin with")
    add_common(parser)
    add_validation(parser)


def build(args: argparse.Namespace) -> Setup:
    """The head of the parsed options."""
    head = DetailHead()
    if args.init is not None:
        load_into(head, load_file(args.init), "detail")
    stage = DetailStage(head, Pairs(args.held) if args.held is not None else None)
    return setup(args, stage, Pairs(args.data), file_digests(args.init))
