"""The hash of a file."""

from __future__ import annotations

import hashlib
from pathlib import Path

BLOCK = 2**22  # bytes read at a time


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal digits. OSError where it cannot be read."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            found.update(block)
    return found.hexdigest()
