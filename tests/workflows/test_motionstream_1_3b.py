"""The workflow for a track-trained student, in the real host: small random files of TrackWan's layout under
the public names take the place of the real ones.
"""

import pytest
from core import trackwan_inputs as given
from harness.graphs import changed, node
from harness.host import figures_of
from harness.install import ROOT
from harness.workflow import load, nodes_of_type, shipped, to_api
from host.test_steering import Performer
from host.test_wan_host import write_autoencoders
from PIL import Image
from safetensors.torch import save_file

from motionstream_core.model.presets import TRACKWAN_MOTION
from motionstream_core.model.weights.checkpoint_presets import checkpoint_preset, config_for
from motionstream_core.planning.stream_memory import GIB, Plan
from motionstream_core.tracks.document.parse import document_to_tracks, parse_document

NAME = "motionstream-1.3b"
WEIGHTS = "track-v0.safetensors"
LOADERS = ("MotionStreamLoader", "CLIPLoader", "VAELoader", "CLIPVisionLoader", "MotionStreamTinyVAE")


@pytest.fixture(scope="module")
def workflow():
    return load(shipped(NAME))


def id_of(workflow: dict, kind: str) -> str:
    (found,) = nodes_of_type(workflow, kind)
    return str(found["id"])


@pytest.fixture
def prompt(host, workflow):
    """As the host takes it: the files lie where the note says, and what is too large for a test is small."""
    models = host.base / "models"
    for name in ("diffusion_models", "vae", "vae_approx"):
        (models / name).mkdir(parents=True, exist_ok=True)
    save_file(given.saved_weights(), models / "diffusion_models" / WEIGHTS)
    write_autoencoders(models)
    (models / "vae" / "wan_small.safetensors").rename(models / "vae" / "wan_2.1_vae.safetensors")
    made = to_api(workflow, host.object_info())
    clip, vision = (id_of(workflow, kind) for kind in ("CLIPLoader", "CLIPVisionLoader"))
    made[clip] = node("SmallUmt5", width=given.TEXT, tokens=128, **made[clip]["inputs"])
    made[vision] = node("SmallClipVision", width=1280)
    return changed(made, **{f"n{id_of(workflow, 'MotionStreamTrackEditor')}": {"width": 96, "height": 64}})


def test_a_newcomers_run_converts_the_file_and_is_steered(host, workflow, prompt):
    sampler = f"n{id_of(workflow, 'MotionStreamSampler')}"
    live = Performer(host, changed(prompt, **{sampler: {"frames": 0}}))
    live.until_chunk(1)
    live.post("grab", hand=0, handle=0)
    live.post("move", hand=0, to=[[40, 20]])
    live.until_chunk(3)
    live.post("stop")
    figures = figures_of(live.done())
    assert figures["control"] == "track head" and figures["frames"] >= 25
    assert not any("points" in note or "frames a second" in note for note in figures["notes"])
    made = host.base / "models" / "diffusion_models" / "track-v0.track-v0.motionstream.safetensors"
    assert made.is_file()


def test_every_file_that_the_host_can_download_has_its_name_place_and_folder(workflow):
    text = nodes_of_type(workflow, "MarkdownNote")[0]["widgets_values"][0]
    for kind in LOADERS:
        (loader,) = nodes_of_type(workflow, kind)
        name = loader["widgets_values"][0]
        assert name.rpartition("/")[2] in text
        if kind == "MotionStreamTinyVAE":  # its place is none that the host downloads from
            continue
        (model,) = loader["properties"]["models"]
        assert model["name"] == name and f"**models/{model['directory']}**" in text
        assert model["url"].startswith("https://huggingface.co/") and model["url"].endswith(".safetensors")


def test_the_tracks_and_the_picture_are_of_the_size_rate_and_number_that_it_was_trained_on(workflow):
    (editor,) = nodes_of_type(workflow, "MotionStreamTrackEditor")
    document, *sizes = editor["widgets_values"]
    config = config_for(checkpoint_preset("track-v0"))
    assert sizes == [832, 480, 121, config.fps]
    tracks = document_to_tracks(parse_document(document))
    least, most = TRACKWAN_MOTION.points
    assert least <= tracks.count <= most and tracks.fps == config.fps
    moved = (tracks.xy - tracks.xy[:1]).norm(dim=-1).amax(0)
    assert (moved > 200).sum() >= 5 and (moved == 0).sum() >= 5
    picture = nodes_of_type(workflow, "LoadImage")[0]["widgets_values"][0]
    with Image.open(ROOT / "workflows" / picture) as opened:
        assert opened.size == (832, 480)


def test_the_note_says_what_it_needs_and_what_nobody_has_tried(workflow):
    text = nodes_of_type(workflow, "MarkdownNote")[0]["widgets_values"][0]
    config = config_for(checkpoint_preset("track-v0"))
    needs = Plan(config, 832, 480, config.rolling.cache_shape, "bf16", "taehv").bytes / GIB
    assert f"about {needs:.0f} GiB" in text
    assert "`" not in text, "code is blue on blue in a coloured note of the newer renderer"
    for words in ("licence not stated", "never run by us", "121 frames", "nobody in public has tried it"):
        assert words in text, words
