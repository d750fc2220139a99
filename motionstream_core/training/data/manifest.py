"""What a long preparation of data has done so far: one line of JSON per fact, appended, so that it goes on
after any kill.

Owns the file manifest.jsonl, the waiting clips and the shards made of them. Knows nothing of videos.

A clip is first written to staged/ (complete or not at all), then said to be kept. A shard is first announced
with the clips that go into it, then written, then its staged clips are removed: whichever of these steps was
the last before a kill, the next start finds out and finishes it, and no clip is in two shards or in none.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .shard_files import join_shards, write_shard

NAME, STAGED = "manifest.jsonl", "staged"


class Manifest:
    """The manifest of the folder `out`, opened for going on. ValueError when it was begun with other settings
    or another process has it open.
    """

    def __init__(self, out: Path, settings: Mapping[str, Any], shard: int):
        self.out, self.shard = out, shard
        self.done: set[str] = set()
        self.verdicts: dict[tuple[str, int], dict[str, Any]] = {}
        self.waiting: list[str] = []
        self.shards: list[dict[str, Any]] = []
        self.counts: Counter[str] = Counter()
        (out / STAGED).mkdir(parents=True, exist_ok=True)
        self._lock = _file_lock(out / f"{NAME}.lock")
        begun = self._replay()
        plain = json.loads(json.dumps(dict(settings)))
        if begun is not None and begun != plain:
            changed = [
                f"{key} {begun.get(key)!r} (now {plain.get(key)!r})"
                for key in sorted({*begun, *plain})
                if begun.get(key) != plain.get(key)
            ]
            self.close()
            raise ValueError(
                f"data: expected the settings that {out} was begun with, {', '.join(changed)}; give them "
                "again or choose another folder"
            )
        self._file = (out / NAME).open("ab", buffering=0)
        if begun is None:
            self._add({"settings": plain})
        if self.shards:
            self._finish(self.shards[-1])

    def verdict(self, video: str, start: int) -> dict[str, Any] | None:
        """What was decided about a clip before, if anything."""
        return self.verdicts.get((video, start))

    def keep(self, video: str, start: int, name: str, sample: Mapping[str, np.ndarray]):
        """A clip's sample. A shard is made as soon as there are enough."""
        write_shard(self.out / STAGED / name, [sample])
        self._add({"clip": [video, start], "state": "kept", "file": name})
        if len(self.waiting) >= self.shard:
            self.pack()

    def drop(self, video: str, start: int, state: str, **more: Any):
        """A clip that is not used, and why."""
        self._add({"clip": [video, start], "state": state, **more})

    def finish(self, video: str, **more: Any):
        """A video that has been gone through: it is not opened again."""
        self._add({"video": video, **more})

    def pack(self):
        """The waiting clips, as many as a shard takes, become a shard."""
        if self.waiting:
            row = {"shard": f"videos_{len(self.shards):05d}.npz", "clips": self.waiting[: self.shard]}
            self._add(row)
            self._finish(row)

    def close(self):
        if getattr(self, "_file", None) is not None:
            self._file.close()
        if self._lock is not None:
            self._lock.close()

    def __enter__(self) -> Manifest:
        return self

    def __exit__(self, *exception):
        self.close()

    def _finish(self, row: dict[str, Any]):
        staged = [self.out / STAGED / name for name in row["clips"]]
        if not (self.out / row["shard"]).exists():
            join_shards(self.out / row["shard"], staged)
        for path in staged:
            path.unlink(missing_ok=True)

    def _add(self, row: dict[str, Any]):
        self._file.write((json.dumps(row) + "\n").encode())
        self._take(row)

    def _take(self, row: dict[str, Any]):
        if "clip" in row:
            video, start = row["clip"]
            self.counts[row["state"]] += 1
            self.verdicts[video, start] = row
            if row["state"] == "kept":
                self.waiting.append(row["file"])
        elif "video" in row:
            self.done.add(row["video"])
            self.counts["frames"] += row.get("frames", 0)
            self.counts["cuts"] += row.get("cuts", 0)
            self.verdicts = {key: value for key, value in self.verdicts.items() if key[0] != row["video"]}
        elif "shard" in row:
            self.shards.append(row)
            self.waiting = self.waiting[len(row["clips"]) :]

    def _replay(self) -> dict[str, Any] | None:
        """Reads what is there -> the settings it was begun with. A line that a kill cut off is taken back."""
        path, settings = self.out / NAME, None
        if not path.exists():
            return None
        whole = 0
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    break
                try:
                    row = json.loads(line)
                except ValueError:
                    raise ValueError(f"{path}: expected JSON in line {number}, got {line[:60]!r}") from None
                settings = row["settings"] if number == 1 and "settings" in row else settings
                self._take(row)
                whole += len(line)
        os.truncate(path, whole)
        return settings


def _file_lock(path: Path):
    """A lock that ends with the process, where the system has such locks."""
    try:
        import fcntl
    except ImportError:
        return None
    file = path.open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise ValueError(
            f"data: expected {path.parent} for this process alone, got one that another process is writing"
        ) from None
    return file
