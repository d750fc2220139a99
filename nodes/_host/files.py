"""The host's folders: models/motionstream, input, output, and the pack's part for the browser."""

from __future__ import annotations

import importlib
import logging
import os
import shutil
import threading
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

import folder_paths

from ...motionstream_core.common.checked import excerpt
from .._prefixes import with_date

LOG = logging.getLogger("motionstream")
PACK = "ComfyUI-MotionStream"
FOLDER = "motionstream"
LISTED_S = 0.3  # seconds that a listing of the input folder holds
MOST_LISTED = 200_000
DEEPEST = 16
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


def is_copy(there: Path, example: Path) -> bool:
    """Whether a file is there that is not the beginning of the example and no more: somebody's own stays."""
    if not there.is_file():
        return there.exists()
    size = there.stat().st_size
    if size >= example.stat().st_size:
        return True
    with example.open("rb") as file:
        return there.read_bytes() != file.read(size)


def copy_whole(source: Path, target: Path):
    """Copies a file, whole or not at all."""
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        shutil.copyfile(source, part)
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)


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
        with_date(prefix), folder_paths.get_output_directory(), width, height
    )
    return Path(folder) / f"{name}_{counter:05}_.mp4"


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
            _LISTED.update(folder=folder, names=_walk(folder), at=time.monotonic())
        names: list[str] = _LISTED["names"]
    return [name for name in names if os.path.splitext(name)[1].lower() in suffixes]


def _walk(folder: str, inside: str = "", depth: int = 0) -> list[str]:
    """The plain files below a folder, sorted; hidden ones and folders that cannot be read are left out."""
    found: list[str] = []
    try:
        with os.scandir(os.path.join(folder, inside)) as entries:
            for entry in entries:
                name = f"{inside}{entry.name}"
                if entry.name.startswith(".") or len(found) > MOST_LISTED:
                    continue
                if entry.is_dir(follow_symlinks=False) and depth < DEEPEST:
                    found += _walk(folder, f"{name}/", depth + 1)
                elif entry.is_file(follow_symlinks=False):
                    found.append(name)
    except OSError:
        pass
    return found if inside else sorted(found)


def input_path(name: str) -> Path:
    """A name of `input_files` -> its file; a name that is none, or leaves the folder, is a ValueError."""
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
