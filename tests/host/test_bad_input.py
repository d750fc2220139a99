"""What a person can get wrong: the host says what was expected and what it got, and lives on."""

import json
import pickle
import shutil

import numpy as np
import pytest
from harness.graph import BUILT_IN, SIZE, complaint, document, graph, track
from harness.host import ended_as
from safetensors.numpy import save_file

from motionstream_core.streaming.networks import BUILT_IN as BUILT_IN_FILE

pytestmark = pytest.mark.usefixtures("living")


def says(text: str, *words: str) -> None:
    """A clear error: expected and got, and what the case is about."""
    assert "expected" in text and "got" in text, text
    assert all(word in text for word in words), text


def foreign(kind: str, **changes) -> dict:
    """The graph with the tracks of another pack's node."""
    return {**graph(encoder_tracks=["9", 0], **changes), "9": {"class_type": "ForeignTracks", "inputs": {"kind": kind}}}


def test_a_document_without_tracks_is_refused_before_it_runs(comfy):
    empty = {**document(), "tracks": []}
    says(complaint(comfy, graph(empty)), "at least one visible track")


def test_an_empty_text_is_refused(comfy):
    says(complaint(comfy, graph("")), "track document")


def test_a_document_that_is_no_json_is_refused(comfy):
    says(complaint(comfy, graph("{tracks")), "JSON")


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_coordinates_that_are_no_numbers_are_refused_in_a_document(comfy, value):
    text = json.dumps(document(track((16, 16), (77, 16)))).replace("77", value)
    says(complaint(comfy, graph(text)))


@pytest.mark.parametrize("kind", ["not a number", "infinite"])
def test_coordinates_that_are_no_numbers_are_refused_in_tracks(comfy, kind):
    says(complaint(comfy, foreign(kind)), "finite")


def test_tracks_off_the_canvas_are_refused_in_a_document(comfy):
    says(complaint(comfy, graph(document(track((900, 900), (950, 900))))), "canvas")


def test_tracks_off_the_canvas_are_refused_in_tracks(comfy):
    says(complaint(comfy, foreign("off the canvas")), "canvas")


@pytest.mark.parametrize("frames", [9, 25])
def test_a_track_of_another_length_than_the_video_is_refused_with_a_way_out(comfy, frames):
    says(complaint(comfy, graph(sampler_frames=frames)), str(frames), "13", "resample")


@pytest.mark.parametrize("fit", ["hold", "loop", "ping-pong", "resample"])
def test_a_track_of_another_length_can_be_fitted(comfy, fit):
    assert ended_as(comfy.run(graph(sampler_frames=17, encoder_fit=fit))) == "success"


@pytest.mark.parametrize(("kind", "got"), [("an object", "Boxes"), ("a list", "list"), ("no path", "boxes"), ("a path of the wrong shape", "(13, 4)"), ("no track", "(13, 0, 2)")])
def test_tracks_of_a_foreign_pack_are_refused_by_their_kind(comfy, kind, got):
    text = complaint(comfy, foreign(kind))
    says(text, "track")
    assert got in text or kind == "no track", text


@pytest.mark.parametrize("kind", ["no visibility", "one visibility for all"])
def test_tracks_of_the_hosts_own_nodes_are_taken_as_they_are(comfy, kind):
    assert ended_as(comfy.run(foreign(kind))) == "success"


@pytest.mark.parametrize(("width", "height"), [(72, 64), (64, 100)])
def test_a_size_that_the_stride_does_not_divide_is_refused(comfy, width, height):
    says(complaint(comfy, graph(encoder_width=width, encoder_height=height)), "divisible by 16", f"{width}x{height}")


def test_an_editor_without_an_image_says_so_where_the_image_is_needed(comfy):
    prompt = graph()
    del prompt["3"]["inputs"]["image"]
    entry = comfy.run(prompt)
    told = json.dumps(entry["status"]["messages"]) + json.dumps(entry["outputs"])
    assert ended_as(entry) == "error" and "expected a connected image" in told, told


@pytest.fixture
def weights(comfy):
    """weights(name, bytes) puts a file into models/motionstream."""
    folder = comfy.base / "models" / "motionstream"
    before = set(folder.iterdir())

    def put(name: str, content: bytes | None = None):
        if content is not None:
            (folder / name).write_bytes(content)
        return folder / name

    yield put
    for path in set(folder.iterdir()) - before:
        path.unlink()


def test_a_truncated_weights_file_is_refused(comfy, weights):
    weights("cut.safetensors", BUILT_IN_FILE.read_bytes()[:-1000])
    says(complaint(comfy, graph(loader_weights="cut.safetensors")), "truncated", "bytes")


def test_a_foreign_weights_file_is_refused(comfy, weights):
    save_file({"blocks.0.weight": np.zeros((2, 2), np.float32)}, weights("foreign.safetensors"))
    says(complaint(comfy, graph(loader_weights="foreign.safetensors")), "foreign weights", "blocks.0.weight")


class Bomb:
    def __reduce__(self):
        return (open, ("opened", "w"))


def test_a_pickled_weights_file_is_never_opened(comfy, weights):
    weights("pickled.pt", pickle.dumps(Bomb()))
    says(complaint(comfy, graph(loader_weights="pickled.pt")), "pickled")
    assert not list(comfy.base.rglob("opened"))


@pytest.mark.parametrize("name", ["../outside.safetensors", "/etc/passwd", "..\\outside.safetensors", "missing.safetensors"])
def test_a_name_outside_the_model_folder_is_refused(comfy, weights, name):
    outside = comfy.base / "models" / "outside.safetensors"
    shutil.copyfile(BUILT_IN_FILE, outside)
    text = complaint(comfy, graph(loader_weights=name))
    outside.unlink()
    assert name in text.replace("\\\\", "\\") and ("not in" in text or "expected" in text), text


def test_weights_in_the_model_folder_are_offered_and_run(comfy, weights):
    shutil.copyfile(BUILT_IN_FILE, weights("mine.safetensors"))
    assert "mine.safetensors" in str(comfy.object_info()["MotionStreamLoader"]["input"])
    assert ended_as(comfy.run(graph(loader_weights="mine.safetensors"))) == "success"


def test_after_all_of_this_a_good_prompt_runs(comfy):
    assert ended_as(comfy.run(graph(document(size=SIZE), loader_weights=BUILT_IN))) == "success"
