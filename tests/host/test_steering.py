"""A stream steered while it runs, in a real ComfyUI: controls by the route, performances played again,
endless runs, files, and what is left after.
"""

from __future__ import annotations

import io
import json
import time
import uuid

import numpy as np
import pytest
from harness.graphs import node, streaming
from harness.host import Host, Refused, figures_of, video_of
from host.test_host import decoded, outcome, started
from PIL import Image


def steering(weights: str, frames: int, seed: int = 1, **sampler) -> dict:
    """Picture → stream, its frames without loss (9) and its performance as text (10)."""
    prompt = streaming(weights, frames=frames, seed=seed, clip=["1", 1], **sampler)
    prompt["9"] = node("PreviewImage", images=["6", 0])
    prompt["10"] = node("PreviewAny", source=["6", 4])
    return prompt


class Performer:
    """One run, steered by posts."""

    def __init__(self, host: Host, prompt: dict):
        self.host, self.client = host, uuid.uuid4().hex
        self.prompt_id = host.queue(prompt, self.client)
        self.run = started(host, self.client, self.prompt_id)

    def post(self, kind: str, /, **fields) -> int:
        """Posts a control and gives the chunk in work."""
        return self.host.post("/motionstream/control", {"token": self.run["token"], "type": kind, **fields})[
            "chunk"
        ]

    def refused(self, kind: str, /, **fields) -> int:
        with pytest.raises(Refused) as refusal:
            self.post(kind, **fields)
        return refusal.value.status

    def until_chunk(self, chunk: int):
        end = time.monotonic() + 120
        while self.post("resume") < chunk:
            assert time.monotonic() < end
            time.sleep(0.02)

    def done(self) -> dict:
        entry = self.host.wait(self.prompt_id)
        assert outcome(entry) == "success"
        return entry


def pixels(host: Host, entry: dict) -> np.ndarray:
    return np.stack(
        [np.asarray(Image.open(io.BytesIO(host.fetch(image)))) for image in entry["outputs"]["9"]["images"]]
    )


def performance(entry: dict) -> dict:
    return json.loads(entry["outputs"]["10"]["text"][0])


def test_a_steered_run_is_played_again_from_its_performance_frame_for_frame(host, weights):
    live = Performer(host, steering(weights, frames=121, seed=51, live=True))
    live.until_chunk(1)
    live.post("grab", hand=0, handle=0)
    live.post("move", hand=0, to=[[40, 70], [60, 100]])
    live.until_chunk(3)
    live.post("camera", pan=[12, 0], zoom=0.2)
    live.post("prompt", text="a bird at night")
    live.until_chunk(5)
    live.post("release", hand=0, mode="fade")
    live.post("add", kind="path", points=[[100, 20], [60, 20]], seconds=1)
    live.post("scene")
    live.until_chunk(7)
    live.post("rewind", chunk=5)
    live.post("camera", roll=30)
    entry = live.done()
    frames, text = pixels(host, entry), performance(entry)
    assert len(frames) == 121 and [control["type"] for control in text["controls"]].count("camera") == 2
    assert not {"scene", "add", "rewind"} & {
        control["type"] for control in text["controls"]
    }  # undone by the rewind
    prompt = steering(weights, frames=121, seed=51)
    prompt["11"] = node("PrimitiveStringMultiline", value=json.dumps(text))
    prompt["6"]["inputs"]["performance"] = ["11", 0]
    again = host.run(prompt)
    assert outcome(again) == "success"
    assert np.array_equal(frames, pixels(host, again))
    assert performance(again)["controls"] == text["controls"]


def test_a_performance_of_another_size_is_refused(host, weights):
    prompt = steering(weights, frames=9)
    other = {"kind": "motionstream-performance", "version": 1, "width": 64, "controls": []}
    prompt["11"] = node("PrimitiveStringMultiline", value=json.dumps(other))
    prompt["6"]["inputs"]["performance"] = ["11", 0]
    said = outcome(host.run(prompt))
    assert "expected" in said and "128" in said and "64" in said


def test_an_endless_run_is_stopped_and_recorded_and_returns_what_its_budget_holds(host, weights):
    prompt = streaming(weights, frames=0, seed=52, record="takes/endless", keep_mb=16)
    prompt["9"] = node("PreviewImage", images=["6", 0])
    live = Performer(host, prompt)
    assert live.run["frames"] == 0
    live.until_chunk(12)
    live.post("stop")
    entry = live.done()
    made = figures_of(entry)["frames"]
    assert made >= 1 + 12 * 11 and len(decoded(host.fetch(video_of(entry)))) == made
    assert len(entry["outputs"]["9"]["images"]) < 100 < made
    recorded = sorted((host.base / "output" / "takes").glob("endless*.mp4"))
    assert len(recorded) == 1 and recorded[0].stat().st_size > 1000


def test_a_recording_outside_the_output_folder_is_refused(host, weights):
    said = outcome(host.run(streaming(weights, frames=5, seed=53, record="../../outside")))
    assert "outside the output folder" in said.lower()


def test_a_steered_run_is_not_taken_from_the_cache(host, weights):
    prompt = steering(weights, frames=61, seed=54, live=True)
    live = Performer(host, prompt)
    live.post("camera", pan=[30, 0])
    steered = pixels(host, live.done())
    plain = pixels(host, host.run(prompt))
    assert not np.array_equal(steered, plain)


def test_controls_reach_only_the_run_of_their_token_and_bad_ones_change_nothing(host, weights):
    live = Performer(host, steering(weights, frames=0, seed=55, live=True))
    assert live.refused("grab", hand=77, handle=0) == 400
    assert live.refused("camera", zoom="far") == 400
    assert live.refused("prompt", text="x" * 5000) == 400
    live.post("scene", id="once")
    assert live.refused("scene", id="once") == 409
    live.post("stop")
    live.done()
    assert live.refused("resume") == 409


def test_without_a_clip_the_prompt_is_not_among_the_controls(host, weights):
    live = Performer(host, streaming(weights, frames=0, seed=56, live=True))
    assert "prompt" not in live.run["controls"] and "grab" in live.run["controls"]
    assert live.refused("prompt", text="night") == 400
    live.post("stop")
    live.done()
