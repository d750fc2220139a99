"""What a network is shown of a clip's first frame: grey latents behind it, and CLIP vision's features.

Owns these two fields of a shard. ComfyUI is an optional dependency of this file, looked for when CLIP vision
is asked for.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...streaming.start_image import GREY

HOST = "comfy.clip_vision"
See = Callable[[Tensor], Tensor]  # a picture (H, W, 3) -> its features (1, tokens, width)


@torch.no_grad()
def shown_fields(encoder: Any, frames: Tensor, grey: bool, see: See | None) -> dict[str, np.ndarray]:
    """The fields of a clip's frames (T, 3, H, W) 0..1: "grey" (C, t, h, w), the latents of the first frame
    with grey behind it, and "picture" (tokens, width). Each is there where it is wanted.
    """
    fields = {}
    if grey:
        clip = torch.full_like(frames, GREY)
        clip[0] = frames[0]
        fields["grey"] = encoder.encode(clip[None])[0].half().cpu().numpy()
    if see is not None:
        fields["picture"] = see(frames[0].permute(1, 2, 0).cpu())[0].half().cpu().numpy()
    return fields


def host_sight(path: Path, width: int) -> See:
    """The host's CLIP vision of a file. ValueError without a host, or for a file of another kind or width."""
    if not path.is_file():
        raise ValueError(f"clip-vision: expected a file, got {path}, which is none")
    try:
        if not torch.cuda.is_available():
            importlib.import_module("comfy.cli_args").args.cpu = True
        vision = importlib.import_module(HOST).load(str(path))
    except ImportError as error:
        raise ValueError(
            f"clip-vision: expected a ComfyUI that can be imported, got none ({error}): see --comfyui"
        ) from None
    if vision is None:
        raise ValueError(f"{path.name}: expected CLIP vision as ComfyUI has it, got another file")

    def see(picture: Tensor) -> Tensor:
        features = vision.encode_image(picture[None], crop=True).penultimate_hidden_states
        if features.shape[-1] != width:
            raise ValueError(
                f"{path.name}: expected features of width {width} (clip_vision_h), got {features.shape[-1]}"
            )
        return features.float()

    return see
