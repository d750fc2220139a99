"""Where the frames of a run go: at what pace, to whom, and what is left behind."""

import threading
import time
from dataclasses import dataclass, field

import numpy as np
import pytest

from motionstream_core.live.sinks import SINKS, Outlet, SinkThread

FPS = 100.0


@dataclass
class Shown:
    number: int
    fps: float = FPS
    epoch: int = 0
    pixels: np.ndarray = field(default_factory=lambda: np.zeros((8, 8, 3), np.uint8))

    def jpeg(self) -> bytes:
        return b"jpeg"


class Kept:
    """A sink that remembers. `hold` makes its `write` wait."""

    def __init__(self, hold: threading.Event | None = None, fails: bool = False):
        self.hold, self.fails = hold, fails
        self.size, self.numbers, self.times, self.closes = None, [], [], 0

    def open(self, width, height, fps):
        self.size = (width, height, fps)

    def write(self, picture, at):
        if self.fails:
            raise RuntimeError("no such device")
        if self.hold is not None:
            self.hold.wait(10)
        self.numbers.append(picture.number)
        self.times.append(at)

    def close(self):
        self.closes += 1


def own_threads() -> list[str]:
    return [each.name for each in threading.enumerate() if each.name.startswith("motionstream-")]


def settled(condition, seconds: float = 5.0) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()


def test_a_burst_is_shown_at_the_pace_of_the_video_and_in_order():
    outlet, sink = Outlet(8, 8, 50.0), Kept()
    outlet.add(sink)
    for number in range(12):
        outlet.offer(Shown(number, 50.0))
    assert settled(lambda: len(sink.numbers) == 12)
    assert sink.size == (8, 8, 50.0) and sink.numbers == list(range(12))
    assert 0.15 < sink.times[-1] - sink.times[0] < 0.6
    outlet.end()
    assert settled(lambda: sink.closes == 1)


def test_frames_that_are_made_slowly_are_spread_over_the_time_they_take():
    outlet, sink = Outlet(8, 8, FPS), Kept()
    outlet.add(sink)
    for number in range(5):
        outlet.offer(Shown(number, fps=20.0))
    assert settled(lambda: len(sink.numbers) == 5)
    assert sink.times[-1] - sink.times[0] > 0.15
    outlet.end()


def test_frames_of_an_older_epoch_that_wait_are_not_shown():
    outlet, sink = Outlet(8, 8, 20.0), Kept()
    outlet.add(sink)
    for number in range(6):
        outlet.offer(Shown(number))
    outlet.offer(Shown(99, epoch=1))
    assert settled(lambda: 99 in sink.numbers)
    assert len(sink.numbers) < 4
    outlet.end()


def test_a_sink_that_comes_later_begins_with_the_newest_frame():
    outlet, sink = Outlet(8, 8, FPS), Kept()
    for number in range(3):
        outlet.offer(Shown(number))
    outlet.add(sink)
    assert sink.numbers == [2]
    outlet.end()
    with pytest.raises(ValueError, match="ended"):
        outlet.add(Kept())


def test_a_blocked_device_holds_up_neither_the_run_nor_another_sink():
    hold = threading.Event()
    slow, quick = SinkThread(Kept(hold)), Kept()
    outlet = Outlet(8, 8, FPS)
    outlet.add(slow)
    outlet.add(quick)
    began = time.monotonic()
    for number in range(20):
        outlet.offer(Shown(number))
    assert time.monotonic() - began < 0.1
    assert settled(lambda: len(quick.numbers) == 20)
    assert slow.device.numbers == [] and slow.dropped > 10
    hold.set()
    assert settled(lambda: slow.device.numbers == [0, 19])
    outlet.end()
    assert settled(lambda: slow.device.closes == quick.closes == 1) and settled(lambda: not own_threads())


def test_a_device_that_fails_is_closed_and_said_and_the_others_go_on():
    said = []
    broken, other = SinkThread(Kept(fails=True), said.append), Kept()
    outlet = Outlet(8, 8, FPS)
    outlet.add(broken)
    outlet.add(other)
    for number in range(4):
        outlet.offer(Shown(number))
    assert settled(lambda: len(other.numbers) == 4)
    assert len(said) == 1 and "no such device" in str(said[0]) and broken.device.closes == 1
    outlet.end()


def test_there_is_room_for_so_many_sinks_and_no_more():
    outlet = Outlet(8, 8, FPS)
    sinks = [Kept() for _ in range(SINKS)]
    for sink in sinks:
        outlet.add(sink)
    more = Kept()
    with pytest.raises(ValueError, match=str(SINKS)):
        outlet.add(more)
    assert more.size is None
    outlet.remove(sinks[0])
    outlet.add(more)
    assert sinks[0].closes == 1 and outlet.count == SINKS
    outlet.end()


@pytest.mark.parametrize("ending", ["rest", "at once", "removed"])
def test_no_thread_and_no_open_sink_is_left_of_two_hundred_runs(ending):
    for _ in range(200):
        outlet, sink = Outlet(8, 8, 1000.0), Kept()
        device = SinkThread(Kept())
        outlet.add(sink)
        outlet.add(device)
        outlet.offer(Shown(1))
        if ending == "removed":
            outlet.remove(sink)
            outlet.remove(device)
        else:
            outlet.end(show_rest=ending == "rest")
        outlet.join(5)
        device.join(5)
        assert sink.closes == device.device.closes == 1
    assert settled(lambda: not own_threads())
