"""What `make bench-live` adds to its own host: a meter on the pack's live runs, and a stand-in for the
sampler that makes 480×832 at 30 frames a second.

A file of its own in the benchmark host's custom_nodes; no part of the pack and of no other host. The stand-in
hands frames to the pack's own LiveRun, so that everything from there on (encoding, queue, socket, pacing,
drawing) is the real thing.

    POST /bench/mark {"mark"}   what comes next is measured under this name
    GET  /bench/chunks          [[mark, chunk, entered_s, made_s, viewers, most_waiting], …] since the last
    GET: every chunk handed out
"""

from __future__ import annotations

from pathlib import Path

PACK = '''
import sys, time

import torch
from aiohttp import web
from server import PromptServer

METER = {"mark": "", "chunks": [], "on": False}


def inside():
    modules = (module for name, module in list(sys.modules.items()) if name.endswith(".nodes._host"))
    return next(module for module in modules if hasattr(module, "LiveRun"))


def measure():
    """Notes every chunk that a live run hands out."""
    METER["on"], live_run = True, inside().LiveRun
    show = live_run.show

    def noted(self, chunk, kept_bytes):
        viewers = self.run._everyone()
        waiting = max((len(viewer._frames) for viewer in viewers), default=0)
        row = [METER["mark"], chunk.index, time.monotonic(), chunk.latency_s, len(viewers), waiting]
        METER["chunks"].append([*row, time.thread_time()])
        return show(self, chunk, kept_bytes)

    live_run.show = noted


@PromptServer.instance.routes.post("/bench/mark")
async def mark(request):
    METER["mark"] = (await request.json())["mark"]
    if not METER["on"]:
        measure()
    return web.json_response({})


@PromptServer.instance.routes.get("/bench/chunks")
async def chunks(request):
    noted, METER["chunks"] = METER["chunks"], []
    return web.json_response(noted)


class PacedFrames:
    """A moving picture handed to a live run, a chunk at a time, at a steady rate."""

    RETURN_TYPES, FUNCTION, CATEGORY, OUTPUT_NODE = ("IMAGE",), "make", "test", True

    @classmethod
    def INPUT_TYPES(cls):
        numbers = ("width", "height", "fps", "seconds", "chunk")
        required = {"image": ("IMAGE",), **{name: ("INT", {}) for name in numbers}}
        return {"required": required, "hidden": {"unique_id": "UNIQUE_ID"}}

    @classmethod
    def IS_CHANGED(cls, **inputs):
        return time.time()

    def make(self, image, width, height, fps, seconds, chunk, unique_id):
        host = inside()
        size = (height + 64, width + 64)
        picture = image.permute(0, 3, 1, 2)
        big = torch.nn.functional.interpolate(picture, size=size, mode="bilinear")[0].permute(1, 2, 0)
        about = {"width": width, "height": height, "fps": float(fps)}
        about |= {"frames": fps * seconds, "chunk_frames": chunk}
        with host.LiveRun(unique_id, chunks=None, takes=("stop",), **about) as run:
            began, made, index = time.monotonic(), 0, 0
            while made < fps * seconds:
                shifts = [(made + i) % 64 for i in range(chunk)]
                frames = torch.stack([big[at:, at:][:height, :width] for at in shifts])
                none = torch.zeros(chunk, 0, 2)
                hidden = none[..., 0].bool()
                figures = ({"denoise_s": 0.1}, 0.0, float(fps), 0)
                run.show(host.Chunk(index, made, frames, frames[:0], *figures, none, hidden), 0)
                made, index = made + chunk, index + 1
                time.sleep(max(0.0, began + made / fps - time.monotonic()))
        return (image,)


NODE_CLASS_MAPPINGS = {"PacedFrames": PacedFrames}
'''


def install_pack(base: Path) -> None:
    """Into the custom_nodes of the benchmark's host."""
    folder = base / "custom_nodes"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "paced_frames.py").write_text(PACK)
