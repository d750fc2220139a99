"""Every golden run gives what it gave when it was recorded: no output has changed, not in the last bit."""

import pytest
import torch
from golden import runs, store

RECORDED = store.read()


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def exact(one_thread) -> bool:
    return store.is_exact(RECORDED["fingerprint"])


def test_every_run_is_recorded():
    assert set(RECORDED["runs"]) == set(runs.RUNS)


@pytest.mark.parametrize("name", runs.RUNS)
def test_a_run_gives_what_it_gave(name, exact, tmp_path):
    if name.startswith("shipped") and runs.shipped_weights() != RECORDED["weights"]:
        pytest.fail("the shipped weights are others than recorded: python -m golden.record shipped")
    made = {key: store.facts(value) for key, value in runs.RUNS[name](tmp_path).items()}
    found = store.differences(RECORDED["runs"][name], made, exact)
    assert not found, f"{name} ({'exactly' if exact else 'closely'} compared):\n" + "\n".join(found)
