"""What a small document may ask for: bounded before it is done, and never more than it needs."""

import json
import time

import numpy as np
import pytest

from motionstream_core.tracks.document.parse import document_to_tracks, parse_document


def document(frames: int, tracks: list) -> str:
    return json.dumps(
        {"version": 1, "width": 832, "height": 480, "frames": frames, "fps": 16, "tracks": tracks}
    )


def pin(number: int, **more) -> dict:
    return {"kind": "pin", "points": [{"x": number % 800, "y": number % 480}], **more}


def camera(number: int) -> dict:
    grid = {"width": 1, "height": 1, "columns": 1, "rows": 1}
    points = [{"x": 400 + number % 7, "y": 200}, {"x": 401, "y": 200 + number % 5}]
    return {"kind": "camera", "carries": True, "points": points, "turn": 0.3, "scale": 1.001, "grid": grid}


def seconds(text: str) -> float:
    began = time.process_time()
    try:
        document_to_tracks(parse_document(text))
    except ValueError as error:
        assert "expected" in str(error)
    return time.process_time() - began


def test_many_cameras_over_many_tracks_cost_their_sum_and_not_their_product():
    few = seconds(document(81, [pin(n) for n in range(100)] + [camera(n) for n in range(100)]))
    many = seconds(document(81, [pin(n) for n in range(800)] + [camera(n) for n in range(800)]))
    assert many < 24 * few + 0.2


def test_cameras_one_after_the_other_are_as_if_each_was_asked():
    cameras = [camera(n) for n in range(5)]
    made = document_to_tracks(parse_document(document(9, [pin(100), *cameras]))).xy[:, 0].numpy()
    place = np.array([100.0, 100.0])
    for frame in range(9):
        moved, share = place, frame / 8
        for one in cameras:
            first, last = ([point["x"], point["y"]] for point in one["points"])
            angle, scale = np.radians(one["turn"] * share), one["scale"] ** share
            turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
            moved = np.array(first) * (1 - share) + np.array(last) * share + turn @ (moved - np.array(first))
        assert made[frame] == pytest.approx(moved, abs=1e-3)


BOMBS = {
    "a length of millions": document(50_000_000, [pin(0)]),
    "points times frames": document(
        100_000, [{**pin(0), "kind": "grid", "grid": {"width": 9, "height": 9, "columns": 99, "rows": 99}}]
    ),
    "fine regions": document(
        49,
        [
            {
                "kind": "region",
                "points": [{"x": 1, "y": 1}],
                "region": {
                    "radius": 0.02,
                    "spacing": 4,
                    "lines": [[{"x": n % 700, "y": n * 7 % 400} for n in range(900)]],
                },
            }
        ]
        * 40,
    ),
    "fine brushes": document(49, [pin(0, brush={"radius": 60, "spacing": 1})] * 5000),
    "curves": document(
        49,
        [
            {
                "kind": "path",
                "interpolation": "spline",
                "points": [{"x": n % 700, "y": n * 7 % 400} for n in range(4000)],
            }
        ]
        * 9,
    ),
    "ranges": document(100_000, [pin(0, shown=[[n, 99_000] for n in range(256)])] * 40),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_small_document_cannot_ask_for_much_work(name):
    assert len(BOMBS[name]) < 2**20
    assert seconds(BOMBS[name]) < 2
