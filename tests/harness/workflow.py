"""A saved workflow (the browser's form) -> an API prompt, without a browser, for workflows such as those this
pack ships.

Knows node definitions only through the host's /object_info. What it cannot convert (subgraphs, bypassed
nodes) it refuses; a test holds it against the browser's own conversion.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from . import install

WIDGET_TYPES = {"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO", "COMFY_DYNAMICCOMBO_V3"}
SEEDS = {"seed", "noise_seed"}
FRONTEND_ONLY = {"Note", "MarkdownNote"}
NEVER = 2  # the mode of a muted node
ALWAYS = 0


def shipped(name: str) -> Path:
    """A workflow of the pack."""
    return install.ROOT / "workflows" / f"{name}.json"


def load(path: Path) -> dict:
    return json.loads(path.read_text())


def nodes_of_type(workflow: dict, kind: str) -> list[dict]:
    return [node for node in workflow["nodes"] if node["type"] == kind]


def to_api(workflow: dict, object_info: dict) -> dict:
    """{node id: {"class_type", "inputs"}}; ValueError for what is not in `object_info` or cannot be
    converted.
    """
    if workflow.get("definitions", {}).get("subgraphs"):
        raise ValueError("workflow: expected one without subgraphs, got some")
    links = {link[0]: [str(link[1]), link[2]] for link in workflow["links"]}
    prompt = {}
    for node in workflow["nodes"]:
        kind, mode = node["type"], node.get("mode", ALWAYS)
        if kind in FRONTEND_ONLY or mode == NEVER:
            continue
        if mode != ALWAYS or kind not in object_info:
            raise ValueError(
                f"workflow: expected active nodes that the host knows, got {kind!r} in mode {mode}"
            )
        linked = {
            slot["name"]: links[slot["link"]]
            for slot in node.get("inputs", [])
            if slot.get("link") is not None
        }
        prompt[str(node["id"])] = {
            "class_type": kind,
            "inputs": {**widget_inputs(node, object_info[kind]), **linked},
        }
    return prompt


def widget_inputs(node: dict, info: dict) -> dict:
    """The values of the node's widgets, by input name.

    Values lie in the order of the inputs; a seed is followed by its "after generate". Widgets that the node
    has got since the workflow was saved come last and have their defaults.
    """
    values, found = list(node.get("widgets_values", [])), {}
    for name, spec in inputs_of(info):
        take(name, spec, values, found, node["type"])
    return found


def inputs_of(info: dict) -> Iterator[tuple[str, list]]:
    for group in ("required", "optional"):
        yield from info["input"].get(group, {}).items()


def take(name: str, spec: list, values: list, found: dict, kind: str) -> None:
    """Moves the value of the widget `name` from `values` to `found`; nothing for an input that is a socket
    only.
    """
    options = spec[1] if len(spec) > 1 else {}
    if not (isinstance(spec[0], list) or spec[0] in WIDGET_TYPES or "widgetType" in options) or options.get(
        "forceInput"
    ):
        return
    found[name] = values.pop(0) if values else default_of(name, spec, kind)
    if values and (options.get("control_after_generate") or (spec[0] == "INT" and name in SEEDS)):
        values.pop(0)
    if spec[0] == "COMFY_DYNAMICCOMBO_V3":
        chosen = next(option for option in options["options"] if option["key"] == found[name])
        for inner, inner_spec in inputs_of({"input": chosen["inputs"]}):
            take(f"{name}.{inner}", inner_spec, values, found, kind)


def default_of(name: str, spec: list, kind: str) -> object:
    """What a fresh widget holds: its default, or the first of its options."""
    options = spec[1] if len(spec) > 1 else {}
    choices = (
        spec[0]
        if isinstance(spec[0], list)
        else [option["key"] if isinstance(option, dict) else option for option in options.get("options", [])]
    )
    if "default" not in options and not choices:
        raise ValueError(f"workflow: expected a value for {kind}.{name}, got none")
    return options.get("default", choices[0] if choices else None)
