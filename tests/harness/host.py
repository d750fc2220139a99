"""A real ComfyUI as a child process, and its HTTP interface as a few calls.

`start()` boots it on a free port and a folder of its own, with the project linked in as a node pack, and returns when it answers. Owns the child
process and, unless the caller named one, the folder. Standard library only; `client.py` has the WebSocket side.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
LAUNCH = Path(__file__).with_name("launch.py")
PACK = "ComfyUI-MotionStream"
BOOT_S = 300.0


class Refused(ValueError):
    """A prompt the host did not queue: `answer` is its JSON, the text its errors."""

    def __init__(self, answer: dict):
        self.answer = answer
        found = [error for node in answer.get("node_errors", {}).values() for error in node["errors"]] or [answer.get("error", {})]
        super().__init__("; ".join(f"{error.get('message', '')}: {error.get('details', '')}" for error in found))


def comfyui_path() -> Path:
    """The ComfyUI to run: the checkout of COMFYUI_PATH, else the pinned one that install.py unpacked; FileNotFoundError without it."""
    given = os.environ.get("COMFYUI_PATH")
    path = Path(given).expanduser().resolve() if given else ROOT / ".cache" / "host" / "ComfyUI"
    if not (path / "main.py").is_file():
        raise FileNotFoundError(f"expected a ComfyUI with main.py in {path}, got none: run a make target, which sets it up")
    return path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def command(base: Path, port: int, *more: str) -> list[str]:
    """The command line of a host on the folder `base`, which gets the pack linked in."""
    packs = base / "custom_nodes"
    packs.mkdir(parents=True, exist_ok=True)
    for folder in ("input", "output", "models/motionstream"):
        (base / folder).mkdir(parents=True, exist_ok=True)
    link = packs / PACK
    if not link.exists():
        link.symlink_to(ROOT, target_is_directory=True)
    about = ["--listen", "127.0.0.1", "--port", str(port), "--base-directory", str(base), "--database-url", f"sqlite:///{base}/comfyui.sqlite"]
    cpu = [] if has_gpu() else ["--cpu"]
    return [sys.executable, "-u", str(LAUNCH), str(comfyui_path()), *about, *cpu, "--disable-api-nodes", *more]


def has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


@dataclass
class Host:
    """A running host. A context manager: leaving it stops the process."""

    process: subprocess.Popen
    base: Path
    port: int
    own_base: bool

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return (self.base / "host.log").read_text(errors="replace")

    def __enter__(self) -> Host:  # noqa: PYI034  Self is of Python 3.11
        return self

    def __exit__(self, *_):
        self.stop()

    def get(self, path: str, **query: str) -> Any:
        return json.loads(self.fetch(path, **query))

    def fetch(self, path: str, **query: str) -> bytes:
        with urllib.request.urlopen(f"{self.url}{path}?{urllib.parse.urlencode(query)}", timeout=60) as answer:
            return answer.read()

    def post(self, path: str, message: dict) -> tuple[int, Any]:
        """(status, answer): JSON where the answer is JSON, otherwise the text."""
        request = urllib.request.Request(f"{self.url}{path}", json.dumps(message).encode(), {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                status, body = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            status, body = error.code, error.read()
        try:
            return status, json.loads(body)
        except ValueError:
            return status, body.decode(errors="replace")

    def object_info(self) -> dict:
        return self.get("/object_info")

    def queue(self, prompt: dict, client_id: str | None = None) -> str:
        """Queues an API prompt -> its prompt id; Refused when the host does not take it."""
        status, answer = self.post("/prompt", {"prompt": prompt, **({"client_id": client_id} if client_id else {})})
        if status != 200:
            raise Refused(answer if isinstance(answer, dict) else {"error": {"message": str(answer)}})
        return answer["prompt_id"]

    def wait(self, prompt_id: str, timeout: float = 300.0) -> dict:
        """The history of a prompt that has ended, in whatever way. History is written after the last event, so it is history that is asked."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            history = self.get(f"/history/{prompt_id}")
            if prompt_id in history:
                return history[prompt_id]
            self.demand_alive()
            time.sleep(0.1)
        raise TimeoutError(f"expected prompt {prompt_id} to end within {timeout:.0f} s; the host's last words:\n{self.log[-3000:]}")

    def run(self, prompt: dict, timeout: float = 300.0) -> dict:
        return self.wait(self.queue(prompt), timeout)

    def interrupt(self, prompt_id: str | None = None):
        self.post("/interrupt", {"prompt_id": prompt_id} if prompt_id else {})

    def fetch_output(self, saved: dict) -> bytes:
        """A file of a history's outputs: {filename, subfolder, type}."""
        return self.fetch("/view", filename=saved["filename"], subfolder=saved.get("subfolder", ""), type=saved.get("type", "output"))

    def demand_alive(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"the host has ended with code {self.process.returncode}; its last words:\n{self.log[-3000:]}")

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.own_base:
            shutil.rmtree(self.base, ignore_errors=True)


def start(base: Path | None = None, port: int | None = None, *arguments: str) -> Host:
    """Boots a host and waits until it answers; RuntimeError with the end of its log when it does not."""
    folder = Path(base or tempfile.mkdtemp(prefix="motionstream-host-")).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    port = port or free_port()
    with (folder / "host.log").open("wb") as log:
        process = subprocess.Popen(command(folder, port, *arguments), stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    host = Host(process, folder, port, base is None)
    try:
        wait_until_up(host)
    except BaseException:
        host.stop()
        raise
    return host


def wait_until_up(host: Host):
    end = time.monotonic() + BOOT_S
    while time.monotonic() < end:
        host.demand_alive()
        try:
            host.get("/system_stats")
        except OSError:
            time.sleep(0.25)
        else:
            return
    raise TimeoutError(f"expected the host to answer within {BOOT_S:.0f} s; its last words:\n{host.log[-3000:]}")


def outcome(history: dict) -> str:
    """How a prompt ended: "success", "interrupted", or the text of its error."""
    for kind, message in history["status"]["messages"]:
        if kind == "execution_interrupted":
            return "interrupted"
        if kind == "execution_error":
            return message["exception_message"].strip()
    return history["status"]["status_str"]
