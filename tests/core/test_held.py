"""How much memory a value holds."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from motionstream_core.common.held import held_bytes


@dataclass
class Holder:
    one: object
    two: object = None

    def __call__(self):
        """What can be called may hold something as well."""


def test_tensors_and_arrays_count_once_wherever_they_are():
    shared = torch.zeros(100)
    inside = Holder([shared, {"a": np.zeros(5)}], Holder(shared[:10], (torch.zeros(3, dtype=torch.uint8),)))
    assert held_bytes(inside, shared) == 400 + 40 + 3
    assert held_bytes(None, "text", 3, nn.Linear(9, 9), lambda: shared) == 0
