"""Tests on another ComfyUI, or with another frontend, than `make test` takes.

    python -m harness.versions 0.27.0 tests/host                            one of install.HOSTS
    python -m harness.versions 0.30.0 --frontend 1.58.1 tests/browser
    python -m harness.versions /path/to/ComfyUI tests/host tests/workflows  a checkout

What that host pins and .venv has otherwise goes into a small environment of its own under .cache/host, which
falls back on .venv for everything else. .venv stays as it is.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from . import install

FRONTEND = "comfyui-frontend-package"
FALLBACK = "zz_fallback.pth"  # read after the environment's own folder, so what lies there comes first


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m harness.versions", description=__doc__.splitlines()[0])
    parser.add_argument("comfyui", help=f"{', '.join(install.HOSTS)}, or the folder of a ComfyUI")
    parser.add_argument(
        "--frontend", help="a version of the frontend other than the one that this ComfyUI asks for"
    )
    given, pytest = parser.parse_known_args(words)
    source = (
        install.released_host(given.comfyui)
        if given.comfyui in install.HOSTS
        else Path(given.comfyui).expanduser().resolve()
    )
    if not (source / "main.py").is_file():
        parser.error(
            f"comfyui: expected one of {', '.join(install.HOSTS)} or a folder with main.py, got "
            f"{given.comfyui}"
        )
    wanted = pins((source / "requirements.txt").read_text(), given.frontend)
    python = environment({name: pin for name, pin in wanted.items() if installed(name) != pin})
    install.say(f"ComfyUI at {source} with {', '.join(f'{name} {pin}' for name, pin in wanted.items())}")
    command = [
        python,
        "-m",
        "pytest",
        "-c",
        "tests/pytest.ini",
        *(pytest or ["tests/host", "tests/workflows", "tests/nodes", "tests/browser"]),
    ]
    return subprocess.run(
        [str(word) for word in command],
        cwd=install.ROOT,
        env={**os.environ, "COMFYUI_PATH": str(source)},
        check=False,
    ).returncode


def pins(requirements: str, frontend: str | None = None) -> dict[str, str]:
    """The exact versions that a host asks for, by package; a `frontend` in the place of its own."""
    found = (
        re.fullmatch(r"([\w.-]+)==([\w.]+)", line.replace(" ", ""))
        for line in install.host_requirements(requirements)
    )
    asked = {match[1].lower().replace("_", "-"): match[2] for match in found if match}
    return {**asked, FRONTEND: frontend} if frontend else asked


def installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def environment(wanted: dict[str, str]) -> Path:
    """The Python of an environment that has these versions before those of .venv; .venv's own when there is
    nothing to change.
    """
    if not wanted:
        return install.PYTHON
    folder = install.CACHE / f"env-{install.digest(*sorted(wanted.items()), sys.version)[:12]}"
    mark = folder / ".made"
    if not mark.is_file():
        install.say(f"{', '.join(f'{name} {pin}' for name, pin in wanted.items())} into {folder.name}")
        shutil.rmtree(folder, ignore_errors=True)
        venv.EnvBuilder(with_pip=False, symlinks=True).create(folder)
        inside = sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)})
        Path(inside, FALLBACK).write_text(sysconfig.get_path("purelib") + "\n")
        install.pip(
            "install", "--no-deps", "--target", inside, *(f"{name}=={pin}" for name, pin in wanted.items())
        )
        mark.touch()
    return folder / "bin" / "python"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
