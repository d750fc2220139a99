"""Performances: of any length, in little memory, and what a rewind or a refusal takes out of them."""

import json
import tracemalloc

import pytest

from motionstream_core.live import performance_log
from motionstream_core.live.controls import Move, SetPrompt
from motionstream_core.live.performance import read_performance, write_performance
from motionstream_core.live.performance_log import PerformanceLog
from motionstream_core.live.session import REMEMBERED_CONTROLS, LiveSession

BEGINNING = '{"kind":"motionstream-performance","version":1'


def prompts(log: PerformanceLog) -> list[tuple[int, str]]:
    return [(chunk, control.text) for chunk, control in log]


def filled(chunks: int) -> PerformanceLog:
    log = PerformanceLog()
    for chunk in range(chunks):
        log.add(chunk, [SetPrompt(f"{chunk} a"), SetPrompt(f"{chunk} b")])
    return log


@pytest.mark.parametrize("spooled", [1, 2**20], ids=["in a file", "in memory"])
def test_a_rewind_cuts_and_the_performance_goes_on_from_there(monkeypatch, spooled):
    monkeypatch.setattr(performance_log, "SPOOLED", spooled)
    log = filled(6)
    log.cut(9)
    assert len(prompts(log)) == 12
    log.cut(4)
    assert prompts(log)[-1] == (3, "3 b") and len(prompts(log)) == 8
    log.add(4, [SetPrompt("other")])
    log.cut(5)
    assert prompts(log)[-2:] == [(3, "3 b"), (4, "other")]
    log.cut(0)
    assert prompts(log) == []


def test_what_was_ignored_is_taken_back_from_the_last_boundary():
    log = PerformanceLog()
    kept, gone = SetPrompt("same"), SetPrompt("same")
    log.add(2, [kept, gone])
    log.take_back(gone)
    assert prompts(log) == [(2, "same")]
    log.add(3, [SetPrompt("next")])
    assert prompts(log) == [(2, "same"), (3, "next")]


def test_where_the_disk_is_full_the_performance_stays_in_memory(monkeypatch):
    log = filled(3)

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(log._file, "write", full)
    log.add(3, [SetPrompt("3 a")])
    log.add(4, [SetPrompt("4 a")])
    assert [text for _, text in prompts(log)] == ["0 a", "0 b", "1 a", "1 b", "2 a", "2 b", "3 a", "4 a"]
    log.cut(2)
    assert len(prompts(log)) == 4


def test_a_long_performance_takes_little_memory_and_is_read_back():
    """The text is longer than the reader took once (16 MiB)."""
    session, texts = LiveSession(rate=10**6), [f"{number:04} " + "night " * 300 for number in range(100)]
    tracemalloc.start()
    for chunk in range(1, 101):
        for text in texts:
            session.post({"type": "prompt", "text": text})
        session.carry_out(session.wait_at_boundary(chunk).controls, lambda control: True)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 12 * 2**20, f"{peak / 2**20:.1f} MiB"
    assert len(session.log) == REMEMBERED_CONTROLS
    text = write_performance(session.performance, seed=1)
    played = read_performance(text)
    assert len(played.controls) == 10_000 and len(text) > 16 * 2**20
    assert played.controls[-1] == (100, SetPrompt(texts[-1]))


def test_more_controls_than_a_reader_took_once_are_read():
    entries = ",".join(['{"chunk":1,"type":"move","hand":0,"to":[[1,2]]}'] * 200_001)
    played = read_performance(f'{BEGINNING},"controls":[{entries}]}}')
    assert len(played.controls) == 200_001 and isinstance(played.controls[0][1], Move)


@pytest.mark.parametrize(
    "text",
    [
        BEGINNING + ',"seed":1e999,"controls":[]}',
        BEGINNING + f',"width":{"9" * 310},"controls":[]}}',
        BEGINNING + f',"controls":[{{"chunk":{"9" * 310},"type":"scene"}}]}}',
        BEGINNING + ',"controls":[{"chunk":1,"type":"camera","zoom":' + "9" * 310 + "}]}",
        BEGINNING + ',"controls":[{"chunk":1,"type":"add","kind":"pin","points":[[1,1]],'
        '"brush":{"radius":99,"spacing":1}}]}',
        BEGINNING + ',"controls":{"a":1}}',
        BEGINNING + ',"controls":[3]}',
        BEGINNING + ',"controls":' + "[" * 100_000,
    ],
    ids=range(8),
)
def test_a_performance_that_cannot_be_played_is_refused_clearly(text):
    with pytest.raises(ValueError, match="performance: .*expected .*got"):
        read_performance(text)


def test_a_document_has_its_facts_before_its_controls():
    log = PerformanceLog()
    log.add(1, [SetPrompt("night")])
    text = write_performance(log, seed=3, fps=16.0)
    assert json.loads(text) == {
        "kind": "motionstream-performance",
        "version": 1,
        "seed": 3,
        "fps": 16.0,
        "controls": [{"chunk": 1, "type": "prompt", "text": "night"}],
    }
    assert read_performance(text).about == {"version": 1, "seed": 3, "fps": 16.0}
