"""The real host and the browser, one of each for the whole run; without them the tests that need them say that they did not run."""

import pytest

from harness import install
from harness.host import running_host

FOREIGN = install.ROOT / "tests" / "host" / "foreign_pack"


def pytest_collection_modifyitems(items):
    """The tests that need the host, and then those that need the browser, come last: the others fail sooner."""
    items.sort(key=lambda item: ("tab" in item.fixturenames) * 2 + ("comfy" in item.fixturenames))


@pytest.fixture(scope="session")
def comfy():
    """A running ComfyUI with the pack, and with a foreign pack beside it."""
    if not (install.VENV / ".motionstream-host").is_file():
        pytest.skip("ComfyUI is not set up here: make test does it")
    with running_host(install.CACHE / "tests", beside=FOREIGN) as host:
        yield host


@pytest.fixture
def living(comfy):
    """The host, which must live on and take the next prompt whatever the test did to it."""
    yield comfy
    assert comfy.alive, comfy.log_tail()
    assert not comfy.get_json("/queue")["queue_running"], "expected an idle host after the test"


@pytest.fixture(scope="session")
def browser_tab(comfy):
    from harness import browser

    if browser.chromium() is None:
        pytest.skip(browser.MISSING)
    with browser.open_tab(comfy) as tab:
        yield tab


@pytest.fixture
def tab(browser_tab):
    """The host's page; no uncaught error may come up in it."""
    browser_tab.problems.clear()
    yield browser_tab
    assert not browser_tab.problems, browser_tab.problems
