"""The motion student in the pack: whose it is, and that things go where tracks say."""

import numpy as np
import pytest
import torch

from motionstream_core.evaluation.cartoon import following
from motionstream_core.evaluation.cartoon.following_report import open_motion
from motionstream_core.evaluation.cartoon.motion import PERIOD, long_streams
from motionstream_core.model.weights.bundle import load_bundle
from motionstream_core.model.weights.networks import CARTOON, CARTOON_MOTION, open_networks
from motionstream_core.model.weights.onto import reference_to
from motionstream_core.training.cartoon.motion_clips import LATENTS

SCENES = 8


@pytest.fixture(scope="module")
def lot() -> following.Lot:
    return following.lot(open_networks(CARTOON).codec, SCENES, LATENTS, first=31_000, pairs=0)


def test_the_motion_student_stands_on_the_base_and_names_its_stages():
    bundle = load_bundle(CARTOON_MOTION)
    assert bundle.provenance["parents"] == [reference_to(CARTOON)]
    stages = [stage["stage"] for stage in bundle.provenance["stages"]]
    assert stages == ["teacher", "causal-init", "cartoon-factor", "causal-init"]
    for before, after in zip(bundle.provenance["stages"], bundle.provenance["stages"][1:]):
        assert before["sha256"] in after["parents"].values()
    assert bundle.config.sampler.steps == 3 and bundle.config.motion.id_range == 1000


@torch.no_grad()
def test_things_go_where_the_tracks_say_and_nowhere_without_them(lot):
    model, codec = open_motion(CARTOON_MOTION), open_networks(CARTOON).codec
    make = following.of_student()
    told = following.errors(following.made(model, codec, lot.batch, make), lot)
    untold = following.errors(following.made(model, codec, following.untold(lot.batch), make), lot)
    assert told["things"] >= 5 and told["found"] >= 0.85
    assert told["epe"] < 0.5 * told["static_epe"] and told["epe"] < 0.5 * untold["epe"]


def test_a_stream_goes_to_and_fro_along_its_tracks(lot):
    rows = long_streams(open_networks(CARTOON_MOTION), lot, 1, minutes=3 * PERIOD / 960)
    static = following.errors(np.repeat(lot.clips[:1, :1], lot.clips.shape[1], 1), lot.of([0]))
    assert rows["stream_fps"] > 1 and rows["drift_3min"] < 0.3
    assert rows["epe_3min"] < 0.7 * static["epe"]
