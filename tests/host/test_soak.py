"""Nothing is left of runs, however they end: a short form of `python -m harness.soak --runs 200`."""

from __future__ import annotations

import asyncio

from harness.soak import endings, left_over


def test_nothing_is_left_of_runs_however_they_end(host, weights):
    report = asyncio.run(endings(host, 24, seed=7, weights=weights))
    assert len(report["ways"]) == 9 and not left_over(report), report
