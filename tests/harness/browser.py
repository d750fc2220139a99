"""The system's browser on the host's page: loads workflows as shipped, queues them as a person does, moves
the mouse, takes pictures.

Owns the browser process. Knows the page through its public objects (`app`, `app.api`, `app.extensionManager`)
and what it shows.
Chromium, or Firefox where MOTIONSTREAM_BROWSER=firefox says so; what differs between the two lies in Chromium
and Firefox below.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Page, Playwright, sync_playwright

from . import firefox
from .host import Host
from .install import CHROMIUM, ROOT

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
MISSING = (
    "no chromium on this machine: install the system package chromium (Debian: sudo apt-get install chromium)"
)
# Firefox's words for what the host's content policy forbids the host's own page, and for files and sockets
# that a reload cuts off: no exceptions of ours
NO_ERRORS = (
    "settings blocked the loading of a resource",
    "Unable to preload CSS",
    "error loading dynamically imported module",
    "can’t establish a connection to the server",
    "was interrupted while the page was loading",
)
WAIT_MS = 120_000
SCREENS = ROOT / "output" / "screens"


def chromium() -> str | None:
    """The browser's path, None where the system has none."""
    return next((path for path in map(shutil.which, CHROMIUM) if path), None)


def wanted() -> str:
    """ "chromium" or "firefox", as MOTIONSTREAM_BROWSER says."""
    name = os.environ.get("MOTIONSTREAM_BROWSER", "chromium")
    if name not in ("chromium", "firefox"):
        raise ValueError(f"MOTIONSTREAM_BROWSER: expected chromium or firefox, got {name!r}")
    return name


def missing() -> str | None:
    """Why there is no browser to open; None where there is one."""
    found, problem = (firefox.firefox(), firefox.MISSING) if wanted() == "firefox" else (chromium(), MISSING)
    return None if found else problem


class Chromium:
    """What Playwright leaves to the browser's own protocol, in Chromium."""

    counts_script = True

    def __init__(self, page: Page):
        self.page = page
        self.session = page.context.new_cdp_session(page)

    def touch(self, kind: str, places: tuple[tuple[float, float], ...]) -> None:
        self.session.send("Emulation.setTouchEmulationEnabled", {"enabled": True, "maxTouchPoints": 2})
        self.session.send(
            "Input.dispatchTouchEvent",
            {"type": kind, "touchPoints": [{"x": x, "y": y, "id": at} for at, (x, y) in enumerate(places)]},
        )
        if not places:
            self.session.send("Emulation.setTouchEmulationEnabled", {"enabled": False})

    def double_click(self, x: float, y: float) -> None:
        self.page.mouse.dblclick(x, y)

    def screen(self, ratio: float | None, width: int, height: int) -> None:
        if ratio is None:
            self.session.send("Emulation.clearDeviceMetricsOverride")
        else:
            self.session.send(
                "Emulation.setDeviceMetricsOverride",
                {"width": width, "height": height, "deviceScaleFactor": ratio, "mobile": False},
            )

    def script_seconds(self) -> float:
        self.session.send("Performance.enable")
        return next(
            item["value"]
            for item in self.session.send("Performance.getMetrics")["metrics"]
            if item["name"] == "ScriptDuration"
        )


