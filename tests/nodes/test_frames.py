"""The live preview's wire format, queue and credits, without a host."""

import io
import json

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def frames(pack):
    return pack("nodes._frames")


@pytest.fixture
def make(frames):
    return lambda index: make_frame(frames, index)


def make_frame(frames, index: int):
    pixels = np.zeros((16, 32, 3), np.uint8)
    pixels[:, 16:] = (200, 40, 40)
    return frames.Frame(index, index // 12, 17.25, 321.0, pixels)


def unpacked(message: bytes) -> tuple[dict, bytes]:
    """What the browser makes of a message."""
    length = int.from_bytes(message[:4], "little")
    return json.loads(message[4 : 4 + length]), message[4 + length :]


def test_a_message_carries_its_header_and_a_jpeg_of_the_frame(frames, make):
    header, jpeg = unpacked(make(13).message(queued=4))
    picture = np.asarray(Image.open(io.BytesIO(jpeg)))
    assert (header["frame"], header["chunk"], header["fps"], header["latency_ms"], header["queued"]) == (
        13,
        1,
        17.25,
        321.0,
        4,
    )
    assert header["t_made"] > 1e12
    assert picture.shape == (16, 32, 3)
    assert abs(picture[8, 28].astype(int) - (200, 40, 40)).max() < 12


def test_the_header_length_is_four_little_endian_bytes(frames):
    message = frames.pack({"frame": 1}, b"JPEG")
    length = int.from_bytes(message[:4], "little")
    assert json.loads(message[4 : 4 + length]) == {"frame": 1}
    assert message[4 + length :] == b"JPEG"


def test_a_viewer_gets_as_many_frames_as_it_has_credits(frames, make):
    viewer = frames.Viewer(lambda: None)
    for index in range(5):
        viewer.offer(make(index))
    assert [viewer.take_frame()[0].index for _ in range(frames.CREDITS)] == [0, 1]
    assert viewer.take_frame() is None
    viewer.acknowledge(0)
    frame, queued = viewer.take_frame()
    assert (frame.index, queued) == (2, 2)
    assert viewer.take_frame() is None


def test_acknowledging_what_was_never_sent_or_twice_gives_no_extra_credit(frames, make):
    viewer = frames.Viewer(lambda: None)
    for index in range(10):
        viewer.offer(make(index))
    for index in (99, -1, 5):
        viewer.acknowledge(index)
    viewer.take_frame()
    for _ in range(10):
        viewer.acknowledge(0)
    assert [viewer.take_frame() is not None for _ in range(3)] == [True, True, False]


def test_a_viewer_that_never_answers_holds_a_bounded_queue_of_the_newest_frames(frames, make):
    viewer = frames.Viewer(lambda: None)
    for index in range(500):
        viewer.offer(make(index))
    frame, queued = viewer.take_frame()
    assert (frame.index, queued) == (500 - frames.QUEUE, frames.QUEUE - 1)


def test_a_frame_is_encoded_once_for_all_viewers(make):
    frame = make(0)
    assert frame.jpeg() is frame.jpeg()


def test_every_offer_state_and_end_wakes_the_sender(frames, make):
    calls = []
    viewer = frames.Viewer(lambda: calls.append(1))
    viewer.offer(make(0))
    viewer.tell({"type": "state"})
    viewer.end()
    assert len(calls) == 3
    assert not viewer.drained
    assert viewer.take_states() == [{"type": "state"}]
    viewer.take_frame()
    assert viewer.drained
