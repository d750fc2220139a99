"""One real ComfyUI for all tests that need one, with the pack linked in, weights to load and pictures to
start from, and one browser on it.

Where the host or the browser is missing, the tests that need it say that they did not run.
"""

from __future__ import annotations

import os
import pickle
import shutil
from pathlib import Path

import pytest

# Threads of one operation wait for each other: where a browser takes turns with them on two cores, one thread
# is many times faster than two.
os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).resolve().parents[1]
BUILT_IN = "built-in (tiny, 128x128)"
UNTRAINED = "untrained.safetensors"


@pytest.fixture(scope="session")
def host(tmp_path_factory):
    """A running host on a folder of its own. It has the files of `fill`."""
    from harness import install
    from harness.host import running_host

    if not (install.VENV / ".motionstream-host").is_file():
        pytest.skip("ComfyUI is not set up here: make test does it")
    base = tmp_path_factory.mktemp("host")
    fill(base)
    with running_host(base, fresh=False) as running:
        yield running


@pytest.fixture(scope="session")
def browser_tab(host):
    from harness import browser

    if browser.missing():
        pytest.skip(browser.missing())
    with browser.open_tab(host) as tab:
        yield tab


@pytest.fixture
def tab(browser_tab):
    """The host's page; no uncaught error may come up in it."""
    browser_tab.problems.clear()
    yield browser_tab
    assert not browser_tab.problems, browser_tab.problems


def pytest_collection_modifyitems(items):
    """What needs the host, and then what needs the browser, comes last: the other tests fail sooner."""
    items.sort(key=lambda item: 2 * ("tab" in item.fixturenames) + ("host" in item.fixturenames))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Where several processes share the work, a file stays in one of them, and so does everything that drives
    the host: there is one host.
    """
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            path = Path(nodeid.split("::")[0])
            return "host" if path.parent.name in ("host", "workflows", "browser") else str(path)

    return ByFile(config, log)


@pytest.fixture(scope="session")
def weights():
    """The name of weights that load: the built-in ones, or, in a checkout without them, untrained ones."""
    return BUILT_IN if (ROOT / "motionstream_core" / "assets" / "tiny.safetensors").is_file() else UNTRAINED


FOREIGN_PACK = '''
import torch

class ForeignTracks:
    """TRACKS as packs that are not ours might send them."""

    RETURN_TYPES, FUNCTION, CATEGORY = ("TRACKS",), "make", "test"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"kind": ("STRING", {"default": "whole"})}}

    def make(self, kind):
        path, visible = torch.full((49, 2, 2), 60.0), torch.ones(49, 2, dtype=torch.bool)
        if kind == "a list of strings":
            return (["[{'x': 1, 'y': 2}]"],)
        if kind == "no tracks":
            return ({"track_path": path[:, :0], "track_visibility": visible[:, :0]},)
        if kind == "NaN":
            path[3, 0, 0] = float("nan")
        if kind == "infinite":
            path[3, 0, 0] = float("inf")
        if kind == "off the canvas":
            path += 5000
        if kind == "short":
            path, visible = path[:5], visible[:5]
        if kind == "long":
            path, visible = path.repeat(3, 1, 1), visible.repeat(3, 1)
        return ({"track_path": path, "track_visibility": visible},)

class RandomConditioning:
    """A CONDITIONING as a text encoder of the host makes it, of any width."""

    RETURN_TYPES, FUNCTION, CATEGORY = ("CONDITIONING",), "make", "test"

    @classmethod
    def INPUT_TYPES(cls):
        sizes = {"tokens": ("INT", {"default": 6}), "width": ("INT", {"default": 24, "max": 9999})}
        return {"required": {**sizes, "seed": ("INT", {"default": 0})}}

    def make(self, tokens, width, seed):
        return ([[torch.randn(1, tokens, width, generator=torch.Generator().manual_seed(seed)), {}]],)

NODE_CLASS_MAPPINGS = {"ForeignTracks": ForeignTracks, "RandomConditioning": RandomConditioning}
'''


def fill(base: Path):
    """input/picture.png; in models/motionstream untrained weights, a truncated file, a foreign file, a
    pickle; a pack that sends odd TRACKS.
    """
    import numpy as np
    import torch
    from PIL import Image
    from safetensors.torch import save_file

    from motionstream_core.model.weights.networks import save_networks, untrained_networks

    models, pictures, packs = base / "models" / "motionstream", base / "input", base / "custom_nodes"
    for folder in (models, pictures, packs):
        folder.mkdir(parents=True)
    (packs / "foreign_tracks.py").write_text(FOREIGN_PACK)
    shutil.copyfile(ROOT / "tests" / "harness" / "foreign_wan.py", packs / "foreign_wan.py")
    networks = untrained_networks("tiny")
    rng = torch.Generator().manual_seed(0)
    for parameter in networks.dit.parameters():  # some of them start at nought, and then no seed would show
        parameter += 0.05 * torch.randn(parameter.shape, generator=rng)
    save_networks(models / UNTRAINED, networks)
    whole = (models / UNTRAINED).read_bytes()
    (models / "truncated.safetensors").write_bytes(whole[: len(whole) // 2])
    save_file({"some.weight": torch.zeros(3)}, models / "foreign.safetensors")
    (models / "pickled.pt").write_bytes(pickle.dumps(Trap(base / "trap-was-sprung")))
    save_networks(base / "outside.safetensors", untrained_networks("tiny"))
    rows, columns = np.mgrid[0:160, 0:200]
    Image.fromarray(
        np.stack([rows + 40, columns, (rows // 16 + columns // 16) % 2 * 255], -1).astype(np.uint8)
    ).save(pictures / "picture.png")


class Trap:
    """Pickled, it leaves a folder behind wherever it is unpickled."""

    def __init__(self, path: Path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)
