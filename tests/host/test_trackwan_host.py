"""TrackWan in a real ComfyUI: a small random student as a diffusers folder, through the command, the host's
own loader, its VAE and its CLIP vision into our sampler.
"""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from core import trackwan_inputs as given
from harness.graphs import changed, node
from harness.host import figures_of
from host.test_host import outcome, refusal
from host.test_steering import Performer
from host.test_wan_host import document, frames_of, graph, write_autoencoders
from safetensors.torch import load_file, save_file

MOVE = ({"x": 10, "y": 30}, {"x": 50, "y": 30})


@pytest.fixture(scope="module")
def files(host):
    """In the host's models: a student converted from its folder, and small VAEs."""
    models = host.base / "models"
    for name in ("diffusion_models", "vae", "vae_approx"):
        (models / name).mkdir(parents=True, exist_ok=True)
    folder = host.base / "Track-v0"
    write_folder(folder)
    converted(folder, models / "diffusion_models" / "track.safetensors")
    folder = host.base / "TrackWan-teacher"
    write_folder(folder, causal=False)
    converted(folder, models / "diffusion_models" / "teacher.safetensors", "trackwan-teacher")
    write_autoencoders(models)
    return host


def write_folder(folder, causal: bool = True):
    """A pipeline's folder, as people download it: nothing but the transformer in it."""
    (folder / "transformer").mkdir(parents=True)
    name = "CausalTrackWanTransformer3DModel" if causal else "WanTransformer3DModel"
    (folder / "model_index.json").write_text(json.dumps({"transformer": ["diffusers", name]}))
    (folder / "transformer" / "config.json").write_text(json.dumps(given.config_json(causal)))
    save_file(given.saved_weights(), folder / "transformer" / "model.safetensors")


def converted(folder, path, preset: str = "track-v0"):
    from motionstream_core.__main__ import main

    assert main(["convert", str(folder), str(path), "--preset", preset]) == 0


def tracked(frames: int = 25, seed: int = 1, width: int = 1280, **sampler) -> dict:
    """`graph` of the student; 40 is the CLIP vision."""
    prompt = graph("track", frames=frames, seed=seed, **sampler)
    prompt["4"] = node("RandomConditioning", tokens=5, width=given.TEXT, seed=3)
    prompt["40"] = node("SmallClipVision", width=width)
    return changed(prompt, n5={"clip_vision": ["40", 0]})


def with_track(prompt: dict, *points: dict, fps: int = 24) -> dict:
    text = json.loads(document(*points)) | {"fps": fps}
    return changed(prompt, n3={"document": json.dumps(text), "fps": float(fps)})


def test_a_diffusers_folder_becomes_a_video_that_follows_its_track(files):
    entry = files.run(with_track(tracked(), *MOVE))
    frames, figures = frames_of(files, entry), figures_of(entry)
    assert len(frames) == 25 and frames[20].std() > 1
    assert figures["control"] == "track head"
    assert any("trained on 5 to 30 points and there are 1" in note for note in figures["notes"])
    assert not any("frames a second" in note for note in figures["notes"])
    other = frames_of(files, files.run(with_track(tracked(), {"x": 10, "y": 30})))
    assert (frames[0] == other[0]).all() and any((a != b).any() for a, b in zip(frames, other))


def test_the_first_latent_may_be_denoised_and_tracks_of_another_rate_are_said(files):
    prefilled = with_track(tracked(frames=13), *MOVE, fps=16)
    entry = files.run(prefilled)
    assert any(
        "trained on 24 frames a second, the tracks have 16" in note for note in figures_of(entry)["notes"]
    )
    made = [
        frames_of(files, run)
        for run in (entry, files.run(changed(prefilled, n6={"first_latent": "denoised"})))
    ]
    assert len(made[0]) == len(made[1]) == 13
    assert np.abs(made[0][0].astype(int) - made[1][0].astype(int)).max() > 8


def test_clip_vision_sees_the_fitted_image_and_the_new_one_after_a_scene_change(files):
    before = sights(files)
    live = Performer(files, with_track(tracked(frames=0), *MOVE))
    live.until_chunk(2)
    live.post("scene")
    live.until_chunk(4)
    live.post("rewind", chunk=1)
    live.until_chunk(3)
    live.post("stop")
    entry = live.done()
    assert outcome(entry) == "success", outcome(entry)
    seen = sights(files)[len(before) :]
    assert len(seen) == 2 and all("(1, 64, 64, 3), crop True" in line for line in seen)


