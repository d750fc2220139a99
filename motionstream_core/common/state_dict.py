"""State dicts: what keeps one from fitting a module, in words."""

from collections.abc import Mapping

from torch import Tensor

State = dict[str, Tensor]


def state_problems(expected: Mapping[str, Tensor], got: Mapping[str, Tensor]) -> list[str]:
    """What keeps a state from fitting, in words. Empty when it fits."""
    missing, unknown = sorted(expected.keys() - got.keys()), sorted(got.keys() - expected.keys())
    shapes = [key for key in expected.keys() & got.keys() if expected[key].shape != got[key].shape]
    listed = [
        f"{key} expected {tuple(expected[key].shape)} got {tuple(got[key].shape)}" for key in sorted(shapes)
    ]
    problems = [listed_names(listed)] if listed else []
    problems += [f"missing {listed_names(missing)}"] if missing else []
    problems += [f"unknown {listed_names(unknown)}"] if unknown else []
    return problems


def listed_names(names: list[str], most: int = 8) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
