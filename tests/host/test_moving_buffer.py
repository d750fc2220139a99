"""The moving buffer in the real host: prompts by frame and by hand, video to video, settings, and what is
refused.

The built-in cartoon, in four steps without guidance where quality does not matter.
"""

import io

import av
import numpy as np
import pytest
from harness.graphs import node
from harness.host import ended_as, errors_of, figures_of
from harness.install import ROOT
from host.test_steering import Performer
from PIL import Image

CARTOON = "built-in (cartoon, text to video)"
QUICK = {
    "chunk_frames": 0,
    "chunks": 0,
    "micro_steps": 1,
    "reference_frames": -1,
    "guidance": 1.0,
    "start": "uniform",
}
CAR = "a red car moves right hills day"


def graph(motion: dict, frames: int, positive: dict | None = None, settings=QUICK, **sampler) -> dict:
    made = {
        "1": node("MotionStreamLoader", weights=CARTOON),
        "2": positive or node("CLIPTextEncode", clip=["1", 1], text=CAR),
        "3": motion,
        "5": node("MotionStreamBufferSettings", **settings),
        "6": node(
            "MotionStreamSampler",
            **{
                "model": ["1", 0],
                "positive": ["2", 0],
                "vae": ["1", 2],
                "motion": ["3", 0],
                "clip": ["1", 1],
            },
            **{"settings": ["5", 0], "frames": frames, "seed": 1, "steps": 0, "chunk": -1, "sink": -1},
            **{"window": -1, **sampler},
        ),
        "9": node("PreviewImage", images=["6", 0]),
        "10": node("PreviewAny", source=["6", 4]),
    }
    return made


def empty() -> dict:
    return node("MotionStreamEmptyMotion", width=128, height=128, fps=16.0)


def source(strength: float, at_end="end", **given) -> dict:
    size = {"width": 128, "height": 128, "fps": 16.0}
    return node("MotionStreamVideoToVideo", **size, strength=strength, at_end=at_end, **given)


def pixels(host, entry) -> np.ndarray:
    return np.stack(
        [np.asarray(Image.open(io.BytesIO(host.fetch(image)))) for image in entry["outputs"]["9"]["images"]]
    )


def car_video(frames: int) -> np.ndarray:
    with av.open(str(ROOT / "workflows/motionstream_car.mp4")) as video:
        return np.stack([f.to_ndarray(format="rgb24") for f in video.decode(video=0)])[:frames]


def error_of(host, prompt: dict) -> str:
    entry = host.run(prompt)
    assert ended_as(entry) == "error" and host.alive
    return errors_of(entry)[0]["exception_message"]


def loaded_car() -> dict:
    return {"4": node("LoadVideo", file="motionstream_car.mp4")}


def test_a_video_enters_at_its_strength_and_0_gives_it_back(host):
    prompt = graph(source(0.0, video=["4", 0]), frames=0) | loaded_car()
    entry = host.run(prompt)
    assert ended_as(entry) == "success", host.log_tail()
    made = pixels(host, entry)
    assert len(made) == 97, "as long as the source"
    error = np.abs(made.astype(float) - car_video(97)).mean()
    assert error < 6, "what the codec alone costs"


def test_a_strength_set_while_it_runs_is_replayed_and_short_images_are_said(host):
    prompt = graph(source(0.0, "loop", images=["4", 0]), frames=57, live=False) | {
        "4": node("EmptyImage", width=96, height=64, batch_size=5, color=0x3070C0)
    }
    live = Performer(host, prompt)
    assert "strength" in live.run["controls"] and "grab" not in live.run["controls"]
    live.post("pause")
    live.post("strength", value=1.0)
    assert live.refused("strength", value=1.5) == 400
    live.post("resume")
    entry = live.done()
    assert any("5 frames, fewer than" in note for note in figures_of(entry)["notes"])
    made = pixels(host, entry).astype(float)
    blue = np.array([0x30, 0x70, 0xC0])
    assert np.abs(made[0] - blue).mean() < 12 and np.abs(made[-1] - blue).mean() > 20
    again = host.run(
        prompt
        | {"6": node("MotionStreamSampler", **prompt["6"]["inputs"], performance=["11", 0])}
        | {"11": node("PrimitiveStringMultiline", value=entry["outputs"]["10"]["text"][0])}
    )
    assert np.array_equal(pixels(host, again), made.astype(np.uint8))


def test_a_schedule_is_the_same_as_prompts_by_hand(host):
    later = "a blue boat moves left sea night"
    lines = f"0: {CAR}\n13: {later}"
    schedule = node("MotionStreamPromptSchedule", clip=["1", 1], prompts=lines, fade=0)
    scheduled = host.run(graph(empty(), 45, schedule))
    assert ended_as(scheduled) == "success", host.log_tail()
    performed = (
        '{"kind": "motionstream-performance", "version": 1, "controls": '
        f'[{{"chunk": 2, "type": "prompt", "text": "{later}"}}]}}'
    )
    prompt = graph(empty(), 45)
    prompt["6"]["inputs"]["performance"] = ["11", 0]
    by_hand = host.run(prompt | {"11": node("PrimitiveStringMultiline", value=performed)})
    made, hand = pixels(host, scheduled), pixels(host, by_hand)
    assert np.array_equal(made, hand)
    # The queue was not emptied: what leaves first hardly changes, what is born later is another picture.
    plain = pixels(host, host.run(graph(empty(), 45))).astype(float)
    change = np.abs(made - plain).mean((1, 2, 3))
    assert not change[:13].any() and change[13:21].mean() < 0.5 * change[-8:].mean()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"chunk_frames": 3}, "expected a divisor of 8 latent frames, got 3"),
        ({"chunks": 3}, "trained for (c=1 N=8, c=2 N=4, c=4 N=2, c=8 N=1), got c=2 N=3"),
        ({"reference_frames": 1}, "trained for (c=1 N=8, c=2 N=4, c=4 N=2, c=8 N=1), got c=2 N=4 K=1"),
        ({"guidance": 0.5}, "guidance: expected 0 (the model's own) or at least 1, got 0.5"),
    ],
)
def test_settings_that_do_not_fit_are_refused_in_words(host, change, message):
    assert message in error_of(host, graph(empty(), 9, settings=QUICK | change))


def test_what_else_does_not_fit_is_refused_in_words_and_the_host_lives(host):
    schedule = node(
        "MotionStreamPromptSchedule", clip=["1", 1], prompts=f"0: {CAR}\n9: {CAR}\n5: {CAR}", fade=0
    )
    assert "line 3: expected a frame after 9" in error_of(host, graph(empty(), 9, schedule))
    assert "expected a video or images, got none" in error_of(host, graph(source(0.5), 9))
    prompt = graph(source(0.5, images=["4", 0]), 9) | {
        "4": node("EmptyImage", width=96, height=64, batch_size=5, color=0)
    }
    prompt["1"] = node("MotionStreamLoader", weights="built-in (tiny, 128x128)")
    del prompt["6"]["inputs"]["settings"]
    assert "expected one that runs on a moving buffer for a source video" in error_of(host, prompt)


def test_words_outside_the_vocabulary_are_said_and_other_partitions_run(host):
    positive = node("CLIPTextEncode", clip=["1", 1], text="a green zebra moves right hills day")
    entry = host.run(graph(empty(), 13, positive, QUICK | {"chunk_frames": 1}))
    assert ended_as(entry) == "success" and figures_of(entry)["frames"] == 13
    (note,) = [note for note in figures_of(entry)["notes"] if "vocabulary" in note]
    assert "zebra" in note