def sights(host) -> list[str]:
    return [line for line in host.log.read_text().splitlines() if "CLIP vision saw" in line]


def test_without_or_with_another_clip_vision_it_is_said_what_is_expected(files):
    lacking = tracked(frames=9)
    del lacking["5"]["inputs"]["clip_vision"]
    said = refusal(files, lacking)
    assert "expected CLIP vision features of the start image" in said and "Motion Encoder" in said
    assert "(1, tokens, 1280)" in refusal(files, tracked(frames=9, width=1024))


def taught(sees: str = "picture", frames: int = 9) -> dict:
    """`tracked` with the teacher and its sampler in the places of the student and the stream."""
    prompt = tracked(frames=frames)
    prompt["20"]["inputs"]["unet_name"] = "teacher.safetensors"
    inputs = {name: prompt["6"]["inputs"][name] for name in ("model", "positive", "vae", "motion", "seed")}
    settings = {"frames": frames, "steps": 2, "text_weight": 3.0, "motion_weight": 1.5, "sees": sees}
    prompt["6"] = node("MotionStreamWholeClip", **inputs, **settings)
    del prompt["8"]
    return changed(with_track(prompt, *MOVE), n5={"fit": "hold"})


def test_the_teacher_makes_a_whole_clip_with_a_picture_and_without_one(files):
    before = sights(files)
    made = frames_of(files, files.run(taught()))
    assert len(made) == 9 and made[4].std() > 1 and len(sights(files)) == len(before) + 1
    as_trained = taught("text as picture (as trained)")
    del as_trained["5"]["inputs"]["clip_vision"]
    other = frames_of(files, files.run(as_trained))
    assert len(other) == 9 and any((a != b).any() for a, b in zip(made, other))


def test_a_teacher_is_no_student_and_a_student_no_teacher(files):
    stream = changed(tracked(frames=9), n20={"unet_name": "teacher.safetensors"})
    assert "got a bidirectional teacher" in refusal(files, stream)
    preset = {**stream, "21": node("MotionStreamCheckpoint", model=["20", 0], preset="track-v0")}
    preset["6"]["inputs"]["model"] = ["21", 0]
    assert "leave the preset away" in refusal(files, preset)
    clip = changed(taught(), n20={"unet_name": "track.safetensors"})
    assert "run it with the Streaming Sampler" in refusal(files, clip)


def test_a_folder_in_the_models_is_recognised_converted_once_and_streams(files):
    folder = files.base / "models" / "diffusion_models" / "public" / "Track-v0"
    write_folder(folder)
    made = folder.parent / "Track-v0.motionstream.safetensors"
    prompt = with_track(tracked(frames=9), *MOVE)
    prompt["20"] = node("MotionStreamLoader", weights="public/Track-v0/", preset="as the file says")
    offered = str(files.object_info()["MotionStreamLoader"]["input"]["required"]["weights"])
    assert "'public/Track-v0/'" in offered and "public/Track-v0/tr" not in offered
    first = frames_of(files, files.run(prompt))
    assert made.is_file() and not list(folder.parent.glob("*.part"))
    written = made.stat().st_mtime_ns
    # The files, and not the frames of two runs in the host: those may differ in their last bits.
    ours, by_command = (load_file(path) for path in (made, folder.parents[1] / "track.safetensors"))
    assert len(first) == 9 and ours.keys() == by_command.keys()
    assert all(torch.equal(ours[key], by_command[key]) for key in ours)
    assert len(frames_of(files, files.run(changed(prompt, n6={"seed": 2})))) == 9
    assert made.stat().st_mtime_ns == written


def test_a_file_that_does_not_say_whether_it_is_the_teacher_asks_on_the_node(files):
    lonely = files.base / "models" / "diffusion_models" / "lonely.safetensors"
    save_file(given.saved_weights(), lonely)
    prompt = with_track(tracked(frames=9), *MOVE)
    prompt["20"] = node("MotionStreamLoader", weights="lonely.safetensors")
    assert "preset: expected track-v0" in refusal(files, prompt)
