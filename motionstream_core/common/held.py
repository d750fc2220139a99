"""How much memory a value holds: the tensors and arrays in it, each once."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from types import FunctionType, MethodType
from typing import Any

import numpy as np
from torch import Tensor, nn

DEEPEST = 6
NOT_THEIRS = (nn.Module, type, FunctionType, MethodType, partial)


def held_bytes(*values: Any) -> int:
    """Bytes of the tensors and arrays in these values: in lists, mappings and the fields of plain objects.

    Networks and functions hold what is not theirs and count as nothing.
    """
    return sum(held_storages(*values).values())


def held_storages(*values: Any) -> dict[int, int]:
    """The memory behind these values: bytes by address, for what several of them share to count once.

    An address says something for as long as the values live.
    """
    found: dict[int, int] = {}
    for value in values:
        _look(value, found, 0)
    return found


def _look(value: Any, found: dict[int, int], depth: int) -> None:
    if isinstance(value, Tensor):
        storage = value.untyped_storage()
        found[storage.data_ptr()] = storage.nbytes()
    elif isinstance(value, np.ndarray):
        found[id(value)] = value.nbytes
    elif depth > DEEPEST or value is None or isinstance(value, (str, bytes, int, float)):
        return
    elif isinstance(value, Mapping):
        for item in value.values():
            _look(item, found, depth + 1)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _look(item, found, depth + 1)
    elif hasattr(value, "__dict__") and not isinstance(value, NOT_THEIRS):
        for item in vars(value).values():
            _look(item, found, depth + 1)
