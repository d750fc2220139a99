"""What several tests of the core share."""

import pytest
from core.small import small_networks


@pytest.fixture(scope="module")
def networks():
    return small_networks()
