"""Whether the browser keeps up: frames of 480×832 at 30 a second, made by a stand-in for the sampler, shown
by the real Stream Preview.

Part of `make bench-live`; the stand-in is in `bench_pack`. What is counted are pictures drawn on the
preview's canvas.
"""

from __future__ import annotations

import statistics

from .browser import Tab, chromium, open_tab
from .host import Host, ended_as, errors_of

WIDTH, HEIGHT, FPS, SECONDS, CHUNK = 480, 832, 30, 20, 12

WATCH = """view => {
    const canvas = view.querySelector('.ms-stage canvas:not(.ms-over)')
    const ctx = canvas.getContext('2d'), draw = ctx.drawImage
    const times = window.msTimes = []
    let last = null
    ctx.drawImage = function (picture, ...place) {
        if (picture !== last) times.push(performance.now())
        last = picture
        return draw.call(this, picture, ...place)
    }
}"""


def display(host: Host) -> dict:
    """Pictures drawn: how many, how many a second, the gaps between them; {} without a browser."""
    if chromium() is None:
        return {}
    with open_tab(host, 1600, 1400) as tab:
        return watched(tab, host)


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
        raise RuntimeError(f"expected a picture that changes, got {len(times)} pictures")
    return {
        "size": f"{WIDTH}x{HEIGHT}",
        "made_fps": FPS,
        "made_frames": FPS * SECONDS,
        "shown_frames": len(times),
        **paces(times),
    }


def paces(times: list[float]) -> dict:
    """Rate and gaps of the pictures drawn, the first two seconds and the last one left out."""
    middle = [time for time in times if times[0] + 2000 <= time <= times[-1] - 1000]
    gaps = sorted(b - a for a, b in zip(middle, middle[1:]))
    shown = 1000 * len(gaps) / (middle[-1] - middle[0])
    late = sum(gap > 1.5 * 1000 / FPS for gap in gaps)
    return {
        "shown_fps": round(shown, 2),
        "gap_p50_ms": round(statistics.median(gaps), 1),
        "gap_p95_ms": round(gaps[int(0.95 * len(gaps))], 1),
        "gap_max_ms": round(gaps[-1], 1),
        "gaps_over_50_ms_percent": round(100 * late / len(gaps), 2),
    }


def workflow() -> dict:
    """Picture → stand-in → Stream Preview."""
    nodes = [
        {
            "id": 1,
            "type": "LoadImage",
            "pos": [0, 0],
            "size": [300, 300],
            "widgets_values": ["motionstream_example.png", "image"],
            "outputs": [
                {"name": "IMAGE", "type": "IMAGE", "links": [1]},
                {"name": "MASK", "type": "MASK", "links": []},
            ],
            "inputs": [],
        },
        {
            "id": 2,
            "type": "PacedFrames",
            "pos": [0, 400],
            "size": [300, 200],
            "widgets_values": [WIDTH, HEIGHT, FPS, SECONDS, CHUNK],
            "inputs": [{"name": "image", "type": "IMAGE", "link": 1}],
            "outputs": [{"name": "IMAGE", "type": "IMAGE", "links": [2]}],
        },
        {
            "id": 3,
            "type": "MotionStreamPreview",
            "pos": [400, 0],
            "size": [560, 1150],
            "widgets_values": [],
            "inputs": [{"name": "images", "type": "IMAGE", "link": 2}],
            "outputs": [{"name": "IMAGE", "type": "IMAGE", "links": []}],
        },
    ]
    for order, each in enumerate(nodes):
        each.update(flags={}, order=order, mode=0, properties={})
    links = [[1, 1, 0, 2, 0, "IMAGE"], [2, 2, 0, 3, 0, "IMAGE"]]
    return {
        "last_node_id": 3,
        "last_link_id": 2,
        "nodes": nodes,
        "links": links,
        "groups": [],
        "config": {},
        "extra": {},
        "version": 0.4,
    }
