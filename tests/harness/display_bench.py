"""Whether the browser keeps up: frames of 480×832 at 30 a second, made by a stand-in for the sampler, shown by the real Stream Preview.

Part of `make bench-live`. The stand-in is a node of a pack of its own in the benchmark's host; it hands frames to the pack's own live run, so
that everything from there on (encoding, queue, socket, pacing, drawing) is the real thing.
"""

from __future__ import annotations

import statistics

from .browser import Tab, chromium, open_tab
from .host import Host, ended_as, errors_of

WIDTH, HEIGHT, FPS, SECONDS, CHUNK = 480, 832, 30, 20, 12

PACK = '''
import sys, time
import torch

class PacedFrames:
    """A moving picture handed to the live run, a chunk at a time, at a steady rate."""

    RETURN_TYPES, FUNCTION, CATEGORY, OUTPUT_NODE = ("IMAGE",), "make", "test", True

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"image": ("IMAGE",), "width": ("INT", {}), "height": ("INT", {}), "fps": ("INT", {}), "seconds": ("INT", {}), "chunk": ("INT", {})},
                "hidden": {"unique_id": "UNIQUE_ID"}}

    @classmethod
    def IS_CHANGED(cls, **inputs):
        return time.time()

    def make(self, image, width, height, fps, seconds, chunk, unique_id):
        inside = next(module for name, module in list(sys.modules.items()) if name.endswith(".nodes._host") and hasattr(module, "LiveRun"))
        Chunk = inside.Chunk
        big = torch.nn.functional.interpolate(image.permute(0, 3, 1, 2), size=(height + 64, width + 64), mode="bilinear")[0].permute(1, 2, 0)
        about = {"width": width, "height": height, "fps": float(fps), "frames": fps * seconds, "chunk_frames": chunk}
        with inside.LiveRun(unique_id, chunks=None, takes=("stop",), **about) as run:
            began, made, index = time.monotonic(), 0, 0
            while made < fps * seconds:
                frames = torch.stack([big[(made + i) % 64 :, (made + i) % 64 :][:height, :width] for i in range(chunk)])
                none = torch.zeros(chunk, 0, 2)
                run.show(Chunk(index, made, frames, frames[:0], {"denoise_s": 0.1}, 0.0, float(fps), 0, none, none[..., 0].bool()), 0)
                made, index = made + chunk, index + 1
                time.sleep(max(0.0, began + made / fps - time.monotonic()))
        return (image,)

NODE_CLASS_MAPPINGS = {"PacedFrames": PacedFrames}
'''

WATCH = """view => {
    const counter = view.querySelector('.ms-fact b'), times = []
    new MutationObserver(() => times.push(performance.now())).observe(counter, { characterData: true, childList: true, subtree: true })
    window.msTimes = times
}"""


def install_pack(host_base) -> None:
    (host_base / "custom_nodes").mkdir(parents=True, exist_ok=True)
    (host_base / "custom_nodes" / "paced_frames.py").write_text(PACK)


def display(host: Host) -> dict:
    """Shown frames a second, the gaps between shown frames, and the share of the frames made that were shown; {} without a browser."""
    if chromium() is None:
        return {}
    with open_tab(host, 1600, 1400) as tab:
        return {f"display_{key}": value for key, value in watched(tab, host).items()}


def watched(tab: Tab, host: Host) -> dict:
    tab.use_vue_nodes(False)
    tab.load(workflow())
    tab.centre_on(3, 1.0)
    tab.page.locator(".ms-view").first.evaluate(WATCH)
    entry = host.wait(tab.queue())
    if ended_as(entry) != "success":
        raise RuntimeError(f"the stand-in did not run: {errors_of(entry)}")
    tab.page.wait_for_timeout(1500)
    times = tab.page.evaluate("() => window.msTimes")
    if len(times) < 10:
        raise RuntimeError(f"expected a view that changes, got {len(times)} changes of its counter")
    middle = [time for time in times if times[0] + 2000 <= time <= times[-1] - 1000]
    gaps = [b - a for a, b in zip(middle, middle[1:])]
    ordered = sorted(gaps)
    shown = 1000 * len(gaps) / (middle[-1] - middle[0])
    return {
        "size": f"{WIDTH}x{HEIGHT}",
        "made_fps": FPS,
        "shown_fps": round(shown, 2),
        "gap_p50_ms": round(statistics.median(gaps), 1),
        "gap_p95_ms": round(ordered[int(0.95 * len(ordered))], 1),
        "gap_max_ms": round(ordered[-1], 1),
    }


def workflow() -> dict:
    """Picture → stand-in → Stream Preview."""
    nodes = [
        {"id": 1, "type": "LoadImage", "pos": [0, 0], "size": [300, 300], "widgets_values": ["motionstream_example.png", "image"],
         "outputs": [{"name": "IMAGE", "type": "IMAGE", "links": [1]}, {"name": "MASK", "type": "MASK", "links": []}], "inputs": []},
        {"id": 2, "type": "PacedFrames", "pos": [0, 400], "size": [300, 200], "widgets_values": [WIDTH, HEIGHT, FPS, SECONDS, CHUNK],
         "inputs": [{"name": "image", "type": "IMAGE", "link": 1}], "outputs": [{"name": "IMAGE", "type": "IMAGE", "links": [2]}]},
        {"id": 3, "type": "MotionStreamPreview", "pos": [400, 0], "size": [560, 1150], "widgets_values": [],
         "inputs": [{"name": "images", "type": "IMAGE", "link": 2}], "outputs": [{"name": "IMAGE", "type": "IMAGE", "links": []}]},
    ]  # fmt: skip
    for order, each in enumerate(nodes):
        each.update(flags={}, order=order, mode=0, properties={})
    links = [[1, 1, 0, 2, 0, "IMAGE"], [2, 2, 0, 3, 0, "IMAGE"]]
    return {"last_node_id": 3, "last_link_id": 2, "nodes": nodes, "links": links, "groups": [], "config": {}, "extra": {}, "version": 0.4}
