"""The Track Editor under a real mouse, keyboard and finger on the real host, in both renderers: every tool,
the clipboard, files, settings, languages.

Positions are pixels of the video unless they are called page pixels.
"""

import base64
import copy
import io
import json
import time

import av
import numpy as np
import pytest
from harness.host import ended_as
from harness.workflow import load, shipped
from test_browser import (
    EDITOR,
    RENDERERS,
    choose,
    document_of,
    editor_of,
    frames_of,
    on_page,
    ready,
    without_tracks,
)

from motionstream_core.tracks.document.parse import document_to_tracks, parse_document

ROOT = ".ms-root:not(.ms-view):not(.ms-large)"
LARGE = "dialog .ms-root"
TRACK = {
    "id": "t1",
    "name": "Track 1",
    "color": "#34c759",
    "kind": "path",
    "interpolation": "spline",
    "brush": None,
    "start": 0,
    "end": None,
    "visible": True,
}


FRAMES = """async () => {
    const times = []
    await new Promise(done => {
        const tick = now => { times.push(now); times.length < 90 ? requestAnimationFrame(tick) : done() }
        requestAnimationFrame(tick)
    })
    const gaps = times.slice(1).map((time, i) => time - times[i]).sort((a, b) => a - b)
    return [gaps[gaps.length >> 1], gaps.length]
}"""


def bare() -> dict:
    workflow = without_tracks(load(shipped("paint-a-track")))
    editor = editor_of(workflow)
    editor["size"] = [480, 980]
    editor["widgets_values"][0] = json.dumps({**document_of(workflow), "pin_border": False})
    return workflow


def with_tracks(*tracks: dict) -> dict:
    workflow = bare()
    editor = editor_of(workflow)
    editor["widgets_values"][0] = json.dumps({**document_of(workflow), "tracks": list(tracks)})
    return workflow


def tracks_of(tab) -> list[dict]:
    return document_of(tab.saved())["tracks"]


def pick(tab, menu: str, entry: str) -> None:
    tab.page.locator(f"{ROOT} button[title^='{menu}']").click()
    tab.page.locator(f"{ROOT} .ms-list").get_by_text(entry, exact=False).first.click()


def click(tab, place, **options) -> None:
    ((x, y),) = on_page(tab, place)
    tab.page.mouse.click(x, y, **options)


def press(tab, *keys: str) -> None:
    for key in keys:
        tab.page.keyboard.press(key)
    settled(tab)


def settled(tab) -> None:
    """What was done is drawn and written down: two pictures of the page have gone by since."""
    next_picture = "new Promise(done => requestAnimationFrame(() => setTimeout(done)))"
    tab.page.evaluate(f"async () => {{ await {next_picture}; await {next_picture} }}")


