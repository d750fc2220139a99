"""A take as one file: saved in the preview, dropped onto a page that lacks its picture, replayed."""

from __future__ import annotations

import base64
import json

import numpy as np
import pytest
from browser.test_steered import VIEW, ended, name_of, opened, press, until_frame
from harness.host import ended_as
from harness.workflow import nodes_of_type

from motionstream_core.codec.video import read_video

DROP = """([name, text]) => {
    const data = new DataTransfer();
    data.items.add(new File([text], name, { type: 'application/json' }));
    const at = { bubbles: true, cancelable: true, clientX: 400, clientY: 300, dataTransfer: data };
    document.querySelector('#graph-canvas').dispatchEvent(new DragEvent('drop', at));
}"""


def newest_video(host):
    found = (host.base / "output" / "video").glob("motionstream-live*.mp4")
    return max(found, key=lambda path: path.stat().st_mtime)


@pytest.mark.parametrize("vue", [False, True], ids=["classic", "Nodes 2.0"])
def test_a_take_travels_as_one_file_and_is_replayed_by_a_click(tab, host, vue):
    workflow = opened(tab, vue, 510 + vue)
    prompt = tab.queue()
    until_frame(tab, 13)
    press(tab, "Scene")
    until_frame(tab, 37)
    frames, _, told = ended(tab, host, prompt)
    with tab.page.expect_download() as download:
        tab.page.locator(f"{VIEW} .ms-saved").get_by_text("Share", exact=True).click()
    text = download.value.path().read_text(encoding="utf-8")
    file = json.loads(text)
    shared = file["extra"]["motionstream_take"]
    (picture,) = shared["pictures"]
    assert json.loads(shared["take"]["performance"])["controls"] == told["controls"]
    assert shared["take"]["seed"] == str(510 + vue) and shared["take"]["picture"].startswith("data:image/")
    (weights,) = shared["weights"]
    assert weights["name"].startswith("built-in (tiny") and len(weights["sha256"]) == 64
    # Somebody else: the picture of that name is another one, and one of the weights is not theirs.
    place = host.base / "input" / picture["name"]
    own = place.read_bytes()
    assert base64.b64decode(picture["data"].split(",")[1]) == own
    place.write_bytes(own[:-1] + bytes([own[-1] ^ 1]))
    shared["weights"].append({**weights, "name": "nobody-has-this.safetensors"})
    queued = tab.queued()
    tab.load({"nodes": [], "links": [], "version": 0.4, "last_node_id": 0, "last_link_id": 0})
    try:
        tab.page.evaluate(DROP, [download.value.suggested_filename, json.dumps(file)])
        again = tab.page.locator(f"{VIEW} .ms-saved").get_by_text("Replay this take")
        (preview,) = nodes_of_type(workflow, "MotionStreamPreview")
        tab.page.wait_for_function("() => window.app.graph._nodes.length > 3", timeout=20_000)
        tab.centre_on(preview["id"], 1.0)
        again.wait_for(state="visible", timeout=20_000)
        notice = tab.page.get_by_text("nobody-has-this.safetensors: these weights are not here")
        notice.first.wait_for(state="visible", timeout=10_000)
        tab.screenshot(f"take-opened-{name_of(vue)}")
        assert tab.queued() == queued, "nothing runs by itself"
        load = "() => window.app.graph._nodes.find(node => node.type === 'LoadImage').widgets[0].value"
        renamed = tab.page.evaluate(load)
        assert renamed != picture["name"] and (host.base / "input" / renamed).read_bytes() == own
        before = newest_video(host)
        again.click()
        for _ in range(600):
            if set(tab.queued()) - set(queued):
                break
            tab.page.wait_for_timeout(100)
        (fresh,) = set(tab.queued()) - set(queued)
        assert ended_as(host.wait(fresh)) == "success"
        assert newest_video(host) != before
        made = read_video(newest_video(host))[0].numpy()
        assert made.shape == frames.shape and np.abs(made - frames).mean() < 0.02
        assert "motionstream_take" not in tab.saved().get("extra", {})
    finally:
        place.write_bytes(own)
    assert not tab.problems
