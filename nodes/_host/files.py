"""The host's folders: models/motionstream, input, output, and the pack's part for the browser."""

from __future__ import annotations

import importlib
import logging
import os
import shutil
from collections.abc import Collection
from pathlib import Path

import folder_paths

LOG = logging.getLogger("motionstream")
PACK = "ComfyUI-MotionStream"
FOLDER = "motionstream"
WORKFLOWS = Path(__file__).parents[2] / "workflows"
EXAMPLES = [
    WORKFLOWS / f"motionstream_{name}"
    for name in (
        "example.png",
        "example_depth.png",
        "example_mask.png",
        "source.mp4",
        "source_mask.png",
        "car.mp4",
    )
]


def add_models_folder():
    """models/motionstream, made where it is missing and known to the host's loaders."""
    folder = Path(folder_paths.models_dir) / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    folder_paths.add_model_folder_path(FOLDER, str(folder))


def copy_examples():
    """The pictures and the video of the shipped workflows, into the input folder where they are missing."""
    inputs = Path(folder_paths.get_input_directory())
    for example in EXAMPLES:
        if example.is_file() and not (inputs / example.name).exists():
            inputs.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(example, inputs / example.name)


def serve_browser_part():
    """Under a name of its own where the pack's folder has a name that the host cannot serve: otherwise editor
    and preview would be missing without a word.
    """
    pack = WORKFLOWS.parent
    # The host's own module `nodes`, which has registered the folder by now if it may.
    served = importlib.import_module("nodes").EXTENSION_WEB_DIRS
    if os.path.abspath(pack / "js") in served.values():
        return
    served[PACK] = os.path.abspath(pack / "js")
    LOG.warning(
        "MotionStream: the host cannot serve help pages from a folder named %r; call it %s and they are back",
        pack.name,
        PACK,
    )


def recording_path(prefix: str, width: int, height: int) -> Path:
    """The next free file `prefix`_00001_.mp4 of the output folder, as Save Video numbers them; a prefix that
    leaves the folder is an error.
    """
    folder, name, counter, _, _ = folder_paths.get_save_image_path(
        prefix, folder_paths.get_output_directory(), width, height
    )
    return Path(folder) / f"{name}_{counter:05}_.mp4"


def input_files(suffixes: Collection[str]) -> list[str]:
    """The files of the input folder and the folders in it with one of these endings, as the host's nodes name
    them.
    """
    folder = Path(folder_paths.get_input_directory())
    found = (
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.suffix.lower() in suffixes
    )
    return sorted(name for name in found if not any(part.startswith(".") for part in name.split("/")))


def input_path(name: str) -> Path:
    """A name of `input_files` -> its file; a name that is none, or leaves the folder, is a ValueError."""
    folder = Path(folder_paths.get_input_directory()).resolve()
    path = (folder / name).resolve()
    if not path.is_relative_to(folder) or not path.is_file():
        raise ValueError(f"file: expected one of the input folder, got {name!r}")
    return path


def output_path(prefix: str, suffix: str) -> tuple[Path, str]:
    """The next free file `prefix`_00001_`suffix` of the output folder and the folder within it that it is
    in.
    """
    folder, name, counter, subfolder, _ = folder_paths.get_save_image_path(
        prefix, folder_paths.get_output_directory()
    )
    return Path(folder) / f"{name}_{counter:05}_{suffix}", subfolder
