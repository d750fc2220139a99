"""Debian's chromium on the host's page: loads workflows as shipped, queues them as a person does, moves the mouse, takes pictures.

Owns the browser process. Knows the page through its public objects (`app`, `app.api`, `app.extensionManager`) and what it shows.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator

from playwright.sync_api import Page, sync_playwright

from .host import Host
from .install import CHROMIUM, ROOT

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
MISSING = "no chromium on this machine: install the system package chromium (Debian: sudo apt-get install chromium)"
WAIT_MS = 120_000
SCREENS = ROOT / "output" / "screens"


def chromium() -> str | None:
    """The browser's path, None where the system has none."""
    return next((path for path in map(shutil.which, CHROMIUM) if path), None)


class Tab:
    """The host's page in one browser tab. `problems` collects the page's uncaught errors."""

    def __init__(self, page: Page, host: Host):
        self.page, self.host = page, host
        self.problems: list[str] = []
        page.on("pageerror", lambda error: self.problems.append(str(error)))

    def open(self) -> None:
        """The page, without the dialog that greets a new user."""
        self.host.post("/settings", {"Comfy.TutorialCompleted": True})
        self.page.goto(self.host.url, wait_until="domcontentloaded", timeout=WAIT_MS)
        ready = "() => window.app?.extensionManager && window.app.graph && Object.keys(window.LiteGraph?.registered_node_types ?? {}).length > 100"
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
        return self.page.evaluate("async () => JSON.parse(JSON.stringify((await window.app.graphToPrompt()).output))")

    def queue(self) -> str:
        """Presses Run -> the prompt id."""
        before = set(self.host.get_json("/history")) | set(self.queued())
        self.page.get_by_role("button", name="Run", exact=True).first.click(timeout=WAIT_MS)
        return self.host._until(lambda: next(iter((set(self.host.get_json("/history")) | set(self.queued())) - before), None), 60, "the queued prompt")

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

    def open_templates(self) -> None:
        self.page.evaluate("() => window.app.extensionManager.command.execute('Comfy.BrowseTemplates')")

    def screenshot(self, name: str) -> None:
        """The page as it looks now, at output/screens/NAME.png."""
        SCREENS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=str(SCREENS / f"{name}.png"))


@contextlib.contextmanager
def open_tab(host: Host, width: int = 1600, height: int = 1200) -> Iterator[Tab]:
    """A headless browser with the host's page opened in it; RuntimeError where there is no browser."""
    executable = chromium()
    if executable is None:
        raise RuntimeError(MISSING)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        try:
            tab = Tab(browser.new_page(viewport={"width": width, "height": height}), host)
            tab.open()
            yield tab
        finally:
            browser.close()
