"""Any folder of videos as training samples: latents, tracks and captions in shards that `Pool` reads.

Owns which clips are used, their tracks, their captions and the list of bad files. One clip at a time. What
was done before a kill is not done again (`manifest` keeps the books, `footage` the clips, `shards.sample_of`
makes the sample).

Beside the fields of `shards` a sample has caption (512,) uint8 (`pool.caption_text`), for Wan presets also
text (L, text_dim) float16 (`prompts`). With the tiny preset a random choice of the tracked grid is kept, as
people draw it, because the warped start image is made from it. Without a warped start image the whole grid
is.
"""

from __future__ import annotations

import csv
import errno
import hashlib
import json
import zlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ...model.presets import ModelConfig
from ...tracks.camera.moves import regular_grid
from ...tracks.types import Tracks
from ...tracks.video.camera_motion import fit_background_motion
from ...tracks.video.patch_tracker import FlowTracker
from .footage import BadVideo, ClipShape, cut_into_clips, find_videos, read_pictures
from .manifest import Manifest
from .pool import caption_bytes
from .prompts import Prompts
from .selection import choose_mixed
from .shards import LIMIT, SHARD, ClipEncoder, device_of, sample_of
from .shown import See, shown_fields
from .world import Clip

BAD = "bad_files.jsonl"
GONE = 0.7  # share of the visible points lost from one frame to the next that means a cut
FEW = 0.05  # share of the points still followed at the end, at least
MOVING = 95  # per cent of the points may rest
APART = 0.03  # of the shorter side: a point that leaves the background's motion by this much is on a subject
CAPTION_FILES = ("captions.jsonl", "captions.csv")
FILE_KEYS, TEXT_KEYS = ("video", "file", "file_name", "path"), ("caption", "text")


@dataclass(frozen=True)
class FolderRecipe:
    """What is made of a folder. grid: columns and rows of the points that are followed. min_motion: share of
    the shorter side.
    """

    shape: ClipShape
    grid: tuple[int, int]
    warp: bool
    min_motion: float = 0.02
    seed: int = 0

    def __post_init__(self):
        if min(self.grid) < 2 or self.grid[0] * self.grid[1] > 10_000:
            raise ValueError(f"grid: expected 2x2 to 10,000 points, got {self.grid[0]}x{self.grid[1]}")
        if not 0 <= self.min_motion < 1:
            raise ValueError(f"min_motion: expected 0 to 1 of the shorter side, got {self.min_motion}")

    @property
    def limit(self) -> int:
        return LIMIT if self.warp else self.grid[0] * self.grid[1]


@dataclass
class _Work:
    """What every clip of a run needs."""

    recipe: FolderRecipe
    encode: ClipEncoder
    latent: tuple[int, ...]
    manifest: Manifest
    prompts: Prompts | None
    grey: bool = False
    see: See | None = None


def write_folder(
    videos: Path,
    out: Path,
    config: ModelConfig,
    encoder: ClipEncoder,
    recipe: FolderRecipe,
    report: Callable[[str], None] = lambda line: None,
    prompts: Prompts | None = None,
    see: See | None = None,
) -> dict[str, Any]:
    """Makes shards of all videos below a folder, or goes on with it -> the summary.

    Bad files are skipped and listed in bad_files.jsonl.

    ValueError for a folder without videos, for other settings than `out` was begun with, for a full disk and
    when no clip at all is usable.

    Args:
        videos: folder whose videos are read, in folders of folders too.
        out: folder of the shards.
        config: the preset that is to be trained.
        encoder: makes the latents.
        recipe: which clips are made.
        report: told of every video.
        prompts: embeds the captions, for presets that are told embeddings.
        see: a picture's features, for presets that look at the start image.
    """
    found = find_videos(videos)
    captions = read_captions(videos)
    latent = latent_shape(config, recipe.shape)
    grey = config.motion is not None and config.motion.grey
    settings = {**asdict(recipe), "encoder": encoder_fingerprint(encoder), "latent": latent}
    settings |= _settings_of(prompts, grey, see)
    out.mkdir(parents=True, exist_ok=True)
    (out / BAD).unlink(missing_ok=True)
    bad = []
    captioned = 0
    try:
        with Manifest(out, settings, SHARD) as manifest:
            work = _Work(recipe, encoder, latent, manifest, prompts, grey, see)
            for number, path in enumerate(found, 1):
                name = path.relative_to(videos).as_posix()
                if name not in manifest.done:
                    try:
                        caption = caption_of(path, name, captions)
                        captioned += caption != ""
                        _one_video(work, path, name, caption)
                    except BadVideo as error:
                        bad.append({"video": name, "reason": str(error)})
                        _write_bad(out, bad[-1])
                counts = manifest.counts
                done = f"{number}/{len(found)} videos, {counts['kept']} clips, {counts['static']} static"
                report(f"{done}, {len(bad)} bad: {name}")
            while manifest.waiting:
                manifest.pack()
            counts = manifest.counts
            shards = len(manifest.shards)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            what = f"room on the disk of {out}, got a full one"
            raise ValueError(f"data: expected {what}; what is done is kept, run it again to go on") from None
        raise
    if not counts["kept"]:
        what = f"at least one usable clip of {recipe.shape.frames} frames in {videos}"
        raise ValueError(f"videos: expected {what}, got none ({_why_none(counts, bad)})")
    return {
        "videos": len(found),
        "clips": counts["kept"],
        **{key: counts[key] for key in ("static", "lost", "cuts", "frames")},
        "shards": shards,
        "captioned_now": captioned,
        "bad": bad,
    }


