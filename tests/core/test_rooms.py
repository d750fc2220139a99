"""The rooms of the house: what each may import. Nothing imports upwards, and there is no circle."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CORE = ROOT / "motionstream_core"
# Each room, and the rooms that it may import. A room comes after all that it stands on.
ALLOWED = {
    "common": set(),
    "tracks": {"common"},
    "codec": {"common"},
    "model": {"common", "codec"},
    "live": {"common", "tracks"},
    "sampling": {"common", "model"},
    "streaming": {"common", "tracks", "codec", "model", "live", "sampling"},
    "planning": {"common", "codec", "model"},
    "training": {"common", "tracks", "codec", "model", "sampling", "streaming"},
    "evaluation": {
        "common", "tracks", "codec", "model", "live", "sampling", "streaming", "planning", "training",
    },
    "cli": {
        "common", "tracks", "codec", "model", "live", "sampling", "streaming", "planning", "training",
        "evaluation",
    },
}  # fmt: skip


def imported_rooms(path: Path, root: Path = CORE) -> Iterator[tuple[str, int]]:
    """The rooms that a file's relative imports name, with their lines, those inside functions too."""
    package = list(path.relative_to(root).parts[:-1])
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ImportFrom) or not node.level:
            continue
        base = package[: len(package) - node.level + 1]
        target = [*base, *(node.module or "").split(".")] if node.module else base
        for room in [target[0]] if target else [name.name for name in node.names]:
            yield room, node.lineno


@pytest.mark.parametrize("room", ALLOWED)
def test_a_room_imports_only_rooms_below_it(room):
    files = sorted((CORE / room).rglob("*.py"))
    assert files
    for path in files:
        for other, line in imported_rooms(path):
            where = f"{path.relative_to(ROOT)}:{line}"
            assert other in ALLOWED[room] | {room}, f"{where}: {room} imports {other}"


def test_every_room_is_listed_and_stands_on_earlier_ones_alone():
    rooms = {path.name for path in CORE.iterdir() if (path / "__init__.py").exists()}
    assert rooms == set(ALLOWED)
    order = list(ALLOWED)
    for room, below in ALLOWED.items():
        assert all(order.index(other) < order.index(room) for other in below)


def test_only_nodes_know_the_host_and_the_core_knows_no_node():
    for path in CORE.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = [
            node.module or ""
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and not node.level
        ]
        names += [name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names]
        found = [
            name for name in names if name.split(".")[0] in {"comfy", "comfy_api", "folder_paths", "nodes"}
        ]
        assert not found, f"{path.relative_to(ROOT)}: {found}"
