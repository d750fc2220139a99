"""The editor and the preview inside a subgraph, and on a screen with two pixels to one, in the real host's
page.
"""

from __future__ import annotations

import json

from harness.host import ended_as, figures_of
from harness.workflow import load, nodes_of_type, shipped
from test_browser import EDITOR, PREVIEW, RENDERERS, choose, editor_of, on_page, without_tracks

WRAP = """ids => {
    const { graph, canvas } = window.app
    const { node } = graph.convertToSubgraph(new Set(ids.map(id => graph.getNodeById(id))))
    canvas.setDirty(true, true)
    return node.id
}"""
INNER = (
    "([outer, kind]) => { const node = window.app.graph.getNodeById(outer).subgraph.nodes.find(node => "
    "node.type === kind); return node.id }"
)
ENTER = (
    "outer => window.app.canvas.openSubgraph(window.app.graph.getNodeById(outer).subgraph, "
    "window.app.graph.getNodeById(outer))"
)
CENTRE = """([id]) => {
    const { canvas } = window.app, node = canvas.graph.getNodeById(id)
    canvas.ds.scale = 1
    canvas.ds.offset[0] = 120 - node.pos[0]
    canvas.ds.offset[1] = 110 - node.pos[1]
    canvas.setDirty(true, true)
}"""


def inner_document(saved: dict) -> dict:
    """The editor's document in the only subgraph of a saved workflow."""
    (subgraph,) = saved["definitions"]["subgraphs"]
    (editor,) = [node for node in subgraph["nodes"] if node["type"] == "MotionStreamTrackEditor"]
    return json.loads(editor["widgets_values"][0])


def entered(tab, outer: int, kind: str) -> None:
    """The subgraph open, its node of this kind in view."""
    inner = tab.page.evaluate(INNER, [outer, kind])
    tab.page.evaluate(ENTER, outer)
    tab.page.wait_for_timeout(1500)
    tab.page.evaluate(CENTRE, [inner])
    tab.page.wait_for_timeout(1500)


@RENDERERS
def test_an_editor_put_into_a_subgraph_keeps_its_tracks_takes_more_and_survives_a_reload(tab, host, vue):
    workflow = without_tracks(load(shipped("paint-a-track")))
    tab.use_vue_nodes(vue)
    tab.load(workflow)
    tab.centre_on(editor_of(workflow)["id"])
    choose(tab, "Draw")
    tab.drag(on_page(tab, (22, 33), (60, 40)))
    outer = tab.page.evaluate(WRAP, [editor_of(workflow)["id"]])
    tab.page.wait_for_timeout(1000)
    assert len(inner_document(tab.saved())["tracks"]) == 1
    entered(tab, outer, "MotionStreamTrackEditor")
    tab.page.locator(EDITOR).first.wait_for()
    choose(tab, "Draw")
    tab.drag(on_page(tab, (30, 100), (90, 100)))
    tab.screenshot(f"subgraph-editor-{'nodes2' if vue else 'classic'}")
    saved = tab.saved()
    assert len(inner_document(saved)["tracks"]) == 2
    tab.load(saved)
    assert inner_document(tab.saved()) == inner_document(saved)
    sent = [node for node in tab.to_api().values() if node["class_type"] == "MotionStreamTrackEditor"]
    assert json.loads(sent[0]["inputs"]["document"]) == inner_document(saved)
    assert ended_as(host.wait(tab.queue())) == "success"


def test_a_preview_in_a_subgraph_follows_the_sampler_beside_it(tab, host):
    workflow = load(shipped("endless-stream"))
    (sampler,), (preview,) = (
        nodes_of_type(workflow, f"MotionStream{kind}") for kind in ("Sampler", "Preview")
    )
    sampler["widgets_values"][1] = 420
    tab.use_vue_nodes(False)
    tab.load(workflow)
    outer = tab.page.evaluate(WRAP, [sampler["id"], preview["id"]])
    entered(tab, outer, "MotionStreamPreview")
    prompt = tab.queue()
    counter = tab.page.locator(PREVIEW).first.locator(".ms-fact b").first
    for _ in range(900):
        if (counter.text_content() or "–")[0].isdigit():
            break
        tab.page.wait_for_timeout(100)
    tab.page.locator(PREVIEW).first.get_by_role("button", name="Stop here").click()
    entry = host.wait(prompt)
    assert ended_as(entry) == "success" and figures_of(entry)["frames"] < 600


@RENDERERS
def test_the_preview_draws_a_pixel_for_each_of_the_screens(tab, vue):
    tab.use_vue_nodes(vue)
    workflow = load(shipped("live-stream"))
    (preview,) = nodes_of_type(workflow, "MotionStreamPreview")
    tab.load(workflow)
    for zoom in (1.0, 0.5):
        tab.centre_on(preview["id"], zoom)
        tab.screen(2)
        tab.page.locator(f"{PREVIEW} .ms-stage").hover()
        expected = [(shown, max(2, 1 / zoom) * shown) for _, shown in sizes_of(tab)]
        for _ in range(100):
            sizes = sizes_of(tab)
            if all(abs(width - wanted) <= 3 for (width, _), (_, wanted) in zip(sizes, expected)):
                break
            tab.page.wait_for_timeout(100)
        tab.screen(None)
        tab.page.wait_for_timeout(500)
        assert len(sizes) == 2 and all(
            abs(width - wanted) <= 3 for (width, _), (_, wanted) in zip(sizes, expected)
        ), (zoom, sizes)


def sizes_of(tab) -> list[tuple[float, float]]:
    """Of each canvas of the preview: its own pixels and the page's, across."""
    script = "all => all.map(canvas => [canvas.width, canvas.getBoundingClientRect().width])"
    return [tuple(each) for each in tab.page.locator(f"{PREVIEW} canvas").evaluate_all(script)]
