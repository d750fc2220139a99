"""Some cases of the fuzzer at a seed that stays: `python -m harness.fuzz` goes on for hours at new ones."""

import math
import random

import pytest
from harness import fuzz as harness_fuzz
from harness.fuzz import Reader, fuzz, judge
from harness.fuzz_readers import readers

READERS = readers()


@pytest.mark.parametrize("name", READERS)
def test_inputs_out_of_joint_are_taken_or_refused_in_words(name):
    verdict = fuzz(name, READERS[name], seed=16, seconds=math.inf, most=40)
    assert not verdict.found, "\n".join(verdict.found)
    assert verdict.cases == 40


def test_the_fuzzer_sees_what_is_not_well(tmp_path, monkeypatch):
    monkeypatch.setattr(harness_fuzz, "STOP_S", 0.5)

    def hang(case, folder):
        while True:
            sum(range(1000))

    def refuse(case, folder):
        raise case

    cases = {
        "IndexError: out": IndexError("out"),
        "unclear ValueError: bad": ValueError("bad"),
    }
    for words, error in cases.items():
        reader = Reader(lambda rng, error=error: error, refuse)
        assert (judge(reader, random.Random(1), tmp_path) or "").startswith(words)
    reader = Reader(lambda rng: ValueError("x: expected 1, got 2"), refuse)
    assert judge(reader, random.Random(1), tmp_path) is None
    assert (fuzz("hang", Reader(lambda rng: 0, hang), 1, 0.1, 1)).kinds
