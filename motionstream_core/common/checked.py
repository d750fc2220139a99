"""Checks of single values in messages and documents that people or browsers wrote.

Each gives the value in one type, or raises a ValueError that says where it stood, what was expected and what
came. A value may be anything that `json.loads` gives. Knows nothing of what the values mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Point = tuple[float, float]


def number(value: Any, where: str, least: float, most: float, name: str = "") -> float:
    """A finite number from `least` to `most`.

    Args:
        value: what came.
        where: where it stood, for the message.
        least: the smallest allowed.
        most: the largest allowed.
        name: the key that it stood under, where `where` does not say it.
    """
    # The comparison refuses NaN and infinity, and whole numbers that no float can hold.
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= most:
        expected = f"a number from {least:.10g} to {most:.10g}"
        raise ValueError(f"{where}: expected {_named(name)}{expected}, got {excerpt(value)}")
    return float(value)


def whole_number(value: Any, where: str, least: int, most: int, name: str = "") -> int:
    """A whole number from `least` to `most`. 3.0 counts as 3.

    Args:
        value: what came.
        where: where it stood, for the message.
        least: the smallest allowed.
        most: the largest allowed.
        name: the key that it stood under, where `where` does not say it.
    """
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float))
        or not least <= value <= most
        or value != int(value)
    ):
        expected = f"a whole number from {least} to {most}"
        raise ValueError(f"{where}: expected {_named(name)}{expected}, got {excerpt(value)}")
    return int(value)


def choice(value: Any, where: str, choices: Sequence[str], name: str = "") -> str:
    """One of the words."""
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{where}: expected {_named(name)}one of {', '.join(choices)}, got {excerpt(value)}")
    return value


def point(value: Any, where: str, most: float) -> Point:
    """A pair [x, y], each within ±most."""
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        raise ValueError(f"{where}: expected [x, y], got {excerpt(value)}")
    x = number(value[0], f"{where}: x", -most, most)
    y = number(value[1], f"{where}: y", -most, most)
    return x, y


def excerpt(value: Any, most: int = 40) -> str:
    """The beginning of a value as Python writes it."""
    try:
        return repr(value)[:most]
    except (ValueError, RecursionError):  # a number of thousands of digits, a list in itself
        return f"a {type(value).__name__} too long to show"


def _named(name: str) -> str:
    return f"{name} to be " if name else ""
