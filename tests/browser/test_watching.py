"""The stream shown outside of its node: the watch page in a second tab, full screen, a window of its own."""

from __future__ import annotations

import io

import numpy as np
import pytest
from browser.test_steered import VIEW, name_of, opened, press, shown_frame, until_frame
from harness.host import ended_as
from PIL import Image


def picture_of(page) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(page.screenshot())).convert("RGB"))


def stopped(tab, host, prompt: str) -> None:
    press(tab, "Stop")
    assert ended_as(host.wait(prompt)) == "success"


@pytest.mark.parametrize("vue", [False, True], ids=["classic", "Nodes 2.0"])
def test_a_second_page_watches_by_the_link_until_it_is_ended(tab, host, vue):
    opened(tab, vue, 410 + vue)
    prompt = tab.queue()
    until_frame(tab, 13)
    press(tab, "Watch link")
    box = tab.page.locator(f"{VIEW} .ms-watch input")
    box.wait_for(state="visible", timeout=10_000)
    address = box.input_value()
    assert address.startswith(host.url) and "/motionstream/watch?watch=" in address
    tab.screenshot(f"watch-link-{name_of(vue)}")
    with tab.page.context.browser.new_page() as watcher:
        watcher.set_viewport_size({"width": 640, "height": 480})
        watcher.goto(address, wait_until="commit")
        watcher.wait_for_function("() => document.querySelector('img')?.naturalWidth === 128", timeout=20_000)
        watcher.wait_for_timeout(500)
        seen = []
        for _ in range(6):
            seen.append(picture_of(watcher))
            watcher.wait_for_timeout(400)
        Image.fromarray(seen[-1]).save("output/screens/watch-page.png")
        # The square picture fills the height, on black.
        assert seen[-1][:, :70].max() < 8 and seen[-1][:, -70:].max() < 8
        assert seen[-1][100:380, 200:440].mean() > 30
        assert len({each.tobytes() for each in seen}) > 3
        before = shown_frame(tab)
        press(tab, "End the watch link")
        box.wait_for(state="hidden", timeout=10_000)
        watcher.goto(address, wait_until="load")
        assert "ended" in watcher.locator("body").inner_text() and watcher.locator("img").count() == 0
    until_frame(tab, before + 12)
    stopped(tab, host, prompt)
    assert not tab.problems


def test_the_picture_fills_the_screen_and_comes_back(tab, host):
    opened(tab, False, 412)
    prompt = tab.queue()
    until_frame(tab, 13)
    press(tab, "Full screen")
    tab.page.wait_for_function("() => document.fullscreenElement?.classList.contains('ms-stage')")
    before = shown_frame(tab)
    until_frame(tab, before + 12)
    tab.screenshot("watch-full-screen")
    tab.page.evaluate("() => document.exitFullscreen()")
    tab.page.wait_for_function("() => !document.fullscreenElement")
    stopped(tab, host, prompt)
    assert not tab.problems


def test_the_picture_in_a_window_of_its_own_goes_on_and_takes_hands(tab, host):
    opened(tab, False, 413)
    # A headless browser has no windows on top: a plain one stands in.
    tab.page.evaluate(
        "() => { window.documentPictureInPicture = { requestWindow: async ({ width, height }) =>"
        " window.open('', '', `popup,width=${width},height=${height}`) } }"
    )
    prompt = tab.queue()
    until_frame(tab, 13)
    with tab.page.expect_popup() as opening:
        press(tab, "Pop out")
    window = opening.value
    stage = window.locator(".ms-popped .ms-stage")
    stage.wait_for(state="visible", timeout=10_000)
    tab.page.locator(f"{VIEW} .ms-elsewhere").wait_for(state="visible", timeout=10_000)
    before = shown_frame(tab)
    until_frame(tab, before + 12)
    window.screenshot(path="output/screens/watch-popped.png")
    box = stage.bounding_box()
    window.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.5)
    window.mouse.down()
    window.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + box["height"] * 0.5, steps=5)
    window.mouse.up()
    window.close()
    tab.page.locator(f"{VIEW} .ms-stage").wait_for(state="visible", timeout=10_000)
    until_frame(tab, shown_frame(tab) + 12)
    press(tab, "Stop")
    entry = host.wait(prompt)
    text = next(output["text"][0] for output in entry["outputs"].values() if "text" in output)
    assert '"grab"' in text and '"release"' in text
    assert not tab.problems
