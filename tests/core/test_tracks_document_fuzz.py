"""Track documents out of joint: read and sampled, or refused with a ValueError; never anything else."""

import importlib.util
import json
import random
from pathlib import Path

import numpy as np
import pytest
import torch

from motionstream_core.tracks.document.parse import document_to_tracks, parse_document

GOLDEN = Path(__file__).parents[1] / "golden"
CASES = [
    case["document"] for case in json.loads((GOLDEN / "spline.json").read_text(encoding="utf-8"))["cases"]
]
ODD = [
    None,
    True,
    0,
    -1,
    3.5,
    1e308,
    -1e-320,
    10**400,
    float("nan"),
    float("inf"),
    "",
    "x",
    "camera",
    [],
    {},
    [[]],
    {"x": 1},
    [None],
    "\ud800",
]


def broken(value, rng):
    """The value with some of its parts put out of joint."""
    if rng.random() < 0.01:
        return rng.choice(ODD)
    if isinstance(value, list):
        return [broken(item, rng) for item in value if rng.random() > 0.01]
    if isinstance(value, dict):
        return {key: broken(item, rng) for key, item in value.items() if rng.random() > 0.01}
    if isinstance(value, (int, float)) and not isinstance(value, bool) and rng.random() < 0.05:
        return value * rng.choice([-1, 0, 1e-9, 7.7, 1e9])
    return value


@pytest.mark.parametrize("seed", range(8))
def test_documents_out_of_joint_are_sampled_or_refused_with_a_reason(seed):
    rng, sampled = random.Random(seed), 0
    for _ in range(250):
        text = json.dumps(broken(rng.choice(CASES), rng))
        try:
            made = document_to_tracks(parse_document(text), rng.choice([None, 1, 7]))
        except ValueError as error:
            assert "expected" in str(error), f"{error}: {text[:500]}"
            continue
        sampled += 1
        assert (
            made.xy.isfinite().all()
            and made.visible.dtype == torch.bool
            and made.xy.shape[:2] == made.visible.shape
        )
    assert sampled > 40


@pytest.mark.parametrize(
    "text",
    [
        "null",
        "true",
        "[" * 5000 + "]" * 5000,
        '{"version": 1e400}',
        '{"version": 1, "tracks": {}}',
        "\ud800",
        "9" * 5000,
        "{" * 900,
    ],
)
def test_text_that_is_anything_is_refused_with_a_reason(text):
    with pytest.raises(ValueError, match="expected"):
        parse_document(text)


def random_track(rng):
    """A sound track of any kind."""

    def place(size=128):
        return {"x": round(rng.uniform(-20, size), 2), "y": round(rng.uniform(-20, size), 2)}

    kind = rng.choice(["path", "freehand", "pin", "line", "grid", "region", "camera"])
    times = sorted({round(rng.random(), 2) for _ in range(rng.randint(1, 6))})
    ways = sorted(round(rng.random(), 2) for _ in times)
    eases = ["linear", "in", "out", "in-out", "smooth", "hold"]
    track = {
        "kind": kind,
        "points": [place() for _ in range(rng.randint(1, 5))],
        "interpolation": rng.choice(["linear", "spline", "cardinal", "bspline"]),
        "tension": rng.random(),
        "start": rng.randint(0, 9),
        "end": rng.choice([None, 5, 30]),
        "turn": rng.randint(-300, 300),
        "scale": rng.uniform(0.3, 3),
        "carries": kind == "camera" and rng.random() < 0.5,
        "shown": rng.choice([None, [[2, 9], [15, 40]]]),
        "speed": rng.choice(
            [None, [{"t": t, "s": s, "ease": rng.choice(eases)} for t, s in zip(times, ways)]]
        ),
        "brush": rng.choice([None, {"radius": 9, "spacing": 4}]),
    }
    if kind in ("grid", "camera"):
        track["grid"] = {"width": 60, "height": 33, "columns": rng.randint(1, 4), "rows": rng.randint(1, 4)}
    if kind == "region":
        track["region"] = {
            "lines": [[place(30) for _ in range(rng.randint(1, 4))] for _ in range(2)],
            "radius": 7.3,
            "spacing": 3.1,
        }
    return track


def plain_reading():
    """tests/golden/make_spline.py, which shares no line with the package."""
    spec = importlib.util.spec_from_file_location("make_spline", GOLDEN / "make_spline.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_random_documents_are_sampled_as_the_plain_reading_of_the_rules_does():
    plain, rng = plain_reading(), random.Random(11)
    for _ in range(60):
        document = {
            "version": 1,
            "width": 128,
            "height": 96,
            "frames": 33,
            "fps": 8,
            "tracks": [random_track(rng) for _ in range(3)],
            "pin_border": True,
        }
        made = document_to_tracks(parse_document(json.dumps(document)))
        for frame in (0, 8, 21, 32):
            wanted = plain.sample(document, frame, 33)
            np.testing.assert_allclose(made.xy[frame], [(x, y) for x, y, _ in wanted], atol=2e-4, rtol=0)
            assert made.visible[frame].tolist() == [seen for *_, seen in wanted]
