"""`make comfy`: ComfyUI with the pack on 127.0.0.1:8188, with a base folder of its own that is kept."""

from __future__ import annotations

import os

from . import host, install

PORT = 8188


def main() -> None:
    base = host.prepare_base(install.CACHE / "comfy", fresh=False)
    print(
        f"ComfyUI with the pack: http://127.0.0.1:{PORT}  (Ctrl+C ends it)\nIts files are in {base}\nStart "
        "with: Templates, ComfyUI-MotionStream, paint-a-track",
        flush=True,
    )
    command = host.command(base, PORT)
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
