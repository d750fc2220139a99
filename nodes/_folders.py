"""Files in folders that may be read-only, full, or hold what a stranger has put there.

Owns copying whole or not at all, and the list of plain files. Knows nothing of the host.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

MOST_LISTED = 200_000
DEEPEST = 16


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


def plain_files(folder: str, inside: str = "", depth: int = 0) -> list[str]:
    """The plain files below a folder, sorted. Hidden ones and folders that cannot be read are left out."""
    found: list[str] = []
    try:
        with os.scandir(os.path.join(folder, inside)) as entries:
            for entry in entries:
                name = f"{inside}{entry.name}"
                if entry.name.startswith(".") or len(found) > MOST_LISTED:
                    continue
                if entry.is_dir(follow_symlinks=False) and depth < DEEPEST:
                    found += plain_files(folder, f"{name}/", depth + 1)
                elif entry.is_file(follow_symlinks=False):
                    found.append(name)
    except OSError:
        pass
    return found if inside else sorted(found)
