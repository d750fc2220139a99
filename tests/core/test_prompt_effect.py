"""The measure of what a style word does."""

import numpy as np
import pytest

from motionstream_core.evaluation.prompt import style_share
from motionstream_core.model.text import STYLES
from motionstream_core.training.data.textures import apply_style

PLAIN = np.random.default_rng(0).random((4, 16, 16, 3)).astype(np.float32)


def styled(style: str) -> np.ndarray:
    return apply_style((PLAIN * 255).round().astype(np.uint8), style, ramp=0).astype(np.float32) / 255


@pytest.mark.parametrize("style", STYLES)
def test_the_look_itself_is_all_of_the_way_and_no_change_is_none_of_it(style):
    assert style_share(styled(style), PLAIN, style, 0) == pytest.approx(1, abs=0.03)
    assert style_share(PLAIN, PLAIN, style, 0) == pytest.approx(0, abs=1e-6)
    assert style_share((PLAIN + styled(style)) / 2, PLAIN, style, 0) == pytest.approx(0.5, abs=0.03)


def test_another_look_is_away_from_the_one_meant():
    assert style_share(styled("fog"), PLAIN, "night", 0) < 0


def test_the_look_comes_over_the_first_frames_in_training_and_at_once_where_it_is_the_target():
    white = np.full((12, 8, 8, 3), 255, np.uint8)
    slow, at_once = apply_style(white, "night"), apply_style(white, "night", ramp=0)
    assert slow[0].min() == 255 and slow[4].mean() < 255
    assert (at_once[0] == at_once[-1]).all() and (slow[-1] == at_once[-1]).all()
