"""The shipped workflow for real weights, in the real host: small random files under the public names and keys
take the place of the real ones.
"""

import json
import re

import pytest
import torch
from harness.graphs import changed, node
from harness.host import Refused, figures_of, video_of
from harness.install import ROOT
from harness.workflow import load, nodes_of_type, shipped, to_api
from host.test_host import decoded, outcome
from host.test_wan_host import write_autoencoders
from host.wan_probe import SIZES, small, state_of

from motionstream_core.model.weights.checkpoint_presets import (
    CHECKPOINT_PRESETS,
    checkpoint_preset,
    config_for,
)
from motionstream_core.tracks.document.parse import document_to_tracks, parse_document

CLIP = "umt5_xxl_fp8_e4m3fn_scaled.safetensors"


@pytest.fixture(scope="module")
def workflow():
    return load(shipped("causal-wan"))


@pytest.fixture(scope="module")
def prompt(host, workflow):
    """The workflow as the host takes it, once its files are where its note says; small pictures, and a small
    umt5 in place of the 5.7 billion.
    """
    models = host.base / "models"
    for name in ("diffusion_models", "vae", "vae_approx", "text_encoders"):
        (models / name).mkdir(parents=True, exist_ok=True)
    torch.save(
        {"generator_ema": {f"model.{key}": value for key, value in state_of(small()).items()}},
        models / "diffusion_models" / "causal_forcing.pt",
    )
    write_autoencoders(models)
    (models / "vae" / "wan_small.safetensors").rename(models / "vae" / "wan_2.1_vae.safetensors")
    made = to_api(workflow, host.object_info())
    (clip,) = [name for name, entry in made.items() if entry["class_type"] == "CLIPLoader"]
    assert made[clip]["inputs"] == {"clip_name": CLIP, "type": "wan", "device": "default"}
    made[clip] = node("SmallUmt5", width=SIZES["text_dim"], tokens=128, **made[clip]["inputs"])
    return changed(made, **{f"n{of(workflow, 'MotionStreamTrackEditor')}": {"width": 96, "height": 64}})


def of(workflow: dict, kind: str) -> int:
    (found,) = nodes_of_type(workflow, kind)
    return found["id"]


def test_the_tracks_lie_on_a_canvas_that_the_model_was_trained_on(workflow):
    (editor,) = nodes_of_type(workflow, "MotionStreamTrackEditor")
    document, *sizes = editor["widgets_values"]
    tracks = document_to_tracks(parse_document(document))
    assert sizes == [832, 480, 81, 16] and (tracks.width, tracks.height, tracks.frames) == (832, 480, 81)
    moved = (tracks.xy - tracks.xy[:1]).norm(dim=-1).amax(0)
    assert (moved > 200).sum() >= 20 and (moved == 0).sum() >= 20


def test_the_note_names_the_files_their_folders_and_licences_and_a_preset_that_exists(workflow):
    (note,) = nodes_of_type(workflow, "MarkdownNote")
    text = note["widgets_values"][0]
    for kind in ("MotionStreamLoader", "CLIPLoader", "VAELoader"):
        (loader,) = nodes_of_type(workflow, kind)
        (model,) = loader["properties"]["models"]
        assert model["name"] == loader["widgets_values"][0] and f"**{model['name']}**" in text
        assert f"models/{model['directory']}**" in text and model["url"].endswith(f"/{model['name']}")
    for words in (
        "models/diffusion_models",
        "models/text_encoders",
        "models/vae**",
        "models/vae_approx",
        "Apache-2.0",
        "MIT",
        "not** for commercial use",
        "MotionStream Doctor",
        "guided",
    ):
        assert words in text, words
    assert nodes_of_type(workflow, "MotionStreamLoader")[0]["widgets_values"][1] in CHECKPOINT_PRESETS
    assert "`" not in text, "code is blue on blue in a coloured note of the newer renderer"


def test_the_host_names_the_files_that_are_not_there_yet(host, workflow):
    missing = json.loads(json.dumps(workflow).replace("causal_forcing.pt", "not_downloaded.pt"))
    with pytest.raises(Refused, match="not_downloaded.pt"):
        host.run(to_api(missing, host.object_info()))


def test_it_runs_as_shipped_and_says_that_it_is_guided(host, workflow, prompt):
    sampler = f"n{of(workflow, 'MotionStreamSampler')}"
    entry = host.run(changed(prompt, **{sampler: {"frames": 29}}))
    assert outcome(entry) == "success", host.log_tail()
    figures = figures_of(entry)
    assert len(decoded(host.fetch(video_of(entry)))) == figures["frames"] == 29
    assert figures["control"].startswith("guided: ") and not any(
        "bidirectional" in note for note in figures["notes"]
    )
    shape = config_for(checkpoint_preset("causal-forcing")).rolling.cache_shape
    assert (
        figures["cache_bytes"]
        == (2 * shape.frames + shape.window + shape.chunk) * 24 * SIZES["dim"] * SIZES["num_layers"] * 4
    )


def test_the_doctor_says_before_loading_what_the_note_promises(host, workflow):
    asked = {"preset": "causal-forcing", "width": 832, "height": 480, "precision": "bf16", "memory_gib": 64.0}
    report = {}
    for number, more in (
        ("1", {"context": "", "decoder": "wan"}),
        ("2", {"context": "c3s3w3", "decoder": "taehv"}),
    ):
        text = host.run({number: node("MotionStreamDoctor", **asked, **more)})["outputs"][number]["text"][0]
        report[number] = float(re.search(r"needs ([\d.]+) GiB of 64", text)[1])
    said = nodes_of_type(workflow, "MarkdownNote")[0]["widgets_values"][0]
    assert f"about {report['1']:.0f} GiB" in said and f"{report['2']:.0f} GiB with **window** 3" in said


def test_the_workflow_asks_for_nothing_but_the_host_and_this_pack():
    kinds = {entry["type"] for entry in load(shipped("causal-wan"))["nodes"]}
    ours = {path.stem for path in (ROOT / "js" / "docs").glob("*.md")}
    assert kinds - ours == {
        "CLIPLoader",
        "VAELoader",
        "CLIPTextEncode",
        "LoadImage",
        "SaveVideo",
        "MarkdownNote",
    }
