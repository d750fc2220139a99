"""A person steers a running stream in the Stream Preview of a real browser on the real host.

Positions are pixels of the video unless they are called page pixels.
"""

from __future__ import annotations

import json

import numpy as np
import pytest
from harness.demo import following_errors
from harness.host import ended_as, figures_of
from harness.performed import commanded
from harness.workflow import load, nodes_of_type, shipped

from motionstream_core.codec.video import read_video
from motionstream_core.streaming.performance import read_performance
from motionstream_core.tracks.types import Tracks

VIEW = ".ms-view:not(.ms-large)"
RENDERERS = pytest.mark.parametrize("vue", [False, True], ids=["classic", "Nodes 2.0"])
KITE, GOAL = (22, 33), (80, 30)


def opened(tab, vue: bool, seed: int) -> dict:
    workflow = load(shipped("live-stream"))
    (sampler,) = nodes_of_type(workflow, "MotionStreamSampler")
    sampler["widgets_values"][1] = seed
    tab.use_vue_nodes(vue)
    tab.load(workflow)
    (preview,) = nodes_of_type(workflow, "MotionStreamPreview")
    tab.centre_on(preview["id"], 1.0)
    return workflow


def on_picture(tab, *points: tuple[float, float]) -> list[tuple[float, float]]:
    """Where points of the 128x128 video lie on the page."""
    box = tab.page.locator(f"{VIEW} .ms-stage").bounding_box()
    scale = min(box["width"], box["height"]) / 128
    left, top = box["x"] + (box["width"] - 128 * scale) / 2, box["y"] + (box["height"] - 128 * scale) / 2
    return [(left + (x + 0.5) * scale, top + (y + 0.5) * scale) for x, y in points]


def press(tab, name: str) -> None:
    tab.page.locator(VIEW).get_by_role("button", name=name).first.click()


def shown_frame(tab) -> int:
    counter = tab.page.locator(f"{VIEW} .ms-fact b").first.text_content().split("/")[0].strip()
    return int(counter) if counter.isdigit() else 0


def until_frame(tab, frame: int, timeout: float = 90) -> None:
    for _ in range(int(timeout / 0.1)):
        if shown_frame(tab) >= frame:
            return
        tab.page.wait_for_timeout(100)
    raise TimeoutError(f"expected frame {frame} in the preview, got {shown_frame(tab)}")


def ended(tab, host, prompt: str):
    """Presses Stop and keep -> the history entry, the recorded frames (T, H, W, 3) and the performance."""
    press(tab, "Stop")
    entry = host.wait(prompt)
    assert ended_as(entry) == "success"
    newest = max((host.base / "output" / "video").glob("motionstream-live*.mp4"), key=lambda path: path.stat().st_mtime)
    text = next(output["text"][0] for output in entry["outputs"].values() if "text" in output)
    frames = read_video(newest)[0].numpy()
    assert len(frames) == figures_of(entry)["frames"]
    return frames, read_performance(text), json.loads(text)


def slowly(tab, points, milliseconds: int = 80) -> None:
    """The mouse, button held, from place to place with time between."""
    for begin, end in zip(points, points[1:]):
        for share in np.linspace(0.1, 1, 10):
            tab.page.mouse.move(*(np.array(begin) + share * np.subtract(end, begin)))
            tab.page.wait_for_timeout(milliseconds)


@RENDERERS
def test_a_dragged_handle_takes_the_object_along_within_two_chunks(tab, host, vue):
    workflow = opened(tab, vue, 300 + vue)
    prompt = tab.queue()
    until_frame(tab, 13)
    path = on_picture(tab, KITE, (45, 42), GOAL)
    tab.page.mouse.move(*path[0])
    tab.page.mouse.down()
    slowly(tab, path)
    tab.screenshot(f"live-drag-{'nodes2' if vue else 'classic'}")
    tab.page.mouse.up()
    until_frame(tab, shown_frame(tab) + 24)
    tab.screenshot(f"live-released-{'nodes2' if vue else 'classic'}")
    frames, played, text = ended(tab, host, prompt)
    kinds = [control["type"] for control in text["controls"]]
    assert kinds[0] == "grab" and "move" in kinds and kinds[-1] == "release", kinds
    tracks = commanded(workflow, played, len(frames))
    assert np.abs(np.subtract(tracks.xy[-1, 0], GOAL)).max() < 4, tracks.xy[-1, 0]
    first = 1 + text["chunk_frames"] * (text["controls"][0]["chunk"] - 1)
    affected = np.r_[0, first : len(frames)]
    part = Tracks(tracks.xy[affected], tracks.visible[affected], tracks.width, tracks.height, tracks.fps)
    followed, static = (np.median(following_errors(clip[affected], part)) for clip in (frames, np.repeat(frames[:1], len(frames), 0)))
    assert followed <= 3 and followed < static / 2, (followed, static)


def test_pause_step_resume_rewind_prompt_and_scene_from_the_bar(tab, host):
    opened(tab, False, 310)
    prompt = tab.queue()
    until_frame(tab, 25)
    press(tab, "Pause")
    tab.page.locator(VIEW).get_by_text("Paused").wait_for(timeout=30_000)
    tab.page.wait_for_timeout(2500)
    before = shown_frame(tab)
    press(tab, "Step")
    until_frame(tab, before + 12)
    tab.page.wait_for_timeout(2500)
    assert shown_frame(tab) == before + 12
    press(tab, "Resume")
    box = tab.page.locator(f"{VIEW} input[type=text], {VIEW} textarea").first
    box.fill("night photo field")
    box.press("Enter")
    until_frame(tab, before + 60)
    press(tab, "Scene")
    until_frame(tab, shown_frame(tab) + 13)
    tab.screenshot("live-bar")
    frames, _, text = ended(tab, host, prompt)
    kinds = [control["type"] for control in text["controls"]]
    assert kinds == ["prompt", "scene"], kinds
    assert frames[-12:].mean() < 0.75 * frames[:24].mean()  # night
