"""The quality of the shipped weights, on two held-out clips: each of their networks is needed for it."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("cv2", reason="the held-out clips need OpenCV (a training dependency)")

from motionstream_core.evaluation.heldout import heldout_set  # noqa: E402
from motionstream_core.evaluation.methods import carried_baseline, generate  # noqa: E402
from motionstream_core.evaluation.metrics import psnr  # noqa: E402
from motionstream_core.model.weights.networks import open_networks  # noqa: E402

MEDIA = Path(__file__).parents[2] / "benchmarks/heldout"


@pytest.fixture(scope="module")
def clips():
    return heldout_set(MEDIA, 2)


def quality(clips, method):
    """Mean PSNR in dB."""
    return np.mean([psnr(method(item, item.chosen)[1:], item.frames[1:]) for item in clips])


def test_the_built_in_model_shows_more_than_the_pixels_that_are_carried_for_it(clips):
    """By 1.3 dB; without its transformer's answer or without its detail head it is 1.1 and 1.8 dB worse."""
    made = quality(clips, generate(open_networks(), None))
    assert made > 1.0 + quality(clips, carried_baseline(open_networks(), encoded=False))
