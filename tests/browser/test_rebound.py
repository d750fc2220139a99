"""A stranger's name that is bound to this machine (DNS rebinding), in a real browser."""

from __future__ import annotations

import pytest
from harness import browser

ASKED = """async () => {
    const headers = { 'Content-Type': 'application/json' }
    const body = JSON.stringify({ token: 'x', type: 'stop' })
    const socket = new Promise(done => {
        const opened = new WebSocket(`ws://${location.host}/motionstream/stream?token=x`)
        opened.onopen = () => done('open')
        opened.onerror = () => done('refused')
    })
    return [
        (await fetch('/motionstream/runs?client_id=x')).status,
        (await fetch('/motionstream/control', { method: 'POST', headers, body })).status,
        await socket,
    ]
}"""


@pytest.mark.skipif(browser.wanted() != "chromium", reason="the rule that binds a name is Chromium's")
def test_a_name_that_is_bound_to_this_machine_reaches_no_run(tab, host):
    port = host.url.rsplit(":", 1)[1]
    rule = "--host-resolver-rules=MAP stranger.test 127.0.0.1"
    launch = tab.page.context.browser.browser_type.launch
    other = launch(executable_path=browser.chromium(), args=[*browser.FLAGS, rule])
    try:
        page = other.new_page()
        answers = {}
        for name in ("stranger.test", "127.0.0.1"):
            page.goto(f"http://{name}:{port}/system_stats")
            answers[name] = page.evaluate(ASKED)
    finally:
        other.close()
    assert answers["stranger.test"] == [403, 403, "refused"]
    assert answers["127.0.0.1"][:2] == [200, 404]
