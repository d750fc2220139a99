"""Starts a ComfyUI: `python launch.py FOLDER [arguments of its main.py]`.

Where torch is a CPU build and torchvision or torchaudio do not import beside it, their stand-ins come first: the two operators that torchvision
only names, and an empty torchaudio. With a torch that they fit, nothing is changed.
"""

from __future__ import annotations

import importlib
import os
import runpy
import sys
from pathlib import Path

SHIMS = Path(__file__).parent / "shims"
OPERATORS = ("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor", "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")


def stand_in() -> object:
    """Makes torchvision and torchaudio importable under a CPU build; returns what has to stay alive."""
    import torch

    if torch.version.cuda or getattr(torch.version, "hip", None):
        return None
    library = None
    if not imports("torchvision"):
        library = torch.library.Library("torchvision", "DEF")
        for schema in OPERATORS:
            library.define(schema)
    if not imports("torchaudio"):
        sys.path.insert(1, str(SHIMS))
    return library


def imports(name: str) -> bool:
    """Whether a module imports; a failed try leaves no part of it behind."""
    try:
        importlib.import_module(name)
    except (ImportError, OSError, RuntimeError, AttributeError):
        for loaded in [key for key in sys.modules if key == name or key.startswith(f"{name}.")]:
            del sys.modules[loaded]
        return False
    return True


def main():
    folder = Path(sys.argv[1]).resolve()
    sys.path[0] = str(folder)  # in the place of this file's own folder, as if main.py had been started
    kept = stand_in()
    sys.argv = [str(folder / "main.py"), *sys.argv[2:]]
    os.chdir(folder)
    runpy.run_path(sys.argv[0], run_name="__main__")
    del kept


if __name__ == "__main__":
    main()
