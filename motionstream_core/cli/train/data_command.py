"""`train data`: a folder of videos becomes shards, from the command line.

Owns the options, what they are by default for each preset, and which codec makes the latents.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path

from ...common.devices import parse_size, show_progress
from ...model.presets import ModelConfig, preset
from ...training.data.encoders import open_encoder
from ...training.data.prompts import Prompts, StoredPrompts, host_prompts, importable
from ...training.data.shown import See, host_sight
from ...training.methods.roles import has_own_words
from ...training.methods.steps import check_whole_chunks


@dataclass(frozen=True)
class Defaults:
    size: tuple[int, int]
    frames: int
    fps: float
    grid: tuple[int, int]


DEFAULTS = {
    "tiny": Defaults((128, 128), 49, 16, (24, 24)),
    "wan2.1-1.3b-track": Defaults((832, 480), 121, 24, (50, 50)),
    "wan2.1": Defaults((832, 480), 85, 16, (50, 50)),
    "wan2.2": Defaults((1280, 704), 121, 24, (50, 50)),
}


def add_data(stages) -> argparse.ArgumentParser:
    """`data` as a sub-command of `train`."""
    data = stages.add_parser("data", help="any folder of videos as latents, tracks and captions on disk")
    data.add_argument(
        "--videos",
        type=Path,
        required=True,
        help="folder of videos; captions in NAME.txt beside each, or captions.jsonl or .csv",
    )
    data.add_argument("--out", type=Path, required=True, help="folder of shards; run again to go on")
    data.add_argument("--preset", default="tiny")
    data.add_argument(
        "--codec",
        type=Path,
        help="codec.safetensors of a run, or the VAE of a Wan preset; the built-in codec by default",
    )
    _add_told(data)
    data.add_argument(
        "--size", type=parse_size, help="WIDTHxHEIGHT: scaled until it covers this, then the middle"
    )
    data.add_argument(
        "--frames",
        type=int,
        help="of a clip: 1 + whole chunks, such as 37 (the synthetic world's), 49, 85 or 121",
    )
    data.add_argument("--fps", type=float, help="0: the frames as they are")
    data.add_argument(
        "--stride",
        type=int,
        help="frames from the beginning of one clip to that of the next; --frames by default",
    )
    data.add_argument("--grid", type=parse_size, help="COLUMNSxROWS of the points that are followed")
    data.add_argument(
        "--min-motion",
        type=float,
        default=0.02,
        help="share of the shorter side that one point in twenty must move by, or the clip is dropped",
    )
    data.add_argument("--device", default="auto", help="of the codec")
    data.add_argument("--seed", type=int, default=0)
    return data


def _add_told(data: argparse.ArgumentParser) -> None:
    """What a network is told beside latents and tracks: the text, and the start image's features."""
    text = data.add_mutually_exclusive_group()
    text.add_argument(
        "--text-encoder",
        type=Path,
        help="Wan presets: umt5 file as ComfyUI has it; needs a ComfyUI that can be imported, see --comfyui",
    )
    text.add_argument(
        "--embeddings",
        type=Path,
        help=(
            'Wan presets: folder with NAME.safetensors for every video NAME.mp4, a tensor "text" '
            "(tokens, width) in each"
        ),
    )
    data.add_argument(
        "--clip-vision",
        type=Path,
        help="presets that look at the start image: clip_vision_h as ComfyUI has it; needs a ComfyUI, too",
    )
    data.add_argument("--comfyui", type=Path, help="folder of a ComfyUI, where it is not on PYTHONPATH")
    data.add_argument(
        "--text-tokens",
        type=int,
        help="tokens of a caption that are kept, the preset's by default; fewer take less room on disk",
    )


def run_data(args: argparse.Namespace) -> None:
    """Writes the shards and prints the summary as JSON. Bad files on stderr."""
    from ...training.data.folder import FolderRecipe, write_folder
    from ...training.data.footage import ClipShape

    config = preset(args.preset)
    usual = DEFAULTS[next(name for name in DEFAULTS if args.preset.startswith(name))]
    frames = args.frames or usual.frames
    fps = usual.fps if args.fps is None else args.fps
    if config.motion is not None and (frames - 1) % config.vae_stride[0] == 0:
        check_whole_chunks(1 + (frames - 1) // config.vae_stride[0], config.rolling.cache_shape.chunk)
    width, height = args.size or usual.size
    shape = ClipShape(width, height, frames, fps, args.stride or frames)
    recipe = FolderRecipe(
        shape, args.grid or usual.grid, bool(config.motion and config.motion.warp), args.min_motion, args.seed
    )
    prompts = prompts_of(args, config)
    summary = write_folder(
        args.videos,
        args.out,
        config,
        open_encoder(args.preset, config, args.codec, args.device),
        recipe,
        show_progress,
        prompts,
        sight_of(args, config),
    )
    for row in summary["bad"]:
        print(f"skipped {row['video']}: {row['reason']}", file=sys.stderr)
    print(json.dumps(summary | {"bad": len(summary["bad"])}))


def sight_of(args: argparse.Namespace, config: ModelConfig) -> See | None:
    """What sees the start image, for presets that look at one. ValueError where it is missing or not used."""
    if config.image_dim is None:
        if args.clip_vision is not None:
            raise ValueError(f"clip-vision: expected none for {args.preset}, which looks at no picture")
        return None
    if args.clip_vision is None:
        raise ValueError(f"clip-vision: expected --clip-vision FILE for {args.preset}, got none")
    importable(args.comfyui)
    return host_sight(args.clip_vision, config.image_dim)


def prompts_of(args: argparse.Namespace, config: ModelConfig) -> Prompts | None:
    """What makes the embeddings of a preset. None for presets with a vocabulary of their own. ValueError says
    in words what is missing.
    """
    given = args.text_encoder or args.embeddings
    if has_own_words(args.preset):
        if given:
            raise ValueError(
                f"text: expected neither --text-encoder nor --embeddings for {args.preset}, which has a "
                f"vocabulary of its own, got {given}"
            )
        return None
    length = config.text_len if args.text_tokens is None else args.text_tokens
    if not 1 <= length <= config.text_len:
        raise ValueError(f"text-tokens: expected 1 to {config.text_len}, got {length}")
    if args.embeddings is not None:
        return StoredPrompts(args.embeddings, length, config.text_dim)
    if args.text_encoder is None:
        raise ValueError(
            f"text: expected --text-encoder FILE or --embeddings FOLDER for {args.preset}, got neither"
        )
    importable(args.comfyui)
    return host_prompts(args.text_encoder, length, config.text_dim)
