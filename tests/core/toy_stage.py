"""A stage small enough to be trained in milliseconds: a student that learns a matrix beside a critic that
learns the student.

Also a program, for tests that kill it or start it twice: `python -m core.toy_stage OUT STEPS [NAME=VALUE …]`.
"""

import json
import sys
import time
from pathlib import Path

import torch
from torch import nn

from motionstream_core.tracks.types import Tracks
from motionstream_core.training.engine.engine import train
from motionstream_core.training.engine.stage import TrainConfig

WIDTH = 12


class ToyData:
    def batch(self, rng, size):
        x = torch.from_numpy(rng.standard_normal((size, WIDTH))).float()
        return {"x": x, "y": x.flip(1)}


class CountedData(ToyData):
    """Data with a place of its own: every batch is multiplied by how many there were."""

    def __init__(self):
        self.count = 0

    def batch(self, rng, size):
        self.count += 1
        batch = super().batch(rng, size)
        return {**batch, "y": batch["y"] * (1 + 0.1 * self.count)}

    def state_dict(self):
        return {"count": self.count}

    def load_state_dict(self, state):
        self.count = state["count"]


class ToyStage:
    name = "toy"
    trainable = ("student", "critic")
    ema = "student"

    def __init__(self, width=WIDTH, broken_at=None, wait=0.0):
        torch.manual_seed(5)
        student = nn.Sequential(nn.Linear(width, 16), nn.Tanh(), nn.Linear(16, width))
        student[0].bias.requires_grad_(False)
        self.modules = {
            "student": student,
            "critic": nn.Linear(width, width),
            "teacher": nn.Linear(width, width).requires_grad_(False),
        }
        self.broken_at, self.wait, self.seen = broken_at, wait, []

    def role_at(self, step):
        self.step = step
        return "student" if step % 3 == 2 else "critic"

    def loss(self, role, batch, draws):
        time.sleep(self.wait)
        noisy = batch["x"] + 0.1 * torch.randn(batch["x"].shape, generator=draws.rng)
        made = self.modules["student"](noisy)
        loss = (
            (made - batch["y"]).square().mean()
            if role == "student"
            else (self.modules["critic"](batch["x"]) - made.detach()).square().mean()
        )
        if self.broken_at == (role, self.step):
            loss = loss * float("nan")
        self.seen.append((role, float(loss.detach())))
        return loss, {"size": float(made.detach().abs().mean())}

    @torch.no_grad()
    def validate(self, modules, rng):
        x = torch.randn(64, WIDTH, generator=rng)
        return {"error": float((modules["student"](x) - x.flip(1)).square().mean())}

    def sample(self, modules):
        xy = torch.stack([torch.linspace(2, 28, 5), torch.full((5,), 9.0)], -1)[:, None]
        return [(torch.full((5, 18, 32, 3), 0.4), Tracks(xy, torch.ones(5, 1, dtype=torch.bool), 32, 18))] * 2


def config(**values):
    return TrainConfig(
        **{"lr": {"student": 1e-2, "critic": 1e-2}, "steps": 12, "batch": 4, "device": "cpu", **values}
    )


def state_of(path):
    """Tensors and counters of a checkpoint."""
    from motionstream_core.training.engine import checkpoints

    return dict(checkpoints.read_tensors(path)), checkpoints.read_about(path)


if __name__ == "__main__":
    given = dict(word.split("=") for word in sys.argv[3:])
    wait = float(given.pop("wait", 0))
    values = {name: json.loads(value) for name, value in given.items()}
    print(
        train(
            ToyStage(wait=wait),
            ToyData(),
            config(steps=int(sys.argv[2]), **values),
            Path(sys.argv[1]),
            {"preset": "toy"},
        )["step"]
    )
