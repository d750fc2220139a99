"""One running ComfyUI with the pack in it, and its HTTP interface.

Owns the process, its base folder and its log. The pack is linked into the base folder, so the host's own
folder stays untouched.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path

from . import install

PACK = "ComfyUI-MotionStream"
WATCHED = "MOTIONSTREAM_WATCHED"  # the process that a host does not outlive
BOOT_S = 180.0
RUN_S = 240.0


class Refused(Exception):
    """The host answered with a 4xx status; `details` is its JSON. A refused prompt says why under
    node_errors.
    """

    def __init__(self, status: int, details: dict):
        super().__init__(f"HTTP {status}: {json.dumps(details)[:2000]}")
        self.status = status
        self.details = details


class Host:
    """A host that answers at `url`. Made by `running_host`."""

    def __init__(self, process: subprocess.Popen, url: str, base: Path, log: Path):
        self.process, self.url, self.base, self.log = process, url, base, log

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def get(self, path: str) -> bytes:
        return self._open(urllib.request.Request(self.url + path))

    def get_json(self, path: str) -> dict:
        return json.loads(self.get(path))

    def post(self, path: str, body: object) -> dict:
        data = json.dumps(body).encode()
        return json.loads(
            self._open(urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"}))
            or b"null"
        )

    def _open(self, request: urllib.request.Request) -> bytes:
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.read()
        except urllib.error.HTTPError as error:
            body = error.read()
            try:
                details = json.loads(body)
            except ValueError:
                details = {"text": body.decode(errors="replace")}
            raise Refused(error.code, details) from None

    def object_info(self) -> dict:
        """Every node the host knows, by id."""
        return self.get_json("/object_info")

    def queue(self, prompt: dict, client_id: str | None = None) -> str:
        """An API prompt -> its prompt id; Refused when the host's validation says no."""
        return self.post("/prompt", {"prompt": prompt, "client_id": client_id or uuid.uuid4().hex})[
            "prompt_id"
        ]

    def wait(self, prompt_id: str, timeout: float = RUN_S) -> dict:
        """The prompt's history entry, once the host has written it (which is after it has announced the
        end).
        """
        entries = self._until(
            lambda: self.get_json(f"/history/{prompt_id}").get(prompt_id),
            timeout,
            f"the end of prompt {prompt_id}",
        )
        return entries

    def run(self, prompt: dict, timeout: float = RUN_S) -> dict:
        return self.wait(self.queue(prompt), timeout)

    def wait_running(self, prompt_id: str, timeout: float = 60) -> None:
        """Until the prompt has begun."""
        self._until(
            lambda: any(item[1] == prompt_id for item in self.get_json("/queue")["queue_running"]),
            timeout,
            f"the start of prompt {prompt_id}",
        )

    def interrupt(self, prompt_id: str) -> None:
        self.post("/interrupt", {"prompt_id": prompt_id})

    def fetch(self, output: dict) -> bytes:
        """The file of one entry of an output, such as entry["outputs"]["7"]["images"][0]."""
        return self.get(
            "/view?" + urllib.parse.urlencode({key: output[key] for key in ("filename", "subfolder", "type")})
        )

    def put_input(self, path: Path) -> str:
        """Copies a picture into the host's input folder -> the name LoadImage knows it by."""
        shutil.copyfile(path, self.base / "input" / path.name)
        return path.name

    def log_tail(self, lines: int = 40) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def stop(self) -> None:
        """Asks, then insists. Signals go to the whole group that `running_host` started."""
        for number, patience in ((signal.SIGINT, 10), (signal.SIGKILL, 10)):
            if self.alive:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self.process.pid, number)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.process.wait(patience)

    def _until(self, found, timeout: float, what: str):
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            value = found()
            if value:
                return value
            if not self.alive:
                raise RuntimeError(
                    f"waiting for {what}: the host ended with code "
                    f"{self.process.returncode}\n{self.log_tail()}"
                )
            time.sleep(0.1)
        raise TimeoutError(f"waiting for {what}: nothing after {timeout:.0f} s\n{self.log_tail()}")


def errors_of(entry: dict) -> list[dict]:
    """The execution errors of a history entry: {node_id, node_type, exception_type, exception_message,
    ...}.
    """
    return [message for kind, message in entry["status"]["messages"] if kind == "execution_error"]


def ended_as(entry: dict) -> str:
    """ "success", "error" or "interrupted"."""
    kinds = [kind for kind, _ in entry["status"]["messages"]]
    return "interrupted" if "execution_interrupted" in kinds else entry["status"]["status_str"]


def figures_of(entry: dict) -> dict:
    """The Streaming Sampler's own account of its run: frames, first_frame_s, fps, ..."""
    return next(
        output["motionstream_run"][0] for output in entry["outputs"].values() if "motionstream_run" in output
    )


def video_of(entry: dict) -> dict:
    """The one file that SaveVideo wrote, for `Host.fetch`."""
    found = [
        item
        for output in entry["outputs"].values()
        for item in output.get("images", [])
        if item["filename"].endswith(".mp4")
    ]
    if len(found) != 1:
        raise RuntimeError(f"outputs: expected one mp4, got {found}")
    return found[0]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def options(base: Path, port: int) -> list[str]:
    """The host's command line; the CPU where torch sees no CUDA device."""
    import torch

    device = [] if torch.cuda.is_available() else ["--cpu"]
    network = ["--listen", "127.0.0.1", "--port", str(port), "--disable-api-nodes"]
    return [
        *device,
        *network,
        "--base-directory",
        str(base),
        "--database-url",
        f"sqlite:///{base}/comfyui.db",
    ]


def prepare_base(base: Path, fresh: bool = True) -> Path:
    """A base folder with the pack linked into custom_nodes; `fresh` empties it first."""
    base = base.resolve()
    link = base / "custom_nodes" / PACK
    if fresh:
        shutil.rmtree(base, ignore_errors=True)  # a link is removed, not followed
    for name in ("custom_nodes", "input", "output", "temp", "user", "models"):
        (base / name).mkdir(parents=True, exist_ok=True)
    if not link.is_symlink():
        link.symlink_to(install.ROOT, target_is_directory=True)
    return base


def command(base: Path, port: int) -> list[str]:
    return [
        sys.executable,
        str(Path(__file__).parent / "launch.py"),
        str(install.host_source()),
        *options(base, port),
    ]


@contextlib.contextmanager
def running_host(base: Path, fresh: bool = True) -> Iterator[Host]:
    """Boots a host on a free port, yields it when it answers, stops it in any case. The log stays at
    BASE/host.log.
    """
    base, port = prepare_base(base, fresh), free_port()
    log = base / "host.log"
    end_by_signal()
    with open(log, "w") as out:
        process = subprocess.Popen(
            command(base, port),
            stdout=out,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            env={**os.environ, WATCHED: str(os.getpid())},
        )
    host = Host(process, f"http://127.0.0.1:{port}", base, log)
    try:
        host._until(lambda: answers(host), BOOT_S, "the host's first answer")
        yield host
    finally:
        host.stop()


def end_by_signal() -> None:
    """A program that is asked to end, or whose terminal is closed, ends as by Ctrl+C: it stops its host."""

    def end(number: int, frame: object) -> None:
        sys.exit(128 + number)

    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) == signal.SIG_DFL:
                signal.signal(number, end)


def answers(host: Host) -> bool:
    try:
        return bool(host.get("/system_stats"))
    except (OSError, Refused):
        return False
