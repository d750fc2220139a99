"""Faults by stage and kind: what was good comes out, the fault is named, and nothing passes for black."""

import pytest
import torch
from core.small import drag, picture, stream

from motionstream_core.streaming.chunk import NotFinite

STAGES = {
    "encode": ("codec", "encode_chunk"),
    "encode a chunk": ("codec", "encode_chunk"),
    "denoise": ("dit", "forward"),
    "decode": ("codec", "decode_chunk"),
    "motion": ("track_head", "forward"),
}


def spoiled(value, kind):
    """What a stage gives, as a fault of this kind leaves it."""
    if isinstance(value, tuple):
        return (spoiled(value[0], kind), *value[1:])
    return value * kind


def break_stage(networks, monkeypatch, stage: str, kind, after: int):
    part, name = STAGES[stage]
    module = getattr(networks, part)
    whole, calls = getattr(module, name), []

    def broken(*args, **named):
        calls.append(1)
        if isinstance(kind, Exception) and len(calls) > after:
            raise kind
        made = whole(*args, **named)
        return spoiled(made, kind) if len(calls) > after else made

    monkeypatch.setattr(module, name, broken)


@pytest.fixture(scope="module")
def whole(networks):
    return [chunk.frames for chunk in stream(networks, picture(), drag(17), "", 17)]


@pytest.mark.parametrize("kind", [float("nan"), RuntimeError("broken")], ids=str)
@pytest.mark.parametrize("stage", STAGES)
def test_a_fault_ends_the_stream_behind_what_was_good(networks, whole, monkeypatch, stage, kind):
    # Of three chunks the last is broken, or the first where a stage is for the start image alone.
    after = {"encode": 0, "denoise": 4}.get(stage, 1)
    break_stage(networks, monkeypatch, stage, kind, after)
    expected = RuntimeError if isinstance(kind, Exception) else NotFinite
    made, beside = [], stage in ("decode", "denoise")
    with pytest.raises(expected):
        for chunk in stream(networks, picture(), drag(17), "", 17, overlap_decode=beside):
            made.append(chunk.frames)
    assert len(made) < len(whole)
    assert all(torch.equal(one, other) for one, other in zip(made, whole))
