"""`train data`: a folder of videos becomes shards, from the command line.

Owns the options, what they are by default for each preset, and which codec makes the latents.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file

from ...codec.tiny import TinyCodec
from ...codec.wan_layers import open_wan_vae
from ...codec.wan_vae import WanCodec
from ...common.devices import parse_size, pick_device, show_progress
from ...model.presets import ModelConfig, preset
from ...model.weights.networks import open_networks
from ...training.data.prompts import Prompts, StoredPrompts, host_prompts, importable
from ...training.methods.roles import has_own_words


@dataclass(frozen=True)
class Defaults:
    size: tuple[int, int]
    frames: int
    fps: float
    grid: tuple[int, int]


DEFAULTS = {
    "tiny": Defaults((128, 128), 49, 16, (24, 24)),
    "wan2.1": Defaults((832, 480), 81, 16, (50, 50)),
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
    data.add_argument("--comfyui", type=Path, help="folder of a ComfyUI, where it is not on PYTHONPATH")
    data.add_argument(
        "--text-tokens",
        type=int,
        help="tokens of a caption that are kept, the preset's by default; fewer take less room on disk",
    )
    data.add_argument(
        "--size", type=parse_size, help="WIDTHxHEIGHT: scaled until it covers this, then the middle"
    )
    data.add_argument("--frames", type=int, help="of a clip: 1 + a multiple of 4; the synthetic world has 37")
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


def run_data(args: argparse.Namespace) -> None:
    """Writes the shards and prints the summary as JSON; bad files on stderr."""
    from ...training.data.folder import FolderRecipe, write_folder
    from ...training.data.footage import ClipShape

    config = preset(args.preset)
    usual = DEFAULTS[next(name for name in DEFAULTS if args.preset.startswith(name))]
    frames = args.frames or usual.frames
    fps = usual.fps if args.fps is None else args.fps
    shape = ClipShape(*(args.size or usual.size), frames, fps, args.stride or frames)
    recipe = FolderRecipe(
        shape, args.grid or usual.grid, bool(config.motion and config.motion.warp), args.min_motion, args.seed
    )
    prompts = prompts_of(args, config)
    summary = write_folder(
        args.videos,
        args.out,
        config,
        encoder_of(args.preset, config, args.codec, args.device),
        recipe,
        show_progress,
        prompts,
    )
    for row in summary["bad"]:
        print(f"skipped {row['video']}: {row['reason']}", file=sys.stderr)
    print(json.dumps(summary | {"bad": len(summary["bad"])}))


def prompts_of(args: argparse.Namespace, config: ModelConfig) -> Prompts | None:
    """What makes the embeddings of a preset; None for presets with a vocabulary of their own. ValueError says
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


def encoder_of(name: str, config: ModelConfig, path: Path | None, device: str):
    """What makes the latents of a preset: the tiny codec, or a Wan VAE from a file. ValueError says in words
    what is missing.
    """
    if name.startswith("tiny"):
        return tiny_codec(path).to(pick_device(device)).eval().requires_grad_(False)
    if path is None:
        raise ValueError(f"codec: expected --codec FILE with the VAE of {name}, got none")
    chosen = pick_device(device)
    codec = WanCodec(open_wan_vae(path).to(chosen), device=chosen)
    if codec.latent_channels != config.latent_channels:
        raise ValueError(
            f"codec: expected a VAE of {config.latent_channels} channels for {name}, got one of "
            f"{codec.latent_channels}"
        )
    return codec


def tiny_codec(path: Path | None, fresh: bool = False) -> TinyCodec:
    """The built-in codec (with `fresh` one that has learned nothing), or the one of a codec.safetensors or of
    a whole weights file.
    """
    if path is None:
        return TinyCodec() if fresh else open_networks().codec
    if not path.is_file():
        raise ValueError(f"codec: expected a file, got {path}, which is none")
    try:
        state, codec = load_file(path), TinyCodec()
        if any(key.startswith("codec.") for key in state):
            return open_networks(path).codec
        codec.load_state_dict(state)
    except (RuntimeError, SafetensorError) as error:
        raise ValueError(
            f"{path.name}: expected the tiny codec's weights, got a file that does not fit "
            f"({str(error).splitlines()[0]})"
        ) from None
    return codec
