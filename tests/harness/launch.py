"""Starts ComfyUI as a program: `python launch.py COMFYUI_FOLDER OPTIONS...`, with what a machine without a
matching torchvision lacks.

Three stand-ins, each only where the real thing is missing: the schemas of torchvision's two compiled
operators (a torchvision built for CUDA cannot load them beside a CPU torch, and then does not import), a
torchaudio without functions, and an empty list of the host's own example workflows. None is part of the pack.
"""

from __future__ import annotations

import importlib.util
import os
import runpy
import signal
import sys
import threading
import time
from pathlib import Path

KEEP = []  # torch forgets a library's definitions when the object goes


def stand_in_for_torchvision() -> None:
    import torch

    if KEEP:
        return

    spec = importlib.util.find_spec("torchvision")
    compiled = [] if spec is None else sorted(Path(spec.origin).parent.glob("_C.*"))
    try:
        torch.ops.load_library(str(compiled[0]))
    except (IndexError, OSError):
        library = torch.library.Library("torchvision", "DEF")
        library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        KEEP.append(library)


def stand_in_for_packages() -> None:
    """Last on the path, so that an installed torchaudio or comfyui_workflow_templates comes first."""
    sys.path.append(str(Path(__file__).parent / "shims"))


def end_with(parent: int) -> None:
    """Ends this process once `parent` is no more, however it ended: a kill tells nobody."""
    while os.getppid() == parent:
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    watched = os.environ.pop("MOTIONSTREAM_WATCHED", "")
    if watched.isdecimal():
        threading.Thread(target=end_with, args=(int(watched),), daemon=True).start()
    folder = Path(sys.argv[1]).resolve()
    sys.path[0] = str(folder)  # as if its main.py had been started
    sys.argv = [str(folder / "main.py"), *sys.argv[2:]]
    stand_in_for_torchvision()
    stand_in_for_packages()
    os.chdir(folder)
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
