"""Lessons of the segment distillation: what is asked for, where conveyors go, and that a student learns."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from motionstream_core.model.presets import preset
from motionstream_core.training.cartoon.distill_stage import (
    HeldOut,
    Lessons,
    student_of,
    target_of,
    train,
)
from motionstream_core.training.cartoon.network import Cartoon
from motionstream_core.training.segments import starts

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
    stepped = []

    def student(x, levels, ids):
        stepped.append(x)
        return torch.zeros_like(x)

    for step in range(4):
        lessons.learn(4, step, student)
    assert len(lessons.pool) == 10 and len(stepped) == (4 if rollout == "student" else 0)
    for one in lessons.pool[-4:]:
        assert torch.allclose(one.target, target_of(net, one.start, one.ids, 2.0), atol=1e-4)
    old = torch.cat([one.start for one in lessons.pool])
    if rollout == "student":  # it stands still, so what comes next is what was there, one slot on
        made = torch.cat([one.start for one in lessons.pool[-2:]])[:, :, :6]
        gaps = (made[:, None] - torch.cat(stepped)[None, :, :, 2:]).abs().amax((2, 3, 4, 5))
        assert float(gaps.min(1).values.max()) < 1e-6
    drawn = lessons.draw(6, 0)
    assert drawn.start.shape[0] == 6 and torch.equal(drawn.start[:2], old[-2:])


def test_a_student_comes_nearer_to_its_teacher(tmp_path, monkeypatch):
    monkeypatch.setattr("motionstream_core.training.cartoon.distill_stage.Clips", Clips)
    net = teacher()
    held = HeldOut(net, Clips(held_out=True), 3.0, 4)
    start = student_of(net, 4)
    before = np.mean(held.of(start)["error"])
    run = train(tmp_path, tmp_path, net, start, 2.0, batch=6, fresh=2, scale=3.0, rollout="student")
    assert run.step > 3
    with run.averaged():
        assert held.of(start)["error"] < 0.9 * before
    assert held.levels[0].tolist() == starts(4, 2).tolist()
