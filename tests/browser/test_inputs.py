"""OSC and a gamepad steer a running stream in a real browser on the real host."""

from __future__ import annotations

import json
import socket
import struct

from browser.test_steered import VIEW, opened, press, until_frame
from harness.host import ended_as

PAD = """() => {
    window.pad = { connected: true, axes: [0, 0, 0, 0], buttons: [{ value: 0 }] }
    navigator.getGamepads = () => [window.pad]
}"""


def knob(address: str, value: float) -> bytes:
    """One OSC message with a number."""
    name = address.encode()
    return name + b"\0" * (4 - len(name) % 4) + b",f\0\0" + struct.pack(">f", value)


def bound(port: int) -> int | None:
    """The UDP port that was bound, 0: a free one. None where it is taken."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return None
        return probe.getsockname()[1]


def test_osc_learns_the_zoom_and_a_gamepad_holds_a_hand(tab, host):
    opened(tab, False, 420)
    tab.page.evaluate(PAD)
    prompt, port = tab.queue(), bound(0)
    until_frame(tab, 13)
    press(tab, "Gamepad, MIDI and OSC")
    panel = tab.page.locator(f"{VIEW} .ms-hands")
    panel.locator("input").fill(str(port))
    panel.get_by_role("button", name="OSC", exact=True).click()
    for _ in range(100):
        if bound(port) is None:
            break
        tab.page.wait_for_timeout(100)
    row = panel.locator(".ms-hand").filter(has_text="zoom")
    row.get_by_role("button", name="Learn").click()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as program:
        for value in (0.5, 0.9):
            program.sendto(knob("/1/zoom", value), ("127.0.0.1", port))
            tab.page.wait_for_timeout(500)
        row.get_by_text("osc /1/zoom").wait_for(timeout=20_000)
        program.sendto(knob("/1/zoom", 1.0), ("127.0.0.1", port))
        tab.page.wait_for_timeout(1500)
        program.sendto(knob("/1/zoom", 0.5), ("127.0.0.1", port))
    tab.page.evaluate("() => { window.pad.buttons[0].value = 1 }")
    tab.page.wait_for_timeout(500)
    tab.page.evaluate("() => { window.pad.axes[0] = 0.5 }")
    tab.page.wait_for_timeout(1500)
    tab.screenshot("inputs")
    tab.page.evaluate("() => { window.pad.buttons[0].value = 0 }")
    tab.page.wait_for_timeout(1500)
    press(tab, "Stop")
    entry = host.wait(prompt)
    assert ended_as(entry) == "success" and bound(port) == port
    text = next(output["text"][0] for output in entry["outputs"].values() if "text" in output)
    controls = json.loads(text)["controls"]
    kinds = [control["type"] for control in controls]
    assert max(control["zoom"] for control in controls if control["type"] == "camera") > 0.5
    assert kinds.index("grab") < kinds.index("move") < kinds.index("release")
    saved = tab.saved()
    assert any(
        node.get("properties", {}).get("motionstream_hands", {}).get("zoom") == "osc /1/zoom"
        for node in saved["nodes"]
    )
    assert not tab.problems
