"""API prompts of the pack's nodes for the tests."""

from __future__ import annotations

import copy
import json

DOCUMENT = {
    "version": 1,
    "width": 128,
    "height": 128,
    "frames": 49,
    "fps": 16,
    "tracks": [
        {"points": [{"x": 30, "y": 60}, {"x": 90, "y": 60}], "brush": {"radius": 12, "spacing": 6}},
        {"kind": "pin", "points": [{"x": 100, "y": 100}]},
    ],
}


def streaming(
    weights: str,
    frames: int = 25,
    seed: int = 1,
    document: dict = DOCUMENT,
    fit: str = "ping-pong",
    **sampler,
) -> dict:
    """Picture → editor → motion → stream → video file and preview. Node ids: 1 loader, 2 picture, 3 editor, 4
    text, 5 motion, 6 sampler, 7 file, 8 preview.
    """
    sizes = {"width": ["3", 2], "height": ["3", 3]}
    model = {"model": ["1", 0], "vae": ["1", 2]}
    settings = {"frames": frames, "seed": seed, "steps": 3, "chunk": -1, "sink": -1, "window": -1, **sampler}
    editor = {
        "image": ["2", 0],
        "document": json.dumps(document),
        "width": 128,
        "height": 128,
        "frames": 49,
        "fps": 16.0,
    }
    return {
        "1": node("MotionStreamLoader", weights=weights),
        "2": node("LoadImage", image="picture.png"),
        "3": node("MotionStreamTrackEditor", **editor),
        "4": node("CLIPTextEncode", clip=["1", 1], text="red ball"),
        "5": node(
            "MotionStreamMotionEncoder",
            start_image=["3", 1],
            tracks=["3", 0],
            fit=fit,
            id_seed=0,
            **model,
            **sizes,
        ),
        "6": node("MotionStreamSampler", positive=["4", 0], motion=["5", 0], **model, **settings),
        "7": node("SaveVideo", video=["6", 2], filename_prefix="test", format="auto", codec="auto"),
        "8": node("MotionStreamPreview", images=["6", 0]),
    }


def node(kind: str, /, **inputs) -> dict:
    return {"class_type": kind, "inputs": inputs}


def changed(prompt: dict, **inputs_by_node: dict) -> dict:
    """A copy with inputs of some nodes replaced: changed(prompt, n5={"width": 100})."""
    prompt = copy.deepcopy(prompt)
    for name, inputs in inputs_by_node.items():
        prompt[name.removeprefix("n")]["inputs"].update(inputs)
    return prompt