def until(tab, reached, what: str, seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < end, f"expected {what}"
        tab.page.wait_for_timeout(100)


def name_of(vue: bool) -> str:
    return "nodes2" if vue else "classic"


@RENDERERS
def test_every_tool_makes_its_track_and_one_undo_takes_each_back(tab, vue):
    ready(tab, bare(), vue)
    choose(tab, "Straight line")
    tab.drag(on_page(tab, (20, 20), (60, 24)))
    choose(tab, "Grid of points")
    tab.drag(on_page(tab, (80, 12), (116, 40)))
    choose(tab, "Region")
    tab.drag(on_page(tab, (24, 92), (40, 88), (44, 98)))
    start = tracks_of(tab)[2]["points"][0]
    tab.drag(on_page(tab, (start["x"], start["y"]), (60, 80), (90, 96)))
    choose(tab, "Pin:")
    click(tab, (64, 60))
    pick(tab, "Camera moves", "Zoom in")
    tracks = tracks_of(tab)
    assert [track["kind"] for track in tracks] == ["line", "grid", "region", "pin", "camera"]
    assert len(tracks[2]["points"]) > 1 and abs(tracks[2]["points"][-1]["x"] - 90) < 3
    tab.page.locator(f"{ROOT} .ms-time input[type=range]").fill("24")
    choose(tab, "Select")
    tab.page.wait_for_timeout(400)
    tab.screenshot(f"editor-tools-{name_of(vue)}")
    assert document_to_tracks(parse_document(json.dumps(document_of(tab.saved())))).count > 60
    tab.page.locator(EDITOR).hover()
    for left in (4, 3, 3, 2, 1, 0):
        before = tracks_of(tab)
        press(tab, "Control+z")
        until(tab, lambda known=before: tracks_of(tab) != known, "one step taken back")
        assert len(tracks_of(tab)) == left


def objects_of(tab) -> list[dict]:
    return [track for track in tracks_of(tab) if track["kind"] == "object"]


@RENDERERS
def test_a_box_and_a_click_cut_the_kite_out_and_it_moves_alone(tab, host, vue):
    """The kite hangs before a cloud of which nothing may come along."""
    workflow = bare()
    empty = {**document_of(workflow), "version": 1, "pin_border": True}
    editor_of(workflow)["widgets_values"][0] = json.dumps(empty)
    ready(tab, workflow, vue)
    choose(tab, "Select object")
    tab.drag(on_page(tab, (9, 15), (38, 55)))
    until(tab, lambda: len(objects_of(tab)) == 1, "an object in the box")
    boxed = objects_of(tab)[0]["object"]
    tab.page.keyboard.down("Shift")
    tab.drag(on_page(tab, (37, 44), (55, 60)))
    tab.page.keyboard.up("Shift")
    until(tab, lambda: objects_of(tab)[0]["object"] != boxed, "its tail by another box")
    choose(tab, "Region")
    for _ in range(5):
        press(tab, "[")
    tab.drag(on_page(tab, (41, 34), (47, 52)))
    assert len(objects_of(tab)) == 1
    start = objects_of(tab)[0]["points"][0]
    tab.drag(on_page(tab, (start["x"], start["y"]), (60, 50), (84, 44)))
    settled(tab)
    tab.screenshot(f"object-{name_of(vue)}")
    document = document_of(tab.saved())
    assert document["version"] == 2 and len(document["tracks"][0]["points"]) > 1
    entry = host.wait(tab.queue())
    frames = frames_of(host, entry)
    assert ended_as(entry) == "success" and len(frames) == 49
    # The slope, the sky and the cloud beside it stay; the kite has left its place.
    still = [(slice(92, 124), slice(4, 124)), (slice(2, 10), slice(60, 124)), (slice(5, 11), slice(3, 9))]
    assert max(np.abs(frames[-1][part] - frames[0][part]).mean() for part in still) < 0.03
    assert np.abs(frames[-1][22:42, 12:30] - frames[0][22:42, 12:30]).mean() > 0.1
    for _ in range(16):  # steps of the page's own may lie between
        if objects_of(tab):
            press(tab, "Control+z")
            tab.page.wait_for_timeout(500)
    assert not objects_of(tab) and document_of(tab.saved())["version"] == 1


@RENDERERS
def test_several_tracks_are_selected_moved_mirrored_and_copied_into_another_editor(tab, vue):
    line = {**TRACK, "points": [{"x": 20, "y": 20}, {"x": 60, "y": 20}]}
    other = {
        **TRACK,
        "id": "t2",
        "name": "Track 2",
        "color": "#0a84ff",
        "points": [{"x": 20, "y": 50}, {"x": 60, "y": 70}],
    }
    workflow = with_tracks(line, other)
    twin = copy.deepcopy(editor_of(workflow))
    twin.update(
        id=900,
        pos=[editor_of(workflow)["pos"][0] + 520, editor_of(workflow)["pos"][1]],
        outputs=[{**one, "links": None} for one in twin["outputs"]],
    )
    twin["inputs"] = [{**one, "link": None} for one in twin["inputs"]]
    twin["widgets_values"][0] = json.dumps({**document_of(workflow), "tracks": []})
    for node in workflow["nodes"]:
        if node["id"] != editor_of(workflow)["id"]:
            node["pos"] = [node["pos"][0], node["pos"][1] + 3000]
    first = editor_of(workflow)["id"]
    workflow["nodes"].append(twin)
    tab.use_vue_nodes(vue)
    tab.load(workflow)
    tab.centre_on(first)

    def document(of):
        node = next(node for node in tab.saved()["nodes"] if node["id"] == of)
        return json.loads(node["widgets_values"][0])

    canvas = tab.page.locator(EDITOR).first
    box = canvas.bounding_box()
    tab.page.locator(f"{ROOT} button[title^='Select']").first.click()
    tab.drag([(box["x"] + 8, box["y"] + 8), (box["x"] + box["width"] - 8, box["y"] + box["height"] - 8)])
    tab.screenshot(f"editor-selected-{name_of(vue)}")
    press(tab, "Shift+ArrowRight", "Shift+H")
    moved = [track["points"] for track in document(first)["tracks"]]
    assert [[point["x"] for point in points] for points in moved] == [[70, 30], [70, 30]]
    press(tab, "Control+c")
    tab.page.locator(EDITOR).nth(1).click(position={"x": 60, "y": 60})
    press(tab, "Control+z", "Control+v")
    assert [track["kind"] for track in document(900)["tracks"]] == ["path", "path"]
    assert [[point["y"] for point in track["points"]] for track in document(900)["tracks"]] == [
        [28, 28],
        [58, 78],
    ]
    assert len(document(first)["tracks"]) == 2


@RENDERERS
def test_a_speed_curve_and_visibility_are_edited_and_survive_undo_and_reload(tab, vue):
    ready(
        tab,
        with_tracks({**TRACK, "points": [{"x": 20, "y": 60}, {"x": 70, "y": 30}, {"x": 110, "y": 70}]}),
        vue,
    )
    choose(tab, "Select")
    click(tab, (70, 30))
    tab.page.locator(ROOT).get_by_role("button", name="Speed", exact=True).click()
    curve = tab.page.locator(f"{ROOT} .ms-curve canvas")
    box = curve.bounding_box()
    tab.browser.double_click(box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.3)
    (track,) = tracks_of(tab)
    assert (
        len(track["speed"]) == 3 and abs(track["speed"][1]["t"] - 0.5) < 0.05 and track["speed"][1]["s"] > 0.6
    ), track["speed"]
    tab.screenshot(f"editor-speed-{name_of(vue)}")
    tab.page.locator(ROOT).get_by_role("button", name="Time", exact=True).click()
    field = tab.page.locator(f"{ROOT} .ms-ranges")
    field.press_sequentially("0-20, 30-48")
    field.press("Enter")
    until(tab, lambda: tracks_of(tab)[0].get("shown") == [[0, 20], [30, 48]], "the ranges")
    tab.load(tab.saved())
    assert tracks_of(tab)[0]["shown"] == [[0, 20], [30, 48]] and len(tracks_of(tab)[0]["speed"]) == 3
    tracks = document_to_tracks(parse_document(json.dumps(document_of(tab.saved()))))
    assert tracks.visible[:, 0].tolist() == [frame <= 20 or frame >= 30 for frame in range(49)]


@RENDERERS
def test_the_large_editor_zooms_under_the_wheel_and_lists_its_keys(tab, vue):
    ready(
        tab,
        with_tracks(
            {
                **TRACK,
                "brush": {"radius": 9, "spacing": 4.5},
                "points": [{"x": 20, "y": 60}, {"x": 70, "y": 30}, {"x": 110, "y": 70}],
            }
        ),
        vue,
    )
    tab.page.locator(EDITOR).click(position={"x": 40, "y": 40})
    press(tab, "f")
    canvas = tab.page.locator(f"{LARGE} .ms-stage canvas")
    canvas.wait_for()
    tab.page.locator(f"{LARGE} .ms-track").first.click()
    tab.page.locator(f"{LARGE} .ms-time input[type=range]").fill("20")
    tab.page.wait_for_timeout(400)
    tab.screenshot(f"editor-large-{name_of(vue)}")
    for name in ("?",):
        press(tab, name)
    tab.page.wait_for_timeout(200)
    tab.screenshot(f"editor-keys-{name_of(vue)}")
    press(tab, "?")
    box = canvas.bounding_box()
    before = canvas.evaluate("canvas => canvas.toDataURL()")
    tab.page.mouse.move(box["x"] + 200, box["y"] + 200)
    tab.page.mouse.wheel(0, -300)
    until(tab, lambda: canvas.evaluate("canvas => canvas.toDataURL()") != before, "a larger picture")
    press(tab, "0")
    press(tab, "Escape", "Escape")
    tab.page.locator("dialog.ms-dialog").wait_for(state="detached")


def video_file() -> bytes:
    """Ten frames, each of one grey of its own."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="webm") as video:
        stream = video.add_stream("libvpx", rate=16)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        for value in range(10):
            frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 25 * value, np.uint8), format="rgb24")
            for packet in stream.encode(frame):
                video.mux(packet)
        for packet in stream.encode():
            video.mux(packet)
    return buffer.getvalue()


def choose_file(tab, menu_entry: str, name: str, kind: str, data: bytes) -> None:
    with tab.page.expect_file_chooser() as chooser:
        pick(tab, "File, backdrop", menu_entry)
    chooser.value.set_files({"name": name, "mimeType": kind, "buffer": data})
    settled(tab)


def test_tracks_come_in_from_files_and_go_out_again(tab):
    ready(tab, bare(), vue=False)
    points = [{"x": 10 + 2 * frame, "y": 40} for frame in range(49)]
    choose_file(tab, "Open a file", "ati.json", "application/json", json.dumps([points, points]).encode())
    line = [{"x": 10, "y": 40}, {"x": 106, "y": 40}]
    until(tab, lambda: [track["points"] for track in tracks_of(tab)] == [line] * 2, "the tracks of the file")
    with tab.page.expect_download() as saved:
        pick(tab, "File, backdrop", "Save TRACKS")
    with np.load(saved.value.path()) as arrays:
        assert arrays["xy"].shape == (49, 2, 2) and arrays["visible"].all() and int(arrays["width"]) == 128
    choose_file(tab, "Open a file", "bad.json", "application/json", b"{")
    tab.page.get_by_text("bad.json: Expected JSON").first.wait_for()


def test_a_picture_becomes_the_backdrop_and_the_connected_one_comes_back(tab, host):
    ready(tab, bare(), vue=False)
    middle = (
        "canvas => [...canvas.getContext('2d').getImageData(canvas.width / 2, canvas.height / 2, 1, 1).data]"
    )
    before = tab.page.locator(EDITOR).evaluate(middle)
    red = tab.page.evaluate(
        "() => { const c = document.createElement('canvas'); c.width = c.height = 32; const x = "
        "c.getContext('2d'); x.fillStyle = '#f00'; x.fillRect(0, 0, 32, 32); return c.toDataURL() }"
    )
    choose_file(
        tab, "Picture or video as backdrop", "red.png", "image/png", base64.b64decode(red.split(",")[1])
    )
    until(tab, lambda: tab.page.locator(EDITOR).evaluate(middle)[0] > 180, "the red picture")
    pick(tab, "File, backdrop", "Back to the connected picture")
    until(tab, lambda: tab.page.locator(EDITOR).evaluate(middle) == before, "the connected picture")


def test_a_finger_draws_and_two_fingers_zoom(tab):
    ready(tab, bare(), vue=False)
    choose(tab, "Draw")
    a, b, c = on_page(tab, (20, 40), (60, 50), (100, 40))
    tab.touch("touchStart", a)
    tab.touch("touchMove", b)
    tab.touch("touchMove", c)
    tab.touch("touchEnd")
    until(tab, lambda: len(tracks_of(tab)) == 1, "the track of a finger")
    (track,) = tracks_of(tab)
    assert track["kind"] == "freehand" and abs(track["points"][-1]["x"] - 100) < 2
    before = tab.page.locator(EDITOR).evaluate("canvas => canvas.toDataURL()")
    left, right, far_left, far_right = on_page(tab, (55, 60), (70, 60), (30, 60), (95, 60))
    tab.touch("touchStart", left)
    tab.touch("touchStart", left, right)
    tab.touch("touchMove", far_left, far_right)
    tab.touch("touchEnd")
    picture = "canvas => canvas.toDataURL()"
    until(tab, lambda: tab.page.locator(EDITOR).evaluate(picture) != before, "a larger picture")
    assert tab.page.evaluate("() => window.app.canvas.ds.scale") == 1, "the host's own pinch stays out of it"
    assert len(tracks_of(tab)) == 1, "the second finger takes back what the first began"
    tab.screenshot("editor-touch")


@RENDERERS
def test_two_hundred_tracks_play_and_the_canvas_has_a_pixel_for_each_of_the_screen(tab, vue):
    rng = np.random.default_rng(3)
    tracks = [
        {
            **TRACK,
            "id": f"t{n}",
            "name": f"T{n}",
            "points": [{"x": round(x, 1), "y": round(y, 1)} for x, y in rng.uniform(4, 124, (5, 2))],
            "brush": {"radius": 6, "spacing": 3},
        }
        for n in range(200)
    ]
    ready(tab, with_tracks(*tracks), vue)
    tab.page.locator(EDITOR).click(position={"x": 3, "y": 3})
    press(tab, "v", "Escape", " ")
    tab.page.wait_for_timeout(1500)
    before = tab.browser.script_seconds() if tab.browser.counts_script else 0.0
    canvas = tab.page.locator(EDITOR)
    shown = canvas.evaluate("canvas => canvas.toDataURL()")
    pace, frames = tab.page.evaluate(FRAMES)
    spent = tab.browser.script_seconds() - before if tab.browser.counts_script else None
    press(tab, " ")
    share = "" if spent is None else f"{1000 * spent / frames:.1f} ms of script a frame, "
    print(f"200 tracks playing ({name_of(vue)}): {share}one frame of the page every {pace:.1f} ms")
    # How long a frame takes is printed, not judged: a browser's seconds of script grow with what else runs.
    until(
        tab, lambda: canvas.evaluate("canvas => canvas.toDataURL()") != shown, "another moment of the motion"
    )
    tab.screen(2)
    tab.page.locator(EDITOR).hover()
    widths = "canvas => canvas.width - 2 * canvas.getBoundingClientRect().width"
    until(tab, lambda: abs(canvas.evaluate(widths)) <= 2, "two pixels of the canvas to one of the page")
    tab.screen(None)


def test_recent_tracks_and_presets_are_kept_in_the_settings_of_the_person(tab, host):
    ready(tab, bare(), vue=False)
    choose(tab, "Draw")
    tab.drag(on_page(tab, (20, 20), (60, 60), (90, 30)))
    choose(tab, "Select")
    click(tab, (60, 60))
    pick(tab, "File, backdrop", "Keep the selection")
    kept = "MotionStream.TrackEditor.Recent"
    until(tab, lambda: host.get_json("/settings").get(kept), "the recent tracks in the settings")
    settings = host.get_json("/settings")
    assert [kept["name"] for kept in settings["MotionStream.TrackEditor.Presets"]] == ["Track 1"]
    assert "Track 1" in [kept["name"] for kept in settings["MotionStream.TrackEditor.Recent"]]
    tab.page.locator(f"{ROOT} button[title^='File, backdrop']").click()
    tab.page.wait_for_timeout(200)
    tab.screenshot("editor-menu")
    tab.page.locator(f"{ROOT} .ms-list .ms-entry").filter(has_text="Track 1").first.click()
    names = ["Track 1", "Track 2"]
    until(
        tab, lambda: [track["name"] for track in tracks_of(tab)] == names, "the kept track beside the first"
    )


def test_the_editor_speaks_the_language_of_the_host(tab, host):
    host.post("/settings", {"Comfy.Locale": "zh"})
    try:
        tab.open()
        ready(tab, bare(), vue=False)
        tab.page.locator(f"{ROOT} button[title^='自由绘制']").wait_for()
        tab.screenshot("editor-zh")
    finally:
        host.post("/settings", {"Comfy.Locale": "en"})
        tab.open()


def test_a_video_is_shown_behind_the_tracks_at_the_frame_of_the_playhead(tab):
    ready(tab, bare(), vue=False)
    choose_file(tab, "Picture or video as backdrop", "greys.webm", "video/webm", video_file())
    tab.page.wait_for_timeout(1500)
    if tab.page.get_by_text("the browser cannot play it").count():
        pytest.skip("this browser plays no webm")
    corner = (
        "canvas => canvas.getContext('2d').getImageData(canvas.width / 2, canvas.height / 2, 1, 1).data[0]"
    )
    before = tab.page.locator(EDITOR).evaluate(corner)
    tab.page.locator(f"{ROOT} .ms-time input[type=range]").fill("8")
    until(
        tab, lambda: tab.page.locator(EDITOR).evaluate(corner) > before + 60, "a lighter frame of the video"
    )
