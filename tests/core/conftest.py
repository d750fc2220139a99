"""What several tests of the core share."""

import signal

import pytest
import torch
from core.small import small_networks


@pytest.fixture(scope="module")
def networks():
    return small_networks()


@pytest.fixture(scope="session", autouse=True)
def an_interrupt_is_heard():
    """A shell that starts a job in the background has it ignore Ctrl-C, and what the job starts too; some
    tests press it.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Streams then decode where they denoise, unless a test asks for more, and sums come out the same to the
    bit.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
