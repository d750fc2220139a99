"""What makes frames of a held-out clip: the model, and baselines that need no network.

Owns the baselines: `static`, the copied first frame. `warp`, the first frame's pixels moved along the same
tracks. `carried`, the picture that the small preset is given. All go through the codec, or with
`encoded=False` stay as they are. `told`: the true frames with what frame 0 does not show painted in.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import torch

from ..model.weights.networks import Networks
from ..streaming.stream import StreamOptions, stream
from ..streaming.warped_image import ImageCarry
from ..tracks.types import TrackChunk, Tracks
from ..tracks.warp.backward import warp_frames
from .heldout import HeldOut, disoccluded_mask

GROWN = 2  # px that a silhouette is grown by before what stood there is painted over
Generate = Callable[[HeldOut, np.ndarray], np.ndarray]


def tracks_of(item: HeldOut, chosen: np.ndarray) -> Tracks:
    size = item.scene.size
    return Tracks(
        torch.from_numpy(item.clip.xy[:, chosen]),
        torch.from_numpy(item.clip.visible[:, chosen]),
        size,
        size,
        16.0,
    )


def generate(networks: Networks, steps: int | None, seed: int = 0) -> Generate:
    """The model under test: held-out clip and track indices -> frames (T, H, W, 3)."""

    def run(item: HeldOut, chosen: np.ndarray) -> np.ndarray:
        chunks = stream(
            networks,
            torch.from_numpy(item.frames[0]),
            tracks_of(item, chosen),
            item.clip.caption,
            StreamOptions(len(item.clip.frames), seed, steps, fit="hold"),
        )
        return np.concatenate([c.frames.numpy() for c in chunks])

    return run


@torch.no_grad()
def through_codec(networks: Networks, frames: np.ndarray) -> np.ndarray:
    """(T, H, W, 3), T = 1 + 4k -> what the codec makes of it."""
    x = torch.from_numpy(frames).permute(0, 3, 1, 2)[None]
    return networks.codec.decode(networks.codec.encode(x))[0].permute(0, 2, 3, 1).numpy()


def static_baseline(networks: Networks) -> Generate:
    return lambda item, chosen: through_codec(networks, np.repeat(item.frames[:1], len(item.frames), 0))


def truth_baseline(networks: Networks) -> Generate:
    """The true clip through the codec."""
    return lambda item, chosen: through_codec(networks, item.frames)


def warp_baseline(networks: Networks, encoded: bool = True) -> Generate:
    """The first frame's pixels moved along the tracks, through the codec or as they are."""

    def run(item: HeldOut, chosen: np.ndarray) -> np.ndarray:
        tracks = tracks_of(item, chosen)
        image = torch.from_numpy(item.frames[0]).permute(2, 0, 1)
        frames = warp_frames(image, tracks.xy[0], tracks.xy, tracks.visible).frames
        frames = frames.permute(0, 2, 3, 1).numpy()
        return through_codec(networks, frames) if encoded else frames

    return run


def carried_baseline(networks: Networks, encoded: bool = True, kind: str | None = None) -> Generate:
    """What the small preset is given: pixels carried forward and disoccluded places filled smoothly, without
    the network. Through the codec or as they are.
    """

    def run(item: HeldOut, chosen: np.ndarray) -> np.ndarray:
        tracks = tracks_of(item, chosen)
        image = torch.from_numpy(item.frames[0]).permute(2, 0, 1)
        moved = ImageCarry(kind or networks.carry, image)
        made = moved.at(TrackChunk(tracks.xy, tracks.visible, tracks.visible, tracks.xy[0]))
        frames = made.frames.permute(0, 2, 3, 1).numpy()
        return through_codec(networks, frames) if encoded else frames

    return run


def told_baseline() -> Generate:
    """The true frames, but what frame 0 does not show comes from frame 0 painted over once (Navier-Stokes).

    Under the true silhouettes, so it is the bound of smooth filling behind objects. What lies off frame 0
    is painted in from the true frame around it.
    """

    def run(item: HeldOut, chosen: np.ndarray) -> np.ndarray:
        frames = (item.frames * 255).round().astype(np.uint8)
        grown = np.ones((2 * GROWN + 1,) * 2, np.uint8)
        silhouette = cv2.dilate(item.clip.sprite_mask[0].astype(np.uint8), grown)
        plate = cv2.inpaint(frames[0], silhouette, 5, cv2.INPAINT_NS)
        out = []
        for frame, mask in zip(frames, disoccluded_mask(item.scene, item.clip)):
            if item.clip.kind == "object":
                out.append(np.where(mask[..., None], plate, frame))
            else:
                out.append(cv2.inpaint(frame, mask.astype(np.uint8), 5, cv2.INPAINT_NS))
        return np.stack(out).astype(np.float32) / 255

    return run
