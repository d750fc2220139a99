"""What is parsed into a control, and that what was accepted can be done."""

import json
import random

import pytest
import torch

from motionstream_core.common import checked
from motionstream_core.live import controls
from motionstream_core.live.controls import CONTROLS, MAX_POINTS, MOTION_CONTROLS, parse_control
from motionstream_core.live.live_tracks import LiveTracks
from motionstream_core.live.session import LiveSession

DIGITS = int("9" * 310)

TYPED = [
    ({"type": "pause"}, controls.Pause()),
    ({"type": "rewind", "chunk": 3}, controls.Rewind(3)),
    ({"type": "scene"}, controls.ChangeScene()),
    ({"type": "prompt", "text": "night"}, controls.SetPrompt("night")),
    ({"type": "strength", "value": 0.5}, controls.SetStrength(0.5)),
    ({"type": "camera", "pan": [1, 2], "roll": 3}, controls.SetCamera((1.0, 2.0), 0.0, 3.0, 0.0)),
    ({"type": "grab", "hand": 1, "handle": 4}, controls.Grab(1, controls.Handle(4))),
    ({"type": "grab", "hand": 1, "at": [3, 4], "radius": 5}, controls.Grab(1, controls.Circle((3, 4), 5))),
    ({"type": "move", "hand": 2, "to": [[1, 2]]}, controls.Move(2, ((1.0, 2.0),))),
    ({"type": "release", "hand": 2}, controls.Release(2, "pin")),
    ({"type": "add", "kind": "pin", "points": [[1, 2]]}, controls.AddTracks("pin", ((1.0, 2.0),))),
    (
        {"type": "add", "kind": "path", "points": [[1, 2], [3, 4]], "brush": {"radius": 2, "spacing": 1}},
        controls.AddTracks("path", ((1.0, 2.0), (3.0, 4.0)), controls.Brush(2.0, 1.0), 2.0),
    ),
    ({"type": "remove", "handle": 7}, controls.RemoveHandle(7)),
    ({"type": "pin_border"}, controls.PinEdges()),
]


@pytest.mark.parametrize(("message", "control"), TYPED, ids=lambda value: str(value)[:40])
def test_a_message_becomes_a_value_and_that_value_the_same_message(message, control):
    assert parse_control({**message, "unknown": 1}) == control
    assert parse_control(json.loads(json.dumps(control.message()))) == control


POISON = [
    {"type": "camera", "zoom": DIGITS},
    {"type": "camera", "pan": [DIGITS, 0]},
    {"type": "rewind", "chunk": DIGITS},
    {"type": "grab", "hand": DIGITS, "handle": 0},
    {"type": "add", "kind": "pin", "points": [[1, 1]], "brush": {"radius": 99, "spacing": 1}},
    {"type": "add", "kind": "pin", "points": [[1, 1]], "brush": {"radius": 1000, "spacing": 4}},
    {"type": "add", "kind": "grid", "points": [[1, 1]] * 1024, "brush": {"radius": 9, "spacing": 1}},
]


@pytest.mark.parametrize("message", POISON, ids=lambda value: str(value)[:60])
def test_what_ended_a_run_or_the_request_is_refused_when_it_is_posted(message):
    with pytest.raises(controls.RefusedControl, match=r"expected .*got") as refused:
        LiveSession().post(message)
    assert refused.value.code == "bad_control"


def a_value(rng: random.Random, depth: int = 0):
    """Something that JSON can hold, often a number near a limit."""
    plain = [
        lambda: rng.choice([0, 1, -1, 9, 10, 64, 1024, 4096, 1e5, -1e5, 1e-300, 1e308, DIGITS, True, None]),
        lambda: rng.choice(
            [float("inf"), float("nan"), "", "pin", "path", "grid", "keep", "fade", "x" * 2001]
        ),
        lambda: rng.uniform(-2e5, 2e5),
        lambda: rng.randrange(-2, 70),
    ]
    nested = [
        lambda: [a_value(rng, depth + 1) for _ in range(rng.randrange(4))],
        lambda: {"radius": a_value(rng, depth + 1), "spacing": a_value(rng, depth + 1)},
        lambda: [[rng.uniform(-1e5, 1e5), rng.uniform(-1e5, 1e5)] for _ in range(rng.choice([1, 2, 5, 64]))],
    ]
    return rng.choice(plain if depth > 2 else plain + nested)()


def a_message(rng: random.Random) -> dict:
    message = json.loads(json.dumps(rng.choice(TYPED)[0]))
    for key in ("hand", "handle", "at", "to", "radius", "kind", "points", "brush", "seconds", "pan", "mode"):
        if rng.random() < 0.2:
            message[key] = a_value(rng)
    return message


def test_every_control_is_refused_clearly_or_can_be_done_and_the_stream_goes_on():
    rng = random.Random(11)
    told = []
    session = LiveSession(rate=10**6, on_ignored=lambda chunk, ignored: told.extend(ignored))
    live = LiveTracks(
        lambda start, count: (torch.zeros(count, 2, 2), torch.ones(count, 2).bool()), 64, 48, 16.0
    )
    live(0, 1)

    def apply(control) -> bool:
        return control.type in MOTION_CONTROLS and live.apply(control, lambda places: places)

    accepted = 0
    for chunk in range(1, 120):
        for _ in range(12):
            message = a_message(rng)
            if message["type"] in ("pause", "rewind"):
                continue
            try:
                session.post(message)
                accepted += 1
            except controls.RefusedControl as refused:
                assert "expected" in str(refused), message
        session.carry_out(session.wait_at_boundary(chunk).controls, apply)
        made = live(live.state.frame, 4)
        assert made.xy.isfinite().all() and made.xy.shape[1] <= MAX_POINTS
    assert accepted > 300
    assert {each.code for each in told} <= {"no_target", "no_room"}, told


def test_every_type_has_its_place_in_the_order_of_the_protocol():
    assert {message["type"] for message, _ in TYPED} | {"resume", "stop", "step"} == set(CONTROLS)
    assert [parse_control({"type": kind}).type for kind in ("pause", "resume", "stop", "step")] == list(
        CONTROLS[:4]
    )


@pytest.mark.parametrize("value", [True, None, "3", [3], float("nan"), float("inf"), -DIGITS, DIGITS, 11])
def test_a_number_is_finite_and_within_its_limits(value):
    with pytest.raises(ValueError, match="^here: expected size to be a number from 0 to 10, got"):
        checked.number(value, "here", 0, 10, "size")


@pytest.mark.parametrize("value", [True, None, 1.5, float("nan"), DIGITS, 0])
def test_a_whole_number_is_whole_and_within_its_limits(value):
    with pytest.raises(ValueError, match="^here: expected a whole number from 1 to 10, got"):
        checked.whole_number(value, "here", 1, 10)
    assert checked.whole_number(3.0, "here", 1, 10) == 3


def test_what_cannot_be_written_is_named_by_its_type():
    nested = []
    for _ in range(100_000):
        nested = [nested]
    assert checked.excerpt(nested) == "a list too long to show"
    assert checked.excerpt("x" * 100) == "'" + "x" * 39
