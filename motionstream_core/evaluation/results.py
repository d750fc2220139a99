"""Results of a measurement: one Markdown file with command, commit, table and JSON, and the same on stdout.

Owns the file's name and layout, the Markdown table and the commit. Knows nothing of what is measured.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

RESULTS = Path("benchmarks/results")


def git_commit() -> str:
    """The repository's commit, or "unknown" outside of one."""
    try:
        found = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"],
            capture_output=True,
            text=True,
            cwd=Path(__file__).parent,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return found.stdout.strip()


def command_line() -> str:
    """The command that this process was started by."""
    return f"python -m motionstream_core {' '.join(sys.argv[1:])}"


def round_figures(value: Any, digits: int = 3) -> Any:
    """Floats to so many decimals, all the way down in dicts. None for what could not be measured."""
    if isinstance(value, dict):
        return {key: round_figures(each, digits) for key, each in value.items()}
    if not isinstance(value, float):
        return value
    return round(value, digits) if math.isfinite(value) else None


def markdown_table(head: Sequence[object], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table. Rows may be shorter than the head."""
    lines = [_line(head), "|---" * len(head) + "|"]
    for row in rows:
        lines.append(_line([*row, *[""] * (len(head) - len(row))]))
    return "\n".join(lines)


def _line(cells: Sequence[object]) -> str:
    return "|" + "".join(f" {cell} |" if str(cell) else " |" for cell in cells)


def write_result(
    folder: Path,
    name: str,
    device: str,
    title: str,
    about: str,
    body: str,
    document: Any = None,
    command: str | None = None,
) -> Path:
    """Writes <name>_<device>_<YYYYMM>.md.

    Args:
        folder: where results are kept.
        name: what was measured, in the file's name.
        device: its label (`device_label`).
        title: the heading.
        about: sentences behind command and commit.
        body: the table, and what else there is to read.
        document: the figures as JSON, in a block at the end.
        command: the command by which it was made, this process's by default.
    """
    path = folder / f"{name}_{_slug(device)}_{date.today():%Y%m}.md"
    text = f"# {title}\n\nCommand: `{command or command_line()}`. Commit: {git_commit()}. {about}".rstrip()
    text += f"\n\n{body.rstrip()}\n"
    if document is not None:
        text += f"\n```json\n{json.dumps(document)}\n```\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def _slug(device: str) -> str:
    return device.split(" (")[0].lower().replace(" ", "-")


def show_result(table: str, document: Any, kept: Path | None) -> None:
    """The table and, as last line, the JSON on stdout. On stderr, where it is kept."""
    print(table)
    if kept is not None:
        print(f"kept in {kept}", file=sys.stderr)
    print(json.dumps(document))
