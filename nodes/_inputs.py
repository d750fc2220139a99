"""Inputs that several nodes have alike."""

from __future__ import annotations

from comfy_api.latest import io

WIDTH = "Width of the video to be made."


def size_inputs(width: str = WIDTH) -> list[io.Int.Input]:
    """Width and height of the video to be made, px. `width` is the first one's tooltip."""
    sizes = {"width": width, "height": "Height of the video to be made."}
    return [
        io.Int.Input(name, default=128, min=16, max=4096, step=16, tooltip=words)
        for name, words in sizes.items()
    ]
