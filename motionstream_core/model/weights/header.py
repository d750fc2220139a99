"""What a weights file's header may say: types and ranges, checked before anything is built of it.

Owns the limits. They are far beyond any network there is, and small enough that building one without memory
for its weights takes no time. Knows nothing of what the numbers are for.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ...common.checked import excerpt, number, whole_number
from ..cache import CacheShape

# Whole numbers of a network, from least to most.
SIZES = {
    "dim": (2, 2**16),
    "ffn_dim": (1, 2**18),
    "num_heads": (1, 2**10),
    "num_layers": (1, 2**9),
    "in_channels": (1, 2**14),
    "out_channels": (1, 2**14),
    "text_dim": (1, 2**16),
    "text_len": (1, 2**13),
    "freq_dim": (2, 2**14),
    "latent_channels": (1, 2**12),
    "place_features": (0, 2**10),
}
MOTION_SIZES = {
    "id_dim": (1, 2**12),
    "head_channels": (1, 2**12),
    "latent_channels": (1, 2**12),
    "mask_channels": (1, 2**8),
}
MOTION_FLAGS = ("image_latent", "warp", "unspecified_channel", "known", "grey")
BUFFER_SIZES = {
    "chunk_frames": (1, 2**10),
    "chunks": (1, 2**10),
    "micro_steps": (1, 2**10),
    "reference_frames": (0, 2**10),
}
MOST_CELLS = 64  # of a stride, a patch
MOST_WINDOW = 2**12
MOST_LEVELS = 1024
LONGEST_CONTEXT = CacheShape(2**10, 2**10, 2**12)
MOST_CHANNELS = 2**13  # of a layer of a codec
MOST_DIMENSIONS = 8


def check_network(values: Mapping[str, Any]):
    """Raises ValueError for fields of a network of another type, or beyond any there is."""
    _check_sizes("ModelConfig", values, SIZES)
    number(values["eps"], "ModelConfig: eps", 1e-12, 1.0)
    for name in ("vae_stride", "patch"):
        _triple(values[name], "ModelConfig", name, MOST_CELLS)
    for name in ("wrap", "bidirectional"):
        if not isinstance(values[name], bool):
            raise ValueError(f"ModelConfig: expected {name} to be true or false, got {excerpt(values[name])}")
    windows = values["windows"]
    if windows is not None:
        if not isinstance(windows, (list, tuple)) or len(windows) > MOST_LEVELS:
            raise ValueError(f"ModelConfig: expected windows to be a list of shapes, got {excerpt(windows)}")
        for window in windows:
            _triple(window, "ModelConfig", "windows", MOST_WINDOW)
    if values["image_dim"] is not None:
        _check_sizes("ModelConfig", values, {"image_dim": (1, 2**16)})
    number(values["fps"], "ModelConfig: fps", 0.1, 1000.0)


def check_motion(values: Mapping[str, Any]):
    """Raises ValueError for fields of the motion channels of another type, or beyond any there is."""
    _check_sizes("MotionConfig", values, MOTION_SIZES)
    for name in MOTION_FLAGS:
        if not isinstance(values[name], bool):
            raise ValueError(
                f"MotionConfig: expected {name} to be true or false, got {excerpt(values[name])}"
            )
    points = values["points"]
    if points is not None:
        if not isinstance(points, (list, tuple)) or len(points) != 2:
            raise ValueError(f"points: expected the least and the most points, got {excerpt(points)}")
        for count in points:
            whole_number(count, "points", 0, 2**20)


def check_buffer(values: Mapping[str, Any]):
    """Raises ValueError for settings of a moving buffer of another type, or beyond any there is."""
    _check_sizes("BufferConfig", values, BUFFER_SIZES)
    for name in ("gamma", "guidance"):
        number(values[name], f"BufferConfig: {name}", 1e-3, 1e3)
    trained = values["trained"]
    if not isinstance(trained, (list, tuple)) or len(trained) > MOST_LEVELS:
        raise ValueError(f"BufferConfig: expected trained to be a list, got {excerpt(trained)}")
    for each in trained:
        counts = each if isinstance(each, (list, tuple)) and 2 <= len(each) <= 4 else ("none",)
        if not all(count is None or type(count) is int for count in counts):
            raise ValueError(
                f"BufferConfig: expected trained partitions of whole numbers, got {excerpt(each)}"
            )


def check_rolling(values: Mapping[str, Any]):
    """Raises ValueError for settings of a rolling sampler of another type, or beyond any there is."""
    whole_number(values["steps"], "ModelConfig: steps", 1, MOST_LEVELS)
    number(values["shift"], "ModelConfig: shift", 1e-6, 1e6)
    label = values["context"]
    shape = CacheShape.parse(label) if isinstance(label, str) and len(label) < 64 else None
    most = LONGEST_CONTEXT
    if shape is None or shape.chunk > most.chunk or shape.sink > most.sink or shape.window > most.window:
        raise ValueError(f"ModelConfig: expected a context such as 'c3s1w3', got {excerpt(label)}")


def check_levels(values: Any, what: str) -> tuple[float, ...] | None:
    """Noise levels or timesteps, as a tuple. None stays None."""
    if values is None:
        return None
    if not isinstance(values, (list, tuple)) or len(values) > MOST_LEVELS:
        raise ValueError(f"{what}: expected at most {MOST_LEVELS} numbers, got {excerpt(values)}")
    return tuple(number(value, what, -1e6, 1e6) for value in values)


def check_widths(values: Any, count: int, what: str) -> tuple[int, ...]:
    """So many channel counts, as a tuple."""
    if not isinstance(values, (list, tuple)) or len(values) != count:
        raise ValueError(f"{what}: expected {count} widths, got {excerpt(values)}")
    return tuple(whole_number(value, what, 1, MOST_CHANNELS) for value in values)


def check_entries(header: Mapping[str, Any]) -> int:
    """The header's tensors -> where the last one ends, bytes behind the header.

    Raises ValueError for an entry that is none: shape and offsets are whole numbers from 0, in order.
    """
    end = 0
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        about = entry if isinstance(entry, dict) else {}
        offsets, shape = about.get("data_offsets"), about.get("shape")
        span, sides = _whole_numbers(offsets), _whole_numbers(shape)
        if span is None or len(span) != 2 or span[0] > span[1]:
            raise ValueError(f"{excerpt(name)}: expected two data_offsets, got {excerpt(offsets)}")
        if sides is None or len(sides) > MOST_DIMENSIONS or math.prod(sides) > 2**50:
            raise ValueError(f"{excerpt(name)}: expected a shape, got {excerpt(shape)}")
        end = max(end, span[1])
    return end


def count_layers(names: Mapping[str, Any], prefix: str = "blocks") -> int:
    """How many numbered layers a state has under `prefix`."""
    return len({name.split(".")[1] for name in names if name.startswith(f"{prefix}.")})


def _whole_numbers(values: Any) -> list[int] | None:
    fits = isinstance(values, list) and all(type(value) is int and 0 <= value < 2**62 for value in values)
    return values if fits else None


def _check_sizes(what: str, values: Mapping[str, Any], limits: Mapping[str, tuple[int, int]]):
    for name, (least, most) in limits.items():
        value = values[name]
        if type(value) is not int or not least <= value <= most:
            raise ValueError(
                f"{what}: expected {name} to be a whole number from {least} to {most}, got {excerpt(value)}"
            )


def _triple(value: Any, what: str, name: str, most: int):
    if (
        not isinstance(value, (list, tuple))
        or len(value) != 3
        or not all(type(part) is int and 1 <= part <= most for part in value)
    ):
        raise ValueError(
            f"{what}: expected {name} to be three whole numbers from 1 to {most}, got {excerpt(value)}"
        )
