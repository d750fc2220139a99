"""Where things are: the project, its environment, the host, node and the browser. Standard library only; installs nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import lru_cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HARNESS = ROOT / "tests" / "harness"
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
CACHE = ROOT / ".cache" / "host"
NODE_AT_LEAST = 20
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
BROWSER_VARIABLE = "MOTIONSTREAM_BROWSER"


def comfyui_path() -> Path:
    """The ComfyUI to test against: COMFYUI_PATH when it is set, else the pinned one in the project's cache."""
    own = os.environ.get("COMFYUI_PATH")
    path = Path(own).expanduser().resolve() if own else CACHE / "ComfyUI"
    if own and not (path / "main.py").is_file():
        raise SystemExit(f"COMFYUI_PATH: expected a folder with main.py, got {own!r}")
    return path


@lru_cache
def find_node() -> str | None:
    """The path of a node that is new enough: the system's, or the one in the environment; None without one."""
    for found in (shutil.which("node"), VENV / "bin" / "node"):
        if found and Path(found).exists() and node_version(str(found)) >= NODE_AT_LEAST:
            return str(found)
    return None


def node_version(node: str) -> int:
    """Node's major version; 0 when it does not run."""
    try:
        return int(subprocess.run([node, "--version"], capture_output=True, text=True, timeout=30).stdout.strip().lstrip("v").split(".")[0])
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return 0


def find_npm() -> str | None:
    """The npm beside the node of `find_node`, or the system's."""
    node = find_node()
    beside = Path(node).parent / "npm" if node else None
    return str(beside) if beside is not None and beside.exists() else shutil.which("npm")


def find_browser() -> str | None:
    """The path of a Chromium; None without one. MOTIONSTREAM_BROWSER names another."""
    own = os.environ.get(BROWSER_VARIABLE)
    return own or next((path for name in BROWSERS if (path := shutil.which(name))), None)


def missing_for_browser() -> str | None:
    """Why the browser's tests cannot run here; None when they can."""
    if find_node() is None:
        return f"no node {NODE_AT_LEAST} or newer (install the package nodejs)"
    if not (ROOT / "node_modules" / "playwright-core").is_dir():
        return "playwright-core is not installed (make setup)"
    if find_browser() is None:
        return f"no Chromium (install the package chromium, or set {BROWSER_VARIABLE})"
    return None
