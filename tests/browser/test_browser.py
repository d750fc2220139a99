"""The pack in a real browser on the real host: shipped workflows as a person opens and runs them, and a mouse
that draws a track.

Positions are pixels of the video unless they are called page pixels.
"""

import copy
import io
import json
import re

import av
import numpy as np
import pytest
from harness.demo import commanded_tracks, following_errors
from harness.host import ended_as, figures_of, video_of
from harness.workflow import load, nodes_of_type, shipped, to_api

EDITOR = ".ms-root:not(.ms-view):not(.ms-large) .ms-stage canvas"
EDITOR_MARGIN = 12  # page pixels between the editor's canvas and the picture, at zoom 1
PREVIEW = ".ms-view"
RENDERERS = pytest.mark.parametrize("vue", [False, True], ids=["classic", "Nodes 2.0"])
WORKFLOWS = pytest.mark.parametrize("name", ["paint-a-track", "endless-stream"])
KITE, GOAL = (22, 33), (84, 30)


def frames_of(host, entry: dict) -> np.ndarray:
    """(T, H, W, 3) 0..1 of the saved video."""
    with av.open(io.BytesIO(host.fetch(video_of(entry)))) as video:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]) / np.float32(
            255
        )


def editor_of(workflow: dict) -> dict:
    (node,) = nodes_of_type(workflow, "MotionStreamTrackEditor")
    return node


def document_of(workflow: dict) -> dict:
    return json.loads(editor_of(workflow)["widgets_values"][0])


def without_tracks(workflow: dict) -> dict:
    """The workflow with nothing painted but the pins along the border."""
    bare = copy.deepcopy(workflow)
    editor_of(bare)["widgets_values"][0] = json.dumps({**document_of(bare), "tracks": []})
    return bare


def on_page(tab, *points: tuple[float, float]) -> list[tuple[float, float]]:
    """Where points of the video lie on the page, in the 128x128 editor."""
    canvas = tab.page.locator(EDITOR)
    box, size = canvas.bounding_box(), canvas.evaluate("canvas => [canvas.clientWidth, canvas.clientHeight]")
    zoom = box["width"] / size[0]
    scale = min(size[0] - 2 * EDITOR_MARGIN, size[1] - 2 * EDITOR_MARGIN) / 128
    left, top = (size[0] - 128 * scale) / 2, (size[1] - 128 * scale) / 2
    return [
        (box["x"] + zoom * (left + (x + 0.5) * scale), box["y"] + zoom * (top + (y + 0.5) * scale))
        for x, y in points
    ]


def choose(tab, title: str) -> None:
    """A tool of the editor, by the beginning of its tooltip."""
    tab.page.locator(f".ms-root:not(.ms-view):not(.ms-large) button[title^='{title}']").first.click()


def ready(tab, workflow: dict, vue: bool, zoom: float = 1.0) -> None:
    """The workflow open in one of the renderers, its editor in view."""
    tab.use_vue_nodes(vue)
    tab.load(workflow)
    tab.centre_on(editor_of(workflow)["id"], zoom)


@WORKFLOWS
def test_the_converter_without_a_browser_agrees_with_the_page(tab, host, name):
    workflow = load(shipped(name))
    tab.use_vue_nodes(False)
    tab.load(workflow)
    page = {
        key: {"class_type": node["class_type"], "inputs": node["inputs"]}
        for key, node in tab.to_api().items()
    }
    assert page == to_api(workflow, host.object_info())


@WORKFLOWS
@RENDERERS
def test_opening_a_shipped_workflow_changes_nothing_in_it(tab, name, vue):
    workflow = load(shipped(name))
    ready(tab, workflow, vue)
    assert document_of(tab.saved()) == document_of(workflow)
    page = {node["id"]: node.get("widgets_values") for node in tab.saved()["nodes"]}
    for node in workflow["nodes"]:
        saved, shown, ours = (
            node.get("widgets_values"),
            page[node["id"]],
            node["type"].startswith("MotionStream"),
        )
        assert shown == saved or (not ours and shown[: len(saved)] == saved), node[
            "type"
        ]  # a newer host's nodes may have more widgets, behind


def test_a_shipped_workflow_runs_as_shipped_and_is_seen_while_it_runs(tab, host):
    host.post(
        "/free", {"unload_models": True, "free_memory": True}
    )  # what the host has made before it would not make again
    ready(tab, load(shipped("paint-a-track")), vue=False)
    prompt = tab.queue()
    tab.page.locator(PREVIEW).get_by_text("Live", exact=True).wait_for(timeout=60_000)
    entry = host.wait(prompt)
    assert ended_as(entry) == "success" and len(frames_of(host, entry)) == 49 == figures_of(entry)["frames"]
    tab.page.locator(PREVIEW).get_by_text("Done", exact=True).wait_for(timeout=30_000)
    colours = (
        tab.page.locator(PREVIEW)
        .locator("canvas:not(.ms-over)")
        .evaluate(
            "canvas => new Set(new Uint32Array(canvas.getContext('2d').getImageData(0, 0, canvas.width, "
            "canvas.height).data.buffer)).size"
        )
    )
    assert colours > 100, "expected a picture in the preview"


