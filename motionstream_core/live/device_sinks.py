"""Devices that take the pictures of a stream: a virtual camera, NDI. Each needs a package that the person has
installed, which is imported when the device is opened.

Owns what each package is told. Knows nothing of pace and threads: see `sinks.py`.
Shapes: pixels (H, W, 3) uint8.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from importlib.util import find_spec
from typing import Any

import numpy as np

from .sinks import FrameSink, Picture

NDI_NAME = "MotionStream"


class VirtualCamera:
    """A camera that other programs see, by pyvirtualcam: OBS's, or v4l2loopback on Linux."""

    def __init__(self):
        self._camera: Any = None

    def open(self, width: int, height: int, fps: float):
        import pyvirtualcam  # type: ignore[import-not-found]

        self._camera = pyvirtualcam.Camera(width, height, fps)

    def write(self, picture: Picture, at: float):
        self._camera.send(np.ascontiguousarray(picture.pixels))

    def close(self):
        camera, self._camera = self._camera, None
        if camera is not None:
            camera.close()


class NdiSender:
    """An NDI source of the network, by cyndilib."""

    def __init__(self):
        self._sender: Any = None
        self._pixels = np.zeros((0, 0, 4), np.uint8)

    def open(self, width: int, height: int, fps: float):
        from cyndilib.sender import Sender  # type: ignore[import-not-found]
        from cyndilib.video_frame import VideoSendFrame  # type: ignore[import-not-found]
        from cyndilib.wrapper import FourCC  # type: ignore[import-not-found]

        frame = VideoSendFrame()
        frame.set_resolution(width, height)
        frame.set_frame_rate(Fraction(fps).limit_denominator(1001))
        frame.set_fourcc(FourCC.RGBX)
        sender = Sender(NDI_NAME)
        sender.set_video_frame(frame)
        sender.open()
        self._sender = sender
        self._pixels = np.full((height, width, 4), 255, np.uint8)

    def write(self, picture: Picture, at: float):
        # NDI has no three bytes a pixel, so they are put into the one buffer of four.
        self._pixels[..., :3] = picture.pixels
        self._sender.write_video(self._pixels.reshape(-1))

    def close(self):
        sender, self._sender = self._sender, None
        if sender is not None:
            sender.close()


DEVICES: dict[str, tuple[str, Callable[[], FrameSink]]] = {
    "virtual camera": ("pyvirtualcam", VirtualCamera),
    "NDI": ("cyndilib", NdiSender),
}


def installed_devices() -> list[str]:
    """The devices whose package is there. Whether the system has such a device is known once it is opened."""
    return [name for name, (package, _) in DEVICES.items() if find_spec(package)]


def open_device(name: str) -> FrameSink:
    """A sink that is not opened yet. ValueError for a name that is none, or whose package is missing."""
    if name not in DEVICES:
        raise ValueError(f"device: expected one of {', '.join(DEVICES)}, got {name[:40]!r}")
    package, make = DEVICES[name]
    if not find_spec(package):
        raise ValueError(f"device: expected the package {package} for {name}, got a Python without it")
    return make()
