"""A node pack of somebody else, loaded beside ours by the host tests: its TRACKS are what other packs, and mistakes, put into that type."""

import torch


def line(x0, x1, frames=13):
    """One track from (x0, 30) to (x1, 30)."""
    x = torch.linspace(x0, x1, frames)
    return torch.stack([x, torch.full_like(x, 30.0)], -1)[:, None]


def broken(value):
    path = line(20.0, 40.0)
    path[3, 0, 1] = value
    return {"track_path": path, "track_visibility": torch.ones(13, 1, dtype=torch.bool)}


class Boxes:
    """What an object detector calls tracks."""


MADE = {
    "an object": Boxes,
    "a list": lambda: [[1, 2], [3, 4]],
    "no path": lambda: {"boxes": torch.zeros(3, 4)},
    "a path of the wrong shape": lambda: {"track_path": torch.zeros(13, 4)},
    "not a number": lambda: broken(float("nan")),
    "infinite": lambda: broken(float("inf")),
    "off the canvas": lambda: {"track_path": line(900.0, 950.0)},
    "no track": lambda: {"track_path": torch.zeros(13, 0, 2)},
    "no visibility": lambda: {"track_path": line(20.0, 40.0)},
    "one visibility for all": lambda: {"track_path": torch.cat([line(20.0, 40.0), line(30.0, 50.0)], 1), "track_visibility": torch.ones(13, 1, dtype=torch.bool)},
}


class ForeignTracks:
    RETURN_TYPES = ("TRACKS",)
    FUNCTION = "make"
    CATEGORY = "test"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"kind": (list(MADE),)}}

    def make(self, kind):
        return (MADE[kind](),)


NODE_CLASS_MAPPINGS = {"ForeignTracks": ForeignTracks}
