"""A person on the moving buffer in a real browser: pause, rewind, a prompt, a strength, stop and keep.

The shipped workflows in four steps without guidance, without an end.
"""

import json

import numpy as np
from browser.test_steered import (
    VIEW,
    chunk_of,
    key,
    press,
    prompt_box,
    shown_frame,
    status_of,
    until,
    until_frame,
)
from harness.host import ended_as, figures_of
from harness.workflow import load, nodes_of_type, shipped

QUICK = [0, 0, 1, -1, 1.0, "the model's own"]


def opened(tab, name: str) -> dict:
    """A shipped workflow, endless and quick, its preview in view."""
    workflow = load(shipped(name))
    (sampler,) = nodes_of_type(workflow, "MotionStreamSampler")
    sampler["widgets_values"][0] = 0
    for source in nodes_of_type(workflow, "MotionStreamVideoToVideo"):  # a slow page would see its end
        source["widgets_values"] = ["loop" if value == "end" else value for value in source["widgets_values"]]
    outputs = [{"name": "SETTINGS", "type": "MOTIONSTREAM_SAMPLER", "links": [900]}]
    settings = {"id": 900, "type": "MotionStreamBufferSettings", "pos": [0, 1300], "size": [300, 200]}
    settings |= {"flags": {}, "order": 0, "mode": 0, "properties": {}, "inputs": [], "outputs": outputs}
    workflow["nodes"].append(settings | {"widgets_values": QUICK})
    sampler["inputs"].append({"name": "settings", "type": "MOTIONSTREAM_SAMPLER", "link": 900, "shape": 7})
    slot = len(sampler["inputs"]) - 1
    workflow["links"].append([900, 900, 0, sampler["id"], slot, "MOTIONSTREAM_SAMPLER"])
    text = {"id": 901, "type": "PreviewAny", "pos": [400, 1300], "size": [300, 200], "flags": {}, "order": 9}
    text |= {"mode": 0, "properties": {}, "outputs": [], "widgets_values": []}
    workflow["nodes"].append(text | {"inputs": [{"name": "source", "type": "*", "link": 901}]})
    out = next(at for at, each in enumerate(sampler["outputs"]) if each["name"] == "performance")
    sampler["outputs"][out]["links"] = [901]
    workflow["links"].append([901, sampler["id"], out, 901, 0, "STRING"])
    tab.use_vue_nodes(False)
    tab.load(workflow)
    (preview,) = nodes_of_type(workflow, "MotionStreamPreview")
    tab.centre_on(preview["id"], 1.0)
    return workflow


def stopped(tab, host, prompt: str) -> tuple[dict, dict]:
    """Presses Stop and keep -> the history entry and the performance."""
    press(tab, "Stop")
    entry = host.wait(prompt)
    assert ended_as(entry) == "success"
    texts = [output["text"][0] for output in entry["outputs"].values() if "text" in output]
    return entry, json.loads(next(text for text in texts if text.startswith("{")))


def reason_of(tab, name: str) -> str:
    """Why a button cannot be pressed; "" = it can."""
    button = tab.page.locator(VIEW).get_by_role("button", name=name).first
    return button.get_attribute("title") if button.is_disabled() else ""


def at_rest(tab) -> int:
    """Waits for a pause with its last frame shown -> the chunk. The first one has 5 frames, the others 8."""

    def settled() -> bool:
        return status_of(tab) == "paused" and shown_frame(tab) == 8 * chunk_of(tab) - 3

    until(tab, settled, "a pause with its frames shown")
    return chunk_of(tab)


def test_pause_rewind_a_prompt_by_hand_and_stop_and_keep_on_the_moving_buffer(tab, host):
    opened(tab, "interactive-prompts")
    prompt = tab.queue()
    until_frame(tab, 5)
    assert prompt_box(tab).input_value().startswith("a red car moves right hills day")
    assert "does not take it" in reason_of(tab, "Scene") and "takes no motion" in reason_of(tab, "Pin")
    assert not tab.page.locator(f"{VIEW} .ms-strength").is_visible()
    prompt_box(tab).fill("a blue boat moves left sea night")
    prompt_box(tab).press("Enter")
    until_frame(tab, shown_frame(tab) + 24)
    key(tab, " ")
    resting = at_rest(tab)
    key(tab, ",")
    until(tab, lambda: chunk_of(tab) == resting - 1, "a chunk back")
    key(tab, ".")
    until(tab, lambda: chunk_of(tab) == resting, "the chunk made anew")
    assert at_rest(tab) == resting
    tab.screenshot("moving-buffer-paused")
    before = shown_frame(tab)
    key(tab, " ")
    until_frame(tab, before + 24)
    tab.screenshot("moving-buffer-prompt")
    entry, performance = stopped(tab, host, prompt)
    assert "prompt" in [control["type"] for control in performance["controls"]]
    assert figures_of(entry)["frames"] >= before + 24


def test_the_strength_of_a_source_video_is_moved_while_it_runs(tab, host):
    opened(tab, "video-to-video")
    prompt = tab.queue()
    until_frame(tab, 5)
    slider = tab.page.locator(f"{VIEW} .ms-strength input")
    assert slider.is_visible() and np.isclose(float(slider.input_value()), 0.8)
    slider.focus()
    slider.press("Home")
    until_frame(tab, shown_frame(tab) + 8)
    tab.screenshot("video-to-video-strength")
    _, performance = stopped(tab, host, prompt)
    assert [(one["type"], one["value"]) for one in performance["controls"]] == [("strength", 0)]
