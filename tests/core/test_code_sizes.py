"""Sizes that can be read: functions of at most 60 lines without their docstring, files of at most 450."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
FUNCTION = 60
FILE = 450
SCHEMA = "define_schema"  # of a node: a list of inputs, one after another, without a branch
# Longer functions, each with the reason why it is not divided.
LONGER = {
    "nodes/sampler.py: execute": "four numbered steps of one run, and the host names each of 18 inputs",
}


def sources() -> Iterator[Path]:
    for room in ("motionstream_core", "nodes"):
        yield from sorted((ROOT / room).rglob("*.py"))


def lines_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from `def` to the end, without the docstring."""
    assert function.end_lineno is not None
    lines = function.end_lineno - function.lineno + 1
    if ast.get_docstring(function) is not None:
        said = function.body[0]
        assert said.end_lineno is not None
        lines -= said.end_lineno - said.lineno + 1
    return lines


def long_functions(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) or node.name == SCHEMA:
            continue
        if lines_of(node) > FUNCTION:
            yield f"{path.relative_to(ROOT).as_posix()}: {node.name}", lines_of(node)


def test_no_function_is_long_but_those_with_a_reason():
    found = dict(each for path in sources() for each in long_functions(path))
    assert set(found) == set(LONGER), found


def test_no_file_is_long():
    counts = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in sources()}
    assert counts
    assert not {str(path.relative_to(ROOT)): count for path, count in counts.items() if count > FILE}
