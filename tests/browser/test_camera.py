"""A browser's own camera drives a stream: Chromium with a file of ours as its camera, in which a textured
square goes from left to right and back.
"""

from __future__ import annotations

import io

import numpy as np
import pytest
from browser.test_steered import shown_frame, until_frame
from harness import browser
from harness.browser import FLAGS, open_tab
from harness.host import ended_as
from harness.workflow import load, nodes_of_type, shipped
from host.test_camera_in import GROUND, SIZE, SQUARE, THING, commanded
from PIL import Image

RATE, SECONDS = 20, 12
CAMERA = ".ms-webcam"


def left_of(second: float) -> float:
    """The square's left edge: a slow way to the right and back, over and over."""
    share = 2 * second / SECONDS
    return 20 + 40 * (share if share <= 1 else 2 - share)


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """The file that Chromium takes for its camera: Motion JPEG, read over and over."""
    path = tmp_path_factory.mktemp("camera") / "hand.mjpeg"
    with open(path, "wb") as out:
        for number in range(RATE * SECONDS):
            picture = GROUND.copy()
            at = round(left_of(number / RATE))
            picture[44 : 44 + SQUARE, at : at + SQUARE] = THING
            file = io.BytesIO()
            Image.fromarray(picture).resize((4 * SIZE, 4 * SIZE)).save(file, "JPEG", quality=90)
            out.write(file.getvalue())
    return path


@pytest.fixture
def filmed(host, film, monkeypatch):
    """A tab whose camera is the film."""
    if browser.wanted() != "chromium":
        pytest.skip("only Chromium takes a file for its camera")
    camera = [
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-video-capture={film}",
    ]
    monkeypatch.setattr(browser, "FLAGS", [*FLAGS, *camera])
    with open_tab(host) as tab:
        yield tab


def with_camera(tab) -> dict:
    """The shipped webcam workflow, its video replaced by the camera."""
    workflow = load(shipped("live-webcam-motion"))
    tab.load(workflow)
    script = """() => {
        const { graph } = window.app
        const made = window.LiteGraph.createNode('MotionStreamLiveCamera')
        made.pos = [-500, 0]
        graph.add(made)
        const motion = graph._nodes.find(node => node.comfyClass === 'MotionStreamLiveVideoMotion')
        const slot = name => motion.inputs.findIndex(input => input.name === name)
        made.connect(0, motion, slot('video'))
        for (const name of ['mask', 'target', 'points'])
            if (motion.inputs[slot(name)]?.link != null) motion.disconnectInput(slot(name))
        const saved = window.LiteGraph.createNode('MotionStreamSaveTracks')
        graph.add(saved)
        const sampler = graph._nodes.find(node => node.comfyClass === 'MotionStreamSampler')
        sampler.connect(sampler.outputs.findIndex(out => out.type === 'TRACKS'), saved, 0)
        saved.widgets.find(widget => widget.name === 'filename_prefix').value = 'camera'
        return made.id
    }"""
    tab.centre_on(tab.page.evaluate(script), 0.6)
    return workflow


def test_what_moves_before_the_browsers_camera_moves_the_stream(filmed, host):
    tab = filmed
    workflow = with_camera(tab)
    view = tab.page.locator(CAMERA)
    view.get_by_role("button", name="Camera on").click()
    tab.page.wait_for_function(
        f"() => document.querySelector('{CAMERA} video').videoWidth > 0", timeout=20_000
    )
    assert "Ready" in view.locator(".ms-says").inner_text()
    prompt = tab.queue()
    (preview,) = nodes_of_type(workflow, "MotionStreamPreview")
    until_frame(tab, 40)
    tab.page.wait_for_function(
        f"() => /\\d+ pictures a second/.test(document.querySelector('{CAMERA} .ms-says').textContent)",
        timeout=20_000,
    )
    tab.screenshot("camera-in")
    until_frame(tab, shown_frame(tab) + 90, timeout=200)
    view.get_by_role("button", name="Camera off").click()
    tab.centre_on(preview["id"], 1.0)
    tab.page.get_by_role("button", name="Stop here and keep").first.click()
    entry = host.wait(prompt)
    assert ended_as(entry) == "success"
    xy = commanded(host)
    first = xy[0]
    reach = xy[:, :, 0].max(0) - xy[:, :, 0].min(0)
    rows = (first[:, 1] > 50) & (first[:, 1] < 78)
    outside = (first[:, 1] < 30) | (first[:, 1] > 100)
    assert np.sort(reach[rows])[-4:].min() > 12, np.sort(reach[rows])
    assert np.median(reach[outside]) < 3
    # The run is over and nobody holds the camera: it is off.
    tab.page.wait_for_function(f"() => !document.querySelector('{CAMERA} video').srcObject", timeout=20_000)
    assert not tab.problems


def test_a_refused_camera_is_said_on_the_node_and_in_the_error(host, film, monkeypatch):
    if browser.wanted() != "chromium":
        pytest.skip("only Chromium is told by a flag to refuse")
    monkeypatch.setattr(
        browser, "FLAGS", [*FLAGS, "--use-fake-device-for-media-stream", "--deny-permission-prompts"]
    )
    with open_tab(host) as tab:
        with_camera(tab)
        prompt = tab.queue()
        entry = host.wait(prompt)
        said = " ".join(str(message) for message in entry["status"]["messages"])
        assert "the browser does not allow it" in said, said
        assert "does not allow" in tab.page.locator(f"{CAMERA} .ms-says").inner_text()
