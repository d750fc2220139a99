"""Public weights in a folder of models: which of them a loader offers, and their conversion on first use.

Owns how they are recognised (by what is in them, never by their name), and where the converted file lies:
beside its source, or elsewhere where that folder cannot be written. A source that has changed is converted
again. Keys and presets are `convert.py`'s. Nothing is downloaded, and nothing in a file is run.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

from .bundle import FORMAT, read_header
from .checkpoint_presets import checkpoint_preset, metadata_in
from .convert import convert
from .safetensors_files import SAFE_ENDINGS, weights_files
from .trackwan import ENCODER, files_beside

PICKLED = (".pt", ".pth", ".ckpt", ".bin")
CONVERTED = ".motionstream.safetensors"
PIPELINE = "model_index.json"
# Parts of keys of causal Wan networks that no host's loader reads.
PUBLIC_KEYS = (ENCODER, "condition_embedder.text_embedder.", "generator_ema.", "generator.")


def offered(files: Iterable[tuple[str, Path]], everything: bool = False) -> dict[str, Path]:
    """What a loader offers of files (name, place): this pack's files, pickled ones, public causal networks,
    and diffusers folders of Wan, whose names end in a slash and stand for the files in them.

    everything: files that nobody recognises too.
    """
    found: dict[str, Path] = {}
    for name, path in files:
        folder = diffusers_folder(path)
        if folder is not None:
            above = len(path.relative_to(folder).parts)
            inside = name.replace(os.sep, "/").split("/")[:-above]
            if inside and is_wan_folder(folder):
                found.setdefault("/".join(inside) + "/", folder)
        elif everything or path.suffix in PICKLED or is_known(path):
            found.setdefault(name, path)
    return found


def diffusers_folder(path: Path) -> Path | None:
    """The folder of a pipeline, or of a transformer with its config, that a weights file lies in."""
    for folder in (path.parent, path.parent.parent):
        if (folder / PIPELINE).is_file():
            return folder
    return path.parent if "Wan" in _class_in(path.parent) else None


def is_wan_folder(folder: Path) -> bool:
    """Whether a diffusers folder has a Wan transformer, by the class names in it."""
    listed = files_beside(folder).get(PIPELINE, {}).get("transformer")
    return "Wan" in f"{_class_in(folder)}{_class_in(folder / 'transformer')}{listed}"


def _class_in(folder: Path) -> str:
    try:
        read = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    return str(read.get("_class_name", "")) if isinstance(read, dict) else ""


def is_known(path: Path) -> bool:
    """Whether a safetensors file is this pack's, or a public network that is converted for it."""
    return _is_ours(path) or is_public(path)


def is_public(path: Path) -> bool:
    """Whether weights must be converted before this pack or a host's loader can read them."""
    if path.is_dir():
        return True
    if path.suffix in PICKLED:
        return True
    return not _is_ours(path) and any(part in key for key in _keys(path) for part in PUBLIC_KEYS)


def _is_ours(path: Path) -> bool:
    return FORMAT in _header(path).get("__metadata__", {})


def _keys(path: Path) -> Iterable[str]:
    return (key for key in _header(path) if key != "__metadata__")


def _header(path: Path) -> dict[str, Any]:
    """A safetensors file's header. Empty for what has none. A file that did not change is read once."""
    try:
        about = path.stat()
    except OSError:
        return {}
    return _header_of(path, about.st_size, about.st_mtime_ns) if path.suffix in SAFE_ENDINGS else {}


@lru_cache(maxsize=512)
def _header_of(path: Path, size: int, modified: int) -> dict[str, Any]:
    """What of a header is looked at: a few keys' names would do, but which is not known beforehand."""
    try:
        header = read_header(path)
    except (ValueError, OSError):
        return {}
    metadata = header.get("__metadata__")
    kept = [key for key in header if any(part in key for part in PUBLIC_KEYS)][:1]
    return {"__metadata__": metadata if isinstance(metadata, dict) else {}, **dict.fromkeys(kept)}


def convert_once(
    source: Path,
    preset: str | None,
    elsewhere: Path,
    *,
    say: Callable[[str], None] = lambda line: None,
    on_bytes: Callable[[int, int], None] = lambda done, total: None,
) -> Path:
    """The converted file of public weights, made where it is not there yet or its source has changed.

    Args:
        source: a file, or a diffusers folder.
        preset: what the weights were made for. None where they say it themselves.
        elsewhere: a folder for the file, where the source's own cannot be written.
        say: told what is done, in lines.
        on_bytes: called with the bytes written and those there will be, before every tensor. May raise to
            stop, and then nothing is left.
    """
    stamp = stamp_of(source)
    name = converted_name(source, preset)
    places = (source.parent / name, elsewhere / name)
    for place in places:
        if place.is_file() and _made_from(place) == stamp:
            return place
    target = places[0] if os.access(source.parent, os.W_OK) else places[1]
    if target.is_file() and _made_from(target) is None:
        raise ValueError(f"{target.name}: expected a file that was converted here, got another: move it away")
    say(f"Converted once, into {target}")
    known = None if preset is None else checkpoint_preset(preset)
    convert(source, target, known, say=say, on_bytes=on_bytes, origin=stamp)
    return target


def converted_name(source: Path, preset: str | None) -> str:
    """The converted file's name: its source's and the preset's."""
    stem = source.name if source.is_dir() else source.stem
    return f"{stem}{'.' + preset if preset else ''}{CONVERTED}"


def stamp_of(source: Path) -> dict[str, Any]:
    """What tells whether a source has changed: bytes and newest time of its files."""
    about = [file.stat() for file in weights_files(source)]
    return {"bytes": sum(each.st_size for each in about), "modified": max(each.st_mtime_ns for each in about)}


def _made_from(path: Path) -> dict[str, Any] | None:
    """The stamp of the source that a file was converted from. None for another file."""
    try:
        about = json.loads(metadata_in(path)[FORMAT])["provenance"]
        return {name: about[name] for name in ("bytes", "modified")}
    except (ValueError, KeyError, TypeError, OSError):
        return None