def _settings_of(prompts: Prompts | None, grey: bool, see: See | None) -> dict[str, Any]:
    """What else a folder was begun with, of presets that are told or shown more."""
    settings: dict[str, Any] = {}
    if prompts is not None:
        settings["text"] = prompts.fingerprint
    if grey or see is not None:
        settings["shown"] = [grey, see is not None]
    return settings


def _write_bad(out: Path, row: dict[str, str]) -> None:
    with (out / BAD).open("a") as file:
        file.write(json.dumps(row) + "\n")


def _why_none(counts: Mapping[str, int], bad: list[dict[str, str]]) -> str:
    why = "; ".join(f"{row['video']}: {row['reason']}" for row in bad[:5])
    return (
        f"{counts['static']} static, {counts['lost']} lost, {counts['cut']} with a cut, {len(bad)} bad "
        f"files{': ' + why if why else ''}"
    )


def _one_video(work: _Work, path: Path, name: str, caption: str):
    """Every clip of one video. BadVideo when it cannot be read to its end or is too short for a clip."""
    shape = work.recipe.shape
    text = caption_embedding(work.prompts, name, caption)
    clips = 0

    def decide(start: int, clip: np.ndarray) -> int | None:
        nonlocal clips
        clips += 1
        known = work.manifest.verdict(name, start)
        return known.get("at") if known else _one_clip(work, name, start, clip, caption, text)

    frames, cuts = cut_into_clips(read_pictures(path, shape), shape, decide)
    if not clips:
        what = f"{frames}" if not cuts else f"{frames} with {cuts} cuts between them"
        raise BadVideo(
            f"expected at least {shape.frames} frames in a "
            f"row{f' at {shape.fps:g} a second' if shape.fps else ''}, got {what}"
        )
    work.manifest.finish(name, frames=frames, cuts=cuts)


def _one_clip(
    work: _Work, name: str, start: int, clip: np.ndarray, caption: str, text: dict[str, np.ndarray]
) -> int | None:
    """Follows, judges and keeps or drops one clip -> the frame of a cut that the tracker found in it."""
    recipe, manifest = work.recipe, work.manifest
    xy, visible, cut = follow_grid(clip, recipe.grid)
    if cut is not None:
        manifest.drop(name, start, "cut", at=cut)
    elif motion_of(xy, visible) < recipe.min_motion * min(clip.shape[1:3]):
        manifest.drop(name, start, "static")
    elif visible[-1].mean() < FEW:
        manifest.drop(name, start, "lost")
    else:
        if recipe.warp:
            rng = np.random.default_rng([recipe.seed, zlib.crc32(name.encode()), start])
            chosen = choose_mixed(
                rng,
                Clip(clip, xy, visible, track_owners(xy, visible, clip.shape[2], clip.shape[1]), caption),
                recipe.limit,
            )
            xy, visible = xy[:, chosen], visible[:, chosen]
        frames = torch.from_numpy(clip).permute(0, 3, 1, 2).float() / 255
        sample = (
            sample_of(work.encode, frames, xy, visible, caption, recipe.limit, recipe.warp)
            | {"caption": caption_bytes(caption)}
            | text
            | shown_fields(work.encode, frames.to(device_of(work.encode)), work.grey, work.see)
        )
        if sample["latents"].shape != work.latent:
            raise ValueError(
                f"encoder: expected latents {work.latent} of a clip of this preset, got "
                f"{sample['latents'].shape}"
            )
        manifest.keep(name, start, f"{hashlib.sha1(name.encode()).hexdigest()[:16]}_{start:09d}.npz", sample)
    return cut


def caption_embedding(prompts: Prompts | None, name: str, caption: str) -> dict[str, np.ndarray]:
    """The field of a caption's embedding. BadVideo where this video has none that can be used."""
    try:
        return {} if prompts is None else {"text": prompts(name, caption)}
    except ValueError as error:
        raise BadVideo(str(error)) from None


