"""Installing the pack into somebody's environment changes no package of theirs."""

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
# Wheels without code, as the registries have them: what a stranger has, and what pip could replace it with.
WHEELS = {
    ("numpy", "1.26.4"): [],
    ("numpy", "2.3.0"): [],
    ("opencv-contrib-python", "4.10.0.84"): ["numpy>=1.21.2"],
    ("opencv-python-headless", "4.12.0.88"): ["numpy>=2"],
}


def write_wheel(folder: Path, name: str, version: str, requires: list[str]) -> Path:
    """An installable wheel of a package without code."""
    stem = f"{name.replace('-', '_')}-{version}"
    path = folder / f"{stem}-py3-none-any.whl"
    lines = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}"]
    lines += [f"Requires-Dist: {other}" for other in requires]
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(f"{stem}.dist-info/METADATA", "\n".join(lines) + "\n")
        wheel.writestr(
            f"{stem}.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{stem}.dist-info/RECORD", "")
    return path


def installed(python: Path) -> set[str]:
    """The packages of an environment, as name-version."""
    (site,) = python.parents[1].glob("lib/python*/site-packages")
    return {path.name.removesuffix(".dist-info") for path in site.glob("*.dist-info")}


def pip(python: Path, wheels: Path, *words: str) -> None:
    """`pip install` into the environment of `python`, from a folder of wheels alone."""
    command = [sys.executable, "-m", "pip", f"--python={python}", "--disable-pip-version-check", "install"]
    environment = {**os.environ, "PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1"}
    command += ["--quiet", f"--find-links={wheels}", *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_numpy_1_and_opencv_contrib_stay_as_they_were(tmp_path):
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    for (name, version), requires in WHEELS.items():
        write_wheel(wheels, name, version, requires)
    venv.create(tmp_path / "env", with_pip=False)
    python = tmp_path / "env/bin/python"
    pip(python, wheels, "numpy==1.26.4", "opencv-contrib-python==4.10.0.84")
    before = installed(python)
    assert before == {"numpy-1.26.4", "opencv_contrib_python-4.10.0.84"}
    pip(python, wheels, "-r", str(ROOT / "requirements.txt"))
    assert installed(python) == before
    # The same environment would have been changed by the OpenCV package that the pack once asked for.
    pip(python, wheels, "opencv-python-headless>=4.8")
    assert installed(python) == {
        "numpy-2.3.0",
        "opencv_contrib_python-4.10.0.84",
        "opencv_python_headless-4.12.0.88",
    }


def test_pyproject_asks_for_nothing_and_offers_opencv_as_an_extra():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert "\ndependencies = []\n" in text
    assert 'video = ["opencv-python-headless>=4.8"]' in text
