"""What devices are told, with stand-ins for their packages."""

import sys
import types
from dataclasses import dataclass

import numpy as np
import pytest

from motionstream_core.live import device_sinks
from motionstream_core.live.device_sinks import NdiSender, VirtualCamera, installed_devices, open_device


@dataclass
class Shown:
    pixels: np.ndarray
    fps: float = 16.0
    epoch: int = 0

    def jpeg(self) -> bytes:
        return b""


class Package:
    """A stand-in for both packages that notes what it is told."""

    def __init__(self):
        self.said = []

    def camera(self, width, height, fps):
        self.said.append(("open", width, height, fps))
        return types.SimpleNamespace(
            send=lambda frame: self.said.append(("send", frame.copy())),
            close=lambda: self.said.append(("close",)),
        )

    def sender(self, name):
        return types.SimpleNamespace(
            set_video_frame=lambda frame: None,
            open=lambda: self.said.append(("open", name)),
            write_video=lambda data: self.said.append(("send", data.copy())),
            close=lambda: self.said.append(("close",)),
        )

    def frame(self):
        return types.SimpleNamespace(
            set_resolution=lambda width, height: self.said.append(("size", width, height)),
            set_frame_rate=lambda rate: self.said.append(("rate", rate)),
            set_fourcc=lambda fourcc: self.said.append(("fourcc", fourcc)),
        )


@pytest.fixture
def package(monkeypatch):
    found = Package()
    modules = {
        "pyvirtualcam": {"Camera": found.camera},
        "cyndilib": {},
        "cyndilib.sender": {"Sender": found.sender},
        "cyndilib.video_frame": {"VideoSendFrame": found.frame},
        "cyndilib.wrapper": {"FourCC": types.SimpleNamespace(RGBX="RGBX")},
    }
    for name, content in modules.items():
        module = types.ModuleType(name)
        module.__dict__.update(content)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(device_sinks, "find_spec", lambda name: name in modules)
    return found


def picture() -> Shown:
    return Shown(np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3))


def test_a_virtual_camera_gets_the_pixels_as_they_are(package):
    camera = VirtualCamera()
    camera.open(6, 4, 16.0)
    camera.write(picture(), 0.0)
    camera.close()
    camera.close()
    assert [each[0] for each in package.said] == ["open", "send", "close"]
    assert package.said[0][1:] == (6, 4, 16.0)
    assert np.array_equal(package.said[1][1], picture().pixels)


def test_ndi_gets_four_bytes_a_pixel_and_a_rate_in_whole_numbers(package):
    ndi = NdiSender()
    ndi.open(6, 4, 29.97)
    ndi.write(picture(), 0.0)
    ndi.close()
    ndi.close()
    told = {each[0]: each[1:] for each in package.said}
    assert told["size"] == (6, 4) and told["fourcc"] == ("RGBX",)
    assert float(told["rate"][0]) == pytest.approx(29.97, abs=1e-3)
    sent = told["send"][0].reshape(4, 6, 4)
    assert np.array_equal(sent[..., :3], picture().pixels) and (sent[..., 3] == 255).all()
    assert [each[0] for each in package.said].count("close") == 1


def test_devices_are_those_whose_package_is_there(package, monkeypatch):
    assert installed_devices() == ["virtual camera", "NDI"]
    monkeypatch.setattr(device_sinks, "find_spec", lambda name: None)
    assert installed_devices() == []
    with pytest.raises(ValueError, match="pyvirtualcam"):
        open_device("virtual camera")
    with pytest.raises(ValueError, match="expected one of"):
        open_device("a wall")
