"""API prompts for tests: the shipped graph with a painted document, short and small, and a word for what went wrong."""

from __future__ import annotations

import json

from . import install
from .host import Host, Refused, ended_as, errors_of

BUILT_IN = "built-in (tiny, 128x128)"
EXAMPLE = "motionstream_example.png"
SIZE = 64
FRAMES = 13
SAMPLER = "6"


def track(*points: tuple[float, float], **more) -> dict:
    return {"points": [{"x": x, "y": y} for x, y in points], **more}


def document(*tracks: dict, size: int = SIZE, frames: int = FRAMES) -> dict:
    """A track document; without tracks given, one that crosses the middle."""
    drawn = list(tracks) or [track((16, 32), (44, 32), brush={"radius": 8, "spacing": 4})]
    return {"version": 1, "width": size, "height": size, "frames": frames, "fps": 16, "pin_border": False, "tracks": drawn}


def graph(painted: dict | str | None = None, **changes) -> dict:
    """LoadImage, loader, editor, text, encoder, sampler, preview, video. `changes` are inputs by node and name: sampler_seed=3."""
    painted = document() if painted is None else painted
    text = painted if isinstance(painted, str) else json.dumps(painted)
    size, frames = (painted["width"], painted["frames"]) if isinstance(painted, dict) else (SIZE, FRAMES)
    sampler = {"model": ["2", 0], "positive": ["4", 0], "vae": ["2", 2], "motion": ["5", 0], "frames": frames, "seed": 0, "steps": 3, "chunk": 0, "sink": 0, "window": 0}
    encoder = {"model": ["2", 0], "vae": ["2", 2], "start_image": ["3", 1], "tracks": ["3", 0], "width": ["3", 2], "height": ["3", 3], "fit": "error", "id_seed": 0}
    prompt = {
        "1": {"class_type": "LoadImage", "inputs": {"image": EXAMPLE}},
        "2": {"class_type": "MotionStreamLoader", "inputs": {"weights": BUILT_IN}},
        "3": {"class_type": "MotionStreamTrackEditor", "inputs": {"image": ["1", 0], "document": text, "width": size, "height": size, "frames": frames, "fps": 16.0}},
        "4": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["2", 1], "text": "yellow object moves right"}},
        "5": {"class_type": "MotionStreamMotionEncoder", "inputs": encoder},
        "6": {"class_type": "MotionStreamSampler", "inputs": sampler},
        "7": {"class_type": "MotionStreamPreview", "inputs": {"images": ["6", 0]}},
        "8": {"class_type": "SaveVideo", "inputs": {"video": ["6", 2], "filename_prefix": "video/test", "format": "auto", "codec": "auto"}},
    }
    names = {"image": "1", "loader": "2", "editor": "3", "text": "4", "encoder": "5", "sampler": SAMPLER}
    for change, value in changes.items():
        node, _, name = change.partition("_")
        prompt[names[node]]["inputs"][name] = value
    return prompt


def complaint(comfy: Host, prompt: dict) -> str:
    """Runs a prompt that must fail and returns what the person is told, from the validation or from the node."""
    try:
        entry = comfy.run(prompt)
    except Refused as refusal:
        found = [error for node in refusal.details["node_errors"].values() for error in node["errors"]]
        return "; ".join(f"{error['message']}: {error['details']}" for error in found)
    assert ended_as(entry) == "error", f"expected a run that fails, got {ended_as(entry)}"
    return "; ".join(error["exception_message"] for error in errors_of(entry))


def figures(entry: dict) -> dict:
    """The sampler's own account of its run."""
    return next(output["motionstream_run"][0] for output in entry["outputs"].values() if "motionstream_run" in output)


def saved_video(entry: dict) -> dict:
    """The one file that SaveVideo wrote."""
    found = [item for output in entry["outputs"].values() for item in output.get("images", []) if item["filename"].endswith(".mp4")]
    if len(found) != 1:
        raise RuntimeError(f"outputs: expected one mp4, got {found}")
    return found[0]


def shipped(name: str):
    """The path of a workflow of the pack."""
    return install.ROOT / "workflows" / f"{name}.json"