def shown(tab) -> tuple[int, int]:
    """What the Stream Preview shows: the number of its frame, from 1 (0: none yet), and a sum over its
    pixels.
    """
    view = tab.page.locator(PREVIEW)
    script = (
        "canvas => canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.reduce((sum, "
        "value, at) => (sum * 31 + value + at) % 4294967291, 7)"
    )
    counter = view.locator(".ms-fact b").first.text_content()
    return int(counter.split("/")[0]) if "/" in counter else 0, view.locator("canvas:not(.ms-over)").evaluate(
        script
    )


@RENDERERS
def test_frames_are_seen_while_the_sampler_runs_and_stop_keeps_them(tab, host, vue):
    workflow = load(shipped("endless-stream"))
    (sampler,) = nodes_of_type(workflow, "MotionStreamSampler")
    sampler["widgets_values"][1] = 100 + vue  # a seed of its own: the host keeps what it has made before
    tab.use_vue_nodes(vue)
    tab.load(workflow)
    prompt, seen = tab.queue(), set()
    while len(seen) < 4 and prompt in tab.queued():
        seen.add(shown(tab))
        tab.page.wait_for_timeout(300)
    assert prompt in tab.queued(), "expected frames in the preview before the run ends"
    tab.screenshot(f"running-{'nodes2' if vue else 'classic'}")
    tab.page.locator(PREVIEW).get_by_role("button", name="Stop here").click()
    entry = host.wait(prompt)
    assert len({frame for frame, _ in seen}) >= 3 and len({pixels for _, pixels in seen}) >= 3, seen
    assert ended_as(entry) == "success" and len(frames_of(host, entry)) == figures_of(entry)["frames"] < 600
    tab.page.locator(PREVIEW).get_by_text("Stopped").wait_for(timeout=30_000)
    tab.page.wait_for_timeout(2000)
    tab.screenshot(f"stopped-{'nodes2' if vue else 'classic'}")


@RENDERERS
@pytest.mark.parametrize("zoom", [1.0, 0.6])
def test_the_mouse_draws_where_it_points(tab, vue, zoom):
    ready(tab, without_tracks(load(shipped("paint-a-track"))), vue, zoom)
    choose(tab, "Draw")
    tab.drag(on_page(tab, KITE, (50, 50), GOAL))
    (track,) = document_of(tab.saved())["tracks"]
    first, last = ([track["points"][end]["x"], track["points"][end]["y"]] for end in (0, -1))
    assert np.abs(np.subtract([first, last], [KITE, GOAL])).max() < 2, track


@RENDERERS
def test_undo_takes_a_stroke_back_and_the_editor_shown_is_the_live_one(tab, vue):
    ready(tab, without_tracks(load(shipped("paint-a-track"))), vue)
    choose(tab, "Draw")
    counts = []
    for stroke in ([KITE, GOAL], [(30, 100), (90, 100)]):
        tab.drag(on_page(tab, *stroke))
        counts.append(len(document_of(tab.saved())["tracks"]))
    tab.page.keyboard.press("Control+z")
    tab.page.wait_for_timeout(1500)
    counts.append(len(document_of(tab.saved())["tracks"]))
    tab.drag(on_page(tab, (30, 80), (90, 80)))
    counts.append(len(document_of(tab.saved())["tracks"]))
    assert counts == [1, 2, 1, 2]


@RENDERERS
def test_what_the_mouse_has_drawn_is_where_the_object_goes(tab, host, vue):
    ready(tab, without_tracks(load(shipped("paint-a-track"))), vue)
    choose(tab, "Draw")
    tab.drag(on_page(tab, KITE, (50, 38), GOAL))
    tracks = commanded_tracks(tab.saved())
    tab.screenshot(f"drawn-{'nodes2' if vue else 'classic'}")
    entry = host.wait(tab.queue())
    frames = frames_of(host, entry)
    followed, static = (
        np.median(following_errors(clip, tracks)) for clip in (frames, np.repeat(frames[:1], len(frames), 0))
    )
    assert ended_as(entry) == "success" and followed <= 3 and followed < static / 2, (followed, static)


@RENDERERS
def test_the_template_browser_shows_both_workflows_and_opens_one(tab, vue):
    tab.use_vue_nodes(vue)
    tab.open_templates()
    cards = [
        tab.page.get_by_role("dialog").get_by_text(re.compile(title)).first
        for title in ("^endless[ -]stream$", "^paint[ -]a[ -]track$")
    ]  # newer frontends show the file's name
    for card in cards:
        card.wait_for(timeout=30_000)
    tab.page.wait_for_timeout(1000)
    tab.screenshot(f"templates-{'nodes2' if vue else 'classic'}")
    tab.load({"nodes": [], "links": [], "version": 0.4, "last_node_id": 0, "last_link_id": 0})
    cards[-1].click()
    tab.page.wait_for_function(
        "() => window.app.graph._nodes.some(node => node.type === 'MotionStreamTrackEditor')", timeout=30_000
    )
    assert document_of(tab.saved())["tracks"]
