"""What a hand and an eye need of the editor and the preview: things large enough to hit, words dark or light
enough to read, nothing cut off.
"""

from __future__ import annotations

import pytest
from harness.workflow import load, nodes_of_type, shipped
from test_browser import PREVIEW, RENDERERS, document_of, editor_of, ready
from test_editor import ROOT, TRACK, name_of, pick, with_tracks

SMALLEST = 24  # page pixels, as WCAG 2.2 has it
PARTS = ".ms-root button, .ms-root input, .ms-root select, .ms-root .ms-grip"
SIZES = """parts => parts.filter(part => part.offsetParent && part.type !== 'checkbox').map(part => {
    const box = part.getBoundingClientRect()
    return [part.title || part.className || part.type, box.width, box.height]
})"""
FAINT = """root => {
    const canvas = Object.assign(document.createElement('canvas'), { width: 1, height: 1 })
    const ctx = canvas.getContext('2d', { willReadFrequently: true })
    const over = (colour, ground) => {
        for (const fill of [`rgb(${ground.join()})`, colour]) {
            ctx.fillStyle = fill
            ctx.fillRect(0, 0, 1, 1)
        }
        return [...ctx.getImageData(0, 0, 1, 1).data].slice(0, 3)
    }
    const line = part => {
        const all = []
        for (let each = part; each; each = each.parentElement) all.push(each)
        return all
    }
    const linear = v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4
    const weights = [0.2126, 0.7152, 0.0722]
    const light = colour => colour.map(v => linear(v / 255)).reduce((sum, v, i) => sum + v * weights[i], 0)
    const parts = root.querySelectorAll('button:enabled, label, span, b, output, input:enabled, select')
    return [...parts].flatMap(part => {
        const text = [...part.childNodes].some(node => node.nodeType === 3 && node.textContent.trim())
        const words = text || part.matches('input[type=text], select')
        const picture = part.matches('button') && !words
        if (!part.offsetParent || !(words || picture) || part.closest('button:disabled, .ms-stage')) return []
        const cover = (below, each) => over(getComputedStyle(each).backgroundColor, below)
        const ground = line(part).reverse().reduce(cover, [255, 255, 255])
        const share = line(part).reduce((product, each) => product * getComputedStyle(each).opacity, 1)
        const full = over(getComputedStyle(part).color, ground)
        const ink = full.map((v, i) => v * share + ground[i] * (1 - share))
        const [most, least] = [light(ink), light(ground)].sort((a, b) => b - a)
        const contrast = (most + 0.05) / (least + 0.05)
        const name = part.title || part.textContent || part.className
        return contrast < (picture ? 3 : 4.5) ? [[name, contrast]] : []
    })
}"""
WAY = [{"x": 20, "y": 60}, {"x": 70, "y": 30}, {"x": 110, "y": 70}]


def with_a_way() -> dict:
    """A workflow whose editor has a track and pins along the border, and a preview."""
    return with_tracks({**TRACK, "points": WAY})


@RENDERERS
def test_everything_that_is_clicked_is_large_enough_for_a_finger(tab, vue):
    ready(tab, with_a_way(), vue)
    small = []
    for page in ("Time", "Speed", "Shape"):
        tab.page.locator(f"{ROOT} .ms-track").click()
        tab.page.locator(ROOT).get_by_role("button", name=page, exact=True).click()
        found = tab.page.locator(PARTS).evaluate_all(SIZES)
        assert len(found) > 40
        small += [part for part in found if min(part[1:]) < SMALLEST - 0.5]
    assert not small, small


@pytest.mark.parametrize("palette", ["dark", "light"])
def test_words_and_pictures_stand_out_in_the_dark_and_the_light_theme(tab, palette):
    ready(tab, with_a_way(), vue=False)
    try:
        tab.page.evaluate(
            "name => window.app.extensionManager.setting.set('Comfy.ColorPalette', name)", palette
        )
        tab.page.wait_for_timeout(1500)
        tab.page.locator(f"{ROOT} .ms-track").click()
        tab.page.mouse.move(5, 5)
        tab.page.wait_for_timeout(300)
        tab.screenshot(f"editor-{palette}")
        for root in (ROOT, ".ms-view:not(.ms-large)"):
            faint = tab.page.locator(root).evaluate(FAINT)
            assert not faint, faint
    finally:
        tab.page.evaluate("() => window.app.extensionManager.setting.set('Comfy.ColorPalette', 'dark')")


@RENDERERS
def test_a_narrow_editor_cuts_no_button_off(tab, vue):
    ready(tab, with_a_way(), vue)
    tab.page.evaluate(
        "id => { const node = app.graph.getNodeById(id); node.setSize([290, 700]); "
        "app.canvas.setDirty(true, true) }",
        editor_of(with_a_way())["id"],
    )
    tab.page.wait_for_timeout(1200)
    tab.page.locator(f"{ROOT} .ms-track").click()
    tab.screenshot(f"editor-narrow-{name_of(vue)}")
    outer = tab.page.locator(ROOT).bounding_box()
    stage, row = (tab.page.locator(f"{ROOT} {part}").bounding_box() for part in (".ms-stage", ".ms-track"))
    assert row["y"] >= stage["y"] + stage["height"], "the list of tracks lies over the picture"
    for part in tab.page.locator(f"{ROOT} :is(button, input, select):visible").all():
        box = part.bounding_box()
        inside = box["x"] >= outer["x"] - 1 and box["x"] + box["width"] <= outer["x"] + outer["width"] + 1
        assert inside and box["y"] + box["height"] <= outer["y"] + outer["height"] + 1, (
            part.get_attribute("title"),
            box,
            outer,
        )


def test_a_camera_move_that_lets_go_of_the_border_says_so(tab):
    workflow = with_a_way()
    editor = editor_of(workflow)
    editor["widgets_values"][0] = editor["widgets_values"][0].replace(
        '"pin_border": false', '"pin_border": true'
    )
    assert document_of(workflow)["pin_border"]
    ready(tab, workflow, vue=False)
    pick(tab, "Camera moves", "Zoom in")
    tab.page.get_by_text("The border is no longer pinned").first.wait_for(timeout=5000)
    assert not document_of(tab.saved())["pin_border"]


@RENDERERS
def test_two_fingers_on_the_live_picture_are_two_hands_and_leave_the_graph_alone(tab, vue):
    workflow = load(shipped("live-stream"))
    tab.use_vue_nodes(vue)
    tab.load(workflow)
    tab.centre_on(nodes_of_type(workflow, "MotionStreamPreview")[0]["id"])
    view = "() => [window.app.canvas.ds.scale, ...window.app.canvas.ds.offset]"
    before = tab.page.evaluate(view)
    box = tab.page.locator(f"{PREVIEW} .ms-stage").first.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    tab.touch("touchStart", (x - 20, y))
    tab.touch("touchStart", (x - 20, y), (x + 20, y))
    tab.touch("touchMove", (x - 70, y), (x + 70, y))
    tab.touch("touchEnd")
    tab.page.wait_for_timeout(400)
    assert tab.page.evaluate(view) == before
