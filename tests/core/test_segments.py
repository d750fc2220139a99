"""Segment distillation: the student's target is the teacher's way through each segment."""

import torch

from motionstream_core.training.cartoon.sampling import slots, start_buffer
from motionstream_core.training.segments import one_step, start_states, starts, student_target, teacher_way


def pair(seed=0):
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(2, 3, 8, 4, 4, generator=rng), torch.randn(2, 3, 8, 4, 4, generator=rng)


def test_an_oracle_teacher_moves_every_segment_to_the_start_of_the_next():
    x0, noise = pair()
    start = start_states(x0, noise, 4)
    assert torch.allclose(start[:, :, 6:], noise[:, :, 6:])
    end = teacher_way(lambda x, levels: noise - x0, start, 4, 3)
    at = (starts(4, 2) - 0.25)[:, None, None]
    assert torch.allclose(end, (1 - at) * x0 + at * noise, atol=1e-5)
    assert torch.allclose(end[:, :, :2], x0[:, :, :2], atol=1e-5)  # the oldest chunk comes out clean


def test_the_target_is_the_displacement_of_the_teachers_steps():
    x0, noise = pair()
    start = start_states(x0, noise, 4)
    end = teacher_way(lambda x, levels: torch.sin(3 * x) * levels[:, None, :, None, None], start, 4, 16)
    assert torch.allclose(one_step(student_target(start, end, 4), start, 4), end, atol=1e-5)


def test_the_teacher_is_told_its_levels():
    seen = []
    teacher_way(lambda x, levels: seen.append(levels[0]) or torch.zeros_like(x), pair()[0], 4, 2)
    assert torch.allclose(seen[0], slots(4, 2)) and torch.allclose(seen[1], slots(4, 2, 0.5))


def test_a_buffer_starts_from_the_states_of_its_levels():
    x0, noise = pair()
    states = [(1 - s) * x0 + s * noise for s in (1 - torch.arange(9) / 8)]
    assert torch.allclose(start_buffer(states, 4, 2), start_states(x0, noise, 4), atol=1e-6)
