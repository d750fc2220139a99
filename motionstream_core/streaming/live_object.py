"""A thing selected in a running stream: cut out of the picture, and a handle from then on.

Owns the way from a control to its mask, and from masks to what people are told of them.
"""

from __future__ import annotations

from typing import Any

import torch

from ..live.controls import AddTracks
from ..live.live_tracks import LiveTracks
from ..tracks.cut_out import cut_out
from ..tracks.masks import object_message
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


class ToldObjects:
    """The objects of a stream as people are told of them, made anew when they change.

    Each is an `object_message`, and `at`: where in the same picture its handle is.
    """

    def __init__(self):
        self._known: tuple[tuple[int, int], ...] = ()
        self._told: list[dict[str, Any]] = []

    def of(self, tracks: LiveTracks) -> list[dict[str, Any]]:
        """The same list as before where nothing has changed."""
        objects = tracks.objects()
        known = tuple((handle, id(mask)) for handle, (mask, _) in objects.items())
        if known != self._known:
            self._known = known
            self._told = [
                {**object_message(handle, mask.cpu().numpy()), "at": at}
                for handle, (mask, at) in objects.items()
            ]
        return self._told
