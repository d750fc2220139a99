"""The watch link of a run, in a real ComfyUI: the page, MJPEG by a plain client, and the end of both."""

from __future__ import annotations

import io
import re
import urllib.request

import numpy as np
import pytest
from harness.host import Refused
from host.test_steering import Performer, steering
from PIL import Image


def next_picture(answer) -> np.ndarray:
    """The next part of an MJPEG stream, as a plain client reads it."""
    head = b""
    while not head.endswith(b"\r\n\r\n") or b"Content-Length" not in head:
        piece = answer.read(1)
        assert piece, "expected another picture, got the end of the stream"
        head += piece
    length = int(re.search(rb"Content-Length: (\d+)", head)[1])
    return np.asarray(Image.open(io.BytesIO(answer.read(length))))


def test_a_plain_client_watches_a_run_by_its_link_until_the_run_ends(host, weights):
    live = Performer(host, steering(weights, frames=0, seed=57, live=True))
    made = host.post("/motionstream/watch", {"token": live.run["token"], "link": True})
    link = made["watch"]
    assert link and link != live.run["token"]
    assert f"watch/stream?watch={link}" in host.get(f"/motionstream/watch?watch={link}").decode()
    with urllib.request.urlopen(f"{host.url}/motionstream/watch/stream?watch={link}", timeout=60) as answer:
        pictures = [next_picture(answer) for _ in range(30)]
        live.post("camera", pan=[60, 0])
        live.post("stop")
        live.done()
        while answer.read(65536):
            pass
    assert {picture.shape for picture in pictures} == {(live.run["height"], live.run["width"], 3)}
    assert len({picture.tobytes() for picture in pictures}) > 20
    for path in (f"/motionstream/watch?watch={link}", f"/motionstream/watch/stream?watch={link}"):
        with pytest.raises(Refused) as refusal:
            host.get(path)
        assert refusal.value.status == 404


def test_a_link_that_is_ended_shows_nothing_more_and_the_run_goes_on(host, weights):
    live = Performer(host, steering(weights, frames=0, seed=58, live=True))
    token = live.run["token"]
    link = host.post("/motionstream/watch", {"token": token, "link": True})["watch"]
    with urllib.request.urlopen(f"{host.url}/motionstream/watch/stream?watch={link}", timeout=60) as answer:
        next_picture(answer)
        assert host.post("/motionstream/watch", {"token": token, "link": False})["watch"] is None
        while answer.read(65536):
            pass
    chunk = live.post("resume")
    live.until_chunk(chunk + 2)
    live.post("stop")
    live.done()
