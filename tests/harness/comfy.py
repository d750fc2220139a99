"""`make comfy`: ComfyUI with the pack on 127.0.0.1:8188, on a folder of its own that is kept (output/comfy), until Ctrl-C."""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from harness.host import command, prepare_base
from harness.install import ROOT

PORT = 8188


def main():
    base = prepare_base(ROOT / "output" / "comfy", fresh=False)
    print(f"ComfyUI with MotionStream: http://127.0.0.1:{PORT}  (Ctrl-C ends it; pictures go into {base.relative_to(ROOT)}/input)", flush=True)
    words = command(base, PORT)
    os.execv(words[0], words)


if __name__ == "__main__":
    main()
