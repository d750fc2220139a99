"""Two workflows open in one page, as the host's tabs: what is painted, shown, undone and steered in one is
none of the other's.
"""

from __future__ import annotations

import pytest
from harness.host import ended_as
from harness.workflow import load, nodes_of_type, shipped
from test_browser import PREVIEW, RENDERERS, choose, document_of, editor_of, on_page, without_tracks

INK = """canvas => {
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height)
    let seen = 0
    for (let i = 3; i < data.length; i += 4) {
        seen += data[i] > 0 && data[i - 1] + data[i - 2] + data[i - 3] > 60
    }
    return seen / (data.length / 4)
}"""


CONTROL = """async type => {
    const { api } = window.app
    const { runs } = await (await api.fetchApi('/motionstream/runs?client_id=' + api.clientId)).json()
    const headers = { 'Content-Type': 'application/json' }
    const body = JSON.stringify({ token: runs.at(-1).token, type })
    return (await api.fetchApi('/motionstream/control', { method: 'POST', headers, body })).status
}"""


def shown_share(tab) -> float:
    """The share of the preview's picture that is not black."""
    return tab.page.locator(PREVIEW).locator("canvas:not(.ms-over)").first.evaluate(INK, timeout=120_000)


def switch(tab, number: int) -> None:
    """To the host's workflow tab of this number, from the left."""
    tab.page.locator(".workflow-tab").nth(number).click(timeout=120_000)
    tab.page.wait_for_timeout(1500)


def status(tab) -> str:
    return tab.page.locator(f"{PREVIEW} .ms-pill").first.text_content() or ""


@RENDERERS
def test_two_tabs_of_the_same_workflow_share_nothing(tab, host, vue):
    workflow = without_tracks(load(shipped("endless-stream")))
    (sampler,) = nodes_of_type(workflow, "MotionStreamSampler")
    sampler["widgets_values"][0] = 0  # until it is stopped
    tab.use_vue_nodes(vue)
    tab.load(workflow)
    tabs = tab.page.locator(".workflow-tab").count()
    first, second = tabs - 1, tabs
    tab.centre_on(editor_of(workflow)["id"])
    choose(tab, "Draw")
    tab.drag(on_page(tab, (22, 33), (60, 40)))
    painted = document_of(tab.saved())
    tab.page.keyboard.press("Control+z")
    tab.page.wait_for_timeout(500)
    prompt = tab.queue()
    tab.page.locator(PREVIEW).get_by_text("Live", exact=True).first.wait_for(timeout=120_000)
    assert tab.page.evaluate(CONTROL, "pause") == 200
    tab.page.locator(PREVIEW).get_by_text("Paused").first.wait_for(timeout=120_000)

    tab.load(workflow)
    assert status(tab) == "Waiting for a run"
    assert tab.page.locator(f"{PREVIEW} button[title^='Stop']").first.is_disabled()
    tab.centre_on(editor_of(workflow)["id"])
    assert tab.page.locator(".ms-root:not(.ms-view) button[title^='Redo']").first.is_disabled()
    tab.page.wait_for_timeout(1500)
    assert status(tab) == "Waiting for a run" and shown_share(tab) == 0

    switch(tab, first)
    tab.page.locator(PREVIEW).get_by_text("Paused").first.wait_for(timeout=120_000)
    assert tab.page.evaluate(CONTROL, "stop") == 200
    assert ended_as(host.wait(prompt)) == "success"
    tab.page.locator(PREVIEW).get_by_text("Stopped").first.wait_for(timeout=120_000)
    switch(tab, second)
    assert status(tab) == "Waiting for a run" and shown_share(tab) == 0
    switch(tab, first)
    assert status(tab).startswith("Stopped") and shown_share(tab) > 0.5
    tab.centre_on(editor_of(workflow)["id"])
    tab.page.locator(".ms-root:not(.ms-view) button[title^='Redo']").first.click()
    tab.page.wait_for_timeout(500)
    assert document_of(tab.saved())["tracks"] == painted["tracks"]


@pytest.mark.parametrize("seen", [True, False], ids=["seen", "run in another tab"])
def test_the_last_picture_of_a_run_is_there_when_its_tab_is(tab, host, seen):
    workflow = load(shipped("paint-a-track"))
    tab.use_vue_nodes(False)
    tab.load(workflow)
    first = tab.page.locator(".workflow-tab").count() - 1
    host.post("/free", {"unload_models": True, "free_memory": True})
    prompt = tab.queue()
    if not seen:
        tab.load({"nodes": [], "links": [], "version": 0.4})
    assert ended_as(host.wait(prompt)) == "success"
    if seen:
        tab.page.locator(PREVIEW).get_by_text("Done", exact=True).first.wait_for(timeout=120_000)
        tab.load({"nodes": [], "links": [], "version": 0.4})
    switch(tab, first)
    tab.page.locator(PREVIEW).get_by_text("Done", exact=True).first.wait_for(timeout=120_000)
    assert shown_share(tab) > 0.5
