"""Lessons of the segment distillation: what is asked for, where conveyors go, and that a student learns."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from motionstream_core.model.presets import preset
from motionstream_core.training.cartoon.distill_stage import (
    LONGEST,
    HeldOutBuffers,
    Lesson,
    Lessons,
    Stream,
    student_of,
    target_of,
    train,
)
from motionstream_core.training.cartoon.network import Cartoon
from motionstream_core.training.segments import start_states, starts

CONFIG = replace(preset("cartoon"), dim=32, ffn_dim=48, num_heads=2, num_layers=1)


class Clips:
    """Random clips in the place of cached ones."""

    def __init__(self, folder=None, held_out=False):
        rng = torch.Generator().manual_seed(int(held_out))
        self.latents = torch.randn(16, 16, 8, 16, 16, generator=rng)

    def windows(self, chosen, starts, frames):
        latents = self.latents[torch.as_tensor(chosen)]
        ids = torch.as_tensor(chosen)[:, None].expand(-1, 20) % 7 + 1
        return latents, torch.zeros(len(chosen), 1, frames, 16, 16), ids

    def draw(self, rng, count, frames):
        return self.windows(rng.integers(16, size=count), None, frames)


def teacher():
    torch.manual_seed(0)
    net = Cartoon(CONFIG)
    torch.nn.init.normal_(net.dit.head.head.weight, std=0.1)
    return net.eval().requires_grad_(False)


@pytest.mark.parametrize("rollout", ["none", "teacher", "student"])
def test_every_lesson_is_the_teachers_way_from_its_own_start(rollout):
    net = teacher()
    lessons = Lessons(Clips(), net, 2.0, rollout, size=10)
    asked = []

    def student(x, levels, ids):
        asked.append(x)
        return torch.zeros_like(x)

    for step in range(4):
        lessons.learn(4, step, student)
    assert len(lessons.pool) == 10 and len(asked) == (4 if rollout == "student" else 0)
    for one in lessons.pool[-4:]:
        assert torch.allclose(one.target, target_of(net, one.start, one.ids, 2.0, one.levels), atol=1e-4)
    if rollout == "student":  # it stands still, so half of the starts have been there
        seen = torch.cat(asked[:-1])
        for one in lessons.pool[-4:-2]:
            moved = one.start[:, :, :2] - torch.cat([seen[:, :, :2], seen[:, :, 2:4]])
            assert float(moved.abs().amax((1, 2, 3, 4)).min()) < 1e-6
    drawn = lessons.draw(6, 0)
    newest = torch.cat([one.start for one in lessons.pool[-2:]])
    assert drawn.start.shape[0] == 6 and torch.equal(drawn.start[:2], newest)


def test_a_stream_begins_from_noise_with_the_states_of_its_slots():
    """A student that goes straight to known latents, slot by slot: the queue is noised to its own levels."""
    x0, noise = torch.randn(1, 16, 8, 16, 16), torch.randn(1, 16, 8, 16, 16)
    one = torch.ones(1, 1, 8, 16, 16)
    stream = Stream(Lesson(noise, torch.ones(1, 8), noise, one, one), slots=[noise[:, :, -2:]])
    for _ in range(3):
        assert stream.slots is not None
        stream = stream.after(stream.at.start - (noise - x0) / 4, torch.full((1, 16, 2, 16, 16), 7.0))
    assert stream.slots is None and torch.equal(stream.at.levels[0], starts(4, 2))
    assert torch.allclose(stream.at.start, start_states(x0, noise, 4), atol=1e-5)
    after = stream.after(stream.at.start, torch.full((1, 16, 2, 16, 16), 7.0))
    assert (
        torch.equal(after.at.start[:, :, :6], stream.at.start[:, :, 2:])
        and (after.at.start[:, :, 6:] == 7).all()
    )
    after.emissions = LONGEST - 1
    assert after.after(after.at.start, noise[:, :, :2]) is None


def test_a_student_comes_nearer_to_its_teacher(tmp_path, monkeypatch):
    monkeypatch.setattr("motionstream_core.training.cartoon.distill_stage.Clips", Clips)
    net = teacher()
    held = HeldOutBuffers(net, Clips(held_out=True), 3.0, 4)
    start = student_of(net, 4)
    before = np.mean(held.of(start)["error"])
    run = train(tmp_path, tmp_path, net, start, 2.0, batch=6, fresh=2, scale=3.0, rollout="student")
    assert run.step > 3
    with run.averaged():
        assert held.of(start)["error"] < 0.9 * before
    assert held.levels[0].tolist() == starts(4, 2).tolist()
