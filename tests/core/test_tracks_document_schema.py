"""The published JSON Schema of track documents, held against what the editor writes and what Python takes."""

import json
import random
import subprocess
from pathlib import Path

import pytest
from core.test_tracks_document_fuzz import CASES, broken, random_track

from motionstream_core.tracks.document.parse import parse_document

jsonschema = pytest.importorskip("jsonschema")
ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "docs" / "track-document.schema.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
BEYOND = (
    "rising t and of s",
    "columns",
    "lines of 1 to",
    "at most 10000 points",
)  # what the schema's description says that it cannot say


def taken(text: str) -> str:
    """What Python says against the document: nothing, if it takes it."""
    try:
        parse_document(text)
    except ValueError as error:
        return str(error)
    return ""


def sound(**changes) -> dict:
    return {
        "version": 1,
        "width": 128,
        "height": 96,
        "frames": 33,
        "fps": 8,
        "tracks": [{"points": [{"x": 1, "y": 2}]}],
        **changes,
    }


def track(**changes) -> dict:
    return sound(tracks=[{"points": [{"x": 1, "y": 2}], **changes}])


def test_the_schema_is_one_of_draft_2020_12_and_describes_versions_1_and_2():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"].endswith("2020-12/schema") and SCHEMA["properties"]["version"]["enum"] == [1, 2]


def test_every_document_that_the_editor_writes_is_valid():
    node = ROOT / ".venv" / "bin" / "node"
    if not node.exists():
        pytest.skip("no node set up here: make test does it")
    said = subprocess.run(
        [node, "tests/js/print_documents.js"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    written = [json.loads(line) for line in said.stdout.splitlines()]
    assert len(written) == 300 + 40 * 15 and sum(len(one["tracks"]) for one in written) > 1000
    for document in written:
        problem = next(VALIDATOR.iter_errors(document), None)
        assert problem is None, f"{problem.json_path}: {problem.message}\n{json.dumps(document)[:500]}"
        assert not taken(json.dumps(document))


def test_the_golden_documents_and_random_ones_are_valid():
    rng = random.Random(3)
    for document in [
        *CASES,
        *(sound(tracks=[random_track(rng) for _ in range(3)], pin_border=True) for _ in range(100)),
    ]:
        assert VALIDATOR.is_valid(document), next(VALIDATOR.iter_errors(document)).message


def test_documents_out_of_joint_are_valid_exactly_where_python_takes_them():
    rng, counts = random.Random(7), {True: 0, False: 0}
    for _ in range(3000):
        text = json.dumps(broken(rng.choice(CASES), rng))
        if "NaN" in text or "Infinity" in text:
            continue  # no JSON
        document = json.loads(text)
        valid, against = VALIDATOR.is_valid(document), taken(text)
        counts[valid] += 1
        assert valid or against, (
            "Python takes what the schema does not: "
            f"{next(VALIDATOR.iter_errors(document)).message}\n{text[:500]}"
        )
        assert not (valid and against) or any(words in against for words in BEYOND), (
            f"the schema takes what Python does not: {against}"
        )
    assert min(counts.values()) > 300


WRONG = {
    "no version": {key: value for key, value in sound().items() if key != "version"},
    "version 3": sound(version=3),
    "true for version": sound(version=True),
    "no tracks": sound(tracks=None),
    "half a frame": sound(frames=2.5),
    "no width": sound(width=0),
    "endless frames": sound(frames=10**9),
    "fps of 0": sound(fps=0),
    "a word for fps": sound(fps="16"),
    "null for pin_border": sound(pin_border=None),
    "a track without points": sound(tracks=[{}]),
    "a point without y": track(points=[{"x": 1}]),
    "a point far away": track(points=[{"x": 1, "y": 1e7}]),
    "an unknown kind": track(kind="circle"),
    "an unknown curve": track(interpolation="nurbs"),
    "a grid without its size": track(kind="grid"),
    "a grid of null": track(kind="camera", grid=None),
    "a region without lines": track(kind="region"),
    "a region with an empty line": track(kind="region", region={"lines": [[]], "radius": 3, "spacing": 2}),
    "too tense": track(tension=1.5),
    "no speed keys": track(speed=[]),
    "a speed key beyond the way": track(speed=[{"t": 0, "s": 1.2}]),
    "a range of one": track(shown=[[3]]),
    "no growth": track(scale=0),
    "a brush without spacing": track(brush={"radius": 3}),
    "a list": [sound()],
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_document_is_neither_valid_nor_taken(name):
    assert not VALIDATOR.is_valid(WRONG[name]) and taken(json.dumps(WRONG[name]))


def test_unknown_keys_are_allowed_everywhere():
    assert VALIDATOR.is_valid(
        sound(made_by="x", tracks=[{"points": [{"x": 1, "y": 1, "note": 1}], "label": [1]}])
    )
