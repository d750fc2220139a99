"""The host's inside is opened in one place, and its TRACKS are known in one file."""

import ast
from pathlib import Path

NODES = Path(__file__).parents[2] / "nodes"
INSIDE = {"comfy", "comfy_execution", "folder_paths", "server"}


def imported(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    froms = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    names = {(node.module or "").split(".")[0] for node in froms if not node.level}
    plain = [name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names]
    return names | {name.split(".")[0] for name in plain}


def test_only_the_host_folder_imports_the_hosts_inside():
    for path in NODES.rglob("*.py"):
        if path.parent.name != "_host":
            assert not imported(path) & INSIDE, path.name


def test_only_one_file_knows_the_hosts_tracks():
    for path in NODES.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        if path.name != "_tracks.py":
            assert "track_path" not in text and "tracks_to_host" not in text, path.name
