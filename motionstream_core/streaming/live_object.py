"""A thing selected in a running stream: cut out of the picture, and a handle from then on.

Owns the way from a control to its mask.
"""

from __future__ import annotations

import torch

from ..live.controls import AddTracks
from ..live.live_tracks import LiveTracks
from ..tracks.cut_out import cut_out
from .motion_source import MotionSource


def select_object(control: AddTracks, motion: MotionSource, tracks: LiveTracks) -> bool:
    """The thing at a place of the newest frame, or between two corners, becomes a handle of its own.

    False where nothing stands out.
    """
    places = torch.tensor(control.points, dtype=torch.float64)
    there = motion.to_reference(places).double().cpu()
    picture = motion.picture().permute(1, 2, 0).cpu()
    pixels = (picture.clamp(0, 1) * 255).round().byte().numpy()
    try:
        if len(there) == 1:
            x, y = there[0].tolist()
            mask = cut_out(pixels, at=(x, y))
        else:
            left, top, right, bottom = [*there.amin(0).tolist(), *there.amax(0).tolist()]
            mask = cut_out(pixels, box=(left, top, right, bottom))
    except ValueError:
        return False  # what is there has come from beyond the picture
    return tracks.add_object(torch.from_numpy(mask), (places - there).mean(0))
