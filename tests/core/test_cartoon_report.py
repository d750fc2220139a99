"""Measures of the cartoon's streams, against values that are known."""

import numpy as np
import pytest
import torch

from motionstream_core.evaluation.cartoon.command import document_of
from motionstream_core.evaluation.cartoon.drift import measured, sharpness
from motionstream_core.evaluation.cartoon.report import frechet, recoloured, seam
from motionstream_core.evaluation.cartoon.sheet import prompts
from motionstream_core.training.cartoon.drawing import render
from motionstream_core.training.cartoon.scene import Scene, Thing


def test_the_distance_of_normal_distributions():
    rng = torch.Generator().manual_seed(0)
    a = torch.randn(20000, 3, generator=rng) * torch.tensor([1.0, 2.0, 3.0])
    assert frechet(a, a) == pytest.approx(0, abs=1e-6)
    b = torch.randn(20000, 3, generator=rng) * torch.tensor([2.0, 2.0, 1.0]) + torch.tensor([0.0, 3.0, 0.0])
    assert frechet(a, b) == pytest.approx(9 + (1 - 2) ** 2 + (3 - 1) ** 2, rel=0.03)  # means and deviations
    few = a[:2] @ torch.diag(torch.tensor([1.0, 0.0, 0.0]))  # fewer clips than features
    assert frechet(few, few + 1) == pytest.approx(3, rel=1e-5)


def test_a_seam_is_change_where_chunks_meet_over_change_within():
    steps = np.ones(23)
    steps[7::8] = 3
    level = np.concatenate([[0], np.cumsum(steps)])
    frames = np.broadcast_to(level[None, :, None, None, None], (2, 24, 4, 4, 3)).astype(np.uint8)
    assert seam(frames, 8) == pytest.approx(3) and seam(frames, 4) == pytest.approx((1 + 3 + 1 + 3 + 1) / 5)


def test_sharpness_is_the_change_between_neighbours():
    stripes = np.zeros((1, 2, 8, 8, 3), np.uint8)
    stripes[..., ::2, :] = 10
    assert sharpness(stripes) == pytest.approx(5)  # 10 across, 0 down


def test_true_windows_show_what_was_asked_and_blank_ones_do_not():
    scenes = [
        Scene("hills", "day", (Thing("balloon", "red", "moves right", 0.1, 0.44, 0.05),), 5),
        Scene("snowfield", "night", (Thing("balloon", "purple", "stays", 0.5, 0.26, 0.05),), 6),
    ]
    frames = np.stack([render(scene, 64) for scene in scenes])
    seen = measured(frames, scenes, None)
    assert seen["found"] == seen["colour"] == 1 and seen["verb"] >= 0.5
    blank = np.stack([render(Scene(s.place, s.time, (), s.seed), 64) for s in scenes])
    assert measured(blank, scenes, None)["found"] == 0
    crossed = measured(frames, scenes[::-1], None)
    assert crossed["colour"] == 0


def test_another_colour_changes_nothing_else():
    (scene, *_), _ = prompts(1)
    other = recoloured(scene)
    before, after = scene.caption.split(), other.caption.split()
    assert [a == b for a, b in zip(before, after)].count(False) == 1 and before[1] != after[1]


@pytest.mark.parametrize("sizes", [(0, 1, 60), (4, 5, 60), (4, 2, 10)])
def test_sizes_that_measure_nothing_are_refused(sizes):
    with pytest.raises(ValueError, match="cartoon: expected prompts"):
        document_of(None, None, *sizes, print)
