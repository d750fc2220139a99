"""Words of a prompt that do not count are named, unknown ones and those that are too many."""

import pytest

from motionstream_core.model.text import Vocabulary

WORDS = Vocabulary(("<pad>", "cat", "night", "walks"))


@pytest.mark.parametrize(
    ("prompt", "line"),
    [
        ("Cat walks", None),
        (
            "a cat walks at a night",
            "words outside the model's vocabulary were left out: a, at",
        ),
        ("cat cat cat cat night walks", "only the first 4 known words count, left out: night walks"),
        (
            "the cat cat cat cat night",
            "words outside the model's vocabulary were left out: the; only the first 4 known words count, "
            "left out: night",
        ),
        ("", None),
    ],
)
def test_words_that_do_not_count_are_named(prompt, line):
    assert WORDS.left_out(prompt, 4) == line
