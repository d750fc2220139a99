"""The host's folders: models/motionstream, input, output, and the pack's part for the browser."""

from __future__ import annotations

import importlib
import logging
import os
import threading
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

import folder_paths

from ...motionstream_core.common.checked import excerpt
from .._folders import copy_whole, is_copy, plain_files
from .._prefixes import with_date

LOG = logging.getLogger("motionstream")
PACK = "ComfyUI-MotionStream"
FOLDER = "motionstream"
LISTED_S = 0.3  # seconds that a listing of the input folder holds
_LISTED: dict[str, Any] = {}
_LISTING = threading.Lock()
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
        "wide.jpg",
    )
]


def add_models_folder():
    """models/motionstream, made where it is missing and known to the host's loaders."""
    folder = Path(folder_paths.models_dir) / FOLDER
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        LOG.warning(
            "MotionStream: models/%s cannot be made, and weights are not found there: %s", FOLDER, error
        )
    folder_paths.add_model_folder_path(FOLDER, str(folder))


def copy_examples():
    """The pictures and the video of the shipped workflows, into the input folder where they are missing.

    One that was cut off, by a disk that was full, is copied again. A folder that cannot be written is said.
    """
    inputs = Path(folder_paths.get_input_directory())
    try:
        for example in EXAMPLES:
            if example.is_file() and not is_copy(inputs / example.name, example):
                inputs.mkdir(parents=True, exist_ok=True)
                copy_whole(example, inputs / example.name)
    except OSError as error:
        LOG.warning(
            "MotionStream: the examples of the shipped workflows are not in the input folder: %s", error
        )


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
    """The next free file `prefix`_00001_.mp4 of the output folder, as Save Video numbers them. A prefix that
    leaves the folder is an error.
    """
    folder, name, counter, _, _ = folder_paths.get_save_image_path(
        with_date(prefix), folder_paths.get_output_directory(), width, height
    )
    return Path(folder) / f"{name}_{counter:05}_.mp4"


def output_item(path: Path) -> dict[str, str]:
    """A file of the output folder as the host's history names it: filename, subfolder, type."""
    folder = path.parent.relative_to(Path(folder_paths.get_output_directory()))
    subfolder = "" if folder == Path(".") else folder.as_posix()
    return {"filename": path.name, "subfolder": subfolder, "type": "output"}


def input_files(suffixes: Collection[str]) -> list[str]:
    """The files of the input folder and the folders in it with one of these endings, as the host's nodes name
    them.

    Links, pipes and hidden folders are left out: `input_path` refuses them. The folder is walked once for
    everybody who asks within LISTED_S.
    """
    folder = os.path.abspath(folder_paths.get_input_directory())
    now = time.monotonic()
    with _LISTING:
        if _LISTED.get("folder") != folder or now - _LISTED["at"] > LISTED_S:
            _LISTED.update(folder=folder, names=plain_files(folder), at=time.monotonic())
        names: list[str] = _LISTED["names"]
    return [name for name in names if os.path.splitext(name)[1].lower() in suffixes]


def input_path(name: str) -> Path:
    """A name of `input_files` -> its file. A name that is none, or leaves the folder, is a ValueError."""
    try:
        folder = Path(folder_paths.get_input_directory()).resolve()
        path = (folder / name).resolve()
        found = path.is_relative_to(folder) and path.is_file()
    except (TypeError, ValueError, OSError, RuntimeError):  # a null byte, a name too long, a loop of links
        found = False
    if not found:
        raise ValueError(f"file: expected one of the input folder, got {excerpt(name, 80)}")
    return path


def output_path(prefix: str, suffix: str) -> tuple[Path, str]:
    """The next free file `prefix`_00001_`suffix` of the output folder and the folder within it that it is
    in.
    """
    folder, name, counter, subfolder, _ = folder_paths.get_save_image_path(
        with_date(prefix), folder_paths.get_output_directory()
    )
    return Path(folder) / f"{name}_{counter:05}_{suffix}", subfolder
