"""Runs that go on as if they had not been stopped, the conveyor, clips in files, and the counter on true
clips.
"""

from itertools import islice

import numpy as np
import pytest
import torch

from motionstream_core.codec.tiny import TinyCodec
from motionstream_core.evaluation.cartoon.counters import verdict
from motionstream_core.training.cartoon import clips as clips_module
from motionstream_core.training.cartoon.clips import Clips, make_part
from motionstream_core.training.cartoon.drawing import render
from motionstream_core.training.cartoon.run import Run, averages, warm_then_fall
from motionstream_core.training.cartoon.sampling import conveyor, slots, start_buffer, trajectory
from motionstream_core.training.cartoon.scene import Scene, Thing, numbered_scene
from motionstream_core.training.muon import BatchedMuon


def small_run(folder, seed=0):
    torch.manual_seed(seed)
    module = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Linear(8, 2))
    optimizer = BatchedMuon(module.named_parameters(), 0.02, 0.01, is_matrix=lambda name, p: p.ndim == 2)
    return Run(folder, module, optimizer, 0.9)


def steps(run, count):
    for _ in range(count):
        x = torch.randn(8, 4, generator=torch.Generator().manual_seed(run.step))
        run.update(run.module(x).square().mean(), 1.0, 8)


def test_a_run_goes_on_where_it_was_saved(tmp_path):
    whole, first = small_run(tmp_path / "a"), small_run(tmp_path / "b")
    steps(whole, 7)
    steps(first, 3)
    first.save()
    second = small_run(tmp_path / "b", seed=9)
    assert (second.step, second.samples) == (3, 24) and second.spent > 0
    steps(second, 4)
    for name, p in whole.learned.items():
        assert torch.equal(p, second.learned[name]) and torch.equal(whole.average[name], second.average[name])


def test_the_average_is_for_looking_at_only(tmp_path):
    run = small_run(tmp_path)
    steps(run, 4)
    own = {name: p.detach().clone() for name, p in run.learned.items()}
    with run.averaged():
        assert all(torch.equal(p, run.average[name]) for name, p in run.learned.items())
    assert all(torch.equal(p, own[name]) for name, p in run.learned.items())
    run.save()
    assert all(torch.equal(value, run.average[name]) for name, value in averages(run.path).items())


def test_what_is_not_finite_changes_nothing(tmp_path):
    run = small_run(tmp_path)
    before = [p.detach().clone() for p in run.module.parameters()]
    run.update(run.module(torch.full((1, 4), float("nan"))).mean(), 1.0, 1)
    assert run.step == 0 and all(torch.equal(a, b) for a, b in zip(before, run.module.parameters()))


def test_the_rate_rises_stays_and_falls():
    assert warm_then_fall(0.0) < 0.2 and warm_then_fall(0.4) == 1
    assert warm_then_fall(0.85, fall=0.3) == pytest.approx(0.5) and warm_then_fall(1.0) == pytest.approx(0.03)


class Oracle:
    """The velocity of known latents: noise - x0 = (x - x0) / sigma. The tape's frames move on with the
    conveyor.
    """

    def __init__(self, tape):
        self.tape, self.at = tape, 0

    def guided(self, x, levels, ids, scale):
        x0 = self.tape[:, :, self.at : self.at + x.shape[2]]
        return (x - x0) / levels[:, None, :, None, None]


@pytest.mark.parametrize("size,micro", [(2, 4), (4, 2), (1, 1), (8, 3)])
def test_an_oracles_conveyor_gives_back_the_tape(size, micro):
    tape = torch.randn(1, 3, 32, 4, 4, generator=torch.Generator().manual_seed(0))
    oracle, chunks = Oracle(tape), 8 // size
    states = trajectory(oracle, torch.randn(1, 3, 8, 4, 4), None, 8, 1.0)
    assert torch.allclose(states[-1], tape[:, :, :8], atol=1e-4)
    stream = conveyor(
        oracle, start_buffer(states, chunks, size), None, size=size, micro=micro, scale=1.0, seed=0
    )
    for number, chunk in enumerate(islice(stream, 3)):
        assert torch.allclose(chunk, tape[:, :, number * size : (number + 1) * size], atol=1e-4)
        oracle.at += size


def test_levels_of_the_slots():
    assert slots(4, 2).tolist() == [0.25, 0.25, 0.5, 0.5, 0.75, 0.75, 1.0, 1.0]
    assert slots(2, 1, 0.5).tolist() == [0.25, 0.75]


def test_clips_go_through_files(tmp_path, monkeypatch):
    monkeypatch.setattr(clips_module, "PART", 2)
    monkeypatch.setattr(clips_module, "LATENTS", 3)
    torch.manual_seed(0)
    codec = TinyCodec().eval()
    make_part(tmp_path, codec, 0)
    clips = Clips(tmp_path)
    assert len(clips) == 2 and len(Clips(tmp_path, held_out=True)) == 0
    make_part(tmp_path, codec, 1)
    assert clips.refresh() == 4
    latents, mask, ids = clips.windows(np.array([1]), np.array([1]), 2)
    frames = torch.from_numpy(render(numbered_scene(1), 17)).permute(0, 3, 1, 2)[None].float() / 255
    with torch.no_grad():
        whole = codec.encode(frames)
    assert (
        torch.allclose(latents, whole[:, :, 3:5], atol=2e-2)
        and mask.shape == (1, 1, 2, 16, 16)
        and ids.shape == (1, 20)
    )


@pytest.mark.parametrize("verb", ["moves left", "moves right", "flies up", "stays"])
@pytest.mark.parametrize(
    "colour,place,time",
    [("red", "sea", "sunset"), ("blue", "hills", "day"), ("purple", "snowfield", "night")],
)
def test_the_counter_sees_what_is_drawn(verb, colour, place, time):
    thing = Thing("balloon", colour, verb, 0.5, 0.6 if verb == "flies up" else 0.44, 0.19)
    seen = verdict(render(Scene(place, time, (thing,), 11), 32), place, time)
    assert (seen.colour, seen.verb) == (colour, verb)


def test_the_counter_finds_nothing_where_nothing_is():
    for seed, (place, time) in enumerate(
        (p, t) for p in ("hills", "sea", "snowfield") for t in ("day", "sunset", "night")
    ):
        assert verdict(render(Scene(place, time, (), 50 + seed), 32), place, time).colour is None
