"""The cartoons in the pack: sizes, whose student the student is, and a sentence gives its thing."""

from pathlib import Path

import pytest
import torch

from motionstream_core.evaluation.cartoon.counters import verdict
from motionstream_core.evaluation.cartoon.report import Streams
from motionstream_core.evaluation.cartoon.sheet import prompts
from motionstream_core.model.weights.bundle import load_bundle
from motionstream_core.model.weights.networks import CARTOON, CARTOON_STUDENT
from motionstream_core.model.weights.onto import reference_to
from motionstream_core.training.cartoon.sampling import decoded

ASSETS = Path(CARTOON).parent


def test_all_weights_in_the_pack_are_small():
    assert sum(path.stat().st_size for path in ASSETS.glob("*.safetensors")) <= 32 * 2**20


def test_the_student_is_the_bases():
    student = load_bundle(CARTOON_STUDENT)
    assert student.provenance["parents"] == [reference_to(CARTOON)]
    assert student.config.sampler.steps == 4 and student.config.sampler.guidance == 1


def test_a_sentence_gives_its_thing_in_one_step_a_chunk():
    streams = Streams.of(CARTOON_STUDENT)
    scenes, ids = prompts(32)
    still = [i for i, scene in enumerate(scenes) if "car stays" in scene.caption][:3]
    scenes = [scenes[i] for i in still]
    clips = decoded(streams.codec, streams.begin(ids[still], 0)[0]).numpy()
    seen = [verdict(clip, scene.place, scene.time) for clip, scene in zip(clips, scenes)]
    assert sum(one.colour == scene.things[0].colour for one, scene in zip(seen, scenes)) >= 2


@pytest.mark.parametrize("path", [CARTOON, CARTOON_STUDENT], ids=["base", "student"])
def test_the_text_moves_the_velocity(path):
    """Another prompt changes what the network says of the same noise."""
    streams = Streams.of(path)
    _, ids = prompts(8)
    x, levels = torch.randn(8, 16, 8, 16, 16), torch.full((8, 8), 0.75)
    with torch.no_grad():
        gap = (streams.net(x, levels, ids) - streams.net(x, levels, ids.roll(1, 0))).square().mean()
    assert gap > 1e-3
