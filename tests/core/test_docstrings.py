"""Docstrings that can be read: no semicolons, and an `Args:` block from five parameters on."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from core.test_code_sizes import ROOT, sources

MANY = 5
# Functions without an `Args:` block so far: of one file alone (a leading underscore), and of the cartoon's
# research room. The numbers may only fall.
LEFT = {"private": 48, "cartoon": 22}
CODE = re.compile(r"`[^`]*`")
WITH_DOCSTRING = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def documented(tree: ast.Module) -> Iterator[tuple[ast.AST, str]]:
    for node in ast.walk(tree):
        if isinstance(node, WITH_DOCSTRING):
            yield node, ast.get_docstring(node) or ""


def parameters(function: ast.FunctionDef) -> list[str]:
    given = function.args
    names = [each.arg for each in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    return names[1:] if names[:1] in (["self"], ["cls"]) else names


def without_block(path: Path) -> Iterator[ast.FunctionDef]:
    """Functions of many parameters that no `Args:` block explains, neither their own nor their class's.

    A node's `execute` takes what its schema explains.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    owners = {
        id(each): node for node in ast.walk(tree) if isinstance(node, ast.ClassDef) for each in node.body
    }
    for node, said in documented(tree):
        if not isinstance(node, ast.FunctionDef) or node.name == "execute":
            continue
        owner = owners.get(id(node))
        if owner is not None and node.name == "__init__":
            said += ast.get_docstring(owner) or ""
        if len(parameters(node)) >= MANY and "Args:" not in said:
            yield node


def kind_of(path: Path, function: ast.FunctionDef) -> str:
    if "cartoon" in path.parts or "cartoon" in path.stem:
        return "cartoon"
    return "private" if function.name.startswith("_") else "public"


def test_a_sentence_of_a_docstring_ends_without_a_semicolon():
    for path in sources():
        for _, said in documented(ast.parse(path.read_text(encoding="utf-8"))):
            assert ";" not in CODE.sub("", said), f"{path.relative_to(ROOT)}: {said[:200]}"


def test_many_parameters_stand_in_an_args_block():
    found = {"public": [], "private": [], "cartoon": []}
    for path in sources():
        for function in without_block(path):
            found[kind_of(path, function)].append(f"{path.relative_to(ROOT)}: {function.name}")
    assert found.pop("public") == []
    for kind, most in LEFT.items():
        assert len(found[kind]) <= most, (
            f"{kind}: {len(found[kind])} functions, at most {most}: {found[kind]}"
        )
