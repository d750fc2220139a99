"""Pictures of a camera on their way into a stream: which are taken, when it waits, and what is refused."""

import io
import threading
import time

import numpy as np
import pytest
from PIL import Image

from motionstream_core.live.picture_feed import (
    MOST_SIDE,
    PICTURE_BYTES,
    RATE,
    WAITING,
    NoPictures,
    PictureFeed,
)


def encoded(shade: int, size=(32, 24), kind: str = "JPEG") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, (shade, shade, shade)).save(file, kind, quality=95)
    return file.getvalue()


def shades(found) -> list[int]:
    return [round(float(picture.mean())) for picture, _ in found]


def take(pictures, count: int) -> list:
    return [next(pictures) for _ in range(count)]


def fed(count: int, fps: float, feed: PictureFeed | None = None, first: int = 0) -> PictureFeed:
    """Pictures first, first + 1, … whose shade is their number."""
    feed = feed or PictureFeed()
    for number in range(first, first + count):
        feed.put(encoded(number), number / fps)
    return feed


def test_a_stream_in_real_time_takes_every_picture_of_a_camera_of_its_rate():
    feed = fed(1, 16)
    pictures = feed.pictures(16)
    assert shades(take(pictures, 1)) == [0]
    fed(6, 16, feed, first=1)
    found = take(pictures, 6)
    assert shades(found) == [1, 2, 3, 4, 5, 6]
    assert [moment for _, moment in found] == pytest.approx([number / 16 for number in range(1, 7)])
    assert feed.figures.held == 0 and feed.figures.used == 7


def test_a_stream_that_is_slower_than_its_camera_keeps_up_with_it():
    feed = fed(1, 60)
    pictures = feed.pictures(16)
    take(pictures, 1)
    fed(90, 60, feed, first=1)  # one and a half seconds: the time in which eight a second make twelve
    found = shades(take(pictures, 12))
    assert found == sorted(found) and found[0] > 1000 / 16 / 1000 * 60
    assert found[-1] > 0.75 * 90  # within a quarter of the backlog at the end of the chunk
    assert feed.figures.held == 0


def test_a_camera_that_is_gone_leaves_its_last_picture_and_costs_no_more_than_one_wait():
    feed = fed(1, 16)
    pictures = feed.pictures(16)
    take(pictures, 1)
    began = time.monotonic()
    assert shades(take(pictures, 12)) == [0] * 12
    assert time.monotonic() - began < 1.0
    assert feed.figures.lost and feed.figures.held == 12
    fed(1, 16, feed, first=200)
    assert shades(take(pictures, 1)) == [200]
    assert not feed.figures.lost


def test_a_late_picture_is_waited_for():
    feed = fed(1, 16)
    pictures = feed.pictures(16)
    take(pictures, 1)
    threading.Timer(0.1, lambda: fed(1, 16, feed, first=1)).start()
    assert shades(take(pictures, 1)) == [1]
    assert feed.figures.held == 0


def test_the_first_picture_is_waited_for_and_a_refused_permission_is_said():
    feed = PictureFeed()
    threading.Timer(0.1, lambda: feed.fail("the camera may not be used")).start()
    with pytest.raises(NoPictures, match="may not be used"):
        next(feed.pictures(16))
    with pytest.raises(NoPictures, match="within 0 s"):
        next(PictureFeed().pictures(16, patience=0.05))


def test_waiting_ends_where_the_run_is_cancelled():
    class Cancelled(Exception):
        pass

    def check():
        raise Cancelled

    with pytest.raises(Cancelled):
        next(PictureFeed().pictures(16, check))


def test_a_feed_that_is_closed_ends_the_pictures():
    feed = fed(2, 16)
    pictures = feed.pictures(16)
    next(pictures)
    feed.close()
    assert list(pictures) == [] or len(list(pictures)) == 0


def test_a_picture_of_another_size_is_brought_to_the_first_ones():
    feed = fed(1, 16)
    pictures = feed.pictures(16)
    take(pictures, 1)
    feed.put(encoded(9, size=(64, 64), kind="WEBP"), 1 / 16)
    ((picture, _),) = take(pictures, 1)
    assert picture.shape == (24, 32, 3)


def test_more_pictures_than_wait_push_the_oldest_out():
    feed = PictureFeed()
    fed(WAITING + 10, 60, feed)
    assert len(feed._waiting) == WAITING


def test_a_flood_is_dropped_and_counted():
    feed = fed(RATE, 1000)
    assert feed.put(encoded(1), 900.0) is False
    assert feed.figures.refused == 1 and feed.figures.received == RATE


@pytest.mark.parametrize(
    "data, said",
    [
        (b"", "nothing"),
        (b"GIF89a" + bytes(40), "47494638"),
        (b"\xff\xd8" + bytes(40), "broken"),
        (b"RIFF0000WEBP" + bytes(40), "broken"),
        (b"\xff\xd8" + bytes(PICTURE_BYTES), "bytes"),
        (encoded(1, size=(MOST_SIDE + 1, 20)), "sides"),
        (encoded(1, size=(8, 8)), "sides"),
        (encoded(1, kind="PNG"), "89504e47"),
    ],
)
def test_what_is_no_picture_of_a_camera_is_refused(data, said):
    with pytest.raises(ValueError, match=said):
        PictureFeed().put(data, 1.0)


@pytest.mark.parametrize("moment", [None, "1", float("nan"), float("inf"), True, [1]])
def test_a_moment_that_is_none_is_refused(moment):
    with pytest.raises(ValueError, match="moment"):
        PictureFeed().put(encoded(1), moment)


def test_a_moment_that_is_not_later_is_refused():
    feed = fed(1, 16)
    with pytest.raises(ValueError, match="after"):
        feed.put(encoded(1), 0.0)


def test_a_picture_whose_rest_is_missing_shows_the_last_one_again():
    feed = fed(1, 16)
    pictures = feed.pictures(16)
    take(pictures, 1)
    whole = encoded(200, size=(320, 240))
    feed.put(whole[: len(whole) // 2], 1 / 16)
    ((picture, _),) = take(pictures, 1)
    assert picture.shape == (24, 32, 3) and np.all(picture == 0)
