"""Captions as embeddings for presets without a vocabulary of their own (Wan): by the host's umt5, or read
from files made before.

Owns what an embedding in a shard is: (L, text_dim) float16, zeros behind the last token, as Wan's text
encoder gives it. Longer captions are cut at L. ComfyUI is an optional dependency of this file alone, looked
for when a text encoder is asked for. Knows nothing of videos or shards.
"""

from __future__ import annotations

import hashlib
import importlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

HOST = "comfy.sd"
KEY = "text"
SUFFIX = ".safetensors"


class Prompts(Protocol):
    """The embedding of a clip. name: the video's path in its folder, without knowledge of clips. ValueError
    where there is none.
    """

    fingerprint: str

    def __call__(self, name: str, caption: str) -> np.ndarray: ...


class HostPrompts:
    """By a CLIP of the host (`host_clip`), each caption once in a row."""

    def __init__(self, clip: Any, length: int, width: int, fingerprint: str):
        self.clip, self.length, self.width, self.fingerprint = clip, length, width, fingerprint
        self.last: tuple[str, np.ndarray] | None = None

    def __call__(self, name: str, caption: str) -> np.ndarray:
        if self.last is None or self.last[0] != caption:
            with torch.no_grad():
                made = self.clip.encode_from_tokens(self.clip.tokenize(caption))
            self.last = (caption, row_of(made[0].float().cpu(), self.length, self.width, "the text encoder"))
        return self.last[1]


class StoredPrompts:
    """From a folder: NAME.safetensors for the video NAME.mp4, sub-folders too, with one tensor "text" (L,
    width) or (1, L, width).
    """

    def __init__(self, folder: Path, length: int, width: int):
        if not folder.is_dir():
            raise ValueError(
                f"embeddings: expected a folder with NAME{SUFFIX} for every video, got {folder}, which is "
                "none"
            )
        self.folder, self.length, self.width = folder, length, width
        self.fingerprint = f"stored {length}"

    def __call__(self, name: str, caption: str) -> np.ndarray:
        path = (self.folder / name).with_suffix(SUFFIX)
        if not path.is_file():
            raise ValueError(f"expected its embeddings {path.name} in {self.folder}, got none")
        try:
            with safe_open(path, "pt") as file:
                if KEY not in file.keys():  # noqa: SIM118  no mapping
                    raise ValueError(
                        f"{path.name}: expected a tensor {KEY!r}, got {', '.join(sorted(file.keys()))}"
                    )
                value = file.get_tensor(KEY)
        except SafetensorError as error:
            raise ValueError(
                f"{path.name}: expected embeddings (safetensors), got a file that cannot be read ({error})"
            ) from None
        return row_of(
            value[0] if value.ndim == 3 and len(value) == 1 else value, self.length, self.width, path.name
        )


def row_of(value: Tensor, length: int, width: int, source: str) -> np.ndarray:
    """(L, width) of any length -> (length, width) float16: cut or filled with zeros. ValueError for another
    shape or for what is no number.
    """
    if value.ndim != 2 or value.shape[1] != width or not len(value):
        raise ValueError(f"{source}: expected embeddings (tokens, {width}), got {tuple(value.shape)}")
    value = value[:length].float()
    if not torch.isfinite(value).all() or value.abs().max() > torch.finfo(torch.float16).max:
        raise ValueError(f"{source}: expected embeddings that are numbers within float16, got others")
    out = np.zeros((length, width), np.float16)
    out[: len(value)] = value.numpy()
    return out


def host_prompts(
    path: Path, length: int, width: int, options: Mapping[str, Any] | None = None
) -> HostPrompts:
    """The text encoder of a file, as the host loads it for Wan."""
    return HostPrompts(
        host_clip(path, options or {}),
        length,
        width,
        f"{path.name} {path.stat().st_size} {_head(path)} {length}",
    )


def host_clip(path: Path, options: Mapping[str, Any]) -> Any:
    """The host's CLIP of a umt5 file. ValueError where there is no host to import, no such file, or a file
    that the host cannot read as one.
    """
    if not path.is_file():
        raise ValueError(f"text encoder: expected a file, got {path}, which is none")
    try:
        if not torch.cuda.is_available():
            importlib.import_module("comfy.cli_args").args.cpu = True
        sd = importlib.import_module(HOST)
    except ImportError as error:
        raise ValueError(
            f"text encoder: expected a ComfyUI that can be imported, got none ({error}): put its folder "
            "and its packages on PYTHONPATH, "
            f"or give embeddings made elsewhere (--embeddings FOLDER)"
        ) from None
    try:
        clip = sd.load_clip([str(path)], clip_type=sd.CLIPType.WAN, model_options=dict(options))
    except (RuntimeError, KeyError, TypeError, ValueError, AttributeError, SafetensorError) as error:
        raise ValueError(
            f"{path.name}: expected a umt5 text encoder as ComfyUI has it for Wan, got a file that does "
            f"not load ({str(error).splitlines()[0]})"
        ) from error
    kinds = [kind.__name__ for kind in type(clip.cond_stage_model).__mro__]
    if "WanT5Model" not in kinds:
        raise ValueError(
            f"{path.name}: expected a umt5 text encoder, got one that ComfyUI reads as {kinds[0]}"
        )
    return clip


def _head(path: Path) -> str:
    """A hash of a file's first MiB."""
    with path.open("rb") as file:
        return hashlib.sha256(file.read(2**20)).hexdigest()[:16]


def importable(folder: Path | None) -> None:
    """Puts a ComfyUI's folder first on the path."""
    if folder is None:
        return
    if not (folder / "comfy" / "sd.py").is_file():
        raise ValueError(f"comfyui: expected ComfyUI's folder, got {folder}, which has no comfy/sd.py")
    sys.path.insert(0, str(folder.resolve()))
