"""The shipped judge on freshly drawn scenes, and what it is asked."""

from itertools import islice
from pathlib import Path

import numpy as np
import torch

from motionstream_core.evaluation.cartoon.judge import QUESTIONS, Judge, accuracy, answers, judge_loss, looks
from motionstream_core.evaluation.cartoon.judging import drawn, load_judge, lots, truth_of, well_seen
from motionstream_core.training.cartoon.scene import Scene, Thing, numbered_scene

ASSETS = Path(__file__).parents[2] / "motionstream_core" / "assets"


def test_answers_are_words_of_the_scene():
    scene = numbered_scene(4)
    said = {question: QUESTIONS[question][number] for question, number in answers(scene).items()}
    assert said["kind"] == scene.things[0].kind and said["verb"] == scene.things[0].verb
    assert (said["place"], said["time"], said["weather"], said["camera"]) == (
        scene.place,
        scene.time,
        "clear",
        "still",
    )


def test_a_thing_out_of_sight_is_not_asked_about():
    away = Thing("car", "red", "stays", -0.4, 0.8, 0.19)
    assert not well_seen(Scene("hills", "day", (away,), 1))
    assert all(well_seen(scene) for scene in islice(lots(0, held_out=False), 5))


def test_looks_are_spread_over_the_clip():
    clips = torch.arange(32).view(1, 32, 1, 1, 1).expand(1, 32, 3, 64, 64) / 31
    assert torch.allclose(looks(clips)[0, :, 0, 0, 0], torch.tensor([0, 8, 16, 23, 31]) / 31 - 0.5, atol=1e-2)


def test_the_loss_falls_on_one_batch():
    torch.manual_seed(0)
    judge, scenes = Judge(8), list(islice(lots(0, held_out=False), 4))
    seen = torch.randn(4, 5, 3, 64, 64)
    optimizer = torch.optim.Adam(judge.parameters(), 1e-2)
    losses = []
    for _ in range(5):
        loss = judge_loss(judge, seen, truth_of(scenes))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


def test_the_shipped_judge_knows_drawn_scenes():
    judge, rng = load_judge(ASSETS / "cartoon_judge.safetensors"), np.random.default_rng(0)
    scenes = list(islice(lots(7_000, held_out=True), 40))
    seen = (
        torch.from_numpy(np.stack([drawn(scene, rng) for scene in scenes])).permute(0, 1, 4, 2, 3).float()
        / 255
        - 0.5
    )
    assert min(accuracy(judge, seen, truth_of(scenes)).values()) >= 0.9