def follow_grid(clip: np.ndarray, grid: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, int | None]:
    """A grid of points of frame 0 through a clip (T, H, W, 3) -> xy (T, N, 2), visible (T, N), and the frame
    of a cut, at which it stops.
    """
    height, width = clip.shape[1:3]
    tracker = FlowTracker()
    points = regular_grid(width, height, *grid).astype(np.float32)
    tracker.start(clip[0], points)
    xy, visible = [points], [np.ones(len(points), bool)]
    for number, frame in enumerate(clip[1:], 1):
        places, seen = tracker.step(frame)
        before = visible[-1]
        if tracker.cuts or (before.mean() > FEW and (before & ~seen).sum() > GONE * before.sum()):
            return np.stack(xy), np.stack(visible), number
        xy.append(np.clip(places, -max(width, height), 2 * max(width, height)))
        visible.append(seen)
    return np.stack(xy), np.stack(visible), None


def motion_of(xy: np.ndarray, visible: np.ndarray) -> float:
    """How far the points go that move most (one in twenty), in px."""
    return float(np.percentile(np.where(visible, np.linalg.norm(xy - xy[:1], axis=-1), 0).max(0), MOVING))


def track_owners(xy: np.ndarray, visible: np.ndarray, width: int, height: int) -> np.ndarray:
    """(N,): 0 for points that leave the background's motion, else -1."""
    import cv2

    cv2.setRNGSeed(0)
    ways = fit_background_motion(Tracks(torch.from_numpy(xy), torch.from_numpy(visible), width, height))
    moved = np.concatenate([xy[0], np.ones((xy.shape[1], 1))], 1) @ ways.transpose(0, 2, 1)
    expected = moved[..., :2] / np.where(np.abs(moved[..., 2:]) < 1e-6, 1e-6, moved[..., 2:])
    away = np.where(visible, np.linalg.norm(xy - expected, axis=-1), 0).max(0)
    return np.where(away > APART * min(width, height), 0, -1)


def latent_shape(config: ModelConfig, shape: ClipShape) -> tuple[int, ...]:
    """(C, t, h, w) of a clip's latents with this preset. ValueError for a size that does not fit."""
    time, down, across = config.vae_stride
    unit_h, unit_w = down * config.patch[1], across * config.patch[2]
    if shape.width % unit_w or shape.height % unit_h:
        raise ValueError(
            f"size: expected a width divisible by {unit_w} and a height divisible by {unit_h}, got "
            f"{shape.width}x{shape.height}"
        )
    return config.latent_channels, (shape.frames - 1) // time + 1, shape.height // down, shape.width // across


def encoder_fingerprint(encoder: ClipEncoder) -> str:
    """What tells encoders apart: latents of two codecs are not mixed in one folder."""
    digest = hashlib.sha256(type(encoder).__name__.encode())
    module = encoder if isinstance(encoder, torch.nn.Module) else getattr(encoder, "module", None)
    if isinstance(module, torch.nn.Module):
        for name, value in sorted(module.state_dict().items()):
            digest.update(name.encode() + value.detach().float().cpu().numpy().tobytes())
    return digest.hexdigest()[:16]


def read_captions(folder: Path) -> Mapping[str, str]:
    """The captions of captions.jsonl or captions.csv, by the video's path in the folder. ValueError names a
    bad line.
    """
    out: dict[str, str] = {}
    for path in (folder / name for name in CAPTION_FILES):
        if not path.exists():
            continue
        try:
            lines = path.read_text("utf-8-sig").splitlines()
            rows = (
                enumerate(csv.DictReader(lines), 2)
                if path.suffix == ".csv"
                else ((n, json.loads(line)) for n, line in enumerate(lines, 1) if line.strip())
            )
            for number, row in rows:
                keys = [
                    next(
                        (key for key in names if isinstance(row, dict) and isinstance(row.get(key), str)),
                        None,
                    )
                    for names in (FILE_KEYS, TEXT_KEYS)
                ]
                if None in keys:
                    raise ValueError(
                        f"line {number}: expected one of {', '.join(FILE_KEYS)} and one of "
                        f"{', '.join(TEXT_KEYS)}, got {row}"
                    )
                out[row[keys[0]].removeprefix("./")] = row[keys[1]].strip()
        except ValueError as error:
            raise ValueError(f"{path.name}: expected captions by video, got {error}") from None
    return out


def caption_of(path: Path, name: str, captions: Mapping[str, str]) -> str:
    """The caption of a video: its .txt, else its line in the folder's captions, else none."""
    beside = path.with_suffix(".txt")
    if not beside.exists():
        return captions.get(name, "")
    try:
        return " ".join(beside.read_text("utf-8-sig").split())
    except UnicodeDecodeError:
        raise BadVideo(f"expected its caption {beside.name} in UTF-8, got other bytes") from None