class Firefox:
    """The same in Firefox, over the launcher's wire."""

    counts_script = False

    def __init__(self, page: Page, address: Path):
        self.page, self.address = page, address
        self.down: list[str] = []

    @property
    def context(self) -> str:
        tree = firefox.command(self.address, "browsingContext.getTree", {"maxDepth": 0})["contexts"]
        return next(each["context"] for each in tree if each["url"] == self.page.url)

    def touch(self, kind: str, places: tuple[tuple[float, float], ...]) -> None:
        """As Chromium has it: all the fingers that are down, none at the end."""
        sources, fingers = [], [f"finger {at}" for at in range(len(places))]
        for finger, (x, y) in zip(fingers, places):
            moved = {
                "type": "pointerMove",
                "x": round(x),
                "y": round(y),
                "duration": 0 if kind == "touchStart" else 120,
            }
            sources.append(
                (
                    finger,
                    [
                        moved,
                        {"type": "pause"} if finger in self.down else {"type": "pointerDown", "button": 0},
                    ],
                )
            )
        sources += [
            (finger, [{"type": "pointerUp", "button": 0}]) for finger in self.down if finger not in fingers
        ]
        actions = [
            {"type": "pointer", "id": name, "parameters": {"pointerType": "touch"}, "actions": steps}
            for name, steps in sources
        ]
        firefox.command(self.address, "input.performActions", {"context": self.context, "actions": actions})
        self.down = fingers

    def double_click(self, x: float, y: float) -> None:
        """In one piece: between single ones Firefox sees too much time go by."""
        down, up = {"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0}
        steps = [{"type": "pointerMove", "x": round(x), "y": round(y)}, down, up, down, up]
        mouse = {"type": "pointer", "id": "double", "parameters": {"pointerType": "mouse"}, "actions": steps}
        firefox.command(self.address, "input.performActions", {"context": self.context, "actions": [mouse]})

    def screen(self, ratio: float | None, width: int, height: int) -> None:
        firefox.command(
            self.address,
            "browsingContext.setViewport",
            {
                "context": self.context,
                "viewport": {"width": width, "height": height},
                "devicePixelRatio": ratio,
            },
        )


class Tab:
    """The host's page in one browser tab. `problems` collects the page's uncaught errors."""

    def __init__(self, page: Page, host: Host, browser: Chromium | Firefox):
        self.page, self.host, self.browser = page, host, browser
        self.problems: list[str] = []
        page.on(
            "pageerror",
            lambda error: (
                self.problems.append(str(error))
                if not any(words in str(error) for words in NO_ERRORS)
                else None
            ),
        )

    def open(self) -> None:
        """The page, without the dialog that greets a new user."""
        self.host.post("/settings", {"Comfy.TutorialCompleted": True})
        self.page.goto(self.host.url, wait_until="domcontentloaded", timeout=WAIT_MS)
        ready = (
            "() => window.app?.extensionManager && window.app.graph && "
            "Object.keys(window.LiteGraph?.registered_node_types ?? {}).length > 100"
        )
        self.page.wait_for_function(ready, timeout=WAIT_MS)

    def use_vue_nodes(self, on: bool) -> None:
        """Nodes drawn by Vue, or the classic canvas."""
        self.page.evaluate("on => window.app.extensionManager.setting.set('Comfy.VueNodes.Enabled', on)", on)
        self.page.wait_for_timeout(1000)  # nodes are measured again

    def load(self, workflow: dict) -> None:
        self.page.evaluate("async workflow => { await window.app.loadGraphData(workflow) }", workflow)
        self.page.wait_for_timeout(1000)

    def saved(self) -> dict:
        """The workflow as the page would save it."""
        return self.page.evaluate("() => JSON.parse(JSON.stringify(window.app.graph.serialize()))")

    def to_api(self) -> dict:
        """The API prompt, by the page's own conversion."""
        return self.page.evaluate(
            "async () => JSON.parse(JSON.stringify((await window.app.graphToPrompt()).output))"
        )

    def queue(self) -> str:
        """Presses Run -> the prompt id."""
        before = set(self.host.get_json("/history")) | set(self.queued())
        self.page.get_by_role("button", name="Run", exact=True).first.click(timeout=WAIT_MS)
        return self.host._until(
            lambda: next(iter((set(self.host.get_json("/history")) | set(self.queued())) - before), None),
            60,
            "the queued prompt",
        )

    def queued(self) -> list[str]:
        queue = self.host.get_json("/queue")
        return [item[1] for part in ("queue_running", "queue_pending") for item in queue[part]]

    def centre_on(self, node_id: int, scale: float = 1.0) -> None:
        """Puts a node's title near the page's upper left, at this zoom."""
        script = """([id, scale]) => {
            const { canvas } = window.app, node = window.app.graph.getNodeById(id)
            canvas.ds.scale = scale
            canvas.ds.offset[0] = 120 / scale - node.pos[0]
            canvas.ds.offset[1] = 110 / scale - node.pos[1]
            canvas.setDirty(true, true)
        }"""
        self.page.evaluate(script, [node_id, scale])
        self.page.wait_for_timeout(1000)

    def drag(self, points: list[tuple[float, float]], steps: int = 8) -> None:
        """The left button held from the first point to the last, in page pixels."""
        self.page.mouse.move(*points[0])
        self.page.mouse.down()
        for point in points[1:]:
            self.page.mouse.move(*point, steps=steps)
        self.page.mouse.up()

    def touch(self, kind: str, *places: tuple[float, float]) -> None:
        """Fingers on the glass, page pixels: "touchStart" and "touchMove" with all that are down, "touchEnd"
        with those that stay.
        """
        self.browser.touch(kind, places)

    def screen(self, ratio: float | None) -> None:
        """So many pixels of the screen to one of the page; None = as it was."""
        size = self.page.viewport_size
        self.browser.screen(ratio, size["width"], size["height"])

    def open_templates(self) -> None:
        self.page.evaluate("() => window.app.extensionManager.command.execute('Comfy.BrowseTemplates')")

    def screenshot(self, name: str) -> None:
        """The page as it looks now, at output/screens/NAME.png."""
        SCREENS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=str(SCREENS / f"{name}.png"))


@contextlib.contextmanager
def open_tab(host: Host, width: int = 1600, height: int = 1200) -> Iterator[Tab]:
    """A headless browser with the host's page opened in it; RuntimeError where there is no browser."""
    problem = missing()
    if problem:
        raise RuntimeError(problem)
    with (
        sync_playwright() as playwright,
        (firefox_page if wanted() == "firefox" else chromium_page)(playwright, width, height) as (
            page,
            browser,
        ),
    ):
        tab = Tab(page, host, browser)
        tab.open()
        yield tab


@contextlib.contextmanager
def chromium_page(playwright: Playwright, width: int, height: int) -> Iterator[tuple[Page, Chromium]]:
    browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
    try:
        page = browser.new_page(viewport={"width": width, "height": height})
        yield page, Chromium(page)
    finally:
        browser.close()


@contextlib.contextmanager
def firefox_page(playwright: Playwright, width: int, height: int) -> Iterator[tuple[Page, Firefox]]:
    with tempfile.TemporaryDirectory() as folder:
        script, address = firefox.launcher(Path(folder), str(firefox.firefox()))
        browser = playwright.firefox.launch(channel="moz-firefox", executable_path=str(script))
        try:
            page = browser.new_page(viewport={"width": width, "height": height})
            yield page, Firefox(page, address)
        finally:
            browser.close()
